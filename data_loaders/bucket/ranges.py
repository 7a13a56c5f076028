"""Ranges of files behind http(s), each over a connection that is kept, in pieces that stay in the nearest cache."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import urllib3
from fsspec import AbstractFileSystem
from fsspec.implementations import http

from data_loaders.bucket.failures import AnswerError, ShorterError, WholeError

# bytes that are received, hashed and written before they leave the nearest cache
_PIECE = 1 << 19


class Ranges:
    """Reads by URL, without the loop that all of fsspec's requests of a process share. Thread-safe.

    `timeout` is in seconds, for each sign of life of a server.
    """

    def __init__(self, headers: Mapping[str, str], timeout: float, connections: int) -> None:
        # redirects are followed; whether a failure is tried again is decided once, for all kinds of addresses
        retries = urllib3.Retry(0, redirect=10, raise_on_redirect=False, respect_retry_after_header=False)
        patience = urllib3.Timeout(connect=timeout, read=timeout)
        self._headers = {"accept-encoding": "identity", **headers}
        self._pool = urllib3.PoolManager(maxsize=connections, timeout=patience, retries=retries)

    def read(self, url: str, start: int, stop: int, seconds: float) -> Iterator[bytes]:
        """Bytes [start, stop), in pieces; another answer is refused before its body is read.

        Raises TimeoutError where it all takes longer than some seconds.
        """
        answer = self._asked(url, {"range": f"bytes={start}-{stop - 1}"})
        until = time.monotonic() + seconds
        try:
            _check(answer, 206)
            _check_long_enough(answer, stop)
            while piece := _piece(answer, until):
                yield piece
        finally:
            # what is left of a body would be taken for the next answer
            answer.release_conn() if answer.length_remaining == 0 else answer.close()

    def whole(self, url: str) -> bytes:
        """A small file."""
        answer = self._asked(url, {})
        try:
            _check(answer, 200)
            return answer.read(decode_content=False)
        finally:
            answer.close()

    def _asked(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request("GET", url, headers={**self._headers, **headers}, preload_content=False)
        except urllib3.exceptions.MaxRetryError as error:
            raise error.reason or error from error


def ranges(files: AbstractFileSystem, root: str, timeout: float, connections: int) -> Ranges | None:
    """For what fsspec would read with plain requests; None where it has settings that only its own client knows."""
    if not isinstance(files, http.HTTPFileSystem) or files.client_kwargs or files.get_client is not http.get_client:
        return None
    if "@" in root or set(files.kwargs) - {"headers"}:
        return None
    return Ranges(files.kwargs.get("headers") or {}, timeout, connections)


def _check(answer: urllib3.BaseHTTPResponse, expected: int) -> None:
    if answer.status == expected:
        return
    if answer.status == 200:
        raise WholeError
    if answer.status == 416:
        raise ShorterError
    raise AnswerError(answer.status, answer.reason)


def _check_long_enough(answer: urllib3.BaseHTTPResponse, stop: int) -> None:
    # bytes 0-999/5000, or a * for what the server does not know
    size = answer.headers.get("content-range", "").rpartition("/")[2]
    if size.isdigit() and int(size) < stop:
        raise ShorterError


def _piece(answer: urllib3.BaseHTTPResponse, until: float) -> bytes:
    """What comes next, nothing at the end: together what arrives in small parts, each of which is looked at for being late."""
    parts: list[bytes] = []
    missing = _PIECE
    while missing and (part := answer.read1(missing, decode_content=False)):
        if time.monotonic() > until:
            raise TimeoutError("too slow to be worth waiting for")
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
