"""Rates read from one-step distributions: what is expected in a bin, given all that happened before the bin and nothing since."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from brainfm.nn.keyed import uniform
from brainfm.nn.spike_tokens import SpikeTokenizer, SpikeTokens


def shuffled(tokens: SpikeTokens, words: SpikeTokenizer, seed: Int[Tensor, "batch"]) -> SpikeTokens:
    """The same windows with the spikes of each bin in an order drawn by the row's seed; START, END and PAD stay.

    Within a bin nothing is known of the order. Sorted by unit, a model learns that order, and what it says after the last
    spike of a bin is then about the highest units.
    """
    spike = tokens.id < words.n_units
    place = torch.arange(tokens.id.shape[1], device=tokens.id.device)
    # spikes stand behind START in order of their bins, END and PAD where they stood
    key = torch.where(spike, tokens.step + uniform(seed, place), (words.step_pad + place).double())
    key[:, 0] = -1.0
    order = key.argsort(dim=1)
    return replace(tokens, id=tokens.id.gather(1, order), step=tokens.step.gather(1, order))


def expected_counts(
    ids: Float[Tensor, "batch token id"],
    steps: Float[Tensor, "batch token step"],
    tokens: SpikeTokens,
    words: SpikeTokenizer,
) -> Float[Tensor, "batch unit bin"]:
    """How often each unit is expected to fire in each bin, from the logits behind the last token before the bin.

    Let `h` be the chance that the next spike lies in the bin, given that it does not lie before. With a constant rate within
    the bin `1 - h` is the chance of no spike, so the rate of all units is `-log(1 - h)`; it falls on units as the next token's
    id does. A bin is taken to be so short that a unit fires once in it or not at all, whence a rate `r` gives `1 - exp(-r)`
    spikes. Sums of one-step probabilities over the tokens of a bin would know how many spikes it holds, because each sums to
    one: they are no rates.
    Reference: Truccolo et al. 2005, https://doi.org/10.1152/jn.00697.2004 (equation 6, from intensity to probability).
    """
    spike = tokens.id[:, : steps.shape[1]] < words.n_units
    bins = torch.arange(words.n_bins, device=steps.device)
    step = tokens.step[:, : steps.shape[1], None]
    before = (spike[..., None] & (step < bins)).sum(1)  # [batch, bin]: the token that comes last before it
    unit = _at(ids, before)[..., : words.n_units].log_softmax(-1).exp()  # [batch, bin, unit]
    return -torch.expm1(-_total(_at(steps, before), words)[..., None] * unit).mT


def _total(steps: Float[Tensor, "batch bin step"], words: SpikeTokenizer) -> Float[Tensor, "batch bin"]:
    """-log(1 - h) of each bin, of what remains from it on; what remains last is END."""
    ahead = torch.cat([steps[..., : words.n_bins], steps[..., words.step_end, None]], -1)
    remains = ahead.flip(-1).logcumsumexp(-1).flip(-1)  # from each bin on
    here = remains.diagonal(dim1=1, dim2=2)[:, : words.n_bins]
    behind = remains.diagonal(offset=1, dim1=1, dim2=2)
    return here - behind


def _at(
    logits: Float[Tensor, "batch token width"], place: Int[Tensor, "batch bin"]
) -> Float[Tensor, "batch bin width"]:
    return logits.gather(1, place[..., None].expand(-1, -1, logits.shape[-1]))
