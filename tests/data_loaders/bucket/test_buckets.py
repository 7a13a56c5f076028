"""Servers of S3 and of Google Cloud Storage: stores are written, resumed after a kill, read, and refused with the repair."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
import requests
import s3fs
import yaml
from gcsfs.core import GCSFileSystem
from moto.server import ThreadedMotoServer

from brainfm.cli import main
from data_loaders.contracts import Recording, Spikes
from data_loaders.prepare import prepare
from data_loaders.store import Store
from data_loaders.writer import Writer
from tests.data_loaders.bucket.google_server import GoogleServer


@dataclass(frozen=True)
class Lab:
    """A bucket called `lab`: the address of a store in it, how it is reached, and what stands there by its own client."""

    address: str
    options: dict[str, Any]
    files: Any

    def store(self) -> Store:
        return Store(self.address, storage_options=self.options)

    def names(self) -> list[str]:
        self.files.invalidate_cache()
        return sorted(path.removeprefix("lab/store/") for path in self.files.find("lab/store"))


@pytest.fixture(scope="module")
def amazon() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(amazon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    requests.post(f"{amazon}/moto-api/reset", timeout=10)
    monkeypatch.setenv("BRAINFM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    options = {"endpoint_url": amazon}
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem(**options)
    files.mkdir("lab")
    yield Lab("s3://lab/store", options, files)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def gs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("BRAINFM_CACHE", str(tmp_path / "cache"))
    with GoogleServer("lab") as server:
        options = {"endpoint_url": server.address, "token": "anon"}
        yield Lab("gs://lab/store", options, GCSFileSystem(**options))


# a mark on a parameter: gcsfs hands aiohttp up to 50 MB at once, which aiohttp finds too much
_LARGE = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")


@pytest.fixture(params=["s3", pytest.param("gs", marks=_LARGE)])
def lab(request: pytest.FixtureRequest) -> Lab:
    return request.getfixturevalue(request.param)


def recording(subject: str = "01", seed: int = 0, n_times: int = 20_000, **changes: Any) -> Recording:
    signal = np.random.default_rng(seed).standard_normal((n_times, 128), dtype=np.float32)
    facts = {
        "study": "Test", "modality": "eeg", "sfreq": 100.0, "ch_names": tuple(f"c{i}" for i in range(128)),
        "ch_types": ("eeg",) * 128, "units": ("V",) * 128, "duration": n_times / 100, "source": f"{subject}.edf",
        "events": pd.DataFrame({"onset": [1.0, 2.0], "trial_type": ["left", None], "value": [1, 2]}),
        "demographics": {"age": 31, "sex": "F"}, "decisions": ("ECG left out",),
    }  # fmt: skip
    return Recording(**({"subject": subject, "signal": signal} | facts | changes))


def spiking(subject: str = "03") -> Recording:
    times = np.arange(500) / 10
    spikes = Spikes(times, np.zeros(500, int))
    return recording(subject, signal=None, spikes=spikes, modality="spikes", ch_types=("unit",) * 128)


def both(lab: Lab, tmp_path: Path, *recordings: Recording) -> tuple[Store, Store]:
    """The same recordings written into a folder, and into the bucket."""
    for place, options in ((tmp_path / "local", None), (lab.address, lab.options)):
        with Writer(place, options) as writer:
            for one in recordings:
                writer.write(one, key=one.source)
    return Store(tmp_path / "local"), lab.store()


def test_what_is_written_to_a_bucket_is_what_is_written_to_a_folder(lab: Lab, tmp_path: Path) -> None:
    local, remote = both(lab, tmp_path, recording("01"), recording("02", 1, 100), spiking())
    pd.testing.assert_frame_equal(local.catalog, remote.catalog)
    pd.testing.assert_frame_equal(local.events, remote.events)
    for index in (0, 1):
        assert np.array_equal(local.signal(index, 0, 20_000), remote.signal(index, 0, 20_000))
        assert remote.entry(index).decisions == ("ECG left out",)
    assert np.array_equal(local.spikes(2, 1.0, 9.0).times, remote.spikes(2, 1.0, 9.0).times)
    files = [f"Test/{entry}.h5" for entry in ("sub-01", "sub-02", "sub-03")]
    assert lab.names() == sorted([*files, "catalog.parquet", "events.parquet", "store.json"])
    assert not [path for path in (tmp_path / "cache" / "outgoing").rglob("*") if path.is_file()]


def test_a_second_writer_adds_without_reading_recordings_again(lab: Lab, tmp_path: Path) -> None:
    both(lab, tmp_path, recording("01", n_times=100))
    local, remote = both(lab, tmp_path, recording("02", 1, 100))
    pd.testing.assert_frame_equal(local.catalog, remote.catalog)
    pd.testing.assert_frame_equal(local.events, remote.events)
    with Writer(lab.address, lab.options) as writer:
        assert writer.done("01.edf")
        assert not writer.done("03.edf")


def test_recordings_without_a_catalog_are_found_again(lab: Lab, tmp_path: Path) -> None:
    local, _ = both(lab, tmp_path, recording("01"), recording("02", 1, 100))
    for name in ("catalog.parquet", "events.parquet", "store.json"):
        lab.files.rm_file(f"lab/store/{name}")
    lab.files.pipe_file("lab/store/Test/sub-03.h5", b"half a file")
    lab.files.pipe_file("lab/store/Test/sub-04.h5.ab12.uploading", b"half a file")
    with Writer(lab.address, lab.options) as writer:
        assert writer.done("01.edf")
        assert writer.done("02.edf")
    remote = lab.store()
    pd.testing.assert_frame_equal(local.catalog, remote.catalog)
    pd.testing.assert_frame_equal(local.events, remote.events)
    assert not any(name.endswith(".uploading") for name in lab.names())


def spikes_folder(path: Path, n: int) -> Path:
    path.mkdir()
    (path / "brainfm.yaml").write_text(
        'modality: spikes\npattern: "{subject}.npz"\nspikes: {streams: {vel: {sfreq: 100}}}\n'
    )
    for i in range(n):
        np.savez(path / f"s{i:02d}.npz", spike_times=np.arange(1, 10), spike_units=np.zeros(9, int), vel=np.zeros(1000))
    return path


_PREPARE = """
import json, sys, time
from data_loaders.bucket import upload
from data_loaders.prepare import prepare
put = upload.Bucket.put
def slowly(self, path, file):
    put(self, path, file)
    print(file, flush=True)
    time.sleep(0.3)
upload.Bucket.put = slowly
prepare(sys.argv[1], sys.argv[2], storage_options=json.loads(sys.argv[3]))
"""


def test_prepare_killed_on_the_way_to_a_bucket_goes_on(lab: Lab, tmp_path: Path, capsys: Any) -> None:
    source = spikes_folder(tmp_path / "in", 4)
    command = [sys.executable, "-c", _PREPARE, str(source), lab.address, json.dumps(lab.options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    assert any(line.startswith("in/sub-s01.h5") for line in process.stdout)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with pytest.raises(FileNotFoundError, match="is no store"):
        lab.store()
    prepare(source, lab.address, storage_options=lab.options)
    assert "2 recordings written, 2 were there" in capsys.readouterr().out
    prepare(source, tmp_path / "local")
    remote, local = lab.store(), Store(tmp_path / "local")
    assert list(remote.catalog["sha256"]) == list(local.catalog["sha256"])


def test_several_processes_convert_into_a_bucket_what_one_does_into_a_folder(lab: Lab, tmp_path: Path) -> None:
    source = spikes_folder(tmp_path / "in", 4)
    prepare(source, lab.address, storage_options=lab.options, jobs=2)
    prepare(source, tmp_path / "local")
    remote, local = lab.store(), Store(tmp_path / "local")
    pd.testing.assert_frame_equal(remote.catalog, local.catalog)
    assert not list((tmp_path / "cache" / "outgoing").rglob("*.h5"))


def test_a_recipe_says_where_its_store_is_written_and_how_it_is_reached(lab: Lab, tmp_path: Path) -> None:
    data = {"store": lab.address, "storage_options": lab.options}
    recipe = {"prepare": {"source": str(spikes_folder(tmp_path / "in", 1))}, "data": {"init_args": data}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["prepare", "--config", str(tmp_path / "mine.yaml")]) == 0
    assert len(lab.store()) == 1


def test_a_source_that_changed_its_name_leaves_no_old_recording(lab: Lab, tmp_path: Path) -> None:
    source = spikes_folder(tmp_path / "in", 2)
    prepare(source, lab.address, storage_options=lab.options)
    text = (source / "brainfm.yaml").read_text()
    (source / "brainfm.yaml").write_text(text.replace('"{subject}.npz"', '"s{subject}.npz"'))
    prepare(source, lab.address, storage_options=lab.options)
    assert [name for name in lab.names() if name.endswith(".h5")] == ["in/sub-00.h5", "in/sub-01.h5"]


def test_a_bucket_that_is_not_there_is_told(lab: Lab) -> None:
    nobodys = lab.address.replace("lab", "nobodys")
    with pytest.raises(FileNotFoundError, match=f"{nobodys} is no store"):
        Store(nobodys, storage_options=lab.options)
    with pytest.raises(FileNotFoundError, match=f"{nobodys}.* does not exist"), Writer(nobodys, lab.options) as writer:
        writer.write(recording("01", n_times=10))


def test_settings_of_fsspec_are_taken_from_the_environment(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, _ = both(lab, tmp_path, recording("01", n_times=100))
    monkeypatch.setitem(fsspec.config.conf, lab.address[:2], lab.options)
    assert np.array_equal(Store(lab.address).signal(0, 0, 100), local.signal(0, 0, 100))


def test_a_public_bucket_is_read_without_credentials_and_a_private_one_is_not(
    s3: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, _ = both(s3, tmp_path, recording("01"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("BRAINFM_CACHE", str(tmp_path / "other"))
    with pytest.raises(PermissionError, match=r"store\.json may not be read.*storage_options: \{anon: true\}"):
        s3.store()
    anonymous = {"anon": True, **s3.options}
    with pytest.raises(PermissionError, match=r"store\.json may not be read.*Forbidden"):
        Store(s3.address, storage_options=anonymous)
    owner = s3fs.S3FileSystem(key="testing", secret="testing", **s3.options)
    for path in owner.find("lab"):
        owner.chmod(path, acl="public-read")
    store = Store(s3.address, storage_options=anonymous)
    assert np.array_equal(store.signal(0, 0, 100), local.signal(0, 0, 100))
