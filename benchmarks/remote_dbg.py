"""A store behind HTTP beside plain downloads of the same bytes, and, once it is in the cache, beside the same store in a folder.

    python benchmarks/remote.py

The workload: 32 recordings of 64 channels, 10 minutes at 250 Hz, float32, 1.2 GB (enough that opening the store does not decide);
windows of 4 s in batches of 64, drawn from four blocks of 64 neighbours at a time (block-wise), by the stream that training reads
from, as it is by default. A server in a
process of its own, on loopback, adds 20 ms to every request. The peer of a cold epoch downloads the same ranges over as many
connections and writes them to disk, and does nothing else; it is also timed without the disk. Pairs are run in turn and the
median of their ratios is given.

Before each download and each cold epoch, what the last one wrote is deleted, and then nothing happens for three seconds: memory
that a file has just left is faster to write than any other, and a virtual machine gives it back to its host after two. Both
sides find what a first download finds.
"""

from __future__ import annotations

import argparse
import gc
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from data_loaders.bucket.blocks import BLOCK
from data_loaders.contracts import Field, Recording
from data_loaders.gather import Gather
from data_loaders.samplers.blocks import Blocks
from data_loaders.store import Store
from data_loaders.stream import Stream
from data_loaders.windows import Tile, Windows
from data_loaders.writer import Writer

N_RECORDINGS, N_CHANS, SFREQ, SECONDS, WINDOW, BATCH = 32, 64, 250, 600, 4, 64
SERVER = Path(__file__).parents[1] / "tests" / "data_loaders" / "bucket" / "range_server.py"
# seconds after which memory that was given up is as any other
_PAUSE = 3.0


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _written(root / "srv" / "store")
        command = [sys.executable, str(SERVER), str(root / "srv"), "--delay", str(arguments.delay)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        try:
            compare(server.stdout.readline().strip(), root, arguments)
        finally:
            server.communicate()


def compare(address: str, root: Path, arguments: argparse.Namespace) -> None:
    """Cold and warm epochs beside their peers; the figures come last."""
    os.environ["BRAINFM_CONNECTIONS"] = str(arguments.connections)
    connections = arguments.connections
    cold = [(downloads(address, root, connections), cold_epoch(address, root)) for _ in range(arguments.repeats)]
    theirs, ours = (statistics.median(side) for side in zip(*cold, strict=True))
    memory = statistics.median(downloads(address, root, connections, keep=False) for _ in range(arguments.repeats))
    size = N_RECORDINGS * N_CHANS * SFREQ * SECONDS * 4 / 1e6
    print(
        f"cold epoch, {size:.0f} MB: {size / ours:.0f} MB/s, plain downloads {size / theirs:.0f} MB/s, "
        f"without the disk {size / memory:.0f} MB/s"
    )
    local, remote = stream(Store(root / "srv" / "store")), stream(Store(f"{address}/store"))
    epoch(local), epoch(remote)
    before = _resident()
    from data_loaders.blocks import BLOCKS

    warm = []
    for _ in range(3 * arguments.repeats):
        warm.append((epoch(local), epoch(remote)))
        print("refs", [sys.getrefcount(b) - 2 for b in BLOCKS._blocks][:40])
        print(
            round(_resident() / 1e6),
            len(BLOCKS._blocks),
            sum(b.nbytes for b in BLOCKS._blocks) / 1e6,
            len(os.listdir("/proc/self/fd")),
            threading.active_count(),
        )
    after = _resident()
    theirs, ours = (statistics.median(side) for side in zip(*warm, strict=True))
    windows = N_RECORDINGS * SECONDS // WINDOW
    print(f"warm epoch: {windows / ours:,.0f} windows/s, the folder {windows / theirs:,.0f} windows/s")
    print(f"resident memory: {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after {len(warm)} more epochs of each")
    print(f"figure cold_vs_parallel_download {statistics.median(a / b for a, b in cold):.2f}")
    print(f"figure warm_vs_local {statistics.median(a / b for a, b in warm):.2f}")
    print(f"figure rss_growth {after / before - 1:.3f}")


def cold_epoch(address: str, root: Path) -> float:
    """Seconds of an epoch over an empty cache, with opening the store and cutting its windows."""
    _deleted(root / "cache")
    os.environ["BRAINFM_CACHE"] = str(root / "cache")
    start = time.perf_counter()
    epoch(stream(Store(f"{address}/store")))
    return time.perf_counter() - start


def epoch(batches: Stream) -> float:
    """Seconds of as many batches as the windows fill."""
    start = time.perf_counter()
    for _ in islice(batches, len(batches)):
        pass
    return time.perf_counter() - start


def stream(store: Store) -> Stream:
    """What `fit` reads from, with its defaults, block-wise."""
    windows = Tile(WINDOW).cut(store, (0.0, WINDOW))
    sampler = Blocks(size=BATCH, mixed=4).bind(windows, BATCH, 0, _OfRuns(windows))
    gather = Gather(store, windows, {"signal": Field(0.0, WINDOW)}, [], [], sorted(store.catalog["subject"].unique()))
    return Stream(gather, sampler, once=False)


class _OfRuns:
    """Labels of whole runs, as the data module gives them."""

    def __init__(self, windows: Windows) -> None:
        self.of_runs = lambda name: windows.metadata[name].to_numpy()


def downloads(address: str, root: Path, connections: int, keep: bool = True) -> float:
    """Seconds to download the same bytes in ranges as long as a block, each connection kept open, to files if kept."""
    target = root / "plain"
    _deleted(target)
    target.mkdir()
    files = sorted((root / "srv" / "store").rglob("*.h5"))
    ranges = [(f, s, min(s + BLOCK, f.stat().st_size)) for f in files for s in range(0, f.stat().st_size, BLOCK)]
    local = threading.local()

    def get(place: tuple[Path, int, int]) -> None:
        file, start, stop = place
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(address.partition("//")[2])
        path = f"/{file.relative_to(root / 'srv')}"
        local.connection.request("GET", path, headers={"Range": f"bytes={start}-{stop - 1}"})
        body = local.connection.getresponse().read()
        if keep:
            (target / f"{file.stem}.{start}").write_bytes(body)

    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(get, ranges))
    return time.perf_counter() - start


def _deleted(folder: Path) -> None:
    # a store that nobody uses any more lets go of its files
    gc.collect()
    shutil.rmtree(folder, ignore_errors=True)
    time.sleep(_PAUSE)


def _written(path: Path) -> None:
    names = tuple(f"c{i}" for i in range(N_CHANS))
    with Writer(path) as writer:
        for subject in range(N_RECORDINGS):
            signal = np.random.default_rng(subject).standard_normal((SECONDS * SFREQ, N_CHANS), dtype=np.float32)
            writer.write(
                Recording(
                    study="B", subject=f"{subject:02d}", modality="eeg", sfreq=float(SFREQ), ch_names=names, signal=signal,
                    ch_types=("eeg",) * N_CHANS, units=("V",) * N_CHANS, duration=float(SECONDS),
                )
            )  # fmt: skip


def _resident() -> int:
    """Bytes of this process in memory, those of mapped files among them."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="pairs of cold epochs; three times as many warm ones")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds added to every request")
    return parser.parse_args()


if __name__ == "__main__":
    main()
