"""What a sampler is: which windows come next, as a pure function of (seed, step)."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from data_loaders.samplers.hashing import mix, permute, uniform
from data_loaders.windows import Windows

Labels = Callable[[str], ndarray]

# places that are drawn at once: a call of numpy costs as much as a hundred values
_AT_ONCE = 4096


class Sampler(ABC):
    """Draws positions in a table of windows. The order does not depend on ranks, and its state is one integer: the step.

    A recipe gives a leaf its own arguments; the data module binds it to the training windows.
    """

    n_views: int = 1
    # so many neighbouring items belong together: a rank takes them all, or none of them
    group: int = 1
    windows: Windows
    batch_size: int
    seed: int

    def bind(self, windows: Windows, batch_size: int, seed: int, labels: Labels) -> Sampler:
        """A copy that draws `batch_size` items (over all ranks) from these windows; `labels(name)` has a row per window."""
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected at least 1, for example 64")
        bound = copy.copy(self)
        bound.windows, bound.batch_size, bound.seed = windows, batch_size, seed
        # what a bound sampler has drawn belongs to its own windows
        for name in ("_steps", "_drawn"):
            vars(bound).pop(name, None)
        bound.prepare(labels)
        return bound

    def prepare(self, labels: Labels) -> None:  # noqa: B027  (a leaf without labels has nothing to look up)
        """Looks up, once, what the draws need."""

    @abstractmethod
    def draw(self, step: int) -> Int[ndarray, "view item"]:
        """The positions of the windows in the global batch of this step."""

    def n_items(self, step: int) -> int:
        """How many items this step draws."""
        return self.batch_size


class OneByOne(Sampler):
    """A sampler whose items are drawn one by one: a leaf says which window stands at a place of the endless order.

    Places are asked for thousands at a time and kept until they are used, since drawing few costs as much as drawing many.
    """

    @abstractmethod
    def at(self, place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        """The positions of the windows at these places, a pure function of (seed, place)."""

    def draw(self, step: int) -> Int[ndarray, "view item"]:
        start = step % self._steps * self.batch_size
        return self._drawn(step // self._steps)[None, start : start + self.batch_size]

    @cached_property
    def _steps(self) -> int:
        """Steps that are drawn at once; of a small table no more than it has, since every pass has an order of its own."""
        return max(1, min(_AT_ONCE, len(self.windows)) // self.batch_size)

    @cached_property
    def _drawn(self) -> Callable[[int], Int[ndarray, "item"]]:
        # two: threads are at the end of one stretch while others begin the next
        return lru_cache(maxsize=2)(self._stretch)

    def _stretch(self, number: int) -> Int[ndarray, "item"]:
        n_items = self._steps * self.batch_size
        return self.at(number * n_items + np.arange(n_items))


class ContrastiveSampler(Sampler):
    """Draws three views: references, their positives, and negatives, which come from where references come from.

    `place` numbers the items of all steps; it keys every random choice.
    """

    n_views = 3

    def draw(self, step: int) -> Int[ndarray, "view item"]:
        place = step * self.batch_size + np.arange(self.batch_size)
        return self.views(self.reference(place, 0), self.reference(place, 1), place)

    def views(
        self, reference: Int[ndarray, "item"], negative: Int[ndarray, "item"], place: Int[ndarray, "item"]
    ) -> Int[ndarray, "view item"]:
        """The rows of a draw, once references and negatives are known."""
        return np.stack([reference, self.positive(reference, place), negative])

    def reference(self, place: Int[ndarray, "item"], view: int) -> Int[ndarray, "item"]:
        """Windows drawn from the prior; here all alike."""
        return self.choose(place, view, len(self.windows))

    def references(self) -> Int[ndarray, "window"]:
        """Every window that may be a reference, once."""
        return np.arange(len(self.windows))

    @abstractmethod
    def positive(self, reference: Int[ndarray, "item"], place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        """One window for each reference that should lie near it."""

    def choose(self, place: Int[ndarray, "item"], key: int, size: int | ndarray) -> Int[ndarray, "item"]:
        """For each item a whole number below `size`, all alike."""
        return (mix(place, self.seed, key) % np.asarray(size, dtype=np.uint64)).astype(np.int64)

    def permuted(self, place: Int[ndarray, "item"]) -> Int[ndarray, "item"]:
        """The numbers of a step's items in an order of that step."""
        return permute(np.arange(len(place)), len(place), self.seed, int(place[0]))


def values(labels: Labels, names: list[str], n_windows: int) -> Float[ndarray, "window dim"]:
    """Continuous labels side by side. Raises ValueError where a row is missing or not finite."""
    columns = [np.asarray(labels(name), dtype=np.float64) for name in names]
    for name, column in zip(names, columns, strict=True):
        if len(column) != n_windows:
            raise ValueError(f"label {name!r} has {len(column)} rows for {n_windows} windows: give one for each")
        if not np.isfinite(column).all():
            bad = int(np.flatnonzero(~np.isfinite(column.reshape(n_windows, -1)).all(1))[0])
            raise ValueError(f"label {name!r} is NaN or infinite at window {bad}: drop those windows or mend the label")
    return np.concatenate([column.reshape(n_windows, -1) for column in columns], axis=1)


def classes(labels: Labels, names: list[str], n_windows: int, alone: bool = True) -> Int[ndarray, "window"]:
    """Discrete labels as codes 0, 1, ... without gaps; several labels make one class per combination.

    Raises ValueError for fractions, missing rows, NaN, and (`alone` False) for a class of a single window.
    """
    table = values(labels, names, n_windows)
    broken = table != np.round(table)
    if broken.any():
        name = names[0] if len(names) == 1 else str(names)
        raise ValueError(
            f"label {name!r} holds fractions such as {table[broken][0]:g}, which are no classes: "
            f"name it among `labels` of TimeDelta or Delta, or write `{name}=*` in data.targets to make classes of values"
        )
    known, codes = np.unique(table, axis=0, return_inverse=True)
    codes = codes.reshape(-1).astype(np.int64)
    single = np.flatnonzero(np.bincount(codes) == 1)
    if len(single) and not alone:
        raise ValueError(
            f"class {known[single[0]].tolist()} of {names} has a single window, which has no other to be its positive: "
            f"join it to another class, or leave its window out"
        )
    return codes


def across(windows: Windows) -> Int[ndarray, "window"]:
    """The session of each window, numbered without gaps. Raises ValueError where there is only one."""
    known, session = np.unique(windows.recording, return_inverse=True)
    if len(known) < 2:
        raise ValueError(
            "the training part has one session, and this sampler draws across sessions: prepare several into the store, "
            "or take TimeDelta or Discrete"
        )
    return session.astype(np.int64)[windows.locate(np.arange(len(windows)))[0]]


def normal(place: Int[ndarray, "item"], n_dims: int, *keys: int) -> Float[ndarray, "item dim"]:
    """Standard normal numbers keyed by place (Box and Muller 1958)."""
    one, two = (np.stack([uniform(place, *keys, dim, half) for dim in range(n_dims)], axis=1) for half in (0, 1))
    return np.sqrt(-2 * np.log1p(-one)) * np.cos(2 * np.pi * two)


def by_run(
    windows: Windows, labels: Labels, name: str
) -> tuple[ndarray, Int[ndarray, "stretch"], Int[ndarray, "stretch"]]:
    """A label for stretches of neighbouring windows that share it: its value, the first window, their number.

    Where `labels` knows the label of whole runs, it is never spread over their windows.
    """
    of_runs = getattr(labels, "of_runs", None)
    if of_runs is not None and (known := of_runs(name)) is not None:
        return np.asarray(known), np.cumsum(windows.count) - windows.count, windows.count
    values = np.asarray(labels(name))
    first = np.r_[0, np.flatnonzero(values[1:] != values[:-1]) + 1].astype(np.int64)
    return values[first], first, np.diff(np.r_[first, len(windows)])
