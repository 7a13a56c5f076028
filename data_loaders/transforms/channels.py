"""Which channels, against which reference."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from jaxtyping import Float
from numpy import ndarray

from data_loaders.transforms.base import SignalInfo, Transform

# magnetic channels have no reference
_REFERENCED = ("eeg", "ecog", "seeg", "dbs")


class Pick(Transform):
    """Keeps channels by name or type, in the order of `names` where given, else in the recording's.

    `names` and `exclude` take patterns such as `EEG *`; `bads=False` leaves bad channels out.
    """

    def __init__(
        self,
        names: list[str] | None = None,
        types: list[str] | None = None,
        exclude: list[str] | None = None,
        bads: bool = True,
    ) -> None:
        self.names, self.types, self.exclude, self.bads = names, types, exclude or [], bads

    def plan(self, info: SignalInfo) -> SignalInfo:
        return info.pick(self._kept(info))

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "out_channel time"], Any]:
        return chunk[self._kept(info)], None

    def _kept(self, info: SignalInfo) -> list[int]:
        named = range(len(info.ch_names)) if self.names is None else _matching(self.names, info)
        kept = [c for c in named if self._wanted(c, info)]
        if not kept:
            raise ValueError(
                f"Pick(names={self.names}, types={self.types}, exclude={self.exclude}) keeps none of the {len(info.ch_names)} channels "
                f"(types {sorted(set(info.ch_types))}, names {list(info.ch_names[:8])}): name some of these"
            )
        return kept

    def _wanted(self, channel: int, info: SignalInfo) -> bool:
        name, kind = info.ch_names[channel], info.ch_types[channel]
        left_out = any(fnmatchcase(name, pattern) for pattern in self.exclude) or (not self.bads and name in info.bads)
        return not left_out and (self.types is None or kind in self.types)


class Rereference(Transform):
    """Subtracts the mean of good EEG channels (`to="average"`, each type apart), or of the channels named in `to`.

    EEG, ECoG, SEEG and DBS channels change; others and, for the average, bad ones stay as they are.
    """

    def __init__(self, to: str | list[str] = "average") -> None:
        self.to = to

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "channel time"], Any]:
        out = chunk.copy()
        for kind in sorted({kind for kind in info.ch_types if kind in _REFERENCED}):
            of_kind = [c for c, other in enumerate(info.ch_types) if other == kind]
            good = [c for c in of_kind if info.ch_names[c] not in info.bads]
            reference = good if self.to == "average" else _matching(_listed(self.to), info)
            changed = good if self.to == "average" else of_kind
            out[changed] -= chunk[reference].mean(0, keepdims=True)
        return out, None

    def plan(self, info: SignalInfo) -> SignalInfo:
        if not set(info.ch_types) & set(_REFERENCED):
            raise ValueError(
                f"Rereference changes {_REFERENCED} channels, but these are {sorted(set(info.ch_types))}: leave it out"
            )
        return info


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _matching(patterns: Sequence[str], info: SignalInfo) -> list[int]:
    """The channels that patterns match, in the order of the patterns. Raises ValueError where one matches none."""
    found: list[int] = []
    for pattern in patterns:
        matches = [c for c, name in enumerate(info.ch_names) if name == pattern or fnmatchcase(name, pattern)]
        if not matches:
            near = difflib.get_close_matches(pattern, info.ch_names, n=1, cutoff=0.4)
            meant = f"did you mean {near[0]!r}?" if near else f"the channels are {list(info.ch_names[:20])}"
            raise ValueError(f"no channel is called {pattern!r}: {meant}")
        found += [c for c in matches if c not in found]
    return found
