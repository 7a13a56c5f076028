"""The hub: weights by their address, `hf://OWNER/NAME` or `hf://OWNER/NAME@REVISION`, and files sent there in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

PREFIX = "hf://"


def is_address(place: str | Path) -> bool:
    """True for what lies on the hub."""
    return str(place).startswith(PREFIX)


def local(place: str | Path) -> Path:
    """The folder itself, or the copy of one on the hub: downloaded once, checked by the hub's checksums, used offline after.

    Raises ValueError where it cannot be had.
    """
    if not is_address(place):
        return Path(place)
    snapshot_download = _client().snapshot_download
    repo, _, revision = str(place).removeprefix(PREFIX).partition("@")
    try:
        return Path(snapshot_download(repo, revision=revision or None))
    except Exception as error:
        raise ValueError(
            f"{place} could not be downloaded ({_first_line(error)}): check owner, name, revision and connection; a private "
            f"one needs `hf auth login`"
        ) from error


def push(repo: str, files: Mapping[str, Path | bytes], message: str) -> str:
    """Sends files (their names there -> what they hold) to OWNER/NAME in one commit; returns their address.

    The repository is made where it does not exist. Raises ValueError where the hub refuses; then nothing is changed there.
    """
    client = _client()
    hub, added = client.HfApi(), [client.CommitOperationAdd(name, file) for name, file in files.items()]
    try:
        hub.create_repo(repo, exist_ok=True)
        done = hub.create_commit(repo, added, commit_message=message)
    except Exception as error:
        raise ValueError(
            f"{repo} was not published ({_first_line(error)}): log in with `hf auth login`, with a token that may write to "
            f"{repo.partition('/')[0]}"
        ) from error
    return f"{PREFIX}{repo}@{done.oid}"


def _client() -> Any:
    try:
        return import_module("huggingface_hub")
    except ImportError as error:
        raise ValueError("the hub needs huggingface_hub, which is not installed: pip install 'brainfm[hub]'") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
