"""How fast a peer reads the benchmark's windows from disk; started by streaming.py through the peers' interpreter.

    python streaming_peers.py FOLDER PEER WORKERS BATCHES

FOLDER holds one signal-<n>.npy [time, channel] per recording. The peer's own format is written beside it, once.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

warnings.filterwarnings("ignore")
SFREQ, SECONDS, BATCH = 250.0, 4.0, 64
LENGTH = round(SFREQ * SECONDS)


def main(folder: Path, peer: str, workers: int, n_batches: int) -> None:
    batches = endless(PEERS[peer](folder, workers))
    for _ in range(8):
        first = next(batches)
    assert (tuple(first.shape), first.dtype) == ((BATCH, 64, LENGTH), torch.float32), (first.shape, first.dtype)
    start = time.perf_counter()
    for _ in range(n_batches):
        next(batches)
    print(json.dumps({"windows_per_s": BATCH * n_batches / (time.perf_counter() - start)}))


def signals(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    for path in sorted(folder.glob("signal-*.npy")):
        yield path.stem, np.load(path, mmap_mode="r")


def endless(loader: Iterable[Any]) -> Iterator[torch.Tensor]:
    while True:
        yield from loader


def braindecode(folder: Path, workers: int) -> Iterable[torch.Tensor]:
    """Raw FIF files that are not preloaded, cut into windows: its lazy way."""
    import mne
    from braindecode.datasets import BaseConcatDataset, RawDataset
    from braindecode.preprocessing import create_fixed_length_windows

    mne.set_log_level("ERROR")
    parts = []
    for name, signal in signals(folder):
        file = folder / f"{name}_raw.fif"
        if not file.exists():
            info = mne.create_info([f"E{i}" for i in range(signal.shape[1])], SFREQ, "eeg")
            mne.io.RawArray(signal.T.astype(np.float64), info).save(file, fmt="single")
        parts.append(RawDataset(mne.io.read_raw_fif(file, preload=False), {"target": 0}, target_name="target"))
    windows = create_fixed_length_windows(
        BaseConcatDataset(parts), 0, None, LENGTH, LENGTH // 8, drop_last_window=True, preload=False
    )
    loader = torch.utils.data.DataLoader(
        windows, BATCH, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
    )
    return _first_of(loader)


def torch_brain(folder: Path, workers: int) -> Iterable[torch.Tensor]:
    """Its HDF5 layout, sliced lazily, files kept open."""
    import h5py
    from torch_brain.data import Data, Interval, RegularTimeSeries
    from torch_brain.dataset import Dataset
    from torch_brain.samplers import RandomFixedWindowSampler

    home = folder / "torch_brain"
    home.mkdir(exist_ok=True)
    for name, signal in signals(folder):
        if not (home / f"{name}.h5").exists():
            stop = len(signal) / SFREQ
            series = RegularTimeSeries(signal=np.asarray(signal), sampling_rate=SFREQ, domain_start=0.0, domain="auto")
            with h5py.File(home / f"{name}.h5", "w") as file:
                Data(eeg=series, domain=Interval(0.0, stop)).to_hdf5(file)
    dataset = Dataset(home, transform=lambda data: data.eeg.signal[:LENGTH])
    intervals = dataset.get_sampling_intervals()
    sampler = RandomFixedWindowSampler(sampling_intervals=intervals, window_length=SECONDS, generator=None)

    def collate(rows: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(rows)).transpose(1, 2)

    return torch.utils.data.DataLoader(
        dataset, BATCH, sampler=sampler, drop_last=True, num_workers=workers, collate_fn=collate,
        persistent_workers=workers > 0,
    )  # fmt: skip


def litdata(folder: Path, workers: int) -> Iterable[torch.Tensor]:
    """Windows cut beforehand and packed into chunks."""
    from litdata import StreamingDataLoader, StreamingDataset, optimize

    home = folder / "litdata"
    if not home.exists():
        wanted = [
            (str(folder / f"{name}.npy"), at) for name, s in signals(folder) for at in range(0, len(s) - LENGTH, LENGTH)
        ]
        optimize(_cut, wanted, str(home), chunk_bytes="64MB", num_workers=1)
    dataset = StreamingDataset(str(home), shuffle=True, drop_last=True)
    return StreamingDataLoader(
        dataset, batch_size=BATCH, num_workers=workers, drop_last=True, persistent_workers=workers > 0
    )


def _cut(where: tuple[str, int]) -> torch.Tensor:
    file, at = where
    return torch.from_numpy(np.ascontiguousarray(np.load(file, mmap_mode="r")[at : at + LENGTH].T))


class _first_of:  # noqa: N801
    """The signals of batches that hold more."""

    def __init__(self, loader: Iterable[Any]) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[torch.Tensor]:
        for batch in self.loader:
            yield torch.as_tensor(batch[0])


PEERS = {"braindecode": braindecode, "torch_brain": torch_brain, "litdata": litdata}

if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
