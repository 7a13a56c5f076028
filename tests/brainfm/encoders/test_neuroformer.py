"""Neuroformer: sizes of the paper, causality, padding that is not seen, modalities that count and may be missing."""

from dataclasses import replace

import pytest
import torch

from brainfm.encoders.neuroformer import Neuroformer
from brainfm.nn.frames import Video
from brainfm.nn.projectors import Spikes, Values
from brainfm.nn.released_behaviour import ReleasedBehaviour
from brainfm.objectives.spike_prediction import SpikePrediction
from data_loaders.contracts import Events

SMALL = {
    "dim": 16,
    "n_heads": 2,
    "state_layers": 1,
    "history_layers": 1,
    "block": 30,
    "past_block": 40,
    "past_seconds": 0.15,
}


def small(n_units=(9,), **changes) -> Neuroformer:
    torch.manual_seed(0)
    return Neuroformer(list(n_units), **{**SMALL, **changes}).eval()


def released(
    n: int, kernel=(3, 5, 5), stride=None, behaviour=False, predict=False, clip=True, **changes
) -> SpikePrediction:
    parts = {"behavior": ReleasedBehaviour(["phi", "speed", "th"])} if behaviour else {}
    parts["frames"] = Video(kernel, stride, positions=False)
    encoder = Neuroformer([n], modalities=parts, compat="paper", **{"past_seconds": 0.05, **changes})
    align = {"align": ["frames"], "align_weight": 0.25} if clip else {}
    return SpikePrediction(encoder, [n], n_outputs=3 if predict else None, compat="paper", **align)


@pytest.mark.parametrize(
    ("n", "options", "expected"),
    [
        (100, {}, 24_120_576),
        (1000, {}, 24_581_376),
        (2023, {}, 25_105_152),
        (100, {"behaviour": True, "predict": True, "clip": False}, 27_218_447),
        (2023, {"behaviour": True, "predict": True, "clip": False}, 28_203_023),
        (
            100,
            {"kernel": (3, 8, 8), "stride": (3, 4, 4), "clip": False, "past_seconds": 0.15, "past_block": 100},
            23_933_952,
        ),
        (
            386,
            {"kernel": (3, 8, 8), "stride": (3, 4, 4), "clip": False, "past_seconds": 0.15, "past_block": 100},
            24_080_384,
        ),
        (100, {"kernel": (4, 5, 5), "behaviour": True}, 27_289_612),
        (100, {"behaviour": True}, 27_283_212),
    ],
)
def test_the_paper_s_models_have_their_numbers_of_parameters(n, options, expected) -> None:
    with torch.device("meta"):
        objective = released(n, **options)
    assert sum(parameter.numel() for parameter in objective.parameters()) == expected


def test_parts_have_the_sizes_of_the_released_ones() -> None:
    with torch.device("meta"):
        objective = released(100)

    def size(*parts) -> int:
        return sum(parameter.numel() for part in parts for parameter in part.parameters())

    encoder = objective.encoder
    assert size(encoder.units) == 26_368
    assert size(encoder.time) == size(encoder.past_time) == 33_280
    assert size(encoder.projectors) == 19_968
    assert size(encoder.reading, encoder.among) == 9_483_264
    assert size(encoder.writing, encoder.history, encoder.looking, encoder.unused) == 14_225_408
    assert size(encoder.reading[0]) == 790_272


def test_a_token_knows_nothing_of_those_behind_it(spikes) -> None:
    encoder = small()
    batch = spikes.batch(spikes.random(0, 3, 9, -0.15, 0.0), spikes.random(1, 3, 9, 0.0, 0.05))
    context = encoder.context(batch)
    tokens = encoder.read(batch)
    ids, steps = tokens.id[:, :-1], tokens.step[:, :-1]
    changed = ids.clone()
    changed[:, 15:] = (changed[:, 15:] + 1) % 9
    one, other = (encoder.decode(i, steps, batch.session_id, context) for i in (ids, changed))
    assert torch.equal(one[:, :15], other[:, :15])
    assert not torch.allclose(one[:, 15:], other[:, 15:])


def test_padding_in_the_past_changes_nothing(spikes) -> None:
    encoder = small()
    past, current = spikes.random(0, 3, 9, -0.15, 0.0), spikes.random(1, 3, 9, 0.0, 0.05)
    padded = Events(*(torch.nn.functional.pad(t, (0, 5)) for t in (past.channel, past.time, past.mask)))
    one, other = (encoder(spikes.batch(p, current)).embedding for p in (past, padded))
    assert torch.equal(one, other)
    # the positions that only padding has are looked at in the released code
    moved, asked = small(compat="paper"), {}
    for name, model in (("none", encoder), ("paper", moved)):
        before = model(spikes.batch(past, current)).embedding
        with torch.no_grad():
            model.past_position[:, -5:] += 10 * torch.randn(16)
        asked[name] = (model(spikes.batch(past, current)).embedding - before).abs().max().item()
    assert asked["none"] == 0
    assert asked["paper"] > 1e-4


def test_a_past_costs_what_it_holds_and_not_what_its_block_could(spikes) -> None:
    past = spikes.events([[(1, -0.1)], [(1, -0.1), (2, -0.05), (3, -0.01)]])
    batch = spikes.batch(past, spikes.events([[]] * 2))
    released = {"compat": "paper", "past_block": 40}
    for encoder, expected in ((small(), 5), (small(**released), 40)):  # START, three spikes, END
        assert encoder.context(batch).memories["past"][0].key.shape[2] == expected


def test_the_order_of_windows_in_a_batch_does_not_matter(spikes) -> None:
    encoder = small()
    past, current = spikes.random(0, 4, 9, -0.15, 0.0), spikes.random(1, 4, 9, 0.0, 0.05)
    order = torch.tensor([2, 0, 3, 1])
    turned = [Events(e.channel[order], e.time[order], e.mask[order]) for e in (past, current)]
    one, other = encoder(spikes.batch(past, current)), encoder(spikes.batch(*turned))
    assert torch.allclose(one.embedding[order], other.embedding, atol=1e-6)


def test_every_modality_counts_and_may_be_missing(spikes) -> None:
    parts = {
        "frames": Video((2, 3, 3), dim=16, layers=1, self_layers=1),
        "behaviour": Values(2, dim=16, layers=1),
        "other": Spikes(5, dim=16, layers=1),
    }
    encoder = small(modalities=parts)
    past, current = spikes.random(0, 3, 9, -0.15, 0.0), spikes.random(1, 3, 9, 0.0, 0.05)
    full = {"frames": spikes.stream(torch.randn(3, 6, 9, 4)), "behaviour": spikes.stream(torch.randn(3, 2, 5))}
    batch = spikes.batch(past, current, **full)
    batch = replace(batch, events=batch.events | {"other": spikes.random(2, 3, 5, -0.5, 0.0)})
    whole = encoder(batch).embedding
    for name in parts:
        fields = {"streams": batch.streams, "events": batch.events}
        without = {kind: {k: v for k, v in of.items() if k != name} for kind, of in fields.items()}
        assert (encoder(replace(batch, **without)).embedding - whole).abs().max() > 1e-4


def test_a_modality_that_the_batch_lacks_is_told_of_once(spikes, capsys) -> None:
    encoder = small(modalities={"frames": Values(3, dim=16, layers=1)})
    batch = spikes.batch(spikes.random(0, 2, 9, -0.15, 0.0), spikes.random(1, 2, 9, 0.0, 0.05))
    for _ in range(2):
        encoder(batch)
    told = [line for line in capsys.readouterr().out.splitlines() if "nothing is seen of frames" in line]
    assert told == [
        "Neuroformer: nothing is seen of frames, the batch has ['current', 'past'] (told once): a field of that name brings it"
    ]


def test_the_signal_of_a_recording_is_a_modality_like_a_stream(spikes) -> None:
    encoder = small(modalities={"signal": Values(3, dim=16, layers=1), "traces": Values(3, dim=16, layers=1)})
    encoder.projectors["traces"], encoder.looking["traces"] = encoder.projectors["signal"], encoder.looking["signal"]
    bare, traces = (
        spikes.batch(spikes.random(0, 2, 9, -0.15, 0.0), spikes.random(1, 2, 9, 0.0, 0.05)),
        torch.randn(2, 3, 6),
    )
    as_stream = replace(bare, streams={"traces": spikes.stream(traces)})
    real = {"ch_mask": torch.ones(2, 3, dtype=torch.bool), "ch_positions": torch.zeros(2, 3, 3)}
    as_signal = replace(bare, signal=traces, time_mask=torch.ones(2, 6, dtype=torch.bool), **real)
    none, one, other = (encoder(batch).embedding for batch in (bare, as_stream, as_signal))
    assert torch.equal(one, other)
    assert not torch.allclose(one, none)


def test_where_a_frame_lies_counts(spikes) -> None:
    past, current = spikes.random(0, 2, 9, -0.15, 0.0), spikes.random(1, 2, 9, 0.0, 0.05)
    frames = torch.randn(2, 6, 9, 4)
    turned = frames.flip(-1)

    def apart(positions: bool) -> float:
        part = Video((1, 3, 3), dim=16, layers=1, self_layers=1, positions=positions)
        encoder = small(modalities={"frames": part})
        one, other = (encoder(spikes.batch(past, current, frames=spikes.stream(f))).embedding for f in (frames, turned))
        return (one - other).abs().max().item()

    assert apart(positions=True) > 1e-4
    # without a place a turned film is the same bag of patches
    assert apart(positions=False) < 1e-5


def test_masked_samples_of_a_stream_are_not_seen(spikes) -> None:
    encoder = small(modalities={"behaviour": Values(2, dim=16, layers=1)})
    past, current = spikes.random(0, 2, 9, -0.15, 0.0), spikes.random(1, 2, 9, 0.0, 0.05)
    field = spikes.stream(torch.randn(2, 2, 5))
    mask = torch.tensor([[True, True, True, False, False], [False] * 5])
    one = replace(field, mask=mask)
    other = replace(one, values=torch.where(mask[:, None], field.values, 99.0))
    results = [encoder(spikes.batch(past, current, behaviour=f)).embedding for f in (one, other)]
    assert torch.isfinite(results[0]).all()
    assert torch.equal(*results)


def test_sessions_have_units_of_their_own(spikes) -> None:
    encoder = small(n_units=(9, 4))
    past, current = spikes.random(0, 2, 4, -0.15, 0.0), spikes.random(1, 2, 4, 0.0, 0.05)
    one, other = (encoder(spikes.batch(past, current, session=s)).embedding for s in (0, 1))
    assert not torch.allclose(one, other)
    with pytest.raises(ValueError, match="a unit fired in session 1"):
        encoder(spikes.batch(past, spikes.events([[(8, 0.01)], []]), session=1))


def test_a_window_without_a_spike_is_read(spikes) -> None:
    encoder = small()
    none = spikes.events([[], []])
    tokens = encoder(spikes.batch(none, none))
    assert torch.isfinite(tokens.embedding).all()
    assert tokens.mask.sum(1).tolist() == [2, 2]  # START and END


def test_a_missing_field_is_named(spikes) -> None:
    batch = spikes.batch(spikes.events([[]]), spikes.events([[]]))
    with pytest.raises(ValueError, match="name a field 'past' with `source: spikes`"):
        small()(replace(batch, events={"current": batch.events["current"]}))


def test_projectors_must_have_the_width_of_the_encoder() -> None:
    with pytest.raises(ValueError, match="'behaviour' has dim 8 and the encoder 16"):
        small(modalities={"behaviour": Values(2, dim=8)})
