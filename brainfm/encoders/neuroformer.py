"""Neuroformer: past spikes, stimulus and behaviour to the next spike, one token at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from brainfm.encoders.base import Context, SpikeEncoder, State
from brainfm.nn.decoder import Cache, DecoderBlock, Memory
from brainfm.nn.projectors import Projected, Projector, time_network
from brainfm.nn.spike_tokens import SpikeTokens
from brainfm.nn.units import UnitTable
from data_loaders.contracts import Batch, Events, Sampled, Tokens


class Neuroformer(SpikeEncoder):
    """A causal decoder over the spikes of the current window that looks at the spikes before it and at other modalities.

    Batches carry two fields of spikes, `past` [-past_seconds, 0) and `current` [0, current_seconds) around the anchor; each
    of `modalities` names another field and how it becomes tokens (`brainfm.nn.projectors`, `brainfm.nn.frames`). Layers:
    `state_layers` of causal attention among current spikes, `history_layers` that look at the past, each projector's own,
    and `state_layers` more among current spikes. The cost grows linearly with the number of modalities and of their tokens.

    `n_units` and `set_of` come from the data: sessions have units of their own. A field that a batch lacks is skipped
    and told of once, so a modality may be dropped. `unit_std` is the spread of the units' first vectors: at 0.02, the paper's, times drown
    them, and for a thousand steps a small model hardly sees who fired (docs/log.md, 2026-11-24). `compat="paper"` restores
    what the released code does and should not: padding in the past is looked at, a frame has no place, and a layer norm
    that nothing uses is kept for its weights.
    Reference: Antoniades et al. 2024, https://arxiv.org/abs/2311.00136
    """

    def __init__(
        self,
        n_units: Sequence[int],
        set_of: Sequence[int] | None = None,
        unit_metadata: Sequence[Sequence[float]] | None = None,
        past_seconds: float = 0.15,
        current_seconds: float = 0.05,
        bin: float = 0.01,
        block: int = 100,
        past_block: int = 700,
        modalities: Mapping[str, Projector] | None = None,
        dim: int = 256,
        n_heads: int = 8,
        state_layers: int = 6,
        history_layers: int = 6,
        dropout: float = 0.2,
        unit_std: float = 0.02,
        compat: Literal["none", "paper"] = "none",
    ) -> None:
        super().__init__()
        self.dim, self.n_heads, self.compat, self.widest = dim, n_heads, compat, max(n_units)
        self._name_tokens(self.widest, (past_seconds, past_block), (current_seconds, block), bin)
        self.position, self.past_position = (nn.Parameter(torch.zeros(1, n, dim)) for n in (block, past_block))
        self.units = UnitTable(n_units, dim, set_of, unit_metadata)
        nn.init.normal_(self.units.weight, std=unit_std)
        self.time, self.past_time = time_network(dim, dropout), time_network(dim, dropout)
        self.dropout = nn.Dropout(dropout)
        self.projectors = nn.ModuleDict(dict(modalities or {}))
        _check_widths(self.projectors, dim)
        self._missed: set[str] = set()

        def blocks(n: int) -> nn.ModuleList:
            return nn.ModuleList([DecoderBlock(dim, n_heads, dropout) for _ in range(n)])

        self.reading, self.writing, self.history = blocks(state_layers), blocks(state_layers), blocks(history_layers)
        self.looking = nn.ModuleDict({name: blocks(part.layers) for name, part in (modalities or {}).items()})
        self.among = nn.ModuleDict({name: blocks(part.self_layers) for name, part in (modalities or {}).items()})
        self.unused = nn.LayerNorm(dim) if compat == "paper" else None
        for part in (self.time, self.past_time, self.reading, self.writing, self.history, self.looking, self.among):
            part.apply(_init)

    def forward(self, batch: Batch) -> Tokens:
        found = super().forward(batch)
        # in the paper's code means are taken over padding too
        return replace(found, mask=torch.ones_like(found.mask)) if self.compat == "paper" else found

    def context(self, batch: Batch) -> Context:
        tokens = self.recall(batch)
        seen = self._embedded(tokens.id, tokens.step, batch.session_id, self.past_time, self.past_position)
        mask = None if self.compat == "paper" else tokens.mask
        found = {"past": [block.attention.remember(seen, mask) for block in _stack(self.history)]}
        pooled = {}
        for name in self.projectors:
            field = _field(batch, name)
            if field is None:
                self._tell_missing(name, batch)
                continue
            features, mask = self._projected(name, field, batch)
            found[name] = [block.attention.remember(features, mask) for block in _stack(self.looking[name])]
            pooled[name] = Tokens(features, mask).pooled()
        return Context(found, pooled)

    def recall(self, batch: Batch) -> SpikeTokens:
        """The tokens of the past that layers look at."""
        return super().recall(batch).first(-1)

    def decode(
        self,
        ids: Int[Tensor, "batch token"],
        steps: Int[Tensor, "batch token"],
        session_id: Int[Tensor, "batch"],
        context: Context,
        state: State | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        state = state or State()
        x = self._embedded(ids, steps, session_id, self.time, self.position[:, state.n :])
        kept = iter(state.kept)
        for block in _stack(self.reading):
            x = self._causal(block, x, next(kept, None))
        for name, memories in context.memories.items():
            for block, memory in zip(
                _stack(self.history if name == "past" else self.looking[name]), memories, strict=True
            ):
                x = block(x, memory)
        for block in _stack(self.writing):
            x = self._causal(block, x, next(kept, None))
        state.n += ids.shape[1]
        return x

    def new_state(self, batch_size: int) -> State:
        length = self.position.shape[1]
        empty = self.position.new_empty(batch_size, self.n_heads, 0, self.dim // self.n_heads)
        return State(0, [Cache(Memory(empty, empty), length) for _ in range(len(self.reading) + len(self.writing))])

    def _trimmed(self, tokens: SpikeTokens) -> SpikeTokens:
        """What nobody looks at is not computed; in the paper's code it is looked at."""
        return tokens if self.compat == "paper" else tokens.trimmed()

    def _tell_missing(self, name: str, batch: Batch) -> None:
        if name not in self._missed:
            self._missed.add(name)
            there = sorted([*batch.streams, *batch.events])
            print(
                f"Neuroformer: nothing is seen of {name}, the batch has {there} (told once): a field of that name brings it"
            )

    def _causal(self, block: DecoderBlock, x: Tensor, cache: Cache | None) -> Tensor:
        """A block among current spikes; with a cache the new ones look at all that were."""
        if cache is None:
            return block(x, causal=True)
        return block(x, cache.grown(block.attention.remember(x)))

    def _embedded(self, ids: Tensor, steps: Tensor, session_id: Tensor, time: nn.Module, position: Tensor) -> Tensor:
        unit = self.units.embed(ids, session_id)
        return self.dropout(unit + time(steps[..., None].to(unit.dtype)) + position[:, : ids.shape[1]])

    def _projected(self, name: str, field: Sampled | Events, batch: Batch) -> Projected:
        """Tokens of one modality after START of the spikes, which is real where nothing else is."""
        tokens, mask = self.projectors[name](field)
        if self.projectors[name].self_layers or self.compat == "none":
            ids = torch.full((len(batch), 1), self.current.start, device=tokens.device)
            start = self._embedded(ids, torch.zeros_like(ids), batch.session_id, self.time, self.position)
            tokens, mask = torch.cat([start, tokens], 1), torch.cat([torch.ones_like(ids, dtype=torch.bool), mask], 1)
        for block in _stack(self.among[name]):
            tokens = block(tokens, block.attention.remember(tokens, mask))
        return tokens, mask


def _field(batch: Batch, name: str) -> Sampled | Events | None:
    """What a batch has under this name; `signal` is the recording's own, as its transforms left it."""
    if name == "signal" and batch.signal is not None:
        return Sampled(batch.signal, batch.time_mask, batch.sfreq)
    return batch.streams.get(name, batch.events.get(name))


def _stack(blocks: nn.Module) -> Iterator[DecoderBlock]:
    """The blocks of a stack, by their type."""
    for block in blocks.children():
        assert isinstance(block, DecoderBlock)
        yield block


def _check_widths(projectors: nn.ModuleDict, dim: int) -> None:
    for name, part in projectors.items():
        if part.dim != dim:
            raise ValueError(f"the projector of {name!r} has dim {part.dim} and the encoder {dim}: give both the same")


def _init(module: nn.Module) -> None:
    """Normal weights of 0.02 and no bias, but for convolutions (the spec, section 3)."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
