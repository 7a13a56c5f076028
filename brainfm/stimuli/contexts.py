"""Which words a language model sees for each word: a window that slides in words, shortened where tokens are too many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Context:
    """Words [start, stop) go through the model; those from `new` on get their vectors from this pass."""

    start: int
    new: int
    stop: int


def sliding(tokens: Sequence[int], context: int = 512, keep: int = 256, max_tokens: int = 2**30) -> Iterator[Context]:
    """As published: a window grows to `context` words, then starts anew with the last `keep` of them.

    One pass through a causal model serves every prefix of a window. `tokens` counts each word's; a window ends early
    where they would exceed `max_tokens`. Reference: Antonello et al. 2023, released code.

    >>> [(c.start, c.new, c.stop) for c in sliding([1] * 10, context=4, keep=2)]
    [(0, 0, 4), (2, 4, 6), (4, 6, 8), (6, 8, 10)]
    """
    if not 0 <= keep < context:
        raise ValueError(f"a window of {context} words cannot begin with {keep} old ones: keep fewer than context")
    start, new = 0, 0
    while new < len(tokens):
        stop = _reach(tokens, start, context, max_tokens)
        while stop <= new:
            # many tokens in few words: fewer old words go before the new one
            start += 1
            stop = _reach(tokens, start, context, max_tokens)
        yield Context(start, new, stop)
        # where tokens end a window early, the same share of it is kept
        start, new = stop - (keep if stop - start >= context else (stop - start) * keep // context), stop


def one_each(tokens: Sequence[int], context: int = 512, max_tokens: int = 2**30) -> Iterator[Context]:
    """A window per word that ends with it, for models that look ahead: they must not see what was not yet heard."""
    start, total = 0, 0
    for word, n in enumerate(tokens):
        total += n
        while word - start >= context or (total > max_tokens and start < word):
            total -= tokens[start]
            start += 1
        _check(n, max_tokens, word)
        yield Context(start, word, word + 1)


def _reach(tokens: Sequence[int], start: int, context: int, max_tokens: int) -> int:
    """The end of the longest window from `start` on."""
    total, stop = 0, start
    while stop < len(tokens) and stop - start < context and total + tokens[stop] <= max_tokens:
        total += tokens[stop]
        stop += 1
    if stop == start:
        _check(tokens[start], max_tokens, start)
    return stop


def _check(n: int, max_tokens: int, word: int) -> None:
    if n > max_tokens:
        raise ValueError(
            f"word {word + 1} has {n} tokens and the model takes {max_tokens}: mend the words, they may be sentences"
        )
