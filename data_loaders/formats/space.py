"""Where the channels of a scan lie, kept in the store, so that one value per channel can be made an image again."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int, Num
from numpy import ndarray

if TYPE_CHECKING:
    import nibabel as nib
    from nibabel.cifti2.cifti2 import Cifti2Image
    from nibabel.gifti.gifti import GiftiImage

# what GIFTI and CIFTI call the hemispheres
HEMISPHERES = {"left": "CortexLeft", "right": "CortexRight"}


def volume(channel: Int[ndarray, "x y z"], affine: Num[ndarray, "4 4"], template: str = "") -> dict[str, Any]:
    """The space of a NIfTI scan: `channel` is the channel's number in each voxel, -1 where there is none.

    `affine` takes voxel indices to millimetres, as in the file; `template` is the BIDS name of the space, where known.
    """
    stated = {
        "kind": "volume",
        "template": template,
        "shape": list(channel.shape),
        "affine": np.asarray(affine).tolist(),
    }
    return stated | packed(channel)


def surface(channel: Int[ndarray, "vertex"], parts: Mapping[str, int], template: str = "") -> dict[str, Any]:
    """The space of a GIFTI scan: `parts` are the hemispheres (left, right) with their numbers of vertices, in order."""
    return {"kind": "surface", "template": template, "shape": [len(channel)], "parts": dict(parts)} | packed(channel)


def grayordinates(channel: Int[ndarray, "place"], axis: Any, template: str = "") -> dict[str, Any]:
    """The space of a CIFTI scan: `axis` is its BrainModelAxis or ParcelsAxis."""
    return {"kind": "grayordinates", "template": template, "shape": [len(channel)], "axis": _axis_text(axis)} | packed(
        channel
    )


def channels(space: Mapping[str, Any]) -> Int[ndarray, "..."]:
    """The number of the channel at each place (voxel, vertex, grayordinate), -1 where there is none."""
    size = int(np.prod(space["shape"]))
    inside = np.unpackbits(np.frombuffer(_bytes(space["inside"]), np.uint8), count=size).astype(bool)
    numbers = np.full(size, -1)
    numbers[inside] = np.cumsum(np.frombuffer(_bytes(space["steps"]), np.int32))
    return numbers.reshape(space["shape"])


def to_image(
    space: Mapping[str, Any],
    values: Num[ndarray, "*map channel"],
    ch_names: Sequence[str] | None = None,
    of: Sequence[str] | None = None,
    fill: float = 0.0,
) -> Any:
    """An image of one value per channel, or of several maps of them: NIfTI, CIFTI, or {hemisphere: GIFTI}.

    `space` is `Entry.space`. Where `values` are of some channels only, or in another order, `of` names them and `ch_names`
    are all channels of the recording (`Entry.ch_names`). Places without a channel or a value get `fill`.

    Raises ValueError where the recording has no space, or values and channels do not match.
    """
    if not space:
        raise ValueError(
            "the recording has no space: it was read from a table, so its channels have no place in an image"
        )
    numbers = channels(space)
    rows = np.atleast_2d(np.asarray(values, dtype=np.float32))  # [map, channel]
    whole = _whole(rows, int(numbers.max(initial=-1)) + 1, ch_names, of, fill)
    # the last column stands for "no channel", which is the number -1
    placed = np.concatenate([whole, np.full((len(whole), 1), fill, np.float32)], axis=1)[:, numbers]
    return {"volume": _nifti, "surface": _gifti, "grayordinates": _cifti}[space["kind"]](space, placed)


def save(image: Any, path: str | Path) -> list[Path]:
    """Writes what `to_image` made: `map.nii.gz`, `map.dscalar.nii`, or `map_hemi-L.func.gii` and `map_hemi-R.func.gii`."""
    import nibabel as nib

    path = Path(path)
    if not isinstance(image, Mapping):
        nib.save(image, path)
        return [path]
    stem = path.name.removesuffix(".gii").removesuffix(".func")
    written = [path.with_name(f"{stem}_hemi-{name[0].upper()}.func.gii") for name in image]
    for one, target in zip(image.values(), written, strict=True):
        nib.save(one, target)
    return written


def _whole(
    rows: Num[ndarray, "map some"], n_chans: int, names: Sequence[str] | None, of: Sequence[str] | None, fill: float
) -> Num[ndarray, "map channel"]:
    """The values in the order of the recording's channels."""
    if of is not None:
        if names is None:
            raise ValueError("`of` names channels: give all channels of the recording in `ch_names` too")
        place = {name: index for index, name in enumerate(names)}
        unknown = [name for name in of if name not in place]
        if unknown or len(of) != rows.shape[1]:
            raise ValueError(f"{rows.shape[1]} values are given for {len(of)} channels, of which the recording lacks {unknown[:5]}: "
                             f"give one value for each name in `of`")  # fmt: skip
        whole = np.full((len(rows), len(names)), fill, np.float32)
        whole[:, [place[name] for name in of]] = rows
        rows = whole
    if rows.shape[1] < n_chans:
        raise ValueError(
            f"{rows.shape[1]} values are given for {n_chans} channels: name theirs in `of`, or give one for each"
        )
    return rows


def _nifti(space: Mapping[str, Any], placed: Num[ndarray, "map x y z"]) -> nib.Nifti1Image:
    import nibabel as nib

    data = placed[0] if len(placed) == 1 else np.moveaxis(placed, 0, -1)
    image = nib.Nifti1Image(data, np.asarray(space["affine"]))
    image.header.set_xyzt_units("mm", "sec")
    return image


def _gifti(space: Mapping[str, Any], placed: Num[ndarray, "map vertex"]) -> dict[str, GiftiImage]:
    from nibabel.gifti.gifti import GiftiDataArray, GiftiImage, GiftiMetaData

    images, start = {}, 0
    for name, size in space["parts"].items():
        arrays = [
            GiftiDataArray(row[start : start + size], intent="NIFTI_INTENT_NONE", datatype="NIFTI_TYPE_FLOAT32")
            for row in placed
        ]
        images[name] = GiftiImage(darrays=arrays, meta=GiftiMetaData({"AnatomicalStructurePrimary": HEMISPHERES[name]}))
        start += size
    return images


def _cifti(space: Mapping[str, Any], placed: Num[ndarray, "map place"]) -> Cifti2Image:
    from nibabel.cifti2.cifti2 import Cifti2Image
    from nibabel.cifti2.cifti2_axes import ScalarAxis

    maps = ScalarAxis([f"map {i + 1}" for i in range(len(placed))])
    return Cifti2Image(placed, (maps, _axis(space["axis"])))


def _axis_text(axis: Any) -> str:
    """A CIFTI axis as the XML that a file of it would have."""
    from nibabel.cifti2.cifti2 import Cifti2Header
    from nibabel.cifti2.cifti2_axes import ScalarAxis

    xml = Cifti2Header.from_axes((ScalarAxis(["map"]), axis)).to_xml()
    return _text(xml)


def _axis(text: str) -> Any:
    from nibabel.cifti2.parse_cifti2 import Cifti2Parser

    parser = Cifti2Parser()
    parser.parse(string=_bytes(text))
    assert parser.header is not None
    return parser.header.get_axis(1)


def packed(channel: Int[ndarray, "..."]) -> dict[str, str]:
    """Neighbours have neighbouring numbers: their differences take next to no room."""
    flat = np.asarray(channel).ravel()
    numbers = flat[flat >= 0]
    steps = np.diff(numbers, prepend=0).astype(np.int32)
    return {"inside": _text(np.packbits(flat >= 0).tobytes()), "steps": _text(steps.tobytes())}


def _text(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode()


def _bytes(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
