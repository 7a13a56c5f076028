"""What is planned for a store is planned once per kind of recording, and is what each recording would have said."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float
from numpy import ndarray

from data_loaders import plans
from data_loaders.catalog import Catalog
from data_loaders.contracts import Field
from data_loaders.datamodule import Data
from data_loaders.labelled import sizes
from data_loaders.splits.groups import By
from data_loaders.transforms.base import SignalInfo, Transform
from data_loaders.transforms.pointwise import Clamp
from data_loaders.windows import Rule, Tile, Whole
from tests.data_loaders.planned import header, planned

FILE = {"file": "T/all.h5", "size": 1 << 16}
FOUR = ["Fz", "Cz", "Pz", "Oz"]


def data_of(path: Path, headers: list[dict[str, Any]], *transforms: Transform, rule: Rule | None = None) -> Data:
    planned(path, headers)
    (path / "T").mkdir(exist_ok=True)
    (path / "T" / "all.h5").touch()
    os.truncate(path / "T" / "all.h5", FILE["size"])
    rule, stop = (Tile(1.0), 1.0) if rule is None else (rule, float("inf"))
    return Data(str(path), rule, {"signal": Field(0.0, stop)}, By(n_folds=2, val=0.0), transforms=list(transforms))


class Forward(Transform):
    """Keeps the channels in the front half of the head."""

    def plan(self, info: SignalInfo) -> SignalInfo:
        return info.pick(np.flatnonzero(info.ch_positions[:, 1] >= 0).tolist())

    def step(self, chunk: Float[ndarray, "channel time"], info: SignalInfo, carry: Any = None) -> tuple[ndarray, Any]:
        return chunk[info.ch_positions[:, 1] >= 0], None


def headers(n: int) -> list[dict[str, Any]]:
    return [header(number, ch_names=FOUR, ch_positions=[[0.0, 0.01 * number, 0.0]] * 4, **FILE) for number in range(n)]


def test_planning_more_recordings_is_no_more_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(owner: Any, name: str) -> None:
        made = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, **named: (calls.append(name), made(*args, **named))[1])

    counted(Catalog, "_entry")
    counted(plans, "plan")
    counted(Catalog, "_parse")
    work = []
    for n in (8, 80):
        calls.clear()
        data = data_of(tmp_path / str(n), headers(n), Clamp())
        data.setup()
        data.facts()
        data.check_channels("fixed")
        sizes(data.gather(data.windows))
        work.append(sorted(calls))
    assert work[0] == work[1]
    assert work[0].count("_entry") <= 4


def test_sizes_are_those_of_each_recording_alone(tmp_path: Path) -> None:
    more = [
        header(10, ch_names=FOUR[:3], segments=[(0.0, 2.0), (3.336, 9.0)], **FILE),
        header(11, 50.0, ch_names=FOUR, **FILE),
    ]
    for name, rule in (("tile", None), ("whole", Whole())):
        data = data_of(tmp_path / name, [*headers(2), more[0], headers(3)[2], more[1]], Clamp(), rule=rule)
        data.setup()
        gather, found = data.gather(data.windows), sizes(data.gather(data.windows))
        for run, (recording, anchor) in enumerate(zip(data.windows.recording, data.windows.first, strict=True)):
            (window,) = gather.windows_of(int(recording), np.array([anchor]))
            assert window.shape == (found["n_times"][run], found["n_chans"][run])
        facts = data.facts()
        assert facts["session_chans"] == [4, 4, 3, 4, 4]
        assert facts["same_channels"] is False
        assert facts["n_times"] == found["n_times"].max()


def test_a_whole_segment_that_begins_between_two_samples_ends_at_its_own_border(tmp_path: Path) -> None:
    data = data_of(tmp_path, [header(n, segments=[(0.0, 3.0), (3.333, 9.0)], **FILE) for n in range(2)], rule=Whole())
    data.setup()
    assert [len(data.gather(data.windows).windows_of(0, np.array([at]))[0]) for at in (0, 333)] == [300, 567]


def test_positions_tell_recordings_apart_where_a_transform_looks_at_them(tmp_path: Path) -> None:
    behind = [[0.0, -1.0, 0.0]] * 2 + [[0.0, 1.0, 0.0]] * 2
    turned = [one | {"ch_positions": behind} for one in headers(4)[2:]]
    data = data_of(tmp_path, [*headers(2), *turned], Forward())
    data.setup()
    assert sizes(data.gather(data.windows))["n_chans"].tolist() == [4, 4, 2, 2]
    assert data.facts()["session_chans"] == [4, 4, 2, 2]
    with pytest.raises(ValueError, match="sub-000_run-0 and sub-002_run-0 have different channels"):
        data.check_channels("fixed")
