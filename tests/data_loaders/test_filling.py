"""Batches are filled by several threads: the same bytes whoever fills, and an error that reaches the one who asked."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loaders import filling, hands
from data_loaders.contracts import Field, Recording
from data_loaders.extents import Place, Stretch, Stretches
from data_loaders.gather import Gather
from data_loaders.store import Store
from data_loaders.windows import Tile
from data_loaders.writer import Writer


def recording(
    subject: str, n_chans: int, n_times: int, integers: bool, bads: tuple[str, ...] = (), step: float = 1e-7
) -> Recording:
    names = tuple(f"E{i}" for i in range(n_chans))
    steps = np.random.default_rng(int(subject)).integers(-3000, 3000, (n_times, n_chans))
    scale = {"gain": np.full(n_chans, step), "offset": np.arange(n_chans) * step} if integers else {}
    signal = (steps * step + (scale["offset"] if integers else 0)).astype(np.float32)
    about = {"ch_names": names, "ch_types": ("eeg",) * n_chans, "bads": bads, "duration": n_times / 100.0}
    return Recording(study="S", subject=subject, modality="eeg", sfreq=100.0, signal=signal, **about, **scale)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """As they lie on disk: read as they are, with a bad channel, with a channel less, and three of integers."""
    with Writer(tmp_path / "store") as writer:
        writer.write(recording("0", 3, 500, False))
        writer.write(recording("1", 3, 500, False, bads=("E1",)))
        writer.write(recording("2", 2, 500, False))
        writer.write(recording("3", 3, 500, True))
        writer.write(recording("4", 2, 500, True, bads=("E0",)))
        writer.write(recording("5", 3, 500, True, step=1e-6))
    return Store(tmp_path / "store")


def batch(store: Store) -> np.ndarray:
    windows = Tile(0.1).cut(store, (0.0, 1.0))
    positions = np.random.default_rng(0).permutation(len(windows))
    found = Gather(store, windows, {"signal": Field(0.0, 1.0)}, [], [], list("012345"))(positions[None])
    assert found.signal is not None
    return found.signal.numpy()


def one_by_one(store: Store) -> np.ndarray:
    """What a batch must hold, from `Store.signal` alone."""
    windows = Tile(0.1).cut(store, (0.0, 1.0))
    run, anchor = windows.locate(np.random.default_rng(0).permutation(len(windows)))
    wanted = np.zeros((len(run), 3, 100), np.float32)
    for row, (number, at) in enumerate(zip(windows.recording[run].tolist(), anchor.tolist(), strict=True)):
        entry, signal = store.entry(number), store.signal(number, at, at + 100)
        signal[:, [entry.ch_names.index(name) for name in entry.bads]] = 0.0
        wanted[row, : signal.shape[1]] = signal.T
    return wanted


@pytest.mark.parametrize(("at_once", "files", "helpers"), [(1, 1, 2), (900, 7, 0), (5000, 128, 3), (1 << 21, 128, 1)])
def test_a_batch_is_the_same_however_it_is_cut_and_shared(
    store: Store, monkeypatch: pytest.MonkeyPatch, at_once: int, files: int, helpers: int
) -> None:
    monkeypatch.setattr(filling, "_AT_ONCE", at_once)
    monkeypatch.setattr(filling, "_FILES", files)
    monkeypatch.setattr(hands, "spare", lambda: helpers)
    np.testing.assert_array_equal(batch(store), one_by_one(store))


def test_no_more_files_are_opened_together_than_allowed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, pieces = [], store.content.pieces
    monkeypatch.setattr(filling, "_FILES", 2)
    monkeypatch.setattr(store.content, "pieces", lambda asked: opened.append(len(asked.places)) or pieces(asked))
    np.testing.assert_array_equal(batch(store), one_by_one(store))
    assert max(opened) == 2


@given(data=st.data())
def test_windows_of_several_places_come_each_to_its_own(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "places"
    if not folder.exists():
        with Writer(folder) as writer:
            for subject in "012":
                writer.write(recording(subject, 3, 100, False))
    store = Store(folder)
    rows = data.draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 99), st.integers(0, 20)), min_size=1, max_size=9)
    )
    of, start, stop = np.array([(of, at, min(100, at + n)) for of, at, n in rows]).T
    memory = [np.zeros(12 * n, np.uint8) for n in (stop - start).tolist()]
    known = [Place(entry.file, entry.size, entry.extents["signal"]) for entry in map(store.entry, range(3))]
    store.content.pieces(Stretches(known, of, start, stop)).read(0, memory)
    for one, low, high, found in zip(of.tolist(), start.tolist(), stop.tolist(), memory, strict=True):
        np.testing.assert_array_equal(found.view("<f4").reshape(-1, 3), store.signal(one, low, high))


def test_a_long_stretch_is_read_part_by_part(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, asked, pieces = store.signal(0, 0, 500), [], store.content.pieces
    monkeypatch.setattr("data_loaders.extents.TOGETHER", 12 * 7)
    monkeypatch.setattr(store.content, "pieces", lambda few: asked.append(few.stop - few.start) or pieces(few))
    np.testing.assert_array_equal(store.signal(0, 0, 500), whole)
    assert [int(n[0]) for n in asked] == [7] * 71 + [3]


def test_a_file_that_was_cut_short_after_it_was_opened_is_named(store: Store) -> None:
    entry = store.entry(0)
    stretch = Stretch(entry.file, entry.size, entry.extents["signal"], 0, 500)
    store.content.read(stretch, np.empty((500, 3), np.float32))
    path = Path(store.path) / entry.file
    with path.open("r+b") as file:
        file.truncate(4000)
    with pytest.raises(ValueError, match=rf"{path.name} ends before byte [\d,]+: run `brainfm prepare` again"):
        store.content.read(stretch, np.empty((500, 3), np.float32))


def test_each_item_is_worked_on_once_by_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "spare", lambda: 3)
    met, done, threads = threading.Barrier(4), [], set()

    def work(item: int) -> None:
        if item < 4:
            met.wait(10)  # passes only where four threads are at work together
        threads.add(threading.get_ident())
        done.append(item)

    hands.each(work, range(100))
    assert sorted(done) == list(range(100))
    assert len(threads) == 4


def test_an_error_ends_the_work_and_reaches_the_caller_when_all_have_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "spare", lambda: 2)
    running: set[int] = set()

    def work(item: int) -> None:
        running.add(item)
        if item == 5:
            running.discard(item)
            raise ValueError("the fifth")
        threading.Event().wait(0.01)
        running.discard(item)

    with pytest.raises(ValueError, match="the fifth"):
        hands.each(work, range(1000))
    assert not running


def test_what_was_worked_on_is_given_back_though_no_helper_came(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, busy = ThreadPoolExecutor(1), threading.Event()
    monkeypatch.setattr(hands, "spare", lambda: 1)
    monkeypatch.setattr(hands, "_pool", lambda process: pool)
    pool.submit(busy.wait)
    block = np.zeros(10)
    before = sys.getrefcount(block)
    hands.each(partial(np.copyto, block), range(3))
    after = sys.getrefcount(block)
    busy.set()
    pool.shutdown()
    assert after == before  # or its memory would not be lent again
