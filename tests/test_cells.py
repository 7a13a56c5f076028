"""Cells and electrodes from folder to batch: inspect writes a recipe that runs, and prepare keeps what it is asked to."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ecephys import ElectricalSeries

from brainfm.cli import main
from brainfm.recipe import Recipe
from data_loaders.inspect import inspect, starter_recipe
from data_loaders.prepare import prepare
from data_loaders.store import Store


def starts(source: Path, home: Path, **asked: str) -> dict:
    """The starter recipe of a folder, after one batch of it was run on its store."""
    text = starter_recipe(inspect(source, **asked), home / "store", str(home / "starter.yaml"))
    (home / "starter.yaml").write_text(text)
    recipe = yaml.safe_load(text)
    prepare(Path(recipe["prepare"]["source"]), home / "store", **asked)
    assert np.isfinite(Recipe.read([home / "starter.yaml"]).rehearse()["loss"])
    return recipe


def test_grip_force_and_electrodes(shared_data, tmp_path):
    recipe = starts(shared_data("ecog_gripforce"), tmp_path, sidecar="gripforce")
    assert recipe["data"]["init_args"]["targets"] == ["stream.misc"]


def test_laps_and_imaged_cells(shared_data, tmp_path):
    recipe = starts(shared_data("ca1_calcium_laps"), tmp_path, sidecar="ca1_laps")
    assert recipe["data"]["init_args"]["targets"] == ["stream.angle"]
    assert recipe["encoder"]["class_path"].endswith("GRU")


def phy(folder: Path) -> None:
    rng = np.random.default_rng(0)
    folder.mkdir()
    np.save(folder / "spike_times.npy", np.sort(rng.integers(0, 3_000_000, 3000)))
    np.save(folder / "spike_clusters.npy", rng.choice([0, 3, 7], 3000))
    (folder / "params.py").write_text("sample_rate = 30000.\n")
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n3\tmua\n7\tgood\n")
    np.savez(folder / "track.npz", x=np.sin(np.arange(1000) / 20))
    stated = {"modality": "spikes", "spikes": {"streams": {"x": {"file": "track.npz", "sfreq": 10}}}}
    (folder / "brainfm.yaml").write_text(yaml.safe_dump(stated))


def test_a_sorted_folder_of_phy(tmp_path):
    phy(tmp_path / "m1")
    assert starts(tmp_path / "m1", tmp_path)["data"]["init_args"]["targets"] == ["stream.x"]


def test_prepare_keeps_what_it_is_asked_to_and_says_how_many(tmp_path, capsys):
    phy(tmp_path / "m1")
    main(["prepare", str(tmp_path / "m1"), str(tmp_path / "store"), "--keep", "{quality: [good]}"])
    assert "keep quality in good: 2 of 3 units" in capsys.readouterr().out
    assert Store(tmp_path / "store").entry(0).ch_names == ("unit0", "unit7")
    with pytest.raises(ValueError, match=r"(?s)rate.*leaves none of 3 units"):
        prepare(tmp_path / "m1", tmp_path / "other", keep={"rate": {"min": 1000.0}})


def test_one_nwb_file_with_two_kinds_asks_which_and_keeps_them_apart(tmp_path):
    file = NWBFile("x", "id", datetime(2026, 1, 1, tzinfo=UTC), session_id="s1")
    group = file.create_electrode_group("A", description="depth", location="CA1", device=file.create_device("d"))
    file.add_electrode(location="CA1", group=group)
    region = file.create_electrode_table_region([0], "all")
    noise = 1e-5 * np.random.default_rng(0).standard_normal((1000, 1))
    file.add_acquisition(ElectricalSeries(name="lfp", data=noise, electrodes=region, rate=100.0))
    file.add_unit(spike_times=[1.0, 2.0, 3.0])
    with NWBHDF5IO(tmp_path / "a.nwb", "w") as io:
        io.write(file)
    with pytest.raises(ValueError, match=r"a.nwb holds more than one kind of recording.*--modality"):
        prepare(tmp_path / "a.nwb", tmp_path / "both")
    prepare(tmp_path / "a.nwb", tmp_path / "units", modality="spikes")
    prepare(tmp_path / "a.nwb", tmp_path / "volts", modality="ieeg")
    assert Store(tmp_path / "units").entry(0).has_spikes
    assert Store(tmp_path / "volts").entry(0).ch_types == ("seeg",)
    with pytest.raises(ValueError, match="as spikes: prepare its ieeg into another store"):
        prepare(tmp_path / "a.nwb", tmp_path / "units", modality="ieeg")
