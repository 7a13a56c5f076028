"""Word times: from TextGrids of Praat's own making, tables, and the rate of words."""

from pathlib import Path

import numpy as np
import pytest

from data_loaders import words

TABLE = "word\tonset\tduration\nAlice\t0.5\t0.3\nnull\t0.8\t0.2\nwas\t1.0\t0.2\n"


@pytest.mark.parametrize("form", ["long_textgrid", "short_textgrid"])
def test_textgrids_give_words_without_silence_and_noise(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from praatio import textgrid

    grid = textgrid.Textgrid()
    spoken = [(0.0, 0.5, "sp"), (0.5, 1.0, 'Al"ice'), (1.5, 2.0, "was"), (2.0, 2.5, "{BR}")]
    grid.addTier(textgrid.IntervalTier("phone", [(0.0, 3.0, "AH0")], 0, 3))
    grid.addTier(textgrid.IntervalTier("word", spoken, 0, 3))
    grid.save(str(tmp_path / "a.TextGrid"), form, includeBlankSpaces=True)
    table = words.read_words(tmp_path / "a.TextGrid")
    assert table["word"].tolist() == ['Al"ice', "was"]
    assert np.allclose(table["onset"], [0.5, 1.5])
    assert np.allclose(table["duration"], 0.5)
    assert "2 of 4 labels are no words" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"no tier called 'syllable'; its tiers are \['phone', 'word'\]"):
        words.read_words(tmp_path / "a.TextGrid", tier="syllable")


def test_a_table_keeps_the_word_null(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(TABLE)
    assert words.read_words(tmp_path / "a.tsv")["word"].tolist() == ["Alice", "null", "was"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("word\tonset\na\t1\n", "lacks the column 'duration'"),
        (TABLE.replace("0.8", "n/a"), "word 2, 'null', has onset nan"),
    ],
)
def test_a_broken_table_is_refused_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(ValueError, match=told):
        words.read_words(tmp_path / "a.tsv")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not there"):
        words.read_words(tmp_path / "none.tsv")


def test_a_rate_gives_back_when_words_were_spoken() -> None:
    from nilearn.glm.first_level.hemodynamic_models import spm_hrf

    rng = np.random.default_rng(0)
    spoken = np.sort(np.concatenate([rng.uniform(0, 100, 300), rng.uniform(140, 200, 200)]))  # a pause in between
    response = np.asarray(spm_hrf(2.0, oversampling=1))
    rate = np.convolve(np.histogram(spoken, np.arange(0, 201, 2))[0], response)[:100]
    found = words.times_from_rate(rate * 1e-5, 0.5, 500, response)
    # the response to the last words comes after the end, and a few words may fall on the wrong side of the pause
    error = np.abs(found - spoken)[spoken < 190]
    assert np.median(error) < 2.0
    assert np.quantile(error, 0.95) < 6.0
    assert (np.diff(found) >= 0).all()


def test_a_rate_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere positive"):
        words.times_from_rate(np.zeros(10), 0.5, 3)


def test_stimuli_say_which_recording_played_what(tmp_path: Path) -> None:
    (tmp_path / "played.tsv").write_text("recording\tstimulus\nsub-01*\ta.tsv\n")
    table = words.read_stimuli(tmp_path / "played.tsv")
    assert table.to_dict("records") == [{"recording": "sub-01*", "stimulus": "a.tsv", "onset": 0.0}]
    (tmp_path / "bad.tsv").write_text("run\tstimulus\n1\ta\n")
    with pytest.raises(ValueError, match="lacks the column 'recording'"):
        words.read_stimuli(tmp_path / "bad.tsv")
