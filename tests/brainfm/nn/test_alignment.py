"""Alignment agrees with numbers worked out from the formula, and does not care for scale or order, nor for the number of ranks."""

import os
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp

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


def one_rank(rank: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    loss, gradients = aligned(slice(rank * 4, rank * 4 + 4))
    for gradient in gradients:
        # what DistributedDataParallel does
        torch.distributed.all_reduce(gradient)
    torch.save((loss, [gradient / 2 for gradient in gradients]), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def aligned(part: slice) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The loss of a part of the rows of three modalities, and its gradients by a shared map and by the temperature."""
    weight = torch.linspace(-1, 1, 16).reshape(4, 4).requires_grad_(True)
    log_temperature = torch.tensor(-0.5, requires_grad=True)
    loss = alignment([rows(p)[part] @ weight for p in (0.0, 0.5, 1.0)], log_temperature.exp())
    return loss.detach(), list(torch.autograd.grad(loss, [weight, log_temperature]))


def test_two_ranks_find_the_loss_and_the_gradients_of_one(tmp_path: Path) -> None:
    # a fork of a process whose threads have computed can hang
    mp.start_processes(one_rank, (str(tmp_path),), nprocs=2, start_method="spawn")
    whole, expected = aligned(slice(None))
    for rank in (0, 1):
        loss, gradients = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(loss, whole)
        for found, one in zip(gradients, expected, strict=True):
            torch.testing.assert_close(found, one)
