"""Values per channel become the image they came from: volume, surface, grayordinates; some channels, several maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loaders.formats import space

nib = pytest.importorskip("nibabel")
AFFINE = np.array([[-3.0, 0.0, 0.1, 40.0], [0.0, 2.5, 0.0, -30.0], [0.0, 0.0, 4.0, 5.0], [0.0, 0.0, 0.0, 1.0]])


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_every_place_keeps_the_number_of_its_channel(seed, parcels):
    rng = np.random.default_rng(seed)
    inside = rng.random((3, 4, 2)) < 0.5
    channel = np.full(inside.shape, -1)
    channel[inside] = rng.integers(0, 5, inside.sum()) if parcels else np.arange(inside.sum())
    np.testing.assert_array_equal(space.channels(space.volume(channel, AFFINE)), channel)


def test_voxel_values_come_back_at_their_voxels_through_a_file(tmp_path):
    mask = np.zeros((4, 5, 3), bool)
    mask[1, 2, 0] = mask[3, 4, 2] = mask[0, 0, 1] = True
    channel = np.where(mask, np.cumsum(mask).reshape(mask.shape) - 1, -1)
    where = space.volume(channel, AFFINE, "MNI152NLin2009cAsym")
    (path,) = space.save(space.to_image(where, np.array([10.0, 20.0, 30.0])), tmp_path / "map.nii.gz")
    image = nib.load(path)
    np.testing.assert_array_equal(image.affine, AFFINE.astype(np.float32))
    np.testing.assert_array_equal(image.get_fdata()[mask], [10.0, 20.0, 30.0])
    assert not image.get_fdata()[~mask].any()


def test_a_parcel_fills_all_its_voxels_and_maps_stack_on_the_fourth_axis():
    channel = np.array([[[0], [0], [1], [-1]]])
    image = space.to_image(space.volume(channel, AFFINE), np.array([[1.0, 2.0], [3.0, 4.0]]), fill=np.nan)
    np.testing.assert_array_equal(image.get_fdata()[0, :, 0], [[1, 3], [1, 3], [2, 4], [np.nan, np.nan]])


def test_values_of_some_channels_in_another_order_find_their_place():
    where = space.volume(np.arange(3).reshape(1, 1, 3), AFFINE)
    image = space.to_image(where, np.array([5.0, 7.0]), ch_names=("a", "b", "c"), of=("c", "a"))
    np.testing.assert_array_equal(image.get_fdata().ravel(), [7.0, 0.0, 5.0])


def test_hemispheres_come_back_as_one_gifti_each(tmp_path):
    where = space.surface(np.array([0, -1, 1, 2, 3]), {"left": 3, "right": 2}, "fsaverage5")
    paths = space.save(space.to_image(where, np.array([1.0, 2.0, 3.0, 4.0])), tmp_path / "map.func.gii")
    assert [path.name for path in paths] == ["map_hemi-L.func.gii", "map_hemi-R.func.gii"]
    left, right = map(nib.load, paths)
    np.testing.assert_array_equal(left.darrays[0].data, [1, 0, 2])
    np.testing.assert_array_equal(right.darrays[0].data, [3, 4])
    assert left.meta["AnatomicalStructurePrimary"] == "CortexLeft"


def test_grayordinates_come_back_on_the_same_brain_models(tmp_path):
    models = nib.cifti2.BrainModelAxis.from_surface([0, 2, 5], 8, "CortexLeft")
    models += nib.cifti2.BrainModelAxis.from_mask(np.ones((1, 2, 1), bool), "thalamus_left", AFFINE)
    where = space.grayordinates(np.array([0, 1, -1, 2, 3]), models)
    (path,) = space.save(space.to_image(where, np.arange(4.0) + 1), tmp_path / "map.dscalar.nii")
    image = nib.load(path)
    np.testing.assert_array_equal(image.get_fdata(), [[1, 2, 0, 3, 4]])
    assert image.header.get_axis(1) == models


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        (dict(space={}, values=np.ones(3)), "has no space"),
        (dict(values=np.ones(2)), "name theirs in `of`"),
        (dict(values=np.ones(1), of=("z",), ch_names=("a", "b", "c")), r"lacks \['z'\]"),
        (dict(values=np.ones(1), of=("a",)), "ch_names"),
    ],
)
def test_values_that_do_not_match_the_channels_are_refused(asked, match):
    where = space.volume(np.arange(3).reshape(1, 1, 3), AFFINE)
    with pytest.raises(ValueError, match=match):
        space.to_image(**{"space": where} | asked)
