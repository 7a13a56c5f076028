"""A training that was cut goes on as if nothing had happened: the same batches, the same weights, the same curve."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from brainfm.encoders.base import Encoder, one_token
from brainfm.objectives.base import Objective
from brainfm.run.train import reproducible, train
from brainfm.systems.training import Training
from data_loaders.contracts import Batch
from data_loaders.gather import Gather
from data_loaders.samplers.base import Sampler
from data_loaders.stream import Stream
from tests.brainfm.run.cut_training import KilledError, dies_after

pytestmark = pytest.mark.filterwarnings("ignore::lightning.pytorch.utilities.warnings.PossibleUserWarning")


class Counting(Sampler):
    """One window per batch, in order for ever."""

    def __init__(self, n_windows: int):
        self.windows, self.batch_size, self.seed = range(n_windows), 1, 0

    def draw(self, step):
        return np.array([[step]])


class Numbered(Gather):
    """Makes a batch that can be told from any other, and notes which were asked for."""

    looks_ahead = False

    def __init__(self, first: int = 0, sign: int = 1):
        self.__dict__.update(first=first, sign=sign, given=[])

    def __call__(self, positions, place=None):
        self.given.append(int(positions[0, 0]))
        return make_batch(self.first + self.given[-1], self.sign)


def endless() -> Stream:
    return Stream(Numbered(), Counting(5), once=False, threads=1, depth=1)


def passing() -> Stream:
    """Validation whose truth is turned round, so that the best weights are early ones, which a resume might lose."""
    return Stream(Numbered(1000, sign=-1), Counting(2), once=True, threads=1)


class Dropping(Encoder):
    """An encoder with dropout, so that a lost generator state shows."""

    dim = 8

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5))

    def forward(self, batch):
        return one_token(self.layers(batch.signal[:, :, 0]))


class Sum(Objective):
    """Learns the sum over channels, and logs a second number."""

    def __init__(self):
        super().__init__(Dropping())
        self.head = nn.Linear(8, 1)

    def loss(self, batch):
        error = (self.predict(batch)["y"] - batch.targets["y"]).square().mean()
        return {"loss": error, "root": error.detach().sqrt()}

    def predict(self, batch):
        return {"y": self.head(self.encoder(batch).pooled())}


def make_batch(k: int, sign: int = 1) -> Batch:
    signal = torch.randn(4, 3, 1, generator=torch.Generator().manual_seed(k))
    ids = torch.arange(4) + 4 * k
    return Batch(
        signal, torch.ones(4), torch.zeros(4, 3, 3), torch.ones(4, 3, dtype=torch.bool), torch.ones(1, dtype=torch.bool).expand(4, 1),
        ids, ids, ids, ids, targets={"y": sign * signal.sum((1, 2))[:, None]},
    )  # fmt: skip


def run(folder: Path, stream: Stream, val=True, **changes):
    torch.manual_seed(0)
    model = Sum()
    training = Training(max_steps=12, val_every=4, accelerator="cpu", **changes)
    optimizer = {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.05}}
    scheduler = {"class_path": "torch.optim.lr_scheduler.OneCycleLR"}
    best = train(
        model, stream, passing() if val is True else val, training, optimizer, scheduler, folder, seed=3, title=None
    )
    return model.state_dict(), pd.read_csv(folder / "history.csv"), best


@pytest.mark.parametrize("val", [True, None])
@pytest.mark.parametrize("saves", range(1, 13))
def test_a_training_cut_after_any_save_ends_like_one_that_was_not(tmp_path, saves, val):
    whole, curve, best = run(tmp_path / "whole", endless(), val, save_every=0.0)
    with dies_after(saves):
        run(tmp_path / "cut", endless(), val, save_every=0.0)
    stream = endless()
    weights, resumed, best_again = run(tmp_path / "cut", stream, val, save_every=0.0)
    assert stream.gather.given[:1] == ([saves] if saves < 12 else [])
    assert all(torch.equal(weights[name], whole[name]) for name in whole)
    pd.testing.assert_frame_equal(resumed, curve)
    assert best_again == best


def test_the_state_of_training_carries_no_code(tmp_path):
    run(tmp_path, endless(), save_every=0.0)
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert {"state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks"} <= set(state)


def test_a_last_checkpoint_that_holds_code_is_not_opened(tmp_path):
    torch.save({"callbacks": KilledError()}, tmp_path / "last.ckpt")
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        run(tmp_path, endless())


def test_nothing_asks_for_the_estimated_number_of_steps(tmp_path, monkeypatch):
    # a Trainer that estimates them builds its loaders early, and a resume then starts the stream anew
    def refuse(self):
        raise AssertionError("asked for estimated_stepping_batches")

    monkeypatch.setattr(Trainer, "estimated_stepping_batches", property(refuse))
    run(tmp_path, endless())


def test_every_look_at_the_validation_part_sees_all_of_it(tmp_path):
    looks = passing()
    run(tmp_path, endless(), val=looks)
    assert looks.gather.given == [0, 1] * 3


def test_the_curve_holds_the_rate_that_was_used(tmp_path):
    assert run(tmp_path, endless())[1]["lr"].iloc[-1] < 1e-6


def test_the_best_weights_are_those_of_the_lowest_validation_loss(tmp_path):
    _, curve, best = run(tmp_path, endless())
    lowest = curve.loc[curve["val/loss"].idxmin()]
    assert (best["step"], best["value"]) == (4, pytest.approx(lowest["val/loss"]))


def test_a_monitor_that_is_not_logged_is_refused_with_the_names_that_are(tmp_path):
    with pytest.raises(ValueError, match=r"'val/accuracy' but the objective logs \['val/loss', 'val/root'\]"):
        run(tmp_path, endless(), monitor="val/accuracy")


def test_a_training_leaves_the_callers_generator_and_settings_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with reproducible(3):
        torch.rand(7)
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.equal(torch.rand(1), expected)
    assert not torch.are_deterministic_algorithms_enabled()
