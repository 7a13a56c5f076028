"""One encoder for the units of all sessions together, as if they had been recorded at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from brainfm.checkpoints import built
from brainfm.encoders.base import Encoder, take_signal
from data_loaders.contracts import Batch, Tokens


class Unified(Encoder):
    """Joins the channels of a group of windows, one per session at the same behaviour, and encodes them as one.

    Groups come from the sampler Unified; a window that comes alone leaves the other sessions' channels at zero, so that
    whole sessions are hidden at random in training (`session_dropout`, never all of them), and samples and channels
    besides (`time_dropout`, `channel_dropout`). Every window of a group gets its token. `encoder` is the dotted path of
    any encoder, `options` its arguments. Reference: the unified encoder of cebra 0.6.
    """

    channels = "any"

    def __init__(
        self,
        session_chans: Sequence[int],
        n_times: int,
        encoder: str = "brainfm.encoders.offset.Offset",
        options: dict[str, Any] | None = None,
        session_dropout: float = 0.5,
        channel_dropout: float = 0.0,
        time_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.session_chans, self.n_sessions = list(session_chans), len(session_chans)
        facts = {"n_chans": sum(session_chans), "n_times": n_times, **(options or {})}
        self.encoder = built({"class_path": encoder, "init_args": facts})
        self.dim = self.encoder.dim
        self.session_dropout, self.channel_dropout, self.time_dropout = session_dropout, channel_dropout, time_dropout

    def forward(self, batch: Batch) -> Tokens:
        signal, size = take_signal(batch), self._group(batch.session_id)
        joined = torch.stack([self._spread(signal, batch.session_id, s) for s in range(self.n_sessions)], 1)
        joined = joined.reshape(-1, size, *joined.shape[1:]).sum(1)  # [group, session, channel, time]
        if self.training:
            joined = self._hidden(joined, batch.seed[::size])
        widths = [joined[:, s, :width] for s, width in enumerate(self.session_chans)]
        tokens = self.encoder(_first_rows(batch, size, torch.cat(widths, 1)))
        return Tokens(tokens.embedding.repeat_interleave(size, 0), tokens.mask.repeat_interleave(size, 0))

    def _group(self, session: Tensor) -> int:
        """How many rows make a group: as many as sessions, or one where windows come alone."""
        n, order = self.n_sessions, torch.arange(self.n_sessions, device=session.device)
        together = len(session) % n == 0 and bool((session.reshape(-1, n) == order).all())
        return n if together else 1

    def _spread(self, signal: Tensor, session: Tensor, of: int) -> Float[Tensor, "batch channel time"]:
        """The rows of one session; zero elsewhere."""
        return signal * (session == of)[:, None, None]

    def _hidden(self, joined: Float[Tensor, "group session channel time"], seed: Tensor) -> Tensor:
        """Hides sessions, channels and samples at random, keyed by the batch's seeds; one session always stays."""
        generator = torch.Generator().manual_seed(int(seed.sum()) % 2**63)
        groups, sessions, channels, times = joined.shape

        def drawn(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator).to(joined.device)

        of_session = drawn(groups, sessions)
        stays = of_session.argmax(1, keepdim=True) == torch.arange(sessions, device=joined.device)
        kept = ((of_session >= self.session_dropout) | stays)[..., None, None]
        kept = kept & (drawn(groups, sessions, channels, 1) >= self.channel_dropout)
        return joined * (kept & (drawn(groups, 1, 1, times) >= self.time_dropout))


def _first_rows(batch: Batch, size: int, signal: Tensor) -> Batch:
    """A batch of one row per group."""
    names = ("sfreq", "time_mask", "subject_id", "session_id", "window_id", "seed")
    n_chans, rows = signal.shape[1], len(signal)
    places = torch.full((rows, n_chans, 3), torch.nan, device=signal.device)
    mask = torch.ones(rows, n_chans, dtype=torch.bool, device=signal.device)
    picked: dict[str, Any] = {name: getattr(batch, name)[::size] for name in names}
    picked |= {"signal": signal, "ch_positions": places, "ch_mask": mask}
    return replace(batch, **picked, targets={}, streams={}, events={}, n_views=1)
