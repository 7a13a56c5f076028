"""EEGNeX in its variants: sizes, weights and what its options change."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from brainfm.encoders.eegnex import EEGNeX
from brainfm.objectives.classification import Classification
from data_loaders.contracts import Batch

AsBatch = Callable[..., Batch]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def n_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def pair(n_chans: int, n_times: int, n_outputs: int, **options: object) -> nn.ModuleList:
    """Encoder and classifier; a classifier of one output, as in the table, is no Classification."""
    encoder = EEGNeX(n_chans, n_times, **options)  # type: ignore[arg-type]
    return nn.ModuleList([encoder, nn.Linear(encoder.dim, n_outputs)])


TABLE = [  # channels, samples, outputs, braindecode, Keras as shipped, of which running values, Keras over channels
    (22, 1125, 4, 56580, 65322, 7878, 57732),
    (22, 1000, 4, 56452, 64188, 7000, 57476),
    (22, 1001, 4, 56452, 64198, 7010, 57476),
    (64, 128, 2, 58210, 58882, 896, 58274),
    (61, 3000, 2, 59458, 81674, 21000, None),
    (3, 128, 2, 54306, 54978, 896, None),
    (64, 1000, 4, 59140, 66876, 7000, None),
    (129, 200, 1, 62353, None, None, None),
]


@pytest.mark.parametrize(("n_chans", "n_times", "n_outputs", "braindecode", "keras", "running", "channel"), TABLE)
def test_it_has_as_many_parameters_as_the_published_networks(
    n_chans: int, n_times: int, n_outputs: int, braindecode: int, keras: int, running: int, channel: int
) -> None:
    sizes = n_chans, n_times, n_outputs
    assert n_parameters(pair(*sizes)) == braindecode
    if keras:
        shipped = pair(*sizes, compat="keras")
        counted = sum(b.numel() for name, b in shipped.named_buffers() if "running" in name)
        assert (n_parameters(shipped), counted) == (keras, running)
    if channel:
        assert n_parameters(pair(*sizes, compat="keras", norm_axis="channel")) == channel


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 130), st.integers(22, 3000), st.integers(2, 10))
def test_its_parameters_follow_the_closed_form(n_chans: int, n_times: int, n_outputs: int) -> None:
    pooled = ((n_times + 2 - 4) // 4 + 1 + 2 - 8) // 8 + 1
    assert n_parameters(pair(n_chans, n_times, n_outputs)) == 54048 + 64 * n_chans + n_outputs * (8 * pooled + 1)


@pytest.mark.parametrize(
    ("n_times", "braindecode", "keras"),
    [
        (128, 32, 64),
        (256, 64, 128),
        (500, 120, 256),
        (1000, 248, 504),
        (1001, 248, 504),
        (1125, 280, 568),
        (3000, 752, 1504),
    ],
)
def test_it_has_as_many_features_as_the_published_networks(
    as_batch: AsBatch, n_times: int, braindecode: int, keras: int
) -> None:
    for compat, expected in ((None, braindecode), ("keras", keras)):
        encoder = EEGNeX(2, n_times, compat=compat)  # type: ignore[arg-type]
        assert encoder.dim == expected
        assert encoder.eval()(as_batch(noise(1, 2, n_times))).embedding.shape == (1, 1, expected)


def test_the_first_release_has_kernels_of_32_and_one_pooling(as_batch: AsBatch) -> None:
    encoder = EEGNeX(3, 130, compat="paper2022")
    assert encoder.conv_1.kernel_size == (1, 32)
    assert encoder(as_batch(noise(2, 3, 130))).embedding.shape == (2, 1, 8 * 33)


@pytest.mark.parametrize("training", [True, False])
def test_order_of_layers_changes_no_output(as_batch: AsBatch, training: bool) -> None:
    batch, tokens = as_batch(noise(8, 4, 300)), []
    for reorder in (True, False):
        torch.manual_seed(0)
        tokens.append(EEGNeX(4, 300, drop_prob=0.0, reorder=reorder).train(training)(batch).embedding)
    torch.testing.assert_close(*tokens, rtol=0, atol=1e-5)


def test_a_window_of_time_major_memory_gives_the_same(as_batch: AsBatch) -> None:
    encoder, signal = EEGNeX(4, 300).eval(), noise(8, 4, 300)
    strided = encoder(as_batch(signal.mT.contiguous().mT)).embedding
    torch.testing.assert_close(strided, encoder(as_batch(signal)).embedding, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_times", [22, 60, 127])
def test_windows_shorter_than_two_kernels_still_fit(as_batch: AsBatch, n_times: int) -> None:
    encoder = EEGNeX(3, n_times)
    assert encoder(as_batch(noise(4, 3, n_times))).embedding.shape == (4, 1, encoder.dim)


def test_averaged_features_take_windows_of_any_length(as_batch: AsBatch) -> None:
    encoder = EEGNeX(3, 256, head="gap").eval()
    tokens = encoder(as_batch(noise(2, 3, 400)))
    assert (encoder.dim, tokens.embedding.shape) == (8, (2, 12, 8))
    torch.testing.assert_close(tokens.pooled(), tokens.embedding.mean(1))


def test_a_kernel_in_seconds_has_as_many_taps_as_the_rate_gives() -> None:
    assert EEGNeX(3, 512, sfreq=250.0, kernel_seconds=0.5).conv_2.kernel_size == (1, 125)


def test_after_a_step_no_filter_exceeds_its_max_norm(as_batch: AsBatch) -> None:
    objective = Classification(EEGNeX(4, 128), 3, "y", max_norm=0.25)
    optimizer = torch.optim.SGD(objective.parameters(), lr=100.0)
    objective.loss(as_batch(noise(8, 4, 128), y=torch.arange(8) % 3))["loss"].backward()
    optimizer.step()
    for layer, limit in ((objective.encoder.conv_3, 1.0), (objective.head, 0.25)):
        stored = layer.parametrizations.weight.original
        assert stored.flatten(1).norm(dim=1).max() > limit
        assert layer.weight.flatten(1).norm(dim=1).max() <= limit + 1e-6
        assert torch.equal(layer.weight, torch.renorm(stored, 2, 0, limit))


def test_keras_keeps_the_stored_spatial_filters_inside_the_max_norm(as_batch: AsBatch) -> None:
    encoder = EEGNeX(4, 128, compat="keras")
    encoder.conv_3.weight.data.mul_(100)
    encoder(as_batch(noise(2, 4, 128)))
    assert encoder.conv_3.weight.flatten(1).norm(dim=1).max() <= 1 + 1e-6


def test_gradients_through_the_max_norm_agree_with_finite_differences(as_batch: AsBatch) -> None:
    torch.manual_seed(0)
    objective = Classification(EEGNeX(2, 128, drop_prob=0.0), 2, "y", max_norm=0.25).double()
    with torch.no_grad():
        objective.encoder.conv_3.parametrizations.weight.original.mul_(2)
        objective.head.parametrizations.weight.original.mul_(5)
    batch = as_batch(noise(3, 2, 128).double(), y=torch.tensor([0, 1, 1]))
    names = ["encoder.conv_3.parametrizations.weight.original", "head.parametrizations.weight.original"]
    stored = [objective.get_parameter(name).detach().clone().requires_grad_() for name in names]
    shell = _Loss(objective)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(
            shell, dict(zip([f"objective.{n}" for n in names], values, strict=True)), (batch,)
        )

    assert torch.autograd.gradcheck(loss, tuple(stored), fast_mode=True)


class _Loss(nn.Module):
    def __init__(self, objective: Classification) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.objective.loss(batch)["loss"]


@pytest.mark.parametrize(
    ("options", "repair"),
    [
        ({"n_times": 21}, "at least 22 samples"),
        ({"n_times": 256, "kernel_seconds": 0.5}, "give sfreq"),
        ({"n_times": 256, "sfreq": 128.0, "kernel_seconds": 0.01}, "raise it to 0.0234375"),
        ({"n_times": 256, "compat": "paper2022", "norm_axis": "channel"}, "leave norm_axis out"),
    ],
)
def test_impossible_sizes_name_the_repair(options: dict, repair: str) -> None:
    with pytest.raises(ValueError, match=repair):
        EEGNeX(3, **options)


def test_a_batch_of_other_sizes_names_the_repair(as_batch: AsBatch) -> None:
    encoder = EEGNeX(3, 128)
    with pytest.raises(ValueError, match="n_chans=4"):
        encoder(as_batch(noise(2, 4, 128)))
    with pytest.raises(ValueError, match="n_times=256"):
        encoder(as_batch(noise(2, 3, 256)))
    with pytest.raises(ValueError, match="name a field `signal`"):
        encoder(as_batch(None))
