"""Encoding scores from the predictions of a run: per channel, and their mean over channels with intervals and chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray

from brainfm.statistics import ceilings, paired
from brainfm.statistics.bootstrap import draw_weights, expanded_interval
from brainfm.statistics.encoding import block_null, correlation, fdr, p_values, r2, signed_square
from brainfm.statistics.metrics import mean
from brainfm.statistics.permutation import p_value

METRICS = ("pearson_r", "signed_r2", "r2")
Ceiling = Literal["repeats", "halves", "subjects"]
_MIN_SUBJECTS = 6
_TABLE = 64  # channels up to which predictions have a column each, as those of a regression


@dataclass(frozen=True)
class Series:
    """One subject's samples in order of time: the truth, and what each model says."""

    subject: str
    windows: pd.DataFrame
    truth: Float[ndarray, "time channel"]
    models: dict[str, Float[ndarray, "time channel"]]

    @property
    def run(self) -> Int[ndarray, "time"]:
        """The recording of each sample, and the fold that tests it, as one number."""
        return pd.factorize(pd.MultiIndex.from_frame(self.windows[["recording_name", "fold"]]))[0].astype(np.int64)


def to_rows(
    windows: pd.DataFrame, target: str, names: Sequence[str], truth: ndarray, models: dict[str, ndarray]
) -> pd.DataFrame:
    """The long table of predictions: a column per channel where they are few, one column of lists where they are many."""
    parts = []
    for model, said in models.items():
        columns: dict[str, Any] = {"truths": list(truth.astype(np.float32)), "values": list(said.astype(np.float32))}
        if len(names) <= _TABLE:
            columns = {f"truth_{name}": truth[:, i] for i, name in enumerate(names)}
            columns |= {f"value_{name}": said[:, i] for i, name in enumerate(names)}
        parts.append(windows.assign(model=model, target=target, **columns))
    return pd.concat(parts, ignore_index=True)


def series(predictions: pd.DataFrame, names: Sequence[str]) -> Iterator[Series]:
    """The subjects of a table of predictions; where folds test a window twice, both stay."""
    table = predictions.reset_index() if "window_id" not in predictions.columns else predictions
    for subject, own in table.groupby("subject", sort=True):
        models, first = {}, None
        for model, rows in own.groupby("model", sort=False):
            rows = rows.sort_values(["seed", "fold", "window_id"], kind="stable")
            first = rows if first is None else first
            models[str(model)] = _columns(rows, "value", names)
        assert first is not None, "a group has rows"
        yield Series(str(subject), first.reset_index(drop=True), _columns(first, "truth", names), models)


def ceiling_of(all_series: Sequence[Series], how: Ceiling | None) -> list[Float[ndarray, "channel"]]:
    """Each subject's ceiling per channel, for correlations with what was measured; NaN where there is none."""
    none = [np.full(one.truth.shape[1], np.nan) for one in all_series]
    if how is None:
        return none
    if how == "subjects":
        aligned = _by_time(all_series)
        if aligned is None:
            print("ceiling: left out, subjects do not share the times of their samples, or are fewer than 3")
            return none
        return list(ceilings.from_others(aligned))
    return [_of_repeats(one, how) for one in all_series]


def channel_table(
    all_series: Sequence[Series], names: Sequence[str], how: Ceiling | None, block: int, n_permutations: int
) -> pd.DataFrame:
    """One row per subject, model and channel, over all folds joined: scores, ceiling, p by permuted blocks, q within a model.

    Correlations are those about the mean of each run (`about_runs`), R2 is not: there the level counts.
    """
    tables = []
    for one, ceiling in zip(all_series, ceiling_of(all_series, how), strict=True):
        for model, said in one.models.items():
            r, null = correlation(*about_runs(one, said)), _null(one, said, block, n_permutations)
            p = np.full(len(r), np.nan) if null is None else p_values(r, null)
            columns = {"pearson_r": r, "signed_r2": signed_square(r), "r2": r2(one.truth, said), "ceiling": ceiling}
            columns |= {
                "normalised_r": ceilings.normalised(r, ceiling) if how else np.nan,
                "p": p,
                "q": fdr(p),
                "n_samples": len(said),
            }
            tables.append(pd.DataFrame({"subject": one.subject, "model": model, "channel": list(names), **columns}))
    return pd.concat(tables, ignore_index=True)


def about_runs(one: Series, said: ndarray) -> tuple[ndarray, ndarray]:
    """Truth and prediction about their means over each run, which is a recording's part in one fold.

    A prediction that says nothing is the mean of the other blocks, which is low where this block is high: joined as they
    are, blocks of noise correlate below zero with what was predicted for them. Runs below three samples stay as they are.
    """
    if np.bincount(one.run).min() < 3:
        return one.truth, said
    return _about(one.truth, one.run), _about(said, one.run)


def _about(values: ndarray, run: Int[ndarray, "time"]) -> ndarray:
    return values - pd.DataFrame(values).groupby(run).transform("mean").to_numpy()


def summary(
    all_series: Sequence[Series],
    rows: pd.DataFrame,
    metrics: Sequence[str],
    against: str,
    block: int,
    draws: tuple[int, int],
) -> pd.DataFrame:
    """One row per model and metric: the mean over subjects of their folds, between chance and what a bootstrap spans."""
    n_permutations, n_bootstraps = draws
    found = []
    target = str(rows["target"].iloc[0])
    for model in dict.fromkeys(rows["model"]):
        by_chance = _chance(all_series, model, block, n_permutations)
        for metric in metrics:
            own = rows[(rows["model"] == model) & (rows["metric"] == metric)]
            per_subject = own.groupby("subject")["value"].mean()
            value = float(per_subject.mean())
            low, high, how = _interval(all_series, model, metric, per_subject.to_numpy(), value, block, n_bootstraps)
            null = {"pearson_r": by_chance[0], "signed_r2": by_chance[1]}.get(metric, np.array([np.nan]))
            row = {"model": model, "target": target, "metric": metric, "value": value, "low": low, "high": high}
            # a prediction of the training mean has an R2 of zero at best
            row |= {"chance": 0.0 if metric == "r2" else float(mean(null)), "p": p_value(value, null)}
            row |= {"chance_high": float(np.nanquantile(null, 0.95)) if np.isfinite(null).any() else np.nan}
            row |= {"n_subjects": int(per_subject.notna().sum()), "n_samples": int(own["n_samples"].sum())}
            row |= {
                "level": "subject and fold",
                "interval": how,
                "null": f"truth permuted in blocks of {block} samples",
            }
            found.append(row | _lead(rows, model, metric, against))
    return pd.DataFrame(found)


def _columns(rows: pd.DataFrame, kind: str, names: Sequence[str]) -> Float[ndarray, "time channel"]:
    if f"{kind}s" in rows.columns and rows[f"{kind}s"].notna().all():
        return np.stack(rows[f"{kind}s"].to_list()).astype(np.float64)
    return rows[[f"{kind}_{name}" for name in names]].to_numpy(dtype=float)


def _by_time(all_series: Sequence[Series]) -> Float[ndarray, "subject time channel"] | None:
    """The truth of all subjects at the same seconds of the same task and run; None where they differ."""
    if len(all_series) < 3:
        return None
    keys = []
    for one in all_series:
        run = (
            one.windows["run"].astype(str)
            + "/"
            + one.windows["recording_name"].astype(str).str.replace(r"^.*?sub-[^_]*", "", regex=True)
        )
        keys.append(pd.MultiIndex.from_arrays([run, one.windows["onset_s"].round(3)]))
    common = keys[0]
    for key in keys[1:]:
        common = common.intersection(key)
    if len(common) < 0.9 * len(keys[0]) or len({one.truth.shape[1] for one in all_series}) > 1:
        return None
    if len(common) < len(keys[0]):
        return None
    return np.stack([one.truth[key.get_indexer(common)] for one, key in zip(all_series, keys, strict=True)])


def _of_repeats(one: Series, how: Ceiling) -> Float[ndarray, "channel"]:
    """From repeats of a stimulus, told by the column `stimulus`, and of one that lasts by the seconds since `stimulus_onset`.

    Samples of each repeat are in order of time; what was shown once is left out.
    """
    none = np.full(one.truth.shape[1], np.nan)
    if "stimulus" not in one.windows.columns:
        print(
            f"ceiling: left out for subject {one.subject}, windows have no column stimulus that tells what was repeated"
        )
        return none
    shown = list(one.windows.groupby(_moments(one.windows), sort=True).indices.values())
    groups = [one.truth[at] for at in shown if len(at) > 1]
    if not groups:
        print(f"ceiling: left out for subject {one.subject}, every stimulus was shown once")
        return none
    if len(groups) < len(shown):
        print(
            f"ceiling: of subject {one.subject} from {len(groups)} of {len(shown)} samples, the others were measured once"
        )
    n = min(map(len, groups))
    # a single response of each repeat is predicted: the ceiling of one repeat, not of their mean
    repeats = np.stack([group[:n] for group in groups], axis=1)  # [repeat, stimulus, channel]
    of_mean = ceilings.from_repeats(repeats) if how == "repeats" else ceilings.from_halves(repeats)
    reliability = of_mean**2
    return np.sqrt(reliability / (n - (n - 1) * reliability))


def _moments(windows: pd.DataFrame) -> pd.Series:
    """What was shown at each sample: the stimulus, and how long it had lasted to a millisecond."""
    shown = windows["stimulus"].astype(str)
    if "stimulus_onset" not in windows.columns:
        return shown
    since = (windows["onset_s"].astype(float) - windows["stimulus_onset"].astype(float)).round(3)
    return shown + since.map(lambda seconds: "" if np.isnan(seconds) else f" {seconds:012.3f}")


def _null(one: Series, said: ndarray, block: int, n: int) -> Float[ndarray, "permutation channel"] | None:
    try:
        return block_null(*about_runs(one, said), one.run, block, n)
    except ValueError as error:
        print(f"subject {one.subject}: no p value, {error}")
        return None


def _chance(all_series: Sequence[Series], model: str, block: int, n: int) -> tuple[ndarray, "ndarray"]:
    """The mean over channels and subjects, on permuted truth, of r and of |r| r."""
    nulls = [_null(one, one.models[model], block, n) for one in all_series if model in one.models]
    known = [null for null in nulls if null is not None]
    if not known:
        return np.full(1, np.nan), np.full(1, np.nan)
    r = np.mean([mean(null, axis=1) for null in known], axis=0)
    return r, np.mean([mean(signed_square(null), axis=1) for null in known], axis=0)


def _interval(
    all_series: Sequence[Series], model: str, metric: str, per_subject: ndarray, value: float, block: int, n: int
) -> tuple[float, float, str]:
    known = per_subject[~np.isnan(per_subject)]
    rng = np.random.default_rng(0)
    if len(known) >= _MIN_SUBJECTS:
        weights = draw_weights(np.zeros(len(known), dtype=int), n, rng)
        low, high = expanded_interval(weights @ known / len(known), value, np.zeros(len(known), dtype=int))
        return low, high, f"expanded percentile bootstrap over {len(known)} subjects ({n} resamples)"
    drawn = [_resampled(one, one.models[model], metric, block, n, rng) for one in all_series if model in one.models]
    low, high = np.nanquantile(np.mean(drawn, axis=0) - float(np.nanmedian(np.mean(drawn, axis=0))), [0.025, 0.975])
    return value + float(low), value + float(high), f"bootstrap over blocks of {block} samples ({n} resamples)"


def _resampled(
    one: Series, said: ndarray, metric: str, block: int, n: int, rng: np.random.Generator
) -> Float[ndarray, "resample"]:
    """The mean over channels when blocks of time are drawn anew."""
    number = np.zeros(len(one.run), dtype=np.int64)
    for run in np.unique(one.run):
        member = one.run == run
        number[member] = number.max() + 1 + np.arange(member.sum()) // block
    _, code = np.unique(number, return_inverse=True)
    weights = draw_weights(np.zeros(code.max() + 1, dtype=int), n, rng)
    y, p = one.truth - one.truth.mean(0), said - one.truth.mean(0)
    sums = []
    for part in (np.ones_like(y), y, p, y * y, p * p, y * p):
        total = np.zeros((code.max() + 1, y.shape[1]))
        np.add.at(total, code, part)
        sums.append(weights @ total)
    count, sy, sp, syy, spp, syp = sums
    vy, vp, c = syy - sy**2 / count, spp - sp**2 / count, syp - sy * sp / count
    with np.errstate(invalid="ignore", divide="ignore"):
        r = c / np.sqrt(vy * vp)
        values = {"pearson_r": r, "signed_r2": signed_square(r), "r2": 1 - (syy - 2 * syp + spp) / vy}[metric]
    return mean(values, axis=1)


def _lead(rows: pd.DataFrame, model: str, metric: str, against: str) -> dict[str, Any]:
    """The paired comparison of the model `against` with this one, over subjects."""
    table = rows[rows["metric"] == metric].pivot_table(index="subject", columns="model", values="value", aggfunc="mean")
    if model == against or against not in table.columns or model not in table.columns:
        return {"difference": np.nan, "effect": np.nan, "p_wilcoxon": np.nan, "p_sign_flip": np.nan, "paired": ""}
    lead = (table[against] - table[model]).to_numpy(dtype=float)
    tests = {"p_wilcoxon": paired.wilcoxon(lead), "p_sign_flip": paired.sign_flip(lead)}
    return {
        "difference": float(np.nanmean(lead)),
        "effect": paired.effect_size(lead),
        **tests,
        "paired": f"{len(lead)} subjects",
    }
