"""The authors' variants of EEGNeX give what their layers give in Keras, from the same weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from brainfm.encoders.eegnex import EEGNeX
from brainfm.objectives.classification import Classification
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]
GOLDEN = np.load(Path(__file__).parent / "golden" / "eegnex_keras.npz")


def drawn(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights that the golden file was made with (golden/make_keras.py)."""
    rng, values = np.random.default_rng(9), {}
    for name, value in state.items():
        small = 0.05 * rng.standard_normal(tuple(value.shape))
        near_one = name.endswith("running_var") or ("norm_" in name and name.endswith("weight"))
        values[name] = torch.tensor(1 + small if near_one else small)
    return values


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize(("compat", "axis"), [("keras", "time"), ("keras", "channel"), ("paper2022", "time")])
def test_logits_are_those_of_keras(
    as_batch: AsBatch, compat: Literal["keras", "paper2022"], axis: Literal["channel", "time"], mode: str
) -> None:
    objective = Classification(EEGNeX(5, 253, compat=compat, norm_axis=axis, drop_prob=0.0), 3)
    state = {name: value for name, value in objective.state_dict().items() if "tracked" not in name}
    assert objective.load_state_dict(drawn(state), strict=False).unexpected_keys == []
    signal = np.random.default_rng(8).standard_normal((6, 1, 5, 253)).astype(np.float32)[:, 0]
    logits = objective.train(mode == "train").logits(as_batch(torch.from_numpy(signal)))
    expected = torch.from_numpy(GOLDEN[f"{compat}/{axis}/{mode}"])
    # Keras takes a variance as the mean square less the squared mean, and rounds accordingly
    torch.testing.assert_close(logits.detach(), expected, rtol=0, atol=5e-6)
    assert expected.std() > 0.01
