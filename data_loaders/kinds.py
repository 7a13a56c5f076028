"""Kinds of recordings: those with the same channels and the same clock are planned once, not one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from data_loaders.store import Store
from data_loaders.transforms.base import Transform
from data_loaders.windows import Windows


@dataclass(frozen=True, eq=False)
class Kinds:
    """The kinds of recordings that windows come from, in the order in which they first come.

    `first` is the first recording of each kind: names, types and rate that come of its signal are those of all. `of_run` is
    the kind of each run of windows.
    """

    first: Int[ndarray, "kind"]
    of_run: Int[ndarray, "run"]

    @staticmethod
    def of(windows: Windows, store: Store, transforms: Sequence[Transform]) -> Kinds:
        """The kinds of the recordings that have windows, as far as these transforms tell them apart."""
        # heads differ, and so do positions that were measured on them; most transforms do not look
        looks = any(type(transform).plan is not Transform.plan for transform in transforms)
        alike = store.alike("ch_names", "ch_types", "bads", "ch_columns", *(["ch_positions"] if looks else []))
        present, run = np.unique(windows.recording, return_inverse=True)
        _, first, kind = np.unique(alike[present], return_index=True, return_inverse=True)
        order = np.argsort(first)
        return Kinds(present[first[order]], np.argsort(order)[kind][run])
