"""Metrics as functions of sums that are linear in the truth, so that thousands of resamples cost a matrix product."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.stats import rankdata


@dataclass(frozen=True)
class Features:
    """What a metric needs of each sample: sum over samples of `truth * prediction`, and of `margin`."""

    truth: Float[ndarray, "sample feature"]
    prediction: Float[ndarray, "sample feature part"]
    margin: Float[ndarray, "sample output sum"]

    def cross(self) -> Float[ndarray, "feature part"]:
        """The sums that change when the truth is permuted."""
        return np.einsum("sf,sfp->fp", self.truth, self.prediction)


class Tally(ABC):
    """A family of metrics that share their sums."""

    metrics: tuple[str, ...]

    @abstractmethod
    def features(self, truth: ndarray, prediction: Float[ndarray, "sample output"]) -> Features:
        """What each sample adds to the sums."""

    @abstractmethod
    def values(self, cross: ndarray, n: ndarray | float, margin: ndarray) -> dict[str, ndarray]:
        """The metrics from the sums (any leading axes), the number of samples and the sums of the margin."""

    @abstractmethod
    def defined(self, truth: ndarray) -> bool:
        """Whether a group of samples with this truth can be scored at all."""

    def score(self, truth: ndarray, prediction: Float[ndarray, "sample output"]) -> dict[str, float]:
        """Every metric of one group of samples; NaN where it is undefined.

        >>> ClassTally(2).score(np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.7, 0.3], [0.1, 0.9]]))["auroc"]
        1.0
        """
        features = self.features(truth, prediction)
        values = self.values(features.cross()[None], float(len(truth)), features.margin.sum(0)[None])
        return {metric: float(value[0]) for metric, value in values.items()}


class ClassTally(Tally):
    """Accuracy, balanced accuracy, macro F1, AUROC and Cohen's kappa from probabilities `[sample, class]`.

    The truth is a class index. As in scikit-learn, balanced accuracy runs over the classes present in the truth, macro
    F1 over those in truth or prediction, and AUROC is one class against the rest, averaged over classes (binary: the
    second class). All but accuracy are NaN where the truth holds fewer than two classes.
    """

    metrics = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "cohen_kappa")

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes

    def features(self, truth: Int[ndarray, "sample"], prediction: Float[ndarray, "sample output"]) -> Features:
        eye = np.eye(self.n_classes)
        decision = eye[prediction.argmax(1)]
        rank = rankdata(prediction, axis=0)
        parts = np.stack([np.ones_like(decision), decision, rank], axis=-1)  # [sample, class, (count, hit, rank)]
        return Features(eye[truth], parts, decision[..., None])

    def values(self, cross: ndarray, n: ndarray | float, margin: ndarray) -> dict[str, ndarray]:
        count, hit, rank = np.moveaxis(cross, -1, 0)  # [..., class]
        decided, n = margin[..., 0], np.asarray(n)[..., None]
        present = count > 0
        expected = (count * decided).sum(-1) / n[..., 0] ** 2
        accuracy = hit.sum(-1) / n[..., 0]
        wins = rank - count * (count + 1) / 2
        values = {
            "balanced_accuracy": mean(_ratio(hit, count), present),
            "macro_f1": mean(_ratio(2 * hit, count + decided), count + decided > 0),
            "auroc": self.auroc(_ratio(wins, count * (n - count)), present),
            "cohen_kappa": _ratio(accuracy - expected, 1 - expected),
        }
        several = present.sum(-1) > 1
        return {"accuracy": accuracy} | {metric: np.where(several, v, np.nan) for metric, v in values.items()}

    def auroc(self, per_class: ndarray, present: ndarray) -> ndarray:
        """The macro average of one-against-rest areas; the second class alone where there are two."""
        return per_class[..., 1] if self.n_classes == 2 else mean(per_class, present)

    def defined(self, truth: ndarray) -> bool:
        return len(np.unique(truth)) > 1


class ValueTally(Tally):
    """R2 and Pearson r from values `[sample, dim]`, each the uniform average over dims.

    R2 is measured against the mean of the test samples themselves. A dim that is constant in the truth is left out of
    both, one that is constant in the prediction out of r; NaN where none is left.
    """

    metrics = ("r2", "pearson_r")

    def __init__(self, n_dims: int) -> None:
        self.n_dims = n_dims

    def features(self, truth: Float[ndarray, "sample output"], prediction: Float[ndarray, "sample output"]) -> Features:
        centre = truth.mean(0, dtype=np.float64)
        # around the mean of the truth: raw second moments of far-off values would cancel
        y, p = truth - centre, prediction - centre
        parts = np.stack([np.ones_like(p), p], axis=-1)
        squares = np.stack([np.ones_like(p), np.zeros_like(p)], axis=-1)
        margin = np.stack([p, p**2], axis=-1)
        return Features(np.hstack([y, y**2]), np.concatenate([parts, squares], axis=1), margin)

    def values(self, cross: ndarray, n: ndarray | float, margin: ndarray) -> dict[str, ndarray]:
        d, n = self.n_dims, np.asarray(n)[..., None]
        y, yp, yy = cross[..., :d, 0], cross[..., :d, 1], cross[..., d:, 0]
        p, pp = margin[..., 0], margin[..., 1]
        spread_y, spread_p = _rounded(yy - y**2 / n, yy), _rounded(pp - p**2 / n, pp)
        r2 = 1 - _ratio(yy - 2 * yp + pp, spread_y)
        r = _ratio(yp - y * p / n, np.sqrt(spread_y * spread_p))
        return {"r2": mean(r2), "pearson_r": mean(np.clip(r, -1, 1))}

    def defined(self, truth: ndarray) -> bool:
        return len(truth) > 1 and bool((np.ptp(truth, axis=0) > 0).any())


def mean(values: ndarray, keep: ndarray | None = None, axis: int = -1) -> ndarray:
    """The mean over an axis of what is kept and not NaN; NaN where nothing is left."""
    values = values if keep is None else np.where(keep, values, np.nan)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)  # NaN is the answer that is wanted
        return np.asarray(np.nanmean(values, axis=axis))


def _ratio(above: ndarray, below: ndarray) -> ndarray:
    """Above over below; NaN where below is zero."""
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below != 0)


def _rounded(spread: ndarray, raw: ndarray) -> ndarray:
    """A sum of squares, with what is only rounding error set to zero."""
    return np.where(spread > 1e-12 * np.abs(raw), spread, 0.0)
