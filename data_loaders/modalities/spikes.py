"""Spikes: sorted spike times with behaviour, from temporaldata HDF5 (torch_brain) and from arrays with a sidecar.

The channels of the Recording are the units. Its clock ticks at 1000 Hz: anchors and borders of windows are placed in
milliseconds, spike times keep their full precision, and nothing is binned before a recipe says how.
"""

from __future__ import annotations

from pathlib import Path

from data_loaders.contracts import Recording
from data_loaders.formats import sidecar, spike_arrays, temporaldata
from data_loaders.modalities.base import Reader, Source

_SUFFIXES = (".h5", ".hdf5", ".npz", ".mat")


class Spikes(Reader):
    """Reads `.h5` files of the temporaldata layout, and `.npz` and `.mat` files whose sidecar has `modality: spikes`.

    The layouts are described in `data_loaders.formats.temporaldata` and `data_loaders.formats.spike_arrays`.
    """

    def sources(self, root: Path) -> list[Source]:
        top, given = sidecar.start(root)
        files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.suffix in _SUFFIXES)
        found = (self._source(path, top, given) for path in files if path.suffix in _SUFFIXES)
        return [source for source in found if source is not None]

    def read(self, source: Source) -> Recording:
        if source.path.suffix in (".npz", ".mat"):
            session = spike_arrays.load(source.path, source.description.get("spikes", {}), source.entities)
            return session.recording(source.path.name, keep=source.description.get("keep"))
        session = temporaldata.load(source.path)
        return session.recording(source.path.name, source.entities, source.description.get("keep"))

    def _source(self, path: Path, top: Path, given: tuple[Path, ...]) -> Source | None:
        sidecars = sidecar.sidecars_of(path, top, given)
        description = sidecar.describe(path, sidecars)
        arrays = path.suffix in (".npz", ".mat")
        ours = description.get("modality") == "spikes" if arrays else temporaldata.is_temporaldata(path)
        if not ours or sidecar.excluded(path, top, description):
            return None
        stated = sidecar.entities_of(path, description)
        defaults = {"study": path.resolve().parent.name, "subject": path.stem} if arrays else {}
        return Source((path, *sidecars), "spikes", top, defaults | stated, description)
