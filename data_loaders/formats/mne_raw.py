"""Continuous recordings through MNE: samples block by block, int16 steps kept, each rate of an EDF file on its own clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from data_loaders.contracts import Stream
from data_loaders.formats.assemble import Found
from data_loaders.formats.channels import listed, unit_of
from data_loaders.formats.edf import EDFHeader, edf_header
from data_loaders.formats.events import annotated, triggered
from data_loaders.formats.integers import Samples, gathered
from data_loaders.formats.mne_files import (
    TYPED_SUFFIXES,
    channels_of,
    check_gzip,
    check_version,
    heard,
    reader_of,
    suffix_of,
)
from data_loaders.formats.naming import guess_type

if TYPE_CHECKING:
    import mne

_EDF = (".edf", ".bdf")


def read_raw(path: Path, opened: Callable[[], mne.io.BaseRaw] | None = None) -> Found:
    """What a continuous file holds. `opened` opens it another way than MNE's reader for its ending (BIDS).

    Raises ValueError, with the repair, where the file is truncated, damaged or made of pieces with pauses.
    """
    header = edf_header(path) if suffix_of(path) in _EDF else None
    check_gzip(path)
    check_version(path)
    slow = _other_rates(header) if header is not None and opened is None else {}
    units = {} if header is None else {label: header.unit(label) for label in header.labels}
    notes = _told(header, slow)
    with heard(path, notes):
        raw = opened() if opened is not None else _open(path, header, slow)
        channels = channels_of(raw.info)
        notes.extend(_uneven(path, raw))
        streams = _slow_streams(path, slow, units)
        events = annotated(raw)
    typed = suffix_of(path) in TYPED_SUFFIXES
    return Found(
        channels=channels, sfreq=float(raw.info["sfreq"]), n_times=len(raw.times),
        read=lambda index: _samples(path, raw, index, header), events=events, streams=streams,
        triggers=lambda: triggered(raw), guess=not typed, rename=not typed, notes=notes, units=units,
    )  # fmt: skip


def _open(path: Path, header: EDFHeader | None, slow: Mapping[float, Sequence[str]]) -> mne.io.BaseRaw:
    """Without the channels of other rates, which MNE would interpolate to the highest one."""
    left_out = [name for names in slow.values() for name in names]
    if header is None or not left_out:
        return reader_of(path)(path, preload=False)
    return reader_of(path)(path, preload=False, exclude=left_out)


def _other_rates(header: EDFHeader) -> dict[float, list[str]]:
    """Rate to channels that run at another rate than the EEG; empty where the EEG itself has several rates."""
    rows = [
        (label, float(rate))
        for label, rate in zip(header.labels, header.rates, strict=True)
        if "Annotations" not in label
    ]
    eeg = {rate for label, rate in rows if guess_type(label) == "eeg"}
    doubled = len({label for label, _ in rows}) < len(rows)
    if len(eeg) != 1 or doubled:
        return {}
    others: dict[float, list[str]] = {}
    for label, rate in rows:
        if rate not in eeg:
            others.setdefault(rate, []).append(label)
    return others


def _slow_streams(path: Path, slow: Mapping[float, Sequence[str]], units: Mapping[str, str]) -> dict[str, Stream]:
    """One stream per rate and type, named after the type, and after the rate where several have the type."""
    streams: dict[str, Stream] = {}
    for rate, names in slow.items():
        raw = reader_of(path)(path, preload=False, include=list(names), stim_channel=False)
        kinds = [guess_type(name) for name in raw.ch_names]
        for kind in dict.fromkeys(kinds):
            index = [i for i, other in enumerate(kinds) if other == kind]
            values = gathered(partial(raw.get_data, index), len(raw.times), len(index)).signal
            name = kind if kind not in streams else f"{kind}_{rate:g}Hz"
            labels = tuple(raw.ch_names[i] for i in index)
            streams[name] = Stream(values, rate, 0.0, labels, unit_of(kind, labels, units))
    return streams


def _told(header: EDFHeader | None, slow: Mapping[float, Sequence[str]]) -> list[str]:
    if header is None:
        return []
    notes = [f"{listed(names)} run at {rate:g} Hz and are streams on their own clock" for rate, names in slow.items()]
    rates = sorted(
        {float(r) for label, r in zip(header.labels, header.rates, strict=True) if "Annotations" not in label}
    )
    if not slow and len(rates) > 1:
        notes.append(
            f"channels run at {listed([f'{rate:g}' for rate in rates])} Hz: MNE interpolated the slower ones to {rates[-1]:g} Hz"
        )
    if 0 <= header.n_records_found < header.n_records:
        lengths = (n * header.record_duration for n in (header.n_records_found, header.n_records))
        notes.append("the file is truncated: it holds {:g} s of the {:g} s its header announces".format(*lengths))
    return notes


def _uneven(path: Path, raw: mne.io.BaseRaw) -> list[str]:
    """BrainVision does not say how long it is: samples that end within one are what is left of a longer file."""
    width = {"short": 2, "single": 4}.get(str(raw.orig_format))
    files = [Path(str(name)) for name in raw.filenames if name]
    if suffix_of(path) != ".vhdr" or width is None or not files or not files[0].is_file():
        return []
    over = files[0].stat().st_size % (width * len(raw.ch_names))
    return (
        [f"{files[0].name} is truncated: it ends {over} bytes into a sample, and what came after is lost"]
        if over
        else []
    )


def _samples(path: Path, raw: mne.io.BaseRaw, index: Sequence[int], header: EDFHeader | None) -> Samples:
    gain, offset = _steps(raw, index, header)
    with heard(path, []):
        return gathered(
            lambda start, stop: raw.get_data(list(index), start, stop), len(raw.times), len(index), gain, offset
        )


def _steps(
    raw: mne.io.BaseRaw, index: Sequence[int], header: EDFHeader | None
) -> tuple[ndarray | None, ndarray | None]:
    """Volts or tesla per integer step, as the file states it; None for formats of floats."""
    if header is not None:
        steps = np.array([header.step(raw.ch_names[i]) for i in index], dtype=float).reshape(-1, 2)
        return steps[:, 0], steps[:, 1]
    if raw.orig_format != "short":
        return None, None
    chs = [raw.info["chs"][i] for i in index]
    return np.array([ch["cal"] * ch["range"] for ch in chs]), np.zeros(len(chs))
