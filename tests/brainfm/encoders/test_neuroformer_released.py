"""Neuroformer beside its released code: the numbers that code gives for weights written down by a formula."""

import pytest
import torch

from brainfm.encoders.neuroformer import Neuroformer
from brainfm.nn.frames import Video
from brainfm.nn.neuroformer_names import load_released, released_names
from brainfm.nn.spike_tokens import SpikeTokens
from brainfm.objectives.spike_prediction import SpikePrediction


@pytest.fixture(scope="module")
def objective() -> SpikePrediction:
    encoder = Neuroformer([100], past_seconds=0.05, modalities={"frames": Video(positions=False)}, compat="paper")
    weights = {"id_weight": 0.45, "step_weight": 0.30, "align_weight": 0.25}
    found = SpikePrediction(encoder, [100], **weights, align=["frames"], compat="paper").eval()
    parameters = dict(found.named_parameters())
    with torch.no_grad():
        for i, (theirs, ours) in enumerate(released_names(parameters).items()):
            weight = parameters[ours]
            wave = 0.05 * torch.sin(0.7 * torch.arange(weight.numel(), dtype=torch.float64) + i)
            norm = theirs.endswith("weight") and any(name in theirs for name in (".ln", "ln_f", "conv_block.2"))
            weight.copy_((wave + norm).reshape(weight.shape))
    return found


def tokens(length: int, *rows: tuple[int, int]) -> SpikeTokens:
    """Rows of n spikes: START, the units (7 j + shift) % 100 in the steps min(5, floor(6 j / n)), END, PAD."""
    ids, steps = torch.full((len(rows), length), 102), torch.full((len(rows), length), 8)
    for row, (n, shift) in enumerate(rows):
        j = torch.arange(n)
        ids[row, : n + 2] = torch.cat([torch.tensor([100]), (7 * j + shift) % 100, torch.tensor([101])])
        steps[row, : n + 2] = torch.cat([torch.tensor([0]), (6 * j // n).clamp(max=5), torch.tensor([7])])
    return SpikeTokens(ids, steps, ids != 102, torch.zeros(len(rows), dtype=torch.long))


def test_losses_and_logits_are_those_of_the_released_code(objective, spikes, monkeypatch) -> None:
    current, past = tokens(101, (12, 0), (13, 1)), tokens(701, (20, 0), (21, 3))
    monkeypatch.setattr(objective.encoder.current, "encode", lambda *_: current)
    monkeypatch.setattr(objective.encoder.past, "encode", lambda *_: past)
    assert (~current.mask).sum(1).tolist() == [87, 86]
    frames = torch.cos(0.01 * torch.arange(2 * 3 * 30 * 100, dtype=torch.float64)).float().reshape(2, 3, 30, 100)
    none = spikes.events([[], []])
    batch = spikes.batch(none, none, frames=spikes.stream(frames.movedim(1, -1)))
    with torch.no_grad():
        losses = objective.loss(batch)
        ids, steps = objective.next_logits(
            current.id[:, :-1], current.step[:, :-1], batch.session_id, objective.encoder.context(batch)
        )
    assert 0.25 * losses["align"].item() == pytest.approx(0.173290, abs=1e-4)
    assert 0.45 * losses["id"].item() == pytest.approx(2.149944, abs=1e-4)
    assert 0.30 * losses["step"].item() == pytest.approx(0.771377, abs=1e-4)
    assert ids[0, 0, :5].tolist() == pytest.approx([-0.157130, 0.053139, 0.051737, -0.155751, 0.257167], abs=1e-4)
    expected = [0.58562, -0.65325, 0.70999, -0.75490, 0.78721, -0.80640, 0.81214, -0.80435, 0.78313]
    assert steps[0, 0].tolist() == pytest.approx(expected, abs=1e-4)


def test_released_weights_fill_every_tensor_or_are_refused(objective) -> None:
    parameters = dict(objective.named_parameters())
    names = released_names(parameters)
    assert len(names) == len(parameters)
    state = {theirs: torch.randn_like(parameters[ours]) for theirs, ours in names.items()}
    assert "feature_encoder.neural_state_blocks.5.attn.query.weight" in state
    masks = {"feature_encoder.mask": torch.ones(1), "frame_3d_emb.inv_freq": torch.ones(1)}
    before = {name: value.clone() for name, value in parameters.items()}
    load_released(objective, state | masks)
    assert all(torch.equal(parameters[ours], state[theirs]) for theirs, ours in names.items())
    with pytest.raises(ValueError, match=r"1 tensors are in one model only, the first is 'head_dt.weight'"):
        load_released(objective, {key: value for key, value in state.items() if key != "head_dt.weight"})
    objective.load_state_dict(before, strict=False)
