"""Opens what MNE reads, keeps what MNE says meanwhile, and turns its errors into repairs."""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_loaders.formats.channels import ELECTRODES, Channels

if TYPE_CHECKING:
    import mne

# endings that stand for EEG whatever is inside; .fif is asked, CTF and KIT are MEG
EEG_SUFFIXES = (".edf", ".bdf", ".gdf", ".vhdr", ".ahdr", ".set", ".cnt", ".mff", ".nedf", ".cdt", ".lay", ".nxe")
MEG_SUFFIXES = (".ds", ".sqd", ".con")
FIF_SUFFIXES = (".fif", ".fif.gz")
FOLDER_SUFFIXES = (".ds", ".mff")
# these state what each channel is; the others call everything EEG
TYPED_SUFFIXES = (*FIF_SUFFIXES, *MEG_SUFFIXES, ".mff")
_EPOCHS = re.compile(r"[-_]epo(-\d+)?\.fif(\.gz)?$")
_OTHER_FIF = re.compile(
    r"[-_](ave|evoked|cov|fwd|inv|trans|src|bem|sol|eve|proj|ica|stc|tfr|dip|morph|crosstalk|ctc|psd|head)\.fif(\.gz)?$"
)
_PART = re.compile(r"-[1-9]\d*(\.fif(?:\.gz)?)$")


def suffix_of(path: Path) -> str:
    """The ending in lower case; `.fif.gz` is one ending."""
    return ".fif.gz" if path.name.lower().endswith(".fif.gz") else path.suffix.lower()


def is_epochs(path: Path) -> bool:
    """True for cut FIF epochs (-epo.fif)."""
    return bool(_EPOCHS.search(path.name))


def is_recording(path: Path) -> bool:
    """True where the ending is one that MNE reads and the name is not of a covariance, a later part or the like."""
    suffix = suffix_of(path)
    if suffix in FIF_SUFFIXES:
        part = _PART.search(path.name) and path.with_name(_PART.sub(r"\1", path.name)).exists()
        return not (_OTHER_FIF.search(path.name) or part or re.search(r"_split-(?!0*1_)\d+_", path.name))
    return suffix in EEG_SUFFIXES + MEG_SUFFIXES


def parts_of(path: Path) -> list[Path]:
    """The later parts of a FIF file that was split as it was saved: a_raw-1.fif of a_raw.fif, or split-02 of split-01."""
    if suffix_of(path) not in FIF_SUFFIXES:
        return []
    first = re.compile(r"(?<=_split-)0*1(?=_)")
    stem, ending = path.name[: -len(suffix_of(path))], path.name[-len(suffix_of(path)) :]
    names = f"{escape(stem)}-[0-9]*{ending}" if not first.search(path.name) else first.sub("*", escape(path.name))
    return sorted(other for other in path.parent.glob(names) if other != path and not is_recording(other))


def modality_of(path: Path) -> str:
    """`meg` where a header has MEG channels, `ieeg` where it has contacts inside the head, `eeg` where it has neither.

    Empty where a FIF file holds none of them.
    """
    suffix = suffix_of(path)
    if suffix not in FIF_SUFFIXES:
        return "meg" if suffix in MEG_SUFFIXES else "eeg"
    import mne

    try:
        types = set(mne.io.read_info(path, verbose="error").get_channel_types(unique=True))
    except Exception:
        # the error is told with its repair when the file is read
        return "meg" if "meg" in path.name else "eeg"
    kinds = {"meg": {"mag", "grad"}, "ieeg": {"seeg", "ecog", "dbs"}, "eeg": {"eeg"}}
    return next((modality for modality, brain in kinds.items() if types & brain), "")


@contextmanager
def heard(path: Path, notes: list[str]) -> Iterator[None]:
    """Collects MNE's warnings as notes; what MNE cannot read becomes a ValueError that says what to do."""
    import mne

    with warnings.catch_warnings(record=True) as caught, mne.utils.use_log_level("warning"):
        warnings.simplefilter("always")
        try:
            yield
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise ValueError(
                f"{path.name} cannot be read ({type(error).__name__}: {said}): it is truncated, damaged or of another format: "
                f"copy it again, or leave it out with `exclude: [{path.name}]` in brainfm.yaml"
            ) from error
    said = [" ".join(str(w.message).split()) for w in caught if issubclass(w.category, (RuntimeWarning, UserWarning))]
    notes.extend(
        dict.fromkeys(f"MNE: {text[:300]}" for text in said if "does not conform to MNE naming conventions" not in text)
    )


def check_gzip(path: Path) -> None:
    """Compressed files carry a checksum at their end, which is only looked at by who reads that far."""
    if path.suffix.lower() != ".gz":
        return
    try:
        with gzip.open(path) as file:
            while file.read(1 << 24):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path.name} cannot be read ({type(error).__name__}: {error}): its checksum does not hold, it is damaged: copy "
                         f"it again, or leave it out with `exclude: [{path.name}]` in brainfm.yaml") from error  # fmt: skip


def check_version(path: Path) -> None:
    """EEGLAB saves large sets in version 7.3 of MATLAB, which is HDF5: MNE reads that with the help of pymatreader only."""
    if suffix_of(path) != ".set" or find_spec("pymatreader") is not None:
        return
    import h5py

    if h5py.is_hdf5(path):
        raise ValueError(f"{path.name} is saved in version 7.3 of MATLAB (HDF5), which MNE reads only where pymatreader is installed: "
                         f"`pip install pymatreader`, or save it again in EEGLAB with version 7.3 switched off in File > Preferences "
                         f"(MATLAB: save -v7)")  # fmt: skip


def reader_of(path: Path) -> Callable[..., Any]:
    """MNE's own reader of continuous files of this ending."""
    import mne

    # the generic one refuses FIF names that do not end as MNE likes, BIDS names among them
    return mne.io.read_raw_fif if suffix_of(path) in FIF_SUFFIXES else mne.io.read_raw


def channels_of(info: mne.Info) -> Channels:
    """Names, types, bads and positions (metres; MEG sensors in head coordinates where the file has the transform)."""
    positions = np.array([ch["loc"][:3] for ch in info["chs"]], dtype=float).reshape(-1, 3)
    types = info.get_channel_types()
    unknown = ~np.isfinite(positions).all(1) | (positions == 0).all(1)
    positions[unknown] = np.nan
    sensors = [i for i, kind in enumerate(types) if kind in ("mag", "grad", "ref_meg")]
    transform = info["dev_head_t"]
    if sensors and transform is not None:
        import mne

        positions[sensors] = mne.transforms.apply_trans(transform, positions[sensors])
    others = [i for i, kind in enumerate(types) if kind not in ("mag", "grad", "ref_meg", *ELECTRODES)]
    positions[others] = np.nan
    note = (
        ("MEG sensor positions are in the device's frame: the file has no head transform",)
        if sensors and transform is None
        else ()
    )
    notes = (*note, *_projections(info))
    return Channels(tuple(info["ch_names"]), tuple(types), positions, tuple(info["bads"]), notes, _spaces(info, types))


def _spaces(info: mne.Info, types: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The frame of the positions of contacts inside the head (head, mri, mni_tal), which differs from file to file."""
    if not set(types) & {"seeg", "ecog", "dbs"}:
        return {}
    # MNE's codes carry their name: FIFFV_COORD_HEAD, FIFFV_MNE_COORD_MNI_TAL
    names = (str(getattr(ch["coord_frame"], "_name", "COORD_UNKNOWN")) for ch in info["chs"])
    return {"space": tuple(name.rpartition("COORD_")[2].lower() for name in names)}


def _projections(info: mne.Info) -> tuple[str, ...]:
    idle = [p["desc"] for p in info["projs"] if not p["active"]]
    return (f"{len(idle)} projections in the file are not applied: {', '.join(idle[:4])}",) if idle else ()
