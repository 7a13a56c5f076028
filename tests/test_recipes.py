"""Every recipe that ships is parsed, resolved and run for one batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from brainfm.grammar.known import recipes
from brainfm.grammar.stores import sources_of, stores_of
from brainfm.recipe import Recipe
from data_loaders import samples
from data_loaders.attach import attach
from data_loaders.contracts import Stream
from data_loaders.prepare import prepare
from data_loaders.store import Store

# where the datasets that do not ship lie among the real recordings that tests may use
FOLDERS = {
    "stores/eegmat": "eegmat_31s",
    "stores/meg_sample": "mne_meg_sample",
    "stores/gripforce": "ecog_gripforce",
    "stores/p300": "p300_br41n",
    "stores/ssvep": "ssvep_trca",
    "stores/c_20131003": "perich_miller_reaching",
    "stores/haxby": "haxby_slice",
    "stores/alice": "alice_fmri_roi",
    "stores/abide": "abide_aal116",
    "stores/nitime": "nitime_fmri",
    "stores/c_reaching": "perich_miller_reaching",
    "stores/ca1_laps": "ca1_calcium_laps",
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the stores: recipes on the same data share one."""
    return tmp_path_factory.mktemp("stores")


@pytest.mark.parametrize("name", recipes())
def test_one_batch_of_every_recipe_runs(
    name: str, stores: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipes()[name]
    recipe = yaml.safe_load(path.read_text())
    monkeypatch.chdir(stores)
    for store, asked in zip(stores_of(recipe), sources_of(recipe), strict=True):
        source = _source(asked["source"], store, shared_data)
        prepare(source, store, **{key: value for key, value in asked.items() if key != "source"})
        _stand_in(Path(store), recipe["data"]["init_args"]["fields"])
    losses = Recipe.read([path]).rehearse()
    assert losses["loss"] == pytest.approx(losses["loss"], nan_ok=False)


@pytest.mark.parametrize("name", recipes())
def test_the_header_of_every_recipe_says_what_it_is_and_how_to_run_it(name: str) -> None:
    first, *rest = recipes()[name].read_text().split("data:")[0].splitlines()
    assert first.startswith("# ")
    assert any("brainfm" in line for line in rest)


def _source(source: str, store: str, shared_data: Callable[[str], Path]) -> Path:
    """The sample of that name, or the folder (or a file in it) of the dataset that the store is made of."""
    folder, _, file = source.partition("/")
    if folder != "FOLDER":
        return samples.path(source)
    if store not in FOLDERS:
        pytest.skip(f"no real recordings are known for {store}: add their folder to FOLDERS")
    return (shared_data(FOLDERS[store]) / file).resolve()


def _stand_in(store: Path, fields: dict[str, dict]) -> None:
    """Noise for the features that `brainfm features` would attach: their models take a minute each."""
    opened = Store(store)
    entries = [opened.entry(i) for i in range(len(opened))]
    for source in {str(field.get("source", "signal")) for field in fields.values()} - {"signal", "spikes"}:
        if not any(source in entry.streams for entry in entries):
            rng = np.random.default_rng(0)
            made = {e.name: Stream(rng.standard_normal((round(e.duration * e.sfreq), 8)), e.sfreq) for e in entries}
            attach(store, source, made, {})
