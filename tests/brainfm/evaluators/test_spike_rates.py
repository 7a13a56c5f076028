"""Spike rates: the bits that a Poisson likelihood gives, nothing for the mean rate, and baselines that see the past only."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from brainfm.evaluators.spike_rates import SpikeRates
from brainfm.statistics.spike_counts import counted
from brainfm.statistics.spike_likelihood import GLM, MeanRate, SmoothedRate, Timeline, bits_per_spike, log_likelihood

N_UNITS, FACTS = 3, {"n_units": [3], "set_of": [0]}


def batches(spikes, n: int, seed: int, first_id: int = 0):
    """Unit 1 fires in a window if unit 0 fired just before it; unit 2 fires at random."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(n):
        led = rng.random() < 0.5
        past = [(0, -0.02)] if led else []
        current = ([(1, 0.01)] if rng.random() < (0.9 if led else 0.1) else []) + (
            [(2, 0.03)] if rng.random() < 0.3 else []
        )
        rows.append((past, current))
    made = spikes.batch(spikes.events([p for p, _ in rows]), spikes.events([c for _, c in rows]))
    made.window_id.add_(first_id)
    return made


def table(batch) -> pd.DataFrame:
    n = len(batch)
    about = {"recording_name": "r", "subject": "s", "session": "1", "run": "", "fold": 0, "seed": 0, "segment": 0}
    frame = pd.DataFrame(
        {**about, "onset_s": 0.05 * np.arange(n)}, index=pd.Index(batch.window_id.numpy(), name="window_id")
    )
    return frame


def judged(spikes, rates) -> SimpleNamespace:
    evaluator = SpikeRates(n_bootstraps=200)
    evaluator.begin("ours", [], FACTS)
    train, test = batches(spikes, 600, 0), batches(spikes, 400, 1)
    evaluator.update({"spikes": torch.as_tensor(rates(test)).float().flatten(1)}, test)
    evaluator.fit_baselines([train], [test])
    scores = evaluator.compute(table(test))
    return SimpleNamespace(
        rows=scores.rows.set_index(["model", "metric"]),
        test=test,
        summary=evaluator.summarise(evaluator.predictions, scores.rows),
    )


def planted(test) -> np.ndarray:
    """The rates that the spikes were drawn with."""
    led = counted(test.events["past"], N_UNITS, 15, -0.15, 0.01)[:, 0].sum(1) > 0
    rates = np.full((len(led), N_UNITS, 5), 1e-3)
    rates[:, 1, 1], rates[:, 2, 3] = np.where(led, 0.9, 0.1), 0.3
    return rates


def test_the_true_rates_beat_the_mean_by_the_bits_of_the_formula(spikes) -> None:
    found = judged(spikes, planted)
    counts = counted(found.test.events["current"], N_UNITS, 5, 0.0, 0.01)
    train = counted(batches(spikes, 600, 0).events["current"], N_UNITS, 5, 0.0, 0.01)
    mean = (train.sum((0, 2)) + 0.5) / (600 * 5)
    rates = planted(found.test)
    null = np.broadcast_to(mean[None, :, None], counts.shape)
    by_hand = (
        sum((counts * np.log(r) - r).sum() * sign for r, sign in ((rates, 1), (null, -1))) / np.log(2) / counts.sum()
    )
    assert found.rows.loc[("ours", "bits_per_spike"), "value"] == pytest.approx(by_hand, rel=1e-5)
    assert by_hand > 1


def test_the_mean_rate_is_worth_nothing_and_the_glm_finds_who_led(spikes) -> None:
    rows = judged(spikes, planted).rows["value"]
    assert rows["mean rate", "bits_per_spike"] == 0
    assert rows["GLM", "bits_per_spike"] > 0.2
    # unit 1 says nothing of its own past: smoothing its rate does not help
    assert abs(rows["smoothed rate", "bits_per_spike"]) < 0.03
    assert rows["GLM", "rate_r"] > 0.2 > rows["mean rate", "rate_r"]


def test_the_summary_has_intervals_around_the_value_and_the_lead_over_each_baseline(spikes) -> None:
    summary = judged(spikes, planted).summary.query("metric == 'bits_per_spike'").set_index("model")
    assert (summary["low"] <= summary["value"]).all()
    assert (summary["high"] >= summary["value"]).all()
    lead = summary.loc["ours", "value"] - summary["value"]
    assert summary["difference"].to_numpy() == pytest.approx(lead.to_numpy(), abs=1e-9)
    assert summary.loc["GLM", "paired"].startswith("95 % interval of the lead")


def test_rates_of_nothing_are_refused_with_what_gives_them(spikes) -> None:
    evaluator = SpikeRates()
    evaluator.begin("ours", [], FACTS)
    with pytest.raises(ValueError, match="take SpikePrediction with rates one_step or rollout"):
        evaluator.update({"velocity": torch.zeros(4, 2)}, batches(spikes, 4, 0))
    with pytest.raises(ValueError, match="rates are of 6 units"):
        evaluator.update({"spikes": torch.zeros(4, 30)}, batches(spikes, 4, 0))
    with pytest.raises(ValueError, match="no field of spikes"):
        evaluator.begin("ours", [], {"n_chans": 3})


def test_counts_stand_in_their_bins(spikes) -> None:
    found = counted(spikes.events([[(1, -0.15), (1, -0.001), (0, -0.1)]]), 2, 15, -0.15, 0.01)
    assert np.argwhere(found[0]).tolist() == [[0, 5], [1, 0], [1, 14]]


def test_baselines_agree_with_their_closed_forms() -> None:
    rng = np.random.default_rng(0)
    for ahead in (False, True):
        seen = Timeline(rng.poisson(0.2, (500, 4, 6)).astype(float), rng.poisson(0.2, (500, 4, 5)).astype(float), ahead)
        few = seen.part(slice(0, 2))
        mean = MeanRate().fit(seen).predict(few)
        assert mean[0, :, 0] == pytest.approx((seen.counts.sum((0, 2)) + 0.5) / 2500)
        # spikes at random: a smoothed rate gains nothing in training, so it stays near the mean
        smooth = SmoothedRate().fit(seen)
        assert np.abs(smooth.predict(seen) - mean[:1]).max() < 0.1
        glm = GLM().fit(seen)
        # a Poisson regression keeps the mean
        assert glm.predict(seen).sum((0, 2)) == pytest.approx(seen.counts.sum((0, 2)), rel=0.02)
        assert "alpha=" in glm.chosen
        null = log_likelihood(seen.counts, np.broadcast_to(mean[:1], seen.counts.shape))
        assert bits_per_spike(null, null, seen.counts.sum((1, 2))) == 0


def test_a_look_back_ends_before_the_bin_or_before_the_window() -> None:
    past, counts = np.arange(1, 5.0).reshape(1, 1, 4), np.array([[[10.0, 20, 30]]])
    by_bin, ahead = Timeline(past, counts), Timeline(past, counts, ahead=True)
    assert by_bin.recent(0, 2).tolist() == [[[7, 14, 30]]]
    assert by_bin.recent(1, 4).tolist() == [[[6, 9, 17]]]
    assert ahead.recent(0, 2).tolist() == [[[7]]]
    assert ahead.per_bin(ahead.observed).tolist() == [[[20, 20, 20]]]


@pytest.mark.parametrize("ahead", [False, True])
def test_no_baseline_knows_what_it_predicts(ahead) -> None:
    rng = np.random.default_rng(1)
    past, counts = rng.poisson(0.4, (300, 3, 8)).astype(float), rng.poisson(0.4, (300, 3, 4)).astype(float)
    other = rng.poisson(0.4, counts.shape).astype(float)
    for baseline in (MeanRate(), SmoothedRate(), GLM()):
        fitted = baseline.fit(Timeline(past, counts, ahead))
        rates = fitted.predict(Timeline(past, counts, ahead))
        for b in range(4):
            mixed = np.concatenate([counts[..., :b], other[..., b:]], 2)
            assert fitted.predict(Timeline(past, mixed, ahead))[..., b] == pytest.approx(rates[..., b], rel=1e-5)
        if ahead:
            assert fitted.predict(Timeline(past, other, ahead)) == pytest.approx(rates, rel=1e-5)
