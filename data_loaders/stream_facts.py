"""What encoders may know of the streams that a batch carries: their widths, and how long before the anchor each sample is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from data_loaders.contracts import Field
from data_loaders.store import Store


def stream_facts(fields: Mapping[str, Field], store: Store) -> dict[str, Any]:
    """`stream_dims` and `stream_delays` (in samples of the stream, positive before the anchor), by the field's name.

    Raises ValueError where recordings have different widths or rates of a stream.
    """
    named = {
        name: field for name, field in fields.items() if name != "signal" and field.source not in ("signal", "spikes")
    }
    finite = {name: field for name, field in named.items() if math.isfinite(field.stop)}
    if not finite:
        return {}
    dims, delays = {}, {}
    for name, field in finite.items():
        width, sfreq = _shared(field.source, store)
        first = round(field.start * sfreq)
        dims[name], delays[name] = width, [-(first + k) for k in range(field.n_times(sfreq))]
    return {"stream_dims": dims, "stream_delays": delays}


def _shared(source: str, store: Store) -> tuple[int, float]:
    """The width and the rate that a stream has in every recording that has it."""
    named = zip(store.catalog["name"], store.streams, strict=True)
    having = [(name, streams[source]) for name, streams in named if source in streams]
    if not having:
        known = sorted({name for streams in store.streams for name in streams})
        raise ValueError(
            f"no recording has a stream {source!r}; there are {known}: name one of these, or `brainfm features`"
        )
    found = {(math.prod(info.shape[1:]), info.sfreq): name for name, info in having}
    if len(found) > 1:
        told = ", ".join(f"{name} has {width} columns at {sfreq:g} Hz" for (width, sfreq), name in found.items())
        raise ValueError(f"the stream {source!r} differs between recordings: {told}")
    return next(iter(found))
