"""Where units of Kilosort sit when only their templates tell it."""

import numpy as np
import pytest

from data_loaders.modalities.spikes import Spikes
from tests.data_loaders.modalities.test_spikes_sorted import phy

SITES = np.array([[0.0, 0.0], [16.0, 20.0], [0.0, 40.0]])


def kilosort(folder, largest=None, **changes):
    """Eight templates of three channels, largest where `largest` says (0 for the others), and no cluster_info.tsv."""
    phy(folder)
    (folder / "cluster_info.tsv").unlink()
    templates = np.zeros((8, 5, 3), np.float32)
    for i, channel in ({0: 1, 3: 0, 7: 2} if largest is None else largest).items():
        templates[i, :, :] = 0.1 * np.sin(np.arange(5))[:, None]
        templates[i, 2, channel] = -4.0
    arrays = {"templates": templates, "channel_positions": SITES} | changes
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return templates


def read(folder):
    (source,) = Spikes().sources(folder)
    return Spikes().read(source)


def test_units_sit_at_the_channel_of_their_largest_template(tmp_path):
    kilosort(tmp_path)
    recording = read(tmp_path)
    assert recording.ch_names == ("unit0", "unit7")
    np.testing.assert_allclose(recording.ch_positions, [[16e-6, 20e-6, 0], [0, 40e-6, 0]])
    assert recording.ch_columns["depth"] == (20.0, 40.0)
    assert any("no cluster_info.tsv" in decision for decision in recording.decisions)


def test_whitened_templates_are_led_back_to_voltage_first(tmp_path):
    inverse = np.diag([1.0, 1.0, 0.01])
    inverse[2, 0] = 1.0  # what stands on the third channel is mostly the first one's voltage
    kilosort(tmp_path, whitening_mat_inv=inverse)
    assert read(tmp_path).ch_columns["ch"] == (1, 0)


@pytest.mark.parametrize(
    ("left", "said"), [({}, "is not there"), ({"whitening_mat_inv": np.eye(4)}, "not of 3 channels")]
)
def test_templates_that_cannot_be_led_back_are_told(tmp_path, left, said):
    kilosort(tmp_path, **left)
    assert any("whitening_mat_inv.npy" in one and said in one for one in read(tmp_path).decisions)


def test_channels_that_are_listed_for_each_template_give_the_same_places(tmp_path):
    templates = kilosort(tmp_path / "dense")
    order = np.array([2, 0, 1])
    unused = np.full((8, 1), -1)
    listed = np.c_[np.tile(order, (8, 1)), unused]
    sparse = np.concatenate([templates[:, :, order], np.full((8, 5, 1), 9.0)], axis=2)
    sparse[:, 2, 3] = -9.0  # what stands in a column that is not used counts for nothing
    kilosort(tmp_path / "sparse", templates=sparse, templates_ind=listed.astype(float))
    np.testing.assert_array_equal(read(tmp_path / "sparse").ch_positions, read(tmp_path / "dense").ch_positions)


def test_a_merged_cluster_takes_the_template_of_most_of_its_spikes(tmp_path):
    kilosort(tmp_path)
    clusters = np.load(tmp_path / "spike_clusters.npy")
    np.save(tmp_path / "spike_templates.npy", np.where(np.arange(len(clusters)) % 3, 3, 7))
    (tmp_path / "cluster_group.tsv").write_text("cluster_id\tgroup\n9\tgood\n")
    (tmp_path / "cluster_KSLabel.tsv").unlink()
    np.save(tmp_path / "spike_clusters.npy", np.full(len(clusters), 9))
    assert read(tmp_path).ch_columns["ch"] == (0,)
    (tmp_path / "spike_templates.npy").unlink()
    recording = read(tmp_path)
    assert np.isnan(recording.ch_positions).all()
    assert any("1 of 1 units have none" in decision for decision in recording.decisions)


def test_templates_of_other_channels_are_refused_and_missing_ones_told(tmp_path):
    kilosort(tmp_path, channel_positions=SITES[:2])
    with pytest.raises(
        ValueError, match=r"templates.npy has the shape \(8, 5, 3\).*2 channels of channel_positions.npy"
    ):
        read(tmp_path)
    (tmp_path / "templates.npy").unlink()
    recording = read(tmp_path)
    assert recording.ch_positions is None
    assert any("units have no position" in decision for decision in recording.decisions)
