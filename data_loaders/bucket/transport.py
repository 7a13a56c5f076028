"""Bytes from an address and to it, tried again where the network failed and not where the request was wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from fsspec.asyn import AsyncFileSystem, sync
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from data_loaders.bucket import address

_T = TypeVar("_T")
# five more tries after the first, a quarter of a second to eight seconds apart
_TRIES, _FIRST_PAUSE, _LONGEST_PAUSE = 6, 0.25, 8.0
# bytes per second below which a connection counts as stuck
_SLOWEST = 1 << 16
# a bucket copies within itself, which takes as long as it takes
_COPY_SECONDS = 3600.0
# bytes: enough for what an HDF5 file keeps in one place
_LITTLE = 1 << 17
# the libraries below fsspec, whose errors share no class
_NETWORK = {"aiohttp", "aiobotocore", "botocore", "s3fs", "gcsfs", "google", "fsspec", "urllib3", "requests"}
_DENIED = (401, 403, 407)
_GONE = (404, 410)


class Transport:
    """The files below one address. Thread-safe.

    Raises FileNotFoundError and PermissionError at once, and ConnectionError after the last try, each with the address
    and what to do. `timeout` is in seconds, beside what the bytes take on a slow line.
    """

    def __init__(
        self, root: str, options: Mapping[str, Any] | None = None, timeout: float = 30.0, connections: int = 16
    ) -> None:
        self.root, self.timeout = root.rstrip("/"), timeout
        self._files = address.opened(root, options or {}, connections)
        # buckets of one name at two endpoints are two buckets
        self.identity = f"{getattr(self._files, 'endpoint_url', None) or ''} {self.root}"

    def address(self, name: str) -> str:
        """The address of a file."""
        return address.join(self.root, name)

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of a file, neither more nor fewer."""
        return self._tried(name, lambda: self._range(name, start, stop))

    def whole(self, name: str, tries: int = _TRIES) -> bytes:
        """A small file."""
        return self._tried(name, lambda: self._call("cat_file", self._path(name)), tries)

    def size(self, name: str) -> int | None:
        """Bytes of a file, None where the server does not tell."""
        return self._tried(name, lambda: self._call("info", self._path(name)).get("size"))

    def put(self, path: Path, name: str) -> None:
        """Uploads a file whole: it is seen under its name only when its last byte is there."""
        self._tried(name, lambda: self._put(path, name))

    def move(self, name: str, target: str) -> None:
        """Gives a file its name, over another that has it."""
        self._tried(name, lambda: self._call("cp_file", self._path(name), self._path(target), seconds=_COPY_SECONDS))
        self.remove(name)

    def names(self) -> dict[str, int]:
        """The files below the address, and their sizes."""
        # a listing that was kept would not know what another process has uploaded
        self._files.invalidate_cache()
        root = str(self._files._strip_protocol(self.root))
        found = self._tried("", lambda: self._call("find", root, detail=True))
        return {path.removeprefix(f"{root}/"): info["size"] for path, info in found.items()}

    def opened(self, name: str) -> Any:
        """A file to read here and there in, a little at a time."""
        return self._tried(
            name, lambda: self._files.open(self._path(name), "rb", block_size=_LITTLE, cache_type="bytes")
        )

    def remove(self, name: str) -> None:
        """Removes a file."""
        self._tried(name, lambda: self._call("rm_file", self._path(name)))

    def _path(self, name: str) -> str:
        return str(self._files._strip_protocol(self.address(name)))

    def _range(self, name: str, start: int, stop: int) -> bytes:
        seconds = self._patience(stop - start)
        body = self._call("cat_file", self._path(name), start=start, end=stop, seconds=seconds)
        if len(body) == stop - start:
            return body
        if len(body) > stop - start:
            raise ValueError(
                f"{self.address(name)}: the server sends whole files where a range is asked for: serve the store with one "
                "that knows Range requests (a bucket, nginx, Apache), or copy it to a folder"
            )
        size = self._call("info", self._path(name)).get("size")
        if size is not None and size < stop:
            raise ShorterError(f"{self.address(name)} has {size:,} bytes, fewer than the catalog says")
        raise OSError(f"the server sent {len(body):,} of {stop - start:,} bytes")

    def _put(self, path: Path, name: str) -> None:
        size = path.stat().st_size
        self._call("put_file", str(path), self._path(name), seconds=self._patience(size))
        sent = self._call("info", self._path(name)).get("size")
        if sent is not None and sent != size:
            raise OSError(f"{sent:,} of {size:,} bytes arrived")

    def _patience(self, n_bytes: int) -> float:
        return self.timeout + n_bytes / _SLOWEST

    def _call(self, name: str, *arguments: Any, seconds: float | None = None, **named: Any) -> Any:
        """A method of the file system, cut off after some seconds where it can be."""
        if isinstance(self._files, AsyncFileSystem) and hasattr(self._files, f"_{name}"):
            method = getattr(self._files, f"_{name}")
            return sync(self._files.loop, method, *arguments, timeout=seconds or self._patience(0), **named)
        return getattr(self._files, name)(*arguments, **named)

    def _tried(self, name: str, call: Callable[[], _T], tries: int = _TRIES) -> _T:
        attempts = Retrying(
            stop=stop_after_attempt(tries),
            wait=wait_exponential(_FIRST_PAUSE, _LONGEST_PAUSE) + wait_random(0, _FIRST_PAUSE),
            retry=retry_if_exception(is_passing),
            reraise=True,
        )
        try:
            return attempts(call)
        except Exception as error:
            raise _told(error, self.address(name), tries) from error


class ShorterError(ValueError):
    """A file ends before the bytes that were asked for."""


def is_passing(error: BaseException) -> bool:
    """True for a failure that another try may not meet: a lost connection, a timeout, a server out of order."""
    status = _status(error)
    if status is not None:
        return status in (408, 425, 429) or status >= 500
    if isinstance(error, FileNotFoundError | PermissionError | ImportError | ValueError | TypeError):
        return False
    if "credentials" in type(error).__name__.lower():
        return False
    known = type(error).__module__.partition(".")[0] in _NETWORK
    return known or isinstance(error, OSError | asyncio.TimeoutError | asyncio.IncompleteReadError)


def _status(error: BaseException) -> int | None:
    """The HTTP status of an error, where it tells."""
    # aiohttp and gcsfs tell it themselves, botocore in the answer of the error that s3fs translated
    status = getattr(error, "status", None) or getattr(error, "code", None)
    for source in (error, error.__cause__):
        response = getattr(source, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", status)
    return status if isinstance(status, int) else None


def _told(error: Exception, where: str, tries: int) -> Exception:
    """The same failure in words that say what to do."""
    status = _status(error)
    if isinstance(error, FileNotFoundError) or status in _GONE:
        return FileNotFoundError(
            f"{where} does not exist: check the address, and that `brainfm prepare` finished there"
        )
    if isinstance(error, PermissionError) or status in _DENIED or "credentials" in type(error).__name__.lower():
        return PermissionError(
            f"{where} may not be read or written ({error}): give credentials where fsspec looks for them, or "
            "storage_options: {anon: true} for a public bucket (docs/guides/buckets.md)"
        )
    if is_passing(error):
        return ConnectionError(
            f"{where} failed {tries} times, the last time with {_words(error)}: check the network, then go on"
        )
    return error if isinstance(error, ValueError | ImportError) else ValueError(f"{where}: {_words(error)}")


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
