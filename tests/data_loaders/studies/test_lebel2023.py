"""Stories of LeBel 2023: files of the released layout, written by h5py, praatio and nibabel, become runs with words."""

import json
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
from praatio import textgrid

from brainfm.stimuli.alignment import lanczos
from data_loaders import studies
from data_loaders.formats.space import to_image
from data_loaders.prepare import prepare
from data_loaders.splits import Named
from data_loaders.store import Store
from data_loaders.studies.lebel2023 import STORY_ONSET, TR
from data_loaders.windows import Tile

N, VOXELS = 60, 9
STORIES = ("souls", "life", "wheretheressmoke")
AFFINE = np.diag([2.2, 2.2, 3.0, 1.0])
MASK = np.random.default_rng(1).permutation(np.arange(24) < VOXELS).reshape(2, 3, 4)


def spoken(story: str) -> list[tuple[float, float, str]]:
    """Words from the first second of the sound to its end, with a breath in between."""
    rng = np.random.default_rng(len(story))
    onsets = 1.0 + np.cumsum(rng.uniform(0.2, 0.6, 300))
    words = [(t, t + 0.15, f"{story}{i}") for i, t in enumerate(onsets)]
    return [*words[:20], (words[19][1], words[20][0], "{BR}"), *words[20:]]


def released(root: Path, subjects: tuple[str, ...] = ("UTS01", "UTS02")) -> Path:
    """The folder as OpenNeuro has it: responses without the first ten volumes and the last five."""
    rng, derivative = np.random.default_rng(0), root / "derivative"
    (derivative / "TextGrids").mkdir(parents=True)
    for story in STORIES:
        grid, words = textgrid.Textgrid(), spoken(story)
        grid.addTier(textgrid.IntervalTier("phone", [(0.0, 0.5, "AH0")], 0, 200))
        grid.addTier(textgrid.IntervalTier("word", words, 0, 200))
        grid.save(str(derivative / f"TextGrids/{story}.TextGrid"), "long_textgrid", includeBlankSpaces=True)
    (derivative / "respdict.json").write_text(json.dumps(dict.fromkeys(STORIES, N + 20)))
    for subject in subjects:
        transform = derivative / f"pycortex-db/{subject}/transforms/{subject}_auto"
        transform.mkdir(parents=True)
        nib.save(nib.Nifti1Image(MASK.astype(np.uint8), AFFINE), transform / "mask_thick.nii.gz")
        (derivative / f"preprocessed_data/{subject}").mkdir(parents=True)
        for story in STORIES:
            repeats = rng.standard_normal((3, N, VOXELS)) + rng.standard_normal((N, VOXELS))
            with h5py.File(derivative / f"preprocessed_data/{subject}/{story}.hf5", "w") as file:
                file["data"] = repeats.mean(0)
                if story == "wheretheressmoke":
                    file["individual_repeats"] = repeats
    # the raw scan of another release beside it is another dataset
    (root / "sub-UTS01/func").mkdir(parents=True)
    (root / "sub-UTS01/func/sub-UTS01_task-souls_bold.nii.gz").write_bytes(b"not read")
    studies.find("lebel2023").describe(root)
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return released(tmp_path_factory.mktemp("lebel") / "lebel2023")


@pytest.fixture(scope="module")
def store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(prepare(folder, tmp_path_factory.mktemp("store") / "lebel2023"))


def test_each_story_is_a_run_and_each_repeat_one_of_its_own(store: Store, folder: Path) -> None:
    table = store.catalog[store.catalog["subject"] == "UTS01"]
    found = table[["task", "run"]].to_numpy().tolist()
    assert sorted(found) == [["life", ""], ["souls", ""], *[["wheretheressmoke", str(k)] for k in (1, 2, 3)]]
    names = list(store.catalog["name"])
    with h5py.File(folder / "derivative/preprocessed_data/UTS02/wheretheressmoke.hf5") as file:
        wanted = file["individual_repeats"][1]
    number = names.index("sub-UTS02_task-wheretheressmoke_run-2")
    np.testing.assert_allclose(store.signal(number, 0, N), wanted, rtol=1e-6)
    assert store.entry(number).sfreq == pytest.approx(1 / TR)


def test_words_features_are_where_the_published_code_has_them(store: Store) -> None:
    """Published: frames of the whole scan at k TR - 10 s + TR / 2 after the sound began, of which rows [10:-5] are kept."""
    words = [(on, off) for on, off, label in spoken("souls") if label != "{BR}"]
    middles = np.array([(on + off) / 2 for on, off in words])
    values = np.random.default_rng(3).standard_normal((len(words), 4))
    published = lanczos(values, middles, np.arange(N + 15) * TR - 10.0 + TR / 2)[10:-5]
    events = store.events_of(list(store.catalog["name"]).index("sub-UTS01_task-souls"))
    heard = events[events["trial_type"] == "word"]
    assert heard["word"].tolist() == [label for *_, label in spoken("souls") if label != "{BR}"]
    ours = lanczos(values, (heard["onset"] + heard["duration"] / 2).to_numpy(), (np.arange(N) + 0.5) * TR)
    np.testing.assert_allclose(ours, published, atol=1e-6)
    assert (heard["onset"] < 0).any()  # what was heard before the first volume is context


def test_voxels_are_numbered_as_pycortex_does(store: Store) -> None:
    entry = store.entry(0)
    # pycortex: volume[mask] of arrays [z, y, x]
    wanted = np.zeros(MASK.T.shape, np.float32)
    wanted[MASK.T] = np.arange(1, VOXELS + 1)
    image = to_image(entry.space, np.arange(1.0, VOXELS + 1))
    np.testing.assert_array_equal(np.asarray(image.dataobj), wanted.T)
    x, y, z = map(int, entry.ch_names[3].split(","))
    np.testing.assert_allclose(entry.ch_positions[3], np.array([2.2 * x, 2.2 * y, 3.0 * z]) * 1e-3)


def test_windows_know_their_story_and_a_split_by_it_keeps_it_on_one_side(store: Store) -> None:
    windows = Tile(stride=TR).cut(store, (-2 * TR, TR))
    assert set(windows.metadata["stimulus"]) == {f"{story}.wav" for story in STORIES}
    assert windows.metadata["stimulus_onset"].to_numpy() == pytest.approx(STORY_ONSET)
    (fold,) = Named("stimulus", ["wheretheressmoke.wav"], val=0.0).folds(windows)
    assert set(fold.test.metadata["task"]) == {"wheretheressmoke"}
    assert set(fold.train.metadata["task"]) == {"life", "souls"}
    with pytest.raises(ValueError, match=r"no window has the stimulus 'soul.wav': did you mean 'souls.wav'"):
        Named("stimulus", ["soul.wav"]).folds(windows)


def test_preparing_again_keeps_all_repeats(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        prepare(folder, tmp_path / "store")
    assert "0 recordings written, 10 were there" in capsys.readouterr().out
    assert len(Store(tmp_path / "store")) == 10


def test_what_lacks_words_or_a_mask_is_told_and_what_was_cut_otherwise_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = released(tmp_path / "lebel2023", ("UTS01",))
    (root / "derivative/TextGrids/life.TextGrid").unlink()
    next(root.rglob("mask_thick.nii.gz")).unlink()
    (root / "derivative/respdict.json").write_text(json.dumps({"souls": N + 40, "life": N + 21}))
    with pytest.raises(
        ValueError, match=r"souls.hf5 of UTS01 has 60 volumes, but respdict.json counts 100, of which 80"
    ):
        prepare(root, tmp_path / "store")
    said = capsys.readouterr().out
    assert "life.TextGrid is not there: no words" in said
    assert "no mask_thick.nii.gz of this person" in said
    assert len(Store(tmp_path / "store")) == 4


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    root = released(tmp_path / "lebel2023", ("UTS01",))
    path = next(root.rglob("mask_thick.nii.gz"))
    nib.save(nib.Nifti1Image(np.ones((2, 3, 4), np.uint8), AFFINE), path)
    with pytest.raises(ValueError, match=r"has 24 voxels, souls.hf5 9"):
        prepare(root, tmp_path / "store")


def test_a_damaged_file_and_one_without_the_dataset_are_named(tmp_path: Path) -> None:
    root = released(tmp_path / "lebel2023", ("UTS01",))
    responses = root / "derivative/preprocessed_data/UTS01"
    (responses / "life.hf5").write_bytes((responses / "life.hf5").read_bytes()[:900])
    with h5py.File(responses / "souls.hf5", "w") as file:
        file["other"] = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"(?s)life.hf5 cannot be read.*souls.hf5 has no dataset 'data' \(signal"):
        prepare(root, tmp_path / "store")
