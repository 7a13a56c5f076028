"""PatchTransformer: any set of channels at any rate, cut into patches of time that attend to each other."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from brainfm.encoders.base import PatchEncoder, take_signal
from brainfm.nn.attention import Block
from brainfm.nn.fourier import FourierCode
from brainfm.nn.patching import patches_of
from data_loaders.contracts import Batch, Tokens


class PatchTransformer(PatchEncoder):
    """A token is a patch of one channel plus a code of where its sensor is and a code of when it was.

    A patch lasts `patch` seconds and keeps `rate` samples of each second, whatever the recording's sfreq: what oscillates
    faster than half of `rate` is cut off, and of slower recordings nothing is made up. Places are in metres, as in the
    store. Channels without a position share one learned code: they are told apart by what they record alone. Nothing
    depends on the order of channels, on their number, or on how far a batch is padded.

    The family of LaBraM (Jiang et al. 2024, https://arxiv.org/abs/2405.18765) and REVE (El Ouahidi et al. 2025,
    https://arxiv.org/abs/2510.21585), reduced to what they share; the sizes are ours.
    """

    channels = "positions"

    def __init__(
        self,
        patch: float = 0.2,
        rate: float = 100.0,
        dim: int = 128,
        depth: int = 4,
        n_heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if patch <= 0 or patch * rate < 1:
            raise ValueError(
                f"a patch of {patch:g} s keeps {patch * rate:g} samples at rate {rate:g}: make it at least 1"
            )
        self.patch, self.n_samples, self.dim = patch, round(patch * rate), dim
        self.content = nn.Linear(self.n_samples, dim)
        self.place = FourierCode(3, dim, shortest=0.02, longest=0.5)
        self.moment = FourierCode(1, dim, shortest=2 * patch, longest=320 * patch)
        self.blocks = nn.ModuleList([Block(dim, n_heads, dropout, unit=patch) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)

    def patches(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "batch channel patch sample"], Bool[Tensor, "batch channel patch"]]:
        values, real = patches_of(take_signal(batch), batch.sfreq, batch.time_mask, self.patch, self.n_samples)
        real = real[:, None] & batch.ch_mask[:, :, None]  # [batch, channel, patch]
        return values * real[..., None], real

    def embed(self, batch: Batch) -> Tokens:
        values, real = self.patches(batch)
        n_chans, n_patches = real.shape[1:]
        time = (torch.arange(n_patches, device=values.device) + 0.5) * self.patch
        where = self.place(batch.ch_positions.to(values))[:, :, None]  # [batch, channel, 1, dim]
        embedding = self.content(values) + where + self.moment(time[:, None])  # [batch, channel, patch, dim]
        channel = torch.arange(n_chans, device=values.device).repeat_interleave(n_patches)
        rows = len(batch)
        return Tokens(
            embedding.flatten(1, 2), real.flatten(1), time.repeat(n_chans).expand(rows, -1), channel.expand(rows, -1)
        )

    def mix(self, tokens: Tokens) -> Tokens:
        x, mask = tokens.embedding, None if tokens.mask.all() else tokens.mask
        for block in self.blocks:
            x = block(x, mask, tokens.time)
        return Tokens(self.norm(x), tokens.mask, tokens.time, tokens.channel)
