"""The adapter, on models that stand for braindecode's, and on braindecode itself where it is installed."""

import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from brainfm.encoders.braindecode import Braindecode
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]


class TwoLayer(nn.Module):
    def __init__(self, n_chans: int, n_outputs: int, n_times: int, sfreq: float = 1.0, width: int = 6) -> None:
        super().__init__()
        self.sfreq, self.maps = sfreq, nn.Conv1d(n_chans, width, n_times // 2)
        self.final_layer = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.final_layer(self.maps(x)[..., :2].contiguous())


class Headless(nn.Module):
    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.final_layer = nn.Identity()


class GoesOn(TwoLayer):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).unsqueeze(-1)


class Indexes(TwoLayer):
    def forward(self, x: Tensor) -> Tensor:
        return self.final_layer[0](x)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    models = ModuleType("braindecode.models")
    vars(models).update(TwoLayer=TwoLayer, Headless=Headless, GoesOn=GoesOn, Indexes=Indexes)
    monkeypatch.setitem(sys.modules, "braindecode", ModuleType("braindecode"))
    monkeypatch.setitem(sys.modules, "braindecode.models", models)


@pytest.mark.usefixtures("stand_in")
def test_its_token_holds_the_features_before_the_final_layer(as_batch: AsBatch) -> None:
    encoder = Braindecode("TwoLayer", n_chans=3, n_times=20, sfreq=250.0)
    signal = torch.randn(4, 3, 20, generator=torch.Generator().manual_seed(0))
    assert encoder.dim == 12
    assert encoder.model.sfreq == 250.0
    torch.testing.assert_close(
        encoder(as_batch(signal)).embedding.squeeze(1), encoder.model.maps(signal)[..., :2].flatten(1)
    )
    assert encoder.training
    assert not [name for name, _ in encoder.named_parameters() if "final_layer" in name]


@pytest.mark.usefixtures("stand_in")
def test_a_recipe_may_state_further_arguments_of_the_model() -> None:
    assert Braindecode("TwoLayer", n_chans=3, n_times=20, init={"width": 9}).dim == 18


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("model", "init", "repair"),
    [
        ("TwoLayers", {}, "nearest are TwoLayer"),
        ("TwoLayer", {"widht": 9}, "takes no argument 'widht'.* width"),
        ("Headless", {}, "no final_layer that classifies"),
        ("GoesOn", {}, "goes on after its final_layer"),
        ("Indexes", {}, "without its final_layer does not run"),
    ],
)
def test_what_cannot_work_is_refused_with_the_repair(model: str, init: dict, repair: str) -> None:
    with pytest.raises(ValueError, match=repair):
        Braindecode(model, n_chans=3, n_times=20, init=init)


def test_without_braindecode_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "braindecode.models", None)
    with pytest.raises(ImportError, match=r"pip install 'brainfm\[braindecode\]'"):
        Braindecode("Deep4Net", n_chans=3, n_times=500)


@pytest.mark.parametrize("name", ["EEGNet", "ShallowFBCSPNet", "Deep4Net", "EEGConformer", "EEGInceptionMI"])
def test_models_of_the_installed_braindecode_are_encoders(as_batch: AsBatch, name: str) -> None:
    pytest.importorskip("braindecode.models")
    encoder = Braindecode(name, n_chans=22, n_times=1000, sfreq=250.0)
    assert encoder(as_batch(torch.randn(2, 22, 1000))).embedding.shape == (2, 1, encoder.dim)
