"""Embedding whole series: in one convolution where the encoder allows it, window by window where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from brainfm.embedding.draws import batch_of
from brainfm.embedding.sessions import sessions_of, trials_of
from brainfm.encoders.base import Encoder
from brainfm.encoders.offset import Offset
from brainfm.encoders.offset1 import Offset1

# outputs made at once: bounds memory on long recordings
_BLOCK = 8192
Found = Callable[[str | None, int], tuple[Encoder, Callable[[Tensor], Tensor]]]


def embedded(of_session: Found, X: Any, session: str | None, model: Any) -> Any:
    """The embedding of X, in its form."""
    if isinstance(X, Mapping):
        return {name: embedded(of_session, one, str(name), model) for name, one in X.items()}
    sessions_of(X, at_least=1)
    trials = trials_of(X)
    encoder, placed = of_session(session, trials[0].shape[1])
    n_times, device = model._architecture.n_times, model._device
    found = [series(encoder, placed, torch.from_numpy(trial), n_times, device) for trial in trials]
    if hasattr(X, "time_support"):
        return _as_pynapple(X, found)
    return found if isinstance(X, list | tuple) and np.ndim(X[0]) >= 2 else found[0]


def series(
    encoder: Encoder,
    placed: Callable[[Tensor], Tensor],
    trial: Float[Tensor, "time channel"],
    n_times: int,
    device: torch.device,
    pad: bool = True,
) -> Float[ndarray, "left dim"]:
    """One point per sample of a trial, or with `pad` False per place where a whole window fits.

    The window of a sample reaches from `n_times // 2` before it; at the ends the first and the last sample are repeated.
    """
    if pad:
        left, right = n_times // 2, n_times - n_times // 2 - 1
        trial = torch.cat([trial[:1].expand(left, -1), trial, trial[-1:].expand(right, -1)])
    parts = []
    with torch.no_grad():
        for start in range(0, len(trial) - n_times + 1, _BLOCK):
            block = trial[start : start + _BLOCK + n_times - 1].to(device)
            parts.append(placed(_tokens(encoder.eval(), block, n_times)).cpu().numpy())
    return np.concatenate(parts)


def _tokens(encoder: Encoder, block: Float[Tensor, "time channel"], n_times: int) -> Float[Tensor, "left width"]:
    if isinstance(encoder, Offset | Offset1):
        return encoder(_batch(block.mT[None])).embedding[0]
    windows = block.unfold(0, n_times, 1)  # [window, channel, sample]
    return torch.cat([encoder(_batch(part)).pooled() for part in windows.split(1024)])


def _batch(signal: Tensor) -> Any:
    return batch_of(signal, torch.zeros(len(signal), dtype=torch.long, device=signal.device))


def _as_pynapple(X: Any, found: list[ndarray]) -> Any:
    import pynapple as nap

    return nap.TsdFrame(t=np.asarray(X.t), d=np.concatenate(found), time_support=X.time_support)
