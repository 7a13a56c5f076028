"""Contrastive samplers: pure in (seed, step), positives where the rule says, borders and classes respected."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from data_loaders.pairing import Ahead
from data_loaders.samplers.base import ContrastiveSampler, Sampler
from data_loaders.samplers.delta import Delta
from data_loaders.samplers.discrete import Discrete
from data_loaders.samplers.full import Full
from data_loaders.samplers.hybrid import Hybrid
from data_loaders.samplers.mixed import Mixed
from data_loaders.samplers.multi_session import MultiSession
from data_loaders.samplers.multi_session_discrete import MultiSessionDiscrete
from data_loaders.samplers.time import Time
from data_loaders.samplers.time_delta import TimeDelta
from data_loaders.samplers.unified import Unified
from data_loaders.stream import Stream
from data_loaders.windows import Windows


def runs(*counts: int, recording: list[int] | None = None) -> Windows:
    """One run of windows per trial, a sample apart, at 100 Hz."""
    n = len(counts)
    table = pd.DataFrame({"subject": ["01"] * n, "sfreq": [100.0] * n})
    which = np.array(recording or [0] * n)
    return Windows(which, 1000 * np.arange(n), np.ones(n, dtype=np.int64), np.array(counts), table, (0.0, 0.1))


def bound(sampler: Sampler, windows: Windows, batch_size: int = 64, seed: int = 0, **labels: Any) -> Any:
    return sampler.bind(windows, batch_size, seed, lambda name: np.asarray(labels[name]))


TWO_SESSIONS = runs(300, 200, recording=[0, 1])
POSITION = np.concatenate([np.linspace(0, 1, 300), np.linspace(0, 1, 200)])
CLASS = np.arange(500) % 5
EVERY: list[Callable[[], Sampler]] = [
    lambda: Time(0.02),
    lambda: TimeDelta(["position"], 0.02),
    lambda: Delta(["position"], 0.1),
    lambda: Discrete(["trial"]),
    lambda: Discrete(["trial"], "balanced"),
    lambda: Mixed(["position"], ["trial"], 0.02),
    lambda: Hybrid(["position"], 0.02),
    lambda: MultiSession(["position"], 0.02),
    lambda: MultiSessionDiscrete(["trial"]),
    lambda: Unified(["position"], 0.02),
    lambda: Full(TimeDelta(["position"], 0.02)),
]


@pytest.mark.parametrize("make", EVERY)
def test_draws_are_pure_in_seed_and_step(make: Callable[[], Sampler]) -> None:
    one, two, other = (bound(make(), TWO_SESSIONS, seed=s, position=POSITION, trial=CLASS) for s in (1, 1, 2))
    two.draw(3)
    drawn = one.draw(9)
    assert np.array_equal(drawn, two.draw(9))
    assert not np.array_equal(drawn, other.draw(9))
    assert not np.array_equal(drawn, one.draw(10))
    assert drawn.shape == (one.n_views, one.batch_size)
    assert ((drawn >= 0) & (drawn < 500)).all()


def test_a_positive_by_time_lies_that_much_later_in_the_same_trial() -> None:
    windows = runs(5, 30, 2, 8)
    sampler = bound(Time(0.03), windows, 4000)
    reference, positive, negative = sampler.draw(0)
    assert (positive - reference == 3).all()
    trial = windows.locate(np.arange(len(windows)))[0]
    assert (trial[reference] == trial[positive]).all()
    valid = sampler.references()
    assert len(valid) == 2 + 27 + 5
    for view in (reference, negative):
        assert stats.chisquare(np.bincount(view, minlength=45)[valid]).pvalue > 0.001


def test_the_paper_lets_positives_cross_the_border_of_a_trial() -> None:
    windows = runs(20, 20)
    reference, positive, _ = bound(Time(0.05, compat="paper"), windows, 500).draw(0)
    trial = windows.locate(np.arange(40))[0]
    assert (positive - reference == 5).all()
    assert (trial[reference] != trial[positive]).any()


def test_changes_of_labels_do_not_cross_borders_and_in_the_paper_begin_with_zeros() -> None:
    label = np.linspace(0, 1, 11)[:, None]
    found = Ahead.of(runs(11), 0.02, borders=False).changes(label, borders=False)
    assert np.allclose(found[:2], 0)
    assert np.allclose(found[2:], 0.2)
    jump = np.concatenate([np.zeros(6), np.full(5, 100.0)])[:, None]
    assert np.abs(Ahead.of(runs(6, 5), 0.02).changes(jump)).max() == 0
    assert np.abs(Ahead.of(runs(6, 5), 0.02, borders=False).changes(jump, borders=False)).max() == 100


def test_how_a_split_cut_the_table_does_not_matter() -> None:
    whole = replace(runs(40, 30), metadata=runs(40, 30).metadata.assign(segment=[0, 1]))
    apart = whole.take(np.random.default_rng(0).permutation(70))
    for table in (whole, apart):
        _, anchor = table.locate(np.arange(70))
        ahead = Ahead.of(table, 0.03)
        assert len(ahead.valid) == 37 + 27
        assert (anchor[ahead.partner[ahead.valid]] - anchor[ahead.valid] == 3).all()


def test_delta_moves_labels_by_normal_noise_of_that_size() -> None:
    sampler = bound(Delta(["position"], 0.05), runs(20_000), 5000, position=np.linspace(0, 1, 20_000))
    reference, positive, _ = sampler.draw(0)
    inside = (reference > 6000) & (reference < 14_000)
    moved = (positive - reference)[inside] / 20_000
    assert stats.kstest(moved / 0.05, "norm").pvalue > 0.001


@pytest.mark.parametrize("compat", [None, "paper"])
def test_discrete_positives_are_uniform_within_the_class(compat: Any) -> None:
    trial = np.array([0] * 30 + [7] * 10)
    reference, positive, _ = bound(Discrete(["trial"], compat=compat), runs(40), 40_000, trial=trial).draw(0)
    assert (trial[reference] == trial[positive]).all()
    for label in (0, 7):
        member = trial == label
        counts = np.bincount(positive[trial[reference] == label], minlength=40)[member]
        assert stats.chisquare(counts).pvalue > 0.001
    assert (reference == positive).any() == (compat == "paper")


@pytest.mark.parametrize("labels", [(0, 1), (0, 2), (-3, 40)])
def test_a_balanced_prior_is_balanced_whatever_the_ids(labels: tuple[int, int]) -> None:
    trial = np.repeat(labels, (90, 10))
    reference, _, negative = bound(Discrete(["trial"], "balanced"), runs(100), 20_000, trial=trial).draw(0)
    for view in (reference, negative):
        assert (trial[view] == labels[1]).mean() == pytest.approx(0.5, abs=0.015)
    empirical = bound(Discrete(["trial"]), runs(100), 20_000, trial=trial).draw(0)[0]
    assert (trial[empirical] == labels[1]).mean() == pytest.approx(0.1, abs=0.01)


def test_several_discrete_labels_make_one_class_per_combination() -> None:
    a, b = np.arange(60) % 2, np.arange(60) % 3
    reference, positive, _ = bound(Discrete(["a", "b"]), runs(60), 200, a=a, b=b).draw(0)
    assert (a[reference] == a[positive]).all()
    assert (b[reference] == b[positive]).all()


def test_a_class_of_one_window_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"class \[4.0\] of \['trial'\] has a single window"):
        bound(Discrete(["trial"]), runs(5), trial=[0, 0, 1, 1, 4])


def test_values_are_no_classes() -> None:
    with pytest.raises(ValueError, match=r"fractions such as 0.5.*write `trial=\*`"):
        bound(Discrete(["trial"]), runs(4), trial=[0, 0.5, 1, 1])


def test_labels_of_another_length_and_nan_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'position' has 3 rows for 4 windows"):
        bound(TimeDelta(["position"]), runs(4), position=np.zeros(3))
    with pytest.raises(ValueError, match="'position' is NaN or infinite at window 2"):
        bound(TimeDelta(["position"]), runs(4), position=[0, 1, np.nan, 3])


def test_a_time_offset_longer_than_every_trial_is_refused() -> None:
    with pytest.raises(ValueError, match=r"longer than time_offset=0.5"):
        bound(Time(0.5), runs(40, 30))


def test_mixed_positives_have_the_class_and_the_nearest_moved_label() -> None:
    position, trial = np.linspace(0, 1, 500), np.repeat([0, 5, 6], [100, 300, 100])
    reference, positive, _ = bound(
        Mixed(["position"], ["trial"], 0.05), runs(500), 3000, position=position, trial=trial
    ).draw(1)
    assert (trial[reference] == trial[positive]).all()
    last = np.array([99, 399, 499])[np.searchsorted([0, 5, 6], trial[reference])]
    last = last - (reference == last)
    assert np.array_equal(positive, np.minimum(reference + 5, last))
    assert np.allclose(np.bincount(trial[reference])[[0, 5, 6]] / 3000, 1 / 3, atol=0.03)


def test_hybrid_has_a_positive_by_behaviour_and_one_by_time() -> None:
    position = np.linspace(0, 1, 200)
    reference, behaviour, negative, time = bound(Hybrid(["position"], 0.03), runs(200), 256, position=position).draw(0)
    assert np.array_equal(time, reference + 3)
    assert np.array_equal(behaviour, np.minimum(reference + 3, 199))  # the last three have no positive by time
    assert not np.array_equal(reference, negative)


def test_sessions_give_and_get_the_same_number_whatever_their_length() -> None:
    reference, positive, negative = bound(MultiSession(["position"], 0.02), TWO_SESSIONS, 200, position=POSITION).draw(
        3
    )
    session = np.repeat([0, 1], [300, 200])
    for view in (reference, negative, positive):
        assert np.bincount(session[view]).tolist() == [100, 100]
    assert (session[reference] != session[positive]).sum() > 50
    assert np.abs(POSITION[positive] - POSITION[reference]).max() < 0.03


def test_a_class_that_one_session_lacks_finds_its_positives_where_it_is() -> None:
    trial = np.concatenate([np.arange(300) % 3, np.arange(200) % 2])
    reference, positive, _ = bound(MultiSessionDiscrete(["trial"]), TWO_SESSIONS, 600, trial=trial).draw(0)
    session = np.repeat([0, 1], [300, 200])
    assert (trial[reference] == trial[positive]).all()
    assert (session[positive[trial[reference] == 2]] == 0).all()
    common = trial[reference] < 2
    assert 0.3 < (session[positive[common]] != session[reference[common]]).mean() < 0.7


def test_samplers_across_sessions_need_two() -> None:
    for sampler in (MultiSession(["position"]), MultiSessionDiscrete(["position"]), Unified(["position"])):
        with pytest.raises(ValueError, match="has one session"):
            bound(sampler, runs(50), position=np.arange(50) % 3)


def test_unified_groups_have_one_window_per_session_at_the_same_behaviour() -> None:
    drawn = bound(Unified(["position"], 0.02), TWO_SESSIONS, 100, position=POSITION).draw(2)
    session = np.repeat([0, 1], [300, 200])
    for view in drawn:
        assert session[view].tolist() == [0, 1] * 50
        pairs = POSITION[view].reshape(-1, 2)
        assert np.abs(pairs[:, 0] - pairs[:, 1]).max() < 0.01
    with pytest.raises(ValueError, match="take 102"):
        bound(Unified(["position"]), TWO_SESSIONS, 101, position=POSITION)


@pytest.mark.parametrize("once", [True, False])
def test_ranks_take_whole_groups_or_are_told_a_batch_size_that_lets_them(once: bool) -> None:
    def taken(batch_size: int, rank: int) -> np.ndarray:
        sampler = bound(Unified(["position"], 0.02), TWO_SESSIONS, batch_size, position=POSITION)
        gather: Any = print  # never called
        return Stream(gather, sampler, once=once, rank=rank, world_size=2)._share(0)[0]

    for rank in (0, 1):
        # a rank's five windows of ten would begin or end within a pair
        with pytest.raises(ValueError, match=r"batch_size 10 .* 2 ranks with 2 windows each .* make it 12"):
            taken(10, rank)
        assert ((taken(12, rank) >= 300) == [False, True] * 3).all()


def test_groups_are_not_lost_in_full_batches() -> None:
    with pytest.raises(ValueError, match="take Unified without Full"):
        bound(Full(Unified(["position"], 0.02)), TWO_SESSIONS, position=POSITION)


@pytest.mark.parametrize("of", [Time(0.03), Hybrid(["position"], 0.03), Discrete(["trial"])])
def test_full_batches_hold_every_window_that_may_be_a_reference(of: ContrastiveSampler) -> None:
    sampler = bound(Full(of), runs(20, 30), 8, position=np.linspace(0, 1, 50), trial=np.arange(50) % 2)
    for step in (0, 5):
        drawn = sampler.draw(step)
        assert np.array_equal(drawn[0], np.sort(drawn[2]))
        assert len(drawn) == of.n_views
    expected = 50 if isinstance(of, Discrete) else 44
    assert sampler.batch_size == expected
    assert not np.array_equal(sampler.draw(0)[2], sampler.draw(1)[2])


def test_a_batch_may_be_larger_than_the_session() -> None:
    drawn = bound(TimeDelta(["position"]), runs(20), 500, position=np.linspace(0, 1, 20)).draw(0)
    assert drawn.shape == (3, 500)
    assert set(drawn[0].tolist()) == set(range(20))


@pytest.mark.parametrize("compat", [None, "paper"])
def test_no_window_is_its_own_positive_but_in_the_paper(compat: Any) -> None:
    label = np.random.default_rng(0).standard_normal((300, 4))
    label[100:120] = label[100]
    still = TimeDelta(["position"], 0.01, compat)
    label[:, 0] = np.sort(label[:, 0])
    reference, positive, _ = bound(still, runs(300), 4000, position=label).draw(0)
    assert (reference == positive).any() == (compat == "paper")
    assert ((positive >= 0) & (positive < 300)).all()
