"""Reconstruction: R2 is what its definition says, per study and subject, beside baselines that see the same patches."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from brainfm.evaluators.reconstruction import Reconstruction
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]
N = 40


def made(noise: float, seed: int = 0) -> dict[str, torch.Tensor]:
    """Patches [40, 3, 8, 5] of channels that are alike, half of them hidden, told back with some noise."""
    rng = torch.Generator().manual_seed(seed)
    shared = torch.randn(N, 1, 8, 5, generator=rng)
    truth = shared + 0.2 * torch.randn(N, 3, 8, 5, generator=rng)
    hidden = (torch.rand(N, 3, 8, generator=rng) < 0.5).float()
    guess = truth + noise * torch.randn(N, 3, 8, 5, generator=rng)
    return {"reconstruction": guess, "truth": truth, "hidden": hidden, "visible": 1 - hidden}


def scored(
    as_batch: AsBatch, prediction: dict[str, torch.Tensor], n_subjects: int = 8
) -> tuple[Reconstruction, pd.DataFrame]:
    batch = replace(as_batch(torch.zeros(N, 1, 1)), window_id=torch.arange(N))
    evaluator = Reconstruction(n_bootstraps=200)
    evaluator.begin("Model", [], {})
    evaluator.update(prediction, batch)
    subject = np.arange(N) % n_subjects
    table = pd.DataFrame({"study": "s", "subject": subject.astype(str), "fold": 0, "seed": 0, "onset_s": np.arange(N) / 2,
                          "recording_name": subject.astype(str)}, index=pd.Index(range(N), name="window_id"))  # fmt: skip
    return evaluator, evaluator.compute(table).rows


def test_r2_of_a_subject_is_one_minus_error_over_spread(as_batch: AsBatch) -> None:
    prediction = made(0.5)
    _, rows = scored(as_batch, prediction)
    mine = torch.arange(N) % 8 == 3
    hidden = prediction["hidden"][mine].bool()
    truth, guess = prediction["truth"][mine][hidden], prediction["reconstruction"][mine][hidden]
    expected = 1 - (guess - truth).square().sum() / truth.square().sum()
    value = rows.query("model == 'Model' and subject == '3'")["value"].item()
    assert value == pytest.approx(float(expected), abs=1e-5)


def test_a_perfect_model_scores_one_and_the_visible_mean_scores_zero(as_batch: AsBatch) -> None:
    perfect = made(0.0)
    assert scored(as_batch, perfect)[1].query("model == 'Model'")["value"].min() == 1
    mean = perfect | {"reconstruction": torch.zeros_like(perfect["truth"])}
    assert scored(as_batch, mean)[1].query("model == 'Model'")["value"].abs().max() < 1e-6


def test_channels_that_are_alike_are_read_off_each_other(as_batch: AsBatch) -> None:
    _, rows = scored(as_batch, made(0.5))
    means = rows.groupby("model")["value"].mean()
    # a quarter of the hidden patches has no other channel visible at its time
    assert means["Ridge over channels"] > 0.5
    assert means["Lines in time"] < 0
    ridge = rows[rows["model"] == "Ridge over channels"].set_index("subject")["value"]
    assert rows["baseline"].tolist() == ridge[rows["subject"]].tolist()


def test_hidden_patches_never_reach_a_baseline(as_batch: AsBatch) -> None:
    prediction = made(0.5)
    _, rows = scored(as_batch, prediction)
    other = prediction | {"truth": torch.where(prediction["hidden"].bool()[..., None], 9.0, prediction["truth"])}
    evaluator, _ = scored(as_batch, other)
    assert len(rows) == 24
    # errors differ, as the truth does; what was filled in does not: 9 minus it is the error
    from brainfm.statistics.filling import by_channels

    hidden = prediction["hidden"][0].bool().numpy()
    filled = by_channels((prediction["truth"][0] * prediction["visible"][0][..., None]).numpy(), ~hidden)
    error = evaluator.predictions.query("model == 'Ridge over channels'").loc[0, "error"]
    assert error == pytest.approx(np.square(9 - filled[hidden]).sum(), rel=1e-5)


def test_the_summary_has_an_interval_over_subjects_and_a_paired_lead(as_batch: AsBatch) -> None:
    evaluator, rows = scored(as_batch, made(0.5))
    summary = evaluator.summarise(evaluator.predictions, rows).set_index("model")
    ours = summary.loc["Model"]
    assert ours["low"] < ours["value"] < ours["high"]
    assert ours["value"] == pytest.approx(rows.query("model == 'Model'")["value"].mean())
    assert "8 subjects" in ours["interval"]
    assert summary.loc["Lines in time", "difference"] == pytest.approx(
        ours["value"] - summary.loc["Lines in time", "value"]
    )


def test_one_subject_is_resampled_in_blocks_of_time(as_batch: AsBatch) -> None:
    evaluator, rows = scored(as_batch, made(0.5), n_subjects=1)
    ours = evaluator.summarise(evaluator.predictions, rows).set_index("model").loc["Model"]
    assert "of 1 subject" in ours["interval"]
    assert ours["low"] < ours["value"] < ours["high"]


def test_another_objective_or_a_missing_window_is_refused(as_batch: AsBatch) -> None:
    evaluator = Reconstruction()
    evaluator.begin("Model", [], {})
    with pytest.raises(ValueError, match="take MaskedReconstruction"):
        evaluator.update({"task": torch.zeros(2, 2)}, as_batch(torch.zeros(2, 1, 1)))
    prediction = {name: value[:2] for name, value in made(0.1).items()}
    evaluator.update(prediction, as_batch(torch.zeros(2, 1, 1)))
    with pytest.raises(ValueError, match="once"):
        evaluator.compute(pd.DataFrame({"study": "s", "subject": "1"}, index=[0, 1, 2]))
