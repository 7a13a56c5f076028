"""Where numbers come from: commit, versions, data checksums, seed, command, machine and time of a run."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from brainfm.files import written

FILE = "provenance.json"
_PACKAGES = (
    "brainfm",
    "torch",
    "lightning",
    "numpy",
    "scipy",
    "pandas",
    "h5py",
    "mne",
    "scikit-learn",
    "pyriemann",
    "safetensors",
)


class Provenance:
    """provenance.json of a run folder: written when a run starts, completed when it ends, its wall time summed over restarts."""

    def __init__(
        self, folder: Path, recipe: Mapping[str, Any], data: Mapping[str, str], seed: int, command: Sequence[str]
    ) -> None:
        self._path, self._since = folder / FILE, time.monotonic()
        before = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
        self._spent = before.get("wall_time_s", 0.0)
        self.facts = {
            "recipe_sha256": recipe_hash(recipe), **code_version(), "packages": package_versions(),
            "python": platform.python_version(), "data": dict(data), "seed": seed, "command": " ".join(command), **machine(),
            "started": before.get("started", _now()), "restarts": before.get("restarts", -1) + 1,
            "finished": None, "wall_time_s": self._spent,
        }  # fmt: skip
        self._write()

    def tick(self) -> None:
        """Notes the time spent so far, so that it survives a kill."""
        self.facts["wall_time_s"] = round(self._spent + time.monotonic() - self._since, 1)
        self._write()

    def finish(self) -> None:
        self.facts["finished"] = _now()
        self.tick()

    def _write(self) -> None:
        with written(self._path) as part:
            part.write_text(json.dumps(self.facts, indent=1), encoding="utf-8")


def recipe_hash(recipe: Mapping[str, Any]) -> str:
    """The checksum of a resolved recipe, the same however its keys are ordered."""
    return sha256(json.dumps(recipe, sort_keys=True, default=str).encode()).hexdigest()


def code_version() -> dict[str, Any]:
    """The commit this package was imported from, and whether files differ from it; None where there is no repository."""
    commit = _git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None}


def package_versions() -> dict[str, str]:
    """The installed versions of what can change a number."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """What the run computes on; on a processor the number of threads can change the last bit of a sum."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
    }


def command_line() -> list[str]:
    """What the user typed, with the program's name in place of its path."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
