"""Surfaces: values of vertices on inflated hemispheres, through nilearn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from brainfm.report.drawing import figure
from brainfm.report.maps import BrainMap, bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MESH = 10_242  # vertices of a hemisphere of fsaverage5, which comes with nilearn
_FSAVERAGE = {642: 3, 2_562: 4, 10_242: 5, 40_962: 6, 163_842: 7}
_VIEWS = ("lateral", "medial")


def has_mesh(space: Mapping[str, Any]) -> bool:
    """Whether its hemispheres are those of some fsaverage."""
    return all(size in _FSAVERAGE for size in space["parts"].values())


def surface_figure(maps: Sequence[BrainMap], space: Mapping[str, Any], ch_names: Sequence[str]) -> Figure:
    """One row per map: each hemisphere from outside and from the middle."""
    from nilearn import datasets, plotting

    from data_loaders.formats.space import to_image

    mesh, sulci = datasets.load_fsaverage("fsaverage5")["inflated"], datasets.load_fsaverage_data(data_type="sulcal")
    parts = list(space["parts"])
    drawn = figure(7.4, 2.1 * len(maps))
    drawn.set_layout_engine("none")
    width, height = 0.88 / (len(parts) * len(_VIEWS)), 1 / len(maps)
    for i, one in enumerate(maps):
        images = to_image(space, one.values.to_numpy(dtype=np.float32), ch_names, list(one.values.index), fill=np.nan)
        bottom = 1 - (i + 1) * height
        for j, (part, view) in enumerate((part, view) for part in parts for view in _VIEWS):
            place = drawn.add_axes((j * width, bottom, width, 0.86 * height), projection="3d")
            inflated = mesh.parts[part]
            plotting.plot_surf_stat_map(
                inflated, on_mesh(images[part].darrays[0].data, inflated.coordinates, _sphere(part)), hemi=part, view=view, figure=drawn,
                bg_map=sulci.data.parts[part], axes=place, colorbar=False, cmap=one.colours, vmin=one.low, vmax=one.high,
            )  # fmt: skip
            place.patch.set_alpha(0)
            for shape in place.collections:
                # twenty thousand triangles each: as shapes they would make a page of megabytes
                shape.set_rasterized(True)
        drawn.text(0.0, bottom + 0.94 * height, one.title, fontsize=10, va="center")
        bar(drawn, drawn.add_axes((0.91, bottom + 0.2 * height, 0.015, 0.5 * height)), one)
    return drawn


def on_mesh(
    values: Float[ndarray, "vertex"], inflated: Float[ndarray, "place 3"], sphere: Float[ndarray, "place 3"]
) -> Float[ndarray, "place"]:
    """Values of any fsaverage on the mesh of fsaverage5: the first vertices of a finer one are those of a coarser.

    Of finer ones the others are left out; of coarser ones each place takes the nearest vertex, on the sphere.
    """
    if len(values) >= len(inflated):
        return values[: len(inflated)]
    from scipy.spatial import cKDTree

    return values[cKDTree(sphere[: len(values)]).query(sphere)[1]]


def _sphere(part: str) -> Float[ndarray, "place 3"]:
    from nilearn import datasets

    return datasets.load_fsaverage("fsaverage5")["sphere"].parts[part].coordinates
