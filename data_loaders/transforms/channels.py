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
    """Keeps channels by name, type or column, in the order of `names` where given, else in the recording's.

    `names` and `exclude` take patterns such as `EEG *`, and so do the values of `where`, which asks the columns of the
    recording: `where: {region: [M1, "CA*"]}`. `bads=False` leaves bad channels out.
    """

    def __init__(
        self,
        names: list[str] | None = None,
        types: list[str] | None = None,
        exclude: list[str] | None = None,
        bads: bool = True,
        where: dict[str, list[str]] | None = None,
    ) -> None:
        self.names, self.types, self.exclude, self.bads, self.where = names, types, exclude or [], bads, where or {}

    def plan(self, info: SignalInfo) -> SignalInfo:
        return info.pick(self._kept(info))

    def step(
        self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None
    ) -> tuple[Float[ndarray, "out_channel time"], Any]:
        return chunk[self._kept(info)], None

    def _kept(self, info: SignalInfo) -> list[int]:
        named = range(len(info.ch_names)) if self.names is None else _matching(self.names, info)
        unknown = sorted(set(self.where) - set(info.ch_columns))
        if unknown:
            raise ValueError(
                f"Pick(where={self.where}): the channels have the columns {sorted(info.ch_columns)}, not {unknown}: ask one of those"
            )
        kept = [c for c in named if self._wanted(c, info)]
        if not kept:
            asked = f"names={self.names}, types={self.types}, exclude={self.exclude}, where={self.where}"
            raise ValueError(
                f"Pick({asked}) keeps none of the {len(info.ch_names)} channels (types {sorted(set(info.ch_types))}, "
                f"names {list(info.ch_names[:8])}{self._columns(info)}): name some of these"
            )
        return kept

    def _wanted(self, channel: int, info: SignalInfo) -> bool:
        name, kind = info.ch_names[channel], info.ch_types[channel]
        left_out = any(fnmatchcase(name, pattern) for pattern in self.exclude) or (not self.bads and name in info.bads)
        asked = all(_among(info.ch_columns[column][channel], of) for column, of in self.where.items())
        return not left_out and asked and (self.types is None or kind in self.types)

    def _columns(self, info: SignalInfo) -> str:
        """What the columns asked for hold."""
        return "".join(f", {name} {sorted(set(map(str, info.ch_columns[name])))[:8]}" for name in self.where)


def _among(value: Any, patterns: str | Sequence[str]) -> bool:
    return any(fnmatchcase(str(value), str(pattern)) for pattern in _listed(patterns))


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


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


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
