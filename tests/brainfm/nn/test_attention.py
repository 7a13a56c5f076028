"""Attention looks at real tokens only; codes of place know what they do not know; keyed draws depend on their key alone."""

import pytest
import torch

from brainfm.nn.attention import Block, SelfAttention, turned
from brainfm.nn.fourier import FourierCode
from brainfm.nn.keyed import uniform
from data_loaders.samplers.hashing import mix


def test_it_agrees_with_torchs_multihead_attention() -> None:
    torch.manual_seed(0)
    ours, theirs = SelfAttention(12, 3), torch.nn.MultiheadAttention(12, 3, batch_first=True)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.qkv.weight.data, ours.qkv.bias.data
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    x, mask = torch.randn(2, 5, 12), torch.tensor([[True] * 5, [True, True, True, False, False]])
    expected, _ = theirs(x, x, x, key_padding_mask=~mask)
    torch.testing.assert_close(ours(x, mask)[mask], expected[mask])


def test_padding_changes_no_real_token_and_a_row_of_padding_stays_finite() -> None:
    torch.manual_seed(0)
    block, x = Block(8, 2), torch.randn(2, 6, 8)
    mask = torch.tensor([[True, True, True, True, False, False], [False] * 6])
    mixed = block(x, mask)
    torch.testing.assert_close(mixed[:1, :4], block(x[:1, :4]))
    assert mixed.isfinite().all()


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="make it 16"):
        SelfAttention(10, 4)


def test_only_how_far_apart_tokens_are_matters() -> None:
    torch.manual_seed(0)
    attention, x, time = SelfAttention(16, 2, unit=0.2), torch.randn(1, 6, 16), torch.rand(1, 6)
    torch.testing.assert_close(attention(x, None, time + 3.0), attention(x, None, time), atol=1e-4, rtol=1e-3)
    assert (attention(x, None, 2 * time) - attention(x, None, time)).abs().max() > 1e-3


def test_at_first_a_token_attends_most_to_those_of_its_moment() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(96, 4, unit=0.2)
    bias = attention.qkv.bias[:96].unflatten(0, (4, 24))  # [head, _]
    assert bias.sum(1).tolist() == [24, 0, 24, 0]
    time = 0.2 * torch.arange(10.0)[None, None]
    one = turned(bias[None, :1, None].expand(1, 1, 10, 24), time, 0.2)[0, 0]
    agreement = one @ one[3]
    assert agreement.argmax() == 3
    assert agreement[3] > 1.5 * agreement[2]


def test_unknown_places_share_one_code_that_starts_at_zero() -> None:
    code = FourierCode(3, 16, shortest=0.02, longest=0.5)
    place = torch.tensor([[0.01, 0.02, 0.03], [float("nan"), 0.0, 0.0], [float("nan")] * 3])
    found = code(place)
    assert found[0].abs().sum() > 0
    assert found[1:].abs().sum() == 0
    found.sum().backward()
    assert code.unknown.grad is not None
    assert code.linear.weight.grad.isfinite().all()


def test_near_places_have_nearer_codes_than_far_ones() -> None:
    torch.manual_seed(0)
    code = FourierCode(3, 32, shortest=0.02, longest=0.5)
    here, near, far = code(torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.002, 0.1], [0.05, 0.05, 0.07]]))
    assert (here - near).norm() < 0.5 * (here - far).norm()


def test_wavelengths_run_from_the_shortest_to_the_longest() -> None:
    lengths = 2 * torch.pi / FourierCode(1, 4, shortest=0.02, longest=0.5, n_waves=5).frequencies
    torch.testing.assert_close(lengths[[0, -1]], torch.tensor([0.5, 0.02]))


def test_draws_depend_on_their_own_key_alone() -> None:
    seed, index = torch.tensor([7, 2**62, 3]), torch.arange(1000)
    drawn = uniform(seed, index[:, None], index[:4])
    torch.testing.assert_close(uniform(seed[1:2], index[:10, None], index[:2]), drawn[1:2, :10, :2])
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.01
    assert abs(torch.corrcoef(drawn.flatten(1))[0, 1]) < 0.05


def test_the_hash_is_that_of_the_samplers() -> None:
    from brainfm.nn.keyed import _mixed

    values = torch.tensor([1, 5, 2**60])
    # the samplers' first key adds this constant before the same finaliser
    added = values - 0x61C8864680B583EB
    assert _mixed(added).numpy().view("uint64").tolist() == mix(values.numpy()).tolist()
