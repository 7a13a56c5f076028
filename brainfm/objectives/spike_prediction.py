"""Spike prediction: which unit fires next and when, with modalities aligned and behaviour read on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brainfm.encoders.base import Context, SpikeEncoder, State
from brainfm.nn.alignment import alignment
from brainfm.nn.autoregression import write
from brainfm.nn.hazard import expected_counts, shuffled
from brainfm.nn.ranks import among_ranks
from brainfm.nn.sampling import Sampling
from brainfm.nn.spike_tokens import SpikeTokenizer, SpikeTokens
from brainfm.nn.units import UnitTable
from brainfm.objectives.base import Objective, take_target
from data_loaders.contracts import Batch, Tokens

_MOST_ROWS = 1024  # windows that are written at once


class SpikePrediction(Objective):
    """Cross-entropy of the next spike's unit and of its bin, END among them, padding left out.

    The loss is `id_weight` and `step_weight` times these two, plus `rate_weight` times the Poisson loss per spike of the
    one-step rates, each unit's times a gain that is learned with it (none for 0), plus `align_weight` times the alignment of
    the window's spikes with the modalities of `align` (from both sides, with a temperature that learns; `compat="paper"`:
    from one side, 0.5). Where the data have a target, a linear head reads it from the mean over the window's tokens:
    classes or values, the latter in units of their spread in training; its error is added `behaviour_weight` times. Within a
    bin nothing is known of the order of spikes: it is drawn anew at every look (`compat="paper"`: by unit).

    Predicted are the target and expected counts of each unit and bin of the current window, flattened. `rates` says of what
    they may know: "one_step" of all spikes before the bin (`spikes`, one pass; `brainfm.nn.hazard`), "rollout" of all before
    the window (`spikes_ahead`, the mean over `n_rollouts` drawn windows), or "none".
    Reference: Antoniades et al. 2024, https://arxiv.org/abs/2311.00136
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(
        self,
        encoder: SpikeEncoder,
        n_units: Sequence[int],
        set_of: Sequence[int] | None = None,
        id_weight: float = 0.6,
        step_weight: float = 0.4,
        rate_weight: float = 0.0,
        align_weight: float = 0.0,
        align: Sequence[str] = (),
        rates: Literal["one_step", "rollout", "none"] = "one_step",
        n_rollouts: int = 32,
        n_outputs: int | None = None,
        target: str | None = None,
        target_mean: Sequence[float] | None = None,
        target_std: Sequence[float] | None = None,
        behaviour_weight: float = 1.0,
        compat: Literal["none", "paper"] = "none",
    ) -> None:
        super().__init__(encoder)
        if align_weight and not align:
            raise ValueError(
                "align_weight is given and align is empty: name the modalities to align with, such as [frames]"
            )
        self.id_weight, self.step_weight = id_weight, step_weight
        self.rate_weight, self.align_weight = rate_weight, align_weight
        if n_rollouts < 1:
            raise ValueError(f"n_rollouts is {n_rollouts}, expected at least 1: for no rates set rates to none")
        self.align, self.rates, self.n_rollouts, self.compat = tuple(align), rates, n_rollouts, compat
        self.units = UnitTable(n_units, encoder.dim, set_of)
        self.step = nn.Linear(encoder.dim, encoder.current.n_steps, bias=False)
        nn.init.normal_(self.step.weight, std=0.02)
        self.gain = UnitTable(n_units, 1, set_of) if rate_weight else None
        self.shared = nn.Linear(encoder.dim, encoder.dim, bias=False) if align else None
        if self.shared is not None:
            nn.init.normal_(self.shared.weight, std=0.02)
        learned = align and compat == "none"
        self.log_temperature = nn.Parameter(torch.tensor(0.07).log()) if learned else None
        self.target, self.behaviour_weight = target, behaviour_weight
        self.behaviour = None if n_outputs is None else nn.Linear(encoder.dim, n_outputs)
        for name, stated, default in (("target_mean", target_mean, 0.0), ("target_std", target_std, 1.0)):
            values = [default] * (n_outputs or 0) if stated is None else list(stated)
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    @property
    def vocabulary(self) -> SpikeTokenizer:
        """The tokens that the current window is written in."""
        return self._reader.current

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        x, tokens, context = self._decoded(batch)
        losses = self._next_token(x, tokens, batch)
        total = self.id_weight * losses["id"] + self.step_weight * losses["step"]
        if self.rate_weight:
            losses["rate"] = self._rate_error(x, tokens, batch)
            total = total + self.rate_weight * losses["rate"]
        if self.align:
            losses["align"] = self._alignment(x, tokens, context)
            total = total + self.align_weight * losses["align"]
        if self.behaviour is not None:
            losses["behaviour"] = self._behaviour_error(self._read_out(x, tokens), batch)
            total = total + self.behaviour_weight * losses["behaviour"]
        return {"loss": total, **losses}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        x, tokens, _ = self._decoded(batch)
        found = self._rates(batch, x, tokens)
        if self.behaviour is None:
            return found
        read, truth = self._read_out(x, tokens), take_target(batch, self.target)
        values = read * self.target_std + self.target_mean if truth.is_floating_point() else read.softmax(-1)
        return found | {self.target or next(iter(batch.targets)): values}

    @torch.no_grad()
    def rolled(self, batch: Batch, sampling: Sampling | None = None) -> Float[Tensor, "batch unit bin"]:
        """Expected counts in the current window, the mean over drawn windows; a draw is keyed by the batch's seed."""
        context, generator = self._reader.context(batch), torch.Generator(batch.window_id.device)
        generator.manual_seed(int(batch.seed.sum()) % 2**63)
        total: Any = 0.0
        for copies in _shares(self.n_rollouts, max(1, _MOST_ROWS // len(batch))):
            many, session = context.repeated(copies), batch.session_id.repeat(copies)
            state = self._reader.new_state(len(session))
            drawn = write(self, session, many, state, sampling, generator, expect=True).expected
            assert drawn is not None
            total = total + drawn.unflatten(0, (copies, len(batch))).sum(0)
        return total / self.n_rollouts

    def next_logits(
        self, ids: Tensor, steps: Tensor, session_id: Tensor, context: Context, state: State | None = None
    ) -> tuple[Float[Tensor, "batch token id"], Float[Tensor, "batch token step"]]:
        """The logits of what follows each of these tokens, which continue the state."""
        x = self._reader.decode(ids, steps, session_id, context, state)
        return self.units.logits(x, session_id), self.step(x)

    @property
    def _reader(self) -> SpikeEncoder:
        assert isinstance(self.encoder, SpikeEncoder)
        return self.encoder

    def _decoded(self, batch: Batch) -> tuple[Tensor, SpikeTokens, Context]:
        """The embedding of each token but the last, beside the tokens of the window and what they were read with."""
        tokens, context = self._reader.read(batch), self._reader.context(batch)
        if self.compat == "none":
            tokens = shuffled(tokens.trimmed(), self.vocabulary, batch.seed)
        x = self._reader.decode(tokens.id[:, :-1], tokens.step[:, :-1], batch.session_id, context)
        return x, tokens, context

    def _rates(self, batch: Batch, x: Tensor, tokens: SpikeTokens) -> dict[str, Tensor]:
        if self.rates == "none":
            return {}
        if self.rates == "rollout":
            return {"spikes_ahead": self.rolled(batch).flatten(1)}
        return {"spikes": self._one_step(x, tokens, batch).flatten(1)}

    def _one_step(self, x: Tensor, tokens: SpikeTokens, batch: Batch) -> Float[Tensor, "batch unit bin"]:
        rates = expected_counts(self.units.logits(x, batch.session_id), self.step(x), tokens, self.vocabulary)
        if self.gain is None:
            return rates
        gain = self.gain.logits(x.new_ones(len(x), 1, 1), batch.session_id)[:, 0, : self.vocabulary.n_units]
        return rates * gain.exp()[..., None]

    def _rate_error(self, x: Tensor, tokens: SpikeTokens, batch: Batch) -> Tensor:
        counts = self.vocabulary.decode(tokens).to(x.dtype)
        # a unit that the session lacks has neither rate nor spikes
        error = F.poisson_nll_loss(self._one_step(x, tokens, batch), counts, log_input=False, reduction="sum")
        n_spikes = counts.sum().clamp(min=1)
        return error / n_spikes * among_ranks(n_spikes, len(batch))

    def _next_token(self, x: Tensor, tokens: SpikeTokens, batch: Batch) -> dict[str, Tensor]:
        words, real = self._reader.current, tokens.mask[:, 1:]
        by_id, by_step = self.units.logits(x, batch.session_id), self.step(x)
        ids = F.cross_entropy(by_id.flatten(0, 1), tokens.id[:, 1:].flatten(), ignore_index=words.pad)
        steps = F.cross_entropy(by_step.flatten(0, 1), tokens.step[:, 1:].flatten(), ignore_index=words.step_pad)
        hit = (by_id.argmax(-1) == tokens.id[:, 1:])[real].float().mean()
        weight = among_ranks(real.sum(), len(batch))
        return {"id": ids * weight, "step": steps * weight, "hit": hit.detach() * weight}

    def _read_out(self, x: Tensor, tokens: SpikeTokens) -> Tensor:
        assert self.behaviour is not None
        return self.behaviour(Tokens(x, self._pooling(tokens)).pooled())

    def _behaviour_error(self, read: Tensor, batch: Batch) -> Tensor:
        truth = take_target(batch, self.target)
        if not truth.is_floating_point():
            return F.cross_entropy(read, truth)
        return F.mse_loss(read, ((truth.reshape(len(batch), -1) - self.target_mean) / self.target_std).to(read.dtype))

    def _pooling(self, tokens: SpikeTokens) -> Tensor:
        """What means are taken over: in the paper's code padding too."""
        return torch.ones_like(tokens.mask[:, :-1]) if self.compat == "paper" else tokens.mask[:, :-1]

    def _alignment(self, x: Tensor, tokens: SpikeTokens, context: Context) -> Tensor:
        assert self.shared is not None
        missing = [name for name in self.align if name not in context.pooled]
        if missing:
            raise ValueError(
                f"align names {missing[0]!r}, and the encoder reads {sorted(context.pooled)}: name one of these"
            )
        features = [Tokens(x, self._pooling(tokens)).pooled(), *(context.pooled[name] for name in self.align)]
        temperature = 0.5 if self.log_temperature is None else self.log_temperature.exp()
        return alignment([self.shared(f) for f in features], temperature, symmetric=self.compat != "paper")


def _shares(n: int, most: int) -> list[int]:
    """n in parts of at most `most`."""
    return [min(most, n - done) for done in range(0, n, most)]
