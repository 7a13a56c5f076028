"""Calcium imaging: fluorescence of cells with behaviour, from suite2p, CaImAn, NWB, and arrays with a sidecar.

The channels of the Recording are the cells, its signal their traces as floats, on the clock of the frames. Neuropil and
baseline are left as they are unless the sidecar asks for a correction.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from data_loaders.contracts import Recording
from data_loaders.formats import bids, caiman, calcium_arrays, nwb, nwb_ophys, sidecar, stated, suite2p
from data_loaders.formats.folders import named_by_folder
from data_loaders.formats.participants import guessed
from data_loaders.formats.source import named
from data_loaders.modalities.base import Reader, Source

_HDF5 = (".hdf5", ".h5")


class Calcium(Reader):
    """Reads folders of suite2p, HDF5 of CaImAn, NWB files with a RoiResponseSeries, and arrays with `modality: calcium`.

    Regions that are no cells (`iscell`, `idx_components`) are left out, with their number, unless `keep` says otherwise.
    The layouts and options are described in `data_loaders.formats`: `calcium_session`, `suite2p`, `caiman`, `nwb_ophys`,
    `calcium_arrays`.
    """

    def sources(self, root: Path) -> list[Source]:
        top, given = sidecar.start(root)
        files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        planes = [path.parent for path in files if path.name == "F.npy" and suite2p.is_plane(path.parent)]
        folders = dict.fromkeys(folder for plane in planes if (folder := suite2p.root_of(plane)) is not None)
        found = [
            self._source(path, path, top, given) for path in files if path.suffix in (*_HDF5, *calcium_arrays.SUFFIXES)
        ]
        found += [self._source(folder, folder / "F.npy", top, given) for folder in folders]
        return [*(source for source in found if source is not None), *nwb.sources(root, "calcium")]

    def read(self, source: Source) -> Recording:
        with named(source):
            return self._read(source)

    def _read(self, source: Source) -> Recording:
        path = source.path
        if path.is_dir():
            session = suite2p.load(path, source.description, source.entities)
        elif path.suffix == ".nwb":
            session = nwb_ophys.load(path, source.description, source.entities)
        elif path.suffix in _HDF5:
            session = caiman.load(path, source.description, source.entities)
        else:
            session = calcium_arrays.load(path, source.description, source.entities)
        who = () if path.is_dir() else guessed(source)
        return replace(session, decisions=(*who, *session.decisions)).recording(path.name, source.description)

    def _source(self, path: Path, place: Path, top: Path, given: tuple[Path, ...]) -> Source | None:
        """`place` is where sidecars are looked for: for a folder, as if for a file in it."""
        if place is path and (suite2p.is_plane(path.parent) or path.parent.name == "suite2p"):
            return None
        sidecars = sidecar.sidecars_of(place, top if top.is_dir() else top.parent, given)
        description = sidecar.describe(path, sidecars)
        known = path.is_dir() or (path.suffix in _HDF5 and caiman.is_caiman(path))
        if description.get("modality", "calcium" if known else "") != "calcium" or sidecar.excluded(
            path, top, description
        ):
            return None
        defaults = (
            named_by_folder(path, top)
            if path.is_dir()
            else {"study": path.resolve().parent.name, "subject": path.stem} | bids.who(path)
        )
        entities = {key: value for key, value in defaults.items() if value} | sidecar.entities_of(path, description)
        return Source(
            (path, *sidecars, *stated.files_of(description.get("calcium", {}), path)),
            "calcium",
            top,
            entities,
            description,
        )
