"""Transforms: what they do to a signal, what they learn, and that a live stream in chunks equals the whole."""

import json
from collections.abc import Sequence
from dataclasses import replace

import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from data_loaders.derived import describe
from data_loaders.transforms import (
    BandPass,
    Clamp,
    Example,
    Notch,
    Pick,
    Rereference,
    Resample,
    RobustScale,
    ScaleByType,
    SelectChannels,
    SignalInfo,
    SquareRoot,
    Transform,
    WindowScale,
)  # fmt: skip
from data_loaders.transforms.base import apply, apply_live, pack, unpack


def info(
    n_chans: int = 3, sfreq: float = 250.0, types: Sequence[str] | None = None, bads: tuple[str, ...] = ()
) -> SignalInfo:
    names = tuple(f"c{i}" for i in range(n_chans))
    return SignalInfo(sfreq, names, tuple(types or ["eeg"] * n_chans), np.zeros((n_chans, 3)), bads)


def placed() -> SignalInfo:
    return replace(info(4), ch_columns={"region": ("M1", "CA1", "", "CA3")})


def noise(n_chans: int = 3, n_times: int = 2500, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n_chans, n_times))


def examples(n: int = 40, n_chans: int = 3, **about) -> list[Example]:
    return [Example(info(n_chans, **about), noise(n_chans, 50, seed=i), i % 2, 1000 - i) for i in range(n)]


CAUSAL = [
    BandPass(1.0, 40.0, causal=True), BandPass(None, 30.0, causal=True), Notch(50.0, causal=True), Resample(50.0, causal=True),
    Rereference(), ScaleByType(), Clamp(1.0), Pick(names=["c2", "c0"]), RobustScale().fit(examples()),
]  # fmt: skip


@given(cuts=st.lists(st.integers(1, 399), max_size=6, unique=True))
@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("transform", CAUSAL, ids=lambda t: type(t).__name__)
def test_a_causal_transform_gives_the_same_in_chunks_as_over_the_whole(transform: Transform, cuts: list[int]) -> None:
    signal, about, carry, parts = noise(n_times=400), info(), None, []
    for chunk in np.split(signal, sorted(cuts), axis=1):
        part, carry = transform.step(chunk, about, carry)
        parts.append(part)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), transform.step(signal, about)[0], atol=1e-9)


def test_a_causal_chain_runs_live_as_over_the_whole() -> None:
    chain = [BandPass(1.0, 20.0, causal=True), Resample(50.0, causal=True), Rereference()]
    signal, carries, parts = noise(n_times=1000), None, []
    for chunk in np.split(signal, [33, 500, 777], axis=1):
        part, carries = apply_live(chain, chunk, info(), carries)
        parts.append(part)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), apply(chain, signal, info())[0], atol=1e-9)


@pytest.mark.parametrize(
    "transform", [BandPass(1.0, 40.0), Notch(50.0), Resample(50.0), WindowScale()], ids=lambda t: type(t).__name__
)
def test_a_transform_that_looks_ahead_refuses_a_live_stream(transform: Transform) -> None:
    with pytest.raises(ValueError, match="looks ahead"):
        transform.step(noise(), info(), carry=np.zeros(1))
    with pytest.raises(ValueError, match=f"{type(transform).__name__} looks ahead.*causal=True"):
        apply_live([transform], noise(), info())


@pytest.mark.parametrize("causal", [True, False])
def test_a_causal_filter_does_not_answer_before_the_question(causal: bool) -> None:
    signal = np.zeros((1, 4001))
    signal[0, 2000] = 1.0
    answer = BandPass(1.0, 40.0, causal=causal).step(signal, info(1))[0]
    assert bool(np.abs(answer[0, :2000]).max() < 1e-12) is causal


@pytest.mark.parametrize("method", ["fir", "iir"])
@pytest.mark.parametrize(("freq", "kept"), [(20.0, 1.0), (60.0, 0.0), (4.0, 0.0)])
def test_a_band_pass_keeps_what_is_inside_and_only_that(method: str, freq: float, kept: float) -> None:
    seconds = np.arange(10_000) / 250.0
    signal = np.sin(2 * np.pi * freq * seconds)[None]
    middle = slice(2500, 7500)
    filtered = BandPass(8.0, 40.0, method=method).step(signal, info(1))[0]
    assert np.abs(filtered[0, middle] - kept * signal[0, middle]).max() < 0.02


def test_the_band_pass_agrees_with_mne() -> None:
    raw = mne.io.RawArray(noise(), mne.create_info(3, 250.0, "eeg"), verbose="error").filter(1.0, 40.0, verbose="error")
    np.testing.assert_allclose(BandPass(1.0, 40.0).step(noise(), info())[0], raw.get_data(), atol=1e-12)


@pytest.mark.parametrize(
    "notch", [Notch(50.0), Notch(50.0, method="iir"), Notch([50.0, 100.0]), Notch(50.0, causal=True)]
)
def test_a_notch_removes_the_hum_and_its_harmonic(notch: Notch) -> None:
    seconds = np.arange(10_000) / 250.0
    hum, alpha = np.sin(2 * np.pi * 50 * seconds) + np.sin(2 * np.pi * 100 * seconds), np.sin(2 * np.pi * 10 * seconds)
    left = notch.step((hum + alpha)[None], info(1))[0][0, 4000:9000]
    assert np.abs(left - alpha[4000:9000]).max() < 0.05


def test_resampling_is_polyphase_and_says_the_new_rate() -> None:
    signal, transform = noise(), Resample(100.0)
    np.testing.assert_allclose(transform.step(signal, info())[0], resample_poly(signal, 2, 5, axis=1, padtype="line"))
    assert transform.plan(info()).sfreq == 100.0


def test_resampling_keeps_a_slow_wave_where_it_was() -> None:
    wave = lambda sfreq: np.sin(2 * np.pi * 3.0 * np.arange(int(10 * sfreq)) / sfreq)[None]  # noqa: E731
    assert np.abs(Resample(100.0).step(wave(250.0), info(1))[0] - wave(100.0))[:, 50:-50].max() < 1e-2


def test_the_reach_of_a_filter_holds_its_impulse_response() -> None:
    signal = np.zeros((1, 5001))
    signal[0, 2500] = 1.0
    for transform in (BandPass(1.0, 40.0), BandPass(8.0, 30.0, method="iir"), BandPass(1.0, 40.0, causal=True)):
        energy = transform.step(signal, info(1))[0][0] ** 2
        near = np.abs(np.arange(5001) - 2500) / 250.0 <= transform.reach + 0.02
        assert energy[near].sum() > 0.997 * energy.sum(), transform.reach
    assert 0.3 < BandPass(1.0, 40.0).reach < 2.0
    assert BandPass(8.0, 30.0).reach < BandPass(0.5, 30.0).reach
    assert Clamp(1.0).reach == 0.0


def test_a_filter_longer_than_its_segment_says_which_method_fits() -> None:
    with pytest.raises(ValueError, match=r"the filter lasts 3\.30 s and the segment 1\.00 s: set method to iir"):
        BandPass(1.0, 40.0).step(noise(n_times=250), info())
    assert BandPass(1.0, 40.0, method="iir").step(noise(n_times=250), info())[0].shape == (3, 250)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BandPass(None, None), "give one, in hertz"),
        (lambda: BandPass(40.0, 1.0), "make l_freq smaller"),
        (lambda: BandPass(1.0, 200.0).plan(info()), "bring h_freq between 0 and 125"),
        (lambda: Notch(150.0).plan(info()), "give freqs below 125"),
        (lambda: Resample(100.0, causal=True).plan(info()), "set sfreq to 83.3333|set sfreq to 125"),
        (lambda: Pick(names=["c7"]).plan(info()), "did you mean 'c"),
        (lambda: Pick(types=["meg"]).plan(info()), r"types \['eeg'\]"),
        (lambda: Pick(where={"area": ["M1"]}).plan(placed()), r"columns \['region'\]"),
        (lambda: Pick(where={"region": ["V1"]}).plan(placed()), r"region \['', 'CA1', 'CA3', 'M1'\]"),
        (lambda: Rereference().plan(info(types=["mag"] * 3)), "leave it out"),
        (lambda: Rereference("Cz").step(noise(), info()), "the channels are"),
        (lambda: SquareRoot().step(noise(), info()), "takes counts"),
        (lambda: RobustScale().step(noise(), info()), "has not seen training data"),
        (lambda: Clamp(0.0), "expected a positive number"),
    ],
)
def test_a_wrong_setting_is_told_its_repair(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_pick_keeps_the_order_of_names_and_drops_what_is_excluded() -> None:
    about = info(4, types=["eeg", "eog", "eeg", "eeg"], bads=("c3",))
    assert Pick(names=["c2", "c0"]).plan(about).ch_names == ("c2", "c0")
    assert Pick(types=["eeg"], exclude=["*2"]).plan(about).ch_names == ("c0", "c3")
    assert Pick(types=["eeg"], bads=False).plan(about).ch_names == ("c0", "c2")
    assert Pick(where={"region": ["CA*"]}).plan(placed()).ch_names == ("c1", "c3")
    assert Pick(where={"region": ["CA*"]}).plan(placed()).ch_columns == {"region": ("CA1", "CA3")}
    np.testing.assert_array_equal(Pick(names=["c2", "c0"]).step(noise(4), about)[0], noise(4)[[2, 0]])


def test_the_average_reference_leaves_nothing_common_and_spares_bad_and_other_channels() -> None:
    about, signal = info(5, types=["eeg", "eeg", "eeg", "eeg", "mag"], bads=("c3",)), noise(5)
    out = Rereference().step(signal, about)[0]
    np.testing.assert_allclose(out[:3].mean(0), 0, atol=1e-12)
    np.testing.assert_array_equal(out[3:], signal[3:])
    np.testing.assert_allclose(Rereference().step(signal + 7.0, about)[0][:3], out[:3])
    np.testing.assert_allclose(Rereference("c1").step(signal, about)[0][:4], signal[:4] - signal[1])


def test_robust_scale_subtracts_the_median_before_it_divides() -> None:
    # by hand: 1 2 3 4 100 has median 3 and quartiles 2 and 4
    window = Example(info(1), np.array([[1.0, 2.0, 3.0, 4.0, 100.0]]), None, 0)
    scaled = RobustScale().fit([window]).step(window.signal, info(1))[0]
    np.testing.assert_allclose(scaled, [[-1.0, -0.5, 0.0, 0.5, 48.5]])
    np.testing.assert_allclose(
        RobustScale(center=False).fit([window]).step(window.signal, info(1))[0][0, :2], [0.5, 1.0]
    )
    np.testing.assert_allclose(
        RobustScale(scale=False).fit([window]).step(window.signal, info(1))[0][0, :2], [-2.0, -1.0]
    )
    np.testing.assert_allclose(WindowScale().step(window.signal, info(1))[0], scaled)


def test_robust_scale_does_not_see_gain_or_offset() -> None:
    seen = examples()
    changed = [Example(e.info, 5.0 * e.signal - 3.0, e.label, e.window_id) for e in seen]
    once, twice = (RobustScale().fit(windows).step(windows[0].signal, info())[0] for windows in (seen, changed))
    np.testing.assert_allclose(once, twice)


def test_fitting_leaves_the_original_unfitted_and_remembers_the_windows() -> None:
    original = RobustScale()
    fitted = original.fit(examples())
    assert original.state() == {}
    assert fitted.state()["fitted_on"].tolist() == list(range(961, 1001))


@pytest.mark.parametrize("transform", [RobustScale(), SelectChannels(2)], ids=lambda t: type(t).__name__)
def test_a_fitted_state_is_numbers_and_brings_the_same_result_back(transform: Transform) -> None:
    fitted = transform.fit(examples())
    state = fitted.state()
    assert all(value.dtype.kind in "iuf" for value in state.values())
    np.testing.assert_array_equal(transform.with_state(state).step(noise(), info())[0], fitted.step(noise(), info())[0])


def test_an_unseen_channel_takes_the_statistics_of_its_type_with_a_printed_line(capsys) -> None:
    fitted = RobustScale().fit(
        [Example(info(2, types=["eeg", "mag"]), np.array([[1.0, 2, 3], [10.0, 20, 30]]), None, 0)]
    )
    other = SignalInfo(250.0, ("new",), ("mag",), np.zeros((1, 3)))
    np.testing.assert_allclose(fitted.step(np.array([[10.0, 20, 30]]), other)[0], [[-1, 0, 1]])
    assert "1 channels unseen in training (new)" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"training saw .* only"):
        fitted.step(np.zeros((1, 3)), SignalInfo(250.0, ("n",), ("seeg",), np.zeros((1, 3))))


def test_a_bad_channel_is_neither_learned_from_nor_changed() -> None:
    sound, broken = np.array([[1.0, 2, 3], [10.0, 20, 30]]), np.array([[1.0, 2, 3], [900.0, -900, 0]])
    fitted = RobustScale().fit([Example(info(2), sound, None, 0), Example(info(2, bads=("c1",)), broken, None, 1)])
    np.testing.assert_allclose(fitted.step(sound, info(2))[0][1], [-1, 0, 1])
    out = fitted.step(np.array([[1.0, 2, 3], [900.0, -900, 0]]), info(2, bads=("c1",)))[0]
    np.testing.assert_allclose(out[1], [900, -900, 0])


def test_sparse_counts_and_flat_channels_stay_finite() -> None:
    counts = np.zeros((2, 100))
    counts[0, :5] = 1.0
    out = RobustScale().fit([Example(info(2), counts, None, 0)]).step(counts, info(2))[0]
    np.testing.assert_allclose(out[0].max(), 1 / counts[0].std())
    assert (out[1] == 0).all()
    assert np.isfinite(WindowScale().step(counts, info(2))[0]).all()


def test_types_come_to_comparable_units() -> None:
    # 100 fT, 10 fT/cm and 10 uV, in SI units
    signal = np.array([[1e-13], [1e-12], [1e-5], [3.0]])
    out = ScaleByType().step(signal, info(4, types=["mag", "grad", "eeg", "bold"]))[0]
    np.testing.assert_allclose(out[:, 0], [0.1, 0.1, 1.0, 3.0])


def test_single_precision_stays_single_precision() -> None:
    signal = noise(n_times=1000).astype(np.float32)
    chain = [
        Rereference(),
        BandPass(1.0, 40.0, method="iir"),
        Notch(50.0, method="iir"),
        Resample(50.0),
        ScaleByType(),
        WindowScale(),
        Clamp(3.0),
    ]
    assert apply(chain, signal, info())[0].dtype == np.float32
    assert RobustScale().fit(examples()).step(signal, info())[0].dtype == np.float32


def test_selection_finds_the_channels_that_carry_the_label() -> None:
    rng = np.random.default_rng(0)
    seen = []
    for i in range(80):
        signal = rng.standard_normal((6, 50))
        signal[4] += 2.0 * (i % 2)  # by its mean
        signal[1] *= 1 + 2.0 * (i % 2)  # by its variance
        seen.append(Example(info(6), signal, i % 2, i))
    fitted = SelectChannels(2).fit(seen)
    assert fitted.plan(info(6)).ch_names == ("c1", "c4")
    np.testing.assert_array_equal(fitted.step(seen[0].signal, info(6))[0], seen[0].signal[[1, 4]])


def test_selection_takes_values_too() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal(80)
    seen = [
        Example(info(4), rng.standard_normal((4, 50)) + np.array([0, 0, v, 0])[:, None], v, i)
        for i, v in enumerate(values)
    ]
    assert SelectChannels(1).fit(seen).plan(info(4)).ch_names == ("c2",)


def test_settings_of_every_transform_are_plain_and_do_not_change_with_use() -> None:
    for transform in (BandPass(1.0, 40.0), Notch(50.0), Resample(100.0), Rereference(), Pick(types=["eeg"]), Clamp()):
        before = json.dumps(describe(transform))
        transform.step(noise(), info())
        assert json.dumps(describe(transform)) == before


def test_names_survive_their_packing() -> None:
    assert unpack(pack(["Fp1", "µ é", ""])) == ["Fp1", "µ é", ""]
