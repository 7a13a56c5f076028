"""A census of damage: each broken file is refused with an error that names it, told of, or read as if it were whole.

Never a hang, a crash of the interpreter, or a wrong recording in silence. Folders are read in a process of their own.
`pytest tests/data_loaders/damage` runs it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data_loaders.damage import damage
from tests.data_loaders.damage.damages import DAMAGES

HERE = Path(__file__).parent
SECONDS = 60
CASES = [(kind, what) for kind, damages in DAMAGES.items() for what in damages]


def place(home: Path, kind: str, what: str) -> Path:
    return home / f"{kind}-{''.join(c if c.isalnum() else '_' for c in what)}"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What reading each folder gave, by the folder's name; `whole` ones among them."""
    home = tmp_path_factory.mktemp("damaged")
    folders = []
    for kind, damages in DAMAGES.items():
        whole = place(home, kind, "whole")
        whole.mkdir()
        getattr(damage, kind)(whole)
        folders.append(whole)
        for what, change in damages.items():
            folder = place(home, kind, what)
            shutil.copytree(whole, folder)
            change(folder)
            folders.append(folder)
    return _read(folders, home)


def _read(folders: list[Path], home: Path) -> dict[str, dict]:
    """Reads on behind a folder that crashed the process or took too long."""
    found: dict[str, dict] = {}
    out = home / "out.jsonl"
    while len(found) < len(folders):
        (home / "todo").write_text("\n".join(map(str, folders[len(found) :])), encoding="utf-8")
        out.write_text("")
        ended = _run(home / "todo", out, len(folders) - len(found))
        for line in out.read_text(encoding="utf-8").splitlines():
            found[Path(json.loads(line)["folder"]).name] = json.loads(line)
        if len(found) < len(folders):
            found[folders[len(found)].name] = {"error": ended, "text": ""}
    return found


def _run(todo: Path, out: Path, n: int) -> str:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen([sys.executable, str(HERE / "read_damaged.py"), str(todo), str(out)], env=env)
    done = 0
    while True:
        try:
            return f"crash {child.wait(SECONDS)}"
        except subprocess.TimeoutExpired:
            lines = len(out.read_text(encoding="utf-8").splitlines())
            if lines == done:
                child.kill()
                child.wait()
                return "hang"
            done = lines


@pytest.mark.parametrize("kind", list(DAMAGES))
def test_the_whole_file_is_read(kind: str, outcomes: dict[str, dict]) -> None:
    assert "digest" in outcomes[f"{kind}-whole"], outcomes[f"{kind}-whole"]


@pytest.mark.parametrize(("kind", "what"), CASES, ids=[f"{kind}: {what}" for kind, what in CASES])
def test_damage_is_refused_by_name_told_of_or_harmless(kind: str, what: str, outcomes: dict[str, dict]) -> None:
    whole, found = outcomes[f"{kind}-whole"], outcomes[place(Path(), kind, what).name]
    if "error" in found:
        assert found["error"] == "ValueError", found
        assert _named(found["text"], kind, what), found["text"]
    elif found["digest"] != whole["digest"]:
        assert set(found["decisions"]) - set(whole["decisions"]), "a wrong recording in silence"


def _named(text: str, kind: str, what: str) -> bool:
    """True where an error names the file, or the folder where the recording is a folder."""
    names = ("s01", "sub-01", "brainfm.yaml", "participants.tsv", place(Path(), kind, what).name)
    return any(name in text for name in names)


def test_the_census_is_as_large_as_promised() -> None:
    assert len(CASES) >= 200
