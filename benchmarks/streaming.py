"""Windows per second from disk, ours beside a memory-mapped gather and beside the peers, on the same cores and the same bytes.

    BRAINFM_PEERS=/path/to/peers/bin/python python benchmarks/streaming.py [--rounds 5] [--only speed,peers,modalities,memory,order]

Eight recordings of 64 channels, 10 minutes at 250 Hz, windows of 4 s drawn at random, batches of 64, everything in the page
cache. The limit is numpy: a memory map per recording, each window copied into one preallocated batch. It and ours take turns,
and figures are medians over rounds of the ratio within a round. Peers (braindecode lazy, torch_brain, litdata) are started
through the interpreter that `$BRAINFM_PEERS` names, with 0 and with 2 workers, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from big_store import N_RECORDINGS as N_BIG
from big_store import write_big

N_RECORDINGS, N_CHANS, SFREQ, MINUTES, SECONDS, BATCH = 8, 64, 250.0, 10.0, 4.0, 64
N_TIMES, LENGTH = round(60 * MINUTES * SFREQ), round(SECONDS * SFREQ)
# reader threads: none, as many as by default, more
THREADS = (0, 1, 2)
PEERS = [(peer, workers) for peer in ("braindecode", "torch_brain", "litdata") for workers in (0, 2)]


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    if arguments.side:
        return SIDES[arguments.side](*arguments.arguments)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for part in arguments.only.split(","):
            figures |= PARTS[part](Path(folder), arguments.rounds)
    for name, value in figures.items():
        print(f"figure {name} {value:.4g}")


def speed(folder: Path, rounds: int) -> dict[str, float]:
    """float32 and int16, with as many reader threads as a batch may like, beside the limit."""
    limit = mapped(folder)
    ours = {
        (kind, threads): batches(stream(eeg(folder, kind), threads))
        for kind in ("float32", "int16")
        for threads in THREADS
    }
    taken: dict[Any, list[float]] = {name: [] for name in ["limit", *ours]}
    for turn in range(rounds + 1):
        for name, step in {"limit": limit, **ours}.items():
            rate = windows_per_s(step)
            if turn:  # the first fills caches
                taken[name].append(rate)
    print(f"{'windows per second':36s}{'median':>9s}  vs limit")
    for name, rates in taken.items():
        print(f"{_told(name):36s}{statistics.median(rates):9,.0f}{_ratio(rates, taken['limit']):10.2f}")
    best = max(THREADS, key=lambda threads: statistics.median(taken["float32", threads]))
    best16 = max(THREADS, key=lambda threads: statistics.median(taken["int16", threads]))
    return {
        "vs_memmap_limit": _ratio(taken["float32", best], taken["limit"]),
        "vs_memmap_limit_by_default": _ratio(taken["float32", 1], taken["limit"]),
        "int16_vs_float32": _ratio(taken["int16", best16], taken["float32", best]),
        "first_batch_ms": first_batch(folder),
        "windows_per_s": statistics.median(taken["float32", best]),
    }


def peers(folder: Path, rounds: int) -> dict[str, float]:
    """The best peer, each measured between two measurements of ours: as fast as it can, and with one thread as by default."""
    interpreter = os.environ.get("BRAINFM_PEERS")
    if not interpreter:
        print("peers: missing, because BRAINFM_PEERS names no python with braindecode, torch_brain and litdata in it")
        return {}
    for number, signal in enumerate(signals()):
        np.save(folder / f"signal-{number}.npy", signal)
    store = eeg(folder, "float32")
    # what no reader of single windows on one core can pass stands beside
    sides = [batches(stream(store, 0)), batches(stream(store, 1)), mapped(folder)]
    ratios, script = {}, Path(__file__).with_name("streaming_peers.py")
    for peer, workers in PEERS:
        before = [windows_per_s(step) for step in sides]
        command = [interpreter, str(script), str(folder), peer, str(workers), "100"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{peer}, {workers} workers: failed: {done.stderr.strip().splitlines()[-1:]}")
            continue
        rate = json.loads(done.stdout.strip().splitlines()[-1])["windows_per_s"]
        times = [statistics.mean([one, windows_per_s(step)]) / rate for one, step in zip(before, sides, strict=True)]
        ratios[peer, workers] = times
        told = f"ours {times[0]:.1f} x, with one thread {times[1]:.1f} x; the limit {times[2]:.1f} x"
        print(f"{f'{peer}, {workers} workers':36s}{rate:9,.0f}  {told}")
    names = ("vs_best_disk_peer", "vs_best_disk_peer_by_default", "limit_vs_best_disk_peer")
    return dict(zip(names, map(min, zip(*ratios.values(), strict=True)), strict=True)) if ratios else {}


def modalities(folder: Path, rounds: int) -> dict[str, float]:
    """What a batch of each kind of signal takes."""
    from data_loaders.contracts import Field

    spikes, scans = cells(folder), fmri(folder)
    wanted = {
        "spikes, binned at 100 Hz": (spikes, {"signal": Field(0.0, 1.0, "spikes", 100.0)}),
        "spikes, as events": (spikes, {"spikes": Field(0.0, 1.0, "spikes")}),
        "a stream of velocity": (spikes, {"velocity": Field(0.0, 1.0, "velocity")}),
        "fMRI, 400 parcels x 50 volumes": (scans, {"signal": Field(0.0, 100.0)}),
    }
    rates = {
        name: statistics.median(windows_per_s(step) for _ in range(rounds))
        for name, step in {
            name: batches(stream(*what, fields=fields)) for name, (*what, fields) in wanted.items()
        }.items()
    }
    for name, rate in rates.items():
        print(f"{name:36s}{rate:9,.0f}")
    return {f"{name.split(',')[0].replace(' ', '_')}_{i}": rate for i, (name, rate) in enumerate(rates.items())}


def memory(folder: Path, rounds: int) -> dict[str, float]:
    """Resident size after 600 batches over 1 x and 50 x the recordings, and of opening a catalog of 100,000."""
    for n_recordings in (N_RECORDINGS, 50 * N_RECORDINGS):
        eeg(folder, "float32", n_recordings, seconds=20.0)
    once, fifty = (_side("resident", folder, n_recordings) for n_recordings in (N_RECORDINGS, 50 * N_RECORDINGS))
    opened = _side("catalog", folder)
    print(
        f"resident after 600 batches over {N_RECORDINGS} recordings: {once['mb']:.0f} MB, over {50 * N_RECORDINGS}: {fifty['mb']:.0f} MB"
    )
    print(
        f"a catalog of 100,000 recordings: {opened['s']:.2f} s, {opened['mb']:.0f} MB more, {opened['all_mb']:.0f} MB with all libraries"
    )
    return {
        "rss_1x_mb": once["mb"], "rss_50x_mb": fifty["mb"], "rss_50x_vs_1x": fifty["mb"] / once["mb"],
        "catalog_100k_s": opened["s"], "catalog_100k_mb": opened["mb"], "catalog_100k_process_mb": opened["all_mb"],
    }  # fmt: skip


def order(folder: Path, rounds: int) -> dict[str, float]:
    """Microseconds an index, over batches of 64 from a billion windows."""
    from data_loaders.samplers import balanced, blocks, bucketed, shuffle, weighted
    from data_loaders.windows import Windows

    counts = np.full(1000, 10**6)
    columns = {
        "study": [f"s{k % 7}" for k in range(1000)],
        "n_chans": np.arange(1000) % 5,
        "n_times": 1000,
        "sfreq": 250.0,
    }
    windows = Windows(np.arange(1000), counts * 0, counts * 0 + 1, counts, pd.DataFrame(columns), (0.0, 4.0))
    found = {}
    for made in (
        shuffle.Shuffle(),
        blocks.Blocks(),
        bucketed.Bucketed(),
        balanced.Balanced("study"),
        weighted.Weighted("study", {}),
    ):
        sampler = made.bind(windows, BATCH, 0, _OfRuns(windows))
        start = time.perf_counter()
        for step in range(0, 320):
            sampler.draw(step + 10**6)
        found[type(made).__name__] = 1e6 * (time.perf_counter() - start) / (320 * BATCH)
        print(
            f"{type(made).__name__} of {len(windows):,} windows: {found[type(made).__name__]:.2f} microseconds an index"
        )
    return {"order_us_per_index": found["Shuffle"], "slowest_order_us_per_index": max(found.values())}


def signals(n_recordings: int = N_RECORDINGS, n_times: int = N_TIMES) -> Iterator[np.ndarray]:
    """Whole numbers of 0.1 microvolt, so that both kinds of store hold the same signal."""
    for number in range(n_recordings):
        steps = np.random.default_rng(number).integers(-3000, 3000, (n_times, N_CHANS), dtype=np.int16)
        yield steps.astype(np.float32) * np.float32(1e-7)


def eeg(folder: Path, kind: str, n_recordings: int = N_RECORDINGS, seconds: float = 60 * MINUTES) -> Any:
    return _stored(folder / f"{kind}-{n_recordings}-{seconds:g}", lambda: _recordings(kind, n_recordings, seconds))


def _recordings(kind: str, n_recordings: int, seconds: float) -> Iterator[Any]:
    from data_loaders.contracts import Recording

    names, scale = tuple(f"E{i}" for i in range(N_CHANS)), {"gain": np.full(N_CHANS, 1e-7), "offset": np.zeros(N_CHANS)}
    for number, signal in enumerate(signals(n_recordings, round(seconds * SFREQ))):
        yield Recording(
            study="S", subject=f"{number:03d}", modality="eeg", sfreq=SFREQ, ch_names=names, ch_types=("eeg",) * N_CHANS,
            duration=seconds, signal=signal, **(scale if kind == "int16" else {}),
        )  # fmt: skip


def cells(folder: Path) -> Any:
    """100 units that fire 20 times a second for 10 minutes, and a hand that moves."""
    from data_loaders.contracts import Recording, Spikes, Stream

    def made() -> Iterator[Recording]:
        for number in range(N_RECORDINGS):
            rng = np.random.default_rng(number)
            times = np.sort(rng.uniform(0, 600.0, 100 * 20 * 600))
            spikes, hand = (
                Spikes(times, rng.integers(0, 100, len(times))),
                Stream(rng.standard_normal((60_000, 2)), 100.0),
            )
            yield Recording(
                study="S", subject=f"{number}", modality="spikes", sfreq=1000.0, ch_names=tuple(f"u{i}" for i in range(100)),
                ch_types=("unit",) * 100, duration=600.0, spikes=spikes, streams={"velocity": hand},
            )  # fmt: skip

    return _stored(folder / "cells", made)


def fmri(folder: Path) -> Any:
    """400 parcels, 600 volumes of 2 s."""
    from data_loaders.contracts import Recording

    def made() -> Iterator[Recording]:
        for number in range(N_RECORDINGS):
            signal = np.random.default_rng(number).standard_normal((600, 400)).astype(np.float32)
            yield Recording(
                study="S", subject=f"{number}", modality="fmri", sfreq=0.5, ch_names=tuple(f"p{i}" for i in range(400)),
                ch_types=("bold",) * 400, duration=1200.0, signal=signal,
            )  # fmt: skip

    return _stored(folder / "fmri", made)


def _stored(path: Path, recordings: Callable[[], Iterator[Any]]) -> Any:
    from data_loaders.store import Store
    from data_loaders.writer import Writer

    if not (path / "catalog.parquet").exists():
        with Writer(path) as writer:
            for recording in recordings():
                writer.write(recording)
    return Store(path)


def stream(store: Any, threads: int = 1, fields: Any = None) -> Any:
    from data_loaders.contracts import Field
    from data_loaders.gather import Gather
    from data_loaders.samplers.shuffle import Shuffle
    from data_loaders.stream import Stream
    from data_loaders.windows import Tile

    fields = fields or {"signal": Field(0.0, SECONDS)}
    reach = min(f.start for f in fields.values()), max(f.stop for f in fields.values())
    windows = Tile(0.004 if store.entry(0).sfreq > 1 else 2.0).cut(store, reach)
    sampler = Shuffle().bind(windows, BATCH, 0, lambda name: np.zeros(0))
    subjects = sorted(set(store.catalog["subject"]))
    return Stream(Gather(store, windows, fields, [], [], subjects), sampler, once=False, threads=threads)


def batches(made: Any) -> Callable[[], None]:
    iterator = iter(made)
    return lambda: [next(iterator) for _ in range(1)].clear()


def mapped(folder: Path) -> Callable[[], None]:
    """The limit: windows of memory maps, copied one by one into a batch that stays where it is."""
    store = eeg(folder, "float32")
    maps = []
    for number in range(N_RECORDINGS):
        extent = store.entry(number).extents["signal"]
        mapped = np.memmap(store.path / store.entry(number).file, np.float32, "r", extent.offset, extent.shape)
        maps.append(mapped.view(np.ndarray))
    block, rng = np.zeros((BATCH, LENGTH, N_CHANS), np.float32), np.random.default_rng(0)

    def step() -> None:
        recording, start = (
            rng.integers(0, N_RECORDINGS, BATCH).tolist(),
            rng.integers(0, N_TIMES - LENGTH, BATCH).tolist(),
        )
        for row, (one, at) in enumerate(zip(recording, start, strict=True)):
            block[row] = maps[one][at : at + LENGTH]

    return step


def windows_per_s(step: Callable[[], None], n_batches: int = 60) -> float:
    for _ in range(5):
        step()
    start = time.perf_counter()
    for _ in range(n_batches):
        step()
    return BATCH * n_batches / (time.perf_counter() - start)


def first_batch(folder: Path) -> float:
    """Milliseconds from asking a fresh stream to its first batch: the median of five."""
    taken = []
    for _ in range(5):
        made = stream(eeg(folder, "float32"))
        start = time.perf_counter()
        next(iter(made))
        taken.append(1e3 * (time.perf_counter() - start))
    print(f"first batch after {statistics.median(taken):.1f} ms (of five: {', '.join(f'{ms:.1f}' for ms in taken)})")
    return statistics.median(taken)


def resident(folder: str, n_recordings: str) -> None:
    made = stream(eeg(Path(folder), "float32", int(n_recordings), 20.0))
    for _, _ in zip(range(600), made, strict=False):
        pass
    print(json.dumps({"mb": _resident()}))


def catalog(folder: str) -> None:
    from data_loaders.store import Store

    write_big(Path(folder) / "catalog")
    before, start = _resident(), time.perf_counter()
    store = Store(Path(folder) / "catalog")
    assert len(store) == N_BIG
    took = time.perf_counter() - start
    assert store.entry(N_BIG - 1).ch_names[0] == "E0"
    print(json.dumps({"s": took, "mb": _resident() - before, "all_mb": _resident()}))


class _OfRuns:
    """Labels of whole runs, as the data module gives them."""

    def __init__(self, windows: Any) -> None:
        self.of_runs = lambda name: windows.metadata[name].to_numpy()


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _side(name: str, *arguments: Any) -> dict[str, float]:
    command = [sys.executable, __file__, "--side", name, *map(str, arguments)]
    return json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]
    )


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def _told(name: Any) -> str:
    return "memory-mapped gather (the limit)" if name == "limit" else f"ours, {name[0]}, {name[1]} threads"


SIDES = {"resident": resident, "catalog": catalog}
PARTS = {"speed": speed, "peers": peers, "modalities": modalities, "memory": memory, "order": order}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument(
        "--folder", help="where to put the stores, about 2 GB; the system's temporary folder where left out"
    )
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
