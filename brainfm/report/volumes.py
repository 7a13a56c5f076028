"""Volumes: values of voxels or parcels on axial slices, through nilearn."""

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

_SLICES = 6
_WIDTH, _ROW = 7.4, 1.9  # inches


def volume_figure(maps: Sequence[BrainMap], space: Mapping[str, Any], ch_names: Sequence[str]) -> Figure:
    """One row of slices per map, the same slices in each; a brain lies below where the scan is in MNI space."""
    from nilearn import plotting

    from data_loaders.formats.space import to_image

    drawn = figure(_WIDTH, _ROW * len(maps))
    # nilearn places its own axes
    drawn.set_layout_engine("none")
    below = {} if "MNI" in str(space.get("template", "")) else {"bg_img": None}
    for i, one in enumerate(maps):
        image = to_image(space, one.values.to_numpy(dtype=np.float32), ch_names, list(one.values.index), fill=0.0)
        bottom = 1 - (i + 1) / len(maps)
        height = 1 / len(maps)
        shown = plotting.plot_stat_map(
            image, figure=drawn, axes=(0.0, bottom + 0.05 * height, 0.87, 0.72 * height), display_mode="z",
            cut_coords=slices(np.asarray(image.dataobj), image.affine), colorbar=False, annotate=False, draw_cross=False,
            black_bg=False, cmap=one.colours, vmin=one.low, vmax=one.high, threshold=1e-6, **below,
        )  # fmt: skip
        shown.frame_axes.set_facecolor("none")
        for height_mm, cut in shown.axes.items():
            cut.ax.set_facecolor("none")
            cut.ax.set_title(f"z = {float(height_mm):.0f} mm", fontsize=8, loc="center", pad=1)
        drawn.text(0.0, bottom + 0.94 * height, one.title, fontsize=10, va="center")
        bar(drawn, drawn.add_axes((0.9, bottom + 0.15 * height, 0.015, 0.5 * height)), one)
    return drawn


def slices(data: Float[ndarray, "x y z"], affine: Float[ndarray, "4 4"]) -> list[float]:
    """Heights (mm) of slices that have values, at most six, evenly among them."""
    heights = np.unique((np.argwhere(data != 0) @ affine[:3, :3].T + affine[:3, 3])[:, 2].round(3))
    if len(heights) <= _SLICES:
        return heights.tolist() or [0.0]
    # without the outermost, which hold next to nothing
    return heights[np.linspace(0, len(heights) - 1, _SLICES + 2).round().astype(int)[1:-1]].tolist()
