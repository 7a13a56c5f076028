"""Cross-validated ridge beside himalaya's in one run, on the same cores, and its memory with targets on disk.

    python benchmarks/ridge.py [--repeats 5] [--threads 2] [--targets 100000]

3,000 rows x 1,000 features x 5,000 targets x 15 penalties x 3 folds, float32, one penalty per target, with intercept. Both
sides get the same arrays and folds and take turns; himalaya's torch and numpy backends are both run and the faster one
counts. The figure is the median over pairs of the ratio. Then 100,000 targets lie on disk, and a process of its own fits
them: its peak resident memory holds the mapped pages, too. Last, how the time grows with each size.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainfm.linear.chunks import contiguous
from brainfm.linear.ridge import RidgeFit, fit_ridge

N, P, T = 3000, 1000, 5000
ALPHAS = np.logspace(0, 7, 15)


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.shared:
        return on_disk(Path(arguments.shared))
    compare(arguments.repeats)
    growth()
    memory(arguments)


def compare(repeats: int) -> None:
    """Both sides in turn."""
    x, y = _planted(N, P, T)
    backends = {name: [] for name in ("numpy", "torch")}
    for repeat in range(repeats + 1):
        took, ours = _ours(x, y)
        for name, ratios in backends.items():
            theirs_took, theirs = _himalaya(x, y, name)
            if repeat == 0:
                _agree(ours, theirs, name)  # the first turn warms up
            else:
                ratios.append(theirs_took / took)
                print(f"pair {repeat}: himalaya ({name}) {theirs_took:.2f} s, ours {took:.2f} s", flush=True)
    medians = {name: statistics.median(ratios) for name, ratios in backends.items()}
    print(
        f"{N} x {P}, {T} targets, {len(ALPHAS)} alphas, 3 folds: "
        + ", ".join(f"{m:.2f} x {n}" for n, m in medians.items())
    )
    print(f"figure vs_himalaya {min(medians.values()):.2f}")


def growth() -> None:
    """Seconds as one size doubles and the others stay."""
    base = {"n": 1500, "p": 500, "t": 2500, "a": 8}
    first = _seconds(**base)
    for name in base:
        doubled = _seconds(**{**base, name: 2 * base[name]})
        print(
            f"growth: {name} {base[name]} -> {2 * base[name]}: {first:.2f} s -> {doubled:.2f} s (x {doubled / first:.2f})"
        )


def memory(arguments: argparse.Namespace) -> None:
    """A process that fits many targets from disk, and the most memory that it held."""
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as shared:
        x, _ = _planted(N, P, 1)
        np.save(Path(shared) / "x.npy", x)
        y = np.lib.format.open_memmap(Path(shared) / "y.npy", "w+", np.float32, (N, arguments.targets))
        for start in range(0, arguments.targets, T):
            y[:, start : start + T] = _planted(N, P, min(T, arguments.targets - start), seed=start)[1]
        y.flush()
        del y
        command = [sys.executable, __file__, "--shared", shared, "--threads", str(arguments.threads)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")


def on_disk(shared: Path) -> None:
    x, y = (np.load(shared / f"{name}.npy", mmap_mode="r") for name in "xy")
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    fit_ridge(x, y, ALPHAS, _folds(len(x)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{y.shape[1]:,} targets on disk ({y.nbytes / 1e9:.1f} GB): {time.perf_counter() - start:.0f} s, "
          f"{before / 1e6:.2f} GB before, {peak / 1e6:.2f} GB at most")  # fmt: skip
    print(f"figure ridge_peak_gb {peak / 1e6:.2f}")


def _ours(x: np.ndarray, y: np.ndarray) -> tuple[float, RidgeFit]:
    start = time.perf_counter()
    fit = fit_ridge(x, y, ALPHAS, _folds(len(x)))
    return time.perf_counter() - start, fit


def _himalaya(x: np.ndarray, y: np.ndarray, backend: str) -> tuple[float, tuple[Any, ...]]:
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV
    from himalaya.scoring import r2_score

    there = set_backend(backend)
    folds = [(np.flatnonzero(train), np.flatnonzero(held_out)) for train, held_out in _folds(len(x))]
    model = RidgeCV(alphas=ALPHAS, fit_intercept=True, cv=folds, solver_params={"score_func": r2_score})
    given = there.asarray(x), there.asarray(y)
    start = time.perf_counter()
    model.fit(*given)
    took = time.perf_counter() - start
    return took, tuple(there.to_numpy(part) for part in (model.best_alphas_, model.coef_, model.cv_scores_))


def _agree(ours: RidgeFit, theirs: tuple[Any, ...], name: str) -> None:
    alphas, weights, scores = theirs
    same = np.isclose(ours.alpha, alphas, rtol=1e-4)
    apart = np.abs(ours.weights - weights)[:, same].max() / np.abs(weights).max()
    print(
        f"himalaya ({name}): {same.mean():.2%} of alphas equal, weights differ by at most {apart:.1e} of the largest, "
        f"scores by at most {np.abs(ours.scores.max(0) - scores).max():.1e}"
    )


def _folds(n: int) -> list[Any]:
    return contiguous(np.zeros(n, int), 3)


def _seconds(n: int, p: int, t: int, a: int) -> float:
    x, y = _planted(n, p, t)
    took = []
    for _ in range(3):
        start = time.perf_counter()
        fit_ridge(x, y, np.logspace(0, 7, a), _folds(n))
        took.append(time.perf_counter() - start)
    return min(took)


def _planted(n: int, p: int, t: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features whose variance falls off, and targets of which a part follows them."""
    rng = np.random.default_rng(seed)
    x = np.random.default_rng(0).standard_normal((n, p), dtype=np.float32) * np.logspace(1, -1, p, dtype=np.float32)
    return x, x @ rng.standard_normal((p, t), dtype=np.float32) * 0.3 + 30 * rng.standard_normal(
        (n, t), dtype=np.float32
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="pairs of fits")
    parser.add_argument("--threads", type=int, default=2, help="cores for either side")
    parser.add_argument("--targets", type=int, default=100_000, help="targets on disk")
    parser.add_argument("--scratch", help="where they lie; 1.2 GB")
    parser.add_argument("--shared", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
