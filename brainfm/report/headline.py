"""The headline of one target: every model's value beside chance, baselines and intervals, and what that comes to in words."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from brainfm.report.facts import class_name, protocol
from brainfm.report.results import Results
from brainfm.report.sentences import Line, Pair, number, probability, verdict, words

_RANK_TEST_FROM = 20  # subjects: the signed-rank test from here on, sign flips below


@dataclass(frozen=True)
class Headline:
    """One target under the first metric of its evaluator; `summary` has the trained model first, then the others by value."""

    run: Results
    target: str
    metric: str
    model: str
    summary: pd.DataFrame
    rows: pd.DataFrame

    @property
    def metric_words(self) -> str:
        """The metric as a reader says it."""
        return words(self.metric)

    @property
    def rival(self) -> str | None:
        """The best of the other models; None where the trained one stands alone."""
        others = self.summary[self.summary["model"] != self.model].dropna(subset="value")
        return None if others.empty else str(others.loc[others["value"].idxmax(), "model"])

    @property
    def best(self) -> str | None:
        """The model with the highest value, if it is above chance."""
        row = self.summary.loc[self.summary["value"].idxmax()]
        return str(row["model"]) if row["low"] > row["chance"] else None

    def sentences(self) -> list[str]:
        """The verdict in words."""
        rival, pair = (None, None) if self.rival is None else (self._line(self.rival), self._pair(self.rival))
        return verdict(self._line(self.model), rival, pair, self.metric_words, protocol(self.run))

    def table(self) -> list[dict[str, Any]]:
        """One dictionary of printed cells per model."""
        return [self._cells(row) for row in self.summary.to_dict("records")]

    def all_metrics(self) -> tuple[list[str], list[tuple[str, list[str]]]]:
        """Every metric, and each model's values in their order."""
        table = self.run.summary[self.run.summary["target"] == self.target]
        metrics = list(table["metric"].unique())
        wide = table.pivot_table(index="model", columns="metric", values="value").reindex(columns=metrics)
        return [words(m) for m in metrics], [
            (m, [number(v) for v in wide.loc[m]]) for m in self.summary["model"] if m in wide.index
        ]

    def method(self) -> str:
        """How value, interval, chance and comparison came about."""
        ours = self.summary.iloc[0]
        told = [f"The metric is computed on each {ours['level']}"] if _said(ours, "level") else []
        told += [f"interval: {ours['interval']}"] if _said(ours, "interval") else []
        told += [f"chance: {ours['null']}"] if _said(ours, "null") else []
        compared = [str(over) for over in self.summary.get("paired", pd.Series(dtype=str)).dropna().unique() if over]
        told += [f"differences: paired over {compared[0]}"] if compared else []
        return "; ".join(told) + "."

    def has_ceiling(self) -> bool:
        """True where the evaluator could bound what any model can reach."""
        return bool(self.rows["ceiling"].notna().any())

    def _line(self, model: str) -> Line:
        row = self.summary[self.summary["model"] == model].iloc[0]
        return Line(model, *(float(row.get(c, math.nan)) for c in ("value", "low", "high", "chance", "p")))

    def _pair(self, other: str) -> Pair:
        row = self.summary[self.summary["model"] == other].iloc[0]
        over = str(row.get("paired", ""))
        found = re.fullmatch(r"(\d+) subjects", over)
        test = "p_wilcoxon" if found and int(found[1]) >= _RANK_TEST_FROM else "p_sign_flip"
        lead = self._leads(other)
        return Pair(
            float(row.get("difference", math.nan)),
            float(row.get(test, math.nan)),
            over,
            bool(found),
            int((lead > 0).sum()),
            len(lead),
        )

    def _leads(self, other: str) -> pd.Series:
        """The trained model's value minus the other's, wherever both were scored."""
        # a constant prediction has no correlation: such a model keeps its column, of NaN
        wide = self.rows.pivot_table(index=["subject", "fold", "seed"], columns="model", values="value", dropna=False)
        return (wide[self.model] - wide[other]).dropna()

    def _cells(self, row: dict[str, Any]) -> dict[str, Any]:
        ours = row["model"] == self.model
        return {
            "model": row["model"], "ours": ours, "value": number(row["value"]),
            "interval": "–" if math.isnan(row["low"]) else f"{number(row['low'])} to {number(row['high'])}",
            "chance": number(row["chance"]), "ceiling": number(self._ceiling(row["model"])),
            "against": "" if ours else self._against(self._pair(row["model"])),
            "n_subjects": f"{row['n_subjects']:,.0f}", "n_samples": f"{row['n_samples']:,.0f}", "chosen": self._chosen(row, ours),
        }  # fmt: skip

    def _against(self, pair: Pair) -> str:
        if math.isnan(pair.difference):
            return "–"
        lead = number(-pair.difference)
        return (
            ("" if lead.startswith("−") or lead == "0.00" else "+")
            + lead
            + (f", {probability(pair.p)}" if pair.settles else "")
        )

    def _ceiling(self, model: str) -> float:
        values = self.rows.loc[self.rows["model"] == model, "ceiling"]
        return float(values.mean()) if values.notna().any() else math.nan

    def _chosen(self, row: dict[str, Any], ours: bool) -> str:
        """How the hyperparameters came about."""
        if _said(row, "chosen"):
            return shortened(str(row["chosen"]))
        return trained_how(self.run) if ours else ""


def headlines(run: Results) -> list[Headline]:
    """One headline per target, under the metric that the evaluator names first."""
    made = []
    for target, table in run.summary.groupby("target", sort=False):
        metric, model = str(table["metric"].iloc[0]), trained(run, table)
        chosen = table[table["metric"] == metric]
        order = chosen.assign(ours=chosen["model"] == model).sort_values(
            ["ours", "value"], ascending=False, kind="stable"
        )
        rows = run.rows[(run.rows["target"] == target) & (run.rows["metric"] == metric)]
        made.append(Headline(run, str(target), metric, model, order.drop(columns="ours").reset_index(drop=True), rows))
    return made


def trained(run: Results, summary: pd.DataFrame) -> str:
    """The name under which the trained model stands in the tables: the encoder's class, else the first model."""
    name = class_name(run.recipe.get("encoder"))
    return name if name in set(summary["model"]) else str(summary["model"].iloc[0])


def shortened(chosen: str) -> str:
    """What folds chose differently, with the words that they share said once.

    >>> shortened("C=1 (of C=0.1, C=1) by 5 folds | C=0.1 (of C=0.1, C=1) by 5 folds")
    'C=1, C=0.1 by fold (of C=0.1, C=1) by 5 folds'
    """
    parts = [part.partition(" (") for part in chosen.split(" | ")]
    if len(parts) < 2 or len({how for _, _, how in parts}) > 1:
        return chosen
    return f"{', '.join(what for what, _, _ in parts)} by fold ({parts[0][2]}" if parts[0][2] else chosen


def trained_how(run: Results) -> str:
    """Which step of training was kept, and by what."""
    kept = [best for fold in run.folds if (best := fold.manifest.get("best", {})).get("monitor")]
    if not kept:
        return "as the recipe states"
    first, last = min(best["step"] for best in kept), max(best["step"] for best in kept)
    at = f"step {first}" if first == last else f"steps {first} to {last}"
    return f"as the recipe states; weights of the best {kept[0]['monitor']} ({at})"


def _said(row: Any, column: str) -> bool:
    value = row.get(column)
    return isinstance(value, str) and bool(value)
