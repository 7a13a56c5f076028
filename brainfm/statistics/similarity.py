"""How alike two systems represent the same stimuli: RSA through rsatoolbox, and centred kernel alignment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Distance = Literal["correlation", "euclidean", "crossnobis"]
Comparison = Literal["spearman", "rho-a", "corr", "cosine", "corr_cov", "cosine_cov"]


def rdms(
    patterns: Float[ndarray, "sample channel"],
    conditions: Sequence[str],
    distance: Distance = "correlation",
    runs: Sequence[Any] | ndarray | None = None,
) -> Any:
    """The dissimilarities between conditions, as an `rsatoolbox.rdm.RDMs`; samples of one condition are averaged.

    `crossnobis` needs `runs`: its distances are cross-validated over them, so that noise alone has distance zero.
    """
    from rsatoolbox.data.dataset import Dataset
    from rsatoolbox.rdm.calc import calc_rdm

    # as numbers: rsatoolbox casts what describes an average to the kind of the first
    described = {"condition": np.unique(list(map(str, conditions)), return_inverse=True)[1].astype(float)}
    described |= {} if runs is None else {"run": np.unique(runs, return_inverse=True)[1].astype(float)}
    data = Dataset(np.asarray(patterns, dtype=float), obs_descriptors=described)
    if distance == "crossnobis":
        if runs is None:
            raise ValueError("crossnobis distances are cross-validated over runs: give the run of each sample")
        return calc_rdm(data, method=distance, descriptor="condition", cv_descriptor="run")
    return calc_rdm(data, method=distance, descriptor="condition")


def compared(one: Any, other: Any, how: Comparison = "corr") -> float:
    """The mean similarity of two sets of RDMs; NaN where one has no spread."""
    from rsatoolbox.rdm.compare import compare

    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.mean(compare(one, other, method=how)))


def ceiling(of: Sequence[Any], how: Comparison = "corr") -> tuple[float, float]:
    """Lower and upper bound of what any model could reach, from the RDMs of subjects (or runs): rsatoolbox's noise ceiling.

    Reference: Nili et al. 2014, https://doi.org/10.1371/journal.pcbi.1003553
    """
    from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling
    from rsatoolbox.rdm.rdms import concat

    if len(of) < 2:
        return float("nan"), float("nan")
    low, high = boot_noise_ceiling(concat(list(of)), method=how)
    return float(low), float(high)


def cka(one: Float[ndarray, "sample feature"], other: Float[ndarray, "sample channel"], debiased: bool = True) -> float:
    """Linear centred kernel alignment: 1 for rotated and scaled copies, 0 in expectation for unrelated systems.

    `debiased` uses the unbiased estimate of HSIC, which few samples and many features do not inflate; it can fall below
    zero and needs more than three samples. References: Kornblith et al. 2019, https://arxiv.org/abs/1905.00414, equation
    4; Song et al. 2012, Feature selection via dependence maximization, equation 5.
    """
    if len(one) != len(other) or len(one) < 4:
        raise ValueError(f"CKA compares the same samples, at least 4: got {len(one)} and {len(other)}")
    # centred first: kernels of far-off values cancel
    k, m = (part @ part.T for part in (x - x.mean(0) for x in (one.astype(np.float64), other.astype(np.float64))))
    hsic = _unbiased if debiased else _biased
    below = hsic(k, k) * hsic(m, m)
    return float(hsic(k, m) / np.sqrt(below)) if below > 0 else float("nan")


def _biased(k: ndarray, m: ndarray) -> float:
    return float((k * m).sum())


def _unbiased(k: ndarray, m: ndarray) -> float:
    n = len(k)
    k, m = (kernel - np.diag(np.diag(kernel)) for kernel in (k, m))
    trace, sums = (k * m).sum(), k.sum() * m.sum() / ((n - 1) * (n - 2))
    return float((trace + sums - 2 / (n - 2) * (k.sum(0) @ m.sum(0))) / (n * (n - 3)))
