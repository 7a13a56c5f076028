"""provenance.json says where numbers come from."""

import json
import subprocess

from brainfm.run import provenance
from brainfm.run.provenance import Provenance, code_version, recipe_hash


def read(folder):
    return json.loads((folder / "provenance.json").read_text())


def test_it_names_recipe_data_seed_command_versions_and_machine(tmp_path):
    Provenance(tmp_path, {"seed": 3}, {"sub-01": "abc"}, 3, ["brainfm", "fit"]).finish()
    found = read(tmp_path)
    assert found["data"] == {"sub-01": "abc"}
    assert (found["seed"], found["command"], found["recipe_sha256"]) == (3, "brainfm fit", recipe_hash({"seed": 3}))
    assert found["packages"]["torch"][0].isdigit()
    assert found["threads"] >= 1
    assert found["finished"] >= found["started"]


def test_a_run_that_is_cut_keeps_its_start_and_adds_up_its_time(tmp_path):
    first = Provenance(tmp_path, {}, {}, 0, [])
    first._spent = 100.0
    first.tick()
    began = read(tmp_path)["started"]
    Provenance(tmp_path, {}, {}, 0, []).finish()
    assert read(tmp_path)["started"] == began
    assert read(tmp_path)["restarts"] == 1
    assert read(tmp_path)["wall_time_s"] >= 100.0


def test_the_hash_of_a_recipe_does_not_depend_on_the_order_of_its_keys():
    assert recipe_hash({"a": 1, "b": {"c": 2, "d": 3}}) == recipe_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert recipe_hash({"a": 1}) != recipe_hash({"a": 2})


def test_the_commit_is_named_with_whether_files_differ_from_it(tmp_path, monkeypatch):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    (tmp_path / "code.py").write_text("1")
    git("init")
    git("add", "code.py")
    git("commit", "-m", "one")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "code.py"))
    assert len(code_version()["commit"]) == 40
    assert not code_version()["dirty"]
    (tmp_path / "code.py").write_text("2")
    assert code_version()["dirty"]


def test_without_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "code.py"))
    assert code_version() == {"commit": None, "dirty": None}
