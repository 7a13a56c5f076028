"""Features of a stimulus brought onto the clock of a recording: Lanczos resampling, lags, haemodynamics, z-scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

_WINDOW = 3  # lobes of the kernel


def kernel(t: Float[ndarray, "..."], cutoff: float, window: int = _WINDOW) -> Float[ndarray, "..."]:
    """The Lanczos kernel at `t` seconds, with its first zero at 1 / cutoff.

    >>> kernel(np.array([0.0, 1.0, 2.0]), 0.5).round(6)
    array([1.      , 0.607927, 0.      ])
    """
    u = cutoff * np.asarray(t, dtype=np.float64)
    return np.where(np.abs(u) <= window, np.sinc(u) * np.sinc(u / window), 0.0)


def lanczos(
    values: Float[ndarray, "event dim"],
    times: Float[ndarray, "event"],
    frames: Float[ndarray, "frame"],
    normalize: bool = False,
    window: int = _WINDOW,
) -> Float[ndarray, "frame dim"]:
    """Values at irregular times, low-passed at the rate of the frames and read at each frame's time.

    As published the kernel is not normalised: a constant comes back as the number of events per frame, so that the rate
    of speech is in every feature. `normalize` divides by the kernel's sum, which leaves weighted means; frames without
    an event within `window` frames are zero. Reference: Antonello et al. 2023, https://arxiv.org/abs/2305.11863
    """
    if len(frames) < 2:
        raise ValueError("resampling takes its cutoff from the distance of frames: give at least 2")
    if len(values) != len(times):
        raise ValueError(f"{len(values)} values have {len(times)} times: give one time for each")
    weights = kernel(np.subtract.outer(frames, times), 1 / float(np.mean(np.diff(frames))), window)
    if normalize:
        total = weights.sum(1, keepdims=True)
        # between the lobes the weights of a few events may cancel
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0.1)
    return weights @ values


def delayed(
    features: Float[ndarray, "time dim"], delays: Sequence[int], run: Int[ndarray, "time"] | None = None
) -> Float[ndarray, "time delayed"]:
    """Copies shifted by each delay (samples), side by side: a finite impulse response.

    Nothing crosses a border of `run`, the number of each sample's run: what lies before its start is zero. Without
    `run` all samples are one, and stacked stories see each other's ends: the published form.

    >>> delayed(np.arange(1.0, 6.0)[:, None], [1, 2])[:, 1]
    array([0., 0., 1., 2., 3.])
    """
    run = np.zeros(len(features), np.int64) if run is None else run
    parts = []
    for delay in delays:
        source = np.arange(len(features)) - delay
        inside = (source >= 0) & (source < len(features))
        inside &= run[source.clip(0, len(features) - 1)] == run
        parts.append(np.where(inside[:, None], features[source.clip(0, len(features) - 1)], 0.0))
    return np.concatenate(parts, axis=1)


def trimmed(values: Float[ndarray, "time dim"], start: int = 10, stop: int = 5) -> Float[ndarray, "kept dim"]:
    """Without the first and last samples; as published 10 and 5 frames, at whose border filters and onsets leave artefacts."""
    if len(values) <= start + stop:
        raise ValueError(f"{len(values)} samples are too few to cut {start} from the start and {stop} from the end")
    return values[start : len(values) - stop]


def z_scored(values: Float[ndarray, "time dim"]) -> Float[ndarray, "time dim"]:
    """Columns of mean 0 and population standard deviation 1; NaN becomes 0 and columns that never change stay 0."""
    deviation = values.std(0, keepdims=True)
    centred = values - values.mean(0, keepdims=True)
    return np.nan_to_num(np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0))


def haemodynamic(
    features: Float[ndarray, "time dim"], sfreq: float, run: Int[ndarray, "time"] | None = None
) -> Float[ndarray, "time dim"]:
    """Features convolved with the canonical response (SPM's two gammas, from nilearn), each run apart.

    One regressor per feature instead of one per delay: fewer weights, a fixed shape.
    """
    from nilearn.glm.first_level.hemodynamic_models import spm_hrf

    response = np.asarray(spm_hrf(1 / sfreq, oversampling=1))
    run = np.zeros(len(features), np.int64) if run is None else run
    out = np.zeros(features.shape)
    for one in np.unique(run):
        member = run == one
        columns = [np.convolve(column, response)[: member.sum()] for column in features[member].T]
        out[member] = np.stack(columns, axis=1)
    return out
