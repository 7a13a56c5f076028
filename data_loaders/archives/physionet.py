"""PhysioNet: a project's files by its SHA256SUMS.txt."""

from __future__ import annotations

from urllib.parse import quote

from data_loaders.archives import web
from data_loaders.archives.base import File

FILES = "https://physionet.org/files"


def files(project: str, version: str) -> list[File]:
    """Every file of an open project. PhysioNet lists checksums, no sizes."""
    base = f"{FILES}/{project}/{version}"
    lines = web.get(f"{base}/SHA256SUMS.txt").text.splitlines()
    sums = [line.split(maxsplit=1) for line in lines if line.strip()]
    return [File(path.strip(), f"{base}/{quote(path.strip())}", None, f"sha256:{sha256}") for sha256, path in sums]
