"""Units of several sessions: each its own vector, the special tokens shared, and none mistaken for another's."""

import pytest
import torch

from brainfm.nn.units import UnitTable


def test_ids_are_the_units_of_the_rows_own_session() -> None:
    table = UnitTable([3, 2], 4)
    ids = torch.tensor([[0, 2, 3, 4, 5], [0, 1, 3, 4, 5]])
    rows = table.embed(ids, torch.tensor([0, 1]))
    weight = table.weight
    assert torch.equal(rows[0], weight[[0, 2, 5, 6, 7]])
    assert torch.equal(rows[1], weight[[3, 4, 5, 6, 7]])


def test_recordings_of_one_set_share_their_units() -> None:
    table = UnitTable([3, 2], 4, set_of=[0, 1, 0])
    one, other = table.embed(torch.tensor([[1], [1]]), torch.tensor([0, 2]))
    assert torch.equal(one, other)


def test_a_unit_that_a_session_lacks_has_no_chance_and_cannot_be_read() -> None:
    table = UnitTable([3, 2], 4)
    logits = table.logits(torch.randn(2, 5, 4), torch.tensor([0, 1]))
    assert logits.shape == (2, 5, 6)
    assert torch.isinf(logits[1, :, 2]).all()
    assert torch.isfinite(logits[1, :, [0, 1, 3, 4, 5]]).all()
    with pytest.raises(ValueError, match="a unit fired in session 1"):
        table.embed(torch.tensor([[2]]), torch.tensor([1]))


def test_one_session_alone_is_a_plain_table() -> None:
    table, x = UnitTable([3], 4), torch.randn(2, 5, 4)
    assert torch.equal(table.logits(x, torch.zeros(2, dtype=torch.long)), x @ table.weight.mT)


def test_an_unknown_session_is_refused() -> None:
    with pytest.raises(ValueError, match="session 2 is not among the 2"):
        UnitTable([3, 2], 4).embed(torch.tensor([[0]]), torch.tensor([2]))


def test_units_of_equal_metadata_differ_by_their_own_vectors_only() -> None:
    table = UnitTable([2], 4, metadata=[[1.0, float("nan")], [1.0, float("nan")]])
    table.describe.linear.weight.data.normal_()
    shared = table.vectors - table.weight
    assert torch.equal(shared[0], shared[1])
    assert shared[0].abs().sum() > 0
    assert (shared[2:] == 0).all()
    with pytest.raises(ValueError, match="a row for each of the 2 units"):
        UnitTable([2], 4, metadata=[[1.0]])
