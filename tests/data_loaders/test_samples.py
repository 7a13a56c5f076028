"""The recordings that ship: small, licensed, true to their sources, and read by our own readers."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from data_loaders import samples
from data_loaders.prepare import prepare
from data_loaders.store import Store

FOLDER = Path(samples.__file__).parent


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> dict[str, Store]:
    base = tmp_path_factory.mktemp("stores")
    return {name: Store(prepare(samples.path(name), base / name)) for name in ("reaching", "meg")}


def test_all_samples_together_are_at_most_8_mb():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 8e6


def test_readme_gives_size_source_licence_and_attribution_of_each_sample():
    readme = (FOLDER / "README.md").read_text()
    for sidecar in FOLDER.glob("*/brainfm.yaml"):
        [recording] = sidecar.parent.glob("*.npz")
        assert f"{recording.stat().st_size:,} bytes" in readme
        section = readme.partition(f"## {sidecar.parent.name}\n")[2].partition("\n## ")[0]
        assert all(word in section for word in ("**Source.**", "**Licence.**", "**Attribution.**", "**Changes.**"))


def test_an_unknown_sample_names_those_there_are():
    with pytest.raises(ValueError, match="'meg', 'reaching'"):
        samples.path("reching")


def test_reaching_sample_holds_the_spikes_of_its_source_exactly(stores, shared_data):
    with h5py.File(shared_data("perich_miller_reaching") / "c_20131022_center_out_reaching.h5") as file:
        times, units, velocity = file["spikes/timestamps"][()], file["spikes/unit_index"][()], file["cursor/vel"][()]
    spikes = stores["reaching"].spikes(0, 0.0, 1000.0)
    assert np.array_equal(spikes.times, times)
    assert np.array_equal(spikes.channels, units)
    kept = stores["reaching"].stream(0, "cursor_vel", 0, len(velocity))
    assert np.abs(kept - velocity).max() < 2.73e-05


def test_reaching_sample_and_the_reader_of_its_source_agree_on_segments_and_trials(stores, shared_data, tmp_path):
    source = Store(prepare(shared_data("perich_miller_reaching") / "c_20131022_center_out_reaching.h5", tmp_path))
    assert np.array_equal(stores["reaching"].entry(0).segments, source.entry(0).segments)
    trials = source.events[source.events["trial_type"].str.startswith("trials/")]
    assert np.array_equal(stores["reaching"].events["onset"], trials["onset"])
    assert [f"trials/{kind}" for kind in stores["reaching"].events["trial_type"]] == list(trials["trial_type"])


def test_meg_sample_strays_from_its_source_by_less_than_a_five_thousandth_of_a_standard_deviation(stores, shared_data):
    with np.load(shared_data("mne_meg_sample") / "meg_epochs_227x203x58.npz") as file:
        truth, conditions = file["data"], file["cond_names"][file["cond_idx"] - 1]
    entry = stores["meg"].entry(0)
    kept = stores["meg"].signal(0, 0, entry.n_times).reshape(227, 58, 203).transpose(0, 2, 1)
    error = np.abs(kept - truth).max(axis=(0, 2))
    assert (error / truth.std(axis=(0, 2))).max() < 2e-4
    assert [c.split("=")[0] for c in conditions] == list(stores["meg"].events["trial_type"])


def test_meg_sample_stays_int16_in_the_store_and_knows_its_sensors(stores):
    entry = stores["meg"].entry(0)
    assert entry.extents["signal"].dtype == "<i2"
    assert entry.ch_types == ("grad",) * 203
    radius = np.linalg.norm(entry.ch_positions, axis=1)
    assert ((radius > 0.07) & (radius < 0.18)).all()  # the helmet, in metres from the middle of the head
    assert len(entry.segments) == 227
