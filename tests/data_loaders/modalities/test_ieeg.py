"""iEEG from BIDS (mne-bids), FIF (MNE), EDF (edfio), BrainVision (pybv) and NWB (pynwb), and its derivations."""

import json
from datetime import UTC, datetime
from pathlib import Path

import mne
import mne_bids
import numpy as np
import pandas as pd
import pytest
import yaml
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import Position, SpatialSeries
from pynwb.ecephys import LFP, ElectricalSeries
from pynwb.file import Subject

from data_loaders.modalities.ieeg import IEEG
from data_loaders.prepare import find
from data_loaders.store import Store
from data_loaders.writer import Writer

CONTACTS = ("A1", "A2", "A3", "B1", "B2", "Temp1")

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning:mne"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:mne_bids"),
    pytest.mark.filterwarnings("ignore:Converting data files to BrainVision:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning:pybv"),
]


def only(folder: Path):
    [source] = IEEG().sources(folder)
    return IEEG().read(source)


@pytest.fixture
def dataset(tmp_path, make_raw):
    """One person with six depth contacts, a grip sensor, positions in MNI space, regions and groups."""
    raw = make_raw([*CONTACTS, "grip"], ["seeg"] * 6 + ["misc"])
    raw.info["line_freq"] = 50
    where = {name: np.array([0.01 * i, 0.02, 0.03]) for i, name in enumerate(CONTACTS)}
    raw.set_montage(mne.channels.make_dig_montage(where, coord_frame="mni_tal"))
    raw.set_annotations(mne.Annotations([1, 4], [0.5, 1], ["go", "BAD_jump"]))
    path = mne_bids.BIDSPath(subject="01", task="grip", datatype="ieeg", root=tmp_path / "ds")
    mne_bids.write_raw_bids(raw, path, format="BrainVision", allow_preload=True, acpc_aligned=True, verbose="error")
    table = next((tmp_path / "ds").rglob("*electrodes.tsv"))
    rows = pd.read_csv(table, sep="\t").set_index("name")
    rows["region"] = pd.Series({"A1": "CA1", "A2": "CA1", "A3": "DG", "B1": "M1", "B2": "n/a", "Temp1": "STG"})
    rows["group"] = pd.Series({name: name[0] for name in CONTACTS})
    rows.reset_index().to_csv(table, sep="\t", index=False, na_rep="n/a")
    return tmp_path / "ds"


def test_a_bids_dataset_gives_signal_positions_regions_and_events(dataset, make_raw):
    recording = only(dataset)
    assert (recording.modality, recording.name) == ("ieeg", "sub-01_task-grip")
    assert recording.ch_names == CONTACTS
    assert recording.ch_types == ("seeg",) * 6
    assert recording.units == ("V",) * 6
    truth = make_raw([*CONTACTS, "grip"], ["seeg"] * 6 + ["misc"]).get_data()
    np.testing.assert_allclose(recording.signal.T, truth[:6], atol=1e-9)
    np.testing.assert_allclose(recording.ch_positions[1], [0.01, 0.02, 0.03], atol=1e-6)
    assert recording.ch_columns["region"] == ("CA1", "CA1", "DG", "M1", "", "STG")
    assert recording.ch_columns["group"] == ("A", "A", "A", "B", "B", "T")
    assert (
        recording.ch_columns["space"] == ("MNI152NLin2009bAsym",) * 6 or "fsaverage" in recording.ch_columns["space"][0]
    )
    assert recording.streams["misc"].names == ("grip",)
    assert recording.events["trial_type"].tolist() == ["go"]
    np.testing.assert_allclose(recording.segments, [[0, 4], [5, 10]])


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1e3), ("cm", 1e2), ("m", 1.0)])
def test_positions_are_metres_whatever_the_coordsystem_says(dataset, unit, factor):
    table = next(dataset.rglob("*electrodes.tsv"))
    rows = pd.read_csv(table, sep="\t", keep_default_na=False)
    for axis in "xyz":
        rows[axis] = [value if value == "n/a" else float(value) * factor for value in rows[axis]]
    rows.to_csv(table, sep="\t", index=False)
    system = next(dataset.rglob("*coordsystem.json"))
    system.write_text(json.dumps(json.loads(system.read_text()) | {"iEEGCoordinateUnits": unit}))
    np.testing.assert_allclose(only(dataset).ch_positions[1], [0.01, 0.02, 0.03], atol=1e-6)


def test_mni_positions_go_before_those_of_one_persons_scan(dataset):
    table = next(dataset.rglob("*electrodes.tsv"))
    rows = pd.read_csv(table, sep="\t", keep_default_na=False)
    mni = table.with_name("sub-01_space-MNI152Lin_electrodes.tsv")
    rows.assign(x=["0.5"] * len(rows)).to_csv(mni, sep="\t", index=False)
    system = {"iEEGCoordinateSystem": "MNI152Lin", "iEEGCoordinateUnits": "m"}
    mni.with_name("sub-01_space-MNI152Lin_coordsystem.json").write_text(json.dumps(system))
    recording = only(dataset)
    assert recording.ch_columns["space"] == ("MNI152Lin",) * 6
    assert (recording.ch_positions[:, 0] == 0.5).all()


def test_an_electrodes_table_that_names_a_contact_twice_is_refused(dataset):
    table = next(dataset.rglob("*electrodes.tsv"))
    rows = pd.read_csv(table, sep="\t", keep_default_na=False)
    rows.assign(name=["A1", "A1", *rows["name"][2:]]).to_csv(table, sep="\t", index=False)
    with pytest.raises(ValueError, match=r"electrodes.tsv names a contact twice"):
        only(dataset)


def test_a_fif_file_says_itself_that_it_is_intracranial(tmp_path, make_raw):
    raw = make_raw(["A1", "A2", "E1", "Cz"], ["seeg", "ecog", "dbs", "eeg"])
    raw.set_montage(mne.channels.make_dig_montage({"A1": [0.01, 0.02, 0.03]}, coord_frame="head"), on_missing="ignore")
    raw.save(tmp_path / "p1_raw.fif", fmt="double", verbose="error")
    recording = only(tmp_path)
    assert recording.ch_types == ("seeg", "ecog", "dbs", "eeg")
    np.testing.assert_allclose(recording.ch_positions[0], [0.01, 0.02, 0.03], atol=1e-6)
    assert recording.ch_columns["space"][0] == "head"
    np.testing.assert_allclose(recording.signal.T, raw.get_data(), rtol=1e-6)


def test_edf_and_brainvision_are_intracranial_where_the_sidecar_says_so(tmp_path, make_raw):
    import edfio
    import pybv

    raw = make_raw(["POL A1", "POL A2", "DC01", "EOG1"], "eeg")
    signals = [
        edfio.EdfSignal(row * 1e6, 100.0, label=n, physical_dimension="uV")
        for n, row in zip(raw.ch_names, raw.get_data(), strict=True)
    ]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    pybv.write_brainvision(
        data=raw.get_data(), sfreq=100.0, ch_names=["G1", "G2", "G3", "DC01"], fname_base="b", folder_out=tmp_path,
        resolution=0.1, unit="µV", fmt="binary_int16",
    )  # fmt: skip
    (tmp_path / "brainfm.yaml").write_text("modality: ieeg\n")
    (tmp_path / "b.yaml").write_text("ch_types: ecog\n")
    edf, vision = (IEEG().read(source) for source in IEEG().sources(tmp_path))
    assert (edf.ch_names, edf.ch_types) == (("A1", "A2"), ("seeg", "seeg"))
    assert set(edf.streams) == {"eog", "misc"}
    assert (vision.ch_names, vision.ch_types) == (("G1", "G2", "G3"), ("ecog",) * 3)
    assert edf.gain is not None
    assert vision.gain is not None
    np.testing.assert_allclose(vision.signal.T, raw.get_data()[:3], atol=1.01e-7)


def nwb_file(path: Path, **changes) -> np.ndarray:
    """Four contacts on two groups, int16 at 250 Hz from 2.5 s on, with gains of their own; behaviour and trials. Returns volts."""
    steps = np.random.default_rng(0).integers(-3000, 3000, (5000, 4)).astype(np.int16)
    file = NWBFile("a session", "id1", datetime(2026, 1, 1, tzinfo=UTC), session_id="ses 1")
    file.subject = Subject(subject_id="P-1", species="Homo sapiens", sex="F", age="P30Y")
    device = file.create_device("depth")
    groups = [
        file.create_electrode_group(name, description="sEEG", location="x", device=device) for name in ("LA", "LB")
    ]
    file.add_electrode_column("label", "name")
    file.add_electrode_column("impedance_kohm", "kilo-ohms")
    for i in range(4):
        file.add_electrode(
            x=10.0 * i, y=20.0, z=-30.0, location=["CA1", "CA1", "M1", "unknown"][i], group=groups[i // 2],
            label=f"L{'AB'[i // 2]}{i % 2 + 1}", impedance_kohm=5.0 + i,
        )  # fmt: skip
    about = {
        "rate": 250.0, "starting_time": 2.5, "conversion": 1e-6, "channel_conversion": [0.2, 0.2, 0.1, 0.1], "offset": 1e-5,
        "electrodes": file.create_electrode_table_region([0, 1, 2, 3], "all"),
    } | changes  # fmt: skip
    lfp = LFP()
    file.create_processing_module("ecephys", "x").add(lfp)
    series = ElectricalSeries(name="lfp", data=steps, **{k: v for k, v in about.items() if v is not None})
    lfp.add_electrical_series(series)
    file.add_acquisition(TimeSeries(name="grip", data=np.arange(200.0), unit="N", rate=10.0, starting_time=2.5))
    where = {"data": np.arange(400.0).reshape(200, 2), "timestamps": 2.5 + np.arange(200) / 10}
    place = SpatialSeries(name="hand", reference_frame="x", **where)
    file.create_processing_module("behavior", "x").add(Position(spatial_series=place))
    file.add_trial_column("condition", "kind")
    for i, kind in enumerate(["left", "right"] * 2):
        file.add_trial(start_time=3.0 + 4 * i, stop_time=5.0 + 4 * i, condition=kind)
    file.add_invalid_time_interval(start_time=18.5, stop_time=19.5)
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return steps * 1e-6 * np.array([0.2, 0.2, 0.1, 0.1]) + 1e-5


def test_an_electrical_series_comes_back_in_volts_with_its_electrodes(tmp_path):
    volts = nwb_file(tmp_path / "p1.nwb")
    recording = only(tmp_path)
    assert (recording.subject, recording.session, recording.sfreq) == ("P1", "ses1", 250.0)
    np.testing.assert_allclose(recording.signal, volts, rtol=1e-9)
    assert recording.ch_names == ("LA1", "LA2", "LB1", "LB2")
    np.testing.assert_allclose(recording.ch_positions[1], [0.01, 0.02, -0.03])
    assert recording.ch_columns["region"] == ("CA1", "CA1", "M1", "unknown")
    assert recording.ch_columns["group"] == ("LA", "LA", "LB", "LB")
    assert recording.ch_columns["impedance_kohm"] == (5.0, 6.0, 7.0, 8.0)
    assert recording.demographics == {"species": "Homo sapiens", "sex": "F", "age": "P30Y"}


def test_time_counts_from_the_first_sample(tmp_path):
    nwb_file(tmp_path / "p1.nwb")
    recording = only(tmp_path)
    assert recording.events["onset"].tolist() == [0.5, 4.5, 8.5, 12.5]
    assert recording.events["trial_type"].tolist() == ["left", "right"] * 2
    assert recording.streams["grip"].start == 0.0
    assert recording.streams["hand"].names == ("x", "y")
    np.testing.assert_array_equal(recording.streams["hand"].values[3], [6, 7])
    np.testing.assert_allclose(recording.segments, [[0, 16], [17, 20]])


def test_its_integers_are_stored_without_loss(tmp_path):
    volts = nwb_file(tmp_path / "p1.nwb")
    with Writer(tmp_path / "store") as writer:
        writer.write(only(tmp_path))
    store = Store(tmp_path / "store")
    assert store.entry(0).extents["signal"].dtype == "<i2"
    np.testing.assert_allclose(store.signal(0, 0, 5000), volts, rtol=1e-5, atol=1e-12)


def test_timestamps_with_a_gap_cut_the_segments(tmp_path):
    times = 2.5 + np.arange(5000) / 250
    times[3000:] += 1.0
    nwb_file(tmp_path / "p1.nwb", rate=None, starting_time=None, timestamps=times)
    recording = only(tmp_path)
    assert recording.sfreq == 250.0
    assert recording.duration == pytest.approx(21.0)
    np.testing.assert_allclose(recording.segments, [[0, 12], [13, 16], [17, 20]])
    assert any("gap" in decision for decision in recording.decisions)


def test_timestamps_at_no_rate_are_refused(tmp_path):
    wild = np.cumsum(np.random.default_rng(0).exponential(1 / 250, 5000))
    nwb_file(tmp_path / "p1.nwb", rate=None, starting_time=None, timestamps=wild)
    with pytest.raises(ValueError, match=r"p1.nwb: lfp has timestamps at no regular rate"):
        only(tmp_path)


def test_conversion_of_zero_is_refused(tmp_path):
    nwb_file(tmp_path / "p1.nwb", conversion=0.0)
    with pytest.raises(ValueError, match=r"p1.nwb: lfp has a conversion of 0"):
        only(tmp_path)


def test_the_sidecar_names_one_of_several_series(tmp_path):
    nwb_file(tmp_path / "p1.nwb")
    with NWBHDF5IO(tmp_path / "p1.nwb", "a") as io:
        file = io.read()
        region = file.create_electrode_table_region([0], "one")
        noise = 1e-5 * np.random.default_rng(1).normal(size=(500, 1))
        file.add_acquisition(ElectricalSeries(name="raw", data=noise, electrodes=region, rate=1000.0))
        io.write(file)
    assert only(tmp_path).sfreq == 250.0
    assert any("lfp is read" in decision for decision in only(tmp_path).decisions)
    (tmp_path / "brainfm.yaml").write_text(yaml.safe_dump({"modality": "ieeg", "signal": "raw"}))
    assert only(tmp_path).sfreq == 1000.0
    (tmp_path / "brainfm.yaml").write_text(yaml.safe_dump({"modality": "ieeg", "signal": "rwa"}))
    with pytest.raises(ValueError, match="signal: raw"):
        only(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    nwb_file(tmp_path / "p1.nwb")
    (tmp_path / "p1.nwb").write_bytes((tmp_path / "p1.nwb").read_bytes()[:20_000])
    with pytest.raises(ValueError, match=r"p1.nwb cannot be read"):
        only(tmp_path)


def test_prepare_finds_both_kinds_of_folder(dataset, tmp_path):
    nwb_file(tmp_path / "p1.nwb")
    assert {type(reader).__name__ for reader, _ in find(tmp_path)} == {"IEEG"}
    assert len(find(tmp_path)) == 2


def test_real_gripforce_positions_and_types(shared_data):
    folder = shared_data("ecog_gripforce")
    [source] = IEEG().sources(folder)
    with pytest.raises(ValueError, match="scale: 1e-06"):
        IEEG().read(source)
