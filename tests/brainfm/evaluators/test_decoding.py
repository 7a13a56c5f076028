"""The decoding evaluator: predictions joined by window, scores beside chance and baselines, mistakes named."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch

from brainfm.baselines.base import Baseline
from brainfm.baselines.log_variance import LogVariance
from brainfm.baselines.majority import Majority
from brainfm.baselines.mean import Mean
from brainfm.baselines.ridge import Ridge
from brainfm.evaluators.base import gather
from brainfm.evaluators.decoding import Decoding
from brainfm.statistics.metrics import ClassTally
from data_loaders.contracts import SCORE_COLUMNS, Batch

N_SUBJECTS, N_TRIALS = 8, 30
FACTS = {"n_chans": 4, "n_times": 64, "sfreq": 64.0}


@dataclass(frozen=True)
class Target:
    name: str
    classes: tuple[str, ...]
    names: tuple[str, ...] = ()


CLASSES, VALUES = Target("cue", ("left", "right")), Target("speed", (), ("x", "y"))


@dataclass(frozen=True)
class Planted:
    """Trials whose first channel is stronger for the second class, and whose second channel holds the values."""

    signal: torch.Tensor
    cue: torch.Tensor
    speed: torch.Tensor
    subject: torch.Tensor

    def batches(self, subjects: range) -> Iterator[Batch]:
        chosen = torch.isin(self.subject, torch.tensor(list(subjects))).nonzero()[:, 0]
        for rows in chosen.split(32):
            yield self.batch(rows)

    def batch(self, rows: torch.Tensor) -> Batch:
        n, (_, n_chans, n_times) = len(rows), self.signal.shape
        masks = torch.ones(n, n_chans, dtype=torch.bool), torch.ones(n, n_times, dtype=torch.bool)
        subject = self.subject[rows]
        targets = {"cue": self.cue[rows], "speed": self.speed[rows]}
        return Batch(
            self.signal[rows], torch.full((n,), 64.0), torch.zeros(n, n_chans, 3), *masks, subject, subject, rows, rows,
            targets=targets,
        )  # fmt: skip

    def table(self, subjects: range, fold: int = 0) -> pd.DataFrame:
        rows = np.flatnonzero(np.isin(self.subject.numpy(), list(subjects)))
        subject = self.subject.numpy()[rows]
        columns = {"subject": [f"{s:02d}" for s in subject], "session": "", "run": "", "fold": fold, "seed": 0}
        columns |= {"recording_name": [f"sub-{s:02d}" for s in subject], "segment": rows, "onset_s": rows.astype(float)}
        return pd.DataFrame(columns, index=pd.Index(rows, name="window_id"))


@pytest.fixture(scope="module")
def planted() -> Planted:
    rng = np.random.default_rng(0)
    n = N_SUBJECTS * N_TRIALS
    cue, speed = rng.integers(0, 2, n), rng.standard_normal((n, 2))
    signal = rng.standard_normal((n, 4, 64))
    signal[:, 0] *= (1 + 0.4 * cue)[:, None]
    signal[:, 1:3] += speed[:, :, None]
    return Planted(
        torch.tensor(signal, dtype=torch.float32), torch.tensor(cue), torch.tensor(speed, dtype=torch.float32),
        torch.tensor(np.repeat(np.arange(N_SUBJECTS), N_TRIALS)),
    )  # fmt: skip


def guess(batch: Batch) -> torch.Tensor:
    """A model that reads the strength of the first channel."""
    assert batch.signal is not None
    p = torch.sigmoid(4 * (batch.signal[:, 0].std(1) - 1.2))
    return torch.stack([1 - p, p], 1)


def judged(planted: Planted, evaluator: Decoding, test: range, train: range, target: Target = CLASSES, fold: int = 0):
    evaluator.begin("ours", [CLASSES, VALUES], FACTS)
    for batch in planted.batches(test):
        output = guess(batch) if target is CLASSES else batch.targets["speed"] + 0.5
        evaluator.update({target.name: output}, batch)
    evaluator.fit_baselines(planted.batches(train), planted.batches(test))
    return evaluator.compute(planted.table(test, fold))


def few(baselines: list[Baseline], metrics: list[str] | None = None) -> Decoding:
    return Decoding(metrics, baselines, n_permutations=100, n_bootstraps=300)


def test_each_subject_is_scored_beside_chance_and_the_best_linear_baseline(planted) -> None:
    scores = judged(planted, few([Majority(), LogVariance()]), range(4), range(4, 8))
    rows = scores.rows
    assert set(SCORE_COLUMNS) <= set(rows.columns)
    assert set(rows["model"]) == {"ours", "majority", "log-variance + LDA"}
    ours = rows[(rows["model"] == "ours") & (rows["metric"] == "auroc")].set_index("subject")
    for batch in planted.batches(range(1, 2)):
        expected = ClassTally(2).score(batch.targets["cue"].numpy(), guess(batch).numpy())["auroc"]
    assert ours.loc["01", "value"] == pytest.approx(expected)
    assert ours["n_samples"].tolist() == [N_TRIALS] * 4
    assert ours["chance"].to_numpy() == pytest.approx(0.5, abs=0.05)
    linear = rows[(rows["model"] == "log-variance + LDA") & (rows["metric"] == "auroc")]
    assert ours["baseline"].tolist() == linear["value"].tolist()


def test_values_stand_beside_ridge_and_the_mean(planted) -> None:
    evaluator = few([Mean(), Ridge(), LogVariance()])
    rows = judged(planted, evaluator, range(4), range(4, 8), VALUES).rows
    r2 = rows[rows["metric"] == "r2"].groupby("model")["value"].mean()
    assert r2["ridge"] > 0.9 > r2["ours"] > 0.5 > r2["mean"]
    assert set(r2.index) == {"ours", "ridge", "mean"}
    assert {"truth_x", "value_y"} <= set(evaluator.predictions.columns)
    assert rows.loc[rows["model"] == "ridge", "chosen"].str.contains("3 folds over 4 groups of the training part").all()


def test_the_order_of_batches_does_not_matter(planted) -> None:
    rows = []
    for order in (1, -1):
        evaluator = few([])
        evaluator.begin("ours", [CLASSES], FACTS)
        for batch in list(planted.batches(range(3)))[::order]:
            evaluator.update({"cue": guess(batch)}, batch)
        rows.append(evaluator.compute(planted.table(range(3))).rows)
    pd.testing.assert_frame_equal(*rows)


def test_the_summary_covers_all_folds_and_says_how(planted, tmp_path) -> None:
    parts, rows = [], []
    for fold, (test, train) in enumerate([(range(4), range(4, 8)), (range(4, 8), range(4))]):
        evaluator = few([LogVariance()], ["auroc", "accuracy"])
        rows.append(judged(planted, evaluator, test, train, fold=fold).rows)
        evaluator.predictions.to_parquet(tmp_path / f"{fold}.parquet")
        parts.append(pd.read_parquet(tmp_path / f"{fold}.parquet"))
    summary = evaluator.summarise(pd.concat(parts), pd.concat(rows))
    assert summary["metric"].tolist() == ["auroc", "accuracy"] * 2
    assert summary["n_subjects"].unique().tolist() == [8]
    assert summary["n_samples"].unique().tolist() == [N_SUBJECTS * N_TRIALS]
    first, second = summary.iloc[0], summary.iloc[2]
    assert first["low"] < first["value"] < first["high"]
    assert first["p"] == pytest.approx(1 / 101)
    assert "8 subjects" in first["interval"]
    assert second["paired"] == "8 subjects"
    assert "nothing to choose" in second["chosen"]
    per_subject = pd.concat(rows).query("model == 'ours' and metric == 'auroc'")["value"]
    assert first["value"] == pytest.approx(per_subject.mean())


def test_a_window_predicted_twice_or_never_is_named(planted) -> None:
    evaluator = few([])
    evaluator.begin("ours", [CLASSES], FACTS)
    batches = list(planted.batches(range(2)))
    for batch in batches[:-1]:
        evaluator.update({"cue": guess(batch)}, batch)
    with pytest.raises(ValueError, match=r"28 of 60 test windows are not predicted.*sub-01 at 32 s"):
        evaluator.compute(planted.table(range(2)))
    evaluator.update({"cue": guess(batches[0])}, batches[0])
    with pytest.raises(ValueError, match=r"predicted twice.*sub-00 at 0 s"):
        evaluator.compute(planted.table(range(2)))


def test_a_window_that_the_table_lacks_is_named(planted) -> None:
    evaluator = few([])
    evaluator.begin("ours", [CLASSES], FACTS)
    for batch in planted.batches(range(2)):
        evaluator.update({"cue": guess(batch)}, batch)
    with pytest.raises(ValueError, match="30 of 30 test windows are not in the table"):
        evaluator.compute(planted.table(range(1)))


def test_a_target_that_batches_lack_and_an_unknown_metric_are_refused(planted) -> None:
    evaluator = few([])
    evaluator.begin("ours", [CLASSES], FACTS)
    batch = next(planted.batches(range(1)))
    with pytest.raises(ValueError, match="add it to data"):
        evaluator.update({"hand": guess(batch)}, batch)
    with pytest.raises(ValueError, match="name some of accuracy, balanced_accuracy"):
        Decoding(metrics=["acuracy"])


def test_a_subject_with_one_class_is_nan_and_printed(planted, capsys) -> None:
    lopsided = replace(planted, cue=torch.where(planted.subject == 1, 0, planted.cue))
    rows = judged(lopsided, few([], ["accuracy", "auroc"]), range(4), range(4, 8)).rows
    assert rows[rows["value"].isna()][["subject", "metric"]].to_numpy().tolist() == [["01", "auroc"]]
    assert "ours, cue: auroc undefined for subject 01 in fold 0" in capsys.readouterr().out


def test_one_label_per_subject_is_scored_over_the_fold(planted) -> None:
    diagnosis = replace(planted, cue=planted.subject % 2)
    rows = judged(diagnosis, few([], ["auroc"]), range(4), range(4, 8)).rows
    assert rows["subject"].tolist() == ["all"]


def test_what_does_not_suit_is_printed_with_the_reason(planted, capsys) -> None:
    evaluator = Decoding(n_permutations=10)
    evaluator.begin("ours", [CLASSES], FACTS | {"n_chans": 1, "n_times": 4})
    assert {baseline.name for baseline in evaluator._suited("cue")} == {"majority", "time samples + LDA"}
    assert "CSP + LDA left out: one channel has no spatial filter" in capsys.readouterr().out
    evaluator.begin("ours", [CLASSES], {})
    assert evaluator._suited("cue") == []
    assert "batches carry no signal" in capsys.readouterr().out


def test_padded_channels_leave_the_baselines_out(planted, capsys) -> None:
    evaluator = few([LogVariance()])
    evaluator.begin("ours", [CLASSES], FACTS)
    for batch in planted.batches(range(2)):
        mask = batch.ch_mask.clone()
        mask[0, 3] = False
        evaluator.update({"cue": guess(batch)}, replace(batch, ch_mask=mask))
    evaluator.fit_baselines(planted.batches(range(4, 8)), planted.batches(range(2)))
    assert set(evaluator.compute(planted.table(range(2))).rows["model"]) == {"ours"}
    assert "recordings differ in channels or length" in capsys.readouterr().out


def test_a_large_part_is_thinned_without_regard_to_rhythm_or_batches(planted, capsys) -> None:
    everyone = range(N_SUBJECTS)
    some = gather(planted.batches(everyone), max_windows=100)
    assert "fitted on 100 of 240 training windows" in capsys.readouterr().out
    rows = torch.arange(240)
    other = gather((planted.batch(part) for part in rows.flip(0).split(7)), max_windows=100)
    np.testing.assert_array_equal(some.signal, other.signal)
    assert (np.diff(some.subject) >= 0).all()
    assert abs(np.mean(some.targets["cue"]) - planted.cue.float().mean().item()) < 0.1
    parity = gather((replace(planted.batch(rows), targets={"cue": rows % 2}) for _ in range(1)), max_windows=100)
    assert abs(parity.targets["cue"].mean() - 0.5) < 0.1
