"""NWB files: which kinds of recordings one holds, opened lazily, who it is of, its events and its behaviour.

One file may hold several kinds: sorted units, fluorescence and voltages. Each is a recording of its own modality, and
`--modality` or a sidecar's `modality` says which is wanted. Layout: https://nwb-schema.readthedocs.io
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from data_loaders.formats import bids, discover
from data_loaders.formats.sidecar import describe, entities_of, excluded, sidecars_of, start
from data_loaders.formats.source import Source

if TYPE_CHECKING:
    import pynwb

_KINDS = {"Units": "spikes", "RoiResponseSeries": "calcium", "ElectricalSeries": "ieeg"}
_NOT_DEMOGRAPHIC = ("subject_id", "description", "date_of_birth", "age__reference")


def sources(root: Path, modality: str) -> list[Source]:
    """The NWB files below a folder that hold recordings of this modality; opens headers only."""
    top, given = start(Path(root))
    files = discover.files(top) if top.is_dir() else [top]
    found = [_source(path, top, given, modality) for path in files if path.suffix == ".nwb"]
    return told_apart([source for source in found if source is not None])


def _source(path: Path, top: Path, given: tuple[Path, ...], modality: str) -> Source | None:
    dataset = bids.dataset_of(path)
    folder = top if top.is_dir() else top.parent
    sidecars = sidecars_of(path, dataset or folder, given)
    description = describe(path, sidecars)
    if excluded(path, folder, description) or description.get("modality", modality) != modality:
        return None
    if modality not in kinds_in(path) and "modality" not in description:
        return None
    tables = [p for p in bids.tables_of(path, dataset).values() if p.is_file()] if dataset else []
    entities = {"study": (dataset or folder).resolve().name, **_entities(path), **entities_of(path, description)}
    return Source((path, *sidecars, *tables), modality, folder, entities, {"modality": modality} | description)


def kinds_in(path: Path) -> set[str]:
    """The modalities a file holds. One that cannot be opened is taken for voltages, so that reading tells of the damage."""
    found: set[str] = set()
    try:
        with h5py.File(path) as file:
            file.visititems(lambda _, item: found.update(_kind(item)))
    except (OSError, RuntimeError, KeyError):
        return found or {"ieeg"}
    return found


def _kind(item: h5py.Group | h5py.Dataset) -> list[str]:
    kind = _KINDS.get(_text(item.attrs.get("neurodata_type", ""))) if isinstance(item, h5py.Group) else None
    return [kind] if kind else []


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _entities(path: Path) -> dict[str, str]:
    """Who and when: what the file says, else what its name says (sub-A_ses-B, as DANDI and BIDS have it)."""
    try:
        with h5py.File(path) as file:
            subject = _scalar(file, "general/subject/subject_id")
            session = _scalar(file, "general/session_id")
    except (OSError, RuntimeError):
        subject = session = ""
    said = {key: word(value) for key, value in (("subject", subject), ("session", session)) if value}
    return {"subject": word(path.stem)} | bids.who(path) | said


def _scalar(file: h5py.File, name: str) -> str:
    return _text(file[name][()]) if name in file else ""


def word(text: str) -> str:
    """Entities are letters and digits only, as in BIDS: c_20131022_center -> c20131022Center."""
    first, *rest = "".join(c if c.isalnum() else " " for c in text).split() or [""]
    return first + "".join(part[0].upper() + part[1:] for part in rest)


def told_apart(found: list[Source]) -> list[Source]:
    """Where two sources have one name, the file's own name becomes the session."""
    names = [tuple(s.entities.get(key, "") for key in ("study", "subject", "session", "task", "run")) for s in found]
    return [
        Source(s.paths, s.modality, s.root, {**s.entities, "session": word(s.path.stem)}, s.description)
        if names.count(name) > 1
        else s
        for s, name in zip(found, names, strict=True)
    ]


@contextmanager
def opened(path: Path, notes: list[str]) -> Iterator[pynwb.NWBFile]:
    """The file through pynwb, arrays still on disk. What pynwb warns of is noted; what it cannot read is a ValueError."""
    import pynwb

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with pynwb.NWBHDF5IO(path, "r") as io:
                yield io.read()
        except Exception as error:
            # ours say what to mend; those of h5py and hdmf say where they stumbled
            if isinstance(error, ValueError) and str(error).startswith(path.name):
                raise
            said = " ".join(str(error).split())[:300]
            raise ValueError(f"{path.name} cannot be read ({type(error).__name__}: {said}): it is truncated, damaged or no NWB: "
                             f"fetch it again, or leave it out with `exclude: [{path.name}]` in brainfm.yaml") from error  # fmt: skip
    said = dict.fromkeys(
        " ".join(str(w.message).split())[:200] for w in caught if "ignor" not in str(w.message).lower()
    )
    notes.extend(f"pynwb: {text}" for text in said)


def demographics(nwb: pynwb.NWBFile) -> dict[str, Any]:
    """What the file says of the animal or person: species, sex, age (as it is written, ISO 8601), genotype, ..."""
    subject = nwb.subject
    fields = {} if subject is None else subject.fields
    return {
        k: v for k, v in fields.items() if k not in _NOT_DEMOGRAPHIC and isinstance(v, str | int | float) and v != ""
    }
