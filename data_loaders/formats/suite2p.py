"""Folders of suite2p: F.npy, Fneu.npy, spks.npy and iscell.npy of each plane; what is pickled is read without being run.

ops.npy and stat.npy are pickles, and a pickle can run anything when it is loaded. The numbers `fs` and `neucoeff` of ops.npy
are looked up in its bytes, where they are written out; otherwise the sidecar says `sfreq`. Where cells lie (stat.npy) is
read only with `calcium: {trust_pickle: true}`. `calcium` has the options of `data_loaders.formats.calcium_session`.
Layout: https://suite2p.readthedocs.io/en/latest/outputs.html
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from data_loaders.formats.array_files import load_arrays
from data_loaders.formats.calcium_session import CalciumSession, beside, positions_in_image

_TRACES = ("F", "Fneu", "spks")
_NUMBERS = {"BINFLOAT", "BININT", "BININT1", "BININT2", "FLOAT", "INT", "LONG", "LONG1"}
_PLANE = re.compile(r"plane(\d+)")


def is_plane(folder: Path) -> bool:
    """True for a folder with traces and one more file of suite2p."""
    return (folder / "F.npy").is_file() and any(
        (folder / f"{n}.npy").is_file() for n in ("iscell", "ops", "stat", "Fneu", "spks")
    )


def root_of(plane: Path) -> Path | None:
    """The folder that is the recording: the one that holds the planes, or a plane on its own. None for `combined`."""
    if _PLANE.fullmatch(plane.name):
        return plane.parent
    return None if plane.name == "combined" and any(map(is_plane, planes_of(plane.parent))) else plane


def planes_of(folder: Path) -> list[Path]:
    """The planes of a recording, by number."""
    found = [path for path in folder.glob("plane*") if _PLANE.fullmatch(path.name) and is_plane(path)]
    return sorted(found, key=lambda path: int(path.name.removeprefix("plane"))) or (
        [folder] if is_plane(folder) else []
    )


def load(folder: Path, description: Mapping[str, Any], entities: Mapping[str, str]) -> CalciumSession:
    """The cells of all planes as one recording. Raises ValueError that names the folder."""
    stated, notes = dict(description.get("calcium", {})), []
    planes = planes_of(folder)
    name = str(stated.get("traces", "F"))
    also = [str(one) for one in stated.get("also", [])]
    wanted: list[str] = list(dict.fromkeys([name, *also, *(["Fneu"] if "neuropil" in stated else [])]))
    if not set(wanted) <= set(_TRACES):
        raise ValueError(
            f"{folder.name}: calcium asks for the traces {wanted}, but suite2p writes {list(_TRACES)}: name some of these"
        )
    arrays = {one: _joined([_traces(plane, one, folder) for plane in planes], one, folder, notes) for one in wanted}
    columns = _columns(planes, [_traces(plane, name, folder).shape[0] for plane in planes], folder, stated, notes)
    around = beside(folder, stated)
    return CalciumSession(
        entities=entities, traces=arrays[name].T, ch_names=_names(planes, columns["plane"]), name=name,
        sfreq=_rate(planes[0], description, folder, notes) if around["times"] is None else None,
        neuropil=arrays["Fneu"].T if "Fneu" in arrays else None, also={one: arrays[one].T for one in also},
        columns=columns, positions=positions_in_image(columns, stated), default={"iscell": 1}, decisions=tuple(notes), **around,
    )  # fmt: skip


def _traces(plane: Path, name: str, folder: Path) -> ndarray:
    path = plane / f"{name}.npy"
    if not path.is_file():
        raise ValueError(
            f"{folder.name}: {path.relative_to(folder.parent)} is missing: take {name} out of the sidecar, or copy it again"
        )
    try:
        values = next(iter(load_arrays(path).values()))
    except ValueError as error:
        raise ValueError(f"{folder.name}: {error}") from error
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{folder.name}: {path.name} has the shape {values.shape} of {values.dtype}, expected numbers [cell, frame]"
        )
    return values


def _joined(planes: list[ndarray], name: str, folder: Path, notes: list[str]) -> ndarray:
    """Planes one below the other; imaged in turn, one may have a frame less."""
    lengths = [values.shape[1] for values in planes]
    if max(lengths) - min(lengths) > 1:
        raise ValueError(
            f"{folder.name}: the planes have {lengths} frames of {name}, expected the same number in each: some are cut short"
        )
    if max(lengths) > min(lengths) and name == "F":
        notes.append(f"planes have {min(lengths)} or {max(lengths)} frames: cut to {min(lengths)}")
    return np.concatenate([values[:, : min(lengths)] for values in planes])


def _columns(
    planes: list[Path], counts: list[int], folder: Path, stated: Mapping[str, Any], notes: list[str]
) -> dict[str, tuple[Any, ...]]:
    columns: dict[str, list[Any]] = {"plane": [], "iscell": [], "iscell_probability": []}
    for number, (plane, n_cells) in enumerate(zip(planes, counts, strict=True)):
        found = _PLANE.fullmatch(plane.name)
        columns["plane"] += [int(found.group(1)) if found else number] * n_cells
        verdict = _iscell(plane, n_cells, folder)
        columns["iscell"] += verdict[:, 0].astype(int).tolist()
        columns["iscell_probability"] += verdict[:, 1].tolist()
        for key, values in (_stat(plane, n_cells, folder) if stated.get("trust_pickle") else {}).items():
            columns.setdefault(key, []).extend(values)
    if len(planes) > 1:
        notes.append(
            f"{len(planes)} planes are taken as imaged at once, though each is up to a frame later than the one before"
        )
    if not stated.get("trust_pickle"):
        notes.append("where cells lie (stat.npy) is pickled and not read; `calcium: {trust_pickle: true}` reads it")
    if not any((plane / "iscell.npy").is_file() for plane in planes):
        notes.append("no iscell.npy: all regions are taken for cells")
    return {key: tuple(values) for key, values in columns.items()}


def _iscell(plane: Path, n_cells: int, folder: Path) -> ndarray:
    if not (plane / "iscell.npy").is_file():
        return np.full((n_cells, 2), 1.0)
    verdict = next(iter(load_arrays(plane / "iscell.npy").values()))
    if verdict.ndim != 2 or verdict.shape != (n_cells, 2) or not set(np.unique(verdict[:, 0])) <= {0.0, 1.0}:
        raise ValueError(f"{folder.name}: {plane.name}/iscell.npy has the shape {verdict.shape}, expected ({n_cells}, 2) "
                         f"with 0 or 1 and a probability: the files are of different runs, or damaged")  # fmt: skip
    return verdict.astype(float)


def _stat(plane: Path, n_cells: int, folder: Path) -> dict[str, list[float]]:
    """Centre and size of each cell in pixels; only for files that the sidecar says to trust."""
    stat = np.load(plane / "stat.npy", allow_pickle=True)
    if len(stat) != n_cells:
        raise ValueError(
            f"{folder.name}: {plane.name}/stat.npy has {len(stat)} cells, the traces {n_cells}: the files are of different runs"
        )
    found = {"y_pixel": [float(one["med"][0]) for one in stat], "x_pixel": [float(one["med"][1]) for one in stat]}
    return found | {
        key: [float(one[key]) for one in stat] for key in ("npix", "radius", "skew") if all(key in one for one in stat)
    }


def _names(planes: list[Path], plane: tuple[int, ...]) -> tuple[str, ...]:
    if len(planes) == 1:
        return tuple(f"cell{i}" for i in range(len(plane)))
    return tuple(f"plane{p}_cell{i - plane.index(p)}" for i, p in enumerate(plane))


def _rate(plane: Path, description: Mapping[str, Any], folder: Path, notes: list[str]) -> float:
    if "sfreq" in description:
        return float(description["sfreq"])
    found = numbers_in(plane / "ops.npy", ("fs",)).get("fs")
    if found is None:
        raise ValueError(f"{folder.name}: the frame rate stands in ops.npy, which is pickled and does not give it without being run: "
                         f"add `sfreq: 30` (frames per second of one plane) to brainfm.yaml in the folder")  # fmt: skip
    notes.append(f"{found:g} frames per second, as ops.npy says (looked up, not unpickled)")
    return found


def numbers_in(path: Path, keys: tuple[str, ...]) -> dict[str, float]:
    """Plain numbers of a pickled dictionary by their keys, from the opcodes alone: nothing is constructed or called."""
    if not path.is_file():
        return {}
    found: dict[str, float] = {}
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            waiting: Any = None
            for name, value in _constants(pickletools.genops(file)):
                if isinstance(waiting, str) and waiting in keys and name in _NUMBERS:
                    found.setdefault(waiting, float(value))
                waiting = value
    except (ValueError, OSError, EOFError):
        # cut short: what stood before is as good as ever
        return found
    return found


def _constants(opcodes: Iterable[tuple[pickletools.OpcodeInfo, Any, Any]]) -> Iterator[tuple[str, Any]]:
    """Each opcode with its constant; a constant that a pickle recalls from its memo comes again."""
    memo: dict[int, Any] = {}
    last: Any = None
    for opcode, value, _ in opcodes:
        if opcode.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            memo[len(memo) if opcode.name == "MEMOIZE" else int(value)] = last
            continue
        last = memo.get(int(value)) if opcode.name in ("BINGET", "LONG_BINGET", "GET") else value
        yield opcode.name, last
