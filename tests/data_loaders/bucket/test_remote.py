"""A store behind an address: every window, spike and event as from a folder, also when the network is gone or lies."""

import json
import pickle
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_loaders.bucket.manifest import MANIFEST
from data_loaders.bucket.settings import Settings
from data_loaders.contracts import Recording, Spikes, Stream
from data_loaders.store import Store
from data_loaders.writer import Writer

Serve = Callable[..., Any]


def recording(subject: str = "01", seed: int = 0, n_times: int = 20_000, **changes: Any) -> Recording:
    """Long enough for three blocks: 128 channels of int32-sized samples."""
    rng = np.random.default_rng(seed)
    made = Recording(
        study="Test", subject=subject, modality="eeg", sfreq=100.0, ch_names=tuple(f"c{i}" for i in range(128)),
        ch_types=("eeg",) * 128, units=("V",) * 128, duration=n_times / 100, source=f"{subject}.edf",
        signal=rng.standard_normal((n_times, 128), dtype=np.float32),
        streams={"velocity": Stream(rng.standard_normal((400, 2)), 2.0, 0.0, ("x", "y"), "m/s")},
        events=pd.DataFrame({"onset": [1.0, 2.0], "trial_type": ["left", "right"]}),
    )  # fmt: skip
    return replace(made, **changes)


def spiking(subject: str = "03") -> Recording:
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 200, 700_000))
    spikes = Spikes(times, rng.integers(0, 128, len(times)))
    return recording(subject, signal=None, spikes=spikes, modality="spikes", ch_types=("unit",) * 128)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with Writer(tmp_path_factory.mktemp("made")) as writer:
        for one in (recording("01"), recording("02", 1), spiking()):
            writer.write(one)
    return writer.path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "srv" / "store")
    return tmp_path / "srv"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINFM_CACHE", str(tmp_path / "cache"))


def same(one: Store, other: Store) -> None:
    rng = np.random.default_rng(0)
    for index in (0, 1):
        # within a block, across a border, over all blocks, at the ends
        for start, stop in [
            (0, 50),
            (8150, 8250),
            (0, 20_000),
            (19_990, 20_000),
            *rng.integers(0, 20_000, (20, 2)).tolist(),
        ]:
            assert np.array_equal(one.signal(index, start, stop), other.signal(index, start, stop))
        assert np.array_equal(one.stream(index, "velocity", 3, 9), other.stream(index, "velocity", 3, 9))
    for start, stop in ((0.0, 1.0), (50.0, 50.2), (199.0, 300.0)):
        ours, theirs = one.spikes(2, start, stop), other.spikes(2, start, stop)
        assert np.array_equal(ours.times, theirs.times)
        assert np.array_equal(ours.channels, theirs.channels)
    pd.testing.assert_frame_equal(one.events, other.events)
    pd.testing.assert_frame_equal(one.catalog, other.catalog)


def test_all_that_is_read_over_http_is_what_the_folder_holds(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    store = Store(f"{server.address}/store")
    same(store, Store(folder / "store"))
    assert store.entry(0).ch_names[-1] == "c127"
    assert set(server.requests.values()) == {1}


def test_file_addresses_and_plain_paths_are_read_where_they_lie(folder: Path, tmp_path: Path) -> None:
    same(Store(f"file://{folder / 'store'}"), Store(folder / "store"))
    assert not (tmp_path / "cache").exists()


def test_a_warm_cache_needs_no_network(
    folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    server = serve(folder)
    address = f"{server.address}/store"
    same(Store(address), Store(folder / "store"))
    server.plan = lambda path, count: "drop"
    monkeypatch.setattr(socket.socket, "connect", _refused)
    same(Store(address), Store(folder / "store"))
    assert "cannot be reached" in capsys.readouterr().out


def _refused(*args: Any) -> None:
    raise OSError("the network is blocked")


def test_without_network_what_is_not_in_the_cache_is_told(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    store = Store(f"{server.address}/store")
    store.signal(0, 0, 10)
    server.plan = lambda path, count: "503"
    assert store.signal(0, 10, 20).shape == (10, 128)
    with pytest.raises(ConnectionError, match=r"sub-02\.h5 failed 6 times.*check the network"):
        store.signal(1, 0, 10)


def test_only_the_blocks_of_a_window_are_read(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    store = Store(f"{server.address}/store")
    store.signal(0, 9000, 9100)
    asked = [where for path, where in server.requests if path.endswith("sub-01.h5")]
    first = store.entry(0).extents["signal"].offset + (1 << 22)
    assert f"bytes={first}-{first + (1 << 22) - 1}" in asked
    assert len(asked) == 2  # the list of checksums, and one block


def test_what_is_prefetched_is_not_asked_for_again(folder: Path, serve: Serve) -> None:
    server = serve(folder, delay=0.05)
    store = Store(f"{server.address}/store")
    file, size, extent, *_ = store.stretch(0, "signal", 0, 100)
    store.content.prefetch(file, size, extent, np.array([0, 9000]), np.array([100, 9100]))
    # the checksums, and at once what they name, without being asked again
    until = time.monotonic() + 20
    while sum(path.endswith("sub-01.h5") for path, _ in server.requests) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    store.signal(0, 0, 100)
    store.signal(0, 9000, 9100)
    assert set(server.requests.values()) == {1}
    assert sum(path.endswith("sub-01.h5") for path, _ in server.requests) == 3


def test_a_store_written_anew_under_a_reader_is_told(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    store = Store(f"{server.address}/store")
    store.signal(0, 0, 10)
    with Writer(folder / "store") as writer:
        writer.write(recording("01", seed=7))
    assert np.array_equal(store.signal(0, 0, 10), recording("01").signal[:10])
    with pytest.raises(ValueError, match="written anew after it was opened here: start again"):
        store.signal(0, 15_000, 15_010)
    assert np.array_equal(Store(store.path).signal(0, 15_000, 15_010), recording("01", seed=7).signal[15_000:15_010])


def test_a_file_replaced_under_the_catalog_is_told(folder: Path, serve: Serve) -> None:
    server = serve(folder)
    store = Store(f"{server.address}/store")
    file = folder / "store" / store.entry(0).file
    store.signal(0, 0, 10)
    file.write_bytes(bytes(file.stat().st_size + 5))
    with pytest.raises(
        ValueError, match=r"sub-01\.h5.*are not those in the catalog.*it was replaced: run `brainfm prepare`"
    ):
        store.signal(0, 15_000, 15_010)
    file.unlink()
    with pytest.raises(ValueError, match=r"sub-01\.h5 does not exist.*it was replaced or damaged where it lies"):
        store.signal(0, 15_000, 15_010)


def test_a_damaged_catalog_is_refused(folder: Path, serve: Serve) -> None:
    table = folder / "store" / "catalog.parquet"
    table.write_bytes(table.read_bytes()[:-8] + bytes(8))
    with pytest.raises(ValueError, match=r"catalog\.parquet: bytes 0 to .* are not those in the catalog"):
        Store(f"{serve(folder).address}/store")


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", b"[]", b'{"tables": 3}'])
def test_a_page_that_is_no_manifest_is_refused(content: bytes, folder: Path, serve: Serve) -> None:
    (folder / "store" / MANIFEST).write_bytes(content)
    with pytest.raises(ValueError, match=r"store\.json is no manifest of a store"):
        Store(f"{serve(folder).address}/store")


def test_a_manifest_of_another_version_is_refused(folder: Path, serve: Serve) -> None:
    manifest = json.loads((folder / "store" / MANIFEST).read_text())
    (folder / "store" / MANIFEST).write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(ValueError, match="another version of brainfm"):
        Store(f"{serve(folder).address}/store")


def test_an_address_without_a_store_names_the_command(folder: Path, serve: Serve) -> None:
    with pytest.raises(FileNotFoundError, match=r"/nothing is no store .*brainfm prepare SOURCE"):
        Store(f"{serve(folder).address}/nothing")


def test_a_server_that_ignores_ranges_is_refused_before_anything_large(folder: Path, serve: Serve) -> None:
    server = serve(folder, plan=lambda path, count: "whole")
    with pytest.raises(ValueError, match="sends whole files where a range is asked for"):
        Store(f"{server.address}/store")
    assert not any(path.endswith(".h5") for path, _ in server.requests)


def test_a_cache_smaller_than_the_store_reads_it_all(
    folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINFM_CACHE_SIZE", "12 MB")
    store = Store(f"{serve(folder).address}/store")
    same(store, Store(folder / "store"))


def test_a_store_crosses_to_another_process_as_its_address(folder: Path, serve: Serve) -> None:
    store = Store(f"{serve(folder).address}/store", storage_options={"headers": {"x-key": "a"}})
    again = pickle.loads(pickle.dumps(store))
    assert np.array_equal(again.signal(1, 0, 10), store.signal(1, 0, 10))


def test_names_with_spaces_and_signs_are_found(tmp_path: Path, serve: Serve) -> None:
    with Writer(tmp_path / "srv") as writer:
        writer.write(recording("01", n_times=100, study="A b#c?d é"))
    assert Store(serve(tmp_path / "srv").address).signal(0, 0, 100).shape == (100, 128)


def test_settings_that_are_no_numbers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINFM_CACHE_SIZE", "plenty")
    with pytest.raises(ValueError, match="BRAINFM_CACHE_SIZE is 'plenty': write a number and a unit"):
        Store("http://127.0.0.1:9/store")
    monkeypatch.setenv("BRAINFM_CACHE_SIZE", "1 GB")
    monkeypatch.setenv("BRAINFM_CONNECTIONS", "-2")
    with pytest.raises(ValueError, match="BRAINFM_CONNECTIONS is '-2'"):
        Store("http://127.0.0.1:9/store")


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match="no file system is called 'ss3'"):
        Store("ss3://bucket/store")


def test_the_cache_is_printed_once(folder: Path, serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"{serve(folder).address}/store"
    Store(address)
    Store(address)
    assert capsys.readouterr().out.count("cache of remote stores:") == 1
    assert Settings(Path("x"), 1).connections == 16
