"""Blocks from a server that misbehaves: what reaches the cache is what was written, once, or an error that says what to do."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from data_loaders.bucket import blocks as block_module
from data_loaders.bucket.blocks import Block
from data_loaders.bucket.cache import Cache
from data_loaders.bucket.fetch import Fetcher
from data_loaders.bucket.transport import Transport

Serve = Callable[..., Any]
MakeBlocks = Callable[..., list[Block]]


# a setting that only fsspec's own client knows: the way that buckets take, without the one that is made for http
BY_FSSPEC = {"client_kwargs": {"trust_env": False}}
both_ways = pytest.mark.parametrize("options", [{}, BY_FSSPEC], ids=["direct", "fsspec"])


def fetcher(address: str, folder: Path, size: int = 1 << 30, **how: Any) -> Fetcher:
    transport = Transport(address, how.pop("options", None), timeout=how.pop("timeout", 20.0))
    return Fetcher(transport, Cache(folder / "cache", size), **how)


def all_sound(cache: Cache, folder: Path, wanted: Sequence[Block]) -> bool:
    raw = {block.file: (folder / block.file).read_bytes() for block in wanted}
    return all(cache.path(b.sha256).read_bytes() == raw[b.file][b.start : b.stop] for b in wanted)


def parts(folder: Path) -> list[Path]:
    return list((folder / "cache").rglob("*.part"))


def test_neighbours_come_in_one_request_and_all_are_sound(
    tmp_path: Path, serve: Serve, make_blocks: MakeBlocks
) -> None:
    wanted, server = make_blocks(tmp_path / "srv"), serve(tmp_path / "srv")
    made = fetcher(server.address, tmp_path)
    made.fetch(wanted)
    assert all_sound(made.cache, tmp_path / "srv", wanted)
    assert server.requests == {("a.bin", "bytes=0-11999"): 1}


def test_distant_blocks_come_in_requests_of_their_own_at_the_same_time(
    tmp_path: Path, serve: Serve, make_blocks: MakeBlocks
) -> None:
    wanted, server = make_blocks(tmp_path / "srv", apart=1 << 19), serve(tmp_path / "srv", delay=0.1)
    made = fetcher(server.address, tmp_path, connections=5)
    made.fetch(wanted)
    assert all_sound(made.cache, tmp_path / "srv", wanted)
    assert sum(server.requests.values()) == 12
    assert server.most_in_flight == 5


@both_ways
@pytest.mark.parametrize("fault", ["drop", "cut", "500", "503", "429", "flip"])
def test_a_fault_that_passes_is_not_noticed(
    fault: str, options: dict[str, Any], tmp_path: Path, serve: Serve, make_blocks: MakeBlocks
) -> None:
    wanted = make_blocks(tmp_path / "srv", count=3)
    server = serve(tmp_path / "srv", plan=lambda path, count: fault if count == 0 else None)
    made = fetcher(server.address, tmp_path, options=options)
    made.fetch(wanted)
    assert all_sound(made.cache, tmp_path / "srv", wanted)
    assert not parts(tmp_path)


@both_ways
@pytest.mark.parametrize("fault", ["stall", "drip"])
def test_a_connection_that_hangs_is_cut_off_and_tried_again(
    fault: str, options: dict[str, Any], tmp_path: Path, serve: Serve, make_blocks: MakeBlocks
) -> None:
    wanted = make_blocks(tmp_path / "srv", count=2)
    server = serve(tmp_path / "srv", plan=lambda path, count: fault if count == 0 else None)
    made = fetcher(server.address, tmp_path, timeout=0.3, options=options)
    made.fetch(wanted)
    assert all_sound(made.cache, tmp_path / "srv", wanted)
    assert sum(server.requests.values()) == 2


def test_after_a_cut_only_what_is_missing_is_asked_for(tmp_path: Path, serve: Serve, make_blocks: MakeBlocks) -> None:
    wanted = make_blocks(tmp_path / "srv", count=1, size=1 << 22)
    server = serve(tmp_path / "srv", plan=lambda path, count: "cut" if count == 0 else None)
    made = fetcher(server.address, tmp_path)
    made.fetch(wanted)
    assert all_sound(made.cache, tmp_path / "srv", wanted)
    _, again = (where for _, where in server.requests)
    assert 1 << 20 <= int(again.removeprefix("bytes=").partition("-")[0]) <= 1 << 21


def test_settings_that_only_fsspec_knows_are_left_to_it() -> None:
    direct = Transport("https://host/store", {"headers": {"x-key": "a"}})._web
    assert direct is not None
    assert direct._headers["x-key"] == "a"
    for options in (BY_FSSPEC, {"ssl": False}, {"auth": None}):
        assert Transport("https://host/store", options)._web is None
    assert Transport("https://name:secret@host/store")._web is None
    assert Transport("memory://store")._web is None


@both_ways
@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("500", ConnectionError, r"a\.bin failed 6 times.*500.*check the network"),
        ("drop", ConnectionError, r"a\.bin failed 6 times"),
        ("403", PermissionError, r"a\.bin may not be read.*credentials"),
        ("404", FileNotFoundError, r"a\.bin does not exist: check the address"),
        ("400", ValueError, r"a\.bin.*400"),
        ("flip", ValueError, r"a\.bin: bytes 0 to 1,000 are not those in the catalog, asked for again"),
        ("whole", ValueError, r"a\.bin: the server sends whole files where a range is asked for"),
    ],
)
def test_a_fault_that_stays_is_told_and_leaves_nothing(
    fault: str, error: type[Exception], words: str, options: Any, tmp_path: Path, serve: Serve, make_blocks: MakeBlocks
) -> None:
    wanted = make_blocks(tmp_path / "srv")[:1]
    server = serve(tmp_path / "srv", plan=lambda path, count: fault)
    made = fetcher(server.address, tmp_path, options=options)
    with pytest.raises(error, match=words):
        made.fetch(wanted)
    assert not made.cache.has(wanted[0])
    assert not parts(tmp_path)


def test_what_is_wrong_is_asked_for_only_while_it_may_help(
    tmp_path: Path, serve: Serve, make_blocks: MakeBlocks
) -> None:
    wanted = make_blocks(tmp_path / "srv")[:1]
    denied = serve(tmp_path / "srv", plan=lambda path, count: "403")
    with pytest.raises(PermissionError):
        fetcher(denied.address, tmp_path).fetch(wanted)
    assert sum(denied.requests.values()) == 1
    failing = serve(tmp_path / "srv", plan=lambda path, count: "503")
    with pytest.raises(ConnectionError):
        fetcher(failing.address, tmp_path).fetch(wanted)
    assert sum(failing.requests.values()) == 6


def test_a_file_that_became_shorter_is_told_at_once(tmp_path: Path, serve: Serve, make_blocks: MakeBlocks) -> None:
    wanted, server = make_blocks(tmp_path / "srv"), serve(tmp_path / "srv")
    (tmp_path / "srv" / "a.bin").write_bytes(b"short")
    with pytest.raises(ValueError, match="fewer bytes than the catalog says"):
        fetcher(server.address, tmp_path).fetch(wanted[:1])


def test_nobody_at_the_address_is_told_after_the_last_try(tmp_path: Path, make_blocks: MakeBlocks) -> None:
    with pytest.raises(ConnectionError, match=r"http://127.0.0.1:9/a.bin failed 6 times"):
        fetcher("http://127.0.0.1:9", tmp_path).fetch(make_blocks(tmp_path / "srv")[:1])


def test_threads_that_want_the_same_block_share_one_download(
    tmp_path: Path, serve: Serve, make_blocks: MakeBlocks
) -> None:
    wanted, server = make_blocks(tmp_path / "srv", apart=1 << 19), serve(tmp_path / "srv", delay=0.02)
    made = fetcher(server.address, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: made.fetch(wanted), range(16)))
    assert set(server.requests.values()) == {1}
    assert len(server.requests) == 12


def test_a_fetch_after_a_failed_one_begins_anew(tmp_path: Path, serve: Serve, make_blocks: MakeBlocks) -> None:
    wanted = make_blocks(tmp_path / "srv")
    server = serve(tmp_path / "srv", plan=lambda path, count: "403" if count == 0 else None)
    made = fetcher(server.address, tmp_path)
    with pytest.raises(PermissionError):
        made.fetch(wanted)
    made.fetch(wanted)
    assert all_sound(made.cache, tmp_path / "srv", wanted)


def test_a_prefetch_is_waited_for_and_not_repeated(tmp_path: Path, serve: Serve, make_blocks: MakeBlocks) -> None:
    wanted, server = make_blocks(tmp_path / "srv", apart=1 << 19), serve(tmp_path / "srv", delay=0.05)
    made = fetcher(server.address, tmp_path, connections=3)
    made.prefetch(wanted)
    made.prefetch(wanted)
    made.fetch(wanted)
    assert set(server.requests.values()) == {1}
    assert len(server.requests) == 12


def test_a_block_longer_than_a_request_comes_in_pieces(
    tmp_path: Path, serve: Serve, make_blocks: MakeBlocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_module, "_MOST", 300)
    wanted, server = make_blocks(tmp_path / "srv", count=1), serve(tmp_path / "srv")
    made = fetcher(server.address, tmp_path)
    made.fetch(wanted)
    assert all_sound(made.cache, tmp_path / "srv", wanted)
    assert sorted(r for _, r in server.requests) == ["bytes=0-299", "bytes=300-599", "bytes=600-899", "bytes=900-999"]
