"""The DANDI archive: a dandiset's assets, with sizes and SHA-256."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from data_loaders.archives import web
from data_loaders.archives.base import File

API = "https://api.dandiarchive.org/api"


def assets(dandiset: str, version: str = "draft") -> list[File]:
    """Every asset of a dandiset by its path. The checksum is the SHA-256 that DANDI computed, where it has one by now.

    https://api.dandiarchive.org/swagger
    """
    url: str | None = f"{API}/dandisets/{dandiset}/versions/{version}/assets/?page_size=1000&metadata=true"
    found: list[dict[str, Any]] = []
    while url:
        page = web.get(url).json()
        found, url = [*found, *page["results"]], page.get("next")
    with ThreadPoolExecutor(8) as pool:
        return sorted(pool.map(_file, found), key=lambda file: file.path)


def _file(asset: dict[str, Any]) -> File:
    about = asset.get("metadata") or web.get(f"{API}/assets/{asset['asset_id']}/").json()
    sha256 = about.get("digest", {}).get("dandi:sha2-256", "")
    return File(
        asset["path"],
        f"{API}/assets/{asset['asset_id']}/download/",
        asset["size"],
        f"sha256:{sha256}" if sha256 else "",
    )
