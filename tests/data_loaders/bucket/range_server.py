"""A real HTTP server with Range requests, on loopback, that can be told to misbehave.

As a program: `python range_server.py FOLDER [--delay SECONDS]` prints its address and serves until its input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from aiohttp import web

# what befalls one request: drop, stall, drip, cut, 500, 503, 403, 404, flip, whole
Plan = Callable[[str, int], str | None]


class RangeServer:
    """Serves a folder in a thread of its own.

    `plan(path, count)` names what befalls the request: `count` numbers those for this path, from 0. `requests` counts
    (path, range) pairs.
    """

    def __init__(self, folder: Path, delay: float = 0.0, plan: Plan | None = None) -> None:
        self.folder, self.delay, self.plan = folder, delay, plan or (lambda path, count: None)
        self.requests: Counter[tuple[str, str]] = Counter()
        self.in_flight = self.most_in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def __enter__(self) -> RangeServer:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()
        # a stalled answer would wait for an hour
        stalled = asyncio.all_tasks() - {asyncio.current_task()}
        for task in stalled:
            task.cancel()
        await asyncio.gather(*stalled, return_exceptions=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if request.method == "HEAD":
            return await self._file(path)
        count = sum(n for (name, _), n in self.requests.items() if name == path)
        self.requests[path, request.headers.get("Range", "")] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.delay)
            return await self._befall(self.plan(path, count), request, path)
        finally:
            self.in_flight -= 1

    async def _befall(self, fault: str | None, request: web.Request, path: str) -> web.StreamResponse:
        if fault is None:
            return await self._file(path)
        if fault.isdigit():
            return web.Response(status=int(fault))
        body = (self.folder / path).read_bytes()
        if fault == "whole":
            return web.Response(body=body)
        part = body[request.http_range]
        if fault == "flip":
            return web.Response(status=206, body=bytes([part[0] ^ 1]) + part[1:])
        return await self._broken(fault, request, part)

    async def _broken(self, fault: str, request: web.Request, part: bytes) -> web.StreamResponse:
        """drop: no byte of the body; cut: half of it; stall: half of it, then nothing for long; drip: a byte now and then."""
        response = web.StreamResponse(status=206, headers={"Content-Length": str(len(part))})
        await response.prepare(request)
        for byte in part if fault == "drip" else b"":
            await response.write(bytes([byte]))
            await asyncio.sleep(0.02)
        if fault != "drop":
            await response.write(part[: len(part) // 2])
        if fault == "stall":
            await asyncio.sleep(3600)
        assert request.transport is not None
        request.transport.abort()
        return response

    async def _file(self, path: str) -> web.StreamResponse:
        if not (self.folder / path).is_file():
            return web.Response(status=404)
        return web.FileResponse(self.folder / path, chunk_size=1 << 20)


def main() -> None:
    """Serves until the input is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--delay", type=float, default=0.0)
    arguments = parser.parse_args()
    with RangeServer(arguments.folder, arguments.delay) as server:
        print(server.address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
