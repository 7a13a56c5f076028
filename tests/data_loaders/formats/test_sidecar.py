"""What sidecars say: who a file is of, and what is refused."""

from pathlib import Path

import pytest

from data_loaders.formats.participants import participant
from data_loaders.formats.sidecar import describe, entities_of, sidecars_of, start
from data_loaders.modalities.eeg import EEG


def _entities(name, **description):
    return entities_of(Path("data") / name, description)


def test_a_pattern_finds_entities_and_a_map_names_them():
    found = _entities(
        "Subject07_2.edf", pattern="{subject}_{task}.edf", task={"1": "rest", "2": "arithmetic"}, study="eegmat"
    )
    assert found == {"study": "eegmat", "subject": "Subject07", "task": "arithmetic"}


def test_a_map_may_be_keyed_by_numbers():
    assert _entities("a_2.edf", pattern="{subject}_{task}.edf", task={1: "rest", 2: "count"})["task"] == "count"


def test_patterns_reach_into_folders_and_the_first_that_matches_counts():
    patterns = ["{subject}/{session}/*.edf", "{subject}.edf"]
    assert _entities("anna/day1/x.edf", pattern=patterns) == {"subject": "anna", "session": "day1"}
    assert _entities("berta.edf", pattern=patterns) == {"subject": "berta"}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"pattern": "{subject}-{task}.edf"}, r"S1_1\.edf matches none of the patterns .*exclude: \[S1_1\.edf\]"),
        ({"pattern": "{subject}_{taks}.edf"}, r"\{taks\}, expected one of \{study\}, \{subject\}"),
        (
            {"pattern": "{subject}_{task}.edf", "task": {"2": "x"}},
            r"task '1', but the map knows \['2'\]: add `'1': NAME`",
        ),
        ({"task": {"2": "x"}}, r"add \{task\} to `pattern`"),
    ],
)
def test_what_a_pattern_cannot_find_is_refused_with_the_repair(description, message):
    with pytest.raises(ValueError, match=message):
        _entities("S1_1.edf", **description)


def test_a_sidecar_of_the_file_wins_over_those_of_its_folders(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "brainfm.yaml").write_text("unit: V\nsfreq: 100\nstudy: s\n")
    (tmp_path / "deep" / "brainfm.yaml").write_text("unit: mV\nsfreq: 200\n")
    (tmp_path / "deep" / "a.json").write_text('{"unit": "uV"}')
    path = tmp_path / "deep" / "a.npz"
    assert describe(path, sidecars_of(path, tmp_path)) == {"unit": "uV", "sfreq": 200, "study": "s"}


def test_a_misspelt_key_is_named_with_the_nearest(tmp_path):
    (tmp_path / "brainfm.yaml").write_text("patern: x\n")
    with pytest.raises(ValueError, match=r"brainfm\.yaml has the key 'patern'.*'pattern'"):
        describe(tmp_path / "a.npz", (tmp_path / "brainfm.yaml",))


def test_text_that_is_no_yaml_is_refused(tmp_path):
    (tmp_path / "brainfm.yaml").write_text("pattern: {subject}_{task}.edf\n")
    with pytest.raises(ValueError, match=r"brainfm\.yaml cannot be parsed.*quote"):
        describe(tmp_path / "a.npz", (tmp_path / "brainfm.yaml",))


def test_a_sidecar_with_root_points_to_a_folder_and_one_without_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("modality: eeg\nroot: deep\n")
    (tmp_path / "deep").mkdir()
    assert start(tmp_path / "x.yaml") == (tmp_path / "deep", (tmp_path / "x.yaml",))
    assert describe(tmp_path / "deep" / "a.npz", (tmp_path / "x.yaml",)) == {"modality": "eeg"}
    (tmp_path / "x.yaml").write_text("modality: eeg\n")
    with pytest.raises(ValueError, match="add `root: FOLDER`"):
        start(tmp_path / "x.yaml")
    with pytest.raises(ValueError, match="does not exist"):
        start(tmp_path / "none")


def test_participants_give_one_row_and_a_missing_one_is_an_error(tmp_path):
    (tmp_path / "people.csv").write_text("who,age,note\nS1,21,\nS2,30,tired\n")
    stated = {"participants": {"file": str(tmp_path / "people.csv"), "subject": "who"}}
    assert participant("S1", stated) == {"age": 21}
    assert participant("S2", stated) == {"age": 30, "note": "tired"}
    with pytest.raises(ValueError, match=r"0 rows for subject 'S3'.*mend `pattern`"):
        participant("S3", stated)
    with pytest.raises(ValueError, match="no column 'name', its columns are"):
        participant("S1", {"participants": stated["participants"] | {"subject": "name"}})


def test_the_arithmetic_study_is_found_with_tasks_and_people(tmp_path, shared_data):
    (tmp_path / "eegmat.yaml").write_text(
        f"root: {shared_data('eegmat_31s')}\nstudy: eegmat\npattern: '{{subject}}_{{task}}.edf'\n"
        "task: {'1': rest, '2': arithmetic}\nparticipants: {file: subject-info.csv, subject: Subject}\n"
    )
    sources = EEG().sources(tmp_path / "eegmat.yaml")
    assert len(sources) == 48
    assert {source.entities["task"] for source in sources} == {"rest", "arithmetic"}
    recording = EEG().read(sources[1])
    assert (recording.name, recording.demographics["Age"], recording.demographics["Gender"]) == (
        "sub-Subject00_task-arithmetic",
        21,
        "F",
    )
    assert len(recording.ch_names) == 19
    assert recording.gain is not None
    assert set(recording.streams) == {"ecg", "misc"}
