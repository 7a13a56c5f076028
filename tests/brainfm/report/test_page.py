"""The page of a run: whole, honest about what is missing, and the same each time."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from brainfm.report.page import write


def test_a_page_is_the_same_each_time_it_is_written(classification_run):
    assert write(classification_run).read_bytes() == write(classification_run).read_bytes()


def test_every_model_stands_in_the_headline_table_with_interval_and_chance(classification_page):
    table = re.search(r'<table class="headline">.*?</table>', classification_page, re.DOTALL)
    assert table is not None
    for model in ("EEGNeX", "log-variance + LDA"):
        row = re.search(rf'<th scope="row">{re.escape(model)}</th>(.*?)</tr>', table[0], re.DOTALL)
        assert row is not None
        assert re.search(r"0\.\d\d to [01]\.\d\d", row[1])
        assert "0.50" in row[1]


def test_the_question_is_the_first_sentence_of_the_recipe_header(classification_page):
    assert "<h1>Rest against task, planted in one channel</h1>" in classification_page


def test_nothing_is_loaded_from_elsewhere(classification_page, regression_page):
    for page in (classification_page, regression_page):
        loads = re.findall(r'(?:src|href)="([^"]*)"|url\(([^)]*)\)|@import\s+(\S+)', page)
        assert all(any(place.startswith(("#", "data:")) for place in found) for found in loads)


def test_no_id_occurs_twice(classification_page):
    ids = re.findall(r'\sid="([^"]*)"', classification_page)
    assert len(ids) == len(set(ids))


def test_every_picture_says_in_words_what_it_shows(classification_page):
    pictures = re.findall(r'<svg role="img" aria-label="([^"]*)"', classification_page)
    assert len(pictures) == classification_page.count("<svg")
    assert all(len(words) > 40 for words in pictures)


def test_a_report_is_written_where_the_store_is_gone(regression_page):
    assert "GRU: velocity from gone" in regression_page
    assert "Where on the head" not in regression_page


def test_a_run_of_one_subject_is_told_to_say_nothing_of_people(regression_page):
    assert "One subject: the interval speaks of these recordings, not of other people." in regression_page
    assert "in 2 of 2 folds; with so few subjects that says nothing of others." in regression_page


def test_flags_of_the_leak_guard_are_on_the_page(classification_run, tmp_path):
    run = _copy(classification_run, tmp_path)
    (run / "fold-1" / "manifest.json").write_text(json.dumps({"flags": ["labels are sorted by time"]}))
    assert "labels are sorted by time (fold 1)" in _page(run)
    assert "The leak guard found nothing" not in _page(run)


def test_a_run_that_has_not_ended_is_reported_and_says_so(classification_run, tmp_path):
    run = _copy(classification_run, tmp_path)
    (run / "summary.csv").unlink()
    (run / "fold-1" / "scores.parquet").unlink()
    assert "The run has not ended (folds scored so far: 1)" in _page(run)


def test_a_folder_without_a_scored_fold_is_refused_with_the_repair(classification_run, tmp_path):
    run = _copy(classification_run, tmp_path)
    for scores in run.glob("fold-*/scores.parquet"):
        scores.unlink()
    with pytest.raises(ValueError, match="no scored fold yet: run `brainfm fit` on it again"):
        write(run)


def test_markup_in_a_name_is_shown_and_not_obeyed(classification_run, tmp_path):
    run = _copy(classification_run, tmp_path)
    recipe = (run / "recipe.yaml").read_text(encoding="utf-8")
    (run / "recipe.yaml").write_text("# <script>alert(1)</script> & more.\n" + recipe, encoding="utf-8")
    assert "<script>" not in _page(run)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in _page(run)


def test_writing_a_report_imports_neither_torch_nor_lightning(regression_run):
    code = (
        "import sys; from pathlib import Path; from brainfm.report.page import write; write(Path(sys.argv[1])); "
        "print(sorted({'torch', 'lightning'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(regression_run)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_as_the_accessibility_guidelines_ask(scheme):
    css = (Path(__file__).parents[3] / "brainfm" / "report" / "page.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light if scheme == "light" else dark))
    for text in ("ink", "soft", "link"):
        for ground in ("paper", "raised"):
            assert _contrast(colours[text], colours[ground]) >= 4.5
    for line in ("series-0", "series-1"):
        assert _contrast(colours[line], colours["paper"]) >= 3


def _page(run: Path) -> str:
    return write(run).read_text(encoding="utf-8")


def _copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / run.name))


def _contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    low, high = sorted(_luminance(colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
