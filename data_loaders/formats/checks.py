"""What is wrong with a recording (NaN, dead or doubled channels, units, stray events) is mended and told, or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from data_loaders.contracts import Recording
from data_loaders.formats.channels import listed
from data_loaders.formats.events import inside, without

# what a brain gives through a working amplifier: median absolute deviation per type, SI units, generous on both sides
_PLAUSIBLE = {
    "eeg": (1e-8, 1e-3), "mag": (1e-15, 1e-8), "grad": (1e-14, 1e-6),
    "seeg": (1e-8, 5e-3), "ecog": (1e-8, 5e-3), "dbs": (1e-8, 5e-3),
}  # fmt: skip
_MAGNETIC = ("mag", "grad")
_PREFIXES = {"eeg": (("mV", 1e-3), ("uV", 1e-6), ("nV", 1e-9)), "mag": (("nT", 1e-9), ("pT", 1e-12), ("fT", 1e-15))}
# the shares of samples that are enough to tell a unit
_LOOKED_AT = 20_000


def checked(recording: Recording, doubled: bool = True) -> Recording:
    """All checks in turn; each adds to `decisions` what it changed. Raises ValueError for what cannot be mended.

    Without `doubled`, channels with the same samples are all kept.
    """
    for check in (_finite, _flat, *([_doubled] if doubled else []), _unit, _within):
        recording = check(recording)
    return recording


def _finite(recording: Recording) -> Recording:
    """Samples that are not finite become 0 and leave the segments; a channel that mostly is not becomes bad instead."""
    signal = recording.signal
    assert signal is not None
    wrong = _not_finite(signal)
    if wrong is None:
        return recording
    share = wrong.mean(axis=0)
    if (share > 0.5).all():
        raise ValueError(f"{recording.source} holds hardly a number: {100 * share.mean():.0f} % of its samples are NaN or infinite: "
                         f"export it again, or leave it out with `exclude: [{recording.source}]`")  # fmt: skip
    dead = [name for name, part in zip(recording.ch_names, share, strict=True) if part > 0.5]
    spans = _runs(np.any(wrong[:, share <= 0.5], axis=1)) / recording.sfreq
    notes = [f"NaN or infinite in more than half of the samples, zeroed and marked bad: {listed(dead)}"] if dead else []
    if len(spans):
        lost = np.sum(spans[:, 1] - spans[:, 0])
        notes.append(
            f"{len(spans)} stretches ({lost:g} s) with NaN or infinite samples are zeroed and cut from the segments"
        )
    segments = without(_segments(recording), spans)
    signal = np.where(wrong, signal.dtype.type(0), signal)
    return replace(_marked(recording, dead), signal=signal, segments=segments, decisions=(*recording.decisions, *notes))


def _not_finite(signal: Float[ndarray, "time channel"]) -> Bool[ndarray, "time channel"] | None:
    # one sum is cheaper than a mask as large as the signal, and is finite only where every sample is
    with np.errstate(all="ignore"):
        total = signal.sum(dtype=np.float64)
    return None if np.isfinite(total) else ~np.isfinite(signal)


def _flat(recording: Recording) -> Recording:
    """Channels that never change are marked bad."""
    assert recording.signal is not None
    still = np.ptp(recording.signal, axis=0) == 0 if len(recording.signal) else np.zeros(0, dtype=bool)
    # a set: a scan has ten thousands of voxels
    bads = set(recording.bads)
    names = [name for name, flat in zip(recording.ch_names, still, strict=True) if flat and name not in bads]
    notes = (f"flat, marked bad: {listed(names)}",) if names else ()
    return replace(_marked(recording, names), decisions=(*recording.decisions, *notes))


def _doubled(recording: Recording) -> Recording:
    """Of channels with the same samples, all but the first are marked bad."""
    assert recording.signal is not None
    first: dict[bytes, str] = {}
    twins: dict[str, str] = {}
    look = recording.signal[:: max(1, len(recording.signal) // _LOOKED_AT)]
    for index, name in enumerate(recording.ch_names):
        known = first.setdefault(look[:, index].tobytes(), name)
        other = recording.ch_names.index(known)
        if (
            known != name
            and name not in recording.bads
            and np.array_equal(recording.signal[:, index], recording.signal[:, other])
        ):
            twins[name] = known
    notes = (
        (f"the same samples twice, the second marked bad: {listed([f'{a} = {b}' for a, b in twins.items()])}",)
        if twins
        else ()
    )
    return replace(_marked(recording, list(twins)), decisions=(*recording.decisions, *notes))


def _unit(recording: Recording) -> Recording:
    """Refuses amplitudes that no brain has in the unit that is claimed."""
    assert recording.signal is not None
    for kind, (low, high) in _PLAUSIBLE.items():
        index = [
            i
            for i, (t, n) in enumerate(zip(recording.ch_types, recording.ch_names, strict=True))
            if t == kind and n not in recording.bads
        ]
        if not index or not recording.units[index[0]] or recording.units[index[0]] == "n/a":
            continue
        size = _amplitude(recording, index)
        if not low <= size <= high:
            raise ValueError(_unlikely(recording.source, kind, recording.units[index[0]], size, low, high))
    return recording


def _amplitude(recording: Recording, index: list[int]) -> float:
    """The median over channels of the median absolute deviation: offsets of the amplifier do not count."""
    assert recording.signal is not None
    look = recording.signal[:: max(1, len(recording.signal) // _LOOKED_AT)][:, index].astype(np.float64)
    return float(np.median(np.median(np.abs(look - np.median(look, axis=0)), axis=0)))


def _unlikely(source: str, kind: str, unit: str, size: float, low: float, high: float) -> str:
    if size == 0:
        return (f"{source}: most samples of the {kind} channels have one value, as if saved in too coarse steps: "
                f"export the file again, or leave it out with `exclude: [{source}]`")  # fmt: skip
    expected = np.sqrt(low * high)
    choices = [
        *_PREFIXES["mag" if kind in _MAGNETIC else "eeg"],
        ("tesla scaled twice" if kind in _MAGNETIC else "volts scaled twice", 1e6),
    ]
    likely, factor = min(choices, key=lambda choice: abs(np.log10(max(size, 1e-300) * choice[1] / expected)))
    found = (
        f"{kind} channels have a median absolute amplitude of {size:.3g} {unit}, expected {low:g} to {high:g} {unit}"
    )
    repair = f"`unit: {likely if factor < 1 else unit}` for arrays (`n/a` where they have none), `scale: {factor:.0e}` for other files"
    return f"{source}: {found}: the numbers are likely {likely}. State it in the sidecar: {repair}"


def _within(recording: Recording) -> Recording:
    assert recording.events is not None
    events, notes = inside(recording.events, recording.duration, recording.sfreq)
    return replace(recording, events=events, decisions=(*recording.decisions, *notes))


def _marked(recording: Recording, bads: list[str]) -> Recording:
    return replace(recording, bads=tuple(dict.fromkeys([*recording.bads, *bads])))


def _segments(recording: Recording) -> Float[ndarray, "segment 2"]:
    return np.array([[0.0, recording.duration]]) if recording.segments is None else recording.segments


def _runs(mask: Bool[ndarray, "time"]) -> Float[ndarray, "run 2"]:
    """The [start, stop) samples of each stretch of True.

    >>> _runs(np.array([False, True, True, False, True]))
    array([[1., 3.],
           [4., 5.]])
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return edges.reshape(-1, 2).astype(float)
