"""Small scans as nibabel writes them, and the reader that the tests of fMRI share."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from data_loaders.modalities.fmri import FMRI

nib: Any = pytest.importorskip("nibabel")


AFFINE = np.array([[-3.0, 0.0, 0.0, 40.0], [0.0, 3.0, 0.0, -30.0], [0.0, 0.0, 4.0, 5.0], [0.0, 0.0, 0.0, 1.0]])


SHAPE = (6, 5, 4)


def series(shape=(*SHAPE, 12), dtype: Any = np.int16, seed=0) -> np.ndarray:
    values = 500 + 50 * np.random.default_rng(seed).standard_normal(shape)
    return values.astype(dtype)


def nifti(
    path: Path, data: np.ndarray, tr: float = 2.0, units=("mm", "sec"), slope=None, affine=AFFINE, klass=None
) -> Path:
    image = (klass or nib.Nifti1Image)(data, affine)
    image.header.set_data_dtype(data.dtype)
    if slope is not None:
        image.header.set_slope_inter(*slope)
    image.header["pixdim"][4] = tr
    image.header.set_xyzt_units(*units)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def read(root: Path, **sidecar: Any) -> Any:
    """The one recording below a folder."""
    if sidecar:
        folder = root if root.is_dir() else root.parent
        (folder / "brainfm.yaml").write_text(yaml.safe_dump(sidecar))
    reader = FMRI()
    (source,) = reader.sources(root)
    return reader.read(source)
