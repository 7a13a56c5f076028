"""The run folder: which recipe it belongs to, which folds are done, and where everything lies."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from brainfm.files import written

RECIPE, SCORES, SUMMARY, LAST, HISTORY, PREDICTIONS, CHANNELS = (
    "recipe.yaml", "scores.parquet", "summary.csv", "last.ckpt", "history.csv", "predictions.parquet", "channels.csv",
)  # fmt: skip

# how batches are carried: the order of windows, and so the result, does not depend on it
_CARRIES = (
    "data.init_args.threads", "data.init_args.depth", "trainer.devices", "trainer.num_nodes", "trainer.strategy", "trainer.save_every",
)  # fmt: skip


class RunFolder:
    """One run on disk. A fold is done when its scores.parquet is there: that file is written last, and whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def claim(self, recipe: Mapping[str, Any], afresh: bool = False) -> None:
        """Writes recipe.yaml, or finds the same one there; how many devices and threads carry it out may differ, and is told.

        Raises ValueError that names the keys in which they differ.
        """
        if afresh and (self.path / RECIPE).exists():
            shutil.rmtree(self.path)
        if (self.path / RECIPE).exists():
            _check_same(self.recipe(), plain(recipe), self.path)
        else:
            with written(self.path / RECIPE) as part:
                part.write_text(yaml.safe_dump(plain(recipe), sort_keys=False, allow_unicode=True), encoding="utf-8")
        for leftover in self.path.rglob(".*.part*"):
            leftover.unlink(missing_ok=True)

    def recipe(self) -> dict[str, Any]:
        """The resolved recipe as it was saved. Raises ValueError where this is no run folder."""
        if not (self.path / RECIPE).exists():
            raise ValueError(
                f"{self.path} is no run folder, it has no {RECIPE}: name a folder that `brainfm fit` wrote"
            )
        return yaml.safe_load((self.path / RECIPE).read_text(encoding="utf-8"))

    def fold(self, number: int) -> Path:
        """The folder of one fold; it is made where it is not there."""
        path = self.path / f"fold-{number}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def done(self, number: int) -> bool:
        """True where the fold's scores are written."""
        return (self.path / f"fold-{number}" / SCORES).exists()

    def save_fold(self, number: int, predictions: pd.DataFrame, scores: pd.DataFrame) -> None:
        """Writes the predictions and, last, the scores; then the state of training is no longer needed."""
        with written(self.fold(number) / PREDICTIONS) as part:
            predictions.to_parquet(part)
        with written(self.fold(number) / SCORES) as part:
            scores.to_parquet(part, index=False)
        (self.fold(number) / LAST).unlink(missing_ok=True)

    def scores(self, n_folds: int) -> pd.DataFrame:
        """The scores of all folds, in order."""
        return pd.concat([pd.read_parquet(self.fold(number) / SCORES) for number in range(n_folds)], ignore_index=True)

    def predictions(self, n_folds: int) -> pd.DataFrame:
        """The test predictions of all folds and models, by window_id."""
        return pd.concat([pd.read_parquet(self.fold(number) / PREDICTIONS) for number in range(n_folds)])

    def save_table(self, name: str, table: pd.DataFrame) -> Path:
        """Writes a table of the whole run, as CSV or Parquet by its name."""
        with written(self.path / name) as part:
            table.to_csv(part, index=False) if name.endswith(".csv") else table.to_parquet(part)
        return self.path / name


def plain(value: Any) -> Any:
    """A recipe's value as YAML gives it back: tuples become lists, paths and numpy numbers become text and numbers."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _check_same(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> None:
    told = {key: f"{key} is {was!r} there and {now!r} here" for key, was, now in _differences(old, new, "")}
    other = [text for key, text in sorted(told.items()) if key not in _CARRIES]
    if other:
        raise ValueError(
            f"{path} belongs to another recipe: {'; '.join(other[:5])}. Give this run another folder (--out), or delete {path}"
        )
    if told:
        print(f"{path} goes on: {'; '.join(told.values())}")


def _differences(old: Any, new: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key), new.get(key), f"{where}.{key}" if where else str(key))
    elif old != new:
        yield where, old, new
