"""A grid: no finished cell is computed twice and none is lost, however often it is killed; nothing stale is ever returned."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brainfm.cli import main
from brainfm.grammar.nearest import RecipeError
from brainfm.run import cell_key
from brainfm.run.cell_key import class_paths, key_of, sources, store_state
from brainfm.run.executors import Here, Processes, Submitit
from brainfm.run.grid import LOG, RESULT, cells_of, compute, shown
from brainfm.run.scale import scale
from brainfm.run.series import Axis, series_of
from data_loaders.store import Store

GRID = {"data.train_subjects": [1, 2], "encoder.taps": [8, 16]}


@pytest.fixture(scope="module")
def grid(raw) -> dict:
    """Four cells of one step each."""
    return raw(trainer={"max_steps": 1, "val_every": None}, grid=GRID)


@pytest.fixture(scope="module")
def whole(grid, tmp_path_factory) -> Path:
    """An uninterrupted grid."""
    return scale(grid, tmp_path_factory.mktemp("grid") / "whole", Here())


def starts(out: Path) -> dict[str, int]:
    """How often each cell was begun."""
    return {log.parent.name: log.read_text().count("== ") for log in out.glob(f"cells/*/{LOG}")}


def scores(out: Path) -> pd.DataFrame:
    table = pd.read_parquet(out / "scores.parquet").drop(columns="seconds")
    return table.sort_values(["cell", "model", "metric", "subject", "fold"]).reset_index(drop=True)


def test_every_cell_has_its_row_with_its_axes_and_what_was_counted(whole):
    table = pd.read_csv(whole / "cells.csv")
    assert len(table) == 8  # four cells, the model and one baseline
    ours = table[table["model"] == "EEGNet"].set_index(["data.train_subjects", "encoder.taps"])
    assert ours["n_train"].to_dict() == {(1, 8): 12.0, (1, 16): 12.0, (2, 8): 24.0, (2, 16): 24.0}
    assert ours.loc[(1, 16), "n_parameters"] > ours.loc[(1, 8), "n_parameters"]
    assert ours.loc[(2, 8), "train_hours"] == pytest.approx(24 / 3600)
    assert {"value", "low", "high", "chance", "baseline", "ceiling"} <= set(table)


def test_a_second_call_computes_nothing(grid, whole, capsys):
    before = starts(whole)
    scale(grid, whole, Here())
    assert starts(whole) == before
    assert "4 cells, 4 done before, 0 to compute" in capsys.readouterr().out


def test_a_grid_killed_over_and_over_computes_no_finished_cell_twice_and_loses_none(grid, whole, tmp_path):
    small = grid | {"grid": {"data.train_subjects": [2], "encoder.taps": [8, 16]}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(small))
    command = [sys.executable, Path(__file__).with_name("killed_grid.py"), tmp_path / "recipe.yaml", tmp_path / "out"]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=found).stdout
    told = json.loads(said.splitlines()[-1])
    assert told["killed"] >= 3
    assert told["twice"] == told["lost"] == []
    expected = scores(whole).query("`data.train_subjects` == 2").reset_index(drop=True)
    assert scores(tmp_path / "out").equals(expected)


def test_a_changed_value_or_subject_list_gives_other_cells_and_the_old_ones_stay(grid, whole):
    keys = {cell.folder.name for cell in cells_of(grid, whole)}
    data = grid["data"]["init_args"]
    changed = [
        grid | {"optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.02}}},
        grid | {"seed": 1},
        grid | {"data": {**grid["data"], "init_args": {**data, "subjects": list("abcde")}}},
    ]
    for other in changed:
        assert not any(cell.done for cell in cells_of(other, whole))
        assert not keys & {cell.folder.name for cell in cells_of(other, whole)}
    assert {cell.folder.name for cell in cells_of(grid | {"name": "another"}, whole)} == keys
    wider = cells_of(grid | {"grid": {**GRID, "data.train_subjects": [1, 2, 3]}}, whole)
    assert [cell.done for cell in wider] == [True] * 4 + [False] * 2


def test_a_changed_source_anywhere_below_a_class_gives_another_key(raw, tmp_path, monkeypatch):
    (tmp_path / "ownhelp.py").write_text("SIZE = 4\n")
    (tmp_path / "ownpart.py").write_text("from ownhelp import SIZE\n\nclass Mine:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    for cached in (sources, cell_key._file):
        cached.cache_clear()
    recipe = raw(encoder={"class_path": "ownpart.Mine"})
    before = key_of(recipe)
    assert {"ownpart", "ownhelp", "brainfm.run.fit"} <= set(sources(frozenset(class_paths(recipe))))
    (tmp_path / "ownhelp.py").write_text("SIZE = 5\n")
    sources.cache_clear()
    assert key_of(recipe) != before


def test_the_sources_of_a_recipe_are_those_it_uses_and_nothing_that_only_shows(raw):
    used = sources(frozenset(class_paths(raw())))
    assert {
        "brainfm.encoders.eegnet",
        "brainfm.encoders.base",
        "data_loaders.stream",
        "brainfm.statistics.summary",
    } <= set(used)
    assert not any(name.startswith("brainfm.report") for name in used)
    assert "brainfm.encoders.gru" not in used


def test_other_data_at_the_same_place_give_another_key(raw, tmp_path):
    keys, states = [], []
    for seed in (0, 1):
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        X = np.random.default_rng(seed).standard_normal((8, 2, 50))
        Store.from_arrays(tmp_path / "store", X, ["a", "b"] * 4, sfreq=50.0)
        states.append(store_state(str(tmp_path / "store")))
        keys.append(key_of(raw(tmp_path / "store")))
    assert states[0] != states[1]
    assert keys[0] != keys[1]


EXECUTORS = {
    "processes": lambda folder: Processes(1),
    "debug": lambda folder: Submitit(folder, "debug", {}),
    "local": lambda folder: Submitit(folder, "local", {}),
}


# submitit's debugging executor leaves its logs open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", ["processes", "debug", pytest.param("local", marks=pytest.mark.slow)])
def test_processes_and_jobs_give_what_one_process_gives(grid, whole, tmp_path, name):
    """Jobs of this machine start an interpreter each: pytest -m slow tests/brainfm/run/test_grid.py"""
    small = grid | {"grid": {"data.train_subjects": [2], "encoder.taps": [8]}}
    expected = scores(whole).query("`data.train_subjects` == 2 and `encoder.taps` == 8").reset_index(drop=True)
    out = scale(small, tmp_path / name, EXECUTORS[name](tmp_path / "jobs"), Axis("n_parameters"))
    assert scores(out).equals(expected)


def test_a_cell_that_fails_is_named_and_the_others_are_computed(grid, tmp_path):
    bad = grid | {"grid": {"data.train_subjects": [1, 50]}}
    with pytest.raises(ValueError, match=r"1 of 2 cells failed.*train_subjects 50.*lower it to 2"):
        scale(bad, tmp_path / "out", Here(), Axis("n_train"))
    assert len(list(tmp_path.glob(f"out/cells/*/{RESULT}"))) == 1


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (None, "grid is missing"),
        ({"seed": []}, r"grid.seed is \[\], expected a list"),
        ({"seed": [1, 1]}, "names a value twice"),
        ({"encoder.tap": [1]}, "grid cell encoder.tap = 1.*did you mean 'taps'"),
    ],
)
def test_a_grid_that_is_none_is_refused(raw, tmp_path, axes, message):
    with pytest.raises(RecipeError, match=message):
        cells_of(raw(**({"grid": axes} if axes is not None else {})), tmp_path)


def test_parts_on_an_axis_are_named_by_class_and_what_they_state():
    part = {"class_path": "a.b.Offset", "init_args": {"dim": 3}}
    assert (shown(part), shown(["a", "b"]), shown(0.5)) == ("Offset(dim=3)", "a+b", 0.5)


def test_a_cell_is_computed_once_though_two_ask(grid, tmp_path):
    cell = cells_of(grid, tmp_path)[0]
    assert compute(cell) is None
    assert compute(cell) is None
    assert starts(tmp_path) == {cell.folder.name: 1}


def test_the_verb_writes_tables_fits_and_a_page(grid, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(grid | {"grid": {"data.train_share": [0.25, 0.5, 1.0]}}))
    assert main(["scale", "--config", str(path), "--out", str(tmp_path / "out"), "--trainer.max_steps", "2"]) == 0
    said = capsys.readouterr().out
    assert "grid: 3 cells, 0 done before, 3 to compute" in said
    fits = json.loads((tmp_path / "out" / "fits.json").read_text())
    assert {one["model"] for one in fits} == {"EEGNet", "log-variance + LDA"}
    assert all(one["fits"] and one["predicted"] for one in fits)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg") == 1
    assert "http" not in page.replace("http://www.w3.org", "")
    assert main(["scale", "--config", str(path), "--x", "data.train_shar", "--out", str(tmp_path / "out")]) == 2


def test_words_on_the_axis_need_their_sizes(whole, grid):
    with pytest.raises(RecipeError, match=r"'encoder.tap' is no axis.*did you mean 'encoder.taps'"):
        scale(grid, whole, Here(), Axis("encoder.tap"))


def test_a_baseline_that_an_axis_does_not_touch_is_one_series():
    keys = [
        (layer, x, subject, model)
        for layer in ("a", "b")
        for x in (1.0, 2.0)
        for subject in "st"
        for model in ("ours", "controls")
    ]
    rows = pd.DataFrame(keys, columns=pd.Index(["layer", "x", "subject", "model"])).assign(
        target="signal", metric="pearson_r", seed=0, fold=0, chance=0.0, baseline=0.1, ceiling=0.5, cell="c"
    )
    rows["value"] = rows["x"] / 10 + 0.1 * ((rows["layer"] == "b") & (rows["model"] == "ours"))
    found = series_of(rows.rename(columns={"x": "size"}), ["layer", "size"], Axis("size"))
    assert [one.name for one in found] == ["ours, layer a", "ours, layer b", "controls"]
