"""Channels: clean names, what each one measures, its unit, where it sits, and what had to be decided about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats.naming import clean_name, standard_positions

ELECTRODES = ("eeg", "seeg", "ecog", "dbs")
BRAIN = {"eeg": ("eeg",), "meg": ("mag", "grad", "eeg"), "ieeg": ("seeg", "ecog", "dbs", "eeg")}
UNITS = {
    **dict.fromkeys(("eeg", "eog", "ecg", "emg", "bio", "seeg", "ecog", "dbs"), "V"),
    "mag": "T", "ref_meg": "T", "grad": "T/m", "gsr": "S", "temperature": "C",
}  # fmt: skip


@dataclass(frozen=True)
class Channels:
    """One entry per channel; positions in metres, NaN where unknown; `notes` are decisions in words.

    `columns` are what else is known of the channels, by name (region, group), one entry per channel.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    positions: Float[ndarray, "channel 3"]
    bads: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def units(self) -> tuple[str, ...]:
        """The SI unit of each channel's type; empty where the type has none."""
        return tuple(UNITS.get(kind, "") for kind in self.types)

    def of(self, kinds: Iterable[str]) -> list[int]:
        """The indices of the channels of these types."""
        wanted = set(kinds)
        return [index for index, kind in enumerate(self.types) if kind in wanted]

    def pick(self, index: Sequence[int]) -> Channels:
        """Some of the channels, in this order."""
        names = tuple(self.names[i] for i in index)
        bads = tuple(name for name in self.bads if name in names)
        return replace(
            self,
            names=names,
            types=tuple(self.types[i] for i in index),
            positions=self.positions[list(index)],
            bads=bads,
            columns={name: tuple(column[i] for i in index) for name, column in self.columns.items()},
        )


def settled(
    channels: Channels, description: Mapping[str, Any], guess: Callable[[str], str] | None, rename: bool
) -> Channels:
    """Applies what is known of names: prefixes go, non-brain channels are told by name, standard positions are filled in.

    `guess` gives a type for a name, and is None where the file (or channels.tsv) states types itself; `rename` is False
    where names are as they should be. `ch_types` and `bads` of the sidecar win, and may use the names in the file or the
    cleaned ones.
    """
    stated = channels
    channels = _renamed(channels) if rename else channels
    channels = channels if guess is None else _retyped(channels, guess)
    channels = _overruled(channels, stated.names, description)
    return _placed(channels)


def _renamed(channels: Channels) -> Channels:
    clean = [
        clean_name(name) if kind == "eeg" else name for name, kind in zip(channels.names, channels.types, strict=True)
    ]
    if len(set(clean)) < len(clean):
        return channels
    pairs = dict(zip(channels.names, clean, strict=True))
    changed = [(old, new) for old, new in pairs.items() if old != new]
    if not changed:
        return channels
    note = "renamed: " + listed([f"{old} -> {new}" for old, new in changed])
    return replace(
        channels, names=tuple(clean), bads=tuple(pairs[b] for b in channels.bads), notes=(*channels.notes, note)
    )


def _retyped(channels: Channels, guess: Callable[[str], str]) -> Channels:
    pairs = zip(channels.names, channels.types, strict=True)
    guessed = [guess(name) if kind in ELECTRODES else kind for name, kind in pairs]
    return _with_types(channels, guessed, "by their names, not EEG")


def _overruled(channels: Channels, original: Sequence[str], description: Mapping[str, Any]) -> Channels:
    also = dict(zip(original, channels.names, strict=True)) | {name: name for name in channels.names}
    types = description.get("ch_types", {})
    if types in ELECTRODES:  # one word for every electrode
        types = {name: types for name, kind in zip(channels.names, channels.types, strict=True) if kind in ELECTRODES}
    types = types if isinstance(types, Mapping) else {}
    bads = [str(name) for name in description.get("bads", [])]
    unknown = [name for name in [*map(str, types), *bads] if name not in also]
    if unknown:
        raise ValueError(
            f"the sidecar names the channels {unknown}, but the file has {listed(original)}: mend ch_types or bads"
        )
    stated = {also[str(name)]: str(kind) for name, kind in types.items()}
    channels = _with_types(
        channels, [stated.get(n, k) for n, k in zip(channels.names, channels.types, strict=True)], "as the sidecar says"
    )
    return replace(channels, bads=tuple(dict.fromkeys([*channels.bads, *(also[name] for name in bads)])))


def _with_types(channels: Channels, types: Sequence[str], why: str) -> Channels:
    changed = [
        f"{name} {kind}" for name, kind, old in zip(channels.names, types, channels.types, strict=True) if kind != old
    ]
    notes = (f"{why}: {listed(changed)}",) if changed else ()
    return replace(channels, types=tuple(types), notes=(*channels.notes, *notes))


def _placed(channels: Channels) -> Channels:
    """Standard positions for EEG channels, only where the file knows no position at all."""
    eeg = channels.of(("eeg",))
    if not eeg or np.isfinite(channels.positions[eeg]).any():
        return channels
    known = standard_positions()
    found = [i for i in eeg if channels.names[i] in known]
    if not found:
        return replace(
            channels,
            notes=(*channels.notes, "no channel has a position: the file has none and no name is of the 10-05 system"),
        )
    positions = channels.positions.copy()
    positions[found] = [known[channels.names[i]] for i in found]
    missing = [channels.names[i] for i in eeg if i not in found]
    note = f"standard 10-05 positions for {len(found)} of {len(eeg)} EEG channels" + (
        f", none for {listed(missing)}" if missing else ""
    )
    return replace(channels, positions=positions, notes=(*channels.notes, note))


def unit_of(kind: str, names: Sequence[str], stated: Mapping[str, str]) -> str:
    """The unit of channels of one type: the type's own, else what the file states where it says the same of all."""
    units = {UNITS.get(kind) or stated.get(name, "") for name in names}
    return units.pop() if len(units) == 1 else ""


def listed(items: Sequence[str], limit: int = 8) -> str:
    """A few of the items, and how many there are besides."""
    return ", ".join(items[:limit]) + (f" and {len(items) - limit} more" if len(items) > limit else "")
