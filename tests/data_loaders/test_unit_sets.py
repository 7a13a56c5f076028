"""Recordings of one session share their units, and what is known of them is scaled."""

from pathlib import Path

import numpy as np
import pytest

from data_loaders.contracts import Recording, Spikes
from data_loaders.store import Store
from data_loaders.unit_sets import unit_facts
from data_loaders.writer import Writer


def store_of(path: Path, *recordings: tuple[str, str, int, dict]) -> Store:
    with Writer(path) as writer:
        for session, run, n, known in recordings:
            writer.write(
                Recording(
                    study="T", subject="01", session=session, run=run, modality="spikes", sfreq=1000.0, duration=9.0,
                    ch_names=tuple(f"u{i}" for i in range(n)), ch_types=("unit",) * n, units=("",) * n,
                    spikes=Spikes(np.array([1.0]), np.array([0])), **known,
                )
            )  # fmt: skip
    return Store(path)


def test_runs_of_a_session_are_one_set_and_sessions_are_not(tmp_path) -> None:
    facts = unit_facts(store_of(tmp_path, ("a", "1", 3, {}), ("a", "2", 3, {}), ("b", "1", 3, {}), ("b", "2", 2, {})))
    assert facts == {"n_units": [3, 3, 2], "set_of": [0, 0, 1, 2]}


def test_places_and_numeric_columns_of_all_units_are_scaled_together(tmp_path) -> None:
    known = [
        {
            "ch_positions": np.array([[0, 0, 1e-3], [0, 0, 3e-3]]),
            "ch_columns": {"width": (2.0, 4.0), "region": ("M1", "M1")},
        },
        {
            "ch_positions": np.array([[np.nan] * 3, [0, 0, 2e-3]]),
            "ch_columns": {"width": (6.0, 8.0), "region": ("M1", "PMd")},
        },
    ]
    facts = unit_facts(store_of(tmp_path, ("a", "1", 2, known[0]), ("b", "1", 2, known[1])))
    table = np.array(facts["unit_metadata"])
    assert table.shape == (4, 4)
    depth = (np.array([1, 3, np.nan, 2]) - 2) / np.std([1, 3, 2])
    assert table[:, 2] == pytest.approx(depth, nan_ok=True)
    assert table[:, 3] == pytest.approx((np.array([2, 4, 6, 8]) - 5) / np.std([2, 4, 6, 8]))
