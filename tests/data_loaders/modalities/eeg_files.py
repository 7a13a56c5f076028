"""What the tests of the EEG reader share."""

import pybv

from data_loaders.modalities.eeg import EEG


def _only(root):
    sources = EEG().sources(root)
    assert len(sources) == 1
    return EEG().read(sources[0])


def _brainvision(folder, raw, name="a", fmt="binary_int16", events=()):
    pybv.write_brainvision(
        data=raw.get_data(), sfreq=raw.info["sfreq"], ch_names=raw.ch_names, fname_base=name, folder_out=folder,
        resolution=0.1, unit="µV", fmt=fmt, events=[*events] or None,
    )  # fmt: skip
