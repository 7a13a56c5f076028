"""NIfTI, .nii and .nii.gz: a header that is checked field by field, and volumes read in one pass, to the checksum at the end."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from data_loaders.formats.scan import DamagedError, reading

_TIME_UNITS = {0: ("without a unit", None), 8: ("s", 1.0), 16: ("ms", 1e-3), 24: ("us", 1e-6)}
# deflate cannot do better
_MOST_COMPRESSED = 1040


@dataclass(frozen=True)
class Nifti:
    """A NIfTI file whose header has been checked. `zoom` is the fourth pixdim as it stands, `time_unit` a key of its unit."""

    path: Path
    shape: tuple[int, int, int]
    n_volumes: int
    four_d: bool
    dtype: np.dtype[Any]
    affine: Float[ndarray, "4 4"]
    slope: float
    inter: float
    start: int
    zoom: float
    time_unit: int
    intent: int
    notes: tuple[str, ...] = ()

    @property
    def scaled(self) -> bool:
        """True where numbers are not as they stand in the file."""
        return (self.slope, self.inter) != (1.0, 0.0)

    @property
    def volume_bytes(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize


def header_of(path: Path) -> Nifti:
    """The checked header. Raises DamagedError where a field cannot be what it says, or the file is too short for it."""
    with reading(path), _raw(path) as file:
        header = _header(path, file)
        return _checked(path, header)


@contextmanager
def volumes(nifti: Nifti) -> Iterator[Volumes]:
    """Opens the file at its first volume. On leaving, everything must have been read, the checksum of gzip included."""
    with reading(nifti.path), _raw(nifti.path) as file:
        file.read(nifti.start)
        taker = Volumes(nifti, file)
        yield taker
        taker.finish()


class Volumes:
    """Takes volumes one block after the other."""

    def __init__(self, nifti: Nifti, file: Any) -> None:
        self.nifti, self._file, self.left, self.beyond = nifti, file, nifti.n_volumes, 0

    def take(self, n: int) -> Shaped[ndarray, "x y z volume"]:
        """The next `n` volumes, as numbers in the file (before slope and intercept)."""
        wanted = n * self.nifti.volume_bytes
        raw = self._file.read(wanted)
        if len(raw) < wanted:
            done = self.nifti.n_volumes - self.left + len(raw) // self.nifti.volume_bytes
            raise DamagedError(self.nifti.path, f"it ends after {done} of {self.nifti.n_volumes} volumes")
        self.left -= n
        return np.frombuffer(raw, self.nifti.dtype).reshape((*self.nifti.shape, n), order="F")

    def inside(self, mask: Bool[ndarray, "x y z"], n: int) -> Shaped[ndarray, "voxel volume"]:
        """The voxels of a mask in the next `n` volumes, of which one is in memory at a time."""
        out = np.empty((int(mask.sum()), n), self.nifti.dtype.newbyteorder("="))
        for column in range(n):
            out[:, column] = self.take(1)[mask, 0]
        return out

    def finish(self) -> None:
        """Reads what lies behind the last volume, for gzip compares its checksum at the end; a whole volume must not lie there."""
        while self.left == 0 and (more := self._file.read(1 << 20)):
            self.beyond += len(more)
        if self.beyond >= self.nifti.volume_bytes:
            raise DamagedError(
                self.nifti.path, f"it holds more than the {self.nifti.n_volumes} volumes that its header counts"
            )

    def __iter__(self) -> Iterator[Shaped[ndarray, "x y z"]]:
        while self.left:
            yield self.take(1)[..., 0]


def image_of(path: Path) -> tuple[Shaped[ndarray, "x y z"], Float[ndarray, "4 4"]]:
    """A mask or a parcellation: one volume with its affine. Raises ValueError where it has more."""
    nifti = header_of(path)
    if nifti.n_volumes != 1:
        raise ValueError(
            f"{path.name} has {nifti.n_volumes} volumes, expected one: a mask or a parcellation is a 3-D image"
        )
    with volumes(nifti) as taker:
        data = taker.take(1)[..., 0]
    return (data * nifti.slope + nifti.inter if nifti.scaled else data), nifti.affine


def same_grid(one: tuple[tuple[int, ...], ndarray], other: tuple[tuple[int, ...], ndarray]) -> bool:
    """True where two images have the same shape, and no corner of them lies more than a hundredth of a voxel apart."""
    (shape, affine), (other_shape, other_affine) = one, other
    if tuple(shape) != tuple(other_shape):
        return False
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], [1.0])).reshape(4, -1)
    voxel = np.linalg.norm(affine[:3, :3], axis=0).min()
    return bool(np.abs((affine - other_affine) @ corners).max() < 0.01 * voxel)


@contextmanager
def _raw(path: Path) -> Iterator[Any]:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        yield file


def _header(path: Path, file: Any) -> Any:
    import nibabel as nib

    start = file.read(4)
    sizes = {int.from_bytes(start, order) for order in ("little", "big")} if len(start) == 4 else set()
    kind = nib.Nifti1Header if 348 in sizes else nib.Nifti2Header if 540 in sizes else None
    if kind is None:
        raise DamagedError(path, "it does not begin like a NIfTI file")
    block = start + file.read(kind.sizeof_hdr - 4)
    order = "<" if int.from_bytes(start, "little") == kind.sizeof_hdr else ">"
    return kind(block, order, check=False)


def _checked(path: Path, header: Any) -> Nifti:
    dim = [int(n) for n in header["dim"]]
    _require(path, 1 <= dim[0] <= 7 and all(n >= 1 for n in dim[1 : dim[0] + 1]), f"its dimensions are {dim}")
    _require(
        path,
        bytes(header["magic"].item()).rstrip(b"\0\r\n\x1a") in (b"n+1", b"n+2"),
        f"its magic is {header['magic'].item()!r}",
    )
    dims = dim[1 : dim[0] + 1] + [1] * (4 - dim[0])
    _require(
        path,
        all(n == 1 for n in dims[4:]),
        f"it has {dim[0]} dimensions, {dims}, expected volumes in three and time in the fourth",
    )
    dtype = header.get_data_dtype()
    _require(path, dtype.kind in "iuf" and int(header["bitpix"]) == 8 * dtype.itemsize,
             f"its data type is {dtype} with {int(header['bitpix'])} bits, expected real numbers")  # fmt: skip
    pixdim = np.asarray(header["pixdim"], dtype=float)
    _require(
        path,
        bool(np.isfinite(pixdim[1:4]).all() and (pixdim[1:4] > 0).all()),
        f"its voxel sizes are {pixdim[1:4].tolist()}",
    )
    units, codes = int(header["xyzt_units"]), (int(header["sform_code"]), int(header["qform_code"]))
    _require(
        path,
        units & 7 in (0, 1, 2, 3) and units & 56 in (0, 8, 16, 24, 32, 40, 48) and units < 64,
        f"its units are coded {units}",
    )
    _require(path, all(0 <= code <= 5 for code in codes), f"its sform and qform are coded {codes}")
    affine, notes = _affine(path, header, pixdim)
    # NaN is how nibabel writes that numbers are as they stand
    _require(path, not np.isinf([header["scl_slope"], header["scl_inter"]]).any(), "its slope or intercept is endless")
    slope, inter = header.get_slope_inter()
    start, shape = (
        int(header.get_data_offset() or header["vox_offset"]) or header.sizeof_hdr + 4,
        (dims[0], dims[1], dims[2]),
    )
    _require(path, start >= header.sizeof_hdr + 4, f"its data begin at byte {start}, within the header")
    expected, size = start + int(np.prod(dims, dtype=object)) * dtype.itemsize, path.stat().st_size
    packed = path.name.lower().endswith(".gz")
    _require(
        path,
        expected <= (size * _MOST_COMPRESSED if packed else size),
        f"its header asks for {expected:,} bytes, it has {size:,}",
    )
    # by way of its shortest text: 1.35 in float32 is 1.35, not 1.3500000238
    return Nifti(path, shape, dims[3], dim[0] >= 4, dtype, affine, 1.0 if slope is None else float(slope), float(inter or 0.0), start,
                 float(str(header["pixdim"][4])), units & 56, int(header["intent_code"]), notes)  # fmt: skip


def _affine(path: Path, header: Any, pixdim: ndarray) -> tuple[Float[ndarray, "4 4"], tuple[str, ...]]:
    """Voxel indices to millimetres, checked to be an affine of space."""
    units = int(header["xyzt_units"]) & 7
    scale = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}[units]
    affine = np.asarray(header.get_best_affine(), dtype=float)
    ok = bool(np.isfinite(affine).all()) and abs(np.linalg.det(affine[:3, :3])) > 1e-12
    _require(path, ok, "its affine cannot be inverted")
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    notes = []
    if not np.allclose(sizes, pixdim[1:4], rtol=0.02):
        notes.append(
            f"voxels are {np.round(sizes, 3).tolist()} by the affine, which is used, and {np.round(pixdim[1:4], 3).tolist()} by the header"
        )
    if not int(header["sform_code"]) and not int(header["qform_code"]):
        notes.append("the header has neither sform nor qform: positions count from the middle of the volume")
    if units in (1, 3):
        notes.append(f"positions are in {'metres' if units == 1 else 'micrometres'} in the file")
    affine[:3] *= scale
    return affine, tuple(notes)


def repetition_time(nifti: Nifti) -> tuple[float | None, str]:
    """Seconds, where the header states them credibly, and what it states in words."""
    if not nifti.four_d:
        return None, "a 3-D image has no repetition time"
    unit, scale = _TIME_UNITS.get(nifti.time_unit, ("in a unit that is no time", None))
    told = f"its header says {nifti.zoom:g} {unit}"
    # a quarter of writers leave 1, or 0, where they know nothing
    if scale is None:
        usable = nifti.time_unit == 0 and np.isfinite(nifti.zoom) and 0.2 <= nifti.zoom <= 20 and nifti.zoom != 1
        return (nifti.zoom if usable else None), told
    seconds = nifti.zoom * scale
    return (seconds if np.isfinite(seconds) and 0.05 <= seconds <= 30 else None), told


def _require(path: Path, fine: bool | np.bool_, found: str) -> None:
    if not fine:
        raise DamagedError(path, found)
