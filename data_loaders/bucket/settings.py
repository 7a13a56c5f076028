"""What a machine decides about remote stores: where the cache lies, how large it may grow, how many requests fly at once.

These are settings of the machine, from its environment, and not of a recipe, which travels.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pooch

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_LARGEST = 100 * 10**9
# said once; the other ranks of a machine would say the same
_TOLD: set[Path] = set()


@dataclass(frozen=True)
class Settings:
    """`cache` is a folder, `cache_size` in bytes, `connections` at once per process, `timeout` in seconds per request."""

    cache: Path
    cache_size: int
    connections: int = 16
    timeout: float = 30.0


def settings() -> Settings:
    """From BRAINFM_CACHE, BRAINFM_CACHE_SIZE (`200 GB`), BRAINFM_CONNECTIONS and BRAINFM_TIMEOUT; printed once per process."""
    cache = cache_folder()
    asked = os.environ.get("BRAINFM_CACHE_SIZE")
    made = Settings(
        cache,
        _bytes(asked) if asked else _some_of(cache),
        int(_number("BRAINFM_CONNECTIONS", 16.0)),
        _number("BRAINFM_TIMEOUT", 30.0),
    )
    if made.cache not in _TOLD and os.environ.get("LOCAL_RANK", "0") == "0":
        _tell(made)
    _TOLD.add(made.cache)
    return made


def cache_folder() -> Path:
    """$BRAINFM_CACHE, or the user's cache folder."""
    return Path(os.environ.get("BRAINFM_CACHE") or pooch.os_cache("brainfm")).expanduser()


def _bytes(text: str) -> int:
    """Bytes of a size in words.

    >>> _bytes("50 GB"), _bytes("1.5T"), _bytes("4000")
    (50000000000, 1500000000000, 4000)
    """
    found = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE)
    if not found:
        raise ValueError(f"BRAINFM_CACHE_SIZE is {text!r}: write a number and a unit, for example 50 GB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _some_of(cache: Path) -> int:
    """Half of what is free or already taken by the cache, so that the default does not shrink as the cache fills."""
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    count = cache / "size"
    taken = int(count.read_text() or 0) if count.exists() else 0
    return min(_LARGEST, (shutil.disk_usage(there).free + taken) // 2)


def _number(name: str, default: float) -> float:
    text = os.environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise ValueError(f"{name} is {text!r}: write a number above zero, for example {default:g}")
    return value


def _tell(made: Settings) -> None:
    print(
        f"cache of remote stores: {made.cache}, up to {made.cache_size / 1e9:.3g} GB, {made.connections} connections "
        "(BRAINFM_CACHE, BRAINFM_CACHE_SIZE, BRAINFM_CONNECTIONS)"
    )
