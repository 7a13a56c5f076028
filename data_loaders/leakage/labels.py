"""Leaks through labels: a channel that holds the answer, and folds that were sorted by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from data_loaders.intervals import evenly
from data_loaders.leakage.base import Flag, LeakageError
from data_loaders.splits.base import Fold
from data_loaders.transforms.base import Example, Transform
from data_loaders.windows import Windows

Labels = Callable[[Windows, Int[ndarray, "item"]], Shaped[ndarray, "item ..."]]
Examples = Callable[[Windows, Int[ndarray, "item"]], Sequence[Example]]

_MAX_WINDOWS, _MAX_LABELS = 512, 200_000
# below this, a channel can tell classes apart by chance
_MIN_PER_CLASS = 10
# a channel with as few distinct values as this holds codes, not a brain
_LEVELS_PER_CLASS = 4


def check_classes(fold: Fold, labels: Labels) -> Iterator[Flag]:
    """Refuses a test class that training lacks; flags a test part of a single class."""
    if not len(fold.test) or not _are_classes(labels(fold.test, np.arange(1))):
        return
    train, test = (np.unique(labels(part, evenly(len(part), _MAX_LABELS))) for part in (fold.train, fold.test))
    absent = np.setdiff1d(test, train)
    if len(absent):
        raise LeakageError(
            f"test of fold {fold.name!r} holds class {absent[0]}, which training lacks (it has {train.tolist()[:10]}): folds follow the "
            f"order of labels; split by a column in which classes are mixed, such as subject or run"
        )
    if len(test) == 1 and len(train) > 1:
        yield Flag(
            "sorted",
            f"test of fold {fold.name!r} holds class {test[0]} alone, out of {len(train)}: whatever drifts with time or person tells it; "
            f"split by a column in which classes are mixed, or score all folds together",
        )


def telling_channels(fold: Fold, transforms: Sequence[Transform], labels: Labels, examples: Examples) -> Iterator[Flag]:
    """Refuses a channel of few levels that gives the label away, and flags any other that tells all classes apart alone.

    Looks at 512 training windows, spread evenly: each channel's mean, standard deviation, first and last value.
    """
    index = evenly(len(fold.train), _MAX_WINDOWS)
    truth, seen = labels(fold.train, index), examples(fold.train, index)
    same = np.array([example.info.ch_names == seen[0].info.ch_names for example in seen])
    recording = fold.train.recording[fold.train.locate(index)[0]][same]
    values = _features([example for example, kept in zip(seen, same, strict=True) if kept])
    telling = (_tells if _are_classes(truth) else _follows)(*_independent(values, truth[same], recording))
    names = _surviving(transforms, seen[0])
    for channel in (c for c in np.flatnonzero(telling.any(0)) if seen[0].info.ch_names[c] in names):
        levels = min(len(np.unique(values[f, :, channel])) for f in np.flatnonzero(telling[:, channel]))
        yield _judged(seen[0].info.ch_names[channel], levels, truth[same])


def _judged(channel: str, levels: int, truth: ndarray) -> Flag:
    repair = f"leave it out with the transform Pick(exclude: [{channel!r}])"
    if _are_classes(truth) and levels <= _LEVELS_PER_CLASS * len(np.unique(truth)):
        raise LeakageError(f"channel {channel!r} has {levels} distinct values, which give the label away: {repair}")
    return Flag(
        "channel",
        f"channel {channel!r} alone tells the label of every training window; if it is no brain channel, {repair}",
    )


def _are_classes(labels: ndarray) -> bool:
    return labels.dtype.kind != "f"


def _features(examples: Sequence[Example]) -> Float[ndarray, "feature window channel"]:
    """Mean, standard deviation, first and last value, to six digits: the noise of a sum makes no new level."""
    signal = [example.signal.astype(np.float64) for example in examples]
    values = np.array([[x.mean(1), x.std(1), x[:, 0], x[:, -1]] for x in signal]).transpose(1, 0, 2)
    size = np.abs(values).max(1, keepdims=True)
    return np.round(values / np.where(size > 0, size, 1), 6)


def _independent(values: ndarray, truth: ndarray, recording: ndarray) -> tuple[ndarray, ndarray]:
    """Where the label belongs to the recording, one row per recording: its windows are not independent."""
    _, first, group, size = np.unique(recording, return_index=True, return_inverse=True, return_counts=True)
    if (truth != truth[first][group]).any():
        return values, truth
    order = np.argsort(group, kind="stable")
    total = np.add.reduceat(values[:, order], np.cumsum(size) - size, axis=1)
    return total / size[:, None], truth[first]


def _tells(values: Float[ndarray, "feature window channel"], truth: ndarray) -> Bool[ndarray, "feature channel"]:
    """Which features tell each class from the rest with an area under the ROC curve of at least 0.999."""
    from scipy.stats import rankdata

    classes, count = np.unique(truth, return_counts=True)
    if len(classes) < 2 or count.min() < _MIN_PER_CLASS:
        return np.zeros((len(values), values.shape[2]), bool)
    told = np.ones((len(values), values.shape[2]), bool)
    for one, n_in in zip(classes, count, strict=True):
        # codes need not be in the order of classes: near a class's own median or not is what counts
        median = np.median(values[:, truth == one], axis=1, keepdims=True)
        rank = rankdata(-np.abs(values - median), axis=1)
        above = rank[:, truth == one].sum(1) - n_in * (n_in + 1) / 2
        told &= above >= 0.999 * n_in * (len(truth) - n_in)
    return told


def _follows(values: Float[ndarray, "feature window channel"], truth: ndarray) -> Bool[ndarray, "feature channel"]:
    """Which features follow some dimension of the target with a correlation of 0.999, either way round."""
    truth = truth.reshape(len(truth), -1)
    if len(truth) < 2 * _MIN_PER_CLASS:
        return np.zeros((len(values), values.shape[2]), bool)
    x, y = (z - z.mean(axis, keepdims=True) for z, axis in ((values, 1), (truth, 0)))
    scale = np.sqrt((x**2).sum(1))[:, :, None] * np.sqrt((y**2).sum(0))
    r = np.einsum("fwc,wd->fcd", x, y) / np.where(scale > 0, scale, 1)
    return (np.abs(r) >= 0.999).any(-1)


def _surviving(transforms: Sequence[Transform], example: Example) -> tuple[str, ...]:
    """The channels that reach the model; continuous transforms have run already."""
    info = example.info
    for transform in transforms:
        info = info if transform.continuous else transform.plan(info)
    return info.ch_names
