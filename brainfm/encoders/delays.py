"""Delays: lagged features of a stimulus as one token, the design matrix of a linear encoding model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brainfm.encoders.base import Encoder, one_token
from brainfm.nn.lags import lagged, places
from data_loaders.contracts import Batch, Tokens


class Delays(Encoder):
    """A finite impulse response: copies of each stream at each of `delays` (samples of the stream) before the anchor.

    `streams` are names of fields (all that are streams where left out), whose start and stop must reach over the delays;
    without `delays` every sample of a field is taken, also later ones. Windows never cross a border of their segment, so
    neither do delays: the first frames of a run, which have no past, have no window.
    `stream_dims` and `stream_delays` come from the data. Learns nothing.
    """

    channels = "any"

    def __init__(
        self,
        stream_dims: dict[str, int],
        stream_delays: dict[str, list[int]],
        delays: list[int] | None = None,
        streams: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.streams: Sequence[str] = sorted(stream_dims) if streams is None else streams
        unknown = [name for name in self.streams if name not in stream_dims]
        if unknown or not self.streams:
            raise ValueError(
                f"no field of the data is a stream {unknown[:1]}: name some of {sorted(stream_dims)} in streams"
            )
        self.stream_delays: Mapping[str, Sequence[int]] = stream_delays
        self.delays = delays
        self.widths = {
            name: stream_dims[name] * len(places(name, stream_delays[name], delays)) for name in self.streams
        }
        self.dim = sum(self.widths.values())

    def forward(self, batch: Batch) -> Tokens:
        features, _ = lagged(batch, self.streams, self.stream_delays, self.delays)
        return one_token(features.float())
