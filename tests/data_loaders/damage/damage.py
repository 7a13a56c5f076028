"""Whole recordings of every format, written by the field's libraries, and ways to damage each of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import edfio
import h5py
import mne
import numpy as np
import pybv
import yaml
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.ecephys import ElectricalSeries
from pynwb.file import Subject
from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel, RoiResponseSeries
from scipy.io import savemat

Damage = Callable[[Path], object]
NAMES = ("Fp1", "Fp2", "C3", "Cz", "C4")
CUTS = (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)


def volts(n_times: int = 1000, n_chans: int = 5) -> np.ndarray:
    return 2e-5 * np.random.default_rng(0).standard_normal((n_chans, n_times))


def sidecar(folder: Path, **stated) -> None:
    (folder / "brainfm.yaml").write_text(yaml.safe_dump(stated))


def restated(**changes) -> Damage:
    """The sidecar says something else; a key with None goes."""

    def change(folder: Path) -> None:
        stated = yaml.safe_load((folder / "brainfm.yaml").read_text()) | changes
        sidecar(folder, **{key: value for key, value in stated.items() if value is not None})

    return change


def cut(name: str, share: float) -> Damage:
    def change(folder: Path) -> None:
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return change


def flipped(name: str, seed: int, low: int = 0, high: int | None = None) -> Damage:
    """Eight bits of a stretch of the file, chosen by the seed, turned over."""

    def change(folder: Path) -> None:
        path = folder / name
        whole = bytearray(path.read_bytes())
        rng = np.random.default_rng(seed)
        for at in rng.integers(low, min(high or len(whole), len(whole)), 8):
            whole[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(whole))

    return change


def put(name: str, at: int, text: bytes) -> Damage:
    def change(folder: Path) -> None:
        whole = bytearray((folder / name).read_bytes())
        whole[at : at + len(text)] = text
        (folder / name).write_bytes(bytes(whole))

    return change


def swapped(name: str, old: str, new: str) -> Damage:
    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text, old
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")

    return change


def gone(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def resaved(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    return lambda folder: np.save(folder / name, change(np.load(folder / name)))


def rezipped(name: str, **changes: Callable[[np.ndarray], np.ndarray]) -> Damage:
    def change(folder: Path) -> None:
        with np.load(folder / name) as file:
            arrays = {key: file[key] for key in file.files}
        np.savez(folder / name, **arrays | {key: edit(arrays[key]) for key, edit in changes.items()})

    return change


def h5(name: str, change: Callable[[h5py.File], object]) -> Damage:
    def damage(folder: Path) -> None:
        with h5py.File(folder / name, "r+") as file:
            change(file)

    return damage


def rewritten(key: str, change: Callable[[np.ndarray], object]) -> Callable[[h5py.File], None]:
    """An HDF5 dataset replaced, its attributes kept."""

    def edit(file: h5py.File) -> None:
        attrs, value = dict(file[key].attrs), change(file[key][()])
        del file[key]
        file[key] = value
        for name, attr in attrs.items():
            file[key].attrs[name] = attr

    return edit


def edf(folder: Path) -> None:
    signals = [
        edfio.EdfSignal(row * 1e6, 100.0, label=name, physical_dimension="uV")
        for name, row in zip(NAMES, volts(), strict=True)
    ]
    edfio.Edf(signals, data_record_duration=1).write(folder / "s01.edf")


def bdf(folder: Path) -> None:
    signals = [
        edfio.BdfSignal(row * 1e6, 100.0, label=name, physical_dimension="uV")
        for name, row in zip(NAMES, volts(), strict=True)
    ]
    edfio.Bdf(signals, data_record_duration=1).write(folder / "s01.bdf")


def brainvision(folder: Path) -> None:
    pybv.write_brainvision(data=volts(), sfreq=100.0, ch_names=list(NAMES), fname_base="s01", folder_out=folder)


def fif(folder: Path) -> None:
    info = mne.create_info(list(NAMES), 100.0, "eeg")
    mne.io.RawArray(volts(), info, verbose="error").save(folder / "s01_raw.fif", verbose="error")


def fif_gz(folder: Path) -> None:
    info = mne.create_info(list(NAMES), 100.0, "seeg")
    mne.io.RawArray(volts(), info, verbose="error").save(folder / "s01_raw.fif.gz", verbose="error")


def eeg_npz(folder: Path) -> None:
    np.savez_compressed(
        folder / "s01.npz", x=volts().reshape(5, 10, 100).transpose(1, 0, 2), y=np.arange(10) % 2, names=np.array(NAMES)
    )
    sidecar(
        folder,
        modality="eeg",
        signal="x",
        axes=["trial", "channel", "time"],
        sfreq=100,
        unit="V",
        labels="y",
        ch_names="names",
    )


def eeg_mat(folder: Path) -> None:
    savemat(folder / "s01.mat", {"x": volts(), "trig": np.repeat([0, 1, 0, 2], 250)}, do_compression=True)
    sidecar(folder, modality="eeg", signal="x", axes=["channel", "time"], sfreq=100, unit="V", trigger="trig")


def _nwb() -> NWBFile:
    file = NWBFile("x", "id", datetime(2026, 1, 1, tzinfo=UTC), session_id="s1")
    file.subject = Subject(subject_id="m1", species="Mus musculus")
    file.add_acquisition(TimeSeries(name="wheel", data=np.arange(1000.0), unit="m", rate=100.0, starting_time=0.0))
    for start in (1.0, 4.0):
        file.add_trial(start_time=start, stop_time=start + 2)
    return file


def _saved(file: NWBFile, folder: Path) -> None:
    with NWBHDF5IO(folder / "s01.nwb", "w") as io:
        io.write(file)


def _electrodes(file: NWBFile) -> None:
    group = file.create_electrode_group("A", description="depth", location="CA1", device=file.create_device("d"))
    for i in range(3):
        file.add_electrode(x=1.0 * i, y=2.0, z=3.0, location="CA1", group=group)


def nwb_volts(folder: Path) -> None:
    file = _nwb()
    _electrodes(file)
    region = file.create_electrode_table_region([0, 1, 2], "all")
    steps = np.random.default_rng(0).integers(-300, 300, (1000, 3)).astype(np.int16)
    times = np.arange(1000) / 100
    file.add_acquisition(ElectricalSeries(name="lfp", data=steps, electrodes=region, timestamps=times, conversion=1e-6))
    _saved(file, folder)


def nwb_rate(folder: Path) -> None:
    file = _nwb()
    _electrodes(file)
    region = file.create_electrode_table_region([0, 1, 2], "all")
    steps = np.random.default_rng(0).integers(-300, 300, (1000, 3)).astype(np.int16)
    file.add_acquisition(ElectricalSeries(name="lfp", data=steps, electrodes=region, rate=100.0, conversion=1e-6))
    _saved(file, folder)


def nwb_units(folder: Path) -> None:
    file = _nwb()
    _electrodes(file)
    rng = np.random.default_rng(0)
    for i in range(3):
        file.add_unit(spike_times=np.sort(rng.uniform(0, 10, 50)), electrodes=[i], obs_intervals=[[0.0, 10.0]])
    _saved(file, folder)


def nwb_cells(folder: Path) -> None:
    file = _nwb()
    channel = OpticalChannel(name="green", description="x", emission_lambda=510.0)
    plane = file.create_imaging_plane(
        name="plane", optical_channel=channel, description="x", device=file.create_device("d"), excitation_lambda=920.0,
        indicator="GCaMP6f", location="V1",
    )  # fmt: skip
    module = file.create_processing_module("ophys", "x")
    segmentation, ratio = ImageSegmentation(), DfOverF()
    module.add(segmentation)
    module.add(ratio)
    table = segmentation.create_plane_segmentation(name="cells", description="x", imaging_plane=plane)
    for i in range(3):
        table.add_roi(pixel_mask=[(i, i, 1.0)])
    rois = table.create_roi_table_region("all", region=[0, 1, 2])
    data = np.random.default_rng(0).standard_normal((300, 3))
    ratio.add_roi_response_series(
        RoiResponseSeries(name="dff", data=data, rois=rois, unit="1", timestamps=np.arange(300) / 30)
    )
    _saved(file, folder)


def suite2p(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for plane in (0, 1):
        where = folder / f"plane{plane}"
        where.mkdir()
        for name in ("F", "Fneu", "spks"):
            np.save(where / f"{name}.npy", 100 + rng.standard_normal((4, 300)).astype(np.float32))
        np.save(where / "iscell.npy", np.stack([np.array([1.0, 0, 1, 1]), np.full(4, 0.5)], 1))
        np.save(where / "ops.npy", np.array({"fs": 30.0, "nplanes": 2}, dtype=object))
    sidecar(folder, calcium={"neuropil": 0.7})


def caiman(folder: Path) -> None:
    with h5py.File(folder / "s01.hdf5", "w") as file:
        file["estimates/C"] = np.random.default_rng(0).standard_normal((4, 300))
        file["estimates/idx_components"], file["params/data/fr"] = np.array([0, 2, 3]), 30.0


def phy(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(folder / "spike_times.npy", np.sort(rng.integers(0, 300_000, 300)))
    np.save(folder / "spike_clusters.npy", rng.choice([0, 3, 7], 300))
    (folder / "params.py").write_text("sample_rate = 30000.\n")
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n3\tmua\n7\tgood\n")


def temporal(folder: Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(folder / "s01.h5", "w") as file:
        file.attrs["object"] = "Data"
        for name, kind in (
            ("spikes", "IrregularTimeSeries"),
            ("cursor", "IrregularTimeSeries"),
            ("units", "ArrayDict"),
            ("domain", "Interval"),
        ):
            file.create_group(name).attrs["object"] = kind
        file["spikes/timestamps"], file["spikes/unit_index"] = np.sort(rng.uniform(0, 10, 300)), rng.integers(0, 3, 300)
        file["cursor/timestamps"], file["cursor/vel"] = np.arange(1000) / 100, rng.standard_normal((1000, 2))
        file["units/id"] = np.array(["a", "b", "c"], dtype=h5py.string_dtype())
        file["domain/start"], file["domain/end"] = [0.0], [10.0]


def spike_npz(folder: Path) -> None:
    rng = np.random.default_rng(0)
    spikes = {
        "spike_times": np.sort(rng.uniform(0, 10, 300)),
        "spike_units": rng.integers(0, 3, 300),
        "vel": rng.standard_normal(1000),
    }
    np.savez_compressed(folder / "s01.npz", **spikes, starts=np.array([1.0, 4.0]), kinds=np.array(["a", "b"]))
    stated = {"streams": {"vel": {"sfreq": 100}}, "trials": {"onset": "starts", "trial_type": "kinds"}}
    sidecar(
        folder, modality="spikes", spikes=stated | {"segments": [[0.0, 5.0], [5.0, 10.0]], "ch_names": ["a", "b", "c"]}
    )


def bids(folder: Path) -> None:
    """A small dataset of intracranial EEG, written file by file as mne-bids writes it."""
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "x", "BIDSVersion": "1.9.0"}))
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-01\t31\n")
    where = folder / "sub-01" / "ieeg"
    where.mkdir(parents=True)
    names = ["A1", "A2", "A3", "B1", "B2"]
    pybv.write_brainvision(data=volts(), sfreq=100.0, ch_names=names, fname_base="sub-01_task-x_ieeg", folder_out=where)
    rows = "".join(f"{name}\tSEEG\tµV\tgood\n" for name in names)
    (where / "sub-01_task-x_channels.tsv").write_text("name\ttype\tunits\tstatus\n" + rows, encoding="utf-8")
    rows = "".join(f"{name}\t{i}.0\t2.0\t3.0\tCA1\n" for i, name in enumerate(names))
    (where / "sub-01_space-MNI152Lin_electrodes.tsv").write_text("name\tx\ty\tz\tregion\n" + rows)
    system = {"iEEGCoordinateSystem": "MNI152Lin", "iEEGCoordinateUnits": "mm"}
    (where / "sub-01_space-MNI152Lin_coordsystem.json").write_text(json.dumps(system))
    (where / "sub-01_task-x_ieeg.json").write_text(
        json.dumps({"TaskName": "x", "SamplingFrequency": 100, "PowerLineFrequency": 50, "RecordingDuration": 9.99})
    )
    (where / "sub-01_task-x_events.tsv").write_text("onset\tduration\ttrial_type\n1.0\t0.5\tgo\n4.0\t0.5\tstop\n")
