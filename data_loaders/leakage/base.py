"""What the guard says, and how it names a window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int
from numpy import ndarray

from data_loaders.intervals import seconds
from data_loaders.splits.base import Fold
from data_loaders.store import Store
from data_loaders.windows import Windows


class LeakageError(ValueError):
    """What a test part must not share with training is shared: the scores would be too good."""


@dataclass(frozen=True)
class Flag:
    """A doubt that does not stop a run but stands in its report."""

    kind: str
    message: str


@dataclass(frozen=True)
class Pair:
    """Two parts of a fold that must share nothing."""

    names: tuple[str, str]
    a: Windows
    b: Windows

    def say(self, in_a: int, in_b: int) -> str:
        """Both windows by name: `training window sub-01 [0.0, 2.0) s and test window sub-01 [1.0, 3.0) s`."""
        return f"{self.names[0]} window {name(self.a, in_a)} and {self.names[1]} window {name(self.b, in_b)}"


def pairs(fold: Fold) -> Iterator[Pair]:
    """Training and test first: what is worst is named first."""
    for one, other in (("train", "test"), ("val", "test"), ("train", "val")):
        a, b = getattr(fold, one), getattr(fold, other)
        if len(a) and len(b):
            yield Pair((one, other), a, b)


def name(windows: Windows, index: int) -> str:
    """A window as `recording-name [12.0, 14.0) s`."""
    start, stop = seconds(windows, index)
    recording = windows.metadata["recording_name"].iat[int(windows.locate(np.array([index]))[0][0])]
    return f"{recording} [{_short(start)}, {_short(stop)}) s"


def originals(store: Store, recording: Int[ndarray, "run"]) -> Int[ndarray, "run"]:
    """Each recording, or the first one of the store with the very same content."""
    group, contents = pd.factorize(store.catalog["sha256"])
    first = np.full(len(contents), len(group))
    np.minimum.at(first, group, np.arange(len(group)))
    # a recording without a signal or spikes has no checksum, and only itself for an original
    nothing = store.catalog["sha256"].to_numpy() == ""
    return np.where(nothing, np.arange(len(group)), first[group])[recording]


def _short(value: float) -> str:
    """Milliseconds, without needless zeros: 12.0, 12.25."""
    text = f"{value:.3f}".rstrip("0")
    return text + "0" if text.endswith(".") else text
