"""Writing spikes: with what was kept as without, ended where END says so, from a head set by hand."""

import pytest
import torch
from torch import Tensor

from brainfm.encoders.base import State
from brainfm.encoders.neuroformer import Neuroformer
from brainfm.nn.autoregression import write
from brainfm.nn.frames import Video
from brainfm.nn.sampling import Sampling
from brainfm.nn.spike_tokens import SpikeTokenizer
from brainfm.objectives.spike_prediction import SpikePrediction

GREEDY = Sampling(greedy=True)


def objective(**changes) -> SpikePrediction:
    torch.manual_seed(0)
    small = {"dim": 32, "n_heads": 4, "state_layers": 2, "history_layers": 2, "block": 30, "past_block": 40}
    found = SpikePrediction(Neuroformer([9], **{**small, **changes}), [9]).eval()
    with torch.no_grad():
        for weight in found.parameters():
            weight += 0.15 * torch.randn_like(weight)  # a fresh model would write one unit all along
        found.encoder.position *= 20
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("suppress_end", [True, False])
def test_what_is_kept_changes_no_token(spikes, seed, suppress_end) -> None:
    model = objective(modalities={"frames": Video((1, 3, 3), dim=32, layers=1, self_layers=1)})
    fields = spikes.random(seed, 4, 9, -0.15, 0.0), spikes.events([[]] * 4)
    batch = spikes.batch(*fields, frames=spikes.stream(torch.randn(4, 6, 9, 2)))
    context = model.encoder.context(batch)
    kept = write(model, batch.session_id, context, model.encoder.new_state(4), GREEDY, suppress_end=suppress_end)

    class Anew:
        """Computes the grown window again at every step."""

        vocabulary = model.vocabulary

        def __init__(self) -> None:
            self.ids: list[Tensor] = []
            self.steps: list[Tensor] = []

        def next_logits(self, ids, steps, session_id, context, state):
            self.ids.append(ids)
            self.steps.append(steps)
            return model.next_logits(torch.cat(self.ids, 1), torch.cat(self.steps, 1), session_id, context, None)

    anew = write(Anew(), batch.session_id, context, None, GREEDY, suppress_end=suppress_end)
    assert torch.equal(kept.tokens.id, anew.tokens.id)
    assert torch.equal(kept.tokens.step, anew.tokens.step)
    assert len(kept.tokens.id.unique()) > 4  # not one unit all along


class ByHand:
    """After START unit 2 in bin 0, after each unit the one above it a bin later, after unit 4 the end."""

    vocabulary = SpikeTokenizer(6, 0.05, 12)

    def next_logits(self, ids, steps, session_id, context, state):
        words = self.vocabulary
        unit = torch.where(ids == words.start, 2, torch.where(ids == 4, words.end, ids + 1))
        step = torch.where(ids == words.start, 0, (steps + 1).clamp(max=words.n_bins - 1))
        one_hot = torch.nn.functional.one_hot
        return 10.0 * one_hot(unit.clamp(max=8), words.n_ids), 10.0 * one_hot(step, words.n_steps)


def test_a_head_set_by_hand_writes_its_sequence_and_stops() -> None:
    written = write(ByHand(), torch.zeros(2, dtype=torch.long), None, State(), GREEDY, expect=True)
    words = ByHand.vocabulary
    assert written.tokens.id[0].tolist() == [words.start, 2, 3, 4, words.end] + [words.pad] * 7
    assert written.tokens.step[0].tolist() == [0, 0, 1, 2, words.step_end] + [words.step_pad] * 7
    assert written.tokens.mask[0].sum() == 5
    counts = words.decode(written.tokens)[0]
    assert counts.nonzero().tolist() == [[2, 0], [3, 1], [4, 2]]
    assert written.expected[0][counts > 0].min() > 0.9


def test_without_an_end_windows_are_written_full() -> None:
    written = write(ByHand(), torch.zeros(1, dtype=torch.long), None, State(), GREEDY, suppress_end=True)
    words = ByHand.vocabulary
    assert (written.tokens.id[0] < words.n_units).sum() == words.length - 3
    assert written.tokens.id[0, -2:].tolist() == [words.end, words.pad]
    again = words.encode(words.times(written.tokens))
    assert again.dropped.tolist() == [0]
