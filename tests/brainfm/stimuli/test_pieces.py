"""A long stimulus that is killed in the middle: what was computed is not computed again, and the rows are the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from brainfm.stimuli.pieces import in_pieces
from tests.brainfm.stimuli.conftest import CORPUS

BATCHES = list(range(10))


def rows(batch: int) -> dict[str, np.ndarray]:
    return {"a": np.full((batch % 3 + 1, 2), batch, np.float32), "b": np.full((1, 4), -batch, np.float32)}


def test_a_cut_run_computes_the_rest_and_gives_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    computed: list[int] = []

    def dies_at_six(batch: int) -> dict[str, np.ndarray]:
        if batch == 6:
            raise KeyboardInterrupt
        computed.append(batch)
        return rows(batch)

    with pytest.raises(KeyboardInterrupt):
        in_pieces(BATCHES, dies_at_six, "x", tmp_path, every=0.0)
    again = in_pieces(BATCHES, lambda batch: computed.append(batch) or rows(batch), "x", tmp_path, every=0.0)  # type: ignore[func-returns-value]
    assert computed == BATCHES
    whole = in_pieces(BATCHES, rows, "x")
    assert all(np.array_equal(again[name], whole[name]) for name in ("a", "b"))
    assert "6 of 10 batches were computed before" in capsys.readouterr().out


def test_pieces_of_another_division_into_batches_are_left_alone(tmp_path: Path) -> None:
    in_pieces(BATCHES, rows, "x", tmp_path, every=0.0)
    computed: list[int] = []
    in_pieces(BATCHES[:9], lambda batch: computed.append(batch) or rows(batch), "x", tmp_path, every=0.0)  # type: ignore[func-returns-value]
    assert computed == BATCHES[:9]


def test_a_story_killed_in_the_middle_passes_each_window_through_the_model_once(causal: Path, tmp_path: Path) -> None:
    words = " ".join(CORPUS[:1] * 4).split()
    (tmp_path / "story.tsv").write_text(
        "word\tonset\tduration\n" + "".join(f"{w}\t{i * 0.3:.1f}\t0.3\n" for i, w in enumerate(words))
    )
    out, log = tmp_path / "story.npz", tmp_path / "passes.txt"
    command = [sys.executable, Path(__file__).with_name("killed_story.py"), causal, tmp_path / "story.tsv", out, log]
    found, died = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, 0
    while subprocess.run(command, env=found, capture_output=True, timeout=120).returncode:
        died += 1
        assert not out.exists()
        assert died < 3
    assert died == 1
    passes = log.read_text().split()
    assert len(passes) == len(set(passes)) > 4
    from brainfm.stimuli.base import Features
    from brainfm.stimuli.text import Text

    whole = Text(str(causal), context=8, keep=4, batch_size=2).vectors(words)
    kept = Features.load(out).layers
    assert all(np.array_equal(kept[name], whole[name]) for name in whole)
    assert not list(tmp_path.glob(".story*"))
