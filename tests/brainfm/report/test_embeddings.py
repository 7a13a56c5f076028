"""Embeddings in the report: the same picture however the embedding is turned, and nothing loaded from elsewhere."""

from pathlib import Path

import numpy as np
import pandas as pd

from brainfm.report.embeddings import FILE, axes_of, embeddings
from brainfm.report.results import FoldFolder


def kept(folder: Path, n_sessions: int = 1, dim: int = 3) -> list[FoldFolder]:
    turn = np.linspace(0, 12, 400)
    points = np.stack([np.cos(turn), np.sin(turn), 0.3 * np.cos(2 * turn)], 1)[:, :dim]
    table = pd.DataFrame(points, columns=[f"e{i}" for i in range(dim)])
    table = table.assign(position=np.sin(turn), session=np.arange(400) % n_sessions, window_id=np.arange(400))
    (folder / "fold-0").mkdir(parents=True)
    table.to_parquet(folder / "fold-0" / FILE, index=False)
    return [FoldFolder(folder / "fold-0")]


def test_principal_axes_do_not_care_how_the_points_are_turned() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((300, 4)) * [4, 3, 2, 1]
    turned = points @ np.linalg.qr(rng.standard_normal((4, 4)))[0]
    assert np.allclose(np.abs(axes_of(points, 3)), np.abs(axes_of(turned, 3)))


def test_a_fold_with_an_embedding_is_drawn_flat_and_to_be_turned(tmp_path: Path) -> None:
    drawn = embeddings(kept(tmp_path), "e")
    assert len(drawn) == 2
    html = "".join(str(one.svg) for one in drawn)
    assert "<svg" in html
    assert "<canvas" in html
    assert "http" not in html.replace("http://www.w3.org", "")
    assert "position" in drawn[1].svg


def test_sessions_that_share_a_label_are_compared(tmp_path: Path) -> None:
    drawn = embeddings(kept(tmp_path, n_sessions=2), "e")
    assert len(drawn) == 3
    assert "Consistency between sessions over position" in drawn[2].alt


def test_two_dimensions_are_only_drawn_flat_and_no_embedding_not_at_all(tmp_path: Path) -> None:
    assert len(embeddings(kept(tmp_path / "two", dim=2), "e")) == 1
    (tmp_path / "none").mkdir()
    assert embeddings([FoldFolder(tmp_path / "none")], "e") == []
