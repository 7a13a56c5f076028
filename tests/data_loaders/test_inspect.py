"""What a folder holds, and the recipe that starts with it: it must run without a change."""

import io
from pathlib import Path
from typing import Any

import mne
import mne_bids
import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from data_loaders import samples
from data_loaders.contracts import Recording, Stream
from data_loaders.inspect import NothingToDecodeError, Summary, inspect, starter_recipe, tell
from data_loaders.prepare import prepare
from data_loaders.summary import facts_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning:mne"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:mne_bids"),
    pytest.mark.filterwarnings("ignore:Converting data files to BrainVision:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*encountered data in.*:UserWarning"),
]
CHANNELS = ["Fp1", "Fp2", "C3", "Cz", "C4", "O1", "O2", "up"]


@pytest.fixture(scope="module")
def bids(tmp_path_factory) -> Path:
    """Five people who moved one hand or the other every 1.5 s; one bad channel, an EOG, age and sex."""
    root = tmp_path_factory.mktemp("bids") / "hands"
    for subject in range(1, 6):
        rng = np.random.default_rng(subject)
        info = mne.create_info(CHANNELS, 200.0, ["eeg"] * 7 + ["eog"])
        raw = mne.io.RawArray(2e-5 * rng.normal(size=(8, 12_000)), info, verbose="error")
        onset = np.arange(1.0, 57.0, 1.5)
        raw.set_annotations(mne.Annotations(onset, 0.5, rng.permutation(["hand/left", "hand/right"] * 19)))
        raw.info["bads"], raw.info["line_freq"] = ["O1"], 50
        path = mne_bids.BIDSPath(subject=f"{subject:02d}", task="hands", datatype="eeg", root=root)
        mne_bids.write_raw_bids(raw, path, format="BrainVision", allow_preload=True, verbose="error")
    people = pd.read_csv(root / "participants.tsv", sep="\t")
    people.assign(age=[20, 30, 40, 50, 60], sex=list("FMFMF")).to_csv(root / "participants.tsv", sep="\t", index=False)
    return root


@pytest.fixture(scope="module")
def hands(bids) -> Summary:
    return inspect(bids)


def made(folder: Path, **changes: Any) -> Summary:
    """A summary of recordings of one channel, as the test describes each."""
    count = max((len(value) for value in changes.values()), default=1)
    records = []
    for index in range(count):
        own = {name: value[index] for name, value in changes.items()}
        fields = {
            "study": "s",
            "subject": f"{index:02d}",
            "modality": "eeg",
            "sfreq": 128.0,
            "ch_names": ("Cz",),
            "ch_types": ("eeg",),
        }
        records.append(facts_of(Recording(**{**fields, "duration": 60.0, **own}), folder))
    return Summary(folder, tuple(records), count, {})


def recipe(summary: Summary) -> dict[str, Any]:
    return yaml.safe_load(starter_recipe(summary, "stores/x"))


def name_of(part: dict[str, Any]) -> str:
    return part["class_path"].rpartition(".")[2]


def test_a_bids_folder_is_counted_as_it_was_written(hands):
    summary = hands
    assert summary.subjects == ["01", "02", "03", "04", "05"]
    assert summary.hours == pytest.approx(5 * 60 / 3600)
    assert summary.channels == {"eeg": "7"}
    assert summary.sfreqs == {200.0: 5}
    assert summary.trial_types == {"hand/left": 95, "hand/right": 95}
    assert summary.bads == {"O1": 5}
    assert list(summary.participants["age"]) == [20, 30, 40, 50, 60]
    assert summary.tasks == {"hands": 5}


def test_the_printed_table_names_everything(hands):
    console = Console(file=io.StringIO(), width=200)
    tell(hands, console)
    text = console.file.getvalue()
    for words in (
        "01, 02, 03, 04, 05",
        "7 eeg",
        "200 Hz",
        "hand/left (95)",
        "O1 (5)",
        "age",
        "eog",
        "events.trial_type",
    ):
        assert words in text


def test_only_some_recordings_are_read_and_all_are_counted(bids):
    summary = inspect(bids, most=2)
    assert summary.n_recordings == 5
    assert summary.subjects == ["01", "05"]


def test_a_recording_that_cannot_be_read_is_named_and_the_rest_is_summarised(tmp_path):
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", spike_times=np.linspace(0, 9, 50), spike_units=np.zeros(50, int))
    (tmp_path / "brainfm.yaml").write_text("modality: spikes\n")
    (tmp_path / "b.npz").write_bytes(b"not a zip file")
    summary = inspect(tmp_path)
    assert len(summary.recordings) == 1
    assert "b.npz" in next(iter(summary.unread))


@pytest.mark.parametrize("case", ["bids", "reaching", "meg"])
def test_the_starter_recipe_runs_unedited(case, hands, tmp_path, monkeypatch):
    from brainfm.recipe import Recipe

    monkeypatch.chdir(tmp_path)
    text = starter_recipe(hands if case == "bids" else inspect(samples.path(case)), "stores/mine")
    Path("starter.yaml").write_text(text)
    prepare(yaml.safe_load(text)["prepare"]["source"], "stores/mine")
    built = Recipe.read(["starter.yaml"])
    assert len(built.data.folds) == 5
    built.data.use(0, 0)
    batch = next(iter(built.data.train_dataloader()))
    assert np.isfinite(built.fresh_objective().loss(batch)["loss"].item())


def test_the_header_has_the_three_commands_and_they_name_the_same_files(bids, hands):
    text = starter_recipe(hands, "stores/my hands", "my.yaml")
    commands = [line.strip("# ") for line in text.splitlines() if line.startswith("#   ")]
    assert commands == [
        f"brainfm prepare {bids} 'stores/my hands'",
        "brainfm fit --config my.yaml",
        "brainfm report runs/my",
    ]
    assert yaml.safe_load(text)["data"]["init_args"]["store"] == "stores/my hands"


def test_kinds_of_events_are_decoded_across_people_from_four_people_on(hands):
    data = recipe(hands)["data"]["init_args"]
    assert data["targets"] == ["events.trial_type"]
    assert data["windows"]["init_args"]["trial_type"] == "hand/left|hand/right"
    assert data["split"] == {"class_path": "data_loaders.splits.By", "init_args": {"key": "subject", "n_folds": 5}}
    assert data["fields"]["signal"] == {"start": 0.0, "stop": 1.0}
    assert [name_of(part) for part in data["transforms"]] == ["BandPass", "Resample", "RobustScale", "Clamp"]


def test_without_events_two_tasks_are_decoded(tmp_path):
    summary = made(tmp_path, subject=["1", "1", "2", "2"] * 2, session=list("aabbccdd"), task=["rest", "count"] * 4)
    data = recipe(summary)["data"]["init_args"]
    assert data["targets"] == ["recording.task"]
    assert name_of(data["windows"]) == "Tile"
    assert name_of(data["split"]) == "TimeBlock"


def test_with_one_task_and_no_events_people_are_told_apart(tmp_path):
    summary = made(tmp_path, demographics=[{"sex": "FM"[i % 2]} for i in range(12)])
    data = recipe(summary)["data"]["init_args"]
    assert data["targets"] == ["participants.sex=*"]
    assert data["split"]["init_args"]["key"] == "subject"


def test_ages_are_regressed_on(tmp_path):
    whole = recipe(made(tmp_path, demographics=[{"age": 20.0 + i} for i in range(12)]))
    assert whole["data"]["init_args"]["targets"] == ["participants.age"]
    assert name_of(whole["objective"]) == "Regression"


def test_a_velocity_is_regressed_on_rather_than_a_position(tmp_path):
    streams = {name: Stream(np.zeros((6000, 2)), 100.0) for name in ("hand_pos", "hand_vel")}
    whole = recipe(made(tmp_path, modality=["spikes"], ch_types=[("unit",)], streams=[streams]))
    assert whole["data"]["init_args"]["targets"] == ["stream.hand_vel"]
    assert (name_of(whole["encoder"]), name_of(whole["objective"])) == ("GRU", "Regression")
    assert whole["data"]["init_args"]["fields"]["signal"]["source"] == "spikes"


def test_recordings_with_different_rates_and_channels_are_brought_together(tmp_path):
    names, types = [("Cz", "Pz"), ("Pz", "Cz", "Oz")] * 2, [("eeg",) * 2, ("eeg",) * 3] * 2
    summary = made(
        tmp_path, sfreq=[250.0, 500.0] * 2, ch_names=names, ch_types=types, task=["a", "b"] * 2, subject=list("1122")
    )
    chain = recipe(summary)["data"]["init_args"]["transforms"]
    assert {"class_path": "data_loaders.transforms.Resample", "init_args": {"sfreq": 128.0}} in chain
    assert {"class_path": "data_loaders.transforms.Pick", "init_args": {"names": ["Cz", "Pz"]}} in chain


def test_a_design_in_blocks_gets_a_split_that_has_every_class_in_every_fold(tmp_path):
    onset = np.arange(1.0, 61.0)
    kinds = np.repeat(["rest", "move"], 30)  # first all of one, then all of the other
    events = pd.DataFrame({"onset": onset, "duration": 0.1, "trial_type": kinds})
    runs = made(tmp_path, subject=["1"] * 3, run=list("123"), duration=[62.0] * 3, events=[events] * 3)
    assert recipe(runs)["data"]["init_args"]["split"]["init_args"]["key"] == "run"


def test_nothing_to_decode_says_what_to_add(tmp_path):
    with pytest.raises(NothingToDecodeError, match=r"add events\.tsv or participants\.tsv"):
        starter_recipe(made(tmp_path), "stores/x")


@pytest.mark.parametrize("name", ["eog", "misc", "ref_meg"])
def test_what_was_recorded_on_the_side_is_no_target(tmp_path, name):
    with pytest.raises(NothingToDecodeError):
        starter_recipe(made(tmp_path, streams=[{name: Stream(np.zeros((6000, 1)), 100.0)}]), "stores/x")


def test_what_a_sidecar_says_is_heard_and_handed_on_to_prepare(tmp_path):
    for name in ("a_1", "a_2", "b_1", "b_2"):
        np.savez(tmp_path / f"{name}.npz", X=1e-5 * np.random.default_rng(0).normal(size=(2, 6000)))
    sidecar = tmp_path / "elsewhere" / "said.yaml"
    sidecar.parent.mkdir()
    sidecar.write_text(
        'modality: eeg\npattern: "{subject}_{task}.npz"\ntask: {"1": rest, "2": count}\n'
        "signal: X\naxes: [channel, time]\nsfreq: 100\nunit: V\n"
    )
    summary = inspect(tmp_path, sidecar=sidecar, modality="eeg")
    assert summary.tasks == {"count": 2, "rest": 2}
    text = starter_recipe(summary, "stores/x")
    assert yaml.safe_load(text)["prepare"] == {"source": str(tmp_path), "modality": "eeg", "sidecar": str(sidecar)}
    assert f"brainfm prepare {tmp_path} stores/x --modality eeg --sidecar {sidecar}" in text
