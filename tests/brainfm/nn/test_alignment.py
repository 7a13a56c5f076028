"""Alignment agrees with numbers worked out from the formula, and does not care for scale or order."""

import pytest
import torch

from brainfm.nn.alignment import alignment


def rows(phase: float) -> torch.Tensor:
    i, j = torch.meshgrid(torch.arange(8.0), torch.arange(4.0), indexing="ij")
    return torch.sin(1.3 * (4 * i + j) + phase)


@pytest.mark.parametrize(
    ("phases", "symmetric", "expected"),
    [
        ((0.0, 0.5), False, 1.189172),
        ((0.0, 0.5, 1.0), False, 1.416865),
        ((0.0, 0.5), True, 1.189092),
        ((0.0, 0.5, 1.0), True, 1.418609),
    ],
)
def test_golden_values(phases, symmetric, expected) -> None:
    assert alignment([rows(p) for p in phases], 0.5, symmetric).item() == pytest.approx(expected, abs=1e-6)


def test_scale_and_a_common_order_of_rows_do_not_matter() -> None:
    one, other = rows(0.0), rows(0.5)
    order = torch.randperm(8)
    assert torch.allclose(alignment([one, other], 0.5), alignment([3 * one[order], other[order]], 0.5))
    assert not torch.allclose(alignment([one, other], 0.5), alignment([one, other[order]], 0.5))
