"""Did you mean: the nearest right word to a wrong one."""

from __future__ import annotations

from collections.abc import Iterable


class RecipeError(ValueError):
    """What a user wrote in a recipe or on the command line, and how to mend it; never a fault of the program."""


class UnknownArgumentError(RecipeError):
    """An argument that a class does not take; `key` may yet be the argument of another part."""

    def __init__(self, where: str, key: str, owner: str, known: Iterable[str]) -> None:
        self.where, self.key, self.owner, self.known = where, key, owner, list(known)
        known_text = did_you_mean(key, self.known)
        super().__init__(f"{where} is not an argument of {owner}: {known_text}")


def nearest(word: str, known: Iterable[str], cutoff: float = 0.55) -> str | None:
    """The known word that looks most like `word`, or None where none does.

    >>> nearest("batch_szie", ["batch_size", "store"]), nearest("learning_rate", ["lr", "eps"])
    ('batch_size', 'lr')
    """
    ranked = sorted(((_likeness(word, other), other) for other in known), key=lambda pair: (-pair[0], pair[1]))
    return ranked[0][1] if ranked and ranked[0][0] >= cutoff else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error: the nearest word as a question, or else all that could stand there.

    >>> did_you_mean("opimizer", ["optimizer", "trainer"])
    "did you mean 'optimizer'?"
    """
    options = list(known)
    best = nearest(word, options)
    if best is not None:
        return f"did you mean {best!r}?"
    return f"write one of {', '.join(options)}" if options else "nothing can stand there, leave it out"


def _likeness(word: str, other: str) -> float:
    """1 for equal words; the same words in another order, an initialism or a beginning are nearly as like."""
    a, b = word.lower().replace("-", "_"), other.lower().replace("-", "_")
    if a != b and sorted(a.split("_")) == sorted(b.split("_")):
        return 0.95
    if len(b) > 1 and b == "".join(part[0] for part in a.split("_") if part):
        return 0.9
    if len(a) > 2 and b.startswith(a) and a != b:
        return 0.8
    # a slip of the shift key should not tie with another word
    return 1 - _slips(a, b) / max(len(a), len(b), 1) - (0.0 if word == other else 1e-3)


def _slips(a: str, b: str) -> int:
    """How many letters were added, lost, changed or swapped with their neighbour (optimal string alignment)."""
    before, last = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i in range(1, len(a) + 1):
        row = [i]
        for j in range(1, len(b) + 1):
            best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]))
            swapped = i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]
            row.append(min(best, before[j - 2] + 1) if swapped else best)
        before, last = last, row
    return last[-1]
