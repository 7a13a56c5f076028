"""The header of EDF and BDF files: each channel's own rate, integer step and offset, and whether records are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

_VOLTS = {"uv": 1e-6, "µv": 1e-6, "μv": 1e-6, "mv": 1e-3, "v": 1.0, "nv": 1e-9}
# name, width in bytes, for each channel, in the order of the standard
_FIELDS = (
    ("label", 16), ("transducer", 80), ("dimension", 8), ("physical_min", 8), ("physical_max", 8), ("digital_min", 8),
    ("digital_max", 8), ("prefilter", 80), ("n_samples", 8), ("reserved", 32),
)  # fmt: skip


@dataclass(frozen=True)
class EDFHeader:
    """What the first bytes say; `gain` and `offset` are in volts per step where the dimension is one of volts.

    Reference: Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+), https://www.edfplus.info/specs/edfplus.html
    """

    labels: tuple[str, ...]
    gain: Float[ndarray, "channel"]
    offset: Float[ndarray, "channel"]
    n_samples: Int[ndarray, "channel"]
    record_duration: float
    n_records: int
    n_records_found: int
    interrupted: bool
    dimensions: tuple[str, ...] = ()

    @property
    def rates(self) -> Float[ndarray, "channel"]:
        """Samples per second of each channel."""
        return self.n_samples / self.record_duration

    def step(self, name: str) -> tuple[float, float]:
        """Gain and offset of a channel by its label; NaN where no label or more than one is so called."""
        index = [i for i, label in enumerate(self.labels) if label == name]
        return (float(self.gain[index[0]]), float(self.offset[index[0]])) if len(index) == 1 else (np.nan, np.nan)

    def unit(self, name: str) -> str:
        """What MNE gives a channel in: volts where the file has some part of them, else as the file says."""
        stated = dict(zip(self.labels, self.dimensions, strict=True)).get(name, "")
        return "V" if stated.lower() in _VOLTS else stated


def edf_header(path: Path) -> EDFHeader:
    """Reads the header of an EDF or BDF file. Raises ValueError where it is cut short or records are out of order."""
    with path.open("rb") as file:
        first, rest = file.read(256), file.read(256 * 4096)
    try:
        header, interrupted = _parsed(path, first, rest)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path.name} has no whole EDF header ({error}): it is truncated or of another format: copy it again, "
                         f"or leave it out with `exclude: [{path.name}]` in brainfm.yaml") from error  # fmt: skip
    if interrupted and not _contiguous(path, header):
        raise ValueError(f"{path.name} is EDF+D with pauses between its records, which MNE would read as if there were none: "
                         f"save each stretch as a file of its own (EDF+C)")  # fmt: skip
    return header


def _parsed(path: Path, first: bytes, rest: bytes) -> tuple[EDFHeader, bool]:
    n_chans = int(first[252:256])
    columns = dict(_columns(rest, n_chans))
    low, high, bottom, top = (
        np.array([float(v) for v in columns[k]]) for k in ("physical_min", "physical_max", "digital_min", "digital_max")
    )
    unit = np.array([_VOLTS.get(d.lower(), 1.0) for d in columns["dimension"]])
    gain = (high - low) / np.where(top == bottom, np.nan, top - bottom)
    n_samples = np.array([int(v) for v in columns["n_samples"]])
    width = 3 if first[:1] == b"\xff" else 2
    found = (path.stat().st_size - 256 * (n_chans + 1)) // max(1, width * int(n_samples.sum()))
    interrupted = b"EDF+D" in first[192:236] or b"BDF+D" in first[192:236]
    header = EDFHeader(tuple(columns["label"]), gain * unit, (low - bottom * gain) * unit, n_samples,
                       float(first[244:252]) or 1.0, int(first[236:244]), int(found), interrupted, tuple(columns["dimension"]))  # fmt: skip
    return header, interrupted


def _columns(rest: bytes, n_chans: int) -> Iterator[tuple[str, list[str]]]:
    at = 0
    for name, width in _FIELDS:
        cells = [rest[at + i * width : at + (i + 1) * width] for i in range(n_chans)]
        if not cells or len(cells[-1]) < width:
            raise ValueError(f"{n_chans} channels are announced, the field {name} ends early")
        yield name, [cell.decode("latin-1").strip() for cell in cells]
        at += n_chans * width


def _contiguous(path: Path, header: EDFHeader) -> bool:
    """True where the time written at the start of each record is where the one before it ended."""
    column = next((i for i, label in enumerate(header.labels) if label in ("EDF Annotations", "BDF Annotations")), None)
    if column is None:
        return False
    width = 3 if path.suffix.lower() == ".bdf" else 2
    size, before = width * int(header.n_samples.sum()), width * int(header.n_samples[:column].sum())
    onsets = []
    with path.open("rb") as file:
        for record in range(header.n_records_found):
            file.seek(256 * (len(header.labels) + 1) + record * size + before)
            onsets.append(
                float(file.read(width * int(header.n_samples[column])).split(b"\x14")[0].split(b"\x00")[-1] or "nan")
            )
    return bool(np.allclose(np.diff(onsets), header.record_duration, atol=1e-3))
