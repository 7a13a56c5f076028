"""The table of a run whose scores stand for folds alone: means over folds, with t intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

_UNTESTED = ("chance_high", "p", "difference", "effect", "p_wilcoxon", "p_sign_flip")


def over_folds(rows: pd.DataFrame, level: str, null: str) -> pd.DataFrame:
    """One row per model, target and metric of score rows; `level` says what was counted, `null` what chance means.

    The interval is of the mean over folds as if they were independent, which they are not: read it as a spread.
    """
    keys = ["model", "target", "metric"]
    return pd.DataFrame(
        [
            dict(zip(keys, key, strict=True)) | _line(of, level, null)
            for key, of in rows.groupby(keys, sort=False, dropna=False)
        ]
    )


def _line(of: pd.DataFrame, level: str, null: str) -> dict[str, Any]:
    values = of["value"].to_numpy(dtype=float)
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)) if len(values) > 1 else np.nan
    value = float(values.mean())
    return {
        "value": value, "low": value - half, "high": value + half, "chance": float(of["chance"].mean()),
        "ceiling": float(of["ceiling"].mean()), "n_subjects": of["subject"].nunique(), "n_samples": int(of["n_samples"].sum()),
        "level": level, "interval": f"t interval over {len(values)} folds" if len(values) > 1 else "", "null": null,
        "paired": "", "chosen": str(of["chosen"].iloc[-1]), **dict.fromkeys(_UNTESTED, np.nan),
    }  # fmt: skip
