"""Who drives whom, from a run: every pair of every set of units, scored where the recording says who does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainfm.cli import main
from brainfm.run.couplings import GUESSES, scored
from data_loaders.store import Store
from data_loaders.studies.spiking_network import hub_network, simulate
from data_loaders.unit_sets import known_connections
from tests.brainfm.run.spike_runs import fitted

NETWORKS = {size: hub_network(size, n_hubs=1, share=0.5, weight=2.0, seed=size) for size in (8, 6)}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    made = (simulate(network, seconds=5.0, trials=12, seed=seed) for seed, network in NETWORKS.items())
    sizes = {"encoder.init_args.block": 32, "encoder.init_args.past_block": 32, "data.init_args.batch_size": 64}
    learning = {"optimizer.init_args.lr": 0.003, "trainer.max_steps": 5}
    return fitted(tmp_path_factory.mktemp("couplings"), made, sizes | learning)


def test_a_store_keeps_who_drives_whom(run) -> None:
    store = Store(run.parents[1] / "store")
    for index in range(2):
        entry = store.entry(index)
        assert np.array_equal(known_connections(entry), NETWORKS[len(entry.ch_names)].connected)


def test_every_pair_has_every_guess_and_what_is_known(run, capsys) -> None:
    assert main(["couplings", str(run)]) == 0
    table = pd.read_parquet(run / "couplings.parquet")
    assert len(table) == 2 * (8 * 7 + 6 * 5)
    assert table[list(GUESSES)].notna().all().all()
    for size, part in table[table["fold"] == 0].groupby(table["recording_name"]):
        network = NETWORKS[part["pre"].nunique()]
        assert part["connected"].sum() == network.connected.sum(), size
    scores = pd.read_csv(run / "coupling_scores.csv")
    assert len(scores) == 2 * 2 * len(GUESSES)
    assert scores[scores["guess"] == "cross_correlation"]["auroc"].min() > 0.9
    assert "chance 0.5" in capsys.readouterr().out


def test_a_guess_that_is_the_truth_is_perfect_and_its_reverse_has_no_direction() -> None:
    pre, post = np.nonzero(~np.eye(4, dtype=bool))
    connected = (pre == 0) & (post > 1)
    table = pd.DataFrame({"fold": 0, "recording_name": "x", "pre": pre, "post": post, "connected": connected})
    table = table.assign(
        looked=1.0 * connected, through=1.0 * ((post == 0) & (pre > 1)), cross_correlation=0.0, glm=0.0
    )
    found = scored(table).set_index("guess")
    assert found.loc["looked", ["auroc", "direction"]].tolist() == [1.0, 1.0]
    assert found.loc["through", "direction"] == 0.0
    assert found.loc["glm", ["auroc", "direction"]].tolist() == [0.5, 0.5]
