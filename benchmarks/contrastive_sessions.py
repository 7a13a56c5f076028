"""Adapting a contrastive embedding of one reaching session to another: position read from the last fifth, three seeds.

    python benchmarks/contrastive_sessions.py stores/c_reaching [--steps 300]

The store holds both sessions (`brainfm prepare FOLDER stores/c_reaching`). Spikes are counted in bins of 50 ms and their square
roots embedded. Each model is fitted on the first 80 % of a session; k nearest neighbours in the embedding of that part read
the last 20 % (k = 25). Adapted models learn a first layer of the new session behind the frozen trunk of the other.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy import ndarray
from sklearn.neighbors import KNeighborsRegressor

import brainfm
from data_loaders.store import Store

BIN, SHARE = 0.05, 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    store = Store(arguments.store)
    sessions = {store.entry(i).name: binned(store, i) for i in range(2)}
    found: dict[str, list[float]] = {}
    for seed in range(3):
        for row, value in scores(sessions, seed, arguments.steps).items():
            found.setdefault(row, []).append(value)
    for row, values in found.items():
        half = 4.303 * np.std(values, ddof=1) / np.sqrt(len(values))  # t interval, two degrees of freedom
        print(
            f"{row}: R2 of position {np.mean(values):.3f} [{np.mean(values) - half:.3f}, {np.mean(values) + half:.3f}] over 3 seeds"
        )


def scores(sessions: dict[str, tuple[ndarray, ndarray]], seed: int, steps: int) -> dict[str, float]:
    """R2 of every way to embed each session."""
    (a, (Xa, ya)), (b, (Xb, yb)) = sessions.items()
    train = {name: int(SHARE * len(X)) for name, (X, _) in sessions.items()}
    parts = {name: (X[: train[name]], y[: train[name]]) for name, (X, y) in sessions.items()}

    def new() -> brainfm.Contrastive:
        return brainfm.Contrastive(
            "offset10-model", 8, batch_size=256, max_iterations=steps, learning_rate=2e-3, time_offsets=4, held_out=0.0,
            shuffle_control=False, seed=seed,
        )  # fmt: skip

    alone = {name: new().fit(*parts[name]) for name in (a, b)}
    joint = new().fit({name: X for name, (X, _) in parts.items()}, {name: y for name, (_, y) in parts.items()})
    adapted = {b: alone[a].adapt(*parts[b], max_iterations=steps), a: alone[b].adapt(*parts[a], max_iterations=steps)}
    from_joint = joint.adapt(*parts[b], like=a, max_iterations=steps)
    rows = {}
    for name, (X, y) in sessions.items():
        n = train[name]
        rows[f"{name}, on its own"] = read(alone[name].transform(X), y, n)
        rows[f"{name}, both sessions together"] = read(joint.transform(X, session=name), y, n)
        rows[f"{name}, adapted from the other session"] = read(adapted[name].transform(X), y, n)
    rows[f"{b}, adapted from the joint model's trunk of {a}"] = read(from_joint.transform(Xb), yb, train[b])
    shuffled = np.random.default_rng(seed).permutation(train[a])
    control = new().fit(Xa[: train[a]][shuffled], ya[: train[a]])
    rows[f"{a}, shuffle control"] = read(control.transform(Xa), ya[: len(Xa)], train[a], shuffled)
    return rows


def read(embedding: ndarray, y: ndarray, n: int, order: ndarray | None = None) -> float:
    """R2 of neighbours fitted on the first `n` samples and read on the rest; `order` swaps what is fitted."""
    gap = 20  # a second between both
    points = embedding[: n - gap] if order is None else embedding[order][: n - gap]
    return KNeighborsRegressor(25).fit(points, y[: n - gap]).score(embedding[n:], y[n:])


def binned(store: Store, index: int) -> tuple[ndarray, ndarray]:
    """Square roots of counts [bin, unit] and the position at each bin's middle, in the longest segment."""
    entry = store.entry(index)
    start, stop = entry.segments[np.ptp(entry.segments, axis=1).argmax()]
    n = int((stop - start) / BIN)
    spikes = store.spikes(index, start, start + n * BIN)
    rows = np.minimum(((spikes.times - start) / BIN).astype(int), n - 1)
    counts = np.zeros((n, len(entry.ch_names)), np.float32)
    np.add.at(counts, (rows, spikes.channels), 1)
    info = entry.streams["cursor_pos"]
    at = np.round((start + (np.arange(n) + 0.5) * BIN - info.start) * info.sfreq).astype(int).clip(0, info.shape[0] - 1)
    return np.sqrt(counts), np.asarray(store.stream(index, "cursor_pos", 0, info.shape[0]))[at].astype(float)


if __name__ == "__main__":
    main()
