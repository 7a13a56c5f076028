"""The guard itself: every check in turn, before a fold is trained on, and what else must not have seen the test part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_loaders.leakage.base import Flag, LeakageError, Pair, pairs
from data_loaders.leakage.content import check_content
from data_loaders.leakage.labels import Examples, Labels, check_classes, telling_channels
from data_loaders.leakage.stimuli import shared_stimuli
from data_loaders.leakage.time import check_fitted, check_neighbours, check_overlap, reaching_filters
from data_loaders.splits.base import Fold, Split
from data_loaders.store import Store
from data_loaders.transforms.base import Transform


def check(
    fold: Fold,
    split: Split,
    store: Store,
    transforms: Sequence[Transform] = (),
    labels: Labels | None = None,
    examples: Examples | None = None,
    responses: bool = False,
) -> list[Flag]:
    """Looks for what training must not have seen of a fold's test and validation parts.

    `transforms` is the whole chain, fitted; `labels(windows, index)` gives whole numbers or text for classes and floats
    for values; `examples(windows, index)` gives windows before the transforms that are not continuous, and is needed to
    find a channel that holds the label. `responses` says that responses to stimuli are predicted, which no model may have
    met in training. Flags are printed and returned. Raises LeakageError naming two windows.
    """
    for pair in pairs(fold):
        check_overlap(pair, store)
        check_neighbours(pair, split.gap, store)
        check_key(pair, split.key)
        check_content(pair, store)
    check_fitted(fold, transforms, store)
    # a fold without validation and test part (all data are for training) has no pair
    flags = [flag for pair in [*pairs(fold)][:1] for flag in reaching_filters(pair, transforms, split.gap, store)]
    if labels is not None:
        flags += check_classes(fold, labels)
    # whoever decodes what was shown must have seen it before; whoever predicts responses must not
    flags += shared_stimuli(fold) if responses else []
    if labels is not None and examples is not None:
        flags += telling_channels(fold, transforms, labels, examples)
    for flag in flags:
        print(f"leakage: {flag.message}")
    return flags


def check_key(pair: Pair, key: str | None) -> None:
    """Refuses a subject, stimulus or other value of the split's key that both parts have."""
    if key is None:
        return
    values = [part.metadata[key].astype(str).to_numpy(dtype=str) for part in (pair.a, pair.b)]
    shared = np.intersect1d(*values)
    if len(shared):
        first = [
            int((np.cumsum(part.count) - part.count)[np.flatnonzero(column == shared[0])[0]])
            for part, column in zip((pair.a, pair.b), values, strict=True)
        ]
        raise LeakageError(
            f"{pair.say(first[0], first[1])} share the {key} {str(shared[0])!r} ({len(shared)} in all), and the split is by {key}: "
            f"make folds with the split itself"
        )


def check_monitor(monitor: str) -> None:
    """Refuses to choose an epoch, a checkpoint or a hyperparameter by a number of the test part.

    >>> check_monitor("val/loss")
    """
    if monitor.replace("_", "/").split("/")[0] == "test":
        rest = monitor.replace("_", "/", 1).partition("/")[2]
        raise LeakageError(
            f"{monitor!r} is of the test part, which must not choose anything: monitor 'val/{rest or 'loss'}'"
        )
