"""Sentences: the result in words, each drawn from the numbers beside it and never kinder than they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

_LEVEL = 0.05
# metrics as a reader says them; any other has its underscores taken out
_WORDS = {
    "auroc": "AUROC",
    "macro_f1": "macro F1",
    "cohen_kappa": "Cohen's kappa",
    "r2": "R²",
    "pearson_r": "Pearson r",
}


@dataclass(frozen=True)
class Line:
    """A model's headline: the value, its 95 % interval, chance, and the one-sided p that chance does as well."""

    model: str
    value: float
    low: float
    high: float
    chance: float
    p: float = math.nan


@dataclass(frozen=True)
class Pair:
    """The trained model against another: the mean lead, the two-sided p, and over what the test ran.

    `settles` is True where the test runs over enough subjects; `wins` of `n` groups (subjects, or folds) led.
    """

    difference: float
    p: float
    over: str
    settles: bool
    wins: int
    n: int


def verdict(ours: Line, rival: Line | None, pair: Pair | None, metric: str, protocol: str) -> list[str]:
    """What a reader in a hurry should take away.

    >>> ours, rival = Line("EEGNeX", 0.61, 0.55, 0.67, 0.5, 0.001), Line("CSP + LDA", 0.63, 0.58, 0.68, 0.5)
    >>> pair = Pair(-0.02, 0.4, "24 subjects", True, 11, 24)
    >>> print(*verdict(ours, rival, pair, "balanced accuracy", "on subjects never seen in training"), sep=chr(10))
    EEGNeX: balanced accuracy 0.61 [0.55, 0.67] on subjects never seen in training, above chance (0.50, p = 0.001).
    EEGNeX 0.61 [0.55, 0.67] does not beat CSP + LDA 0.63 [0.58, 0.68] (paired over 24 subjects, p = 0.4).
    """
    sentences = [f"{ours.model}: {metric} {with_interval(ours)} {protocol}{_against_chance(ours)}"]
    if rival is not None and pair is not None:
        sentences.append(_against_rival(ours, rival, pair))
    return sentences


def caveats(n_subjects: int, n_folds: int, n_seeds: int) -> list[str]:
    """What the size of the run does not allow anyone to conclude."""
    told = []
    if n_subjects == 1:
        told.append(
            "One subject: the interval speaks of these recordings, not of other people. Folds share training data and are "
            "no independent samples: the interval is widened for that, paired differences are not."
        )
    elif n_subjects < 10:
        told.append(
            f"{n_subjects} subjects: an interval made of so few is itself uncertain, and only large differences can show."
        )
    if n_folds == 1:
        told.append("One fold: the result hangs on a single division of the data.")
    if n_seeds == 1:
        told.append("One seed: the spread over random initialisations is not in the interval.")
    return told


def number(value: float) -> str:
    """Two decimals, as a table wants them; a dash where there is no value.

    >>> number(0.6149), number(float("nan"))
    ('0.61', '–')
    """
    # the zero that is added takes the sign from a rounded -0.00
    return "–" if math.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def counted(n: int, thing: str) -> str:
    """A number and what it counts.

    >>> counted(1, "fold"), counted(1200, "window")
    ('1 fold', '1,200 windows')
    """
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def probability(p: float) -> str:
    """A p-value with the figures that mean something.

    >>> probability(0.0002), probability(0.013), probability(0.4)
    ('p < 0.001', 'p = 0.013', 'p = 0.4')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def words(metric: str) -> str:
    """A metric as a reader says it.

    >>> words("balanced_accuracy"), words("r2")
    ('balanced accuracy', 'R²')
    """
    return _WORDS.get(metric, metric.replace("_", " "))


def with_interval(line: Line) -> str:
    """0.61 [0.55, 0.67]."""
    if math.isnan(line.low):
        return number(line.value)
    return f"{number(line.value)} [{number(line.low)}, {number(line.high)}]"


def _against_chance(ours: Line) -> str:
    if math.isnan(ours.chance):
        return "."
    chance = number(ours.chance) + ("" if math.isnan(ours.p) else f", {probability(ours.p)}")
    if ours.high < ours.chance:
        return f", below chance ({chance}): look for an error in labels or folds before anything else."
    # both have to say so: an interval of few clusters and a permutation test can disagree
    above = ours.low > ours.chance and not ours.p >= _LEVEL
    return f", {'above chance' if above else 'not distinguishable from chance'} ({chance})."


def _against_rival(ours: Line, rival: Line, pair: Pair) -> str:
    us, them = f"{ours.model} {with_interval(ours)}", f"{rival.model} {with_interval(rival)}"
    if not pair.settles:
        return _by_folds(us, them, pair, ahead=ours.value > rival.value)
    settled, test = pair.p < _LEVEL, f"paired over {pair.over}, {probability(pair.p)}"
    if ours.value <= rival.value:
        return f"{us} {'falls behind' if settled else 'does not beat'} {them} ({test})."
    if settled:
        return f"{us} beats the best baseline, {them} ({test})."
    return f"{us} is ahead of the best baseline, {them}, but that is not settled ({test})."


def _by_folds(us: str, them: str, pair: Pair, ahead: bool) -> str:
    """Where subjects are too few for a test: folds can be counted, but not taken for independent samples."""
    folds = f"{pair.wins} of {counted(pair.n, 'fold')}"
    if ahead:
        return (
            f"{us} is ahead of the best baseline, {them}, in {folds}; with so few subjects that says nothing of others."
        )
    return f"{us} does not beat {them} (ahead in {folds})."
