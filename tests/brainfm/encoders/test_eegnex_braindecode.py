"""EEGNeX with its classifier gives what braindecode's EEGNeX gives, from the same weights."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from brainfm.encoders.eegnex import EEGNeX, from_braindecode
from brainfm.objectives.classification import Classification
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]
GOLDEN = np.load(Path(__file__).parent / "golden" / "eegnex_braindecode.npz")
CASES = [(4, 128, 3), (3, 257, 2), (2, 100, 2)]
NAMES = (
    [f"block_{i}.{k}.{name}" for i, k, name in [(1, 1, "weight"), (1, 2, "weight"), (1, 2, "bias")]]
    + [f"block_2.{k}.{name}" for k, name in [(0, "weight"), (1, "weight"), (1, "bias")]]
    + ["block_3.0.parametrizations.weight.original", "block_3.1.weight", "block_3.1.bias"]
    + [f"block_{i}.{k}.{name}" for i in (4, 5) for k, name in [(0, "weight"), (1, "weight"), (1, "bias")]]
    + ["final_layer.bias", "final_layer.parametrizations.weight.original"]
)


def filled(objective: Classification, state: Mapping[str, Tensor]) -> Classification:
    encoder, head = from_braindecode(state)
    objective.encoder.load_state_dict(encoder)
    objective.head.load_state_dict(head)
    return objective


def drawn(shapes: Mapping[str, list[int]]) -> dict[str, Tensor]:
    """The weights that the golden file was made with (golden/make_braindecode.py)."""
    rng, state = np.random.default_rng(7), {}
    for name, shape in shapes.items():
        value = 0.1 * rng.standard_normal(shape)
        if name.endswith(("running_mean", "num_batches_tracked")):
            value = 0 * value
        elif name.endswith("running_var"):
            value = 0 * value + 1
        elif name.endswith(".weight") and value.ndim == 1:
            value = 1 + 0.1 * value
        state[name] = torch.tensor(value)
    return state


@pytest.mark.parametrize("reorder", [True, False])
def test_logits_are_those_of_the_closed_form_weights(as_batch: AsBatch, reorder: bool) -> None:
    torch.manual_seed(0)
    objective = Classification(EEGNeX(4, 128, reorder=reorder), 3, max_norm=0.25).eval()
    # running statistics stay at zero and one
    state, encoder = {}, objective.state_dict()
    for i, name in enumerate(NAMES):
        shape = encoder[_ours(name)].shape
        k = np.arange(shape.numel())
        values = (0.1 * np.sin(0.7 * k + i)).astype(np.float32)
        state[name] = torch.from_numpy(values + np.float32(len(shape) == 1 and name.endswith("weight"))).reshape(shape)
    encoder_state, head_state = from_braindecode(state)
    assert objective.encoder.load_state_dict(encoder_state, strict=False).unexpected_keys == []
    objective.head.load_state_dict(head_state)
    signal = torch.from_numpy(np.cos(0.05 * np.arange(2 * 4 * 128)).astype(np.float32)).reshape(2, 4, 128)
    expected = torch.tensor([[0.052999, 0.011062, -0.070628], [0.052988, 0.011086, -0.070660]])
    torch.testing.assert_close(objective.logits(as_batch(signal)), expected, rtol=0, atol=1e-5)
    assert sum(p.numel() for p in objective.parameters()) == 54403


def _ours(name: str) -> str:
    encoder, head = from_braindecode({name: torch.zeros(1)})
    return next((f"encoder.{n}" for n in encoder), None) or f"head.{next(iter(head))}"


@pytest.mark.parametrize("reorder", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_transferred_weights_give_braindecodes_logits_on_32_batches(
    as_batch: AsBatch, case: tuple[int, int, int], reorder: bool
) -> None:
    (n_chans, n_times, n_outputs), key = case, "x".join(map(str, case))
    state = drawn(json.loads(str(GOLDEN[f"{key}/shapes"])))
    objective = Classification(EEGNeX(n_chans, n_times, drop_prob=0.0, reorder=reorder), n_outputs, max_norm=0.25)
    filled(objective, state)
    signals = np.random.default_rng(8).standard_normal((32, 4, n_chans, n_times)).astype(np.float32)
    batches = [as_batch(torch.from_numpy(signal)) for signal in signals]
    with torch.no_grad():
        for mode in ("eval", "train"):
            found = torch.stack([objective.train(mode == "train").logits(batch) for batch in batches])
            torch.testing.assert_close(found, torch.from_numpy(GOLDEN[f"{key}/{mode}"]), rtol=0, atol=1e-6)
    running = [value.ravel() for name, value in objective.state_dict().items() if "running" in name]
    torch.testing.assert_close(torch.cat(running), torch.from_numpy(GOLDEN[f"{key}/running"]), rtol=1e-5, atol=1e-6)


def test_it_agrees_with_the_installed_braindecode(as_batch: AsBatch) -> None:
    models = pytest.importorskip("braindecode.models")
    theirs = models.EEGNeX(n_chans=22, n_times=1125, n_outputs=4).eval()
    ours = filled(Classification(EEGNeX(22, 1125), 4, max_norm=0.25).eval(), theirs.state_dict())
    signal = torch.randn(4, 22, 1125, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours.logits(as_batch(signal)), theirs(signal), rtol=0, atol=1e-6)


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match=r"braindecode\.models\.EEGNeX"):
        from_braindecode({"block_7.0.weight": torch.zeros(1)})
