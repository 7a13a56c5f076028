"""The stream: what a batch holds, and that threads, ranks and resuming change nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from data_loaders.contracts import Batch, Field, Recording, Spikes, Stream
from data_loaders.gather import Gather
from data_loaders.samplers.sequential import Sequential
from data_loaders.samplers.shuffle import Shuffle
from data_loaders.store import Store
from data_loaders.stream import Stream as BatchStream
from data_loaders.windows import Around, Rule, Tile, Whole
from data_loaders.writer import Writer


def eeg(subject: str, names: tuple[str, ...], **changes: object) -> Recording:
    rng = np.random.default_rng(int(subject))
    made = Recording(
        study="T", subject=subject, modality="eeg", sfreq=100.0, ch_names=names, ch_types=("eeg",) * len(names), units=("V",) * len(names),
        duration=10.0, signal=rng.standard_normal((1000, len(names))), ch_positions=np.full((len(names), 3), 0.1),
        streams={"gaze": Stream(np.arange(100.0), 10.0)}, events=pd.DataFrame({"onset": np.arange(1.0, 9.0)}),
    )  # fmt: skip
    return replace(made, **changes)


def store_of(path: Path, *recordings: Recording) -> Store:
    with Writer(path) as writer:
        for one in recordings:
            writer.write(one)
    return Store(path)


def stream_of(
    store: Store, rule: Rule, fields: dict[str, Field], batch_size: int = 4, once: bool = True, **options: int
) -> BatchStream:
    reach = min(f.start for f in fields.values()), max(f.stop for f in fields.values())
    windows = rule.cut(store, reach)
    subjects = sorted(store.catalog["subject"].unique())
    sampler = (Sequential() if once else Shuffle()).bind(windows, batch_size, 0, lambda name: np.zeros(len(windows)))
    return BatchStream(Gather(store, windows, fields, [], [], subjects), sampler, once=once, **options)


def same(one: Batch, two: Batch) -> bool:
    return (
        torch.equal(one.window_id, two.window_id)
        and torch.equal(one.signal, two.signal)
        and torch.equal(one.seed, two.seed)
    )


def test_a_batch_holds_the_window_that_its_id_names(tmp_path: Path) -> None:
    made = eeg("01", ("Cz", "Pz"))
    stream = stream_of(
        store_of(tmp_path, made), Around(), {"signal": Field(-0.2, 0.3), "eyes": Field(0.0, 0.5, "gaze")}
    )
    batch = next(iter(stream))
    assert torch.allclose(batch.signal[2].T, torch.tensor(made.signal[280:330], dtype=torch.float32))
    assert batch.streams["eyes"].values[2].tolist() == [30.0, 31.0, 32.0, 33.0, 34.0]
    assert batch.streams["eyes"].sfreq.tolist() == [10.0] * 4


def test_recordings_with_other_channels_are_padded_and_masked(tmp_path: Path) -> None:
    store = store_of(tmp_path, eeg("01", ("Cz",)), eeg("02", ("Cz", "Pz", "Oz"), bads=("Pz",)))
    batch = next(iter(stream_of(store, Around(), {"signal": Field(0.0, 0.5)}, batch_size=16)))
    assert batch.ch_mask[0].tolist() == [True, False, False]
    assert batch.ch_mask[-1].tolist() == [True, False, True]
    assert batch.signal[~batch.ch_mask].abs().max() == 0
    assert torch.isnan(batch.ch_positions[0, 1:]).all()
    assert batch.subject_id.tolist() == [0] * 8 + [1] * 8


def test_rates_may_differ_within_a_batch(tmp_path: Path) -> None:
    slow = eeg("02", ("Cz",), sfreq=50.0, signal=np.ones((500, 1)))
    batch = next(
        iter(
            stream_of(
                store_of(tmp_path, eeg("01", ("Cz",)), slow), Around(), {"signal": Field(0.0, 0.5)}, batch_size=16
            )
        )
    )
    assert batch.sfreq.tolist() == [100.0] * 8 + [50.0] * 8
    assert batch.time_mask.sum(1).tolist() == [50] * 8 + [25] * 8
    assert batch.signal[-1, 0, 25:].abs().max() == 0


def test_spikes_are_counted_in_half_open_bins_and_listed_as_events(tmp_path: Path) -> None:
    spikes = Spikes(np.array([0.95, 1.0, 1.04, 1.1, 1.19, 1.2]), np.array([0, 1, 1, 0, 1, 0]))
    one = eeg("01", ("u1", "u2"), signal=None, spikes=spikes, sfreq=1000.0)
    fields = {
        "signal": Field(0.0, 0.2, "spikes", 10.0),
        "past": Field(-0.1, 0.0, "spikes"),
        "now": Field(0.0, 0.2, "spikes"),
    }
    batch = next(iter(stream_of(store_of(tmp_path, one), Around(), fields, batch_size=1)))
    assert batch.signal[0].tolist() == [[0.0, 1.0], [2.0, 1.0]]
    assert batch.events["past"].time[0].tolist() == pytest.approx([-0.05])
    assert batch.events["now"].channel[0].tolist() == [1, 1, 0, 1]


def test_whole_segments_come_in_full_length(tmp_path: Path) -> None:
    one = eeg("01", ("Cz",), segments=np.array([[0.0, 3.0], [5.0, 6.0]]))
    batch = next(iter(stream_of(store_of(tmp_path, one), Whole(), {"signal": Field(0.0, float("inf"))})))
    assert batch.time_mask.sum(1).tolist() == [300, 100]
    assert torch.allclose(batch.signal[1, :, :100].T, torch.tensor(one.signal[500:600], dtype=torch.float32))


def test_threads_and_depth_do_not_change_a_batch(tmp_path: Path) -> None:
    store, fields = store_of(tmp_path, eeg("01", ("Cz",))), {"signal": Field(0.0, 0.5)}
    one = list(stream_of(store, Tile(0.1), fields, threads=1, depth=1))
    many = list(stream_of(store, Tile(0.1), fields, threads=4, depth=8))
    assert len(one) == len(many) == 24
    assert all(same(a, b) for a, b in zip(one, many, strict=True))


def test_a_batch_in_use_is_never_overwritten(tmp_path: Path) -> None:
    stream = stream_of(store_of(tmp_path, eeg("01", ("Cz",))), Tile(0.1), {"signal": Field(0.0, 0.5)}, depth=2)
    kept = list(stream)
    assert all(same(batch, stream.batch(step)) for step, batch in enumerate(kept))


def test_a_resumed_stream_repeats_nothing_and_loses_nothing(tmp_path: Path) -> None:
    store, fields = store_of(tmp_path, eeg("01", ("Cz",))), {"signal": Field(0.0, 0.5)}
    whole = stream_of(store, Tile(0.1), fields, once=False)
    expected = [batch.window_id for batch, _ in zip(whole, range(60), strict=False)]
    first, second = (
        stream_of(store, Tile(0.1), fields, once=False),
        stream_of(store, Tile(0.1), fields, once=False, threads=3),
    )
    seen = [batch.window_id for batch, _ in zip(first, range(17), strict=False)]
    # zip takes an eighteenth batch before it stops: the state counts what was handed out
    assert first.state_dict()["step"] == 18
    second.load_state_dict({**first.state_dict(), "step": 17})
    seen += [batch.window_id for batch, _ in zip(second, range(43), strict=False)]
    assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))


def test_a_pass_that_was_left_begins_anew_and_one_that_was_saved_goes_on(tmp_path: Path) -> None:
    stream = stream_of(store_of(tmp_path, eeg("01", ("Cz",))), Tile(0.1), {"signal": Field(0.0, 0.5)})
    whole = [batch.window_id.tolist() for batch in stream]
    for n in (2, len(stream)):
        # the iterator is still there, as Lightning's is, when the next pass begins
        left = iter(stream)
        assert [next(left).window_id.tolist() for _ in range(n)] == whole[:n]
        assert [batch.window_id.tolist() for batch in stream] == whole
    stream.load_state_dict({**stream.state_dict(), "step": 2})
    assert [batch.window_id.tolist() for batch in stream] == whole[2:]
    assert [batch.window_id.tolist() for batch in stream] == whole


def test_ranks_share_one_global_order(tmp_path: Path) -> None:
    store, fields = store_of(tmp_path, eeg("01", ("Cz",))), {"signal": Field(0.0, 0.5)}
    alone = stream_of(store, Tile(0.1), fields, once=False).batch(3)
    ranks = [stream_of(store, Tile(0.1), fields, once=False, rank=rank, world_size=2).batch(3) for rank in (0, 1)]
    assert torch.equal(torch.cat([batch.window_id for batch in ranks]), alone.window_id)
    assert torch.equal(torch.cat([batch.seed for batch in ranks]), alone.seed)


def test_a_batch_that_does_not_divide_by_the_ranks_names_one_that_does(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="make it 6"):
        stream_of(
            store_of(tmp_path, eeg("01", ("Cz",))), Tile(0.1), {"signal": Field(0.0, 0.5)}, once=False, world_size=3
        )


def test_a_part_with_fewer_windows_than_ranks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a part of 8 windows.* train on at most 8 devices"):
        stream_of(store_of(tmp_path, eeg("01", ("Cz",))), Around(), {"signal": Field(0.0, 0.5)}, 16, world_size=9)


def test_another_seed_cannot_be_resumed(tmp_path: Path) -> None:
    stream = stream_of(store_of(tmp_path, eeg("01", ("Cz",))), Tile(0.1), {"signal": Field(0.0, 0.5)}, once=False)
    with pytest.raises(ValueError, match="seed 5"):
        stream.load_state_dict({"step": 1, "batch_size": 4, "seed": 5})


def test_an_unknown_stream_is_named(tmp_path: Path) -> None:
    stream = stream_of(store_of(tmp_path, eeg("01", ("Cz",))), Tile(0.1), {"eyes": Field(0.0, 0.5, "pupil")})
    with pytest.raises(ValueError, match=r"sub-01 has no stream 'pupil'; it has \['gaze'\]"):
        next(iter(stream))


class Far:
    """A gather whose bytes come from far away: notes what it was told and asked for, in this order."""

    looks_ahead = True

    def __init__(self, near: Gather) -> None:
        self.near, self.log = near, []

    def announce(self, positions: np.ndarray) -> None:
        self.log.extend(("announced", int(position)) for position in positions[0])

    def __call__(self, positions: np.ndarray, place: np.ndarray) -> Batch:
        self.log.append(("gathered", int(positions[0, 0])))
        return self.near(positions, place)


def test_what_lies_far_away_is_announced_once_and_long_before_it_is_gathered(tmp_path: Path) -> None:
    store = store_of(tmp_path, eeg("01", ("A",)))
    stream = stream_of(store, Tile(0.25), {"signal": Field(0.0, 0.25)}, 1, threads=1)
    far = Far(stream.gather)
    stream.gather = far
    assert len(list(stream)) == len(stream)
    announced, gathered = ([at for what, at in far.log if what == kind] for kind in ("announced", "gathered"))
    assert announced == gathered == list(range(len(stream)))
    for step in range(len(stream) - 16):
        assert far.log.index(("announced", step + 16)) < far.log.index(("gathered", step))
