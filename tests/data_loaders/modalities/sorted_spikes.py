"""The reader of spikes on one file."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO, NWBFile
from pynwb.behavior import Position, SpatialSeries
from pynwb.file import Subject

from data_loaders.contracts import Recording
from data_loaders.modalities.spikes import Spikes


def read(path: Path) -> Recording:
    reader = Spikes()
    [source] = reader.sources(path)
    return reader.read(source)


def nwb(path: Path, units: bool = True, **changes) -> dict[int, np.ndarray]:
    """Three units on two electrodes of two regions, a hand position, trials; spike times per unit come back."""
    rng = np.random.default_rng(0)
    file = NWBFile("x", "id", datetime(2026, 1, 1, tzinfo=UTC), session_id="s1")
    file.subject = Subject(subject_id="m1", species="Mus musculus")
    group = file.create_electrode_group("probe", description="p", location="CTX", device=file.create_device("d"))
    for i, region in enumerate(("CA1", "DG")):
        file.add_electrode(x=1000.0 * i, y=2000.0, z=3000.0, location=region, group=group)
    file.add_unit_column("quality", "verdict")
    file.add_unit_column("snr", "ratio")
    lists = {i: np.sort(rng.uniform(0, 20, n)) for i, n in enumerate((400, 20, 200))}
    for i in lists:
        about = {"obs_intervals": [[0.0, 12.0], [14.0, 20.0]], "quality": ("good", "mua", "good")[i], "snr": 1.0 + i}
        file.add_unit(
            spike_times=changes.get("times", lists)[i],
            electrodes=[i % 2],
            id=10 + i,
            **about | changes.get(f"unit{i}", {}),
        )
    place = SpatialSeries(name="hand", data=np.arange(400.0).reshape(200, 2), reference_frame="x", rate=10.0)
    file.create_processing_module("behavior", "x").add(Position(spatial_series=place))
    file.add_trial_column("condition", "kind")
    for i, kind in enumerate(("a", "b", "a")):
        file.add_trial(start_time=1.0 + 5 * i, stop_time=3.0 + 5 * i, condition=kind)
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return lists
