"""Writing spikes with what was kept beside computing the grown window again, and tokens of tensors beside a loop over spikes.

    python benchmarks/neuroformer.py [--repeats 5] [--threads 2]

The model has the sizes of the paper (100 units, no video), 16 windows are written whole (100 tokens, the end suppressed),
greedily. The slow side computes at every step the tokens written so far and nothing more: what the model looks at beside
them is made once for both. Both write the same tokens, which is checked. Figures are medians over pairs of ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from brainfm.encoders.neuroformer import Neuroformer
from brainfm.nn.autoregression import Written, write
from brainfm.nn.sampling import Sampling
from brainfm.nn.spike_tokens import SpikeTokenizer, SpikeTokens
from brainfm.objectives.spike_prediction import SpikePrediction
from data_loaders.contracts import Batch, Events

N_UNITS, N_ROWS = 100, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    rollout, tokens = _rollouts(arguments.repeats), _tokens(arguments.repeats)
    print(f"figure cached_rollout_vs_uncached {rollout:.1f}")
    print(f"figure tokenisation_vs_loop {tokens:.1f}")


def _rollouts(repeats: int) -> float:
    model = SpikePrediction(Neuroformer([N_UNITS], past_block=700), [N_UNITS]).eval()
    batch = _batch(_events(N_ROWS, 60, -0.15, 0.0))
    with torch.no_grad():
        context = model.encoder.context(batch)

    def kept() -> Written:
        return write(
            model, batch.session_id, context, model.encoder.new_state(N_ROWS), Sampling(greedy=True), suppress_end=True
        )

    def again() -> Written:
        return write(_Again(model), batch.session_id, context, None, Sampling(greedy=True), suppress_end=True)

    assert torch.equal(kept().tokens.id, again().tokens.id), "both write the same"
    pairs = [(_seconds(again), _seconds(kept)) for _ in range(repeats)]
    slow, fast = (statistics.median(took) for took in zip(*pairs, strict=True))
    print(f"{N_ROWS} windows of 100 tokens, float32: again {slow:.2f} s, kept {fast:.2f} s ({repeats} pairs)")
    return statistics.median(slow / fast for slow, fast in pairs)


class _Again:
    """The same model, which keeps nothing."""

    def __init__(self, model: SpikePrediction) -> None:
        self.vocabulary, self.model = model.vocabulary, model
        self.ids: list[Tensor] = []
        self.steps: list[Tensor] = []

    def next_logits(
        self, ids: Tensor, steps: Tensor, session_id: Tensor, context: Any, state: Any
    ) -> tuple[Tensor, Tensor]:
        self.ids.append(ids)
        self.steps.append(steps)
        return self.model.next_logits(torch.cat(self.ids, 1), torch.cat(self.steps, 1), session_id, context, None)


def _tokens(repeats: int) -> float:
    words, events = SpikeTokenizer(N_UNITS, 0.05, 101), _events(256, 60, 0.0, 0.05)
    fast, slow = words.encode(events), _loop(words, events)
    assert torch.equal(fast.id, slow[0]), "both make the same tokens"
    assert torch.equal(fast.step, slow[1]), "in the same bins"
    pairs = [
        (_seconds(lambda: _loop(words, events), 5), _seconds(lambda: words.encode(events), 100)) for _ in range(repeats)
    ]
    print(
        f"256 windows of 60 spikes: a loop {1e3 * pairs[0][0]:.1f} ms, tensors {1e3 * pairs[0][1]:.2f} ms ({repeats} pairs)"
    )
    return statistics.median(slow / fast for slow, fast in pairs)


def _loop(words: SpikeTokenizer, events: Events) -> tuple[Tensor, Tensor]:
    """Units and bins of tokens as a loop over spikes makes them."""
    ids, steps = [], []
    for channel, time_, mask in zip(events.channel.tolist(), events.time.tolist(), events.mask.tolist(), strict=True):
        spikes = sorted(
            (int(t / words.bin + 1e-4), unit) for unit, t, real in zip(channel, time_, mask, strict=True) if real
        )
        kept = spikes[-(words.length - 3) :]
        padding = words.length - len(kept) - 2
        ids.append([words.start, *(unit for _, unit in kept), words.end, *[words.pad] * padding])
        steps.append([0, *(step for step, _ in kept), words.step_end, *[words.step_pad] * padding])
    return torch.tensor(ids), torch.tensor(steps)


def _events(n: int, spikes: int, start: float, stop: float) -> Events:
    time_ = start + (stop - start) * 0.999 * torch.rand(n, spikes).sort(1).values
    return Events(torch.randint(0, N_UNITS, (n, spikes)), time_, torch.ones(n, spikes, dtype=torch.bool))


def _batch(past: Events) -> Batch:
    n = len(past.mask)
    ids, none = torch.zeros(n, dtype=torch.long), torch.zeros(n, 0, dtype=torch.bool)
    current = Events(past.channel[:, :0], past.time[:, :0], past.mask[:, :0])
    fields = {"past": past, "current": current}
    return Batch(None, torch.ones(n), torch.zeros(n, 0, 3), none, none, ids, ids, ids, ids, events=fields)


def _seconds(run: Callable[[], Written | SpikeTokens | tuple[Tensor, Tensor]], calls: int = 1) -> float:
    """Seconds of a call, the mean of several where one is too short to be timed."""
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    main()
