"""Given the same weights and indices, we take the steps that the cebra package takes."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from brainfm.embedding.architectures import architecture
from brainfm.embedding.draws import batch_of
from brainfm.objectives.infonce import InfoNCE

GOLDEN = Path(__file__).parent / "golden"
N_CHANS, N_TIMES, BATCH, STEPS = 6, 200, 24, 50
CASES = {
    "cosine": ("offset10-model", {}),
    "learned": ("offset5-model", {"temperature": 0.5, "learn_temperature": True}),
    "euclidean": ("offset10-model-mse", {"similarity": "euclidean"}),
}


def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    signal = rng.standard_normal((N_TIMES, N_CHANS)).astype(np.float32)
    return signal, rng.integers(0, N_TIMES - 10, (STEPS, 3, BATCH))


def trained(case: str, first: dict[str, Tensor]) -> tuple[InfoNCE, list[float]]:
    name, options = CASES[case]
    signal, starts = drawn()
    known = architecture(name)
    objective = InfoNCE(known.build(N_CHANS, dim=3, hidden=8), **options)
    objective.encoder.load_state_dict(first)
    optimizer, losses = torch.optim.Adam(objective.parameters(), lr=3e-3), []
    for step in starts:
        windows = np.stack([signal[s : s + known.n_times].T for s in step.reshape(-1)])
        optimizer.zero_grad()
        batch = batch_of(torch.from_numpy(windows), torch.zeros(3 * BATCH, dtype=torch.long), 3)
        loss = objective.loss(batch)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return objective, losses


def part(golden: Any, case: str, which: str) -> dict[str, Tensor]:
    head = f"{case} {which} "
    return {key.removeprefix(head): torch.from_numpy(golden[key]) for key in golden.files if key.startswith(head)}


@pytest.mark.parametrize("case", CASES)
def test_fifty_steps_of_adam_are_those_of_cebra(case: str) -> None:
    with np.load(GOLDEN / "cebra.npz") as golden:
        objective, losses = trained(case, part(golden, case, "first"))
        assert np.abs(np.array(losses) - golden[f"{case} loss"]).max() < 1e-5
        last = part(golden, case, "last")
        if case == "euclidean":
            # distances ignore where the embedding lies: the last bias has no gradient, and Adam scales up its rounding
            del last["net.5.bias"]
        for name, value in last.items():
            assert (objective.encoder.state_dict()[name] - value).abs().max() < 1e-5, name
        if case == "learned":
            assert 1 / objective.temperature.inverse().item() == pytest.approx(
                float(golden["learned temperature"]), abs=1e-5
            )


@pytest.mark.skipif(importlib.util.find_spec("cebra") is None, reason="cebra is not installed: pip install cebra")
@pytest.mark.parametrize(
    "name", ["offset10-model", "offset36-model", "offset1-model-v4", "offset40-model-4x-subsample"]
)
def test_outputs_and_losses_are_those_of_the_installed_cebra(name: str) -> None:
    import cebra.models

    torch.manual_seed(0)
    theirs = cebra.models.init(name, num_neurons=N_CHANS, num_units=8, num_output=3).eval()
    known = architecture(name)
    ours = InfoNCE(known.build(N_CHANS, dim=3, hidden=8)).eval()
    ours.encoder.load_state_dict(theirs.state_dict())
    signal = torch.randn(3 * BATCH, N_CHANS, known.n_times)
    batch = batch_of(signal, torch.zeros(len(signal), dtype=torch.long), 3)
    torch.testing.assert_close(ours.embed(batch), theirs(signal))
    loss = cebra.models.criterions.FixedCosineInfoNCE(1.0)(*theirs(signal).chunk(3))[0]
    torch.testing.assert_close(ours.loss(batch)["loss"], loss)
