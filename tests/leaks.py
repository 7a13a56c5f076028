"""Twelve leaks, planted: what the guard says of each, and the score that it would have made up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from data_loaders import leakage
from data_loaders.leakage import LeakageError
from data_loaders.splits import By, Fold, KFold, LeaveOneOut, TimeBlock
from data_loaders.store import Store
from data_loaders.transforms import BandPass, Example, RobustScale, SelectChannels, SignalInfo
from data_loaders.windows import Tile, Windows
from tests.leak_world import (
    SFREQ,
    cut,
    drift,
    guard,
    handmade,
    labels,
    means,
    nearest,
    person,
    recording,
    score,
    seen,
    spectra,
    stored,
)


@dataclass
class Found:
    """One leak: what the guard said, and the accuracy with and without it."""

    leak: str
    verdict: str
    with_leak: float
    honest: float

    @property
    def row(self) -> str:
        how, _, what = self.verdict.partition(": ")
        return f"{self.leak:<34} {how:<8} {self.with_leak:9.2f} {self.honest:7.2f} {self.with_leak - self.honest:+10.2f}   {what[:110]}"


def scaling_on_all_data(folder: Path) -> Found:
    """The second session is noisier in one channel; statistics of both hide that from training."""
    rng = np.random.default_rng(0)
    onsets, both = np.arange(80) * 2.0, []
    for run, spread in (("1", 1.0), ("2", 8.0)):
        y = rng.integers(0, 2, 80)
        signal = 0.1 * rng.standard_normal((16_000, 2))
        for onset, label in zip(onsets, y, strict=True):
            at = slice(round(onset * SFREQ), round((onset + 1) * SFREQ))
            signal[at] += [1.2 * label + 0.5 * rng.standard_normal(), spread * rng.standard_normal()]
        both.append(recording(signal, onsets, y, run=run))
    store = stored(folder, *both)
    split = LeaveOneOut("run", val=0.0)
    fold = split.folds(cut(store))[1]
    train, test = seen(store, fold.train), seen(store, fold.test)
    scores = []
    for source in (train + test, train):
        scale = RobustScale().fit(source)
        parts = [means([Example(w.info, scale.step(w.signal, w.info)[0]) for w in part]) for part in (train, test)]
        scores.append(nearest(parts[0], labels(fold.train), parts[1], labels(fold.test), 5))
        assert source is not train or guard(fold, split, store, [scale]) == "silent: "
    return Found("scaling on all data", guard(fold, split, store, [RobustScale().fit(train + test)]), *scores)


def channel_selection_on_all_data(folder: Path) -> Found:
    """Noise in 120 channels: the ten best of them tell the labels of the windows that chose them."""
    rng = np.random.default_rng(1)
    store = stored(
        folder, recording(rng.standard_normal((16_000, 120)), np.arange(80) * 2.0, rng.permutation(np.arange(80) % 2))
    )
    split = KFold(4, val=0.0)
    found = {True: [], False: []}
    for fold in split.folds(cut(store), labels(cut(store))):
        train, test = seen(store, fold.train), seen(store, fold.test)
        for leaky in (True, False):
            chosen = SelectChannels(10).fit(train + test if leaky else train)
            parts = [means([Example(w.info, chosen.step(w.signal, w.info)[0]) for w in part]) for part in (train, test)]
            model = LogisticRegression(C=1e4).fit(parts[0], labels(fold.train))
            found[leaky].append(model.score(parts[1], labels(fold.test)))
    verdict = guard(fold, split, store, [SelectChannels(10).fit(train + test)])
    return Found("channel selection on all data", verdict, float(np.mean(found[True])), float(np.mean(found[False])))


def subject_under_another_name(folder: Path) -> Found:
    """Ten people with a random diagnosis, five of them twice: the second time cropped, louder, and with another name."""
    rng = np.random.default_rng(2)
    people = [person(rng) for _ in range(10)]
    sick = rng.permutation(np.arange(10) % 2)
    onsets = np.arange(0.0, 40.0, 2.0)
    first = [recording(s, onsets, [d] * 20, subject=f"a{i}") for i, (s, d) in enumerate(zip(people, sick, strict=True))]
    again = [recording(3.0 * people[i][737:6000], onsets, [sick[i]] * 20, subject=f"b{i}") for i in range(5)]
    with_copies, without = stored(folder / "with", *first, *again), stored(folder / "without", *first)
    split = LeaveOneOut("subject", val=0.0)
    copied = split.folds(cut(with_copies))[:5]
    honest = split.folds(cut(without))[:5]
    scores = [
        np.mean([score(s, f, spectra, 5) for f in folds]) for s, folds in ((with_copies, copied), (without, honest))
    ]
    return Found("a subject under another name", guard(copied[0], split, with_copies, truth=None), *map(float, scores))


def repeated_stimulus(folder: Path) -> Found:
    """Twenty pictures of two random kinds, shown ten times each: a picture is known again, its kind is not."""
    rng = np.random.default_rng(3)
    answer, kind = rng.standard_normal((20, 6)), rng.permutation(np.arange(20) % 2)
    shown = rng.permutation(np.repeat(np.arange(20), 10))
    signal = 0.5 * rng.standard_normal((40_000, 6))
    for i, picture in enumerate(shown):
        signal[200 * i : 200 * i + 100] += answer[picture]
    store = stored(folder, recording(signal, np.arange(200) * 2.0, kind[shown], stimulus=[f"p{p}" for p in shown]))
    windows, split = cut(store), By("stimulus", n_folds=5, val=0.0)
    leaky = KFold(5, val=0.0).folds(windows, labels(windows))
    scores = [
        np.mean([score(store, fold) for fold in folds]) for folds in (leaky, split.folds(windows, labels(windows)))
    ]
    return Found("a repeated stimulus", guard(leaky[0], split, store), *map(float, scores))


def overlapping_windows(folder: Path) -> Found:
    return _shuffled(folder, "overlapping windows", stride=0.5)


def neighbouring_windows(folder: Path) -> Found:
    return _shuffled(folder, "neighbouring windows without a gap", stride=1.0)


def _shuffled(folder: Path, leak: str, stride: float) -> Found:
    """Slow drift, and a state that changes at random every 8 s: neighbours share both, and there is nothing to learn."""
    rng = np.random.default_rng(4)
    store = stored(folder, recording(drift(rng, 400.0), [0.0], [0]))
    state = rng.permutation(np.arange(50) % 2)

    def truth(windows: Windows, index: np.ndarray | None = None) -> np.ndarray:
        return state[windows.locate(np.arange(len(windows)) if index is None else index)[1] // 800]

    def judged(fold: Fold) -> float:
        parts = [means(seen_tiles(store, part)) for part in (fold.train, fold.test)]
        return nearest(parts[0], truth(fold.train), parts[1], truth(fold.test))

    windows, split = cut(store, Tile(stride)), TimeBlock(5, gap=2.0, val=0.0)
    leaky = handmade(windows, rng.random(len(windows)) < 0.2)
    unguarded = By("subject", val=0.0)
    unguarded.key = None
    return Found(
        leak,
        guard(leaky, unguarded, store, truth=None),
        judged(leaky),
        float(np.mean([judged(f) for f in split.folds(windows)])),
    )


def seen_tiles(store: Store, windows: Windows) -> list[Example]:
    recordings, anchors = windows.locate(np.arange(len(windows)))
    n_times, about = round(windows.extent[1] * SFREQ), SignalInfo(SFREQ, (), (), np.zeros((0, 3)))
    pairs = zip(windows.recording[recordings], anchors, strict=True)
    return [Example(about, store.signal(int(r), int(at), int(at) + n_times).T) for r, at in pairs]


def filter_across_the_border(folder: Path) -> Found:
    """White noise, labels shared by a training window and the test window beside it: only the filter joins the two."""
    rng = np.random.default_rng(5)
    low_pass, info = (
        BandPass(None, 0.2, method="iir"),
        SignalInfo(SFREQ, tuple("abcdef"), ("eeg",) * 6, np.zeros((6, 3))),
    )
    noise = rng.standard_normal((24_000, 6))
    smooth = low_pass.step(noise.T, info)[0].T
    y, half = np.repeat(rng.permutation(np.arange(60) % 2), 2), np.arange(120) % 2
    # pairs stand 0.2 s apart and 1.8 s from the next pair
    onsets = (np.arange(120) // 2) * 4.0 + half * 1.2 + 0.5
    stores = [
        stored(folder / name, recording(s, onsets, y, half=half)) for name, s in (("smooth", smooth), ("noise", noise))
    ]
    split = By("half", n_folds=2, val=0.0, gap=0.1)
    folds = [split.folds(cut(store)) for store in stores]
    verdict = guard(folds[0][0], split, stores[0], [low_pass])
    # filtered window by window, nothing comes from next door
    alone = BandPass(None, 0.2, method="iir", continuous=False)
    assert guard(folds[1][0], split, stores[1], [alone]) == "silent: "
    each = lambda windows: means([Example(w.info, alone.step(w.signal, w.info)[0]) for w in windows])  # noqa: E731
    scores = [
        np.mean([score(s, f, features) for f in fs])
        for s, fs, features in zip(stores, folds, (means, each), strict=True)
    ]
    return Found("a filter across the border", verdict, *map(float, scores))


def label_in_a_channel(folder: Path) -> Found:
    """Noise, and a trigger channel that somebody declared to be EEG."""
    rng = np.random.default_rng(6)
    y = rng.permutation(np.arange(80) % 2)
    signal = rng.standard_normal((16_000, 4))
    signal[:, 3] = np.repeat(y, 200) * 5.0
    store = stored(folder / "with", recording(signal, np.arange(80) * 2.0, y))
    clean = stored(folder / "without", recording(signal[:, :3], np.arange(80) * 2.0, y))
    split = KFold(4, val=0.0)
    folds = split.folds(cut(store), y)
    assert guard(split.folds(cut(clean), y)[0], split, clean) == "silent: "
    scores = [np.mean([score(s, fold) for fold in folds]) for s in (store, clean)]
    return Found("label in a channel", guard(folds[0], split, store), *map(float, scores))


def trial_in_two_runs(folder: Path) -> Found:
    """Noise with random labels; a slip in cutting has put 20 of 40 trials of the second run into the first as well."""
    rng = np.random.default_rng(7)
    y, runs = [rng.integers(0, 2, 40) for _ in range(2)], [rng.standard_normal((8000, 4)) for _ in range(2)]
    clean = [
        recording(s, np.arange(40) * 2.0, labels_, run=str(i))
        for i, (s, labels_) in enumerate(zip(runs, y, strict=True))
    ]
    slipped, labels_of_first = runs[0].copy(), y[0].copy()
    for trial in range(20):
        slipped[200 * trial : 200 * trial + 100] = 2.0 * runs[1][200 * (trial + 7) : 200 * (trial + 7) + 100]
        labels_of_first[trial] = y[1][trial + 7]
    leaky = stored(folder / "with", recording(slipped, np.arange(40) * 2.0, labels_of_first, run="0"), clean[1])
    honest = stored(folder / "without", *clean)
    split = LeaveOneOut("run", val=0.0)
    folds = [split.folds(cut(store))[1] for store in (leaky, honest)]
    shape = lambda windows: np.array([w.signal.ravel() / np.linalg.norm(w.signal) for w in windows])  # noqa: E731
    scores = [score(store, fold, shape) for store, fold in zip((leaky, honest), folds, strict=True)]
    return Found("a trial in two runs", guard(folds[0], split, leaky), *scores)


def hyperparameters_chosen_on_test(folder: Path) -> Found:
    """Two hundred random projections of noise: the best on the test part, and the best on the validation part."""
    rng = np.random.default_rng(8)
    store = stored(
        folder, recording(rng.standard_normal((24_000, 20)), np.arange(120) * 2.0, rng.permutation(np.arange(120) % 2))
    )
    fold = KFold(3, val=0.33).folds(cut(store), labels(cut(store)))[0]
    parts = {
        name: (means(seen(store, getattr(fold, name))), labels(getattr(fold, name)))
        for name in ("train", "val", "test")
    }
    accuracy = {"val": [], "test": []}
    for _ in range(200):
        mix = rng.standard_normal((20, 3))
        model = LogisticRegression().fit(parts["train"][0] @ mix, parts["train"][1])
        for name, seen_ in accuracy.items():
            seen_.append(model.score(parts[name][0] @ mix, parts[name][1]))
    try:
        leakage.check_monitor("test/accuracy")
        verdict = "silent: "
    except LeakageError as error:
        verdict = f"refused: {error}"
    return Found(
        "hyperparameters chosen on test",
        verdict,
        max(accuracy["test"]),
        accuracy["test"][int(np.argmax(accuracy["val"]))],
    )


def subject_in_pretraining_and_test(folder: Path) -> Found:
    """A first stage has seen ten people and their random diagnoses; five of them, in a new session, are the test part."""
    rng = np.random.default_rng(9)
    people, sick, onsets = [person(rng, 80.0) for _ in range(15)], np.arange(15) % 2, np.arange(0.0, 36.0, 2.0)
    before = [
        recording(s[:4000], onsets, [d] * 18, subject=f"{i:02d}", run="1")
        for i, (s, d) in enumerate(zip(people, sick, strict=True))
    ]
    after = [
        recording(s[4000:], onsets, [d] * 18, subject=f"{i:02d}", run="2")
        for i, (s, d) in enumerate(zip(people, sick, strict=True))
    ]
    store = stored(folder, *before, *after)
    windows, split = cut(store), LeaveOneOut("subject", val=0.0)
    who, run = windows.column("subject").astype(int), windows.column("run")
    test = windows.take(np.flatnonzero((who < 5) & (run == "2")))
    first_stage = {
        known: windows.take(np.flatnonzero(np.isin(who, known) & (run == "1")))
        for known in (tuple(range(10)), tuple(range(5, 15)))
    }
    scores = [score(store, Fold("", stage, test, test), spectra, 5) for stage in first_stage.values()]
    manifests = [leakage.trained_on(stage, store) for stage in first_stage.values()]
    fold = Fold("after", windows.take(np.flatnonzero(who >= 10)), test, test)
    assert leakage.check_pretrained(manifests[1], fold, split, store) == []
    try:
        leakage.check_pretrained(manifests[0], fold, split, store)
        verdict = "silent: "
    except LeakageError as error:
        verdict = f"refused: {error}"
    return Found("subject in pretraining and test", verdict, *scores)


def folds_sorted_by_label(folder: Path) -> Found:
    """Electrodes that dry, and nothing else: it tells classes recorded one after the other, not mixed ones."""
    rng = np.random.default_rng(10)
    signal, onsets = np.linspace(0, 20, 40_000)[:, None] + 0.2 * drift(rng, 400.0), np.arange(200) * 2.0
    in_order, mixed = np.arange(200) // 100, rng.permutation(np.arange(200) % 2)
    split, scores = TimeBlock(5, gap=1.0, val=0.0), []
    for name, y in (("sorted", in_order), ("mixed", mixed)):
        store = stored(folder / name, recording(signal, onsets, y))
        folds = split.folds(cut(store))
        verdicts = [guard(fold, split, store) for fold in folds]
        scores.append(float(np.mean([score(store, fold) for fold in folds])))
        if name == "sorted":
            verdict = verdicts[0]
            with pytest.raises(ValueError, match="no window of class"):
                split.folds(cut(store), y)
        else:
            assert set(verdicts) == {"silent: "}
    return Found("folds sorted by label", verdict, *scores)


LEAKS: tuple[Callable[[Path], Found], ...] = (
    scaling_on_all_data, channel_selection_on_all_data, subject_under_another_name, repeated_stimulus, overlapping_windows,
    neighbouring_windows, filter_across_the_border, label_in_a_channel, trial_in_two_runs, hyperparameters_chosen_on_test,
    subject_in_pretraining_and_test, folds_sorted_by_label,
)  # fmt: skip
NAMING_TWO_WINDOWS = LEAKS[:7] + LEAKS[8:9]
