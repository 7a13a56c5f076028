"""A run made public: its card and manifest in a folder, its weights on the hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from brainfm import checkpoints, hub
from brainfm.files import written
from brainfm.report.card import card, manifest
from brainfm.report.results import Results
from brainfm.run import provenance
from brainfm.run.folder import RECIPE, SCORES, SUMMARY

# predictions stay at home: they hold the truth of every test window
_SENT = (RECIPE, SUMMARY, provenance.FILE)
_SENT_OF_A_FOLD = (checkpoints.WEIGHTS, checkpoints.TRANSFORMS, checkpoints.MANIFEST, SCORES)


def publish(run: Path, out: Path, licence: str, repo: str | None = None) -> Path:
    """Writes card.md and manifest.yaml into `out`; with `repo` (OWNER/NAME), sends weights and card to the hub first.

    Raises ValueError where no fold is scored, or where the hub refuses; then nothing is written.
    """
    results = Results(run)
    address = None if repo is None else _push(results, out.name, licence, repo)
    with written(out / "card.md") as part:
        part.write_text(card(results, out.name, licence, address), encoding="utf-8")
    with written(out / "manifest.yaml") as part:
        text = yaml.safe_dump(manifest(results, out.name, address), sort_keys=False, allow_unicode=True)
        part.write_text(text, encoding="utf-8")
    return out


def _push(results: Results, name: str, licence: str, repo: str) -> str:
    files: dict[str, Path | bytes] = {str(file.relative_to(results.path)): file for file in _sent(results)}
    size = sum(file.stat().st_size for file in files.values() if isinstance(file, Path))
    print(f"{repo}: {len(files)} files, {size / 1e6:.1f} MB, without predictions")
    files["README.md"] = card(results, name, licence, f"{hub.PREFIX}{repo}").encode()
    return hub.push(repo, files, f"brainfm publish {name}")


def _sent(results: Results) -> Iterator[Path]:
    yield from (results.path / name for name in _SENT if (results.path / name).exists())
    for fold in results.folds:
        yield from (fold.path / name for name in _SENT_OF_A_FOLD if (fold.path / name).exists())
