"""Echoes of one fMRI run: one series is read and told, and what is not said is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from data_loaders.modalities.fmri import FMRI
from tests.data_loaders.modalities.test_fmriprep import bold, described

RUN = "sub-01_task-rest_run-1"


def made(root: Path, *names: str, bids: bool = True) -> Path:
    """A func folder of series that differ, in the order of their names here."""
    described(root) if bids else root.mkdir()
    for seed, name in enumerate(names):
        bold(root / "sub-01" / "func" / f"{RUN}_{name}_bold.nii.gz", seed=seed)
    return root


def read(root: Path, **sidecar: Any) -> Any:
    (root / "brainfm.yaml").write_text(yaml.safe_dump({"mask": "all"} | sidecar))
    (source,) = FMRI().sources(root)
    return source.path.name, FMRI().read(source)


@pytest.mark.parametrize("bids", [True, False])
def test_echoes_of_a_run_are_never_several_recordings(tmp_path, bids):
    root = made(tmp_path / "ds", "echo-1", "echo-2", "echo-3", bids=bids)
    (root / "brainfm.yaml").write_text("mask: all\n")
    with pytest.raises(ValueError, match=rf"{RUN}.*echoes 1, 2, 3.*State it in brainfm.yaml, such as `echo: 2`"):
        FMRI().sources(root)
    name, recording = read(root, echo=2)
    assert (name, recording.run) == (f"{RUN}_echo-2_bold.nii.gz", "1")
    assert any("echo 2 is read; echoes 1, 3 beside it left out" in decision for decision in recording.decisions)


def test_an_echo_that_is_not_there_is_refused(tmp_path):
    root = made(tmp_path / "ds", "echo-1", "echo-2")
    with pytest.raises(ValueError, match="echo 4 is asked for, and there are the echoes 1, 2"):
        read(root, echo=4)


@pytest.mark.parametrize("combined", ["desc-optcom", "desc-preproc", "space-T1w_desc-preproc"])
def test_the_combined_series_is_taken_where_it_lies_beside_its_echoes(tmp_path, combined):
    root = made(tmp_path / "ds", "echo-1_desc-preproc", "echo-2_desc-preproc", combined)
    name, recording = read(root)
    assert name == f"{RUN}_{combined}_bold.nii.gz"
    assert any("combined" in decision and "echoes 1, 2 beside it" in decision for decision in recording.decisions)
    assert read(root, echo=2)[0] == f"{RUN}_echo-2_desc-preproc_bold.nii.gz"


def test_runs_without_echoes_and_other_runs_are_what_they_were(tmp_path):
    root = made(tmp_path / "ds", "echo-1", "echo-2")
    bold(root / "sub-01" / "func" / "sub-01_task-look_bold.nii.gz")
    bold(root / "sub-01" / "func" / "sub-01_task-rest_run-2_echo-2_bold.nii.gz", seed=9)
    (root / "brainfm.yaml").write_text("mask: all\necho: 2\n")
    found = FMRI().sources(root)
    assert [(s.entities["task"], s.entities.get("run")) for s in found] == [
        ("look", None),
        ("rest", "1"),
        ("rest", "2"),
    ]
    alone = FMRI().read(found[0])
    assert not any("echo" in decision for decision in alone.decisions)
    assert np.isfinite(alone.signal).all()
