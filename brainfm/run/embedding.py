"""Embeddings in a run: read out by neighbours and by a line, beside those of a model trained on shuffled windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from brainfm import checkpoints
from brainfm.files import written
from brainfm.objectives.base import ContrastiveObjective
from brainfm.recipe import Recipe
from brainfm.run import ranks
from brainfm.run.passing import learned, predicted
from brainfm.run.seeding import fold_seed, fresh_objective
from brainfm.run.train import train
from brainfm.systems.training import Training
from data_loaders.contracts import Batch

CONTROL, FILE = "shuffle control", "embedding.parquet"
NEIGHBOURS = (1, 4, 9, 16, 25, 49)
_PENALTIES = tuple(10.0**power for power in range(-3, 5))


@dataclass(frozen=True)
class Embedded:
    """A part's windows in the embedding, with their labels, by target."""

    points: Float[ndarray, "window dim"]
    ids: ndarray
    targets: dict[str, ndarray]


def control_of(recipe: Recipe, number: int, folder: Path, title: str) -> ContrastiveObjective:
    """The model of a fold that was trained, just as long, on shuffled windows; it is trained where it is not there yet."""
    data, training = recipe.data.shuffled(recipe.data.seed), Training(**recipe.trainer)
    objective, path = fresh_objective(recipe, number), folder / "control"
    assert isinstance(objective, ContrastiveObjective), "wants_control says so"
    assert recipe.optimizer is not None, "a recipe without optimizer is refused where something learns"
    if (path / checkpoints.MANIFEST).exists():
        checkpoints.load(objective, path)
        return objective
    path.mkdir(exist_ok=True)
    val = data.val_dataloader() if len(data.fold.val) else None
    parts = (recipe.optimizer, recipe.scheduler)
    train(
        objective,
        data.train_dataloader(),
        val,
        training,
        *parts,
        path,
        fold_seed(recipe, number),
        f"{title}: {CONTROL}",
    )
    if ranks.is_first():
        checkpoints.save(objective, path, {"shuffled": True}, learned(data.transforms))
    return objective


def wants_control(recipe: Recipe, objective: Any) -> bool:
    """Whether an evaluator asks for a model of shuffled windows."""
    asked = any(getattr(evaluator, "shuffle_control", False) for evaluator in recipe.fresh_evaluators())
    return asked and isinstance(objective, ContrastiveObjective)


@dataclass(frozen=True)
class Judged:
    """A model and the data that it is judged on; `source` is empty for the trained one."""

    source: str
    objective: ContrastiveObjective
    data: Any


def judged(recipe: Recipe, objective: ContrastiveObjective, control: ContrastiveObjective | None) -> list[Judged]:
    """The trained model, and the control on shuffled windows where there is one."""
    data = recipe.data
    shuffled = [] if control is None else [Judged(CONTROL, control, data.shuffled(data.seed))]
    return [Judged("", objective, data), *shuffled]


def read_out(
    models: list[Judged], name: str, device: torch.device, evaluators: list[Any], folder: Path | None
) -> Iterator[tuple[dict[str, Tensor], Batch, dict[str, dict[str, Tensor]]]]:
    """Of each test batch what neighbours in the embedding say, the batch, and what the line and the control say.

    Evaluators are shown the points and the losses of draws; the points of the test part go to embedding.parquet.
    """
    data, kept = models[0].data, []
    classes = {target.name for target in data.targets if target.classes}
    for one in models:
        for batch in one.data.draws("test"):
            losses = _losses(one.objective, batch, device)
            for evaluator in evaluators:
                evaluator.measure(one.source, losses)
    readers = [Readers(one.data, one.objective, device, classes) for one in models]
    for found in zip(*(reader.test() for reader in readers), strict=True):
        (ours, batch, points), others = found[0], {}
        others[f"{name}, linear"] = ours["linear"]
        for one, (theirs, _, _) in zip(models[1:], found[1:], strict=True):
            others[one.source] = theirs["kNN"]
        for evaluator in evaluators:
            for one, (_, shown, where) in zip(models, found, strict=True):
                evaluator.embedded(one.source, where, shown)
        kept.append((batch, points))
        yield ours["kNN"], batch, others
    if folder is not None and kept:
        with written(folder / FILE) as part:
            table_of(kept).to_parquet(part, index=False)


def _losses(objective: ContrastiveObjective, batch: Batch, device: torch.device) -> dict[str, float]:
    objective = objective.to(device).eval()
    with torch.no_grad():
        return {name: float(value) for name, value in objective.loss(batch.to(device)).items()}


class Readers:
    """Decoders of every target from one model's embedding: nearest neighbours and a line, chosen on the validation part."""

    def __init__(self, data: Any, objective: ContrastiveObjective, device: torch.device, classes: set[str]) -> None:
        train, val = (embedded(data, part, objective, device) for part in ("train", "val"))
        self.data, self.objective, self.device = data, objective, device
        self.readers = {
            (name, kind): make(train, val, name, name in classes)
            for name in train.targets
            for kind, make in (("kNN", _neighbours), ("linear", _line))
        }

    def test(self) -> Iterator[tuple[dict[str, dict[str, Tensor]], Batch, ndarray]]:
        """Of each test batch: by kind of reader what every target is read as, the batch, and the points."""
        for prediction, batch in predicted(self.objective, self.data.part("test"), self.device):
            points = prediction["embedding"].numpy()
            found: dict[str, dict[str, Tensor]] = {"kNN": {}, "linear": {}}
            for (name, kind), reader in self.readers.items():
                found[kind][name] = torch.from_numpy(np.asarray(reader(points), dtype=np.float32))
            yield found, batch, points


def embedded(data: Any, part: str, objective: ContrastiveObjective, device: torch.device) -> Embedded:
    """A part of the data, window by window."""
    points, ids, targets = [], [], []
    for prediction, batch in predicted(objective, data.part(part), device):
        points.append(prediction["embedding"].numpy())
        ids.append(batch.window_id.numpy())
        targets.append({name: value.numpy() for name, value in batch.targets.items()})
    if not points:
        return Embedded(np.zeros((0, objective.dim), np.float32), np.zeros(0, np.int64), {})
    joined = {name: np.concatenate([one[name] for one in targets]) for name in targets[0]}
    return Embedded(np.concatenate(points), np.concatenate(ids), joined)


def table_of(parts: list[tuple[Batch, ndarray]]) -> pd.DataFrame:
    """The points of the test windows and their labels, as the report draws them."""
    points = np.concatenate([points for _, points in parts])
    table = pd.DataFrame(points, columns=pd.Index([f"e{i}" for i in range(points.shape[1])]))
    for name in parts[0][0].targets:
        values = np.concatenate([batch.targets[name].numpy() for batch, _ in parts])
        for i, column in enumerate(values.reshape(len(values), -1).T):
            table[f"{name}.{i}" if values.ndim > 1 and values.shape[1] > 1 else name] = column
    session = np.concatenate([batch.session_id.numpy() for batch, _ in parts])
    return table.assign(session=session, window_id=np.concatenate([batch.window_id.numpy() for batch, _ in parts]))


def _neighbours(train: Embedded, val: Embedded, name: str, classes: bool) -> Any:
    """The mean over the nearest windows of training, as many as do best on the validation part."""
    from sklearn.neighbors import NearestNeighbors

    y = _outputs(train.targets[name], classes)
    sizes = [k for k in NEIGHBOURS if k <= len(y)]
    # of unit vectors, the order by distance is that by angle
    index = NearestNeighbors(n_neighbors=sizes[-1]).fit(train.points)

    def of(points: ndarray, k: int) -> ndarray:
        return y[index.kneighbors(points, k, return_distance=False)].mean(1)

    best = (
        sizes[0]
        if not len(val.ids)
        else min(sizes, key=lambda k: _error(of(val.points, k), val.targets[name], classes, y))
    )
    return lambda points: of(points, best)


def _line(train: Embedded, val: Embedded, name: str, classes: bool) -> Any:
    """Least squares with a penalty (values), or logistic regression (classes), its strength chosen on the validation part."""
    from sklearn.linear_model import LogisticRegression, Ridge

    y = _outputs(train.targets[name], classes)

    def fitted(penalty: float) -> Any:
        if not classes:
            return Ridge(penalty).fit(train.points, y).predict
        codes, width = train.targets[name], y.shape[1]
        model = LogisticRegression(C=1 / penalty, class_weight="balanced", max_iter=500).fit(train.points, codes)
        return lambda points: model.predict_proba(points) @ np.eye(width)[model.classes_]

    choices = _PENALTIES if len(val.ids) else (1.0,)
    models = {penalty: fitted(penalty) for penalty in choices}
    if len(choices) == 1:
        return models[1.0]
    best = min(choices, key=lambda p: _error(models[p](val.points), val.targets[name], classes, y))
    return models[best]


def _outputs(truth: ndarray, classes: bool) -> Float[ndarray, "window output"]:
    return np.eye(int(truth.max()) + 1)[truth] if classes else truth.reshape(len(truth), -1).astype(float)


def _error(found: ndarray, truth: ndarray, classes: bool, y: ndarray) -> float:
    if classes:
        return float((found.argmax(1) != truth).mean())
    spread = np.maximum(y.std(0), 1e-12)
    return float(np.square((found - truth.reshape(len(truth), -1)) / spread).mean())
