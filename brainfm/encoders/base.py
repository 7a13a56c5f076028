"""An encoder: Batch in, Tokens out. Heads belong to objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from brainfm.nn.decoder import Memory
from brainfm.nn.spike_tokens import SpikeTokenizer, SpikeTokens
from data_loaders.contracts import Batch, Events, Tokens


class Encoder(nn.Module, ABC):
    """Turns the windows of a batch into tokens of width `dim`.

    `channels` says what it needs of the recording's channels: `fixed` (always the same, in one order), `any`, their
    `names` or their `positions`. Constructors take n_chans, n_times and sfreq by these names, where they need them.
    """

    dim: int
    channels: Literal["fixed", "any", "names", "positions"] = "fixed"

    @abstractmethod
    def forward(self, batch: Batch) -> Tokens: ...


class TokenEncoder(Encoder):
    """An encoder in two steps, because masking acts between them."""

    @abstractmethod
    def embed(self, batch: Batch) -> Tokens:
        """Tokens as the signal alone gives them."""

    @abstractmethod
    def mix(self, tokens: Tokens) -> Tokens:
        """Tokens that know of each other."""

    def forward(self, batch: Batch) -> Tokens:
        return self.mix(self.embed(batch))


class PatchEncoder(TokenEncoder):
    """A token encoder whose tokens are patches of single channels, channel by channel: token = channel * n_patches + patch.

    `n_samples` is what a patch has; `embed` looks at each patch alone, and adds where and when it is.
    """

    n_samples: int

    @abstractmethod
    def patches(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "batch channel patch sample"], Bool[Tensor, "batch channel patch"]]:
        """The values that tokens are made of, and which are real; the rest are zero."""


@dataclass(frozen=True)
class Context:
    """All that a window's spikes are read beside, made once: what each layer can look at, and one vector per modality."""

    memories: dict[str, list[Memory]] = field(default_factory=dict)
    pooled: dict[str, Tensor] = field(default_factory=dict)

    def repeated(self, n: int) -> Context:
        """The same for n copies of the batch, one after another."""
        memories = {name: [memory.repeated(n) for memory in layers] for name, layers in self.memories.items()}
        return Context(memories, {name: pooled.repeat(n, 1) for name, pooled in self.pooled.items()})


@dataclass
class State:
    """How far a window has been written, and what layers keep of it. Only `decode` changes it."""

    n: int = 0
    kept: list[Any] = field(default_factory=list)


class SpikeEncoder(Encoder):
    """Reads the spikes of the current window as tokens, each knowing only those before it: it can be run token by token.

    `current` and `past` are the vocabularies of the two fields of spikes that batches carry under these names.
    """

    channels = "any"
    current: SpikeTokenizer
    past: SpikeTokenizer

    def _name_tokens(self, n_units: int, past: tuple[float, int], current: tuple[float, int], bin: float) -> None:
        """Makes the vocabularies of two windows of so many seconds, and so many tokens at most; they share their bins."""
        longest = max(past[0], current[0])
        self.past, self.current = (
            SpikeTokenizer(n_units, seconds, block + 1, bin, longest) for seconds, block in (past, current)
        )

    def forward(self, batch: Batch) -> Tokens:
        tokens = self._trimmed(self.read(batch))
        ids, steps = tokens.id[:, :-1], tokens.step[:, :-1]
        embedding = self.decode(ids, steps, batch.session_id, self.context(batch))
        return Tokens(embedding, tokens.mask[:, :-1], steps.clamp(max=self.current.n_bins) * self.current.bin)

    @abstractmethod
    def context(self, batch: Batch) -> Context:
        """What does not depend on the current window's spikes."""

    def new_state(self, batch_size: int) -> State:
        """The state before the first token of a window."""
        return State()

    @abstractmethod
    def decode(
        self,
        ids: Int[Tensor, "batch token"],
        steps: Int[Tensor, "batch token"],
        session_id: Int[Tensor, "batch"],
        context: Context,
        state: State | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """The embedding of each token; with a state the tokens continue what it holds, and it is moved on."""

    def read(self, batch: Batch) -> SpikeTokens:
        """The tokens of the current window, one more than `decode` takes: the last is only ever predicted."""
        return self.current.encode(take_events(batch, "current"))

    def recall(self, batch: Batch) -> SpikeTokens:
        """The tokens of the past, END behind the last spike of each."""
        return self._trimmed(self.past.encode(take_events(batch, "past"), -self.past.seconds))

    def _trimmed(self, tokens: SpikeTokens) -> SpikeTokens:
        """What nobody looks at is not computed."""
        return tokens.trimmed()


def take_events(batch: Batch, name: str) -> Events:
    """The field of spikes of that name."""
    if name not in batch.events:
        raise ValueError(
            f"the batch has no spikes called {name!r}, it has {sorted(batch.events)}: "
            f"name a field {name!r} with `source: spikes` in data.fields"
        )
    return batch.events[name]


def take_signal(
    batch: Batch, n_chans: int | None = None, n_times: int | None = None
) -> Float[Tensor, "batch channel time"]:
    """The batch's signal, after checking that it has the sizes an encoder was built for."""
    if batch.signal is None:
        raise ValueError(
            "the batch carries no signal: name a field `signal` in data.fields, such as {start: 0.0, stop: 2.0}"
        )
    found = tuple(batch.signal.shape[1:])
    for size, wanted, what in ((found[0], n_chans, "channels"), (found[1], n_times, "samples")):
        if wanted is not None and size != wanted:
            raise ValueError(
                f"the encoder was built for {wanted} {what} and the batch has {size}: "
                f"build it with n_{'chans' if what == 'channels' else 'times'}={size}, or pick the same {what} in data"
            )
    return batch.signal


def one_token(features: Float[Tensor, "batch dim"]) -> Tokens:
    """Wraps one embedding per window as a single real token."""
    mask = torch.ones(len(features), 1, dtype=torch.bool, device=features.device)
    return Tokens(features.unsqueeze(1), mask)


def time_tokens(features: Float[Tensor, "batch token dim"]) -> Tokens:
    """Wraps embeddings that follow each other in time as real tokens."""
    return Tokens(features, torch.ones(features.shape[:2], dtype=torch.bool, device=features.device))
