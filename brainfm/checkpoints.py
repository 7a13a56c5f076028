"""Weights on disk: safetensors only, every tensor matched or an error, and a manifest of what they were trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy import ndarray
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from brainfm import hub
from brainfm.files import written
from data_loaders.contracts import Batch, Tokens

WEIGHTS, TRANSFORMS, MANIFEST = "model.safetensors", "transforms.safetensors", "manifest.json"

_Module = TypeVar("_Module", bound=nn.Module)


def save(
    module: nn.Module, folder: Path, manifest: Mapping[str, Any], transforms: Mapping[str, ndarray] | None = None
) -> None:
    """Writes the weights, the fitted transforms and, last, the manifest: where it lies, the checkpoint is whole."""
    (folder / MANIFEST).unlink(missing_ok=True)
    with written(folder / WEIGHTS) as part:
        save_file(
            {name: value.detach().cpu().clone().contiguous() for name, value in module.state_dict().items()}, part
        )
    with written(folder / TRANSFORMS) as part:
        save_arrays({name: np.ascontiguousarray(value) for name, value in (transforms or {}).items()}, part)
    sums = {
        "sha256": sha256(folder / WEIGHTS),
        "frozen": {name: frozen.origin for name, frozen in _frozen_in(module).items()},
    }
    with written(folder / MANIFEST) as part:
        part.write_text(json.dumps({**manifest, **sums}, indent=1, default=str), encoding="utf-8")


def note(folder: Path, **facts: Any) -> None:
    """Adds to the manifest what became known later: scores."""
    with written(folder / MANIFEST) as part:
        part.write_text(json.dumps({**read_manifest(folder), **facts}, indent=1, default=str), encoding="utf-8")


def load(module: _Module, folder: Path, prefix: str = "", new: Sequence[str] = ()) -> _Module:
    """Fills a module with the saved weights whose names start with `prefix` (`"encoder."` for an encoder alone).

    What starts with one of `new` (units of a session that the checkpoint never saw) is left as it is, on both sides, and
    printed. Raises ValueError, and changes nothing, unless every other tensor finds its place with its shape and kind.
    """
    found = {
        name.removeprefix(prefix): value
        for name, value in load_file(_whole(folder) / WEIGHTS).items()
        if name.startswith(prefix)
    }
    mine, kept = module.state_dict(), tuple(new)
    left = {name: value for name, value in mine.items() if kept and name.startswith(kept)}
    if kept and not left:
        raise ValueError(f"nothing of the model starts with {list(kept)}: its tensors are {sorted(mine)[:12]}")
    if left:
        print(f"left new, not filled from {folder}: {', '.join(sorted(left))}")
    found = {name: value for name, value in found.items() if not (kept and name.startswith(kept))} | left
    _check_match(mine, found, folder)
    module.load_state_dict(found)
    return module


def load_transforms(folder: Path) -> dict[str, ndarray]:
    """The fitted state of the transforms, as `save` was given it."""
    return load_arrays(_whole(folder) / TRANSFORMS)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the checkpoint was trained on: recipe, subjects, content hashes, scores, commit."""
    return json.loads((_whole(folder) / MANIFEST).read_text(encoding="utf-8"))


def resolve(checkpoint: str | Path, fold: int | None = None) -> Path:
    """The folder with the weights: the one named, or the one fold of the run that is named; `hf://OWNER/NAME` is fetched.

    Of a run of several folds it is the `fold` asked for. Raises ValueError without one, because each was tested on
    others' training data.
    """
    path = hub.local(checkpoint)
    if fold is not None and (path / f"fold-{fold}" / MANIFEST).exists():
        return path / f"fold-{fold}"
    folds = (
        [path] if (path / MANIFEST).exists() else sorted(folder.parent for folder in path.glob(f"fold-*/{MANIFEST}"))
    )
    if len(folds) != 1:
        hint = f"name one of {[str(fold) for fold in folds]}" if folds else "name a folder that `brainfm fit` wrote"
        raise ValueError(f"{path} holds {len(folds)} checkpoints, expected one: {hint}")
    return folds[0]


def sha256(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Frozen(nn.Module):
    """A trained stage that another one uses: its weights never learn and are not saved again, only their checksum is.

    `stage` is the objective that was trained; calling a Frozen gives the tokens of its encoder.
    """

    def __init__(self, checkpoint: str | Path) -> None:
        super().__init__()
        folder = resolve(checkpoint)
        manifest = read_manifest(folder)
        stage = load(built(manifest["objective"]), folder).eval().requires_grad_(False)
        self.origin = {"checkpoint": str(checkpoint), "sha256": manifest["sha256"]}
        # in a tuple: a registered submodule would enter state_dict, train() and the optimizer
        self._held = (stage,)

    @property
    def stage(self) -> Any:
        """The trained objective, in evaluation mode."""
        return self._held[0]

    def forward(self, batch: Batch) -> Tokens:
        return self.stage.encoder(batch)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Frozen:
        self.stage._apply(fn, recurse)
        return super()._apply(fn, recurse)


def built(part: Any) -> Any:
    """Builds nested `{class_path, init_args}` as a manifest holds them, complete."""
    if isinstance(part, list):
        return [built(item) for item in part]
    if not isinstance(part, Mapping):
        return part
    if "class_path" not in part:
        return {name: built(value) for name, value in part.items()}
    module, _, name = part["class_path"].rpartition(".")
    return getattr(import_module(module), name)(**built(dict(part.get("init_args") or {})))


def _whole(folder: Path) -> Path:
    if not (folder / MANIFEST).exists():
        raise ValueError(
            f"{folder} has no {MANIFEST}, so no finished checkpoint: run `brainfm fit` again, it continues"
        )
    return folder


def _check_match(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], folder: Path) -> None:
    shared = expected.keys() & found.keys()
    trouble = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "misshaped": [
            f"{n} {_kind(found[n])} for {_kind(expected[n])}"
            for n in sorted(shared)
            if _kind(found[n]) != _kind(expected[n])
        ],
    }
    if any(trouble.values()):
        told = "; ".join(f"{name}: {', '.join(items)}" for name, items in trouble.items() if items)
        raise ValueError(
            f"{folder / WEIGHTS} does not fit, {told}. Build the model with the recipe in {folder / MANIFEST}"
        )


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _frozen_in(module: nn.Module) -> dict[str, Frozen]:
    return {name: child for name, child in module.named_modules() if isinstance(child, Frozen)}
