"""The command: quick to answer, and one line for whatever a user got wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import brainfm
from brainfm.cli import VERBS, main, split
from brainfm.grammar.known import recipes


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What the command says on standard error, having failed with code 2."""
    try:
        code = main(argv)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    return capsys.readouterr().err


def test_help_answers_within_two_seconds_and_imports_neither_torch_nor_lightning() -> None:
    code = (
        "import sys\nfrom brainfm.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('torch', 'lightning', 'numpy', 'jsonargparse') if name in sys.modules])"
    )
    start = time.perf_counter()
    out = _python(code)
    assert time.perf_counter() - start < 2
    assert out.splitlines()[-1] == "[]"
    assert all(verb in out for verb in VERBS)


def test_importing_brainfm_imports_nothing_heavy_and_its_names_are_there() -> None:
    heavy = "[n for n in ('torch', 'lightning', 'torchvision', 'numpy', 'pandas', 'mne') if n in sys.modules]"
    assert _python(f"import sys, brainfm; print({heavy})") == "[]"
    assert {"Decoder", "Recipe", "Store"} <= set(dir(brainfm))
    assert brainfm.Store.__module__ == "data_loaders.store"
    with pytest.raises(AttributeError, match="brainfm has no 'Decodr'"):
        brainfm.Decodr  # noqa: B018


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"examples:\n  brainfm {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "repair"),
    [
        (("ft",), "did you mean fit?"),
        (("fit", "--confg", "x.yaml"), "did you mean --config?"),
        (("fit", "--sede", "3"), "did you mean --seed?"),
        (("fit", "--data.batch_size"), "write --data.batch_size VALUE"),
        (("fit",), "--config RECIPE"),
        (("validate", "--config", "quickstrat"), "quickstart"),
        (("ls", "encodrs"), "did you mean 'encoders'?"),
        (("cp", "decode/eegmt"), "did you mean 'decode/eegmat'?"),
        (("prepare", "reching", "stores/x"), "['meg', 'reaching']"),
        (("prepare",), "brainfm prepare FOLDER stores/NAME"),
        (("prepare", "eegmat", "stores/x"), "--sidecar eegmat"),
        (("prepare", "--config", "decode/eegmat"), "brainfm prepare PATH --config RECIPE"),
        (("inspect", "nowhere"), "does not exist"),
        (("report", "runs/x"), "fit a recipe first"),
        (("evaluate", "runs/x"), "no recipe.yaml"),
        (("predict", "runs/x"), "no recipe.yaml"),
        (("generate", "runs/x"), "no recipe.yaml"),
        (
            ("report", "runs/x", "--data.batch_size", "3"),
            "brainfm report takes no values of a recipe: leave out --data.batch_size",
        ),
    ],
)
def test_a_slip_on_the_command_line_is_answered_with_the_repair(
    argv: tuple[str, ...],
    repair: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = _said(capsys, *argv)
    assert repair in said
    assert "Traceback" not in said


def test_a_recipe_without_its_store_is_told_which_command_makes_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "`brainfm prepare meg stores/meg`" in _said(capsys, "validate", "--config", "quickstart_meg")


def test_the_command_that_an_error_names_makes_the_store_and_the_recipe_is_then_valid(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "meg", "stores/meg"]) == 0
    assert main(["validate", "--config", "quickstart_meg", "--data.batch_size", "8"]) == 0
    assert "quickstart_meg is valid" in capsys.readouterr().out
    assert main(["fit", "--config", "quickstart_meg", "--seed=7", "--print_config"]) == 0
    printed = capsys.readouterr().out
    assert "seed: 7" in printed
    assert "n_chans: " in printed
    assert "`batch_size`" not in _said(capsys, "validate", "--config", "quickstart_meg", "--data.batch_szie", "8")


def test_a_copied_recipe_is_the_one_that_came_and_is_never_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["cp", "quickstart", "mine.yaml"]) == 0
    assert Path("mine.yaml").read_text() == recipes()["quickstart"].read_text()
    assert "--force" in _said(capsys, "cp", "quickstart", "mine.yaml")


def test_ls_shows_recipes_with_their_headers_and_classes_with_their_first_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ls"]) == 0
    said = capsys.readouterr().out
    assert "quickstart" in said
    assert "brainfm.encoders.eegnex.EEGNeX" in said
    assert "TokenEncoder" not in said


def test_values_of_the_recipe_are_told_from_flags() -> None:
    rest, overrides = split(["fit", "--config", "a.yaml", "--trainer.max_steps=5", "--name", "x", "--debug"])
    assert rest == ["fit", "--config", "a.yaml", "--debug"]
    assert overrides == [("trainer.max_steps", "5"), ("name", "x")]


def test_a_flag_of_the_verb_is_no_value_of_the_recipe() -> None:
    assert split(["features", "--name", "lm"], {"--name"}) == (["features", "--name", "lm"], [])
    assert split(["fit", "--name", "lm"], {"--config"}) == (["fit"], [("name", "lm")])
