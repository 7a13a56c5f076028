"""Masked reconstruction: hide patches of the signal, and learn to tell from the others what was in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from brainfm.encoders.base import PatchEncoder
from brainfm.nn.keyed import uniform
from brainfm.objectives.base import Objective
from data_loaders.contracts import Batch


class MaskedReconstruction(Objective):
    """Mean squared error on hidden real patches, in units of their channel's spread in the window.

    Each real patch is hidden with probability `mask_ratio`; one of each channel always stays. A hidden token carries a
    learned vector in place of its content, and keeps where and when it is. Patches are normalised by the mean of the
    visible patches of their channel and window and by the standard deviation of all of them, so that saying the visible
    mean costs about 1 in any modality; channels that are flat are not counted. With `max_channels`, so many channels of
    each window are drawn. All draws are keyed by `Batch.seed`: they depend neither on ranks nor on padding.

    Reference: He et al. 2022, https://arxiv.org/abs/2111.06377; Xie et al. 2022, https://arxiv.org/abs/2111.09886 (section 3,
    hidden tokens go through the encoder)
    """

    encoder: PatchEncoder

    def __init__(self, encoder: PatchEncoder, mask_ratio: float = 0.5, max_channels: int | None = None) -> None:
        super().__init__(encoder)
        if not 0 < mask_ratio < 1:
            raise ValueError(f"mask_ratio is {mask_ratio:g}, expected a share between 0 and 1, such as 0.5")
        if max_channels is not None and max_channels < 1:
            raise ValueError(f"max_channels is {max_channels}, expected at least 1, or nothing for all channels")
        if not isinstance(encoder, PatchEncoder):
            raise ValueError(
                f"{type(encoder).__name__} has no patches to hide: take a PatchEncoder, such as PatchTransformer"
            )
        self.mask_ratio, self.max_channels = mask_ratio, max_channels
        self.hidden_token = nn.Parameter(torch.zeros(encoder.dim))
        self.head = nn.Linear(encoder.dim, encoder.n_samples)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        found = self._reconstructed(batch)
        error = (found.reconstruction - found.truth).square().mean(-1)  # [batch, channel, patch]
        counted = found.hidden.to(error.dtype)
        # first within a window, then over windows: ranks with equal shares have the mean of the whole batch
        per_window = (error * counted).sum((1, 2)) / counted.sum((1, 2)).clamp(min=1)
        return {"loss": per_window.mean()}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Normalised patches [batch, channel, patch, sample]: `reconstruction` and `truth`; `hidden` and `visible` are 0 or 1."""
        found = self._reconstructed(batch)
        masks = {"hidden": found.hidden.float(), "visible": found.visible.float()}
        return {"reconstruction": found.reconstruction, "truth": found.truth, **masks}

    def _reconstructed(self, batch: Batch) -> _Reconstructed:
        batch = batch if self.max_channels is None else drawn_channels(batch, self.max_channels)
        values, real = self.encoder.patches(batch)
        hidden = self._hidden(batch, real)
        center, spread = _mean(values, real & ~hidden), _spread(values, real)
        guess = self.head(self._seen(batch, hidden)).unflatten(1, real.shape[1:])  # [batch, channel, patch, sample]
        counts = hidden & (spread > 1e-5 * center.abs() + 1e-30)[..., 0]
        scale = torch.where(spread > 0, spread, 1.0)
        return _Reconstructed((guess - center) / scale, (values - center) / scale, counts, real & ~hidden)

    def _seen(self, batch: Batch, hidden: Bool[Tensor, "batch channel patch"]) -> Float[Tensor, "batch token dim"]:
        """Mixed tokens of which the hidden ones carry no content: an empty patch has its place and time alone."""
        tokens, empty = self.encoder.embed(batch), self.encoder.embed(_emptied(batch))
        embedding = torch.where(hidden.flatten(1)[..., None], empty.embedding + self.hidden_token, tokens.embedding)
        return self.encoder.mix(replace(tokens, embedding=embedding)).embedding

    def _hidden(self, batch: Batch, real: Bool[Tensor, "batch channel patch"]) -> Bool[Tensor, "batch channel patch"]:
        channel, patch = (torch.arange(n, device=real.device) for n in real.shape[1:])
        draw = torch.where(real, uniform(batch.seed, channel[:, None], patch), -1.0)
        return real & (draw < self.mask_ratio) & (draw < draw.amax(-1, keepdim=True))


@dataclass(frozen=True)
class _Reconstructed:
    """Normalised patches, and which of them count as hidden and as visible."""

    reconstruction: Float[Tensor, "batch channel patch sample"]
    truth: Float[Tensor, "batch channel patch sample"]
    hidden: Bool[Tensor, "batch channel patch"]
    visible: Bool[Tensor, "batch channel patch"]


def drawn_channels(batch: Batch, n: int) -> Batch:
    """The batch with `n` of each window's real channels, drawn by its seed, in their order; all where it has no more."""
    assert batch.signal is not None
    if batch.ch_mask.shape[1] <= n:
        return batch
    draw = uniform(batch.seed, torch.arange(batch.ch_mask.shape[1], device=batch.seed.device))
    kept = (
        torch.where(batch.ch_mask, draw, 2.0).argsort(dim=1, stable=True)[:, :n].sort(dim=1).values
    )  # [batch, channel]
    rows = torch.arange(len(batch), device=kept.device)[:, None]
    parts = {name: getattr(batch, name)[rows, kept] for name in ("signal", "ch_mask", "ch_positions")}
    return replace(batch, **parts)


def _emptied(batch: Batch) -> Batch:
    assert batch.signal is not None
    return replace(batch, signal=torch.zeros_like(batch.signal))


def _mean(
    values: Float[Tensor, "batch channel patch sample"], some: Bool[Tensor, "batch channel patch"]
) -> Float[Tensor, "batch channel 1 1"]:
    """The mean of each channel over some of its patches."""
    weight = some[..., None].to(values.dtype)
    return (values * weight).sum((2, 3), keepdim=True) / (weight.sum((2, 3), keepdim=True) * values.shape[-1]).clamp(
        min=1
    )


def _spread(
    values: Float[Tensor, "batch channel patch sample"], real: Bool[Tensor, "batch channel patch"]
) -> Float[Tensor, "batch channel 1 1"]:
    """The standard deviation of each channel over its real patches."""
    return _mean((values - _mean(values, real)).square(), real).sqrt()
