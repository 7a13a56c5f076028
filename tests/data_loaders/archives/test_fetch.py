"""Fetching: whole or absent, taken up where it was cut, and refused where it is not what the archive promised."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_loaders.archives import web
from data_loaders.archives.base import File, wrong
from data_loaders.archives.fetch import fetch, missing

BODY = np.random.default_rng(0).bytes(300_000)


def offered(site, path: str = "/a/b.bin", body: bytes = BODY, kind: str = "sha256") -> File:
    site.files[path] = body
    digest = hashlib.new("md5" if kind == "etag" else kind, body).hexdigest()
    return File(path.lstrip("/"), site.url + path, len(body), f"{kind}:{digest}")


@pytest.mark.parametrize("kind", ["sha256", "md5", "etag"])
def test_a_file_arrives_under_its_path_with_its_bytes(site, tmp_path: Path, kind: str) -> None:
    fetch([offered(site, kind=kind)], tmp_path)
    assert (tmp_path / "a/b.bin").read_bytes() == BODY
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["b.bin"]


def test_what_is_there_is_not_asked_for_again(site, tmp_path: Path) -> None:
    file = offered(site)
    fetch([file], tmp_path)
    site.asked.clear()
    fetch([file], tmp_path)
    assert site.asked == []
    assert missing([file], tmp_path) == []


def test_a_broken_connection_is_taken_up_in_the_middle(site, tmp_path: Path) -> None:
    file = offered(site)
    site.faults["/a/b.bin"] = ["break", "break"]
    fetch([file], tmp_path)
    assert (tmp_path / "a/b.bin").read_bytes() == BODY
    assert [asked for _, asked in site.asked] == ["", "bytes=131072-", "bytes=196608-"]  # whole blocks are kept


def test_a_cut_download_leaves_nothing_under_its_name_and_goes_on(site, tmp_path: Path) -> None:
    file = offered(site)
    site.faults["/a/b.bin"] = ["break"] * web.TRIES
    with pytest.raises(web.OfflineError, match="run the same command again"):
        fetch([file], tmp_path)
    assert not (tmp_path / "a/b.bin").exists()
    kept = (tmp_path / "a/.b.bin.part").stat().st_size
    site.asked.clear()
    fetch([file], tmp_path)
    assert site.asked[0][1] == f"bytes={kept}-"
    assert (tmp_path / "a/b.bin").read_bytes() == BODY


def test_a_server_without_ranges_begins_anew(site, tmp_path: Path) -> None:
    file = offered(site)
    site.faults["/a/b.bin"] = ["break", "plain"]
    fetch([file], tmp_path)
    assert (tmp_path / "a/b.bin").read_bytes() == BODY


def test_a_piece_of_another_version_is_fetched_once_more(site, tmp_path: Path) -> None:
    file = offered(site)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/.b.bin.part").write_bytes(b"x" * 1000)
    fetch([file], tmp_path)
    assert (tmp_path / "a/b.bin").read_bytes() == BODY
    assert [asked for _, asked in site.asked] == ["bytes=1000-", ""]


def test_a_wrong_checksum_is_refused_and_nothing_stays(site, tmp_path: Path) -> None:
    good, bad = offered(site), offered(site, "/c.bin")
    site.files["/c.bin"] = BODY[:-1] + b"?"
    with pytest.raises(ValueError, match=r"1 of 2 files.*\n.*c\.bin.*came twice and its sha256 is"):
        fetch([bad, good], tmp_path)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["b.bin"]


def test_a_file_of_another_size_is_refused(site, tmp_path: Path) -> None:
    file = offered(site)
    site.files["/a/b.bin"] = BODY + b"more"
    with pytest.raises(ValueError, match=r"300,004 bytes, expected 300,000|broke off"):
        fetch([file], tmp_path)
    assert not (tmp_path / "a/b.bin").exists()


def test_a_missing_file_is_named_and_the_others_come(site, tmp_path: Path) -> None:
    gone = File("gone.bin", f"{site.url}/gone.bin", 5)
    with pytest.raises(ValueError, match=r"gone\.bin: .*404.*no longer has it"):
        fetch([gone, offered(site)], tmp_path)
    assert (tmp_path / "a/b.bin").exists()


def test_a_busy_server_is_asked_again(site, tmp_path: Path) -> None:
    file = offered(site)
    site.faults["/a/b.bin"] = [503, 429]
    fetch([file], tmp_path)
    assert (tmp_path / "a/b.bin").read_bytes() == BODY


def test_no_connection_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "WAIT", 0.0)
    with pytest.raises(web.OfflineError, match="check the connection"):
        fetch([File("a.bin", "http://127.0.0.1:9/a.bin", 5)], tmp_path)


def test_a_listing_cannot_write_outside_of_the_folder() -> None:
    for path in ("../up.bin", "/etc/passwd", "a/../../b"):
        with pytest.raises(ValueError, match="not to be trusted"):
            File(path, "http://x/y")


def test_the_etag_of_parts_is_known_again(tmp_path: Path) -> None:
    body = np.random.default_rng(1).bytes(9 * 2**20)
    (tmp_path / "f").write_bytes(body)
    parts = [hashlib.md5(body[i : i + 8 * 2**20]).digest() for i in (0, 8 * 2**20)]
    etag = f"etag:{hashlib.md5(b''.join(parts)).hexdigest()}-2"
    assert wrong(File("f", "u", len(body), etag), tmp_path / "f") is None
    # parts of a size that nobody knows: the size of the file is all that can be checked
    assert wrong(File("f", "u", len(body), "etag:" + "0" * 32 + "-3"), tmp_path / "f") is None
    assert "expected 1 bytes"[:10] in str(wrong(File("f", "u", 1, etag), tmp_path / "f"))


def test_a_kill_in_mid_download_leaves_a_piece_that_the_next_run_completes(site, tmp_path: Path) -> None:
    body = np.random.default_rng(2).bytes(3_000_000)
    file = offered(site, "/big.bin", body)
    code = (
        "import sys, time; from pathlib import Path; from data_loaders.archives import fetch, base\n"
        "fetch._BLOCK = 4096\n"
        f"f = base.File('big.bin', {file.url!r}, {file.size}, {file.checksum!r})\n"
        "fetch._one(f, Path(sys.argv[1]) / 'big.bin', lambda n: time.sleep(0.002))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    part = tmp_path / ".big.bin.part"
    while not (part.exists() and part.stat().st_size > 20_000):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "big.bin").exists()
    fetch([file], tmp_path)
    assert (tmp_path / "big.bin").read_bytes() == body
    assert site.asked[-1][1].startswith("bytes=")
