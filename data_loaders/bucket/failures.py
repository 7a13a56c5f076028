"""What goes wrong with an address: which failures another try may not meet, and the words that say what to do."""

from __future__ import annotations

import asyncio
import re

# the libraries that talk to servers, whose errors share no class
_NETWORK = {"aiohttp", "aiobotocore", "botocore", "s3fs", "gcsfs", "google", "fsspec", "urllib3", "requests"}
_DENIED = (401, 403, 407)
_GONE = (404, 410)
_BEYOND = 416


class AnswerError(OSError):
    """An answer that is no success, with its HTTP `status`."""

    def __init__(self, status: int, reason: str | None = None) -> None:
        super().__init__(f"HTTP {status} {reason or ''}".rstrip())
        self.status = status


class ShorterError(ValueError):
    """A file ends before the bytes that were asked for."""


class WholeError(ValueError):
    """A server sends whole files where a range is asked for."""


def is_passing(error: BaseException) -> bool:
    """True for a failure that another try may not meet: a lost connection, a timeout, a server out of order."""
    if _is_denied(error):
        return False
    status = _status(error)
    if status is not None:
        return status in (408, 425, 429) or status >= 500
    if isinstance(error, FileNotFoundError | ImportError | ValueError | TypeError):
        return False
    known = type(error).__module__.partition(".")[0] in _NETWORK
    return known or isinstance(error, OSError | asyncio.TimeoutError | asyncio.IncompleteReadError)


def told(error: Exception, where: str, tries: int) -> Exception:
    """The same failure in words that say what to do."""
    if isinstance(error, FileNotFoundError) or _status(error) in _GONE:
        return FileNotFoundError(
            f"{where} does not exist: check the address, and that `brainfm prepare` finished there"
        )
    if _is_denied(error):
        return PermissionError(
            f"{where} may not be read or written ({' '.join(str(error).split())}): give credentials where fsspec looks for them, or "
            "storage_options: {anon: true} for a public bucket (docs/guides/buckets.md)"
        )
    if is_passing(error):
        return ConnectionError(
            f"{where} failed {tries} times, the last time with {_words(error)}: check the network, then go on"
        )
    return _final(error, where)


def _is_denied(error: BaseException) -> bool:
    if isinstance(error, PermissionError) or _status(error) in _DENIED:
        return True
    # botocore says it in names of classes, gcsfs in words only
    said = f"{type(error).__name__}: {error}"
    return _status(error) is None and bool(re.search(r"credentials|^OSError: Forbidden", said, re.IGNORECASE))


def _final(error: Exception, where: str) -> Exception:
    if isinstance(error, WholeError):
        return ValueError(
            f"{where}: the server sends whole files where a range is asked for: serve the store with one "
            "that knows Range requests (a bucket, nginx, Apache), or copy it to a folder"
        )
    if isinstance(error, ShorterError) or _status(error) == _BEYOND:
        return ShorterError(f"{where} has fewer bytes than the catalog says")
    if isinstance(error, ImportError) or (isinstance(error, ValueError) and where in str(error)):
        return error
    return ValueError(f"{where}: {_words(error)}")


def _status(error: BaseException) -> int | None:
    """The HTTP status of an error, where it tells."""
    # aiohttp and gcsfs tell it themselves, botocore in the answer of the error that s3fs translated
    status = getattr(error, "status", None) or getattr(error, "code", None)
    for source in (error, error.__cause__):
        response = getattr(source, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", status)
    return int(str(status)) if str(status).isdigit() else None


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
