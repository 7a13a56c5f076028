"""Where a store lies: a folder of this machine, or an address that fsspec opens (s3://, gs://, https://)."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fsspec import AbstractFileSystem, available_protocols, get_filesystem_class

_HERE = ("file", "local")
_GOOGLE = ("gs", "gcs")
# what a protocol needs beside fsspec, as pip names it
_EXTRAS = {"s3": "brainfm[s3]", "s3a": "brainfm[s3]", "gs": "brainfm[gs]", "gcs": "brainfm[gs]"}
# words by which gcsfs is told where credentials lie: no secrets, unlike every other token
_WHERE = ("anon", "cloud", "google_default", "cache", "browser")


def is_remote(place: str | Path) -> bool:
    """True for an address, False for a path, also where it is written `file://`.

    >>> is_remote("s3://bucket/store"), is_remote("stores/mine"), is_remote("file:///data/mine")
    (True, False, False)
    """
    return protocol(place) not in ("", *_HERE)


def protocol(place: str | Path) -> str:
    """What stands before `://`, or nothing."""
    return str(place).partition("://")[0] if "://" in str(place) else ""


def local(place: str | Path) -> Path:
    """The path of a folder of this machine.

    >>> local("file:///data/mine").as_posix()
    '/data/mine'
    """
    return Path(os.fspath(place).partition("://")[2] if protocol(place) in _HERE else place)


def join(address: str, name: str) -> str:
    """The address of a file of a store.

    >>> join("https://host/store/", "Test/sub-a b.h5"), join("s3://bucket/store", "Test/sub-a b.h5")
    ('https://host/store/Test/sub-a%20b.h5', 's3://bucket/store/Test/sub-a b.h5')
    """
    named = quote(name) if protocol(address) in ("http", "https") else name
    return f"{address.rstrip('/')}/{named}"


def opened(address: str, options: Mapping[str, Any], connections: int) -> AbstractFileSystem:
    """The file system of an address.

    Raises ValueError for a protocol that is unknown, ImportError with what to install.
    """
    scheme = protocol(address)
    if scheme not in available_protocols():
        raise ValueError(f"{address}: no file system is called {scheme!r}; give a folder, s3://, gs:// or https://")
    try:
        return _class(scheme)(**_settings(scheme, options, connections))
    except ImportError as error:
        repair = f"pip install '{_EXTRAS[scheme]}'" if scheme in _EXTRAS else str(error)
        raise ImportError(f"{address} needs a library that is not installed: {repair}") from error


def server(files: AbstractFileSystem) -> str:
    """The server that is asked, where an address does not say it: buckets of one name at two servers are two buckets."""
    return str(getattr(files, "endpoint_url", None) or getattr(files, "_location", None) or "")


def _class(scheme: str) -> Any:
    return _google() if scheme in _GOOGLE else get_filesystem_class(scheme)


def _settings(scheme: str, options: Mapping[str, Any], connections: int) -> dict[str, Any]:
    settings = dict(options)
    if scheme in ("s3", "s3a"):
        # botocore keeps ten connections, however many are asked for
        settings["config_kwargs"] = {"max_pool_connections": connections, **settings.get("config_kwargs", {})}
    if scheme in _GOOGLE and settings.pop("anon", False):
        # one word for all buckets; gcsfs takes any other for granted without a word
        settings["token"] = "anon"
    return settings


@cache
def _google() -> Any:
    """The client of Google's JSON API.

    What gcsfs registers asks before each request, by gRPC, what kind of bucket it is, for up to a minute where gRPC does not
    pass (a proxy, another endpoint, a bucket that is read anonymously).
    """
    plain: Any = import_module("gcsfs.core").GCSFileSystem
    # whether a failure is tried again is decided once, for all kinds of addresses: gcsfs would wait half a minute in each try
    return type("GCSFileSystem", (plain,), {"_request": inspect.unwrap(plain._request)})


def check_no_secrets(options: Mapping[str, Any] | None) -> None:
    """A recipe is written into every run folder: what must not be read there is refused.

    Raises ValueError with where fsspec finds it otherwise.
    """
    secrets = re.compile("secret|password|token|credential", re.IGNORECASE)
    found = [name for name, value in (options or {}).items() if secrets.search(name) and value not in _WHERE]
    if found:
        raise ValueError(
            f"storage_options holds {found[0]!r}, which would be written into every run folder: leave it out, and give it as "
            f"FSSPEC_<PROTOCOL>_{found[0].upper()} or in the provider's own credentials file"
        )
