"""What parts the columns of a table: the same values come back however a spreadsheet wrote them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_loaders.formats.array_files import load_arrays
from data_loaders.formats.companions import load_table
from data_loaders.formats.participants import read_table
from data_loaders.formats.separators import dialect, told
from data_loaders.modalities.fmri import FMRI
from data_loaders.prepare import prepare

VALUES = pd.DataFrame(np.random.default_rng(0).standard_normal((12, 3)).round(4), columns=["V1", "V2", "MT"])
AS_WRITTEN = [(",", "."), (";", "."), (";", ","), ("\t", ".")]


@pytest.mark.parametrize(("sep", "decimal"), AS_WRITTEN)
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_values_do_not_depend_on_how_columns_are_parted(tmp_path, sep, decimal, suffix):
    path = tmp_path / f"a{suffix}"
    VALUES.to_csv(path, sep=sep, decimal=decimal, index=False)
    pd.testing.assert_frame_equal(load_table(path).frame, VALUES)
    np.testing.assert_array_equal(load_arrays(path)["MT"], VALUES["MT"])
    people = read_table(path)
    np.testing.assert_array_equal(people["MT"], VALUES["MT"])
    own = {".csv": ",", ".tsv": "\t"}[suffix]
    assert bool(told(path)) == (sep != own)


def test_numbers_without_a_header_are_no_header_for_their_commas(tmp_path):
    VALUES.to_csv(tmp_path / "a.csv", sep=";", decimal=",", index=False, header=False)
    table = load_table(tmp_path / "a.csv")
    assert not table.named
    np.testing.assert_array_equal(table.frame, VALUES)


@pytest.mark.parametrize(
    ("name", "text", "sep"),
    [
        ("a.csv", "name,note; remark\na,x\nb,z;y;w\n", ","),  # semicolons within cells
        ("a.csv", 'name,"a;b;c"\nx,1\n', ","),  # in quotes
        ("a.tsv", "onset\ttrial_type\n1.5\tred, blue\n", "\t"),
        ("a.tsv", "participant_id\nsub-01\n", "\t"),
        ("a.csv", "cluster_id\tgroup\n0\tgood\n", "\t"),
        ("a.csv", "name;age\nx;1\ny;2;3\n", ";"),  # a damaged row
        ("a.csv", "", ","),
    ],
)
def test_what_only_looks_like_it_parts_nothing(tmp_path, name, text, sep):
    (tmp_path / name).write_text(text)
    assert dialect(tmp_path / name) == {"sep": sep, "decimal": "."}


def test_prepare_says_that_semicolons_part_a_table(tmp_path: Path, capsys):
    VALUES.to_csv(tmp_path / "S1.csv", sep=";", decimal=",", index=False)
    (tmp_path / "brainfm.yaml").write_text("modality: fmri\ntr: 2.0\n")
    (source,) = FMRI().sources(tmp_path)
    np.testing.assert_array_equal(FMRI().read(source).signal, VALUES)
    prepare(tmp_path, tmp_path / "store")
    assert "S1.csv: columns are parted by semicolons, commas are decimal points" in capsys.readouterr().out
