"""Google Cloud Storage: read as from the folder, also when it stumbles; doors that stay closed are told with the key to them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.oauth2.credentials import Credentials

from data_loaders.bucket import address
from data_loaders.bucket.address import check_no_secrets
from data_loaders.bucket.transport import Transport
from data_loaders.contracts import Recording
from data_loaders.store import Store
from data_loaders.writer import Writer
from tests.data_loaders.bucket.google_server import GoogleServer

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # see test_buckets.py
FILE = "lab/o/store/Test/sub-01.h5"


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials on this machine, and no cache."""
    monkeypatch.setenv("BRAINFM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


@pytest.fixture
def server() -> Iterator[GoogleServer]:
    with GoogleServer("lab") as server:
        yield server


def options(server: GoogleServer, **more: Any) -> dict[str, Any]:
    return {"endpoint_url": server.address, "token": "anon", **more}


def write(place: Any, server: GoogleServer, seed: int = 0, subject: str = "01") -> Store:
    """A recording of three blocks, in a folder or in the bucket."""
    signal = np.random.default_rng(seed).standard_normal((20_000, 128), dtype=np.float32)
    facts = {"ch_names": tuple(f"c{i}" for i in range(128)), "ch_types": ("eeg",) * 128, "units": ("V",) * 128}
    made = Recording(
        study="Test", subject=subject, modality="eeg", sfreq=100.0, duration=200.0, signal=signal, source="01.edf", **facts
    )  # fmt: skip
    with Writer(place, options(server) if isinstance(place, str) else None) as writer:
        writer.write(made)
    return Store(place, storage_options=options(server) if isinstance(place, str) else None)


def signal(store: Store) -> np.ndarray:
    return store.signal(0, 0, 20_000)


def test_a_warm_cache_needs_no_network(
    tmp_path: Path, server: GoogleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    local, remote = write(tmp_path / "local", server), write("gs://lab/store", server)
    assert np.array_equal(signal(remote), signal(local))
    server.plan = lambda method, path, count: "503"
    assert np.array_equal(signal(Store("gs://lab/store", storage_options=options(server))), signal(local))
    assert "gs://lab/store cannot be reached" in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["503", "429", "cut", "flip"])
def test_a_fault_that_passes_is_not_noticed(fault: str, tmp_path: Path, server: GoogleServer) -> None:
    local = write(tmp_path / "local", server)
    write("gs://lab/store", server)
    server.plan = lambda method, path, count: fault if path.endswith(FILE) and count == 0 else None
    assert np.array_equal(signal(Store("gs://lab/store", storage_options=options(server))), signal(local))


def test_an_upload_that_stumbles_goes_on(tmp_path: Path, server: GoogleServer) -> None:
    server.plan = lambda method, path, count: "503" if method in ("POST", "DELETE") and count == 0 else None
    assert np.array_equal(signal(write("gs://lab/store", server)), signal(write(tmp_path / "local", server)))
    assert not any("uploading" in str(found) for found in server.storage.get_file_list("lab")[0])


@pytest.mark.parametrize(
    ("fault", "error", "message", "requests"),
    [
        ("403", PermissionError, r"gs://lab/store/Test/sub-01\.h5 may not be read.*storage_options: \{anon: true\}", 1),
        ("404", ValueError, r"gs://lab/store/Test/sub-01\.h5 does not exist", 1),
        ("416", ValueError, r"gs://lab/store/Test/sub-01\.h5 has fewer bytes than the catalog says", 1),
        ("503", ConnectionError, r"gs://lab/store/Test/sub-01\.h5 failed 6 times.*503", 6),
        ("cut", ConnectionError, r"gs://lab/store/Test/sub-01\.h5 failed 6 times", 6),
        ("flip", ValueError, r"gs://lab/store/Test/sub-01\.h5: bytes .* are not those in the catalog", 2),
    ],
)
def test_a_fault_that_stays_is_told(
    fault: str, error: type[Exception], message: str, requests: int, server: GoogleServer
) -> None:
    store = write("gs://lab/store", server)
    server.requests.clear()
    server.plan = lambda method, path, count: fault if "download" in path and path.endswith(FILE) else None
    with pytest.raises(error, match=message):
        store.signal(0, 0, 10)
    assert sum("download" in path and path.endswith(FILE) for _, path in server.requests) == requests


def test_a_bucket_with_a_key_is_read_with_it_and_refused_without(tmp_path: Path, server: GoogleServer) -> None:
    local = write(tmp_path / "local", server)
    write("gs://lab/store", server)
    server.key = "ours"
    refused = r"gs://lab/store/store\.json may not be read.*give credentials"
    for token in (None, "anon", Credentials("another")):
        with pytest.raises(PermissionError, match=refused):
            Store("gs://lab/store", storage_options=options(server, token=token))
    store = Store("gs://lab/store", storage_options=options(server, token=Credentials("ours")))
    assert np.array_equal(signal(store), signal(local))


def test_a_machine_without_the_credentials_that_are_asked_for_is_told(server: GoogleServer) -> None:
    with pytest.raises(PermissionError, match=r"gs://lab/store.* may not be read.*default credentials were not found"):
        Store("gs://lab/store", storage_options=options(server, token="google_default"))


def test_anonymous_is_one_word_for_all_buckets(
    tmp_path: Path, server: GoogleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = write(tmp_path / "local", server)
    write("gs://lab/store", server)
    monkeypatch.setattr("gcsfs.credentials.GoogleCredentials._connect_google_default", _asked)
    store = Store("gs://lab/store", storage_options={"endpoint_url": server.address, "anon": True})
    assert np.array_equal(signal(store), signal(local))


def _asked(*args: Any) -> None:
    raise AssertionError("credentials were asked for")


def test_buckets_of_one_name_at_two_servers_are_two(server: GoogleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    write("gs://lab/store", server)
    with GoogleServer("lab") as other:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", other.address)
        with pytest.raises(FileNotFoundError, match="gs://lab/store is no store"):
            Store("gs://lab/store", storage_options={"token": "anon"})
        theirs = write("gs://lab/store", other, seed=1)
    # both are gone: what is kept of one is not taken for the other
    server.plan = lambda method, path, count: "503"
    ours = Store("gs://lab/store", storage_options=options(server))
    assert list(ours.catalog["sha256"]) != list(theirs.catalog["sha256"])


def test_names_with_spaces_and_signs_are_found(tmp_path: Path, server: GoogleServer) -> None:
    for subject in ("a b", "ü#1", "50%2F", "x?y+z", "n[0]*"):
        place = f"gs://lab/store {subject}"
        assert np.array_equal(signal(write(place, server, subject="1")), signal(write(tmp_path / "local", server)))
        (tmp_path / "local" / "Test" / "sub-01.h5").unlink()


def test_requests_are_not_preceded_by_questions_over_another_protocol(server: GoogleServer) -> None:
    files = address.opened("gs://lab/store", options(server), 4)
    assert not hasattr(files, "_lookup_bucket_type")


def test_where_credentials_lie_is_no_secret() -> None:
    check_no_secrets({"token": "anon", "endpoint_url": "https://host"})
    with pytest.raises(ValueError, match=r"storage_options holds 'token'.*FSSPEC_<PROTOCOL>_TOKEN"):
        check_no_secrets({"token": "ya29.a0Ab"})


def test_a_small_file_is_read_whole_and_sized(server: GoogleServer) -> None:
    write("gs://lab/store", server)
    transport = Transport("gs://lab/store", options(server))
    sizes = transport.names()
    assert len(transport.whole("store.json")) == sizes["store.json"] == transport.size("store.json")
