"""A NIfTI series as a scan: one channel per voxel of a mask, whole numbers kept whole."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from data_loaders.formats import space
from data_loaders.formats.integers import gathered
from data_loaders.formats.nifti import Nifti, header_of, image_of, repetition_time, same_grid, volumes
from data_loaders.formats.scan import Scan

# a head has ten times as many voxels; fewer were cut out of one, and have no air around them to tell the brain from
_CUT_OUT = 20_000


def read_nifti(path: Path, mask: str | Path | None = None, template: str = "") -> Scan:
    """The voxels of a mask, in the order of their indices, each named `i,j,k` and placed in metres.

    `mask` is a file on the same grid, `epi` (nilearn's compute_epi_mask of the mean volume), `varying` (every voxel that is not
    constant) or `all`. Left out, it is `epi`, or `varying` for volumes of fewer than 20,000 voxels. Raises ValueError where the mask is
    of another grid or empty.
    """
    nifti = header_of(path)
    inside, told = _mask(nifti, mask)
    index = np.argwhere(inside)
    gain, offset = _steps(nifti, len(index))
    with volumes(nifti) as taker:
        samples = gathered(
            lambda start, stop: _real(nifti, taker.inside(inside, stop - start)),
            nifti.n_volumes,
            len(index),
            gain,
            offset,
        )
    tr, tr_told = repetition_time(nifti)
    numbers = np.full(nifti.shape, -1)
    numbers[inside] = np.arange(len(index))
    more = (f"{taker.beyond} bytes behind the last volume are left alone",) if taker.beyond else ()
    single = () if nifti.n_volumes > 1 else ("one volume: the recording is as long as one repetition",)
    return Scan(
        samples.signal, tuple(f"{i},{j},{k}" for i, j, k in index.tolist()), positions(index, nifti.affine), tr, tr_told,
        space.volume(numbers, nifti.affine, template), samples.gain, samples.offset, notes=(*nifti.notes, told, *more, *single),
    )  # fmt: skip


def positions(index: ndarray, affine: Float[ndarray, "4 4"]) -> Float[ndarray, "channel 3"]:
    """Voxel indices to metres, through an affine to millimetres."""
    return 1e-3 * (index @ affine[:3, :3].T + affine[:3, 3])


def _steps(nifti: Nifti, n_chans: int) -> tuple[Float[ndarray, "channel"] | None, Float[ndarray, "channel"] | None]:
    """Gain and offset with which whole numbers fit into int16; none for real numbers."""
    if nifti.dtype.kind not in "iu":
        return None, None
    # unsigned 16-bit numbers are moved down by half their range
    shift = 32768.0 if nifti.dtype == np.uint16 else 0.0
    return np.full(n_chans, nifti.slope), np.full(n_chans, nifti.inter + shift * nifti.slope)


def _real(nifti: Nifti, block: ndarray) -> ndarray:
    """[voxel, volume] in the file's own unit."""
    numbers = block.astype(np.float64) if nifti.dtype.kind in "iu" else block
    return numbers * nifti.slope + nifti.inter if nifti.scaled else numbers


def _mask(nifti: Nifti, asked: str | Path | None) -> tuple[Bool[ndarray, "x y z"], str]:
    n_voxels = int(np.prod(nifti.shape))
    if asked is None:
        asked = "epi" if n_voxels >= _CUT_OUT else "varying"
    if isinstance(asked, Path):
        inside, told = _from_file(nifti, asked), f"in the mask {asked.name}"
    elif asked == "all":
        inside, told = np.ones(nifti.shape, bool), "taken, the air among them (mask: all)"
    elif asked == "varying":
        inside, told = _varying(nifti), "that are not constant (mask: varying)"
    else:
        inside, told = _epi(nifti), "in the brain, by nilearn's compute_epi_mask (mask: epi)"
    if not inside.any():
        raise ValueError(f"{nifti.path.name}: no voxel is {told}: give a mask file, or write `mask: varying` (every voxel that changes) "
                         f"in the sidecar")  # fmt: skip
    return inside, f"{inside.sum()} of {n_voxels} voxels {told}"


def _from_file(nifti: Nifti, path: Path) -> Bool[ndarray, "x y z"]:
    data, affine = image_of(path)
    if not same_grid((nifti.shape, nifti.affine), (data.shape, affine)):
        raise ValueError(f"the mask {path.name} is on another grid (shape {data.shape}) than {nifti.path.name} (shape "
                         f"{nifti.shape}, or their "
                         f"affines differ): resample it with nilearn.image.resample_to_img, or write `mask: epi`")  # fmt: skip
    return np.nan_to_num(data) > 0


def _varying(nifti: Nifti) -> Bool[ndarray, "x y z"]:
    low, high = np.full(nifti.shape, np.inf), np.full(nifti.shape, -np.inf)
    with volumes(nifti) as taker:
        for volume in taker:
            np.fmin(low, volume, out=low)
            np.fmax(high, volume, out=high)
    return high > low


def _epi(nifti: Nifti) -> Bool[ndarray, "x y z"]:
    import nibabel as nib
    from nilearn.masking import compute_epi_mask

    total = np.zeros(nifti.shape)
    with volumes(nifti) as taker:
        for volume in taker:
            total += np.nan_to_num(volume.astype(np.float64), posinf=0.0, neginf=0.0)
    if np.ptp(total) == 0:
        return np.zeros(nifti.shape, bool)
    with warnings.catch_warnings():
        # an empty mask is our error to tell
        warnings.simplefilter("ignore")
        mean = nib.Nifti1Image((total / nifti.n_volumes).astype(np.float32), nifti.affine)
        return np.asarray(compute_epi_mask(mean).dataobj).astype(bool)
