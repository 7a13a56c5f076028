"""Where the units of Kilosort sit when phy has written no cluster_info.tsv: the channel on which their template is largest.

`templates.npy` is [template, time, channel] in whitened space, `whitening_mat_inv.npy` leads back to voltage, and the channels are
rows of `channel_positions.npy`, or those that `templates_ind.npy` lists for each template. A cluster that was merged or split
by hand takes the template of most of its spikes, as in phy.

Layout: https://github.com/cortex-lab/phy/blob/master/docs/sorting_user_guide.md
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.formats.array_files import load_arrays

# phy reads both names
_LISTED = ("templates_ind.npy", "template_ind.npy")


def channels(
    folder: Path, clusters: Int[ndarray, "spike"], ids: Int[ndarray, "unit"]
) -> tuple[dict[str, tuple[Any, ...]], tuple[str, ...]]:
    """The columns `ch` and `depth` (micrometres along the probe), as cluster_info.tsv has them, and what was decided.

    No column where the files that tell it are not there. Raises ValueError where they do not fit each other.
    """
    templates, sites = _array(folder, "templates.npy"), _array(folder, "channel_positions.npy")
    if templates is None or sites is None:
        return {}, (
            "units have no position: neither cluster_info.tsv nor templates.npy and channel_positions.npy are there",
        )
    inverse, whitened = _unwhitening(folder, len(sites))
    own = _own_channels(folder, templates, len(sites))
    used = _template_of(folder, clusters, ids, len(templates))
    largest = {i: _largest(templates[i], own[i], inverse, len(sites)) for i in np.unique(used[used >= 0]).tolist()}
    found = np.array([largest.get(i, -1) for i in used.tolist()], dtype=np.int64)
    known = found >= 0
    columns = {
        "ch": tuple(np.where(known, found, np.nan).tolist()),
        "depth": tuple(np.where(known, sites[found, 1], np.nan).tolist()),
    }
    lost = f"; {np.sum(~known)} of {len(ids)} units have none" if not known.all() else ""
    return columns, (
        f"no cluster_info.tsv: units are placed at the channel where their template (templates.npy) is largest{whitened}{lost}",
    )


def _unwhitening(folder: Path, n_channels: int) -> tuple[Float[ndarray, "channel channel"] | None, str]:
    """What leads templates back to voltage, and what is to be said where nothing does."""
    inverse = _array(folder, "whitening_mat_inv.npy")
    if inverse is not None and inverse.shape == (n_channels, n_channels):
        return inverse, ""
    why = "is not there" if inverse is None else f"has the shape {inverse.shape}, not of {n_channels} channels"
    return None, f", as it stands, whitened or not (whitening_mat_inv.npy {why})"


def _template_of(
    folder: Path, clusters: Int[ndarray, "spike"], ids: Int[ndarray, "unit"], n_templates: int
) -> Int[ndarray, "unit"]:
    """The template of most spikes of each cluster; -1 where none is known."""
    templates = _array(folder, "spike_templates.npy")
    if templates is None:
        # phy numbers what it merges or splits after all templates
        return np.where(ids < n_templates, ids, -1)
    templates = templates.ravel().astype(np.int64)
    if len(templates) != len(clusters) or (
        len(templates) and not 0 <= templates.min() <= templates.max() < n_templates
    ):
        raise ValueError(f"{folder.name}: spike_templates.npy has {len(templates)} numbers up to {templates.max(initial=0)}, "
                         f"expected one of {n_templates} templates (templates.npy) for each of {len(clusters)} spikes: copy the "
                         f"folder again")  # fmt: skip
    pairs, counts = np.unique(np.c_[clusters, templates], axis=0, return_counts=True)
    order = np.argsort(counts, kind="stable")
    most = {int(cluster): int(template) for cluster, template in pairs[order]}
    return np.array([most[int(cluster)] for cluster in ids], dtype=np.int64)


def _own_channels(folder: Path, templates: ndarray, n_channels: int) -> Int[ndarray, "template channel"]:
    """The row of channel_positions.npy of each column of each template; out of range where a column is not used."""
    listed = next((array for name in _LISTED if (array := _array(folder, name)) is not None), None)
    if listed is None and templates.ndim == 3:
        listed = np.broadcast_to(np.arange(templates.shape[2]), (len(templates), templates.shape[2]))
        listed = listed if templates.shape[2] == n_channels else None
    if listed is None or templates.ndim != 3 or listed.shape != (len(templates), templates.shape[2]):
        raise ValueError(f"{folder.name}: templates.npy has the shape {templates.shape}, expected [template, time, channel] with the "
                         f"{n_channels} channels of channel_positions.npy or those that templates_ind.npy lists: copy the folder again, "
                         f"or take templates.npy away, and units have no position")  # fmt: skip
    return listed.astype(np.int64)


def _largest(
    template: Float[ndarray, "time channel"], own: Int[ndarray, "channel"], inverse: ndarray | None, n_channels: int
) -> int:
    """The channel with the largest difference between peak and trough; -1 for a template of zeros."""
    used = (own >= 0) & (own < n_channels)
    own, voltage = own[used], template[:, used].astype(float)
    if inverse is not None:
        voltage = voltage @ inverse[np.ix_(own, own)]
    size = np.ptp(voltage, axis=0)
    return int(own[np.argmax(size)]) if size.size and size.max() > 0 else -1


def _array(folder: Path, name: str) -> ndarray | None:
    return next(iter(load_arrays(folder / name).values())) if (folder / name).is_file() else None
