"""Closed-form objectives: they are scikit-learn's ridge on lagged streams, per subject, through disk, with bands."""

import numpy as np
import pytest
import torch
from numpy import ndarray
from sklearn.linear_model import Ridge as SklearnRidge

from brainfm.encoders.delays import Delays
from brainfm.linear.scratch import Scratch
from brainfm.objectives.banded_ridge import BandedRidge
from brainfm.objectives.ridge import Ridge
from data_loaders.contracts import Batch, Sampled

DELAYS = {"words": [2, 1, 0], "sound": [1, 0]}


def batches(n: int = 120, subject: int = 0, seed: int = 0, noise: float = 0.5) -> list[Batch]:
    """Frames of one run, in two batches out of order; four channels follow one delay of the words."""
    rng = np.random.default_rng(seed)
    words, sound = rng.standard_normal((n + 2, 3)), rng.standard_normal((n + 1, 2))
    signal = (
        words[1 : n + 1] @ np.random.default_rng(subject).standard_normal((3, 4))
        + noise * rng.standard_normal((n, 4))
        + 7
    )
    lagged = np.stack([words[k : n + k] for k in range(3)], -1), np.stack([sound[k : n + k] for k in range(2)], -1)
    order = np.r_[n // 2 : n, 0 : n // 2]
    return [_batch(signal[rows], lagged[0][rows], lagged[1][rows], rows, subject) for rows in np.array_split(order, 2)]


def _batch(signal: ndarray, words: ndarray, sound: ndarray, window: ndarray, subject: int) -> Batch:
    n, ids = len(signal), torch.from_numpy(window)
    same = torch.full((n,), subject)
    streams = {
        name: Sampled(torch.from_numpy(v).float(), torch.ones(n, v.shape[-1], dtype=torch.bool), torch.full((n,), 0.5))
        for name, v in (("words", words), ("sound", sound))
    }
    masks = torch.ones(n, 4, dtype=torch.bool), torch.ones(n, 1, dtype=torch.bool)
    return Batch(
        signal=torch.from_numpy(signal).float()[..., None], sfreq=torch.full((n,), 0.5), ch_positions=torch.zeros(n, 4, 3),
        ch_mask=masks[0], time_mask=masks[1], subject_id=same, session_id=same, window_id=ids, seed=ids, streams=streams,
    )  # fmt: skip


def encoder(delays: list[int] | None = None, streams: list[str] | None = None) -> Delays:
    return Delays({"words": 3, "sound": 2}, DELAYS, delays, streams)


def test_delays_are_the_samples_asked_for_stream_by_stream() -> None:
    batch = batches()[0]
    tokens = encoder([1], ["words"])(batch)
    assert torch.equal(tokens.embedding[:, 0], batch.streams["words"].values[:, :, 1])
    every = encoder()
    assert every.widths == {"sound": 4, "words": 9}
    assert every(batch).embedding.shape == (60, 1, 13)
    assert torch.equal(every(batch).embedding[:, 0, 4:7], batch.streams["words"].values[:, :, 0])


def test_a_delay_out_of_reach_and_an_unknown_stream_are_refused() -> None:
    with pytest.raises(ValueError, match="delays 0 to 2 and delay 4 is asked for"):
        encoder([4], ["words"])
    with pytest.raises(ValueError, match="no field of the data is a stream"):
        encoder(streams=["music"])


def test_ridge_is_scikit_learns_on_standardised_features() -> None:
    parts = batches()
    objective = Ridge(encoder(), n_chans=4, n_times=1, alphas=[30.0])
    objective.fit(parts)
    x = torch.cat([objective.features(part) for part in parts]).numpy().astype(float)
    y = torch.cat([objective.truth(part) for part in parts]).numpy()
    z = (x - x.mean(0)) / x.std(0)
    wanted = SklearnRidge(30.0).fit(z, y).predict(z)
    said = torch.cat([objective.predict(part)["signal"] for part in parts]).numpy()
    assert np.abs(said - wanted).max() < 1e-4


def test_the_published_root_is_squared() -> None:
    one, two = (Ridge(encoder(), 4, 1, alphas=[a], convention=c) for a, c in ((9.0, "penalty"), (3.0, "root")))
    for objective in (one, two):
        objective.fit(batches())
    assert torch.equal(one.weights, two.weights)


def test_the_order_of_batches_changes_nothing() -> None:
    one, two = (Ridge(encoder(), 4, 1) for _ in range(2))
    one.fit(batches())
    two.fit(batches()[::-1])
    assert torch.equal(one.weights, two.weights)
    assert torch.equal(one.alpha, two.alpha)


def test_each_subject_has_weights_of_its_own_and_a_stranger_none() -> None:
    both = Ridge(encoder(), 4, 1, n_subjects=3, per="subject")
    both.fit([*batches(), *batches(subject=1)])
    alone = Ridge(encoder(), 4, 1)
    alone.fit(batches(subject=1))
    assert torch.allclose(both.weights[1], alone.weights[0], atol=1e-6)
    with pytest.raises(ValueError, match="subject number 2 was not in the training part"):
        both.predict(batches(subject=2)[0])


def test_rows_on_disk_are_rows_in_memory() -> None:
    rng, order = np.random.default_rng(0), np.random.default_rng(1).permutation(50)
    rows = rng.standard_normal((50, 7)).astype(np.float32)
    for limit in (0, 300, 2**30):
        scratch = Scratch(in_memory=limit)
        for part in np.array_split(rows, 6):
            scratch.add(part)
        assert np.array_equal(scratch.rows(order), rows[order])


@pytest.mark.parametrize("n", [40, 120])  # fewer rows than features are solved between rows
def test_one_band_is_plain_ridge(n: int) -> None:
    parts = batches(n)
    wide = Delays({"words": 3, "sound": 2}, DELAYS, None, ["words"])
    banded, plain = BandedRidge(wide, 4, 1, n_iter=1, alphas=[10.0], gap=1), Ridge(wide, 4, 1, alphas=[10.0])
    for objective in (banded, plain):
        objective.fit(parts)
    assert torch.allclose(banded.predict(parts[0])["signal"], plain.predict(parts[0])["signal"], atol=2e-3)


def test_bands_spare_what_matters_among_many_features_that_do_not() -> None:
    def made(seed: int) -> list[Batch]:
        parts = []
        for part in batches(100, seed=seed, noise=1.0):
            noise = torch.from_numpy(
                np.random.default_rng(int(part.window_id[0]) + seed).standard_normal((len(part), 300, 2))
            ).float()
            parts.append(
                Batch(
                    **{
                        **part.__dict__,
                        "streams": part.streams | {"sound": Sampled(noise, part.streams["sound"].mask, part.sfreq)},
                    }
                )
            )
        return parts

    train, test = made(1), made(2)
    wide = Delays({"words": 3, "sound": 300}, DELAYS)
    errors = []
    for objective in (BandedRidge(wide, 4, 1, gap=1), Ridge(wide, 4, 1, gap=1)):
        objective.fit(train)
        errors.append(np.mean([objective.loss(part)["loss"].item() for part in test]))
    assert errors[0] < 0.8 * errors[1]
