"""Co-smoothing, PSTH and rollouts: what a planted model is worth, and what none may know."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from brainfm.encoders.neuroformer import Neuroformer
from brainfm.evaluators.co_smoothing import CoSmoothing
from brainfm.evaluators.psth import PSTH
from brainfm.evaluators.rollouts import Rollouts, stretches
from brainfm.objectives.spike_prediction import SpikePrediction
from brainfm.statistics.psth import Trials, correlation
from brainfm.statistics.spike_counts import Firing, agreement, counted

FACTS = {"n_units": [4], "set_of": [0]}


class Leader:
    """Says that unit 3 fires at 0.8 in the first bin where unit 0 is seen to have fired before the window, else at 0.1."""

    def predict(self, batch) -> dict:
        led = counted(batch.events["past"], 4, 15, -0.15, 0.01)
        rates = np.full((len(batch), 4, 5), 1e-3)
        rates[:, 3, 0] = np.where(led[:, 0].sum(1) > 0, 0.8, 0.1)
        self.seen = led.sum((0, 2))
        return {"spikes": torch.from_numpy(rates).float().flatten(1)}


def led_batch(spikes, n: int, seed: int):
    rng, past, current = np.random.default_rng(seed), [], []
    for _ in range(n):
        led, own = rng.random() < 0.5, rng.random() < 0.5
        past.append(([(0, -0.005)] if led else []) + ([(3, -0.02)] if own else []))
        current.append([(3, 0.001)] if rng.random() < (0.8 if led else 0.1) else [])
    return spikes.batch(spikes.events(past), spikes.events(current))


def about(n: int, **columns) -> pd.DataFrame:
    table = pd.DataFrame({"recording_name": "r", "subject": "s", "fold": 0, "seed": 0, **columns}, index=range(n))
    return table.rename_axis("window_id")


def test_units_held_out_are_predicted_from_the_others_alone(spikes) -> None:
    model, evaluator = Leader(), CoSmoothing()
    evaluator.begin("ours", [], FACTS)
    train, test = led_batch(spikes, 600, 0), led_batch(spikes, 400, 1)
    evaluator.probe(model, [test])
    assert model.seen[0] > 0
    assert model.seen[3] == 0
    evaluator.fit_baselines([train], [test])
    rows = evaluator.compute(about(400)).rows.set_index("model")
    rates = model.predict(test)["spikes"].numpy().reshape(400, 4, 5)[:, 3:]
    counts = counted(test.events["current"], 4, 5, 0.0, 0.01)[:, 3:]
    mean = (counted(train.events["current"], 4, 5, 0.0, 0.01)[:, 3].sum() + 0.5) / (600 * 5)
    by_hand = ((counts * np.log(rates / mean)).sum() - (rates - mean).sum()) / np.log(2) / counts.sum()
    assert rows.loc["ours", "value"] == pytest.approx(by_hand, rel=1e-4)
    assert by_hand > rows.loc["GLM", "value"] > 0.1
    assert rows.loc["ours", "baseline"] == rows.loc["GLM", "value"]
    summary = evaluator.summarise(pd.DataFrame(), rows.reset_index())
    assert summary["value"].tolist() == rows["value"].tolist()


def test_a_unit_that_is_held_out_changes_nothing_of_what_is_said(spikes) -> None:
    torch.manual_seed(0)
    small = {"dim": 16, "n_heads": 2, "state_layers": 1, "history_layers": 1, "block": 30, "past_block": 40}
    model, found = SpikePrediction(Neuroformer([4], **small), [4]).eval(), []
    batch = spikes.batch(spikes.random(0, 40, 4, -0.15, 0.0), spikes.random(1, 40, 4, 0.0, 0.05))
    other = {
        name: replace(events, time=torch.where(events.channel == 3, events.time * 0.5, events.time))
        for name, events in batch.events.items()
    }
    for one in (batch, replace(batch, events=other)):
        evaluator = CoSmoothing()
        evaluator.begin("ours", [], FACTS)
        evaluator.probe(model, [one])
        found.append(evaluator._rates[0])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def psth_of(spikes, rates: np.ndarray, tuned: np.ndarray, seed: int = 0):
    """40 trials of 16 windows; unit u fires in the windows of a trial as `tuned` [condition, window, unit] says."""
    rng, n = np.random.default_rng(seed), 40
    evaluator = PSTH(align="onset", start=0.0, stop=0.8)
    evaluator.begin("ours", [], FACTS)
    current = [
        [(u, 0.005 + 0.01 * k) for u in range(4) for k in range(rng.poisson(tuned[t % 2, w, u]))][:5]
        for t in range(n)
        for w in range(16)
    ]
    batch = spikes.batch(
        spikes.events([[] for _ in current]), spikes.events([[(u, min(s, 0.049)) for u, s in c] for c in current])
    )
    evaluator.update({"spikes": torch.from_numpy(rates).float().flatten(1)}, batch)
    trial, window = np.divmod(np.arange(16 * n), 16)
    onset = 3.0 * trial + 1.0
    table = about(16 * n, onset=onset, onset_s=onset + 0.05 * window, trial_type=np.array(["left", "right"])[trial % 2])
    return evaluator.compute(table).rows.iloc[0]


def test_the_true_rates_reach_the_ceiling_and_turned_ones_do_not(spikes) -> None:
    phase = 2 * np.pi * np.arange(16) / 16
    tuned = np.stack([[0.6 + 0.5 * np.sin(phase + u + 2 * c) for u in range(4)] for c in range(2)]).transpose(0, 2, 1)
    rates = np.stack([np.repeat(tuned[t % 2, w][:, None] / 5, 5, 1) for t in range(40) for w in range(16)])
    row = psth_of(spikes, rates, tuned)
    assert 0.8 < row["value"] < 1
    assert row["ceiling"] == pytest.approx(row["value"], abs=0.08)
    assert row["chosen"] == "4 of 4 units, 40 trials, 2 conditions"
    turned = psth_of(spikes, np.roll(rates.reshape(40, 16, 4, 5), 4, axis=1).reshape(-1, 4, 5), tuned)
    assert turned["value"] < 0.4


def test_histograms_are_means_over_the_trials_of_a_condition() -> None:
    counts = np.array([[[1.0, np.nan]], [[3.0, 4.0]], [[10.0, 10.0]]])
    found = Trials(counts, np.array([0, 0, 1])).histogram()
    assert found.tolist() == [[2, 4, 10, 10]]
    assert correlation(found, 2 * found + 1) == pytest.approx(1)
    assert np.isnan(correlation(found, 0 * found))


def test_windows_without_the_event_say_what_would_have_it(spikes) -> None:
    evaluator = PSTH()
    evaluator.begin("ours", [], FACTS)
    batch = led_batch(spikes, 3, 0)
    evaluator.update({"spikes": torch.zeros(3, 20)}, batch)
    with pytest.raises(ValueError, match=r"no column 'onset'.*trial_type='\*'"):
        evaluator.compute(about(3, onset_s=0.0))


def test_firing_has_the_moments_of_its_process() -> None:
    rng = np.random.default_rng(0)
    common = rng.poisson(2.0, (4000, 1, 5))
    counts = np.concatenate([common + rng.poisson(1.0, common.shape), common, rng.poisson(4.0, common.shape)], 1)
    found = Firing.of(counts.astype(float))
    assert found.rate == pytest.approx([3, 2, 4], rel=0.03)
    assert found.fano == pytest.approx([1, 1, 1], abs=0.05)
    assert found.pairs == pytest.approx([np.sqrt(2 / 3), 0, 0], abs=0.03)  # cov 2 over the root of 3 * 2
    assert np.isnan(Firing.of(np.zeros((3, 2, 4))).fano).all()
    assert np.isnan(agreement(np.ones(4), np.arange(4.0)))


def test_rollouts_of_a_model_that_knows_the_rates_have_them(spikes) -> None:
    """A model without layers that matter: the unit of the next spike is drawn from fixed odds."""
    torch.manual_seed(0)
    small = {"dim": 16, "n_heads": 2, "state_layers": 1, "history_layers": 1, "block": 12, "past_block": 40}
    model = SpikePrediction(Neuroformer([4], **small), [4]).eval()
    odds = torch.tensor([0.5, 0.25, 0.125, 0.125])
    model.next_logits = lambda ids, *_: (  # type: ignore[method-assign]
        torch.cat([odds.log(), torch.tensor([-9e9, 1e-3, -9e9])]).expand(*ids.shape, -1),
        torch.zeros(*ids.shape, model.vocabulary.n_steps),
    )
    rng = np.random.default_rng(0)
    rows = [[(int(u), 0.02) for u in rng.choice(4, rng.poisson(2), p=odds.numpy())] for _ in range(200)]
    batch = spikes.batch(spikes.events([[] for _ in rows]), spikes.events(rows))
    batch.window_id.mul_(50)
    evaluator = Rollouts(n_windows=10)
    evaluator.begin("ours", [], FACTS)
    evaluator.probe(model, [batch.rows(slice(0, 120)), batch.rows(slice(120, 200))])
    evaluator.fit_baselines([batch], [])
    scores = evaluator.compute(about(200)).rows.set_index(["model", "metric"])
    assert scores.loc[("ours", "rates_r"), "value"] > 0.95
    assert scores.loc[("Poisson", "rates_r"), "value"] > 0.95
    assert "spikes/s" in scores.loc[("ours", "rates_r"), "chosen"]
    assert evaluator._counts["recorded"].sum() == sum(map(len, rows))


def test_stretches_do_not_cross_gaps() -> None:
    ids = np.array([200, 0, 50, 100, 150, 400, 450, 500])
    assert stretches(ids, 2).tolist() == [[1, 2], [3, 4], [5, 6]]
