"""Asking the web: one session, with time limits, retries, and errors that say what to do."""

from __future__ import annotations

import time
from typing import Any

import requests

TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two bytes
TRIES = 5
WAIT = 0.5  # seconds before the first new try; doubled each time
_PASSING = (408, 425, 429, 500, 502, 503, 504)


class OfflineError(ValueError):
    """A host cannot be reached: nothing else from there will come either."""


class MissingError(ValueError):
    """A host answers, and does not have what it was asked for."""


def get(url: str, **options: Any) -> requests.Response:
    """The answer of a server, after new tries where it is busy. Raises OfflineError or MissingError."""
    said: object = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(WAIT * 2 ** (attempt - 1))
        try:
            answer = requests.get(url, timeout=TIMEOUT, **options)
        except (requests.ConnectionError, requests.Timeout) as error:
            said = error
            continue
        if answer.status_code not in _PASSING:
            return _checked(answer, url)
        said = f"it answers {answer.status_code} {answer.reason}"
    raise OfflineError(f"{url} was not reached in {TRIES} tries ({_short(said)}): check the connection (or HTTPS_PROXY) and run the "
                       f"same command again, it goes on where it stopped")  # fmt: skip


def _checked(answer: requests.Response, url: str) -> requests.Response:
    if answer.status_code >= 400 and answer.status_code != 416:
        raise MissingError(
            f"{url} answers {answer.status_code} {answer.reason}: the archive no longer has it there, or not for everyone"
        )
    return answer


def _short(said: object) -> str:
    return str(said).rpartition("] ")[2][:120].rstrip("')\"") or type(said).__name__
