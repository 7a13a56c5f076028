"""Features of stimuli beside a store: named streams that its recordings gain without being written anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from data_loaders.catalog import Entry, StreamInfo
from data_loaders.extents import Bytes, Extent

FEATURES = "features.parquet"


@dataclass(frozen=True)
class Feature:
    """One recording's stream of one feature: its clock, and where its bytes lie in the content of its store."""

    content: Bytes
    file: str
    size: int
    info: StreamInfo
    extent: Extent


@dataclass(frozen=True)
class Features:
    """All features beside a store, by recording and name; its catalog is read once, and no other file is opened."""

    of: Mapping[str, Mapping[str, Feature]] = field(default_factory=dict)

    @staticmethod
    def beside(content: Bytes) -> Features:
        """What the store of this content has; nothing where it has no catalog of features."""
        try:
            table = pd.read_parquet(content.table(FEATURES))
        except FileNotFoundError:
            return Features()
        found: dict[str, dict[str, Feature]] = {}
        for row in table.to_dict("records"):
            found.setdefault(row["recording"], {})[row["feature"]] = _feature(
                content, {str(k): v for k, v in row.items()}
            )
        return Features(found)

    def added(self, entry: Entry) -> Entry:
        """The entry with its features among its streams."""
        mine = self.of.get(entry.name)
        if not mine:
            return entry
        streams = self.streams(entry.name, entry.streams)
        extents = entry.extents | {f"streams/{name}": one.extent for name, one in mine.items()}
        return replace(entry, streams=streams, extents=extents)

    def streams(self, recording: str, own: Mapping[str, StreamInfo]) -> dict[str, StreamInfo]:
        """A recording's own streams, and its features among them."""
        return {**own, **{name: one.info for name, one in self.of.get(recording, {}).items()}}

    def find(self, recording: str, dataset: str) -> Feature | None:
        """The feature that a dataset `streams/<name>` is, if it is one."""
        return self.of.get(recording, {}).get(dataset.removeprefix("streams/"))


def _feature(content: Bytes, row: Mapping[str, Any]) -> Feature:
    shape = tuple(map(int, row["shape"]))
    info = StreamInfo(row["sfreq"], row["start"], shape, tuple(row["names"]), row["unit"])
    extent = Extent(
        **{name: row[name] for name in ("offset", "dtype", "sha256", "sums_offset", "sums_sha256")}, shape=shape
    )
    return Feature(content, row["file"], row["size"], info, extent)
