"""Traces of cells as CaImAn saves them, and the reader of calcium imaging on one folder."""

from pathlib import Path

import h5py
import numpy as np
import yaml
from scipy.sparse import csc_matrix

from data_loaders.contracts import Recording
from data_loaders.modalities.calcium import Calcium


def only(folder: Path, stated: dict | None = None) -> Recording:
    if stated is not None:
        where = folder if folder.is_dir() else folder.parent
        (where / "brainfm.yaml").write_text(yaml.safe_dump(stated))
    [source] = Calcium().sources(folder)
    return Calcium().read(source)


def traces(n_cells: int = 5, n_times: int = 600, seed: int = 0) -> np.ndarray:
    return (100 + 10 * np.random.default_rng(seed).standard_normal((n_cells, n_times))).astype(np.float32)


def caiman(path: Path, fr: float | None = 10.0) -> dict[str, np.ndarray]:
    """The groups that CaImAn's `save` writes: absent results are the word NoneType."""
    made = {"C": traces(4, 300, 1), "F_dff": traces(4, 300, 2) / 100, "S": np.abs(traces(4, 300, 3))}
    shapes = csc_matrix((np.ones(4), ([0, 5, 11, 17], [0, 1, 2, 3])), (20, 4))  # an image of 4 rows and 5 columns
    with h5py.File(path, "w") as file:
        for name, array in made.items():
            file[f"estimates/{name}"] = array
        for name in ("data", "indices", "indptr"):
            file[f"estimates/A/{name}"] = getattr(shapes, name)
        file["estimates/A/shape"], file["dims"] = np.array(shapes.shape), np.array([4, 5])
        file["estimates/idx_components"], file["estimates/SNR_comp"] = (
            np.array([0, 2, 3]),
            np.array([3.0, 1.0, 2.0, 5.0]),
        )
        file["estimates/r_values"] = "NoneType"
        if fr is not None:
            file["params/data/fr"] = fr
    return made
