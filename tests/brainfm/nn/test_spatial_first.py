"""The reordered front of EEGNeX gives what its layers give in the order they are written."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from brainfm.nn.spatial_first import shortest, spatial_first
from brainfm.nn.temporal import TimeConv

Front = Callable[[Tensor, nn.ModuleList], Tensor]


def layers(n_chans: int, taps: int, dtype: torch.dtype) -> nn.ModuleList:
    torch.manual_seed(0)
    made = nn.ModuleList([
        TimeConv(1, 3, taps), nn.BatchNorm2d(3), TimeConv(3, 5, taps), nn.BatchNorm2d(5),
        nn.Conv2d(5, 10, (n_chans, 1), groups=5, bias=False),
    ]).to(dtype)  # fmt: skip
    for norm in (made[1], made[3]):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return made


def as_written(signal: Tensor, made: nn.ModuleList) -> Tensor:
    maps = signal.unsqueeze(1)
    for layer in made:
        maps = layer(maps)
    return maps


def reordered(signal: Tensor, made: nn.ModuleList) -> Tensor:
    return spatial_first(signal, *made)


def outcome(front: Front, made: nn.ModuleList, signal: Tensor, training: bool = True) -> list[Tensor]:
    """Outputs, gradients of signal and weights, running statistics."""
    signal = signal.clone().requires_grad_()
    made.train(training)
    maps = front(signal, made)
    maps.backward(torch.linspace(-1, 1, maps.numel(), dtype=maps.dtype).sin().reshape(maps.shape))
    assert signal.grad is not None
    return [maps.detach(), signal.grad, *(p.grad for p in made.parameters() if p.grad is not None), *made.buffers()]


def assert_equal(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * float(other.abs().max()))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("n_times", [32, 33, 61, 200])
@pytest.mark.parametrize("taps", [15, 16])
def test_outputs_gradients_and_statistics_are_those_of_the_layers_as_written(
    taps: int, n_times: int, training: bool
) -> None:
    signal = torch.randn(4, 3, n_times, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.5
    expected = outcome(as_written, layers(3, taps, torch.float64), signal, training)
    assert_equal(outcome(reordered, layers(3, taps, torch.float64), signal, training), expected, 1e-12)


def test_energy_at_the_borders_is_counted_as_padding_leaves_it() -> None:
    signal = torch.zeros(2, 3, 64, dtype=torch.float64)
    signal[0, 0, 0], signal[1, 1, 1], signal[0, 2, -1], signal[1, 0, -2] = 1.0, -2.0, 3.0, 4.0
    expected = outcome(as_written, layers(3, 16, torch.float64), signal)
    assert_equal(outcome(reordered, layers(3, 16, torch.float64), signal), expected, 1e-12)


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_float32_agrees_with_float64_as_well_as_the_layers_as_written(offset: float) -> None:
    generator = torch.Generator().manual_seed(1)
    signal = torch.randn(16, 8, 500, generator=generator) + offset * torch.rand(8, 1, generator=generator)
    exact = outcome(as_written, layers(8, 64, torch.float64), signal.double())[0]
    ours, plain = (outcome(front, layers(8, 64, torch.float32), signal)[0] for front in (reordered, as_written))
    error, bound = ((maps - exact).abs().max() for maps in (ours, plain))
    assert error < max(2 * float(bound), 1e-6 * float(exact.abs().max()))


def test_a_frozen_norm_keeps_its_statistics_while_the_other_learns() -> None:
    signal = torch.randn(4, 3, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def frozen(front: Front) -> list[Tensor]:
        made = layers(3, 16, torch.float64)
        made[1].train = lambda mode=True: made[1]  # type: ignore[method-assign]
        made[1].training = False
        return outcome(front, made, signal)

    assert_equal(frozen(reordered), frozen(as_written), 1e-12)


def test_in_evaluation_no_window_changes_another() -> None:
    signal = torch.randn(4, 3, 64, generator=torch.Generator().manual_seed(1))
    made = layers(3, 16, torch.float32).eval()
    together, alone = reordered(signal, made)[:1], reordered(signal[:1], made)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


def test_a_view_of_time_major_memory_gives_the_same() -> None:
    signal = torch.randn(4, 3, 64, generator=torch.Generator().manual_seed(1))
    made = layers(3, 16, torch.float32)
    torch.testing.assert_close(reordered(signal, made), reordered(signal.mT.contiguous().mT, made), rtol=0, atol=2e-6)


def test_gradients_agree_with_finite_differences() -> None:
    made = layers(2, 4, torch.float64)
    signal = torch.randn(2, 2, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def front(w1: Tensor, w2: Tensor, w3: Tensor) -> Tensor:
        held = {"0.weight": w1, "2.weight": w2, "4.weight": w3}
        return torch.func.functional_call(_Front(made), {f"made.{k}": v for k, v in held.items()}, (signal,))

    weights = tuple(made[i].weight.detach().clone().requires_grad_() for i in (0, 2, 4))
    assert torch.autograd.gradcheck(front, weights, fast_mode=True)


class _Front(nn.Module):
    def __init__(self, made: nn.ModuleList) -> None:
        super().__init__()
        self.made = made

    def forward(self, signal: Tensor) -> Tensor:
        return reordered(signal, self.made)


def test_half_precision_regions_leave_it_in_float32() -> None:
    signal = torch.randn(4, 3, 64, generator=torch.Generator().manual_seed(1))
    made = layers(3, 16, torch.float32).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = reordered(signal, made)
    assert torch.equal(inside, reordered(signal, made))


def test_the_shortest_signal_is_two_kernels_long() -> None:
    assert shortest(TimeConv(1, 8, 64)) == 128


def test_the_reference_here_pads_as_torch_does() -> None:
    signal, conv = torch.randn(2, 1, 3, 40, generator=torch.Generator().manual_seed(1)), TimeConv(1, 2, 9)
    torch.testing.assert_close(conv(signal), F.conv2d(signal, conv.weight, padding="same"))
