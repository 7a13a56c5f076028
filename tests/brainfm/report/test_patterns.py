"""Patterns and maps: they show where the signal comes from."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from brainfm.report.patterns import Patterns, activation, outputs, patterns_of
from brainfm.report.results import Results
from brainfm.report.topomap import flattened, panels


def test_the_planted_sensor_has_the_strongest_log_power_pattern(classification_run):
    patterns = patterns_of(Results(classification_run), "EEGNeX", "trial_type")
    assert patterns is not None
    assert np.abs(patterns.power[0]).argmax() == 4
    assert patterns.power[0, 4] > 0
    assert list(patterns.outputs) == ["task"]


def test_a_power_effect_without_an_evoked_one_gives_no_amplitude_map(classification_run):
    patterns = patterns_of(Results(classification_run), "EEGNeX", "trial_type")
    assert patterns is not None
    assert np.isnan(patterns.peak)
    assert [panel.unit for panel in panels(patterns)] == ["dB"]


def test_kept_patterns_are_those_that_were_computed(classification_run):
    (classification_run / "patterns.npz").unlink(missing_ok=True)
    first = patterns_of(Results(classification_run), "EEGNeX", "trial_type")
    again = patterns_of(Results(classification_run), "EEGNeX", "trial_type")
    assert (classification_run / "patterns.npz").exists()
    assert first is not None
    assert again is not None
    assert_allclose(first.power, again.power)


def test_an_activation_gives_back_the_mixing_and_not_the_weights():
    """Two sensors share noise: the best weights are +1 and -1, but only the first sensor sees the source."""
    rng = np.random.default_rng(0)
    source, noise = rng.standard_normal((2, 4000))
    wave = np.array([1.0, -1.0])
    signals = np.stack([source + noise, noise], 1)[:, :, None] * wave  # [window, channel, time]
    output = (signals[:, 0, 0] - signals[:, 1, 0])[:, None]
    found = activation(signals, output / output.std())
    assert_allclose(found.amplitude[0, :, 0], [1.0, 0.0], atol=0.05)
    assert found.peak(4000) in (0, 1)


def test_noise_has_no_peak():
    rng = np.random.default_rng(0)
    found = activation(rng.standard_normal((500, 8, 50)), rng.standard_normal((500, 1)))
    assert found.peak(500) is None


def test_outputs_are_standardised_within_each_fold():
    p = np.array([0.6, 0.7, 0.8, 0.1, 0.2, 0.9])
    names, values = outputs(pd.DataFrame({"p_a": 1 - p, "p_b": p, "fold": [0, 0, 0, 1, 1, 1]}))
    assert names == ["b"]
    assert_allclose(
        [values[:3].mean(), values[:3].std(), values[3:].mean(), values[3:].std()], [0, 1, 0, 1], atol=1e-12
    )


@pytest.mark.parametrize("radius", [0.08, 0.12])
def test_a_place_on_the_map_does_not_depend_on_the_size_or_centre_of_the_head(radius):
    directions = np.random.default_rng(0).standard_normal((30, 3))
    sphere = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert_allclose(flattened(sphere * radius + [0.01, -0.02, 0.04]), flattened(sphere), atol=1e-9)


def test_the_crown_is_in_the_middle_and_the_ears_are_on_the_rim():
    sphere = np.array([[0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0.6, 0, 0.8]])
    places = flattened(0.1 * sphere)
    assert_allclose(places[0], [0, 0], atol=1e-9)
    assert_allclose(np.linalg.norm(places[1:5], axis=1), 0.095)


def test_the_two_gradiometers_of_a_place_are_one_point_with_their_length():
    positions = np.repeat(np.array([[0, 0, 0.1], [0.1, 0, 0], [0, 0.1, 0], [-0.1, 0, 0]]), 2, axis=0)
    amplitude = np.tile([3e-13, 4e-13], 4)[None]
    maps = panels(
        Patterns("M", np.array(["b"]), np.zeros((1, 8)), amplitude, 0.1, np.array(["grad"] * 8), positions, 10)
    )
    assert_allclose(maps[1].values, np.full(4, 5.0))
    assert maps[1].unit == "fT/cm"
