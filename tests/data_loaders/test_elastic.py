"""A training that is cut and taken up again on other numbers of ranks and threads sees what an uninterrupted one sees."""

from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_loaders.contracts import Batch, Field, Recording
from data_loaders.gather import Gather
from data_loaders.samplers.balanced import Balanced
from data_loaders.samplers.base import Sampler
from data_loaders.samplers.blocks import Blocks
from data_loaders.samplers.bucketed import Bucketed
from data_loaders.samplers.sequential import Sequential
from data_loaders.samplers.shuffle import Shuffle
from data_loaders.samplers.weighted import Weighted
from data_loaders.store import Store
from data_loaders.stream import Stream
from data_loaders.windows import Tile
from data_loaders.writer import Writer

BATCH = 8
Made = Callable[..., Stream]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Streams over two recordings of 3 and 5 channels, 90 windows."""
    path = tmp_path_factory.mktemp("elastic")
    with Writer(path) as writer:
        for number, (seconds, n_chans) in enumerate([(3.0, 3), (6.0, 5)]):
            signal = np.random.default_rng(number).standard_normal((round(100 * seconds), n_chans))
            names = tuple(f"E{i}" for i in range(n_chans))
            writer.write(
                Recording(
                    study="T", subject=f"{number}", modality="eeg", sfreq=100.0, ch_names=names,
                    ch_types=("eeg",) * n_chans, duration=seconds, signal=signal,
                )
            )  # fmt: skip
    store = Store(path)
    windows = Tile(0.1).cut(store, (0.0, 0.1))
    labels = {
        "subject": windows.column("subject"),
        "n_chans": np.where(windows.column("subject") == "0", 3, 5),
        "n_times": np.full(len(windows), 10),
    }

    def stream(
        sampler: Sampler, rank: int = 0, world_size: int = 1, threads: int = 0, once: int = 0, batch_size: int = BATCH
    ) -> Stream:
        """An endless stream, or a pass over the first `once` windows."""
        some = windows.take(np.arange(once)) if once else windows
        bound = sampler.bind(some, batch_size, 5, labels.__getitem__)
        gather = Gather(store, some, {"signal": Field(0.0, 0.1)}, [], [], ["0", "1"], seed=5)
        return Stream(gather, bound, once=bool(once), rank=rank, world_size=world_size, threads=threads)

    return stream


def steps(made: Made, sampler: Sampler, world_size: int, threads: int, n_steps: int, state: dict) -> tuple[list, dict]:
    """The next global batches, put together from what the ranks got, and the state that a checkpoint of rank 0 keeps."""
    streams = [made(sampler, rank, world_size, threads) for rank in range(world_size)]
    for stream in streams:
        stream.load_state_dict(state)
    ranks = [[seen(batch) for batch in islice(stream, n_steps)] for stream in streams]
    assert len({stream.state_dict()["step"] for stream in streams}) == 1
    together = [[item for part in parts for item in part] for parts in zip(*ranks, strict=True)]
    return together, streams[0].state_dict()


def seen(batch: Batch) -> list[tuple[int, int, float]]:
    """Which window each row is, its seed, and something of its signal."""
    return list(zip(batch.window_id.tolist(), batch.seed.tolist(), batch.signal.sum((1, 2)).tolist(), strict=True))


SAMPLERS = st.sampled_from(
    [Shuffle(), Blocks(5, 3), Bucketed(), Balanced("subject"), Weighted("subject", {"0": 3.0}, per="value")]
)
PHASES = st.lists(
    st.tuples(st.sampled_from([1, 2, 4]), st.sampled_from([0, 2]), st.integers(1, 7)), min_size=1, max_size=5
)


@settings(max_examples=60)
@given(sampler=SAMPLERS, phases=PHASES)
def test_ranks_and_threads_may_change_in_mid_epoch(made: Made, sampler: Sampler, phases: list) -> None:
    total = sum(n_steps for *_, n_steps in phases)
    whole = [seen(batch) for batch in islice(made(sampler), total)]
    state, got = made(sampler).state_dict(), []
    for world_size, threads, n_steps in phases:
        batches, state = steps(made, sampler, world_size, threads, n_steps, state)
        got += batches
    assert [[(window, seed) for window, seed, _ in batch] for batch in got] == [
        [(window, seed) for window, seed, _ in batch] for batch in whole
    ]
    assert np.allclose([[row[2] for row in b] for b in got], [[row[2] for row in b] for b in whole], atol=1e-4)


@settings(max_examples=20)
@given(sampler=st.sampled_from([Shuffle(), Blocks(5, 3), Bucketed()]), world_size=st.sampled_from([1, 2, 4]))
def test_every_window_comes_exactly_once_an_epoch(made: Made, sampler: Sampler, world_size: int) -> None:
    n_steps = -(-2 * 90 // BATCH)
    batches, _ = steps(made, sampler, world_size, 2, n_steps, made(sampler).state_dict())
    windows = [window for batch in batches for window, _, _ in batch]
    assert len(set(windows[:90])) == len(set(windows[90:180])) == 90


@settings(max_examples=60)
@given(data=st.data(), world_size=st.integers(1, 5), threads=st.sampled_from([0, 2]))
def test_a_pass_shows_every_window_to_one_rank_in_as_many_steps_for_all(
    made: Made, data: st.DataObject, world_size: int, threads: int
) -> None:
    n_windows = data.draw(st.integers(world_size, 30))
    size = data.draw(st.integers(world_size, 12))

    def rank(number: int, n_ranks: int) -> list[list[tuple[int, int, float]]]:
        return [seen(batch) for batch in made(Sequential(), number, n_ranks, threads, once=n_windows, batch_size=size)]

    ranks = [rank(number, world_size) for number in range(world_size)]
    together = [row for parts in zip(*ranks, strict=True) for part in parts for row in part]
    assert together == [row for batch in rank(0, 1) for row in batch]
    sizes = [len(part) for parts in ranks for part in parts]
    assert min(sizes) >= 1
    assert max(sizes) <= -(-size // world_size) + 1


def test_a_stream_of_threads_that_is_left_early_leaves_no_thread_behind(made: Made) -> None:
    import threading

    before = threading.active_count()
    iterator = iter(made(Shuffle(), threads=2))
    next(iterator)
    iterator.close()
    assert threading.active_count() == before
