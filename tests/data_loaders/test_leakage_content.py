"""The leakage guard knows equal content again: scaled, shifted, cut, under another name, as spikes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_loaders import leakage
from data_loaders.contracts import Recording, Spikes
from data_loaders.leakage import LeakageError, landmarks
from data_loaders.leakage.base import Pair
from data_loaders.leakage.content import check_content
from data_loaders.splits import Fold, LeaveOneOut, TimeBlock
from data_loaders.store import Store
from data_loaders.windows import Around, Tile
from tests.data_loaders.people import SFREQ, brain, cut, recording
from tests.leak_world import stored


def pair(fold: Fold) -> Pair:
    return Pair(("train", "test"), fold.train, fold.test)


def changes() -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray], bool]]:
    yield "equal", lambda x: x, True
    yield "cropped", lambda x: x[1234:], True
    yield "cropped at the end", lambda x: x[:3000], True
    yield "louder, with an offset", lambda x: 1e6 * x + 3.0, True
    yield "cropped, scaled and stored as integers", lambda x: np.round(300 * x[777:]), True
    yield "upside down and cropped", lambda x: -x[1001:], True
    yield "pasted behind another", lambda x: np.concatenate([brain(98, 30.0), x]), True
    yield (
        "ten seconds of it in something else",
        lambda x: np.concatenate([brain(99, 20.03), x[2000:3000], brain(97, 20.0)]),
        True,
    )
    yield "with channels left out at the end", lambda x: x[500:, :2], True
    yield "another person", lambda x: brain(1000), False
    yield "another person with the same hum", lambda x: brain(1000) + hum(len(x)), False
    yield "another person with the same bursts of calibration", lambda x: brain(1000) + bursts(len(x)), False


def hum(n_times: int) -> np.ndarray:
    return (1e4 * np.sin(2 * np.pi * 20.0 * np.arange(n_times) / SFREQ)).astype(np.float32)[:, None]


def bursts(n_times: int) -> np.ndarray:
    """A second of every frequency from 10 to 39 Hz, one every two seconds."""
    seconds = np.arange(n_times) / SFREQ
    frequency = 10.0 + seconds // 2.0
    return (1e4 * np.sin(2 * np.pi * frequency * (seconds % 2.0)) * (seconds % 2.0 < 1.0)).astype(np.float32)[:, None]


@pytest.mark.parametrize(("what", "change", "same"), list(changes()), ids=[row[0] for row in changes()])
def test_equal_content_is_known_again_under_another_name(
    what: str, change: Callable, same: bool, tmp_path: Path
) -> None:
    original = brain(1) + (hum(6000) if "hum" in what else bursts(6000) if "bursts" in what else 0)
    store = stored(tmp_path, recording(original, "a"), recording(np.asarray(change(original), np.float32), "b"))
    split = LeaveOneOut("subject", val=0.0)
    fold = split.folds(cut(store, Tile(1.0)))[0]
    if same:
        with pytest.raises(
            LeakageError,
            match=r"sub-b_run-1 \[.*\) s and test window sub-a_run-1 \[.*\) s (hold the same signal|overlap)",
        ):
            leakage.check(fold, split, store)
    else:
        assert leakage.check(fold, split, store) == []


def test_a_long_recording_is_known_again_by_its_block_and_comb(tmp_path: Path) -> None:
    long = brain(1, seconds=900.0, n_chans=2)
    store = stored(
        tmp_path, recording(long, "a"), recording(long[20_011:80_000], "b"), recording(brain(2, 900.0, 2), "c")
    )
    split = LeaveOneOut("subject", val=0.0)
    folds = split.folds(cut(store, Tile(1.0)))
    with pytest.raises(LeakageError, match="hold the same signal"):
        check_content(pair(folds[0]), store)
    check_content(pair(folds[2]), store)


def test_a_store_of_too_many_recordings_is_sampled_and_says_so(
    people: Store, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(landmarks, "_BUDGET_S", 240.0)
    split, fresh = LeaveOneOut("subject"), Store(people.path)
    assert leakage.check(split.folds(cut(fresh))[0], split, fresh) == []
    assert "leakage: 24 recordings, so 10 s of each are compared" in capsys.readouterr().out


def test_of_still_more_recordings_some_are_read_and_the_others_are_not(
    people: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(landmarks, "_BUDGET_S", 10.0)
    opened, split = Store(people.path), LeaveOneOut("subject")
    leakage.check(split.folds(cut(opened))[0], split, opened)
    assert "leakage: 24 recordings, so 5 of them are compared, 2 s of each" in capsys.readouterr().out
    assert set(landmarks._known[opened]) == set(landmarks.compared(opened).tolist())
    assert len(landmarks.compared(opened)) == 5


def test_the_windows_named_share_the_signal(tmp_path: Path) -> None:
    signal = brain(1)
    store = stored(tmp_path, recording(signal, "a"), recording(2 * signal[700:], "b"))
    split = LeaveOneOut("subject", val=0.0)
    with pytest.raises(LeakageError) as error:
        leakage.check(split.folds(cut(store, Tile(1.0)))[0], split, store)
    first, second = (float(part.split(",")[0]) for part in str(error.value).split("[")[1:3])
    assert abs(first + 7.0 - second) < 1.0


def test_a_short_trial_of_many_channels_is_known_again(tmp_path: Path) -> None:
    # 40 samples turn too seldom for a landmark, but 16 channels rise and fall together only once
    one, other = brain(1, n_chans=16), brain(2, n_chans=16)
    one[400:440] = 2.0 * other[3000:3040] + 1.0
    store = stored(tmp_path, recording(one, "a"), recording(other, "b"))
    split, windows = LeaveOneOut("subject", val=0.0), Around().cut(store, (0.0, 0.4))
    with pytest.raises(
        LeakageError, match=r"sub-b_run-1 \[30.0, 30.4\) s and test window sub-a_run-1 \[4.0, 4.4\) s hold the same"
    ):
        leakage.check(split.folds(windows)[0], split, store)


def spiking(seed: int, subject: str, shift: float = 0.0) -> Recording:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 60, 6000))
    kept = times >= shift
    spikes = Spikes(times[kept] - shift, rng.integers(0, 8, 6000)[kept])
    return replace(
        recording(None, subject, duration=60.0 - shift), spikes=spikes, ch_types=("unit",) * 8, units=("",) * 8
    )


def test_spikes_are_known_again_too(tmp_path: Path) -> None:
    store = stored(tmp_path, spiking(1, "a"), spiking(2, "b"), spiking(1, "c", shift=3.33))
    folds = LeaveOneOut("subject", val=0.0).folds(cut(store, Tile(1.0)))
    check_content(pair(folds[1]), store)
    with pytest.raises(LeakageError, match=r"sub-c_run-1 .* and test window sub-a_run-1"):
        check_content(pair(folds[0]), store)


def test_two_copies_may_share_a_time_block_but_not_two_sides(tmp_path: Path) -> None:
    # the same file twice: block k of both is tested together, so training has not seen it
    store = stored(tmp_path, recording(brain(1), "a"), recording(brain(1), "b"))
    split = TimeBlock(4, gap=1.0)
    windows = cut(store, Tile(0.5))
    assert leakage.check(split.folds(windows)[1], split, store) == []
    by_subject = LeaveOneOut("subject", val=0.0)
    with pytest.raises(LeakageError, match="overlap"):
        leakage.check(by_subject.folds(windows)[0], by_subject, store)


def test_windows_without_much_in_them_are_not_called_equal(tmp_path: Path) -> None:
    silent = np.zeros((6000, 4), np.float32)
    silent[::50] = 1.0
    noisy = [silent.copy(), silent.copy()]
    noisy[1][-1] = 2.0
    store = stored(tmp_path, *(recording(signal, name) for signal, name in zip(noisy, "ab", strict=True)))
    split = LeaveOneOut("subject", val=0.0)
    assert leakage.check(split.folds(cut(store))[0], split, store) == []
