"""The contrastive estimator: planted latents come back, noise does not, and what is given in is given back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import estimator_checks_generator

import brainfm
from brainfm.encoders.gru import GRU

T = 5000


def latent(kind: str, n: int = T) -> ndarray:
    """A path on a ring, a torus or a line, as coordinates in which it is smooth."""
    rng = np.random.default_rng(0)
    turn = np.cumsum(rng.standard_normal((n, 2)) * 0.08, axis=0) + np.arange(n)[:, None] * [0.03, 0.011]
    if kind == "line":
        return (2 / np.pi * np.arcsin(np.sin(turn[:, :1] / 2))).astype(float)
    circles = np.stack([np.cos(turn), np.sin(turn)], axis=2)  # [time, circle, 2]
    return circles[:, 0] if kind == "ring" else circles.reshape(n, 4)


def neurons(z: ndarray, n_neurons: int = 100, seed: int = 1) -> ndarray:
    """Poisson counts of neurons whose log rates are random projections of the latent."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((z.shape[1], n_neurons)) / np.sqrt(z.shape[1])
    return rng.poisson(np.exp(0.5 + 1.2 * z @ weight))


def small(**changes: Any) -> brainfm.Contrastive:
    """A model that is trained in moments."""
    options: dict[str, Any] = {
        "model_architecture": "offset5-model", "max_iterations": 5, "batch_size": 32, "num_hidden_units": 8,
        "output_dimension": 3, "shuffle_control": False, "held_out": 0.0,
    }  # fmt: skip
    return brainfm.Contrastive(**{**options, **changes})


def aligned_r2(embedding: ndarray, z: ndarray) -> float:
    """Of the latent from the embedding by least squares: fitted on the first 80 %, scored on the rest."""
    border = int(0.8 * len(z))
    return LinearRegression().fit(embedding[:border], z[:border]).score(embedding[border:], z[border:])


@pytest.mark.parametrize("kind", ["ring", "torus", "line"])
def test_a_planted_latent_is_recovered_and_shuffled_data_fit_nothing(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    z = latent(kind)
    X = neurons(z)
    # more dimensions than the latent needs: on a sphere of just as many it would have to fold
    size, steps, temperature = {"ring": (3, 300, 2.0), "torus": (16, 600, 1.5), "line": (3, 300, 3.0)}[kind]
    name = "offset5-model" if kind == "torus" else "offset10-model"
    model = brainfm.Contrastive(
        name, size, max_iterations=steps, batch_size=256, learning_rate=3e-3, temperature=temperature, time_offsets=3
    ).fit(X, z)
    told = capsys.readouterr().out
    r2 = aligned_r2(model.transform(X), z)
    with capsys.disabled():
        print(f"\n{kind}: R2 {r2:.4f}, {told.strip()}")
    assert f"shuffle control {model.control_bits_:.3f} bit" in told
    assert model.control_bits_ <= 0.05
    assert model.bits_ > 0.1
    assert r2 > 0.95


def test_only_the_first_layer_learns_when_adapting_from_one_session() -> None:
    z = latent("ring", 600)
    model = small(shuffle_control=True, held_out=0.2).fit(neurons(z, 20), z)
    before = {name: value.clone() for name, value in model.objective_.state_dict().items()}
    adapted = model.adapt(neurons(z, 13, seed=2), z, max_iterations=8)
    after = adapted.objective_.state_dict()
    for name, value in before.items():
        if name in ("encoder.net.0.weight", "encoder.net.0.bias"):
            assert after[name].shape[0] == value.shape[0]
        else:
            assert torch.equal(after[name], value), name
    assert adapted.transform(neurons(z, 13, seed=2)).shape == (600, 3)
    learning = [name for name, p in adapted.objective_.named_parameters() if p.requires_grad]
    assert learning == ["encoder.net.0.weight", "encoder.net.0.bias"]
    assert all(torch.equal(model.objective_.state_dict()[name], value) for name, value in before.items())


def test_adapting_learns() -> None:
    z = latent("ring", 1500)
    model = small(max_iterations=150, batch_size=128, learning_rate=3e-3, num_hidden_units=16).fit(neurons(z, 30), z)
    X = neurons(z, 25, seed=5)
    bits = [model.adapt(X, z, max_iterations=n).score(X, z) for n in (1, 80)]
    assert bits[1] > bits[0] + 0.2


def test_adapting_from_several_sessions_takes_the_trunk_that_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    z = latent("ring", 300)
    model = small().fit({"a": neurons(z, 9), "b": neurons(z, 7, 2)}, {"a": z, "b": z})
    trunk = model.objective_.encoder.of(1).state_dict()
    adapted = model.adapt(neurons(z, 12, 3), z, like="b", max_iterations=3)
    assert "trunk is that of session 'b'" in capsys.readouterr().out
    found = adapted.objective_.encoder.state_dict()
    assert all(torch.equal(found[name], trunk[name]) for name in trunk if not name.startswith("net.0."))
    with pytest.raises(ValueError, match="like is 'c'"):
        model.adapt(neurons(z, 12, 3), z, like="c")


def test_training_in_two_parts_is_training_at_once() -> None:
    z = latent("ring", 400)
    X = neurons(z, 10)
    whole = small(max_iterations=8).fit(X, z)
    parts = small(max_iterations=4).partial_fit(X, z).partial_fit(X, z)
    assert parts.n_steps_ == whole.n_steps_ == 8
    assert np.allclose(parts.transform(X), whole.transform(X), atol=1e-6)
    assert np.allclose(parts.history_, whole.history_, atol=1e-6)


def test_fits_are_repeated_by_their_seed() -> None:
    z = latent("ring", 400)
    X = neurons(z, 10)
    one, two, other = (small(seed=seed).fit(X, z).transform(X) for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.allclose(one, other)


def test_no_window_reaches_over_the_border_of_a_trial_when_embedding() -> None:
    z = latent("ring", 300)
    X = neurons(z, 10).astype(float)
    model = small().fit([X[:100], X[100:]], [z[:100], z[100:]])
    first, second = model.transform([X[:100], X[100:]])
    changed, _ = model.transform([X[:100], X[100:] + 5.0])
    assert np.array_equal(first, changed)
    alone = model.transform(X[100:])
    assert np.array_equal(alone, second)


def test_the_whole_series_in_one_pass_is_window_by_window() -> None:
    z = latent("ring", 60)
    X = neurons(z, 10).astype(np.float32)
    model = small(model_architecture="offset10-model").fit(X, z)
    embedding = model.transform(X)
    assert embedding.shape == (60, 3)
    padded = np.concatenate([X[:1].repeat(5, 0), X, X[-1:].repeat(4, 0)])
    window = padded[20:30]
    inside = model.transform(window)[5]
    assert np.allclose(embedding[20], inside, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, ()),
        ({"conditional": "delta", "delta": 0.3}, ("z",)),
        ({"hybrid": True}, ("z",)),
        ({"prior": "balanced"}, ("c",)),
        ({}, ("z", "c")),
        ({"batch_size": None}, ("z",)),
        ({"batch_size": 2000}, ("z",)),
        ({"compat": "paper"}, ("z",)),
        ({"compat": "paper"}, ()),
        ({"distance": "euclidean", "model_architecture": "offset10-model-mse"}, ("z",)),
        ({"learn_temperature": True}, ("z",)),
        ({"model_architecture": GRU, "n_times": 6}, ("z",)),
        ({"model_architecture": "offset40-model-4x-subsample"}, ()),
    ],
)
def test_every_way_of_drawing_trains_and_embeds(options: dict[str, Any], labels: tuple[str, ...]) -> None:
    z = latent("ring", 300)
    given = {"z": z, "c": np.arange(300) // 10 % 3 * 2}
    model = small(**options).fit(neurons(z, 8), *(given[name] for name in labels))
    assert model.transform(neurons(z, 8)).shape == (300, 3)
    assert len(model.history_) == 5


def test_sessions_are_trained_together_and_embedded_one_by_one() -> None:
    z = latent("ring", 300)
    X = {"a": neurons(z, 9), "b": [neurons(z[:150], 7, 2), neurons(z[150:], 7, 3)]}
    model = small(held_out=0.3, shuffle_control=True).fit(X, {"a": z, "b": [z[:150], z[150:]]})
    found = model.transform(X)
    assert found["a"].shape == (300, 3)
    assert [trial.shape for trial in found["b"]] == [(150, 3)] * 2
    assert np.array_equal(model.transform(X["a"], session="a"), found["a"])
    assert np.isfinite([model.bits_, model.control_bits_]).all()
    with pytest.raises(ValueError, match=r"knows the sessions \['a', 'b'\]"):
        model.transform(X["a"])
    classes = {"a": np.arange(300) % 4, "b": np.arange(300) % 4}
    assert len(small().fit({"a": X["a"], "b": neurons(z, 7, 2)}, classes).history_) == 5
    assert len(small().fit(X).history_) == 5


def test_pynapple_objects_go_in_and_come_out() -> None:
    nap = pytest.importorskip("pynapple")
    z, seconds = latent("ring", 400), np.arange(400) * 0.02
    epochs = nap.IntervalSet(start=[0.0, 4.01], end=[3.995, 8.0])
    X = nap.TsdFrame(t=seconds, d=neurons(z, 9), time_support=epochs)
    position = nap.TsdFrame(t=np.arange(0, 8, 0.01), d=np.repeat(z, 2, axis=0))
    embedding = small().fit(X, position).transform(X)
    assert isinstance(embedding, nap.TsdFrame)
    assert np.array_equal(embedding.t, X.t)
    assert embedding.shape == (len(X), 3)
    trials = [X.values[X.t < 4], X.values[X.t > 4]]
    listed = small().fit(trials, [z[: len(trials[0])], z[-len(trials[1]) :]])
    assert len(listed.transform(trials)) == 2
    with pytest.raises(ValueError, match=r"X.count\(0.025\)"):
        small().fit(nap.TsGroup({0: nap.Ts(seconds), 1: nap.Ts(seconds)}))


def test_a_saved_model_embeds_as_before_and_goes_on(tmp_path: Path) -> None:
    z = latent("ring", 300)
    X = neurons(z, 8)
    model = small(shuffle_control=True, held_out=0.2).fit(X, z)
    loaded = brainfm.Contrastive.load(model.save(tmp_path / "model"))
    assert np.array_equal(loaded.transform(X), model.transform(X))
    assert (loaded.bits_, loaded.control_bits_, loaded.n_steps_) == (model.bits_, model.control_bits_, model.n_steps_)
    assert loaded.get_params() == model.get_params()
    assert loaded.score(X, z) == model.score(X, z)
    assert loaded.partial_fit(X, z).n_steps_ == 10
    sessions = small().fit({"a": X, "b": neurons(z, 5)}, {"a": z, "b": z})
    again = brainfm.Contrastive.load(sessions.save(tmp_path / "two"))
    assert np.array_equal(again.transform(X, session="a"), sessions.transform(X, session="a"))


def with_nan(X: ndarray) -> ndarray:
    X = X.astype(float)
    X[7, 2] = np.nan
    return X


@pytest.mark.parametrize(
    ("fit", "told"),
    [
        (lambda X, z: small().fit(with_nan(X), z), "NaN .1 values, the first at sample 7, channel 2.*list of trials"),
        (lambda X, z: small().fit(X, z[:-1]), "label 1 has 299 entries, X has 300 samples"),
        (lambda X, z: small().fit(X, with_nan(z.repeat(2, 1))), "label 1 is NaN or infinite at sample 7"),
        (lambda X, z: small().fit(X * 0, z), "every channel is constant"),
        (lambda X, z: small().fit(X, np.r_[np.zeros(150, int), 9, np.ones(149, int)]), "has a single window"),
        (lambda X, z: small().fit([X[:3], X[3:6]]), "as long as the 5 samples.*offset1-model"),
        (lambda X, z: small().fit([X, X[:, :4]]), r"trials have \[4, 8\] channels.*as a dict"),
        (lambda X, z: small(model_architecture="ofset10-model").fit(X), "did you mean 'offset10-model'"),
        (lambda X, z: small(conditional="delta").fit(X), "needs labels of floats"),
        (lambda X, z: small(hybrid=True).fit(X), "hybrid needs continuous labels"),
        (lambda X, z: small(held_out=1.0).fit(X), "held_out is 1"),
        (lambda X, z: small(learning_rate=1e30).fit(X, z), "the loss is not finite at step"),
        (lambda X, z: small(time_offsets=400).fit(X), "longer than time_offset=400"),
        (lambda X, z: small().fit({"a": X, "b": X}, z), "labels are one array: give a dict"),
        (lambda X, z: small().fit([X, X], [z, z[:-1]]), "trial 1 has another length"),
        (lambda X, z: small(model_architecture=GRU).fit(X), "needs n_times"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_repair(fit: Callable[..., Any], told: str) -> None:
    z = latent("ring", 300)
    with pytest.raises(ValueError, match=told):
        fit(neurons(z, 8), z)


def test_constant_neurons_are_named_and_do_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    z = latent("ring", 300)
    X = neurons(z, 8)
    X[:, 3] = 2
    assert np.isfinite(small().fit(X, z).transform(X)).all()
    assert "1 of 8 channels are constant and carry nothing: [3]" in capsys.readouterr().out


# the type checker of the test run refuses in __init__ what the check passes there
NOT_HERE = ("check_do_not_raise_errors_in_init_or_set_params",)


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(estimator, check, id=check.func.__name__)
        for estimator, check in estimator_checks_generator(
            brainfm.Contrastive("offset1-model", max_iterations=2, batch_size=8, held_out=0.0, shuffle_control=False)
        )
        if check.func.__name__ not in NOT_HERE
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_takes_it_for_a_transformer(estimator: Any, check: Any) -> None:
    check(estimator)
