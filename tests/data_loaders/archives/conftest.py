"""A web server on loopback that knows ranges, and fails as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_loaders.archives import web


@dataclass
class Site:
    """`files` by path; `faults` are taken one by one for a path: a status, "break" (half of the body), or "plain" (no ranges)."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[object]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(web, "WAIT", 0.0)
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, made)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def answer(handler: BaseHTTPRequestHandler, site: Site) -> None:
    path, wanted = handler.path, handler.headers.get("Range", "")
    site.asked.append((path, wanted))
    fault = site.faults[path].pop(0) if site.faults.get(path) else None
    if isinstance(fault, int) or path not in site.files:
        return handler.send_error(fault if isinstance(fault, int) else 404)
    body = site.files[path]
    start = int(wanted[6:-1]) if wanted and fault != "plain" else 0
    if start >= len(body) > 0:
        return handler.send_error(416)
    handler.send_response(206 if start else 200)
    handler.send_header("Content-Length", str(len(body) - start))
    handler.end_headers()
    rest = body[start:]
    handler.wfile.write(rest[: len(rest) // 2] if fault == "break" else rest)
    return None
