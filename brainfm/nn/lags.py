"""Lagged streams: the samples of a batch's streams at chosen delays, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from data_loaders.contracts import Batch


def lagged(
    batch: Batch,
    streams: Sequence[str],
    stream_delays: Mapping[str, Sequence[int]],
    delays: Sequence[int] | None = None,
) -> tuple[Float[Tensor, "batch feature"], Bool[Tensor, "batch"]]:
    """Stream by stream, delay by delay, all dims; and which rows are whole: none of their samples lies outside the stream.

    `stream_delays` says how many samples before the anchor each sample of a stream's field is; without `delays` all are
    taken. Raises ValueError where a field does not reach over a delay.
    """
    parts, whole = [], torch.ones(len(batch), dtype=torch.bool, device=batch.window_id.device)
    for name in streams:
        if name not in batch.streams:
            raise ValueError(
                f"the batch has no stream {name!r}; it has {sorted(batch.streams)}: name a field of data.fields"
            )
        sampled, at = batch.streams[name], places(name, stream_delays[name], delays)
        values = sampled.values.reshape(len(batch), -1, sampled.values.shape[-1])[:, :, at]  # [batch, dim, delay]
        parts.append(values.transpose(1, 2).flatten(1))
        whole &= sampled.mask[:, at].all(1)
    return torch.cat(parts, dim=1), whole


def places(name: str, stream_delays: Sequence[int], delays: Sequence[int] | None) -> list[int]:
    """Which samples of a field are at these delays.

    >>> places("words", [4, 3, 2, 1, 0], [1, 4])
    [3, 0]
    """
    known = {delay: place for place, delay in enumerate(stream_delays)}
    missing = [delay for delay in delays or [] if delay not in known]
    if missing:
        raise ValueError(
            f"the field {name!r} reaches over the delays {min(known)} to {max(known)} and delay {missing[0]} is asked for: "
            f"let its start and stop reach further"
        )
    return list(known.values()) if delays is None else [known[delay] for delay in delays]
