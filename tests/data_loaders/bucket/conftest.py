"""A server with ranges and faults, a file of numbered blocks, and pauses too short to notice."""

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from data_loaders.bucket import transport
from data_loaders.bucket.blocks import Block


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    """Starts a RangeServer on a folder: `serve(folder, plan=...)`."""
    with ExitStack() as stack:
        yield lambda folder, **how: stack.enter_context(_module("range_server").RangeServer(folder, **how))


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 1e-3)
    monkeypatch.setattr(transport, "_LONGEST_PAUSE", 2e-3)


@pytest.fixture
def make_blocks() -> Callable[..., list[Block]]:
    """Writes a file of random bytes and gives its blocks, `apart` bytes from each other."""

    def make(
        folder: Path, count: int = 12, size: int = 1000, apart: int = 0, file: str = "a.bin", seed: int = 0
    ) -> list[Block]:
        raw = np.random.default_rng(seed).bytes(count * (size + apart))
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(raw)
        starts = range(0, len(raw), size + apart)
        return [Block(file, s, s + size, hashlib.sha256(raw[s : s + size]).hexdigest(), len(raw)) for s in starts]

    return make
