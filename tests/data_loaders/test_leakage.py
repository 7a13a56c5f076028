"""The leakage guard: silent on clean folds, sharp on content, and quick on stores of millions of windows."""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_loaders import leakage
from data_loaders.contracts import Recording, Spikes
from data_loaders.leakage import LeakageError, content
from data_loaders.leakage.base import Pair
from data_loaders.leakage.content import check_content
from data_loaders.splits import By, Fold, KFold, LeaveOneOut, Split, TimeBlock
from data_loaders.store import Store
from data_loaders.transforms import BandPass, Example, RobustScale, SignalInfo
from data_loaders.windows import Around, Rule, Tile, Windows
from data_loaders.writer import Writer

SFREQ = 100.0


def brain(seed: int, seconds: float = 60.0, n_chans: int = 4) -> np.ndarray:
    """Pink-ish noise [time, channel]."""
    noise = np.random.default_rng(seed).standard_normal((round(seconds * SFREQ), n_chans))
    return (noise + 0.1 * np.cumsum(noise, axis=0)).astype(np.float32)


def recording(signal: np.ndarray | None, subject: str, run: str = "1", every: float = 2.0, **more) -> Recording:
    duration = more.pop("duration", None) or len(signal) / SFREQ
    onsets = np.arange(0.0, duration - 1.0, every)
    n = len(onsets)
    about = {
        "onset": onsets,
        "duration": 1.0,
        "trial_type": [str(k % 2) for k in range(n)],
        "stimulus": [f"s{k % 7}" for k in range(n)],
    }
    n_chans = 8 if signal is None else signal.shape[1]
    names = tuple(f"c{i}" for i in range(n_chans))
    return Recording(
        study="made", subject=subject, run=run, modality="eeg", sfreq=SFREQ, ch_names=names, ch_types=("eeg",) * n_chans,
        units=("V",) * n_chans, duration=duration, signal=signal, events=pd.DataFrame(about), **more,
    )  # fmt: skip


def stored(folder: Path, *recordings: Recording) -> Store:
    with Writer(folder) as writer:
        for one in recordings:
            writer.write(one)
    return Store(folder)


def cut(store: Store, rule: Rule | None = None) -> Windows:
    return (rule or Around()).cut(store, (0.0, 1.0))


def labels(windows: Windows, index: np.ndarray) -> np.ndarray:
    if "trial_type" in windows.metadata.columns:
        return windows.column("trial_type", index).astype(int)
    return windows.column("subject", index).astype(int) % 2


def examples(store: Store) -> Callable[[Windows, np.ndarray], list[Example]]:
    def read(windows: Windows, index: np.ndarray) -> list[Example]:
        run, anchor = windows.locate(index)
        pairs = [(int(windows.recording[r]), int(at)) for r, at in zip(run, anchor, strict=True)]
        entries = [store.entry(r) for r, _ in pairs]
        infos = [
            SignalInfo(SFREQ, e.ch_names, e.ch_types, e.ch_positions, e.bads, r)
            for e, (r, _) in zip(entries, pairs, strict=True)
        ]
        signals = [store.signal(r, at, at + 100).T for r, at in pairs]
        truth, ids = labels(windows, index), windows.ids(index)
        return [Example(*one) for one in zip(infos, signals, truth, (int(i) for i in ids), strict=True)]

    return read


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Twelve people, two runs each."""
    made = [recording(brain(10 * i + run), f"{i:02d}", str(run)) for i in range(12) for run in (1, 2)]
    return stored(tmp_path_factory.mktemp("people"), *made)


def pair(fold: Fold) -> Pair:
    return Pair(("train", "test"), fold.train, fold.test)


def nothing(windows: Windows) -> Windows:
    return windows.runs(np.zeros(len(windows.first), bool))


CLEAN = [
    (By("subject", n_folds=4), Around()), (By("subject", n_folds=4), Tile(0.5)), (By("run", n_folds=2, val=0.0), Tile(1.0)),
    (LeaveOneOut("subject"), Around()), (KFold(5), Around()), (KFold(3, within=None), Around("0|1")), (By("stimulus"), Around()),
    (TimeBlock(5, gap=1.0), Tile(0.5)), (TimeBlock(4, gap=2.0, within="subject"), Around()), (By("stimulus", within="subject"), Around()),
]  # fmt: skip


@pytest.mark.parametrize(("split", "rule"), CLEAN, ids=lambda x: f"{type(x).__name__}{getattr(x, 'key', '') or ''}")
def test_no_clean_split_raises_an_alarm(people: Store, split: Split, rule: Rule, capsys) -> None:
    windows = cut(people, rule)
    read = examples(people)
    folds = split.folds(windows, labels(windows, np.arange(len(windows))))
    for fold in folds[:: max(1, len(folds) // 4)]:
        chain = [BandPass(8.0, 30.0), RobustScale().fit(read(fold.train, np.arange(0, len(fold.train), 7)))]
        assert leakage.check(fold, split, people, chain, labels, read) == []
    assert "leakage" not in capsys.readouterr().out


def test_guarding_a_fold_twice_reads_the_signal_once(people: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    split = By("subject", n_folds=4)
    fold = split.folds(cut(people))[0]
    leakage.check(fold, split, people)
    monkeypatch.setattr(people, "signal", lambda *place: pytest.fail("read again"))
    leakage.check(fold, split, people)


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
    monkeypatch.setattr(content, "_BUDGET_S", 240.0)
    split, fresh = LeaveOneOut("subject"), Store(people.path)
    assert leakage.check(split.folds(cut(fresh))[0], split, fresh) == []
    assert "leakage: 24 recordings, so 10 s of each are compared" in capsys.readouterr().out


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


def test_validation_is_guarded_like_test(people: Store) -> None:
    windows, split = cut(people, Tile(0.5)), By("subject", n_folds=4)
    fold = split.folds(windows)[0]
    with pytest.raises(LeakageError, match=r"val window .* and test window .* overlap"):
        leakage.check(replace(fold, val=fold.test), split, people)
    with pytest.raises(LeakageError, match=r"train window .* and val window .* overlap"):
        leakage.check(replace(fold, val=fold.train), split, people)


def test_statistics_of_validation_windows_are_refused(people: Store) -> None:
    split, read = By("subject", n_folds=4), examples(people)
    fold = split.folds(cut(people))[0]
    scale = RobustScale().fit(read(fold.val, np.arange(3)))
    with pytest.raises(LeakageError, match=r"RobustScale was fitted on .* overlaps val window"):
        leakage.check(fold, split, people, [scale])
    assert leakage.check(fold, split, people, [scale.fit(read(fold.train, np.arange(3)))]) == []


def test_a_shared_key_is_refused_by_name(people: Store) -> None:
    windows = cut(people)
    runs = windows.column("run")
    fold = Fold(
        "hand", windows.take(np.flatnonzero(runs == "1")), nothing(windows), windows.take(np.flatnonzero(runs == "2"))
    )
    assert leakage.check(fold, By("run", n_folds=2), people) == []
    with pytest.raises(
        LeakageError,
        match=r"sub-00_run-1 \[0.0, 1.0\) s and test window sub-00_run-2 \[0.0, 1.0\) s share the subject '00' \(12",
    ):
        leakage.check(fold, By("subject"), people)


def test_less_than_the_declared_gap_is_refused(people: Store) -> None:
    split = TimeBlock(4, gap=1.0)
    fold = split.folds(cut(people, Tile(0.5)))[1]
    assert leakage.check(fold, split, people) == []
    with pytest.raises(LeakageError, match=r"less than the split's gap of 1.5 s apart"):
        leakage.check(fold, TimeBlock(4, gap=1.5), people)


def test_a_filter_is_flagged_only_where_it_reaches_across(people: Store, capsys) -> None:
    split = TimeBlock(4, gap=1.0)
    fold = split.folds(cut(people, Tile(0.5)))[1]
    assert leakage.check(fold, split, people, [BandPass(8.0, 30.0)]) == []
    assert leakage.check(fold, split, people, [BandPass(0.3, 3.0, causal=True)]) == []
    assert leakage.check(fold, split, people, [BandPass(0.3, 3.0, continuous=False)]) == []
    flags = leakage.check(fold, split, people, [BandPass(0.3, 3.0)])
    assert [flag.kind for flag in flags] == ["filter"]
    assert f"leakage: {flags[0].message}" in capsys.readouterr().out
    by_subject = By("subject", n_folds=3)
    assert leakage.check(by_subject.folds(cut(people))[0], by_subject, people, [BandPass(0.3, 3.0)]) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda y, noise: y, "refused"),
        (lambda y, noise: -1e-6 * y, "refused"),
        (lambda y, noise: y + 1e-3 * noise, "channel"),
        (lambda y, noise: y + 30.0 * noise, None),
        (lambda y, noise: 0 * y, None),
    ],
)
def test_a_channel_that_tells_the_label_is_found_and_no_other(change, kind: str | None, tmp_path: Path) -> None:
    signal = brain(5, 120.0)
    y = np.repeat(np.arange(60) % 2, 200)
    signal[:, 2] = change(y, np.random.default_rng(0).standard_normal(len(y)))
    store, split = stored(tmp_path, recording(signal, "a")), KFold(4, val=0.0)
    fold = split.folds(cut(store))[0]
    if kind == "refused":
        with pytest.raises(LeakageError, match=r"channel 'c2' has 2 distinct values.*Pick\(exclude: \['c2'\]\)"):
            leakage.check(fold, split, store, [], labels, examples(store))
    else:
        assert [flag.kind for flag in leakage.check(fold, split, store, [], labels, examples(store))] == (
            [kind] if kind else []
        )


def test_a_monitor_of_the_test_part_is_refused() -> None:
    for monitor in ("test/loss", "test_accuracy", "test"):
        with pytest.raises(LeakageError, match="monitor 'val/"):
            leakage.check_monitor(monitor)
    for monitor in ("val/loss", "train/loss", "val/test_like", "latest"):
        leakage.check_monitor(monitor)


def test_what_a_checkpoint_was_trained_on_is_held_against_the_test_part(people: Store) -> None:
    split = By("subject", n_folds=4)
    one, other = split.folds(cut(people))[:2]
    assert leakage.check_pretrained(leakage.trained_on(one.train, people), one, split, people) == []
    with pytest.raises(LeakageError, match="trained on the recording of test window"):
        leakage.check_pretrained(leakage.trained_on(one.train, people), other, split, people)
    subjects_only = {"subjects": leakage.trained_on(one.train, people)["subjects"], "sha256": []}
    with pytest.raises(LeakageError, match="trained on subject made/"):
        leakage.check_pretrained(subjects_only, other, split, people)
    flags = leakage.check_pretrained(subjects_only, other, By("run", n_folds=2), people)
    assert {flag.kind for flag in flags} == {"pretraining"}


def test_a_checkpoint_may_know_other_stretches_of_a_test_recording_behind_the_gap(people: Store) -> None:
    split = TimeBlock(n_folds=3, gap=1.0)
    one, other = split.folds(cut(people, Tile(1.0)))[:2]
    seen = leakage.trained_on(one.train, people)
    assert {flag.kind for flag in leakage.check_pretrained(seen, one, split, people)} == {"pretraining"}
    with pytest.raises(LeakageError, match="trained on the recording of test window"):
        leakage.check_pretrained(seen, other, split, people)
    # nothing is known of where it was trained, or there is no gap to keep
    with pytest.raises(LeakageError, match="trained on the recording"):
        leakage.check_pretrained(seen | {"stretches": {}}, one, split, people)
    with pytest.raises(LeakageError, match="trained on the recording"):
        leakage.check_pretrained(seen, one, replace_gap(split, 30.0), people)


def replace_gap(split: TimeBlock, gap: float) -> TimeBlock:
    wider = copy.copy(split)
    wider.gap = gap
    return wider


def test_what_a_checkpoint_began_from_is_remembered_too(people: Store) -> None:
    split = TimeBlock(n_folds=3, gap=1.0)
    one, other = split.folds(cut(people, Tile(1.0)))[:2]
    seen, before = (leakage.trained_on(fold.test, people) for fold in (one, other))
    both = leakage.also_trained_on(seen, before)
    with pytest.raises(LeakageError):
        leakage.check_pretrained(both, other, split, people)
    with pytest.raises(LeakageError):
        leakage.check_pretrained(
            leakage.also_trained_on(seen, before | {"stretches": {}}),
            split.folds(cut(people, Tile(1.0)))[2],
            split,
            people,
        )


def test_a_table_of_a_hundred_million_windows_is_guarded_within_seconds(people: Store) -> None:
    windows = cut(people, Tile(1.0))
    # the same twelve people, tiled so densely that their windows could not be counted out
    dense = replace(windows, stride=np.ones_like(windows.stride), count=(windows.count - 1) * 100 + 1)
    many = replace(dense, **{k: np.tile(getattr(dense, k), 2000) for k in ("recording", "first", "stride", "count")},
                   metadata=pd.concat([dense.metadata] * 2000, ignore_index=True))  # fmt: skip
    assert len(many) > 1e8
    split = By("subject", n_folds=4)
    fold = split.folds(many)[0]
    start = time.perf_counter()
    assert leakage.check(fold, split, people) == []
    assert time.perf_counter() - start < 20
