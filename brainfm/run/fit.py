"""The folds of a recipe, one after another: trained, judged and written; what a cut run has finished is skipped."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from brainfm import checkpoints
from brainfm.objectives.base import Objective
from brainfm.recipe import Recipe
from brainfm.run import ranks
from brainfm.run.embedding import control_of, wants_control
from brainfm.run.folder import RunFolder, plain
from brainfm.run.judge import conclude, judge, own_scores, show
from brainfm.run.passing import learned
from brainfm.run.provenance import Provenance, code_version, command_line, package_versions
from brainfm.run.seeding import fold_seed, fresh_objective
from brainfm.run.train import device_of, train
from brainfm.systems.training import Training
from data_loaders import leakage
from data_loaders.locks import alone
from data_loaders.windows import concatenate


def fit(recipe: Recipe, out: Path, command: Sequence[str] | None = None) -> Path:
    """Trains and judges every fold, and returns the run folder with its tables and report.

    Called again with the same recipe it continues where it was cut, with the same result. A debugging recipe goes to a
    folder of its own, `<out>-debug`, and starts afresh. Raises ValueError where the folder belongs to another recipe, or is
    in use.
    """
    run = RunFolder(out.with_name(f"{out.name}-debug") if recipe.debug else out)
    if not ranks.is_first(recipe.trainer["num_nodes"]):
        with ranks.silent():
            return _follow(recipe, run)
    with alone(run.path):
        return _fit(recipe, run, command or command_line())


def _fit(recipe: Recipe, run: RunFolder, command: Sequence[str]) -> Path:
    run.claim(recipe.resolved, afresh=recipe.debug)
    with ranks.alive(run.path):
        return _fit_folds(recipe, run, command)


def _fit_folds(recipe: Recipe, run: RunFolder, command: Sequence[str]) -> Path:
    leakage.check_monitor(recipe.trainer["monitor"])
    store = recipe.data.store
    hashes = dict(zip(store.catalog["name"], store.catalog["sha256"], strict=True))
    notes = Provenance(run.path, run.recipe(), hashes, recipe.seed, command)
    for number in range(len(recipe.data.folds)):
        if run.done(number):
            print(f"fold {number + 1} of {len(recipe.data.folds)}: done before, skipped ({run.fold(number)})")
        else:
            _fit_fold(recipe, run, number)
        notes.tick()
    table = conclude(run, recipe)
    notes.finish()
    show(run, table)
    return run.path


def _follow(recipe: Recipe, run: RunFolder) -> Path:
    """What further processes do: train every fold with the first, and wait while it judges and writes."""
    if recipe.debug and recipe.optimizer is not None:
        # it starts afresh: what is there before the first has claimed the folder, which trains with us, is of an earlier one
        ranks.wait_for_first(run.path)
    for number in range(len(recipe.data.folds)):
        if not run.done(number):
            _train_along(recipe, run.fold(number), number)
        ranks.wait(partial(run.done, number), run.path)
    return run.path


def _train_along(recipe: Recipe, folder: Path, number: int) -> None:
    recipe.data.use(number, fold_seed(recipe, number))
    objective = fresh_objective(recipe, number)
    if not (folder / checkpoints.MANIFEST).exists() and not getattr(objective, "closed_form", False):
        _start_from(recipe, objective, number)
        _freeze(recipe, objective)
        _train(recipe, objective, folder, None, number)
    if wants_control(recipe, objective):
        control_of(recipe, number, folder, "")


def _fit_fold(recipe: Recipe, run: RunFolder, number: int) -> None:
    data, folder = recipe.data, run.fold(number)
    fold = data.folds[number]
    title = f"fold {number + 1} of {len(data.folds)} ({fold.name})"
    print(
        f"{title}: {len(fold.train):,} windows to train on, {len(fold.val):,} to validate, {len(fold.test):,} to test"
    )
    data.use(number, fold_seed(recipe, number))
    objective = fresh_objective(recipe, number)
    if (folder / checkpoints.MANIFEST).exists():
        print(f"{title}: trained before")
        checkpoints.load(objective, folder)
    else:
        _start_from(recipe, objective, number)
        _freeze(recipe, objective)
        best = _train(recipe, objective, folder, title, number)
        checkpoints.save(objective, folder, _manifest(recipe, objective, number, best), learned(data.transforms))
    print(f"{title}: predicting the test part, fitting baselines")
    control = control_of(recipe, number, folder, title) if wants_control(recipe, objective) else None
    predictions, scores = judge(recipe, objective, folder, control)
    checkpoints.note(folder, scores=own_scores(recipe, scores))
    run.save_fold(number, predictions, scores)


def _train(recipe: Recipe, objective: Objective, folder: Path, title: str | None, number: int) -> dict[str, Any]:
    data, training = recipe.data, Training(**recipe.trainer)
    if getattr(objective, "closed_form", False):
        # a module without optimizer would go through a Trainer without learning anything
        solved: Any = objective.to(device_of(training))
        with torch.no_grad():
            solved.fit(data.part("train"))
        return {"step": 0, "monitor": None, "value": None}
    assert recipe.optimizer is not None, "a recipe without optimizer is refused where something learns"
    val = data.val_dataloader() if len(data.fold.val) else None
    parts = (recipe.optimizer, recipe.scheduler)
    return train(objective, data.train_dataloader(), val, training, *parts, folder, fold_seed(recipe, number), title)


def _start_from(recipe: Recipe, objective: Objective, number: int) -> None:
    """Fills the encoder from another run (of several folds, from the fold of this number), unless it has seen the test part."""
    if recipe.init_from is None:
        return
    folder = checkpoints.resolve(recipe.init_from, number)
    data = recipe.data
    leakage.check_pretrained(checkpoints.read_manifest(folder)["trained_on"], data.fold, data.split, data.store)
    new = recipe.resolved.get("init_new") or []
    checkpoints.load(objective.encoder, folder, prefix="encoder.", new=new)
    print(f"encoder: every {'other ' if new else ''}tensor filled from {folder}")


def _freeze(recipe: Recipe, objective: Objective) -> None:
    """Lets what the recipe's `freeze` names learn nothing: prefixes of parameters, such as `encoder`."""
    for prefix in recipe.resolved.get("freeze") or []:
        held = [(name, weight) for name, weight in objective.named_parameters() if name.startswith(prefix)]
        if not held:
            parts = sorted({name.partition(".")[0] for name, _ in objective.named_parameters()})
            raise ValueError(f"freeze names {prefix!r}, and no parameter starts so: name some of {parts}")
        for _, weight in held:
            weight.requires_grad_(False)
        print(f"frozen: {len(held)} tensors of {prefix}")


def _manifest(recipe: Recipe, objective: Objective, number: int, best: Mapping[str, Any]) -> dict[str, Any]:
    """What the weights are, of what they were made, and all that is needed to build the model again."""
    data = recipe.data
    seen = leakage.trained_on(concatenate([data.fold.train, data.fold.val]), data.store)
    if recipe.init_from is not None:
        before = checkpoints.read_manifest(checkpoints.resolve(recipe.init_from, number))["trained_on"]
        seen = leakage.also_trained_on(seen, before)
    facts = data.facts()
    return {
        "ch_names": facts.get("ch_names") if facts.get("same_channels") else None,
        "recipe": plain(recipe.resolved), "objective": _complete(recipe, objective),
        "fold": number, "fold_name": data.fold.name, "seed": recipe.seed, "best": dict(best),
        "trained_on": seen, "flags": [asdict(flag) for flag in data.flags],
        "targets": [{"name": t.name, "classes": list(t.classes), "names": list(t.names)} for t in data.targets],
        **code_version(), "packages": package_versions(),
    }  # fmt: skip


def _complete(recipe: Recipe, objective: Objective) -> dict[str, Any]:
    """The objective as one part: its encoder inside it, and what was counted on the training part."""
    part = plain(recipe.resolved["objective"])
    taken = inspect.signature(type(objective)).parameters
    counted = {name: value for name, value in recipe.data.fold_facts().items() if name in taken}
    encoder = {"encoder": plain(recipe.resolved["encoder"])} if recipe.resolved.get("encoder") else {}
    return {
        "class_path": part["class_path"],
        "init_args": {**(part.get("init_args") or {}), **plain(counted), **encoder},
    }
