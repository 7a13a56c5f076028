"""Cross-validated ridge beside himalaya's in one run, on the same cores, and its memory with targets on disk.

    python benchmarks/ridge.py [--only pairs|memory|growth] [--repeats 3] [--threads 2] [--targets 100000]

3,000 rows x 1,000 features x 5,000 targets x 15 penalties x 3 folds, float32, one penalty per target, with intercept, R2 to
choose it. Both sides get the same arrays and folds and take turns; himalaya's torch and numpy backends are both run and the
faster one counts. The figure is the median over pairs of the ratio of times; beside it the same of processor time, which
says more on a machine that others use. Then 100,000 targets lie on disk, and a process of its own fits them: its peak
resident memory holds the mapped pages, too. Last, how processor time grows with each size.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainfm.linear.chunks import contiguous
from brainfm.linear.ridge import RidgeFit, fit_ridge

N, P, T = 3000, 1000, 5000
ALPHAS = np.logspace(0, 7, 15)
BACKENDS = ("numpy", "torch")
Took = tuple[float, float]  # seconds by the clock, and of the processor


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.shared:
        return on_disk(Path(arguments.shared))
    parts = {"pairs": lambda: compare(arguments.repeats), "memory": lambda: memory(arguments), "growth": growth}
    for name, part in parts.items():
        if arguments.only in (None, name):
            part()


def compare(repeats: int) -> None:
    """Both sides in turn; the first turn warms up, and its results are compared."""
    x, y = _planted(N, P, T)
    ratios: dict[str, list[Took]] = {name: [] for name in BACKENDS}
    for repeat in range(repeats + 1):
        took, ours = _timed(lambda: fit_ridge(x, y, ALPHAS, _folds(N)))
        for name in BACKENDS:
            theirs_took, theirs = _himalaya(x, y, name)
            if repeat == 0:
                _agree(ours, theirs, name)
                continue
            ratios[name].append((theirs_took[0] / took[0], theirs_took[1] / took[1]))
            print(f"pair {repeat}: himalaya ({name}) {_told(theirs_took)}, ours {_told(took)}", flush=True)
    median = {name: [statistics.median(one) for one in zip(*pairs, strict=True)] for name, pairs in ratios.items()}
    for name, (clock, processor) in median.items():
        print(
            f"{N} x {P}, {T} targets, {len(ALPHAS)} alphas, 3 folds: {clock:.2f} x himalaya ({name}), {processor:.2f} x in processor time"
        )
    print(f"figure vs_himalaya_processor {min(processor for _, processor in median.values()):.2f}")
    print(f"figure vs_himalaya {min(clock for clock, _ in median.values()):.2f}")


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
        print(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout, end="", flush=True)


def on_disk(shared: Path) -> None:
    x, y = (np.load(shared / f"{name}.npy", mmap_mode="r") for name in "xy")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took, _ = _timed(lambda: fit_ridge(x, y, ALPHAS, _folds(len(x))))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{y.shape[1]:,} targets on disk ({y.nbytes / 1e9:.1f} GB): {_told(took)}, at most {peak / 1e6:.2f} GB, {before / 1e6:.2f} before"
    )
    print(f"figure peak_gb_100k {peak / 1e6:.2f}")


def growth() -> None:
    """Processor seconds as one size doubles and the others stay: the least of three."""
    base = {"n": 1500, "p": 500, "t": 2500, "a": 8}
    first = _seconds(**base)
    for name, size in base.items():
        doubled = _seconds(**{**base, name: 2 * size})
        print(
            f"growth: {name} {size} -> {2 * size}: {first:.2f} -> {doubled:.2f} s (x {doubled / first:.2f})", flush=True
        )


def _timed(work: Callable[[], Any]) -> tuple[Took, Any]:
    start = time.perf_counter(), time.process_time()
    found = work()
    return (time.perf_counter() - start[0], time.process_time() - start[1]), found


def _told(took: Took) -> str:
    return f"{took[0]:.2f} s ({took[1]:.2f} s of the processor)"


def _himalaya(x: np.ndarray, y: np.ndarray, backend: str) -> tuple[Took, tuple[Any, ...]]:
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV
    from himalaya.scoring import r2_score

    there = set_backend(backend)
    folds = [(np.flatnonzero(train), np.flatnonzero(held_out)) for train, held_out in _folds(len(x))]
    model = RidgeCV(alphas=ALPHAS, fit_intercept=True, cv=folds, solver_params={"score_func": r2_score})
    given = there.asarray(x), there.asarray(y)
    took, _ = _timed(lambda: model.fit(*given))
    return took, tuple(there.to_numpy(part) for part in (model.best_alphas_, model.coef_, model.cv_scores_))


def _agree(ours: RidgeFit, theirs: tuple[Any, ...], name: str) -> None:
    alphas, weights, scores = theirs
    same = np.isclose(ours.alpha, alphas, rtol=1e-4)
    apart = np.abs(ours.weights - weights)[:, same].max() / np.abs(weights).max()
    print(
        f"himalaya ({name}): {same.mean():.2%} of alphas equal, weights differ by at most {apart:.1e} of the largest, "
        f"scores by at most {np.abs(ours.scores.max(0) - scores).max():.1e}",
        flush=True,
    )


def _folds(n: int) -> list[Any]:
    return contiguous(np.zeros(n, int), 3)


def _seconds(n: int, p: int, t: int, a: int) -> float:
    x, y = _planted(n, p, t)
    return min(_timed(lambda: fit_ridge(x, y, np.logspace(0, 7, a), _folds(n)))[0][1] for _ in range(3))


def _planted(n: int, p: int, t: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features whose variance falls off, and targets of which a part follows them."""
    rng = np.random.default_rng(seed)
    x = np.random.default_rng(0).standard_normal((n, p), dtype=np.float32) * np.logspace(1, -1, p, dtype=np.float32)
    signal = 0.3 * x @ rng.standard_normal((p, t), dtype=np.float32)
    return x, signal + 30 * rng.standard_normal((n, t), dtype=np.float32)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["pairs", "memory", "growth"], help="one part of it")
    parser.add_argument("--repeats", type=int, default=3, help="pairs of fits")
    parser.add_argument("--threads", type=int, default=2, help="cores for either side")
    parser.add_argument("--targets", type=int, default=100_000, help="targets on disk")
    parser.add_argument("--scratch", help="where they lie; 1.2 GB")
    parser.add_argument("--shared", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
