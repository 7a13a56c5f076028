"""Derived stores: filters run once over whole segments, and are found again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_loaders.contracts import Recording
from data_loaders.derived import materialise
from data_loaders.store import Store
from data_loaders.transforms import BandPass, Resample
from data_loaders.transforms.base import SignalInfo
from data_loaders.writer import Writer


def made(path: Path, segments: list[tuple[float, float]]) -> Store:
    signal = np.random.default_rng(0).standard_normal((4000, 2))
    one = Recording(
        study="T", subject="01", modality="eeg", sfreq=200.0, ch_names=("Cz", "Pz"), ch_types=("eeg",) * 2, units=("V",) * 2, duration=20.0,
        signal=signal, segments=np.array(segments), events=pd.DataFrame({"onset": [1.0, 12.5], "trial_type": ["a", "b"]}),
    )  # fmt: skip
    with Writer(path) as writer:
        writer.write(one)
    return Store(path)


def test_a_segment_is_filtered_as_if_it_were_alone(tmp_path: Path) -> None:
    store = made(tmp_path / "s", [(0.0, 8.0), (10.0, 20.0)])
    band = BandPass(1.0, 40.0)
    derived = materialise(store, [band])
    info = SignalInfo(200.0, ("Cz", "Pz"), ("eeg", "eeg"), np.zeros((2, 3)))
    alone, _ = band.step(store.signal(0, 2000, 4000).T.astype(np.float64), info)
    assert np.allclose(derived.signal(0, 2000, 4000), alone.T, atol=1e-6)
    assert derived.entry(0).segments.tolist() == [[0.0, 8.0], [10.0, 20.0]]


def test_columns_of_channels_travel_along(tmp_path: Path) -> None:
    with Writer(tmp_path / "s") as writer:
        writer.write(
            Recording(
                study="T",
                subject="01",
                modality="ieeg",
                sfreq=200.0,
                ch_names=("A1", "B1"),
                ch_types=("seeg",) * 2,
                units=("V",) * 2,
                duration=20.0,
                signal=np.random.default_rng(0).standard_normal((4000, 2)),
                ch_columns={"region": ("M1", "S1")},
            )
        )
    entry = materialise(Store(tmp_path / "s"), [Resample(100.0)]).entry(0)
    assert (entry.ch_columns, entry.units) == ({"region": ("M1", "S1")}, ("V", "V"))


def test_resampling_keeps_seconds(tmp_path: Path) -> None:
    derived = materialise(made(tmp_path / "s", [(0.0, 8.0), (10.0, 20.0)]), [Resample(100.0)])
    entry = derived.entry(0)
    assert (entry.sfreq, entry.duration) == (100.0, 20.0)
    assert entry.segments.tolist() == [[0.0, 8.0], [10.0, 20.0]]
    assert derived.events["onset"].tolist() == [1.0, 12.5]


def test_a_derived_store_is_found_again_and_another_setting_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made(tmp_path / "s", [(0.0, 20.0)])
    first = materialise(store, [BandPass(1.0, 40.0)])
    written = (first.path / first.entry(0).file).stat().st_mtime_ns
    again = materialise(store, [BandPass(1.0, 40.0)])
    assert (again.path / again.entry(0).file).stat().st_mtime_ns == written
    assert materialise(store, [BandPass(1.0, 30.0)]).path != first.path
    monkeypatch.setenv("BRAINFM_CACHE", str(tmp_path / "cache"))
    assert materialise(store, [BandPass(1.0, 40.0)]).path.parent == tmp_path / "cache" / "derived"


def test_no_transform_makes_no_copy(tmp_path: Path) -> None:
    store = made(tmp_path / "s", [(0.0, 20.0)])
    assert materialise(store, []) is store


def test_a_segment_shorter_than_the_filter_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    derived = materialise(made(tmp_path / "s", [(0.0, 8.0), (8.5, 8.7), (10.0, 20.0)]), [BandPass(1.0, 40.0)])
    assert derived.entry(0).segments.tolist() == [[0.0, 8.0], [10.0, 20.0]]
    assert "sub-01: 1 of 3 segments are shorter than a filter" in capsys.readouterr().out
    with pytest.raises(ValueError, match="set method to iir"):
        materialise(made(tmp_path / "t", [(0.0, 0.5), (1.0, 1.5)]), [BandPass(1.0, 40.0)])
