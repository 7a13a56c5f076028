"""A server that speaks the JSON API of Google Cloud Storage, on loopback, with keys to its doors and a will to misbehave."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from functools import partial
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from gcp_storage_emulator.server import RequestHandler, Router
from gcp_storage_emulator.storage import Storage

# what befalls one request, by its method, its path and how often that path was asked for: 403, 503, cut, flip
Plan = Callable[[str, str, int], str | None]


class GoogleServer:
    """Serves buckets out of memory, in threads of its own, as gcp-storage-emulator understands them.

    `plan(method, path, count)` names what befalls a request, `count` from 0. With `key`, requests without that bearer token
    are refused as Google refuses them: 401 where there is none, 403 where there is another.
    """

    def __init__(self, *buckets: str) -> None:
        self.plan: Plan = lambda method, path, count: None
        self.key: str | None = None
        self.requests: list[tuple[str, str]] = []
        self.storage = Storage(use_memory_fs=True)
        for bucket in buckets:
            self.storage.create_bucket(bucket, {"name": bucket})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> GoogleServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Handler(RequestHandler):
    """One request. The emulator answers into memory, and what befalls the answer is done to it there."""

    def __init__(self, server: GoogleServer, *arguments: Any) -> None:
        self._of = server
        super().__init__(server.storage, *arguments)

    def _answer(self) -> None:
        method, path = self.command, unquote(self.path.partition("?")[0])
        count = self._of.requests.count((method, path))
        self._of.requests.append((method, path))
        fault = self._locked() or self._of.plan(method, path, count)
        if fault and fault.isdigit():
            self._refused(int(fault))
            return
        wire, self.wfile = self.wfile, io.BytesIO()
        Router(self).handle(method)
        answer, self.wfile = self.wfile.getvalue(), wire
        wire.write(_spoilt(answer, fault))

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  (http.server's names)

    def _locked(self) -> str | None:
        shown = self.headers.get("Authorization")
        if self._of.key is None or shown == f"Bearer {self._of.key}":
            return None
        return "403" if shown else "401"

    def _refused(self, status: int) -> None:
        # https://cloud.google.com/storage/docs/json_api/v1/status-codes
        body = json.dumps(
            {"error": {"code": status, "message": "no access to the Google Cloud Storage object."}}
        ).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _spoilt(answer: bytes, fault: str | None) -> bytes:
    """cut: half of the body, and the connection closed; flip: one bit of it is another."""
    at = answer.index(b"\r\n\r\n") + 4
    if fault == "cut":
        return answer[: (at + len(answer)) // 2]
    if fault == "flip":
        return answer[:at] + bytes([answer[at] ^ 1]) + answer[at + 1 :]
    return answer
