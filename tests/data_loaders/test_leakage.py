"""The leakage guard: silent on clean folds, exact on shared keys, gaps, filters, labels and checkpoints, quick on long tables."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_loaders import leakage
from data_loaders.leakage import LeakageError
from data_loaders.splits import By, Fold, KFold, LeaveOneOut, Split, TimeBlock
from data_loaders.store import Store
from data_loaders.transforms import BandPass, Example, RobustScale, SignalInfo
from data_loaders.windows import Around, Rule, Tile, Windows
from tests.data_loaders.people import SFREQ, brain, cut, recording
from tests.leak_world import stored


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
