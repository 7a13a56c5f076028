"""The cache: one download per machine, nothing half-written counts, the cap holds, and readers keep what they have open."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from data_loaders.bucket import cache as cache_module
from data_loaders.bucket.blocks import Block
from data_loaders.bucket.cache import Cache
from data_loaders.bucket.fetch import Fetcher
from data_loaders.bucket.ledger import lock
from data_loaders.bucket.opened import OpenBlocks
from data_loaders.bucket.transport import Transport

Serve = Callable[..., Any]
MakeBlocks = Callable[..., list[Block]]

# argv: address, folder of the cache, blocks as json; reads a line, then fetches all blocks in four threads
_READER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from data_loaders.bucket.blocks import Block
from data_loaders.bucket.cache import Cache
from data_loaders.bucket.fetch import Fetcher
from data_loaders.bucket.transport import Transport
blocks = [Block(**block) for block in json.loads(sys.argv[3])]
fetcher = Fetcher(Transport(sys.argv[1]), Cache(Path(sys.argv[2]), 1 << 30))
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda block: fetcher.fetch([block]), blocks))
"""


def reader(address: str, folder: Path, blocks: list[Block]) -> subprocess.Popen[str]:
    text = json.dumps([asdict(block) for block in blocks])
    command = [sys.executable, "-c", _READER, address, str(folder), text]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def put(cache: Cache, block: Block, content: bytes) -> None:
    with cache.locked([block]), cache.writing(block) as number:
        os.write(number, content)


def stored(cache: Cache, folder: Path, blocks: list[Block]) -> None:
    raw = (folder / "a.bin").read_bytes()
    for block in blocks:
        put(cache, block, raw[block.start : block.stop])


def held(folder: Path) -> int:
    """Bytes of all files of a cache, also while others write and remove some."""
    total = 0
    for path in (folder / "blocks").rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size * path.is_file()
    return total


def test_two_processes_with_threads_fetch_each_block_once(
    tmp_path: Path, serve: Serve, make_blocks: MakeBlocks
) -> None:
    blocks, server = make_blocks(tmp_path / "srv", count=24, apart=1 << 19), serve(tmp_path / "srv", delay=0.02)
    readers = [reader(server.address, tmp_path / "cache", order) for order in (blocks, blocks[::-1])]
    for process in readers:
        start(process)
    for process in readers:
        process.communicate(timeout=60)
    assert [process.returncode for process in readers] == [0, 0]
    assert set(server.requests.values()) == {1}
    assert len(server.requests) == 24


def test_a_process_killed_in_mid_download_leaves_nothing_that_counts(
    tmp_path: Path, serve: Serve, make_blocks: MakeBlocks
) -> None:
    blocks = make_blocks(tmp_path / "srv", count=4, apart=1 << 19)
    # the first request gives half and hangs, with the lock of its block held
    server = serve(tmp_path / "srv", plan=lambda path, count: "stall" if count == 0 else None)
    process = reader(server.address, tmp_path / "cache", blocks)
    start(process)
    cache = Cache(tmp_path / "cache", 1 << 30)
    while sum(cache.has(block) for block in blocks) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert len(list(tmp_path.rglob("*.part"))) == 1
    Fetcher(Transport(server.address), cache).fetch(blocks)
    raw = (tmp_path / "srv" / "a.bin").read_bytes()
    assert all(cache.path(b.sha256).read_bytes() == raw[b.start : b.stop] for b in blocks)
    assert not list(tmp_path.rglob("*.part"))


def test_a_part_that_a_kill_left_is_cleared_when_room_is_made(tmp_path: Path, make_blocks: MakeBlocks) -> None:
    blocks = make_blocks(tmp_path, count=4)
    cache = Cache(tmp_path / "cache", 2500)
    stored(cache, tmp_path, blocks[:1])
    left = cache.path("ab" * 32 + ".part")
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(bytes(1000))
    stored(cache, tmp_path, blocks[1:3])
    assert not left.exists()


def test_a_part_that_is_being_written_is_left_alone(tmp_path: Path, make_blocks: MakeBlocks) -> None:
    blocks = make_blocks(tmp_path, count=4)
    cache = Cache(tmp_path / "cache", 2500)
    with cache.locked([blocks[0]]), cache.writing(blocks[0]) as number:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(stored, cache, tmp_path, blocks[1:]).result()
        os.write(number, (tmp_path / "a.bin").read_bytes()[:1000])
    assert cache.has(blocks[0])
    assert held(cache.folder) <= 2500


def test_the_cap_holds_and_what_was_opened_last_stays(tmp_path: Path, make_blocks: MakeBlocks) -> None:
    blocks = make_blocks(tmp_path, count=12)
    cache = Cache(tmp_path / "cache", 5500)
    for index, block in enumerate(blocks):
        stored(cache, tmp_path, [block])
        os.utime(cache.path(block.sha256), (time.time(), time.time() + index))
        if cache.has(blocks[0]):
            descriptor = cache.open(blocks[0])
            assert descriptor is not None
            os.close(descriptor)
            os.utime(cache.path(blocks[0].sha256), (time.time(), time.time() + index + 0.5))
        assert held(cache.folder) <= 5500
    assert cache.has(blocks[0])
    assert cache.has(blocks[-1])
    assert not cache.has(blocks[1])


def test_a_reader_keeps_what_it_has_open_when_it_is_evicted(tmp_path: Path, make_blocks: MakeBlocks) -> None:
    blocks = make_blocks(tmp_path, count=8)
    cache = Cache(tmp_path / "cache", 2500)
    opened = OpenBlocks(cache)
    stored(cache, tmp_path, blocks[:1])
    file = opened.get(blocks[0])
    assert file is not None
    stored(cache, tmp_path, blocks[1:])
    assert not cache.has(blocks[0])
    assert os.pread(file.number, 1000, 0) == (tmp_path / "a.bin").read_bytes()[:1000]
    opened.let_go()
    assert not opened.has(blocks[0])
    assert held(cache.folder) <= 2500


def test_processes_that_fill_one_cache_together_stay_below_its_cap(tmp_path: Path, make_blocks: MakeBlocks) -> None:
    blocks = make_blocks(tmp_path, count=40)
    caches = [Cache(tmp_path / "cache", 7500) for _ in range(4)]
    most = 0
    with ThreadPoolExecutor(4) as pool:
        filled = [pool.submit(stored, cache, tmp_path, blocks[i::4]) for i, cache in enumerate(caches)]
        while not all(future.done() for future in filled):
            # counted while nothing comes or goes: a folder read meanwhile shows what left and what came instead
            with lock(tmp_path / "cache" / "locks" / "size.lock"):
                most = max(most, held(tmp_path / "cache"))
        assert all(future.result() is None for future in filled)
    assert most <= 7500


def test_a_cap_below_one_block_is_refused(tmp_path: Path, make_blocks: MakeBlocks) -> None:
    with pytest.raises(ValueError, match="may hold 900 bytes, and 1,000 are wanted at once: raise BRAINFM_CACHE_SIZE"):
        stored(Cache(tmp_path / "cache", 900), tmp_path, make_blocks(tmp_path, count=1))


def test_a_block_cut_by_a_power_failure_is_not_read(
    tmp_path: Path, make_blocks: MakeBlocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = make_blocks(tmp_path, count=1)[0]
    cache = Cache(tmp_path / "cache", 1 << 20)
    stored(cache, tmp_path, [block])
    # the file is there in full length, but its pages never reached the disk
    cache.path(block.sha256).write_bytes(bytes(1000))
    started = time.time() + 60
    monkeypatch.setattr(cache_module, "_started", lambda: started)
    assert cache.open(block) is None
    assert not cache.has(block)
    stored(cache, tmp_path, [block])
    descriptor = cache.open(block)
    assert descriptor is not None
    os.close(descriptor)


def test_a_truncated_block_is_not_read(tmp_path: Path, make_blocks: MakeBlocks) -> None:
    block = make_blocks(tmp_path, count=1)[0]
    cache = Cache(tmp_path / "cache", 1 << 20)
    stored(cache, tmp_path, [block])
    os.truncate(cache.path(block.sha256), 500)
    assert cache.open(block) is None


def test_blocks_whose_locks_coincide_do_not_wait_for_each_other_forever(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 1 << 20)
    twins = [Block("a", i, i + 1, f"abc{i:061d}") for i in range(2)]
    with cache.locked(twins):
        pass
    with lock(tmp_path / "cache" / "locks" / "abc.lock"):
        pass
