"""Where windows lie in time: who overlaps whom and who is too near, by runs in sorted order."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from data_loaders.ids import decode_id, encode_id
from data_loaders.windows import Windows

# later than any sample that an id can name
_NEVER = 1 << 40


def sfreqs(windows: Windows) -> Float[ndarray, "run"]:
    """The clock of each run's recording, hertz."""
    return windows.metadata["sfreq"].to_numpy(dtype=float)


def samples(seconds: float, sfreq: Float[ndarray, "run"]) -> Int[ndarray, "run"]:
    """The least number of samples that lasts `seconds`."""
    # less a millionth of a sample: 0.3 s at 10 Hz is 3 samples, not 4
    return np.ceil(seconds * sfreq - 1e-6).astype(np.int64)


def spans(windows: Windows) -> tuple[Int[ndarray, "run"], Int[ndarray, "run"]]:
    """The [start, stop) samples from each run's first window to its last."""
    before, after = (np.round(side * sfreqs(windows)).astype(np.int64) for side in windows.extent)
    return windows.first + before, windows.first + windows.stride * (windows.count - 1) + after


def seconds(windows: Windows, index: int) -> tuple[float, float]:
    """The [start, stop) of one window, in seconds of its recording."""
    run, anchor = windows.locate(np.array([index]))
    at = float(anchor[0] / sfreqs(windows)[run[0]])
    return at + windows.extent[0], at + windows.extent[1]


def apart(part: Windows, other: Windows, gap: float) -> Windows:
    """The windows of `part` that keep `gap` seconds from `other` in the same recording; a run counts from end to end."""
    if len(part) == 0 or len(other) == 0:
        return part
    wall_start, wall_stop = _walls(other, gap)
    start, stop = (_key(part.recording, edge) for edge in spans(part))
    low = np.searchsorted(wall_stop, start, side="right")
    n_walls = np.maximum(np.searchsorted(wall_start, stop, side="left") - low, 0)
    run = np.repeat(np.arange(len(n_walls)), n_walls + 1)
    piece = np.arange(len(run)) - np.repeat(np.cumsum(n_walls + 1) - n_walls - 1, n_walls + 1)
    pieces = part.runs(run)
    base = _key(pieces.recording, np.zeros_like(pieces.first))
    begin, end = (np.round(side * sfreqs(pieces)).astype(np.int64) for side in part.extent)
    # piece 0 lies before the run's first wall, piece k between walls k - 1 and k, the last behind all of them
    low, last = low[run] + piece, piece == n_walls[run]
    after_wall = wall_stop[np.clip(low - 1, 0, None)] - base - begin
    before_wall = wall_start[np.clip(low, None, len(wall_start) - 1)] - base - end + 1
    return pieces.between(np.where(piece > 0, after_wall, pieces.first), np.where(last, _NEVER, before_wall))


def stretches(windows: Windows) -> dict[int, Float[ndarray, "stretch 2"]]:
    """For each recording that has windows the [start, stop) seconds that they cover, merged and in order."""
    start, stop = _walls(windows, 0.0)
    recording, begin = decode_id(start)
    present, first = np.unique(windows.recording, return_index=True)
    sfreq = sfreqs(windows)[first][np.searchsorted(present, recording), None]
    seconds = np.stack([begin, stop - encode_id(recording, np.zeros_like(begin))], axis=1) / sfreq
    pieces = np.split(seconds, np.flatnonzero(np.diff(recording)) + 1)
    return dict(zip(present.tolist(), pieces, strict=True))


def _walls(other: Windows, gap: float) -> tuple[Int[ndarray, "wall"], Int[ndarray, "wall"]]:
    """The stretches that `other` and its gaps cover, merged and in order."""
    margin = samples(gap, sfreqs(other))
    start, stop = spans(other)
    start, stop = _key(other.recording, start - margin), _key(other.recording, stop + margin)
    order = np.argsort(start, kind="stable")
    start, stop = start[order], np.maximum.accumulate(stop[order])
    fresh = np.r_[True, start[1:] >= stop[:-1]]
    return start[fresh], stop[np.r_[fresh[1:], True]]


def too_near(
    a: Windows, b: Windows, gap: float, place_a: Int[ndarray, "run_a"], place_b: Int[ndarray, "run_b"]
) -> tuple[int, int] | None:
    """Positions in `a` and in `b` of two windows at one place with less than `gap` seconds between them, or None.

    A gap of 0 finds overlaps alone. Runs are compared as spans, in O(runs log runs); window by window only at a place
    where the spans are too near, which a split by groups or blocks never makes.
    """
    suspects = _near(a, b, gap, place_a, place_b)
    for place in np.unique(place_a[suspects[:, 0]]):
        rows_a, rows_b = np.flatnonzero(place_a == place), np.flatnonzero(place_b == place)
        index_a, index_b = _members(a, rows_a), _members(b, rows_b)
        zeros = np.zeros(len(index_a), np.int64), np.zeros(len(index_b), np.int64)
        pairs = _near(a.take(index_a), b.take(index_b), gap, *zeros)
        if len(pairs):
            return int(index_a[pairs[0, 0]]), int(index_b[pairs[0, 1]])
    return None


def _near(a: Windows, b: Windows, gap: float, place_a: ndarray, place_b: ndarray) -> Int[ndarray, "pair 2"]:
    """Runs of `a` and `b` whose spans are too near: for each run, the one of the other side that ends last before it."""
    place, in_b = np.r_[place_a, place_b], np.r_[np.zeros(len(place_a), bool), np.ones(len(place_b), bool)]
    start, stop = (_key(place, np.r_[x, y]) for x, y in zip(spans(a), spans(b), strict=True))
    margin = np.r_[samples(gap, sfreqs(a)), samples(gap, sfreqs(b))]
    order = np.lexsort((stop, start))
    pairs = [_before(order, start, stop, margin, in_b, side) for side in (False, True)]
    # a run of `a` sees one of `b` before it, and the other way round
    of_a, of_b = pairs[1], pairs[0][:, ::-1]
    return np.concatenate([of_a, of_b]) - [0, len(place_a)]


def _before(
    order: Int[ndarray, "run"],
    start: Int[ndarray, "run"],
    stop: Int[ndarray, "run"],
    margin: Int[ndarray, "run"],
    in_b: Bool[ndarray, "run"],
    side: bool,
) -> Int[ndarray, "pair 2"]:
    """Each run not of `side` that begins too soon after one of `side`, with that one."""
    ends = np.where(in_b[order] == side, stop[order], -1)
    latest = np.maximum.accumulate(ends)
    # the position of the running maximum: where it was last reached
    holder = np.maximum.accumulate(np.where(ends == latest, np.arange(len(ends)), 0))
    hit = np.flatnonzero((in_b[order] != side) & (latest >= 0) & (start[order] - latest < margin[order]))
    return np.stack([order[hit], order[holder[hit]]], axis=1)


def _members(windows: Windows, rows: Int[ndarray, "row"]) -> Int[ndarray, "item"]:
    """The positions of all windows of some runs."""
    ends = np.cumsum(windows.count)
    return np.concatenate([np.arange(int(ends[row] - windows.count[row]), int(ends[row])) for row in rows])


def _key(place: Int[ndarray, "run"], sample: Int[ndarray, "run"]) -> Int[ndarray, "run"]:
    """A place (a recording, or a segment of one) and a sample in one integer, as in a window's id."""
    return encode_id(place.astype(np.int64), sample)


def covered(
    windows: Windows, recording: Int[ndarray, "point"], sample: Int[ndarray, "point"]
) -> Bool[ndarray, "point"]:
    """Which samples of which recordings lie in some window; a run counts from end to end."""
    wall_start, wall_stop = _walls(windows, 0.0)
    point = _key(recording, sample)
    wall = np.searchsorted(wall_start, point, side="right") - 1
    return (wall >= 0) & (point < wall_stop[np.maximum(wall, 0)])


def evenly(n: int, most: int) -> Int[ndarray, "item"]:
    """At most `most` of n positions, spread over all of them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
