"""Writing a window of spikes token by token, each step costing one token: what came before is kept, not computed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from brainfm.nn.sampling import Sampling
from brainfm.nn.spike_tokens import SpikeTokenizer, SpikeTokens


@runtime_checkable
class Writer(Protocol):
    """What can write spikes: an objective with its two heads."""

    @property
    def vocabulary(self) -> SpikeTokenizer: ...

    def next_logits(
        self, ids: Tensor, steps: Tensor, session_id: Tensor, context: Any, state: Any
    ) -> tuple[Float[Tensor, "batch token id"], Float[Tensor, "batch token step"]]:
        """The logits of what follows each of these tokens, which continue the state."""
        ...


@dataclass(frozen=True)
class Written:
    """A window as it was written: its tokens, and how many spikes of each unit and bin were expected, step by step.

    `expected` sums the one-step distributions along the way: over many draws its mean is the rate that the model gives,
    with far less noise than a count of the spikes drawn (Rao-Blackwell).
    """

    tokens: SpikeTokens
    expected: Float[Tensor, "batch unit bin"] | None


@torch.no_grad()
def write(
    writer: Writer,
    session_id: Int[Tensor, "batch"],
    context: Any,
    state: Any,
    sampling: Sampling | None = None,
    generator: torch.Generator | None = None,
    suppress_end: bool = False,
    expect: bool = False,
) -> Written:
    """Writes until every window has ended, or is as full as can be read back.

    `suppress_end` fills windows whole; `expect` keeps expected counts.
    """
    words, sampling = writer.vocabulary, sampling or Sampling()
    ids = torch.full((len(session_id), 1), words.start, device=session_id.device)
    steps, page = torch.zeros_like(ids), _Page(words, len(session_id), session_id.device, expect)
    for _ in range(words.length - 3):
        id_logits, step_logits = writer.next_logits(ids, steps, session_id, context, state)
        id_logits, step_logits = _allowed(words, id_logits[:, -1], step_logits[:, -1], suppress_end)
        page.expect(sampling, id_logits, step_logits)
        ids = sampling.draw(id_logits, generator)[:, None]
        steps = sampling.draw(step_logits, generator)[:, None]
        ids, steps = page.add(ids, steps)
        if page.over:
            break
    return page.written()


def _allowed(words: SpikeTokenizer, ids: Tensor, steps: Tensor, suppress_end: bool) -> tuple[Tensor, "Tensor"]:
    """START and PAD never follow; nor does a step that is not a bin of this window, for END has one of its own."""
    ids = ids.clone()
    ids[:, words.start], ids[:, words.pad] = -torch.inf, -torch.inf
    if suppress_end:
        ids[:, words.end] = -torch.inf
    return ids, steps[:, : words.n_bins]


class _Page:
    """The tokens written so far; rows that have ended are padded."""

    def __init__(self, words: SpikeTokenizer, n: int, device: torch.device, expect: bool) -> None:
        self.words, self.n = words, 1
        self.ids = torch.full((n, words.length), words.pad, device=device)
        self.steps = torch.full((n, words.length), words.step_pad, device=device)
        self.ids[:, 0], self.steps[:, 0] = words.start, 0
        self.ended = torch.zeros(n, 1, dtype=torch.bool, device=device)
        self.expected = torch.zeros(n, words.n_units, words.n_bins, device=device) if expect else None

    @property
    def over(self) -> bool:
        return bool(self.ended.all())

    def expect(self, sampling: Sampling, ids: Tensor, steps: Tensor) -> None:
        if self.expected is None:
            return
        unit, step = (sampling.probabilities(logits) for logits in (ids, steps))
        open_ = (~self.ended).to(unit.dtype)[..., None]  # [batch, 1, 1]
        self.expected += open_ * unit[:, : self.words.n_units, None] * step[:, None]

    def add(self, ids: Tensor, steps: Tensor) -> tuple[Tensor, "Tensor"]:
        """Writes a token to each row; what is read next is what was written."""
        ends = ids == self.words.end
        ids = torch.where(self.ended, self.words.pad, ids)
        steps = torch.where(ends, self.words.step_end, steps)
        steps = torch.where(self.ended, self.words.step_pad, steps)
        self.ids[:, self.n], self.steps[:, self.n] = ids[:, 0], steps[:, 0]
        self.n, self.ended = self.n + 1, self.ended | ends
        return ids, steps

    def written(self) -> Written:
        # a full window ends where it is full
        self.ids[:, self.n] = torch.where(self.ended[:, 0], self.ids[:, self.n], self.words.end)
        self.steps[:, self.n] = torch.where(self.ended[:, 0], self.steps[:, self.n], self.words.step_end)
        tokens = SpikeTokens(self.ids, self.steps, self._mask(), torch.zeros_like(self.ids[:, 0]))
        return Written(tokens, self.expected)

    def _mask(self) -> Bool[Tensor, "batch token"]:
        return self.ids != self.words.pad
