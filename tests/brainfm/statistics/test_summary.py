"""The table of a run: planted effects are found, nulls stay at chance, and intervals cover the truth."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainfm.statistics.predictions import Predicted, from_table, to_table
from brainfm.statistics.summary import Draws, summarise

FEW = Draws(n_permutations=200, n_bootstraps=1000)


def decoded(
    seed: int,
    n_subjects: int,
    skill: tuple[float, float] | None,
    n_trials: tuple[int, int] = (20, 120),
    n_folds: int = 1,
) -> pd.DataFrame:
    """Two classes; each subject's accuracy is drawn from Beta(skill) and its number of trials is its own; None: chance.

    Hits are independent, as those of one model on people whom it was not trained on: one fold, unless asked otherwise.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for s in range(n_subjects):
        n = int(rng.integers(*n_trials))
        truth = rng.permutation(np.arange(n) % 2)
        hit = rng.random(n) < (0.5 if skill is None else rng.beta(*skill))
        sure = 0.5 + rng.random(n) / 2
        p = np.where((truth == 1) == hit, sure, 1 - sure)
        windows = pd.DataFrame(
            {
                "window_id": s * 1000 + np.arange(n), "fold": s % n_folds, "seed": 0, "subject": f"{s:02d}", "session": "", "run": "",
                "recording_name": f"sub-{s:02d}", "segment": np.arange(n), "onset_s": np.arange(n, dtype=float),
            }
        )  # fmt: skip
        parts.append(to_table(Predicted("t", windows, truth, {"m": np.stack([1 - p, p], 1)}, ("no", "yes"))))
    return pd.concat(parts, ignore_index=True)


def row(summary: pd.DataFrame, metric: str, model: str = "m") -> pd.Series:
    return summary[(summary["metric"] == metric) & (summary["model"] == model)].iloc[0]


def coverage(
    n_subjects: int, skill: tuple[float, float] | None, repetitions: int, trials: tuple[int, int] = (20, 120)
) -> dict:
    """How often the interval holds the truth, per metric; how often p is at most 0.05."""
    truth = 0.5 if skill is None else skill[0] / (skill[0] + skill[1])
    metrics, covered, alarms = ("accuracy", "balanced_accuracy", "auroc"), [], 0
    for seed in range(repetitions):
        draws = Draws(n_permutations=200, n_bootstraps=1000, seed=seed)
        summary = summarise(decoded(seed, n_subjects, skill, trials), draws=draws)
        rows = [row(summary, metric) for metric in metrics]
        covered.append([r["low"] <= truth <= r["high"] for r in rows])
        alarms += rows[0]["p"] <= 0.05
    shares = dict(zip(metrics, np.mean(covered, axis=0), strict=True)) | {"p at most 0.05": alarms / repetitions}
    print(f"\n{n_subjects} subjects, skill {skill}: {shares}")
    return shares


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_subjects", "skill", "trials"),
    [
        (12, (8, 4), (20, 120)),
        (24, (8, 4), (20, 120)),
        (16, (30, 5), (20, 120)),
        (12, None, (20, 120)),
        (24, None, (20, 120)),
        (3, None, (100, 300)),
        (1, None, (100, 300)),
    ],
)
def test_intervals_cover_the_truth_in_90_to_99_of_100_repetitions(n_subjects, skill, trials) -> None:
    shares = coverage(n_subjects, skill, 200, trials)
    alarms = shares.pop("p at most 0.05")
    assert all(0.90 <= share <= 0.99 for share in shares.values())
    assert alarms == 1.0 if skill else alarms <= 0.09


def test_a_planted_effect_is_found_and_its_interval_mostly_covers_it() -> None:
    shares = coverage(12, (8, 4), 20)
    assert shares["p at most 0.05"] == 1.0
    assert min(shares.values()) >= 0.8  # of 20, with probability 0.997 each when the coverage is 95 %


def test_without_an_effect_the_value_stays_at_chance() -> None:
    found = row(summarise(decoded(0, 12, None), draws=FEW), "accuracy")
    assert found["low"] < 0.5 < found["high"]
    assert found["chance"] == pytest.approx(0.5, abs=0.01)
    assert found["value"] < found["chance_high"]
    assert found["p"] > 0.05


def test_chance_follows_an_imbalance_of_classes_where_the_metric_does() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(400) < 0.1).astype(int)
    windows = decoded(0, 1, None, (400, 401))[
        ["window_id", "fold", "seed", "subject", "recording_name", "segment", "onset_s"]
    ]
    windows = windows.assign(session="", run="")
    never = np.tile([0.9, 0.1], (400, 1))
    summary = summarise(to_table(Predicted("t", windows, truth, {"m": never}, ("no", "yes"))), draws=FEW)
    assert row(summary, "accuracy")["chance"] == pytest.approx(1 - truth.mean())
    assert row(summary, "balanced_accuracy")["chance"] == pytest.approx(0.5)
    assert row(summary, "accuracy")["p"] == 1.0


def test_subjects_weigh_the_same_whatever_their_number_of_trials() -> None:
    table = decoded(3, 8, (8, 4))
    hit = table["truth"] == np.where(table["p_yes"] > 0.5, "yes", "no")
    expected = hit.groupby(table["subject"]).mean().mean()
    assert row(summarise(table, draws=FEW), "accuracy")["value"] == pytest.approx(expected)


def test_the_interval_over_subjects_is_about_the_t_interval_of_their_scores() -> None:
    table = decoded(3, 20, (8, 4))
    hit = table["truth"] == np.where(table["p_yes"] > 0.5, "yes", "no")
    scores = hit.groupby(table["subject"]).mean()
    found = row(summarise(table, draws=Draws(50, 5000)), "accuracy")
    expected = stats.t.interval(0.95, 19, loc=scores.mean(), scale=stats.sem(scores))
    assert (found["low"], found["high"]) == pytest.approx(expected, abs=0.01)


def test_windows_are_put_in_order_of_time_within_their_recording() -> None:
    table = decoded(0, 3, None, n_folds=5)
    back = from_table(table.sample(frac=1, random_state=0))[0].windows
    assert back["window_id"].tolist() == table.sort_values(["fold", "onset_s"])["window_id"].tolist()


def test_the_table_survives_the_way_to_disk_and_back(tmp_path) -> None:
    table = decoded(0, 7, (8, 4))
    table.set_index("window_id").to_parquet(tmp_path / "p.parquet")
    back = pd.read_parquet(tmp_path / "p.parquet")
    pd.testing.assert_frame_equal(
        summarise(table, draws=FEW), summarise(back.sample(frac=1, random_state=0), draws=FEW)
    )


def test_the_same_seed_gives_the_same_table() -> None:
    table = decoded(0, 7, (8, 4))
    pd.testing.assert_frame_equal(summarise(table, draws=FEW), summarise(table, draws=FEW))


def test_the_better_model_leads_with_a_paired_test_over_subjects() -> None:
    good = decoded(0, 12, (30, 5))
    noise = np.random.default_rng(1).random(len(good))
    poor = good.assign(model="poor", p_yes=0.5 * good["p_yes"] + 0.5 * noise)
    poor["p_no"] = 1 - poor["p_yes"]
    summary = summarise(pd.concat([good, poor]), draws=Draws(200, 1000, against="m"))
    found = row(summary, "auroc", "poor")
    assert found["difference"] == pytest.approx(row(summary, "auroc")["value"] - found["value"])
    assert found["paired"] == "12 subjects"
    assert max(found["p_wilcoxon"], found["p_sign_flip"]) < 0.01
    assert row(summary, "auroc")["paired"] == ""


def test_metrics_come_in_the_order_asked_and_a_missing_fold_is_scored_apart() -> None:
    table = decoded(0, 10, (8, 4), n_folds=5)
    half = table[table["fold"] < 3].assign(model="half")
    summary = summarise(pd.concat([table, half]), ["auroc", "accuracy"], Draws(50, 100, against="m"))
    assert summary["metric"].tolist() == ["auroc", "accuracy"] * 2
    assert summary.set_index("model").loc["half", "n_subjects"].tolist() == [6, 6]
    assert summary["difference"].isna().all()


def test_a_window_predicted_twice_is_refused() -> None:
    table = decoded(0, 2, None)
    with pytest.raises(ValueError, match="window 0 of fold 0 has m's prediction of t twice"):
        from_table(pd.concat([table, table.head(1)]))


def test_an_interval_holds_nothing_that_a_metric_cannot_be() -> None:
    # nearly perfect in three people with few trials: unbounded, macro F1 reaches 1.001 and kappa 1.002
    table = summarise(decoded(0, 3, (8.0, 0.5), (8, 12)), draws=FEW).set_index("metric")
    assert (table.loc[["macro_f1", "cohen_kappa"], "high"] > 0.97).all()
    assert (table["high"] <= 1.0).all()


def test_an_interval_near_the_end_of_the_scale_reaches_further_to_the_middle() -> None:
    table = summarise(decoded(0, 12, (18.0, 2.0)), ["accuracy", "auroc"], FEW).set_index("metric")
    assert (table["value"] - table["low"] > table["high"] - table["value"]).all()
