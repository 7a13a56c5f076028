"""EDF files whose channels run at several rates: what is no EEG is a stream on its own clock, in the unit of the file."""

import numpy as np
import pytest
from edfio import Edf, EdfSignal

from tests.data_loaders.modalities.eeg_files import _only


def test_channels_of_another_rate_are_streams_on_their_own_clock(tmp_path):
    rng = np.random.default_rng(0)
    eeg, ecg = 20 * rng.normal(size=(2, 2000)), 300 * rng.normal(size=5000)
    signals = [
        EdfSignal(eeg[0], 200, label="EEG C3", physical_dimension="uV"),
        EdfSignal(ecg, 500, label="ECG", physical_dimension="uV"),
    ]
    Edf([*signals, EdfSignal(eeg[1], 200, label="EEG C4", physical_dimension="uV")]).write(tmp_path / "a.edf")
    recording = _only(tmp_path)
    assert (recording.sfreq, recording.ch_names, recording.signal.shape) == (200.0, ("C3", "C4"), (2000, 2))
    assert recording.gain is not None
    assert (recording.streams["ecg"].sfreq, recording.streams["ecg"].values.shape) == (500.0, (5000, 1))
    np.testing.assert_allclose(recording.streams["ecg"].values[:, 0], 1e-6 * ecg, atol=1e-7)
    assert any("500 Hz" in decision for decision in recording.decisions)


def test_streams_of_one_type_and_two_rates_have_two_names(tmp_path):
    rng = np.random.default_rng(0)
    rates = {"EEG C3": 200, "Resp chest": 10, "Resp nasal": 25}
    signals = [
        EdfSignal(rng.normal(0, 20, 10 * rate), rate, label=name, physical_dimension="uV")
        for name, rate in rates.items()
    ]
    Edf(signals).write(tmp_path / "a.edf")
    streams = _only(tmp_path).streams
    assert {name: (stream.names, stream.sfreq) for name, stream in streams.items()} == {
        "resp": (("Resp chest",), 10), "resp_25Hz": (("Resp nasal",), 25),
    }  # fmt: skip


@pytest.mark.parametrize("rate", [200, 25])
def test_streams_have_the_unit_of_the_file_where_their_type_has_none(tmp_path, rate):
    rng = np.random.default_rng(0)
    chest, blood = rng.normal(0, 2, 10 * rate), rng.normal(95, 1, 10 * rate)
    signals = [
        EdfSignal(rng.normal(0, 20, 2000), 200, label="EEG C3", physical_dimension="uV"),
        EdfSignal(chest, rate, label="Resp chest", physical_dimension="mV"),
        EdfSignal(blood, rate, label="SpO2", physical_dimension="%"),
    ]
    Edf(signals).write(tmp_path / "a.edf")
    streams = {stream.names: stream for stream in _only(tmp_path).streams.values()}
    assert {names: stream.unit for names, stream in streams.items()} == {("Resp chest",): "V", ("SpO2",): "%"}
    np.testing.assert_allclose(streams["Resp chest",].values[:, 0], 1e-3 * chest, atol=1e-6)
    np.testing.assert_allclose(streams["SpO2",].values[:, 0], blood, atol=1e-3)


def test_eeg_of_mixed_rates_is_told(tmp_path):
    rng = np.random.default_rng(0)
    signals = [
        EdfSignal(rng.normal(0, 20, 10 * rate), rate, label=f"C{rate}", physical_dimension="uV") for rate in (100, 200)
    ]
    Edf(signals).write(tmp_path / "a.edf")
    assert any("100, 200 Hz: MNE interpolated" in decision for decision in _only(tmp_path).decisions)
