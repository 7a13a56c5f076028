"""Spikes: sorted spike times with behaviour, from NWB, phy and Kilosort, temporaldata HDF5 (torch_brain), and arrays.

The channels of the Recording are the units. Its clock ticks at 1000 Hz: anchors and borders of windows are placed in
milliseconds, spike times keep their full precision, and nothing is binned before a recipe says how.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from data_loaders.contracts import Recording
from data_loaders.formats import bids, nwb, nwb_units, phy, sidecar, spike_arrays, stated, temporaldata
from data_loaders.formats.folders import named_by_folder
from data_loaders.formats.participants import guessed
from data_loaders.formats.source import named
from data_loaders.modalities.base import Reader, Source

_SUFFIXES = (".h5", ".hdf5", ".npz", ".mat")


class Spikes(Reader):
    """Reads NWB files with units, folders of phy or Kilosort, `.h5` of the temporaldata layout, and arrays with a sidecar.

    Which units come in says `keep` (`data_loaders.formats.keep`); the layouts are described in `data_loaders.formats`:
    `nwb_units`, `phy`, `temporaldata`, and `spike_arrays` for `.npz` and `.mat` files with `modality: spikes`.
    """

    def sources(self, root: Path) -> list[Source]:
        top, given = sidecar.start(root)
        files = [top] if top.is_file() else sorted(top.rglob("*"))
        found = [self._file(path, top, given) for path in files if self._is_one(path)]
        folders = [path.parent for path in files if path.name == phy.FILES[0] and phy.is_phy(path.parent)]
        found += [self._folder(folder, top, given) for folder in folders]
        return [*(source for source in found if source is not None), *nwb.sources(root, "spikes")]

    def read(self, source: Source) -> Recording:
        with named(source):
            return self._read(source)

    def _read(self, source: Source) -> Recording:
        keep: dict[str, Any] = source.description.get("keep", {})
        if source.path.is_dir():
            session = phy.load(source.path, source.description, source.entities)
            return session.recording(source.path.name, keep=phy.keep_of(source.description, session))
        if source.path.suffix == ".nwb":
            session = nwb_units.load(source.path, source.description, source.entities)
        elif source.path.suffix in (".npz", ".mat"):
            session = spike_arrays.load(source.path, source.description.get("spikes", {}), source.entities)
        else:
            session = temporaldata.load(source.path)
        session = replace(session, decisions=(*guessed(source), *session.decisions))
        return session.recording(source.path.name, source.entities, keep)

    def _is_one(self, path: Path) -> bool:
        """True for a file of its own: arrays in a folder of phy are what its sidecar names."""
        return path.suffix in _SUFFIXES and path.is_file() and not phy.is_phy(path.parent)

    def _file(self, path: Path, top: Path, given: tuple[Path, ...]) -> Source | None:
        sidecars = sidecar.sidecars_of(path, top, given)
        description = sidecar.describe(path, sidecars)
        arrays = path.suffix in (".npz", ".mat")
        modality = description.get("modality", "" if arrays else "spikes")
        ours = modality == "spikes" and (arrays or temporaldata.is_temporaldata(path))
        if not ours or sidecar.excluded(path, top, description):
            return None
        entities = sidecar.entities_of(path, description)
        default = {"study": path.resolve().parent.name, "subject": path.stem} | bids.who(path) if arrays else {}
        also = stated.files_of(description.get("spikes", {}), path)
        return Source((path, *sidecars, *also), "spikes", top, default | entities, description)

    def _folder(self, folder: Path, top: Path, given: tuple[Path, ...]) -> Source | None:
        sidecars = sidecar.sidecars_of(folder / phy.FILES[0], top if top.is_dir() else top.parent, given)
        description = sidecar.describe(folder, sidecars)
        if description.get("modality", "spikes") != "spikes" or sidecar.excluded(folder, top, description):
            return None
        entities = named_by_folder(folder, top) | sidecar.entities_of(folder, description)
        return Source(
            (folder, *sidecars, *stated.files_of(description.get("spikes", {}), folder)),
            "spikes",
            top,
            entities,
            description,
        )
