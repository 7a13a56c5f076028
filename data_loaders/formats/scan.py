"""Scan: what a reader of one fMRI format found, before masks of time, confounds and events have their say."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxtyping import Float
from numpy import ndarray

# what a bit flipped in a compressed stream, a header or a table raises, by one library or another
_DAMAGE = (
    EOFError,
    OSError,
    zlib.error,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
)


@dataclass(frozen=True)
class Scan:
    """Values per volume and channel (voxel, vertex, parcel or region).

    `tr` is the repetition time in seconds where the file states a usable one, `tr_told` what it says about it, for the
    question where it does not. `gain` and `offset` are given where the file holds whole numbers. `bads` are channels
    without data, such as parcels outside the field of view.
    """

    values: Float[ndarray, "time channel"]
    ch_names: tuple[str, ...]
    positions: Float[ndarray, "channel 3"]
    tr: float | None = None
    tr_told: str = "the file has no repetition time"
    space: Mapping[str, Any] = field(default_factory=dict)
    gain: Float[ndarray, "channel"] | None = None
    offset: Float[ndarray, "channel"] | None = None
    ch_columns: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    bads: tuple[str, ...] = ()
    unit: str = "n/a"
    notes: tuple[str, ...] = ()


class DamagedError(ValueError):
    """A file is truncated, damaged, or not what its name says."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"{path.name} cannot be read ({found}): it is truncated, damaged or of another format: copy it again, "
                         f"or leave it out with `exclude: [{path.name}]` in brainfm.yaml")  # fmt: skip


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a reader library raises within becomes a DamagedError that names the file."""
    from xml.parsers.expat import ExpatError

    try:
        yield
    except DamagedError:
        raise
    except (*_DAMAGE, ExpatError) as error:
        if type(error).__module__.startswith("jaxtyping"):
            raise
        raise DamagedError(path, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
    except Exception as error:
        # nibabel's own errors derive from Exception alone
        if type(error).__module__.partition(".")[0] not in ("nibabel", "pandas", "scipy", "xml", "binascii"):
            raise
        raise DamagedError(path, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
