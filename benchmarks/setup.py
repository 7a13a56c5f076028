"""Seconds and memory from a recipe's data part to its first batch, over a store of 100,000 recordings.

    python benchmarks/setup.py [--folder FOLDER]

Windows of 4 s of 64 channels, a scale that is fitted, a split by subject: opened, cut, split, fitted, looked over by the leak
guard, the first batch gathered. The recordings are silence that takes no room on disk, so the guard reads as much as it reads
of any, and finds little to compare. Beside the plain store there are one with several sets of channels, one with two
segments per recording and one with events, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from big_store import write_big

from data_loaders.contracts import Field
from data_loaders.datamodule import Data
from data_loaders.splits.groups import By
from data_loaders.transforms.scale import RobustScale
from data_loaders.windows import Around, Rule, Tile

STORES: dict[str, dict[str, int]] = {
    "plain": {}, "five sets of channels": {"n_sets": 5}, "two segments": {"n_segments": 2}, "four events": {"n_events": 4},
}  # fmt: skip


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    if arguments.side:
        return side(Path(arguments.folder), arguments.side)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        taken = {name: _side(folder, name) for name in STORES}
    for name, (s, mb, parts) in taken.items():
        told = ", ".join(f"{part} {took:.2f}" for part, took in parts.items())
        print(f"{name}: {s:.1f} s ({told}), {mb:.0f} MB more than the libraries")
    print(f"figure setup_100k_s {taken['plain'][0]:.4g}")
    print(f"figure setup_100k_mb {taken['plain'][1]:.4g}")


def side(folder: Path, name: str) -> None:
    """Prints seconds in all, megabytes that are held afterwards, and the seconds of each part."""
    path = write_big(folder / name.replace(" ", "-"), **STORES[name], signal=True)
    rule: Rule = Around() if "events" in name else Tile(4.0)
    before, since, parts = _resident(), time.perf_counter(), {}
    data = Data(str(path), rule, {"signal": Field(0.0, 4.0)}, By(), transforms=[RobustScale()])
    steps = {
        "setup": data.setup, "facts": data.facts, "use": lambda: data.use(0),
        "first batch": lambda: next(iter(data.train_dataloader())),
    }  # fmt: skip
    for part, step in steps.items():
        start = time.perf_counter()
        step()
        parts[part] = time.perf_counter() - start
    print(json.dumps([time.perf_counter() - since, _resident() - before, parts]))


def _side(folder: str, name: str) -> tuple[float, float, dict[str, float]]:
    command = [sys.executable, __file__, "--side", name, "--folder", folder]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(said.strip().splitlines()[-1])


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", help="where to put the stores, about 100 MB; the system's temporary one where left out"
    )
    parser.add_argument("--side", choices=STORES, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
