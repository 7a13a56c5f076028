"""The scikit-learn face: arrays and epochs in, classes or values out."""

import pickle

import mne
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

import brainfm
from brainfm.encoders.base import Encoder, one_token, take_signal
from brainfm.estimators import Decoder, DecoderRegressor


class Power(Encoder):
    """The log-variance of each channel: enough to find a planted source, and fast."""

    def __init__(self, n_chans: int):
        super().__init__()
        self.dim = n_chans
        self.norm = nn.BatchNorm1d(n_chans)

    def forward(self, batch):
        return one_token(self.norm(take_signal(batch).var(-1).add(1e-6).log()))


class Hertz(Power):
    """Cannot be built without a sampling rate."""

    def __init__(self, n_chans: int, sfreq: float):
        super().__init__(n_chans)
        self.rate = sfreq


def planted(n_trials: int = 90, gain: float = 3.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise of 10 microvolts; in trials of class c, channel c is louder."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_trials) % 3
    X = rng.normal(size=(n_trials, 5, 32)) * 1e-5
    X[np.arange(n_trials), y] *= gain
    return X, np.array(["left", "rest", "right"])[y]


def quick(**changes) -> Decoder:
    return Decoder(**{"encoder": Power, "max_steps": 40, "batch_size": 32, "lr": 0.05, **changes})


def test_cross_validation_finds_a_planted_effect():
    X, y = planted()
    assert cross_val_score(quick(), X, y, cv=3).mean() > 0.9


def test_cross_validation_finds_nothing_in_noise():
    X, y = planted(gain=1.0)
    assert 0.13 < cross_val_score(quick(), X, y, cv=3).mean() < 0.53


def test_the_same_seed_gives_the_same_probabilities_and_another_seed_others():
    X, y = planted()
    first, again, other = (quick(seed=seed, max_steps=5).fit(X, y).predict_proba(X) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_probabilities_sum_to_one_in_the_order_of_the_classes():
    X, y = planted()
    decoder = quick().fit(X, y)
    assert decoder.classes_.tolist() == ["left", "rest", "right"]
    np.testing.assert_allclose(decoder.predict_proba(X).sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(decoder.predict(X), decoder.classes_[decoder.predict_proba(X).argmax(1)])


def test_more_than_ten_classes_keep_their_order():
    y = np.tile(np.arange(12), 4)
    X = np.random.default_rng(0).normal(size=(48, 12, 32))
    X[np.arange(48), y] *= 6
    decoder = quick(max_steps=60).fit(X, y)
    assert decoder.score(X, y) > 0.9


def test_units_do_not_matter():
    X, y = planted()
    volts, microvolts = quick(max_steps=10).fit(X, y), quick(max_steps=10).fit(X * 1e6, y)
    np.testing.assert_allclose(volts.predict_proba(X), microvolts.predict_proba(X * 1e6), atol=1e-4)


def test_it_is_cloned_and_keeps_its_parameters():
    decoder = clone(quick(seed=4).set_params(lr=0.1))
    assert decoder.get_params() == quick(seed=4, lr=0.1).get_params()


def test_it_ends_a_pipeline_and_is_searched_over():
    X, y = planted(45)
    pipeline = make_pipeline(FunctionTransformer(lambda signal: signal[:, :4]), quick(max_steps=20))
    search = GridSearchCV(pipeline, {"decoder__lr": [1e-9, 0.05]}, cv=2).fit(X, y)
    assert search.best_params_ == {"decoder__lr": 0.05}


def test_a_fitted_decoder_survives_pickling():
    X, y = planted()
    decoder = quick(max_steps=10).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(decoder)).predict_proba(X), decoder.predict_proba(X))


def test_epochs_bring_their_events_and_leave_out_bad_channels():
    X, y = planted()
    info = mne.create_info(["Fz", "Cz", "Pz", "Oz", "STI"], 100.0, ["eeg"] * 4 + ["stim"])
    events = np.stack([np.arange(len(X)) * 100, np.zeros(len(X), int), np.unique(y, return_inverse=True)[1] + 7], 1)
    epochs = mne.EpochsArray(X, info, events, verbose=False)
    epochs.info["bads"] = ["Oz"]
    decoder = quick().fit(epochs)
    assert decoder.classes_.tolist() == [7, 8, 9]
    assert decoder.n_chans_ == 3
    assert decoder.score(epochs, epochs.events[:, 2]) > 0.9


def test_the_regressor_recovers_a_loudness():
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 2, size=120)
    X = rng.normal(size=(120, 4, 64))
    X[:, 1] *= np.exp(y)[:, None]
    regressor = DecoderRegressor(encoder=Power, max_steps=60, batch_size=32, lr=0.1)
    assert cross_val_score(regressor, X, y, cv=3).min() > 0.8


def test_whole_groups_are_held_out_to_choose_the_weights(monkeypatch):
    X, y = planted()
    groups = np.repeat(np.arange(6), 15)
    seen = {}
    monkeypatch.setattr(
        "brainfm.estimators.train", lambda objective, stream, val, *rest: seen.update(train=stream, val=val)
    )
    quick().fit(X, y, groups)
    train, val = (set(seen[part].gather.windows.metadata["subject"]) for part in ("train", "val"))
    assert len(train) == 5
    assert len(val) == 1
    assert not train & val


def test_it_runs_under_cross_validation_by_group():
    X, y = planted()
    assert cross_val_score(quick(), X, y, groups=np.repeat(np.arange(3), 30), cv=GroupKFold(3)).mean() > 0.9


def test_an_encoder_of_the_house_is_found_by_its_name():
    X, y = planted(24)
    assert brainfm.Decoder(max_steps=1, batch_size=8).fit(np.tile(X, 4), y).predict(np.tile(X, 4)).shape == (24,)


def test_an_encoder_that_works_in_hertz_asks_for_the_rate():
    X, y = planted()
    with pytest.raises(ValueError, match=r"arrays have no rate: give Decoder\(sfreq=...\)"):
        quick(encoder=Hertz).fit(X, y)
    assert quick(encoder=Hertz, sfreq=100.0, max_steps=1).fit(X, y).objective_.encoder.rate == 100.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[0], y), r"X has shape \(5, 32\), expected trials"),
        (lambda X, y: (X, y[:-1]), "X has 90 trials but y has 89 labels"),
        (lambda X, y: (X, y[:1].repeat(90)), "y holds one class, 'left'"),
        (lambda X, y: (X, np.linspace(0, 1, 90)), "which are no classes: take DecoderRegressor"),
        (lambda X, y: (X, None), "only mne.Epochs bring their own labels"),
        (lambda X, y: (np.where(X[3, 0, 0] == X, np.nan, X), y), "NaN or infinity in 1 trials .first: trial 3"),
    ],
)
def test_bad_input_is_refused_with_what_was_found(change, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(*change(*planted()))


def test_trials_of_another_size_are_refused():
    X, y = planted()
    decoder = quick(max_steps=1).fit(X, y)
    with pytest.raises(ValueError, match=r"X has trials of \(4, 32\) .channels, samples., fitted on \(5, 32\)"):
        decoder.predict(X[:, :4])


def test_nothing_is_printed_unless_asked(capsys):
    X, y = planted()
    quick(max_steps=1).fit(X, y)
    assert capsys.readouterr().out == ""
    quick(max_steps=1, verbose=True).fit(X, y)
    assert "step 0/1" in capsys.readouterr().out
