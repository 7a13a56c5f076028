"""Damaged scans: each of these files is refused by a ValueError that names it; none is read as something else."""

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.io import savemat

from data_loaders.modalities.fmri import FMRI

nib: Any = pytest.importorskip("nibabel")
SHAPE = (4, 3, 2, 8)
Damage = Callable[[bytearray], bytes | bytearray]


def patched(at: int, kind: str, *values: Any) -> Damage:
    """Writes other values into a header."""

    def change(raw: bytearray) -> bytearray:
        struct.pack_into(f"<{kind}", raw, at, *values)
        return raw

    return change


def cut(keep: float) -> Damage:
    return lambda raw: raw[: int(keep * len(raw))]


def flipped(place: float, bit: int = 4) -> Damage:
    def change(raw: bytearray) -> bytearray:
        raw[int(place * len(raw))] ^= 1 << bit
        return raw

    return change


# fields of the NIfTI-1 header, by their offsets in the standard
HEADER: dict[str, Damage] = {
    "size of header": patched(0, "i", 347),
    "size of header flipped": patched(0, "i", 348 ^ (1 << 20)),
    "no dimensions": patched(40, "h", 0),
    "eight dimensions": patched(40, "h", 8),
    "negative dimensions": patched(40, "h", -4),
    "no columns": patched(42, "h", 0),
    "negative columns": patched(42, "h", -4),
    "too many columns": patched(42, "h", 5),
    "too few columns": patched(42, "h", 2),
    "columns flipped high": patched(42, "h", 4 | 1 << 13),
    "too many slices": patched(46, "h", 3),
    "too many volumes": patched(48, "h", 9),
    "too few volumes": patched(48, "h", 7),
    "no volumes": patched(48, "h", 0),
    "volumes flipped high": patched(48, "h", 8 | 1 << 14),
    "a fifth axis": patched(40, "8h", 5, 4, 3, 2, 8, 2, 1, 1),
    "no data type": patched(70, "h", 0),
    "unknown data type": patched(70, "h", 5),
    "complex numbers": patched(70, "h", 32),
    "colours": patched(70, "h", 128),
    "one bit": patched(72, "h", 1),
    "wider numbers": patched(70, "h", 16),
    "no voxel size": patched(80, "f", 0.0),
    "negative voxel size": patched(80, "f", -3.0),
    "voxel size NaN": patched(84, "f", np.nan),
    "endless voxel": patched(88, "f", np.inf),
    "data within the header": patched(108, "f", 100.0),
    "data behind the end": patched(108, "f", 1e7),
    "data nowhere": patched(108, "f", np.nan),
    "endless slope": patched(112, "f", np.inf),
    "endless intercept": patched(112, "2f", 1.0, np.inf),
    "unknown units": patched(123, "B", 255),
    "unknown length unit": patched(123, "B", 13),
    "repetition time NaN": patched(92, "f", np.nan),
    "repetition time negative": patched(92, "f", -2.0),
    "repetition time endless": patched(92, "f", np.inf),
    "no repetition time": patched(92, "f", 0.0),
    "unknown sform": patched(254, "h", 77),
    "negative qform": patched(252, "h", -1),
    "singular sform": patched(280, "12f", *[0.0] * 12),
    "sform NaN": patched(280, "f", np.nan),
    "other magic": patched(344, "4s", b"n+7\0"),
    "pair of files": patched(344, "4s", b"ni1\0"),
    "no magic": patched(344, "4s", b"\0\0\0\0"),
}
FILE: dict[str, Damage] = {
    "empty": lambda raw: b"",
    "one byte": lambda raw: raw[:1],
    "header alone": lambda raw: raw[:352],
    "half": cut(0.5),
    "last byte gone": lambda raw: raw[:-1],
    "doubled": lambda raw: raw + raw,
    "text": lambda raw: b"hello, I am no image\n" * 40,
    "zeros": lambda raw: bytes(len(raw)),
}
GZIP: dict[str, Damage] = {
    **{f"cut to {keep:.0%}": cut(keep) for keep in (0.02, 0.3, 0.6, 0.9, 0.99)},
    **{f"flipped at {place:.0%}": flipped(place) for place in (0.3, 0.45, 0.6, 0.75, 0.9)},
    "magic flipped": lambda raw: bytes([raw[0] ^ 1]) + raw[1:],
    "checksum flipped": lambda raw: raw[:-7] + bytes([raw[-7] ^ 1]) + raw[-6:],
    "length flipped": lambda raw: raw[:-2] + bytes([raw[-2] ^ 1]) + raw[-1:],
    "trailer gone": lambda raw: raw[:-8],
    "not packed": lambda raw: gzip.decompress(raw),
    "packed twice": lambda raw: gzip.compress(raw),
}


def image(path: Path) -> Path:
    data = np.random.default_rng(0).integers(100, 900, SHAPE).astype(np.int16)
    made = nib.Nifti1Image(data, np.diag([3.0, 3.0, 3.0, 1.0]))
    made.header["pixdim"][4] = 2.0
    made.header.set_xyzt_units("mm", "sec")
    nib.save(made, path)
    return path


def refused(path: Path, **sidecar: Any) -> None:
    """The folder is refused when it is searched, or the file when it is read, by its name."""
    path.with_name("brainfm.yaml").write_text(yaml.safe_dump({"modality": "fmri", "subject": "1"} | sidecar))
    reader = FMRI()

    def whole() -> None:
        (source,) = reader.sources(path.parent)
        reader.read(source)

    with pytest.raises(ValueError, match=path.name.replace(".", r"\.")):
        whole()


def damaged(path: Path, damage: Damage) -> Path:
    before = path.read_bytes()
    path.write_bytes(bytes(damage(bytearray(before))))
    assert path.read_bytes() != before
    return path


@pytest.mark.parametrize("damage", [*HEADER.values(), *FILE.values()], ids=[*HEADER, *FILE])
def test_a_damaged_nifti_is_refused_by_name(tmp_path, damage):
    refused(damaged(image(tmp_path / "S1.nii"), damage), mask="all")


@pytest.mark.parametrize("damage", GZIP.values(), ids=GZIP)
def test_a_damaged_gz_is_refused_by_name(tmp_path, damage):
    refused(damaged(image(tmp_path / "S1.nii.gz"), damage), mask="all")


@pytest.mark.parametrize(
    "name", ["no columns", "too many volumes", "too few volumes", "volumes flipped high", "columns flipped high"]
)
def test_wrong_counts_are_seen_within_gz_too(tmp_path, name):
    path = image(tmp_path / "S1.nii.gz")
    path.write_bytes(gzip.compress(bytes(HEADER[name](bytearray(gzip.decompress(path.read_bytes()))))))
    refused(path, mask="all")


def dense(path: Path) -> Path:
    models = nib.cifti2.BrainModelAxis.from_surface([0, 2, 5], 8, "CortexLeft")
    data = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    nib.save(nib.cifti2.Cifti2Image(data, (nib.cifti2.SeriesAxis(0, 2.0, 6), models)), path)
    return path


def replaced(old: bytes, new: bytes) -> Damage:
    def change(raw: bytearray) -> bytes:
        assert old in raw
        assert len(old) == len(new)
        return bytes(raw).replace(old, new, 1)

    return change


CIFTI: dict[str, Damage] = {
    "empty": lambda raw: b"",
    "half": cut(0.5),
    "last byte gone": lambda raw: raw[:-1],
    "one more": lambda raw: raw + b"\0\0\0\0",
    "text": lambda raw: b"hello " * 99,
    "rows": patched(64, "q", 7),
    "columns": patched(56, "q", 5),
    "columns and rows": patched(56, "2q", 3, 6),
    "dimensions": patched(16, "q", 4),
    "tag unclosed": replaced(b"</Matrix>", b"<<Matrix>"),
    "other structure": replaced(b"CORTEX_LEFT", b"CORTEX_LEFU"),
    "no step": replaced(b'SeriesStep="2.0"', b'SeriesStep="0.0"'),
    "step in hertz": replaced(b'SeriesUnit="SECOND"', b'SeriesUnit="HERTZZ"'),
    "more points": replaced(b'NumberOfSeriesPoints="6"', b'NumberOfSeriesPoints="7"'),
    "more vertices": replaced(b'IndexCount="3"', b'IndexCount="4"'),
    "vertex outside": replaced(b"0 2 5", b"0 2 9"),
    "no number": replaced(b"0 2 5", b"0 x 5"),
}


@pytest.mark.parametrize("damage", CIFTI.values(), ids=CIFTI)
def test_a_damaged_cifti_is_refused_by_name(tmp_path, damage):
    refused(damaged(dense(tmp_path / "S1.dtseries.nii"), damage))


def surface(path: Path) -> Path:
    rows = np.random.default_rng(0).standard_normal((5, 40)).astype(np.float32)
    arrays = [nib.gifti.GiftiDataArray(row, intent="NIFTI_INTENT_TIME_SERIES") for row in rows]
    nib.save(nib.gifti.GiftiImage(darrays=arrays), path)
    return path


GIFTI: dict[str, Damage] = {
    "empty": lambda raw: b"",
    "half": cut(0.5),
    "nearly whole": cut(0.97),
    "text": lambda raw: b"hello",
    "tag": replaced(b"</DataArray>", b"<<DataArray>"),
    "size": replaced(b'Dim0="40"', b'Dim0="41"'),
    "payload": lambda raw: bytes(raw).replace(b"<Data>", b"<Data>AAAA", 1),
    "payload flipped": flipped(0.45, 1),
    "encoding": replaced(b"GZipBase64Binary", b"GZipBase65Binary"),
    "type": replaced(b"NIFTI_TYPE_FLOAT32", b"NIFTI_TYPE_FLOAT64"),
}


@pytest.mark.parametrize("damage", GIFTI.values(), ids=GIFTI)
def test_a_damaged_gifti_is_refused_by_name(tmp_path, damage):
    refused(damaged(surface(tmp_path / "S1_hemi-L.func.gii"), damage), tr=2.0)


TABLES: dict[str, bytes] = {
    "empty": b"",
    "header alone": b"a,b\n",
    "a word": b"a,b\n1,2\n3,x\n",
    "ragged": b"a,b\n1,2\n3,4,5\n",
    "long first row": b"a,b\n1,2,3\n4,5,6\n",
    "binary": bytes(range(256)) * 4,
    "one name twice": b"a,a\n1,2\n3,4\n",
    "missing throughout": b"a,b\nn/a,\n,n/a\n",
}


@pytest.mark.parametrize("raw", TABLES.values(), ids=TABLES)
def test_a_damaged_table_is_refused_by_name(tmp_path, raw):
    (tmp_path / "S1.csv").write_bytes(raw)
    refused(tmp_path / "S1.csv", tr=2.0)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_array_is_refused_by_name(tmp_path, keep):
    savemat(tmp_path / "S1.mat", {"roi": np.random.default_rng(0).standard_normal((50, 4))}, do_compression=True)
    damaged(tmp_path / "S1.mat", cut(keep))
    refused(tmp_path / "S1.mat", tr=2.0, axes=["time", "channel"])


@pytest.mark.parametrize(
    ("key", "value"),
    [("RepetitionTime", "two"), ("RepetitionTime", 0), ("RepetitionTime", 2000.0), ("RepetitionTime", -2)],
)
def test_a_json_that_cannot_be_is_refused(tmp_path, key, value):
    func = tmp_path / "ds" / "sub-1" / "func"
    func.mkdir(parents=True)
    (tmp_path / "ds" / "dataset_description.json").write_text("{}")
    path = image(func / "sub-1_task-x_bold.nii.gz")
    (func / "sub-1_task-x_bold.json").write_text(json.dumps({key: value}))
    refused(path, mask="all")


def test_times_that_run_backwards_are_refused(tmp_path):
    pd.DataFrame({"t": [0.0, 2.0, 1.0, 6.0], "V1": [1.0, 2.0, 3.0, 4.0]}).to_csv(tmp_path / "S1.csv", index=False)
    refused(tmp_path / "S1.csv", times="t")
