"""The run folder: whose it is, what is done, and that no file is ever half there."""

from contextlib import suppress

import pandas as pd
import pytest

from brainfm.files import written
from brainfm.run.folder import RunFolder

RECIPE = {"seed": 0, "trainer": {"max_steps": 10}, "data": {"init_args": {"targets": ["task"]}}}
SCORES = pd.DataFrame({"value": [0.5]})


def test_the_same_recipe_is_let_in_again(tmp_path):
    RunFolder(tmp_path).claim(RECIPE)
    RunFolder(tmp_path).claim({**RECIPE, "data": {"init_args": {"targets": ("task",)}}})
    assert RunFolder(tmp_path).recipe() == RECIPE


def test_another_recipe_is_refused_with_the_keys_that_differ(tmp_path):
    RunFolder(tmp_path).claim(RECIPE)
    with pytest.raises(
        ValueError, match=r"seed is 0 there and 1 here; trainer.max_steps is 10 there and 20 here.*--out"
    ):
        RunFolder(tmp_path).claim({**RECIPE, "seed": 1, "trainer": {"max_steps": 20}})


def test_other_devices_and_threads_may_go_on_and_are_told(tmp_path, capsys):
    RunFolder(tmp_path).claim({**RECIPE, "trainer": {"max_steps": 10, "devices": 1}})
    RunFolder(tmp_path).claim({**RECIPE, "trainer": {"max_steps": 10, "devices": 4}})
    assert "goes on: trainer.devices is 1 there and 4 here" in capsys.readouterr().out
    assert RunFolder(tmp_path).recipe()["trainer"]["devices"] == 1


def test_a_debugging_run_starts_afresh(tmp_path):
    run = RunFolder(tmp_path)
    run.claim(RECIPE)
    run.save_fold(0, SCORES, SCORES)
    run.claim({**RECIPE, "seed": 1}, afresh=True)
    assert not run.done(0)


def test_a_fold_is_done_when_its_scores_are_written_and_then_needs_no_state_of_training(tmp_path):
    run = RunFolder(tmp_path)
    (run.fold(0) / "last.ckpt").write_bytes(b"state")
    assert not run.done(0)
    run.save_fold(0, SCORES, SCORES)
    assert run.done(0)
    assert sorted(path.name for path in run.fold(0).iterdir()) == ["predictions.parquet", "scores.parquet"]


def test_a_folder_without_a_recipe_is_no_run(tmp_path):
    with pytest.raises(ValueError, match=r"no run folder, it has no recipe.yaml"):
        RunFolder(tmp_path).recipe()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with suppress(KeyboardInterrupt), written(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"scores.csv": "old"}


def test_what_a_killed_write_left_behind_is_swept_up(tmp_path):
    run = RunFolder(tmp_path)
    run.claim(RECIPE)
    (run.fold(0) / ".last.77.part.ckpt").write_bytes(b"half")
    run.claim(RECIPE)
    assert list(run.fold(0).iterdir()) == []
