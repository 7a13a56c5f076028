"""Segments, steps and amplitudes: the arithmetic below the readers."""

import numpy as np
import pandas as pd
import pytest
from edfio import Edf, EdfSignal

from data_loaders.contracts import Recording
from data_loaders.formats.checks import checked
from data_loaders.formats.edf import edf_header
from data_loaders.formats.events import empty_events, inside, split_special, trials, without
from data_loaders.formats.integers import gathered
from data_loaders.formats.naming import clean_name, guess_type, standard_positions


def _recording(signal, kind="eeg", unit="V"):
    names = tuple(f"c{i}" for i in range(signal.shape[1]))
    kinds, units = (kind,) * len(names), (unit,) * len(names)
    return Recording(
        "s", "01", "eeg", 100.0, names, kinds, len(signal) / 100, signal=signal, units=units, events=empty_events(), source="a.edf"
    )  # fmt: skip


def test_what_is_cut_and_what_is_left_add_up_to_the_whole():
    rng = np.random.default_rng(0)
    for _ in range(50):
        spans = np.sort(rng.uniform(-2, 12, size=(4, 2)), axis=1)
        left = without(np.array([[0.0, 4.0], [4.0, 10.0]]), spans)
        grid = np.arange(0, 10, 0.01) + 0.005
        kept = ((grid[:, None] >= left[:, 0]) & (grid[:, None] < left[:, 1])).any(1)
        gone = ((grid[:, None] >= spans[:, 0]) & (grid[:, None] < spans[:, 1])).any(1)
        np.testing.assert_array_equal(kept, ~gone)
        assert (np.diff(left, axis=1) > 0).all()


def test_bad_spans_take_whole_samples_with_them():
    table = pd.DataFrame({"onset": [1.004], "duration": [0.5], "trial_type": ["bad muscle"]})
    np.testing.assert_allclose(split_special(table, 3.0, 100.0)[1], [[0, 1.0], [1.51, 3.0]])


def test_pauses_of_the_recorder_are_borders_and_the_first_one_cuts_nothing():
    # EEGLAB gives a boundary the length of what was removed there: nothing that is left belongs to it
    table = pd.DataFrame({"onset": [0.0, 2.0], "duration": [0.0, 0.5], "trial_type": ["New Segment/", "boundary"]})
    events, segments, _ = split_special(table, 3.0, 100.0)
    assert events.empty
    np.testing.assert_allclose(segments, [[0, 2], [2, 3]])


def test_an_event_within_half_a_sample_of_the_start_is_kept_at_the_start():
    kept, notes = inside(pd.DataFrame({"onset": [-0.004, -0.006, 1.0]}), 1.0, 100.0)
    assert kept["onset"].tolist() == [0.0]
    assert "2 events" in notes[0]


def test_time_zero_outside_the_trials_puts_events_on_their_first_sample():
    table, segments, notes = trials(2, 10, -5, 10.0, {})
    assert table["onset"].tolist() == [0.0, 1.0]
    np.testing.assert_allclose(segments, [[0, 1], [1, 2]])
    assert "first sample" in notes[0]


def test_steps_are_kept_only_where_every_sample_is_one():
    steps = np.random.default_rng(0).integers(-32768, 32768, size=(2, 500)).astype(float)
    gain, offset = np.array([3e-7, 1e-8]), np.array([1e-5, 0.0])
    whole = gathered(lambda a, b: (steps * gain[:, None] + offset[:, None])[:, a:b], 500, 2, gain, offset)
    np.testing.assert_array_equal(np.round((whole.signal - offset) / gain), steps.T)
    between = gathered(lambda a, b: ((steps + 0.4) * gain[:, None])[:, a:b], 500, 2, gain, np.zeros(2))
    assert between.gain is None
    for beyond in (32768.0, -32769.0):
        samples = gathered(
            lambda a, b, beyond=beyond: np.full((2, b - a), beyond) * gain[:, None], 500, 2, gain, np.zeros(2)
        )
        assert samples.gain is None
        assert samples.signal.dtype == np.float32


def test_blocks_join_to_the_whole(monkeypatch):
    monkeypatch.setattr("data_loaders.formats.integers._BLOCK_BYTES", 700)
    values = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    np.testing.assert_array_equal(gathered(lambda a, b: values[:, a:b], 1000, 3).signal, values.T)


def test_the_edf_header_agrees_with_the_one_that_edfio_reads(tmp_path):
    rng = np.random.default_rng(0)
    ranges = {"physical_range": (-500, 300), "physical_dimension": "uV"}
    signals = [EdfSignal(rng.normal(0, 20, 10 * rate), rate, label=f"C{rate}", **ranges) for rate in (100, 250)]
    edf = Edf(signals, data_record_duration=2)
    edf.write(tmp_path / "a.edf")
    header = edf_header(tmp_path / "a.edf")
    assert header.labels == ("C100", "C250")
    assert header.rates.tolist() == [100, 250]
    assert (header.n_records, header.n_records_found, header.record_duration) == (5, 5, 2)
    for index, signal in enumerate(edf.signals):
        physical = signal.digital * header.gain[index] + header.offset[index]
        np.testing.assert_allclose(physical, 1e-6 * signal.data, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "likely"), [(20.0, "uV"), (0.05, "mV"), (2e4, "nV"), (2e-11, "scaled twice")])
def test_the_likely_unit_is_the_one_that_makes_a_brain_of_it(size, likely):
    signal = size * np.random.default_rng(0).normal(size=(1000, 3))
    with pytest.raises(ValueError, match=f"a.edf: eeg .* likely .*{likely}"):
        checked(_recording(signal))


def test_offsets_of_the_amplifier_are_no_wrong_unit():
    signal = 2e-5 * np.random.default_rng(0).normal(size=(1000, 3)) + 0.04
    assert checked(_recording(signal)).decisions == ()


def test_a_clean_recording_is_left_as_it_is():
    recording = _recording(2e-5 * np.random.default_rng(0).normal(size=(1000, 3)))
    after = checked(recording)
    np.testing.assert_array_equal(after.signal, recording.signal)
    assert (after.bads, after.decisions) == ((), ())


def test_no_electrode_of_the_10_05_system_is_taken_for_something_else():
    assert {guess_type(name) for name in standard_positions()} == {"eeg"}
    assert {guess_type(f"EEG {name}-REF") for name in standard_positions()} == {"eeg"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ECG ECG", "ecg"), ("EKG1", "ecg"), ("EEG A2-A1", "misc"), ("HEOG", "eog"), ("EOG1", "eog"), ("LOC", "eog"), ("EMG-chin", "emg"),
        ("Status", "misc"), ("Trigger", "misc"), ("TRIG IN", "misc"), ("STI 014", "misc"), ("Resp nasal", "resp"), ("SpO2", "misc"),
        ("EXG3", "misc"), ("GSR1", "gsr"), ("Temp rectal", "temperature"), ("POL DC07", "misc"), ("PHOTIC", "misc"), ("Fp1-F7", "eeg"),
        ("E17", "eeg"), ("A1", "eeg"), ("EEG 001", "eeg"), ("B32", "eeg"),
    ],
)  # fmt: skip
def test_names_that_are_not_of_electrodes_are_told_apart(name, kind):
    assert guess_type(name) == kind


@pytest.mark.parametrize(
    ("name", "clean"), [("EEG FPZ-LE", "Fpz"), ("Fc5.", "FC5"), ("EEG 001", "EEG 001"), ("Fp1-F7", "Fp1-F7")]
)
def test_names_are_spelt_as_the_system_spells_them(name, clean):
    assert clean_name(name) == clean
