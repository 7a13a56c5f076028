"""Where in the brain: maps of whatever a store says of its channels, scores against ceilings, and bars where it says nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brainfm.report.brain import brain_of
from brainfm.report.ceilings import ceiling_scatter
from brainfm.report.features import features_of
from brainfm.report.maps import BrainMap
from brainfm.report.results import Results
from brainfm.report.surfaces import on_mesh
from brainfm.report.volumes import slices
from data_loaders.contracts import Recording
from data_loaders.formats import space
from data_loaders.writer import Writer

SCORES = ("pearson_r", "ceiling", "unique_text")
Made = Callable[..., Results]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A run with scores per channel of two people on a store with channels so placed."""

    def make(names: list[str], **about: object) -> Results:
        with Writer(tmp_path / "store") as writer:
            for subject in ("01", "02"):
                writer.write(_recording(subject, names, **about))
        rng = np.random.default_rng(0)
        rows = [
            {"subject": s, "model": m, "channel": n} | dict(zip(SCORES, rng.uniform(0.1, 0.5, 3), strict=True))
            for s in ("01", "02") for m in ("Delays", "controls") for n in names
        ]  # fmt: skip
        run = tmp_path / "run"
        (run / "fold-0").mkdir(parents=True)
        pd.DataFrame(rows).to_csv(run / "channels.csv", index=False)
        pd.DataFrame({"model": ["Delays"], "target": "signal"}).to_parquet(run / "fold-0" / "scores.parquet")
        fields = {"signal": {"start": 0.0, "stop": 2.0}, "text": {"source": "gpt2.layer8", "start": -8.0, "stop": 0.0}}
        data = {
            "class_path": "data_loaders.datamodule.Data",
            "init_args": {"store": str(tmp_path / "store"), "fields": fields},
        }
        (run / "recipe.yaml").write_text(yaml.safe_dump({"data": data}))
        return Results(run)

    return make


def _recording(subject: str, names: list[str], ch_type: str = "roi", **about: object) -> Recording:
    n = len(names)
    return Recording(
        study="T", subject=subject, modality="fmri", task="story", sfreq=0.5, duration=20.0, ch_names=tuple(names),
        ch_types=(ch_type,) * n, units=("",) * n, signal=np.zeros((10, n), np.float32), **about,
    )  # fmt: skip


def named(n: int) -> list[str]:
    return [f"v{i}" for i in range(n)]


def drawn(run: Results) -> dict[str, list]:
    return dict(brain_of(run, ["Delays", "controls"], "pearson_r"))


def test_a_volume_is_drawn_on_slices_that_hold_values(made: Made) -> None:
    channel = np.full((6, 6, 5), -1)
    channel[2:4, 2:4, 1:4] = np.arange(12).reshape(2, 2, 3)
    run = made(named(12), space=space.volume(channel, np.diag([3.0, 3.0, 3.0, 1.0])))
    found = drawn(run)
    assert set(found) == {"Against the ceiling", "Where in the brain"}
    bars, maps = found["Where in the brain"]
    assert "Pearson r of each channel, best first" in bars.alt
    assert "of 2 subjects" in maps.alt
    assert "unique R² of text" in maps.alt
    assert maps.svg.count("z = 3 mm") == 3  # three maps on three slices: score, ceiling, unique part
    assert "<image" in maps.svg


def test_slices_hold_values_and_leave_out_the_outermost_of_many() -> None:
    data = np.zeros((2, 2, 20))
    data[0, 0, 3:17] = 1
    heights = slices(data, np.diag([1.0, 1.0, 2.0, 1.0]))
    assert len(heights) == 6
    assert min(heights) > 6
    assert max(heights) < 32
    assert slices(data[..., :5], np.eye(4)) == [3.0, 4.0]


def test_a_surface_is_drawn_on_hemispheres_and_stays_small(made: Made) -> None:
    n = 2 * 642
    run = made(named(n), space=space.surface(np.arange(n), {"left": 642, "right": 642}, "fsaverage"))
    (maps,) = drawn(run)["Where in the brain"]
    assert "space fsaverage" in maps.alt
    assert maps.svg.count("<image") >= 12  # three maps, each hemisphere from two sides
    assert len(maps.svg) < 3_000_000


def test_a_coarser_or_finer_fsaverage_goes_onto_the_mesh_that_is_shipped() -> None:
    from nilearn.datasets import load_fsaverage

    sphere = load_fsaverage("fsaverage5")["sphere"].parts["left"].coordinates
    assert np.array_equal(on_mesh(np.arange(40_962.0), sphere, sphere), np.arange(10_242.0))
    x = sphere[:642, 0]  # a smooth map, known at the vertices of a coarse mesh
    assert np.corrcoef(on_mesh(x, sphere, sphere), sphere[:, 0])[0, 1] > 0.99


def test_sensors_are_drawn_on_the_head(made: Made) -> None:
    import mne

    places = mne.channels.make_standard_montage("biosemi32").get_positions()["ch_pos"]
    names = list(places)
    run = made(names, ch_type="eeg", ch_positions=np.array([places[name] for name in names]))
    bars, maps = drawn(run)["Where in the brain"]
    assert "best first" in bars.alt
    assert "32 channels of 2 subjects" in maps.caption


@pytest.mark.parametrize("n", [3, 60])
def test_without_anatomy_regions_are_bars_and_of_many_the_best(made: Made, n: int) -> None:
    (bars,) = drawn(made(named(n)))["Where in the brain"]
    assert ("The best 40 of 60 channels" in bars.caption) == (n == 60)
    assert bars.svg.count("v") >= min(n, 40)


def test_a_run_whose_store_is_gone_has_bars_and_no_map(made: Made, tmp_path: Path) -> None:
    run = made(named(3))
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    assert len(drawn(run)["Where in the brain"]) == 1


def test_without_ceilings_there_is_no_scatter_and_squares_have_squared_ceilings() -> None:
    table = pd.DataFrame(
        {"subject": "1", "channel": ["a", "b"], "pearson_r": 0.5, "signed_r2": 0.25, "ceiling": [0.8, np.nan]}
    )
    assert ceiling_scatter({"m": table.assign(ceiling=np.nan)}, "pearson_r", "k") is None
    shown = ceiling_scatter({"m": table}, "signed_r2", "k")
    assert shown is not None
    assert "under a mean ceiling of 0.640" in shown.alt


def test_scales_end_where_all_but_the_extremes_lie() -> None:
    values = pd.Series(np.r_[np.full(1000, 0.3), 90.0], index=[f"v{i}" for i in range(1001)])
    one = BrainMap("r", values)
    assert (one.low, one.high) == pytest.approx((-0.3, 0.3))
    assert BrainMap("r", values * np.nan).high == 1.0


def test_features_are_told_by_model_layer_and_lags(made: Made) -> None:
    run = made(named(3))
    run.__dict__["summary"] = pd.DataFrame(columns=["model", "metric", "value", "low", "high"])
    table = features_of(run, "pearson_r")
    assert table is not None
    assert table.rows == [["text", "gpt2", "layer8", "-8 to 0 s", "the model", "–", "–"]]


def test_no_id_of_a_map_occurs_twice(made: Made) -> None:
    run = made(named(3))
    ids = re.findall(r'\sid="([^"]*)"', "".join(p.svg for pictures in drawn(run).values() for p in pictures))
    assert len(ids) == len(set(ids))
