"""Contacts and the electrodes they sit on: shafts, strips and grids, told by a column of the recording or by names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.transforms.base import SignalInfo

INTRACRANIAL = ("seeg", "ecog", "dbs")
# A1, LA'12, ECOG_RIGHT_0, OF-3: everything before the last number is the electrode
_NUMBERED = re.compile(r"(.*?)[ _-]*(\d+)")


def shafts(info: SignalInfo, types: Sequence[str] = INTRACRANIAL) -> dict[str, list[tuple[int, int]]]:
    """Electrode to its good contacts of these types, as (number, channel) in the order of their numbers.

    The column `group` says which electrode a contact is on; without one, its name does. A contact without a number takes
    its place among those of its group.

    >>> info = SignalInfo(1.0, ("A1", "A2", "B'7", "A10"), ("seeg",) * 4, np.zeros((4, 3)))
    >>> shafts(info)
    {'A': [(1, 0), (2, 1), (10, 3)], "B'": [(7, 2)]}
    """
    groups = info.ch_columns.get("group", ("",) * len(info.ch_names))
    found: dict[str, list[tuple[int, int]]] = {}
    for channel, (name, kind, group) in enumerate(zip(info.ch_names, info.ch_types, groups, strict=True)):
        match = _NUMBERED.fullmatch(name)
        electrode = str(group) or (match.group(1) if match else name)
        if kind in types and name not in info.bads:
            contacts = found.setdefault(electrode, [])
            contacts.append((int(match.group(2)) if match else len(contacts), channel))
    return {electrode: sorted(contacts) for electrode, contacts in found.items()}


def neighbours(info: SignalInfo, types: Sequence[str] = INTRACRANIAL) -> list[tuple[int, int]]:
    """Pairs of channels that follow each other on one electrode, in the order of electrodes and numbers.

    Contacts whose numbers are not consecutive (one between them is bad or missing) are no neighbours; nor are those more
    than 1.5 times as far apart as is usual on their electrode, where positions are known: the ends of two rows of a grid.
    """
    pairs: list[tuple[int, int]] = []
    for contacts in shafts(info, types).values():
        steps = [(a, b) for (i, a), (j, b) in pairwise(contacts) if j - i == 1]
        apart = distances(info, steps)
        usual = np.nanmedian(apart) if np.isfinite(apart).any() else np.inf
        pairs += [pair for pair, d in zip(steps, apart, strict=True) if not d > 1.5 * usual]
    return [pair for pair in pairs if info.ch_types[pair[0]] == info.ch_types[pair[1]]]


def distances(info: SignalInfo, pairs: Sequence[tuple[int, int]]) -> Float[ndarray, "pair"]:
    """Metres between the channels of each pair; NaN where a position is unknown."""
    where = np.asarray(info.ch_positions, dtype=float)
    return np.array([np.linalg.norm(where[a] - where[b]) for a, b in pairs], dtype=float)
