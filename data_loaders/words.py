"""When each word of a stimulus was spoken: read from a table or a TextGrid, or derived from the rate of words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from data_loaders.formats.separators import dialect

COLUMNS = ("word", "onset", "duration")
# labels of transcripts that are no words: breaths, lip smacks, noise, silence, sentence marks
_NO_WORD = {"sentence_start", "sentence_end", "br", "lg", "ls", "ns", "sp", "sil", "<s>", "</s>"}


def read_words(path: Path, tier: str = "word") -> pd.DataFrame:
    """Words with onset and duration in seconds, in order of time, from `.TextGrid` or a table with those columns.

    Labels that are no words (sp, br, ns, ...) go, and their number is printed; `tier` is the name of the TextGrid's
    tier, or the start of it. Raises ValueError that says what is missing.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there: give a .TextGrid, or a .tsv with the columns {', '.join(COLUMNS)}")
    words, told = words_and_note(path, tier)
    print(told, end="\n" if told else "")
    return words


def words_and_note(path: Path, tier: str = "word") -> tuple[pd.DataFrame, str]:
    """`read_words`, which says what it would print; an empty text where there is nothing to say."""
    table = _textgrid(path, tier) if path.suffix.lower() == ".textgrid" else _table(path)
    noise = table["word"].str.lower().str.strip("{}").isin(_NO_WORD)
    labels = ", ".join(sorted(set(table["word"][noise])))
    told = f"{path.name}: {noise.sum()} of {len(table)} labels are no words ({labels})" if noise.any() else ""
    words = _checked(table[~noise].reset_index(drop=True), path)
    return words.sort_values("onset", kind="stable", ignore_index=True), told


def read_stimuli(path: Path) -> pd.DataFrame:
    """Which stimulus each recording played: the columns recording (a name or pattern), stimulus, and onset in seconds."""
    table = pd.read_csv(path, dtype={"recording": str, "stimulus": str}, **dialect(path))
    missing = [column for column in ("recording", "stimulus") if column not in table.columns]
    if missing:
        raise ValueError(
            f"{path} lacks the column {missing[0]!r}: it says which stimulus (a file) each recording played"
        )
    return table.assign(onset=table["onset"].fillna(0.0) if "onset" in table.columns else 0.0)


def words_of_text(text: str) -> list[str]:
    """The words of running text, punctuation kept with them, in order."""
    return re.findall(r"\S+", text)


def times_from_rate(
    rate: Float[ndarray, "frame"], sfreq: float, n_words: int, response: Float[ndarray, "lag"] | None = None
) -> Float[ndarray, "word"]:
    """The likely time of each word where only the rate of words per frame is known.

    `response` is the haemodynamic response that the rate was convolved with, sampled at `sfreq`: it is taken out by
    non-negative least squares. Words then lie where the share of the rate up to that moment is their share of all words:
    each is placed to within a frame or two where the text is the one that was spoken, no better.
    """
    frames = np.asarray(rate, dtype=np.float64)
    if response is not None:
        frames = _deconvolved(frames, np.asarray(response, dtype=np.float64))
    frames = np.maximum(frames, 0)
    if frames.sum() <= 0:
        raise ValueError("the rate of words is nowhere positive: name the stream that holds it")
    share = np.concatenate([[0.0], np.cumsum(frames) / frames.sum()])
    # a stretch without words is flat, and interpolation needs shares that rise
    rising = share + 1e-9 * np.arange(len(share))
    return np.interp((np.arange(n_words) + 0.5) / n_words, rising / rising[-1], np.arange(len(share)) / sfreq)


def with_times(words: list[str], times: Float[ndarray, "word"]) -> pd.DataFrame:
    """The table of words, each lasting until the next."""
    ends = np.append(times[1:], times[-1] + float(np.median(np.diff(times))) if len(times) > 1 else times[-1] + 0.3)
    return pd.DataFrame({"word": words, "onset": times, "duration": np.maximum(ends - times, 0.0)})


def _deconvolved(rate: Float[ndarray, "frame"], response: Float[ndarray, "lag"]) -> Float[ndarray, "frame"]:
    from scipy.linalg import toeplitz
    from scipy.optimize import nnls

    first = np.zeros(len(rate))
    first[: min(len(response), len(rate))] = response[: len(rate)]
    # scaled: predictors of a published model may be as small as 1e-5
    return nnls(toeplitz(first, np.zeros(len(rate))), rate / np.abs(rate).max())[0]


def _table(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, keep_default_na=False, na_values=["n/a"], **dialect(path))
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(f"{path} lacks the column {missing[0]!r}: it needs {', '.join(COLUMNS)}, times in seconds")
    return table[list(COLUMNS)].assign(word=table["word"].astype(str))


def _checked(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if table.empty:
        raise ValueError(f"{path} holds no word")
    times = table[["onset", "duration"]].to_numpy(dtype=float)
    if not np.isfinite(times).all() or (times[:, 1] < 0).any():
        row = int(np.flatnonzero(~np.isfinite(times).all(1) | (times[:, 1] < 0))[0])
        raise ValueError(
            f"{path}: word {row + 1}, {table['word'][row]!r}, has onset {times[row, 0]} and duration {times[row, 1]}: give seconds"
        )
    return table


def _textgrid(path: Path, tier: str) -> pd.DataFrame:
    """The intervals of one tier; empty ones are silence."""
    from praatio import textgrid
    from praatio.utilities.errors import PraatioException

    try:
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    except (PraatioException, ValueError, IndexError) as error:
        raise ValueError(f"{path} is no TextGrid that can be read ({error}): save it anew with Praat") from error
    names = [name for name in grid.tierNames if name.lower().startswith(tier.lower())]
    if not names:
        raise ValueError(
            f"{path} has no tier called {tier!r}; its tiers are {list(grid.tierNames)}: name one with --tier"
        )
    spans = [(entry.label.strip(), entry.start, entry.end - entry.start) for entry in grid.getTier(names[0]).entries]
    return pd.DataFrame(spans, columns=pd.Index(COLUMNS))
