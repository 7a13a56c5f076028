"""Bipolar and Laplacian derivations: what is subtracted from what, and what is said of the contacts left out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loaders.transforms import Bipolar, Laplacian, SignalInfo


def shaft(n: int = 4, **changes) -> SignalInfo:
    """Contacts A1, A2, ... 5 mm apart on a line."""
    where = np.stack([np.arange(n) * 0.005, np.zeros(n), np.zeros(n)], 1)
    return replace(SignalInfo(100.0, tuple(f"A{i + 1}" for i in range(n)), ("seeg",) * n, where), **changes)


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 50))


def test_bipolar_subtracts_the_next_contact_and_sits_midway():
    info, signal = shaft(3, ch_columns={"region": ("M1", "M1", "S1"), "ohm": (1.0, 3.0, 5.0)}), noise(3)
    out = Bipolar().plan(info)
    assert out.ch_names == ("A1-A2", "A2-A3")
    np.testing.assert_allclose(out.ch_positions[:, 0], [0.0025, 0.0075])
    assert out.ch_columns == {"region": ("M1", "M1/S1"), "ohm": (2.0, 4.0)}
    np.testing.assert_array_equal(Bipolar().step(signal, info)[0], signal[:-1] - signal[1:])


@given(common=st.floats(-1e3, 1e3))
def test_what_all_contacts_share_is_gone(common):
    info, signal = shaft(5), noise(5)
    for transform in (Bipolar(), Laplacian(), Laplacian(by="position")):
        np.testing.assert_allclose(transform.step(signal + common, info)[0], transform.step(signal, info)[0], atol=1e-9)


def test_derivations_do_not_depend_on_the_order_of_channels():
    info, signal, order = shaft(6), noise(6), [3, 0, 5, 1, 4, 2]
    for transform in (Bipolar(), Laplacian(), Laplacian(by="position")):
        plain = dict(zip(transform.plan(info).ch_names, transform.step(signal, info)[0], strict=True))
        mixed = transform.step(signal[order], info.pick(order))[0]
        for name, row in zip(transform.plan(info.pick(order)).ch_names, mixed, strict=True):
            np.testing.assert_allclose(row, plain[name])


def test_a_bad_contact_breaks_the_chain_and_lonely_ones_are_told(capsys):
    info = shaft(4, bads=("A2",))
    assert Bipolar().plan(info).ch_names == ("A3-A4",)
    assert "A1, A2" in capsys.readouterr().out
    assert Laplacian().plan(info).ch_names == ("A3", "A4")
    assert "2 contacts" in capsys.readouterr().out


def test_groups_go_before_names():
    info = shaft(4, ch_columns={"group": ("x", "x", "y", "y")})
    assert Bipolar().plan(info).ch_names == ("A1-A2", "A3-A4")


def test_the_ends_of_two_rows_of_a_grid_are_no_neighbours():
    where = np.array([[0.01 * (i % 4), 0.01 * (i // 4), 0] for i in range(8)])
    grid = SignalInfo(100.0, tuple(f"G{i + 1}" for i in range(8)), ("ecog",) * 8, where)
    assert "G4-G5" not in Bipolar().plan(grid).ch_names
    assert len(Bipolar().plan(grid).ch_names) == 6


def test_channels_of_other_types_stay_in_front():
    info = SignalInfo(100.0, ("A1", "Cz", "A2"), ("seeg", "eeg", "seeg"), np.zeros((3, 3)))
    signal = noise(3)
    assert Bipolar().plan(info).ch_names == ("Cz", "A1-A2")
    np.testing.assert_array_equal(Bipolar().step(signal, info)[0], [signal[1], signal[0] - signal[2]])


def test_a_laplacian_along_a_shaft_is_the_second_difference():
    signal = noise(5)
    out, _ = Laplacian().step(signal, shaft(5))
    np.testing.assert_allclose(out[1:-1], signal[1:-1] - (signal[:-2] + signal[2:]) / 2)
    np.testing.assert_allclose(out[0], signal[0] - signal[1])


def test_a_laplacian_in_space_takes_the_nearest_four():
    where = np.array([[0.01 * (i % 3), 0.01 * (i // 3), 0] for i in range(9)])
    grid = SignalInfo(100.0, tuple("abcdefghi"), ("ecog",) * 9, where)
    signal = noise(9)
    out, _ = Laplacian(by="position").step(signal, grid)
    np.testing.assert_allclose(out[4], signal[4] - signal[[1, 3, 5, 7]].mean(0))


@pytest.mark.parametrize(
    ("transform", "info", "said"),
    [
        (Bipolar(), SignalInfo(1.0, ("Cz", "Pz"), ("eeg",) * 2, np.zeros((2, 3))), "no two neighbouring contacts"),
        (Laplacian(by="position"), shaft(3, ch_positions=np.full((3, 3), np.nan)), "take by=name"),
        (Laplacian(by="position", radius=0.001), shaft(3), "raise radius from 0.001"),
    ],
)
def test_where_nothing_is_near_the_repair_is_said(transform, info, said):
    with pytest.raises(ValueError, match=said):
        transform.plan(info)
