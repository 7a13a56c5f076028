"""Names of channels: how formats without channel types spell electrodes, and which names are no electrodes at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from jaxtyping import Float
from numpy import ndarray

# the first pattern that matches the whole name counts
_NAMED = {
    "eog": r".*eog.*|loc|roc",
    "ecg": r".*(ecg|ekg).*",
    "emg": r".*emg.*|chin.*",
    "resp": r"resp.*|thor(ax)?.*|abd(o|omen)?.*|.*airflow.*|flow.*|nasal.*|snore.*",
    "temperature": r"temp.*",
    "gsr": r"gsr.*|eda",
    "misc": r"[am][12]-[am][12]|sp[ao]2.*|sao2.*|pleth?.*|puls.*|hr|pr|bpm?|ibi|light.*|photic.*|pos(ition)?|acc.*|gyro.*|dc\d+|"
    r"exg\d+|erg\d*|ana\d+|aux.*|misc.*|etco2|osat|packet.*|sample.*|count(er)?|battery.*|"
    # markers that MNE did not take for a stimulus channel: their numbers were scaled like a voltage, so they are no codes
    r"status|trig(ger)?s?\b.*|sti ?\d*|stim.*|markers?|event.*",
}
_INTRACRANIAL = {
    "ecog": r".*ecog.*|grid.*|strip.*",
    "dbs": r".*(lfp|dbs|stn|gpi).*",
    **{kind: _NAMED[kind] for kind in ("ecg", "emg")},
    "eog": r".*eog.*",
    "misc": r"dc\d+|status|trig(ger)?s?\b.*|stim|sti ?\d+|markers?|event.*|aux.*|misc.*|spo2.*|pleth?.*",
}
# what follows must be a letter: in "EEG 001" the prefix is part of the name
_PREFIX = re.compile(r"^(eeg|pol)[ _:]+(?=[^\W\d_])", re.IGNORECASE)
# a common reference behind a dash says nothing that differs between channels; two electrodes (Fp1-F7) do
_REFERENCE = re.compile(r"[-_ ](ref|le|ar|avg)$", re.IGNORECASE)


def guess_type(name: str) -> str:
    """What a channel measures, by its name: eeg unless the name says otherwise.

    >>> [guess_type(name) for name in ("Cz", "ECG ECG", "A2-A1", "A2", "EEG VEOG", "SpO2")]
    ['eeg', 'ecg', 'misc', 'eeg', 'eog', 'misc']
    """
    bare = _PREFIX.sub("", name).strip().lower()
    return next((kind for kind, pattern in _NAMED.items() if re.fullmatch(pattern, bare)), "eeg")


def guess_intracranial(name: str) -> str:
    """What a channel of an intracranial recording measures, by its name: seeg unless the name says otherwise.

    Contacts are called by letters as the surgeon liked (Temp1, HR2, POS3), so that only unmistakable names are told apart.

    >>> [guess_intracranial(name) for name in ("LA1", "Temp1", "ECOG_L_3", "GRID12", "LFP_R_0", "EOG1", "DC01", "TRIG")]
    ['seeg', 'seeg', 'ecog', 'ecog', 'dbs', 'eog', 'misc', 'misc']
    """
    bare = _PREFIX.sub("", name).strip().lower()
    return next((kind for kind, pattern in _INTRACRANIAL.items() if re.fullmatch(pattern, bare)), "seeg")


def guesser(modality: str) -> Callable[[str], str]:
    """How channels are told apart by name in recordings of this modality."""
    return guess_intracranial if modality == "ieeg" else guess_type


def clean_name(name: str) -> str:
    """The electrode's own name, in the spelling of the 10-05 system where it is one of its electrodes.

    >>> [clean_name(name) for name in ("EEG Fp1", "EEG FP1-REF", "cz.", "Fp1-F7", "E12")]
    ['Fp1', 'Fp1', 'Cz', 'Fp1-F7', 'E12']
    """
    bare = _REFERENCE.sub("", _PREFIX.sub("", name)).strip()
    return _spelling().get(bare.rstrip(".").lower(), bare)


@cache
def standard_positions() -> Mapping[str, Float[ndarray, "3"]]:
    """Electrode to head position in metres, of the 10-05 system on the Colin27 template that MNE carries."""
    import mne

    # MNE 1.13 renamed standard_1005 and will drop the old name
    known = mne.channels.get_builtin_montages()
    montage = mne.channels.make_standard_montage(
        next(name for name in ("colin27_1005", "standard_1005") if name in known)
    )
    info = mne.create_info(montage.ch_names, 1.0, "eeg")
    info.set_montage(montage)
    return {ch["ch_name"]: ch["loc"][:3].copy() for ch in info["chs"]}


@cache
def _spelling() -> Mapping[str, str]:
    return {name.lower(): name for name in standard_positions()}
