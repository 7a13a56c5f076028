"""Bytes from an address and to it, tried again where the network failed and not where the request was wrong."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from fsspec.asyn import AsyncFileSystem, sync
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from data_loaders.bucket import address
from data_loaders.bucket.blocks import pieces
from data_loaders.bucket.failures import ShorterError, WholeError, is_passing, told
from data_loaders.bucket.ranges import ranges

_T = TypeVar("_T")
# five more tries after the first, a quarter of a second to eight seconds apart
_TRIES, _FIRST_PAUSE, _LONGEST_PAUSE = 6, 0.25, 8.0
# bytes per second below which a connection counts as stuck
_SLOWEST = 1 << 16
# a bucket copies within itself, which takes as long as it takes
_COPY_SECONDS = 3600.0
# bytes: enough for what an HDF5 file keeps in one place
_LITTLE = 1 << 17


class Transport:
    """The files below one address. Thread-safe.

    Raises FileNotFoundError and PermissionError at once, and ConnectionError after the last try, each with the address
    and what to do. `timeout` is in seconds, beside what the bytes take on a slow line.
    """

    def __init__(
        self, root: str, options: Mapping[str, Any] | None = None, timeout: float = 30.0, connections: int = 16
    ) -> None:
        self.root, self.timeout = root.rstrip("/"), timeout
        self._files = self._tried("", lambda: address.opened(self.root, options or {}, connections), tries=1)
        self._web = ranges(self._files, self.root, timeout, connections)
        self.identity = f"{address.server(self._files)} {self.root}"

    def address(self, name: str) -> str:
        """The address of a file."""
        return address.join(self.root, name)

    def read(self, name: str, start: int, stop: int) -> Generator[bytes, None, None]:
        """Bytes [start, stop) of a file as they come, neither more nor fewer; after a failure, what is still missing."""
        for low, high in pieces(start, stop):
            yield from self._piece(name, low, high)

    def whole(self, name: str, tries: int = _TRIES) -> bytes:
        """A small file."""
        if self._web is not None:
            web, url = self._web, self.address(name)
            return self._tried(name, lambda: web.whole(url), tries)
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

    def _piece(self, name: str, start: int, stop: int) -> Generator[bytes, None, None]:
        """What one request asks for."""
        try:
            for attempt in _retrying(_TRIES):
                with attempt:
                    for part in self._range(name, start, stop):
                        start += len(part)
                        yield part
                    if start < stop:
                        raise OSError(f"{stop - start:,} bytes are missing at the end of what the server sent")
        except Exception as error:
            raise told(error, self.address(name), _TRIES) from error

    def _range(self, name: str, start: int, stop: int) -> Generator[bytes, None, None]:
        seconds = self._patience(stop - start)
        if self._web is not None:
            yield from self._web.read(self.address(name), start, stop, seconds)
            return
        body = self._call("cat_file", self._path(name), start=start, end=stop, seconds=seconds)
        if len(body) > stop - start:
            raise WholeError
        if len(body) < stop - start and (self._call("info", self._path(name)).get("size") or stop) < stop:
            raise ShorterError
        yield body

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
        try:
            return _retrying(tries)(call)
        except Exception as error:
            raise told(error, self.address(name), tries) from error


def _retrying(tries: int) -> Retrying:
    pauses = wait_exponential(_FIRST_PAUSE, _LONGEST_PAUSE) + wait_random(0, _FIRST_PAUSE)
    return Retrying(stop=stop_after_attempt(tries), wait=pauses, retry=retry_if_exception(is_passing), reraise=True)
