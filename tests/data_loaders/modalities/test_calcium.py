"""Calcium imaging from suite2p folders (numpy as suite2p saves), NWB (pynwb) and arrays."""

import pickle
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.file import Subject
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries
from scipy.io import savemat

from data_loaders.formats.suite2p import numbers_in
from data_loaders.modalities.calcium import Calcium
from data_loaders.prepare import find
from data_loaders.store import Store
from data_loaders.writer import Writer
from tests.data_loaders.modalities.cells import caiman, only, traces


def suite2p(plane: Path, n_cells: int = 5, n_times: int = 600, seed: int = 0, fs=30.0) -> dict[str, np.ndarray]:
    """What suite2p saves of one plane: three arrays of traces, a verdict, and two pickled ones."""
    plane.mkdir(parents=True, exist_ok=True)
    made = {
        "F": traces(n_cells, n_times, seed),
        "Fneu": traces(n_cells, n_times, seed + 10),
        "spks": np.abs(traces(n_cells, n_times, seed + 20)),
    }
    made["iscell"] = np.stack([(np.arange(n_cells) != 1).astype(float), np.linspace(0.2, 0.9, n_cells)], 1)
    stat = np.array([{"med": [3 * i, 7 * i], "npix": 10 + i, "radius": 4.0} for i in range(n_cells)], dtype=object)
    ops = {"save_path0": "x", "fs": fs, "neucoeff": 0.7, "meanImg": np.zeros((4, 4)), "nplanes": 1}
    for name, value in {**made, "stat": stat, "ops": np.array(ops, dtype=object)}.items():
        np.save(plane / f"{name}.npy", value)
    return made


def test_a_suite2p_folder_gives_the_traces_of_cells(tmp_path):
    made = suite2p(tmp_path / "mouse1" / "day3" / "suite2p" / "plane0")
    recording = only(tmp_path)
    assert (recording.name, recording.modality, recording.sfreq) == ("sub-mouse1_ses-day3", "calcium", 30.0)
    assert recording.ch_names == ("cell0", "cell2", "cell3", "cell4")
    assert recording.ch_types == ("cell",) * 4
    np.testing.assert_array_equal(recording.signal, made["F"][[0, 2, 3, 4]].T)
    assert any("keep iscell 1: 4 of 5 cells" in decision for decision in recording.decisions)
    assert any("30 frames per second, as ops.npy says" in decision for decision in recording.decisions)


def test_floats_stay_floats_in_the_store(tmp_path):
    made = suite2p(tmp_path / "suite2p" / "plane0")
    with Writer(tmp_path / "store") as writer:
        writer.write(only(tmp_path))
    store = Store(tmp_path / "store")
    assert store.entry(0).extents["signal"].dtype == "<f4"
    np.testing.assert_array_equal(store.signal(0, 0, 600), made["F"][[0, 2, 3, 4]].T)


def test_cells_are_kept_as_the_sidecar_asks(tmp_path):
    suite2p(tmp_path / "plane0")
    assert len(only(tmp_path, {"keep": {"iscell": [0, 1]}}).ch_names) == 5
    assert only(tmp_path, {"keep": {"iscell_probability": {"min": 0.7}}}).ch_names == ("cell3", "cell4")


def test_neuropil_and_dff_are_options_and_told(tmp_path):
    made = suite2p(tmp_path / "plane0")
    kept = [0, 2, 3, 4]
    corrected = only(tmp_path, {"calcium": {"neuropil": 0.5}})
    np.testing.assert_allclose(corrected.signal, (made["F"] - 0.5 * made["Fneu"])[kept].T, rtol=1e-5)
    assert any("0.5 x neuropil is subtracted from F" in decision for decision in corrected.decisions)
    ratio = only(tmp_path, {"calcium": {"dff": {"window": 1e6, "percentile": 8}}})
    base = np.percentile(made["F"][kept], 8, axis=1, keepdims=True)
    np.testing.assert_allclose(ratio.signal, ((made["F"][kept] - base) / base).T, rtol=1e-4, atol=1e-5)
    assert ratio.units == ("dF/F",) * 4
    spikes = only(tmp_path, {"calcium": {"traces": "spks", "also": ["F"]}})
    np.testing.assert_array_equal(spikes.signal, made["spks"][kept].T)
    np.testing.assert_array_equal(spikes.streams["F"].values, made["F"][kept].T)


def test_a_baseline_that_is_not_positive_marks_the_cell_bad(tmp_path):
    made = suite2p(tmp_path / "plane0")
    made["F"][2] -= 200
    np.save(tmp_path / "plane0" / "F.npy", made["F"])
    recording = only(tmp_path, {"calcium": {"dff": {}}})
    assert recording.bads == ("cell2",)
    assert np.isfinite(recording.signal).all()


def test_planes_are_joined_and_cut_to_the_shortest(tmp_path):
    first, second = (suite2p(tmp_path / "suite2p" / f"plane{i}", n_times=600 - i, seed=i) for i in (0, 1))
    suite2p(tmp_path / "suite2p" / "combined", n_cells=10)
    recording = only(tmp_path)
    assert recording.ch_names[:5] == ("plane0_cell0", "plane0_cell2", "plane0_cell3", "plane0_cell4", "plane1_cell0")
    assert recording.ch_columns["plane"] == (0,) * 4 + (1,) * 4
    np.testing.assert_array_equal(recording.signal[:, 4], second["F"][0])
    np.testing.assert_array_equal(recording.signal[:, 0], first["F"][0, :599])


class _Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was run')",)


def test_no_pickle_is_run(tmp_path):
    suite2p(tmp_path / "plane0")
    header = (tmp_path / "plane0" / "stat.npy").read_bytes().split(b"\n", 1)[0] + b"\n"
    (tmp_path / "plane0" / "stat.npy").write_bytes(header + pickle.dumps(_Bomb()))
    (tmp_path / "plane0" / "ops.npy").write_bytes(header + pickle.dumps({"fs": 20.0, "x": _Bomb()}))
    assert only(tmp_path).sfreq == 20.0


def test_a_rate_that_ops_hides_must_be_stated(tmp_path):
    suite2p(tmp_path / "plane0", fs=np.float64(30.0))
    with pytest.raises(ValueError, match=r"ops.npy, which is pickled.*add `sfreq: 30`"):
        only(tmp_path)
    assert only(tmp_path, {"sfreq": 15}).sfreq == 15.0


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("value", [30.0, 30, 7.5])
def test_numbers_are_found_in_pickles_of_every_protocol(tmp_path, protocol, value):
    np.save(tmp_path / "ops.npy", np.array({}, dtype=object))
    header = (tmp_path / "ops.npy").read_bytes().split(b"\n", 1)[0] + b"\n"
    (tmp_path / "ops.npy").write_bytes(header + pickle.dumps({"a": "fs", "fs": value, "b": 3}, protocol))
    assert numbers_in(tmp_path / "ops.npy", ("fs", "b")) == {"fs": value, "b": 3}


def test_positions_come_from_stat_where_the_sidecar_trusts_it(tmp_path):
    suite2p(tmp_path / "plane0")
    recording = only(tmp_path, {"calcium": {"trust_pickle": True, "um_per_pixel": 2.0}})
    np.testing.assert_allclose(recording.ch_positions[1], [28e-6, 12e-6, 0])
    assert recording.ch_columns["npix"] == (10.0, 12.0, 13.0, 14.0)


def test_behaviour_and_trials_lie_beside(tmp_path):
    suite2p(tmp_path / "plane0")
    savemat(tmp_path / "track.mat", {"x": np.arange(400.0)[:, None], "t": (np.arange(400) / 20)[:, None]})
    (tmp_path / "trials.csv").write_text("t,kind\n2.0,left\n9.0,right\n")
    stated = {
        "streams": {"x": {"file": "track.mat", "timestamps": "t"}},
        "trials": {"file": "trials.csv", "onset": "t", "trial_type": "kind"},
    }
    recording = only(tmp_path, {"calcium": stated})
    assert recording.streams["x"].sfreq == 20.0
    np.testing.assert_array_equal(recording.streams["x"].values, np.arange(400))
    assert recording.events["onset"].tolist() == [2.0, 9.0]


def nwb(path: Path, ratio: bool = True, images: bool = False, blank: int = -1, **clock) -> np.ndarray:
    """Four regions of one plane, one of them no cell; dF/F and neuropil; a wheel and trials."""
    made = traces(4, 500, 5)
    file = NWBFile("x", "id", datetime(2026, 1, 1, tzinfo=UTC), session_id="s1")
    file.subject = Subject(subject_id="m1", species="Mus musculus")
    device = file.create_device("scope")
    channel = OpticalChannel(name="green", description="x", emission_lambda=510.0)
    plane = file.create_imaging_plane(
        name="plane", optical_channel=channel, description="x", device=device, excitation_lambda=920.0, indicator="GCaMP6f", location="V1",
    )  # fmt: skip
    module = file.create_processing_module("ophys", "x")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(name="cells", description="x", imaging_plane=plane)
    table.add_column("iscell", "verdict and probability")
    for i in range(4):
        image = np.zeros((6, 7))  # [x, y]
        image[[i, i + 2], 2 * i] = float(i != blank)
        mask = {"image_mask": image} if images else {"pixel_mask": [(i, 2 * i, 1.0), (i + 2, 2 * i, 1.0)]}
        table.add_roi(**mask, iscell=[float(i != 2), 0.5], id=100 + i)
    rois = table.create_roi_table_region("all", region=[0, 1, 2, 3])
    parent = DfOverF() if ratio else Fluorescence()
    module.add(parent)
    clock = clock or {"rate": 20.0, "starting_time": 5.0}
    parent.add_roi_response_series(RoiResponseSeries(name="dff", data=made.T, rois=rois, unit="dF/F", **clock))
    wheel = TimeSeries(name="wheel", data=np.arange(3000.0), unit="m", rate=100.0, starting_time=5.0)
    file.add_acquisition(wheel)
    file.add_trial(start_time=6.0, stop_time=7.0)
    file.add_trial(start_time=9.0, stop_time=10.0)
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return made


@pytest.mark.parametrize(("ratio", "images"), [(True, False), (False, False), (True, True)])
def test_nwb_traces_come_back_with_ids_regions_and_behaviour(tmp_path, ratio, images):
    made = nwb(tmp_path / "a.nwb", ratio, images)
    recording = only(tmp_path)
    assert (recording.name, recording.sfreq) == ("sub-m1_ses-s1", 20.0)
    np.testing.assert_array_equal(recording.signal, made[[0, 1, 3]].T)
    assert recording.ch_names == ("cell100", "cell101", "cell103")
    assert recording.units == ("dF/F",) * 3
    assert recording.ch_columns["region"] == ("V1",) * 3
    assert recording.ch_columns["x_pixel"] == (1.0, 2.0, 4.0)
    assert recording.ch_columns["y_pixel"] == (0.0, 2.0, 6.0)
    assert recording.streams["wheel"].start == 0.0
    assert recording.events["onset"].tolist() == [1.0, 4.0]
    assert recording.demographics == {"species": "Mus musculus"}


def test_a_region_without_pixels_has_no_place_and_the_others_keep_theirs(tmp_path):
    nwb(tmp_path / "a.nwb", images=True, blank=1)
    columns = only(tmp_path).ch_columns
    np.testing.assert_array_equal(columns["x_pixel"], [1.0, np.nan, 4.0])
    np.testing.assert_array_equal(columns["y_pixel"], [0.0, np.nan, 6.0])


def test_irregular_frames_are_brought_to_one_rate_or_refused(tmp_path):
    rng = np.random.default_rng(0)
    times = 5 + np.arange(500) / 20
    times[200:] += 2.0  # a pause
    made = nwb(tmp_path / "a.nwb", timestamps=times)
    recording = only(tmp_path)
    np.testing.assert_allclose(recording.segments, [[0, 10], [12, 27]])
    np.testing.assert_allclose(recording.signal[240:], made[[0, 1, 3], 200:].T)
    assert any("gap" in decision for decision in recording.decisions)
    nwb(tmp_path / "a.nwb", timestamps=np.cumsum(rng.exponential(0.05, 500)))
    with pytest.raises(ValueError, match=r"a.nwb: dff has timestamps at no regular rate"):
        only(tmp_path)


def test_plain_arrays_with_a_sidecar(tmp_path):
    made = traces(3, 200)
    np.savez(tmp_path / "m1.npz", dff=made, other=np.zeros((2, 2)), ids=np.array([7, 8, 9]))
    recording = only(
        tmp_path, {"modality": "calcium", "signal": "dff", "axes": ["channel", "time"], "sfreq": 30, "ch_names": "ids"}
    )
    np.testing.assert_array_equal(recording.signal, made.T)
    assert (recording.ch_names, recording.subject) == (("7", "8", "9"), "m1")
    with pytest.raises(ValueError, match=r"m1.npz has no variable 'df'.*write `signal: dff`"):
        only(tmp_path, {"modality": "calcium", "signal": "df", "axes": ["channel", "time"], "sfreq": 30})
    with pytest.raises(ValueError, match="axes: \\[channel, time\\]"):
        only(tmp_path, {"modality": "calcium", "signal": "dff", "sfreq": 30})


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    suite2p(tmp_path / "plane0")
    np.save(tmp_path / "plane0" / "iscell.npy", np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"iscell.npy has the shape \(4, 2\), expected \(5, 2\)"):
        only(tmp_path)


def test_each_kind_of_folder_is_claimed_by_one_reader(tmp_path):
    suite2p(tmp_path / "a" / "suite2p" / "plane0")
    caiman(tmp_path / "b.hdf5")
    nwb(tmp_path / "c.nwb")
    assert [type(reader).__name__ for reader, _ in find(tmp_path)] == ["Calcium"] * 3


def test_one_real_cell_with_its_position(shared_data, tmp_path):
    folder = shared_data("ca1_calcium_laps") / "one_cell_Linear_track_data"
    stated = {
        "root": str(folder), "modality": "calcium", "subject": "m1", "axes": ["time", "channel"], "exclude": ["behav*", "ca_time*"],
        "calcium": {"timestamps": {"file": "ca_time.mat", "values": "ca_time"}},
    }  # fmt: skip
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(stated))
    [source] = Calcium().sources(tmp_path / "one.yaml")
    recording = Calcium().read(source)
    assert recording.signal.shape[1] == 1
    assert recording.sfreq == pytest.approx(30, abs=0.1)
