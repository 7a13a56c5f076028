"""The simple models that stand beside ours in every table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

_GAP = 0.02  # share of a session's windows dropped on each side of a stretch that is held out


@dataclass(frozen=True)
class InnerFolds:
    """Pairs of training and held-out rows inside a training part, and how they came about, in words."""

    pairs: list[tuple[ndarray, ndarray]]
    how: str


class Baseline(ABC):
    """Fitted on the training part only; what must be chosen is chosen there by cross-validation, and `chosen` says how.

    `linear` marks what counts as the linear baseline in `Scores.baseline`; `handles` the kind of target.
    """

    name: str
    linear: bool = True
    handles: Literal["classes", "values"] = "classes"
    chosen: str = ""

    def suits(self, facts: Mapping[str, Any]) -> str | None:
        """Why this baseline cannot be used on such data, or None. Facts: n_chans, n_times, sfreq, ch_types."""
        return None

    @abstractmethod
    def fit(
        self, X: Float[ndarray, "batch channel time"], y: ndarray, folds: InnerFolds, facts: Mapping[str, Any]
    ) -> Baseline:
        """Learns class indices `[batch]` or values `[batch, dim]`; what must be chosen is chosen on the inner folds.

        `facts["n_outputs"]` is the number of classes or dims, the others are those of `suits`.
        """

    @abstractmethod
    def predict(self, X: Float[ndarray, "batch channel time"]) -> Float[ndarray, "batch output"]:
        """Probabilities of each class, or values."""


class LinearProbe(Baseline):
    """Features of each window, then one of several linear classifiers, chosen by balanced accuracy.

    Every class weighs the same, however rare: a threshold fitted to the majority would hide what the features hold.
    """

    @abstractmethod
    def features(self, facts: Mapping[str, Any]) -> Any:
        """A fresh scikit-learn transformer from windows `[batch, channel, time]` to rows of features."""

    @abstractmethod
    def heads(self, n_classes: int) -> dict[str, Any]:
        """Fresh classifiers by name, the most regularised first; one alone is simply fitted."""

    def fit(
        self, X: Float[ndarray, "batch channel time"], y: ndarray, folds: InnerFolds, facts: Mapping[str, Any]
    ) -> LinearProbe:
        self._n_classes = int(facts["n_outputs"])
        names = list(self.heads(self._n_classes))
        best = names[0] if len(names) == 1 else self._best(names, X, y, folds, facts)
        self._features = self.features(facts)
        self._head = self.heads(len(np.unique(y)))[best].fit(self._features.fit_transform(X, y), y)
        return self

    def predict(self, X: Float[ndarray, "batch channel time"]) -> Float[ndarray, "batch output"]:
        probabilities = np.zeros((len(X), self._n_classes))
        # a class that the training part lacks keeps probability zero
        probabilities[:, self._head.classes_] = self._head.predict_proba(self._features.transform(X))
        return probabilities

    def _best(self, names: list[str], X: ndarray, y: ndarray, folds: InnerFolds, facts: Mapping[str, Any]) -> str:
        """The head whose decisions on the held-out parts, taken together, have the best balanced accuracy."""
        decisions = np.full((len(names), len(y)), -1)
        for train, test in folds.pairs:
            if len(np.unique(y[train])) < 2:
                continue
            features = self.features(facts)
            known, unknown = features.fit_transform(X[train], y[train]), features.transform(X[test])
            for i, head in enumerate(self.heads(len(np.unique(y[train]))).values()):
                decisions[i, test] = head.fit(known, y[train]).predict(unknown)
        recalls = [(decisions[:, y == k] == k).mean(1) for k in np.unique(y)]
        best = names[int(np.mean(recalls, axis=0).argmax())]  # the first of equals is the most regularised
        self.chosen = f"{best} (of {', '.join(names)}) by {folds.how} of the training part"
        return best


def inner_folds(
    session: Int[ndarray, "batch"], unseen: Int[ndarray, "batch"] | None, labels: ndarray | None, n_folds: int = 5
) -> InnerFolds:
    """Folds inside a training part that ask for what the test part asks for.

    `unseen` numbers what the test part has new (subjects or sessions): whole ones are held out, where there are three.
    Else contiguous stretches of each session are (of each class in it, where there are `labels`), with a gap of 2 % of
    the windows on both sides. Rows are in order of time within a session.
    """
    if unseen is not None and (n_groups := len(np.unique(unseen))) >= 3:
        from sklearn.model_selection import GroupKFold

        n_folds = min(n_folds, n_groups)
        return InnerFolds(
            list(GroupKFold(n_folds).split(unseen, groups=unseen)), f"{n_folds} folds over {n_groups} groups"
        )
    strata = session if labels is None else session * (int(labels.max()) + 1) + labels
    # a class with four windows cannot be held out in five parts
    n_folds = max(2, min(n_folds, int(np.unique(strata, return_counts=True)[1].min())))
    return InnerFolds(_stretches(strata, n_folds), f"{n_folds} folds over contiguous stretches with gaps")


def _stretches(strata: Int[ndarray, "batch"], n_folds: int) -> list[tuple[ndarray, ndarray]]:
    place, size = np.empty(len(strata)), np.empty(len(strata))
    for stratum in np.unique(strata):
        member = strata == stratum
        place[member], size[member] = np.arange(member.sum()), member.sum()
    folds, gap = [], np.floor(_GAP * size)
    for k in range(n_folds):
        low, high = np.floor(size * k / n_folds), np.floor(size * (k + 1) / n_folds)
        known, held_out = (place < low - gap) | (place >= high + gap), (place >= low) & (place < high)
        if held_out.any() and known.any():
            folds.append((np.flatnonzero(known), np.flatnonzero(held_out)))
    return folds


def logistic_heads() -> dict[str, Any]:
    """Logistic regressions on standardised features, the most regularised first."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        f"C={c:g}": make_pipeline(StandardScaler(), LogisticRegression(C=c, class_weight="balanced", max_iter=5000))
        for c in (1e-3, 1e-2, 1e-1, 1.0)
    }


def discriminant_heads(n_classes: int) -> dict[str, Any]:
    """Linear discriminant analysis with Ledoit-Wolf shrinkage: nothing is left to choose."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return {
        "lda": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(n_classes, 1 / n_classes))
    }


def waves_only(facts: Mapping[str, Any]) -> str | None:
    """Why a baseline of oscillatory power does not suit the data."""
    types = set(facts.get("ch_types") or ())
    if types & {"unit", "units", "spikes", "neuron", "binary"}:
        return "spike counts have no oscillations"
    if facts["n_times"] < 8:
        return f"windows of {facts['n_times']} samples are too short for a variance"
    return None


def pooled(X: Float[ndarray, "batch channel time"], factor: int) -> Float[ndarray, "batch feature"]:
    """The mean of every `factor` samples, channels side by side; what is left over at the end is dropped.

    >>> pooled(np.array([[[1.0, 3.0, 5.0, 7.0, 9.0]]]), 2)
    array([[2., 6.]])
    """
    factor = min(factor, X.shape[2])
    whole = X[..., : X.shape[2] // factor * factor]
    return whole.reshape(*X.shape[:2], -1, factor).mean(3).reshape(len(X), -1)


class ChannelScale:
    """Divides each channel by its standard deviation in training, so that volts and teslas share one covariance."""

    def fit_transform(self, X: ndarray, y: ndarray) -> ndarray:
        deviation = X.std(axis=(0, 2), dtype=np.float64)
        deviation = np.where(deviation > 0, deviation, 1)
        self._gain = (1 / deviation[:, None]).astype(np.float32)
        return self.transform(X)

    def transform(self, X: ndarray) -> ndarray:
        return X * self._gain


class PrincipalChannels:
    """Scaled channels; more than 32 are projected onto their 32 leading principal components.

    Spatial methods need a covariance per window, which hundreds of channels leave singular and slow.
    """

    def __init__(self, n_components: int = 32) -> None:
        self._scale, self._n_components = ChannelScale(), n_components

    def fit_transform(self, X: ndarray, y: ndarray) -> ndarray:
        scaled = self._scale.fit_transform(X, y)
        scatter = np.einsum("bct,bdt->cd", scaled, scaled, optimize=True)
        _, axes = np.linalg.eigh(scatter)  # ascending
        self._axes = axes[:, ::-1][:, : self._n_components].T if len(scatter) > self._n_components else None
        return self._projected(scaled)

    def transform(self, X: ndarray) -> ndarray:
        return self._projected(self._scale.transform(X))

    def _projected(self, scaled: ndarray) -> ndarray:
        return (scaled if self._axes is None else self._axes @ scaled).astype(np.float64)
