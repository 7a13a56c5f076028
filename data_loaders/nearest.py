"""Nearest labels, exactly: which of many labels lies closest to each query, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

# in more dimensions a tree visits most of its leaves, and comparing everything in blocks is faster
_MOST_DIMS = 10
_BLOCK = 2**22  # bytes of distances held at once


class Nearest:
    """Finds the label with the smallest Euclidean distance; of several that are as near, the one that comes first.

    One dimension is searched by bisection, up to ten by a k-d tree, more in blocks. `positions` are what is returned for
    each label (default: its row).

    >>> Nearest(np.linspace(0, 1, 11)).find(np.array([0.32, 0.05, 2.0])).tolist()
    [3, 0, 10]
    """

    def __init__(self, labels: Float[ndarray, "label ..."], positions: Int[ndarray, "label"] | None = None) -> None:
        labels = np.asarray(labels, dtype=np.float64).reshape(len(labels), -1)
        if not len(labels) or not np.isfinite(labels).all():
            raise ValueError("labels are empty, NaN or infinite: drop the windows that have none")
        # equal labels stand for the first of them: ties among them are settled here, once
        self.labels, first, group = np.unique(labels, axis=0, return_index=True, return_inverse=True)
        self.first, self.second = first.astype(np.int64), _second(group.reshape(-1), first)
        self.positions = np.arange(len(labels)) if positions is None else positions
        self.n_dims = labels.shape[1]
        self._tree = cKDTree(self.labels) if 1 < self.n_dims <= _MOST_DIMS else None

    def find(
        self, query: Float[ndarray, "query ..."], apart: Int[ndarray, "query"] | None = None
    ) -> Int[ndarray, "query"]:
        """The position of the label nearest to each query; with `apart` of the nearest that is not at that position."""
        query = np.asarray(query, dtype=np.float64).reshape(len(query), -1)
        if query.shape[1] != self.n_dims:
            raise ValueError(f"queries have {query.shape[1]} dimensions and labels {self.n_dims}: give both alike")
        if self.n_dims == 1:
            row = self._bisected(query[:, 0])
        else:
            row = self._blocked(query) if self._tree is None else self._walked(query, self._tree)
        found = self.positions[self.first[row]]
        if apart is None or len(self.positions) == 1:
            return found
        same = np.flatnonzero(found == apart)
        found[same] = self.positions[[self._other(query[i], int(row[i])) for i in same]]
        return found

    def _other(self, query: Float[ndarray, "dim"], row: int) -> int:
        """The nearest label after the first one of a row: an equal one where there is any."""
        if self.second[row] >= 0:
            return int(self.second[row])
        if self.n_dims == 1:
            rows = np.array([i for i in (row - 1, row + 1) if 0 <= i < len(self.labels)])
        elif self._tree is not None:
            rows = self._tree.query(query, k=2)[1]
            rows = np.append(rows, self._tree.query(self.labels[row], k=2)[1])
        else:
            rows = np.argsort(np.square(self.labels - query).sum(1))[:2]
        return int(self.first[self._row_of(query, rows[rows != row])])

    def _bisected(self, query: Float[ndarray, "query"]) -> Int[ndarray, "query"]:
        values = self.labels[:, 0]
        right = np.searchsorted(values, query).clip(0, len(values) - 1)
        left = (right - 1).clip(0)
        below, above = np.abs(query - values[left]), np.abs(values[right] - query)
        earlier = (below == above) & (self.first[left] < self.first[right])
        return np.where((below < above) | earlier, left, right)

    def _walked(self, query: Float[ndarray, "query dim"], tree: cKDTree) -> Int[ndarray, "query"]:
        if len(self.labels) == 1:
            return np.zeros(len(query), dtype=np.int64)
        distance, row = tree.query(query, k=2)
        nearest = row[:, 0].astype(np.int64)
        # the tree's distances are rounded: what is as near up to that is compared once more
        radius = distance[:, 0] * (1 + 1e-12)
        for one in np.flatnonzero(distance[:, 1] <= radius):
            among = np.asarray(tree.query_ball_point(query[one], np.nextafter(radius[one], np.inf)))
            nearest[one] = self._row_of(query[one], among)
        return nearest

    def _row_of(self, query: Float[ndarray, "dim"], rows: Int[ndarray, "row"]) -> int:
        distance = np.square(self.labels[rows] - query).sum(1)
        tied = rows[distance == distance.min()]
        return int(tied[self.first[tied].argmin()])

    def _blocked(self, query: Float[ndarray, "query dim"]) -> Int[ndarray, "query"]:
        best, nearest = np.full(len(query), np.inf), np.zeros(len(query), dtype=np.int64)
        order = np.argsort(self.first)
        length = max(1, _BLOCK // (8 * len(query)))
        for start in range(0, len(order), length):
            rows = order[start : start + length]
            distance = cdist(query, self.labels[rows], "sqeuclidean")
            row = distance.argmin(1)
            value = distance[np.arange(len(query)), row]
            # in order of first appearance, so only what is strictly nearer replaces
            nearest, best = np.where(value < best, rows[row], nearest), np.minimum(value, best)
        return nearest


def _second(group: Int[ndarray, "label"], first: Int[ndarray, "group"]) -> Int[ndarray, "group"]:
    """The second row of each group of equal labels; -1 where there is only one."""
    order = np.argsort(group, kind="stable")
    after = np.searchsorted(group[order], np.arange(len(first))) + 1
    several = np.bincount(group, minlength=len(first)) > 1
    return np.where(several, order[np.minimum(after, len(order) - 1)], -1)


class NearestWithin:
    """The nearest label among those of one group: a class, a session."""

    def __init__(self, labels: Float[ndarray, "label ..."], groups: Int[ndarray, "label"]) -> None:
        self.groups = np.unique(groups)
        members = [np.flatnonzero(groups == group) for group in self.groups]
        self._of: Sequence[Nearest] = [Nearest(labels[rows], rows) for rows in members]

    def find(
        self,
        query: Float[ndarray, "query ..."],
        groups: Int[ndarray, "query"],
        apart: Int[ndarray, "query"] | None = None,
    ) -> Int[ndarray, "query"]:
        """The position of the label nearest to each query, among the labels of the query's group."""
        found = np.empty(len(query), dtype=np.int64)
        for group, nearest in zip(self.groups, self._of, strict=True):
            member = groups == group
            if member.any():
                found[member] = nearest.find(query[member], None if apart is None else apart[member])
        return found
