"""Patches: equal stretches of time of every channel, on one clock whatever rate they were recorded at."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def patches_of(
    signal: Float[Tensor, "batch channel time"],
    sfreq: Float[Tensor, "batch"],
    time_mask: Bool[Tensor, "batch time"],
    seconds: float,
    n_samples: int,
) -> tuple[Float[Tensor, "batch channel patch sample"], Bool[Tensor, "batch patch"]]:
    """Patches of `seconds`, each brought to `n_samples`, and which of them lie wholly in real samples.

    Patch k of a row begins at its sample `round(k * seconds * sfreq)`. Rows may differ in sfreq. What does not fill a last
    patch is left out; what is not real is zero. Raises ValueError where a patch is longer than the windows.
    """
    parts = {float(rate): _starts(float(rate), signal.shape[-1], seconds) for rate in sfreq.unique()}
    n_patches = max(len(starts) for _, starts in parts.values())
    if n_patches == 0:
        longest = signal.shape[-1] / float(sfreq.min())
        raise ValueError(
            f"windows last {longest:g} s, a patch {seconds:g} s: lengthen data.fields, or shorten the patch"
        )
    values = signal.new_zeros(*signal.shape[:2], n_patches, n_samples)
    real = time_mask.new_zeros(len(signal), n_patches)
    for rate, (length, starts) in parts.items():
        rows, index = sfreq == rate, starts[:, None] + torch.arange(length)  # [patch, sample]
        cut = signal[rows][:, :, index.to(signal.device)]  # [batch, channel, patch, sample]
        values[rows, :, : len(starts)] = cut @ _kernel(length, n_samples).to(cut)
        real[rows, : len(starts)] = time_mask[rows][:, index.to(signal.device)].all(-1)
    return values * real[:, None, :, None], real


def _starts(rate: float, n_times: int, seconds: float) -> tuple[int, Tensor]:
    """How many samples a patch has at this rate, and where the patches of `n_times` samples begin."""
    length = round(seconds * rate)
    if length < 1:
        raise ValueError(
            f"a patch of {seconds:g} s has no sample at {rate:g} Hz: lengthen it to at least {1 / rate:g} s"
        )
    starts = torch.round(torch.arange(n_times // length + 1, dtype=torch.float64) * seconds * rate).long()
    return length, starts[starts + length <= n_times]


@lru_cache(maxsize=64)
def _kernel(n: int, n_samples: int) -> Float[Tensor, "n n_samples"]:
    """Resamples a patch of n samples: its cosine series (DCT-II), cut at the lower of both rates, read on the other clock."""
    kept = min(n, n_samples)
    analysis, synthesis = (_cosines(length)[:kept] for length in (n, n_samples))
    # the cosines are orthonormal on each clock: the root keeps the height of a constant
    return ((n_samples / n) ** 0.5 * analysis.T @ synthesis).float()


def _cosines(n: int) -> Float[Tensor, "wave sample"]:
    """The orthonormal cosines on n samples."""
    wave, sample = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64)
    cosines = torch.cos(torch.pi * wave * (2 * sample + 1) / (2 * n)) * (2 / n) ** 0.5
    cosines[0] /= 2**0.5
    return cosines
