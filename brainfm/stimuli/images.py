"""Image models: pooled activations of timm's models and of CLIP, for pictures that were shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from brainfm.stimuli.base import Extractor, Features, chosen_layers, fingerprint
from brainfm.stimuli.pieces import in_pieces

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")


@dataclass(frozen=True)
class Pictures:
    """Files or arrays `[y, x, 3]` of uint8, the second at which each was shown, and what each is called."""

    images: Sequence[Path | ndarray]
    onsets: Float[ndarray, "image"]
    names: tuple[str, ...] = ()

    @staticmethod
    def of(folder: Path) -> Pictures:
        """All images below a folder in order of their names, shown at no time. Raises ValueError where there are none."""
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise ValueError(f"{folder} holds no image ({', '.join(SUFFIXES)}): name the folder with what was shown")
        return Pictures(files, np.zeros(len(files)), tuple(path.relative_to(folder).as_posix() for path in files))


class Images(Extractor):
    """A model of timm (`timm:resnet50`, `timm:vit_base_patch16_224`) or a CLIP model of transformers.

    Of timm, `layers` names modules whose output is kept (default: the last before the classifier, `features`); maps are
    averaged over places, tokens over positions. Of CLIP they are numbers of hidden states, of which the class token is
    kept, and `embedding`, the space that images share with text. `pretrained: false` gives random weights, a control.
    """

    def __init__(
        self,
        model: str,
        layers: Sequence[int | str] | Literal["all"] | None = None,
        batch_size: int = 16,
        device: str | None = None,
        pretrained: bool = True,
    ) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.batch_size = batch_size
        make = _Timm if model.startswith("timm:") else _Clip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # random weights are the same each time, so that what was made of them can be kept
            self.network: Any = make(model.removeprefix("timm:"), layers, pretrained)
        self.network.model.eval().to(self.device)
        self.name = model.rstrip("/").rpartition("/")[2].removeprefix("timm:")

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "weights": fingerprint(self.network.model),
            "layers": list(map(str, self.network.layers)),
        }

    @torch.inference_mode()
    def extract(self, stimulus: Pictures, kept: Path | None = None) -> Features:
        """Vectors for each picture."""
        starts = range(0, len(stimulus.images), self.batch_size)
        batches = [stimulus.images[start : start + self.batch_size] for start in starts]
        layers = in_pieces(batches, self._rows, f"{self.name}, {len(stimulus.images):,} images", kept)
        return Features(np.asarray(stimulus.onsets, dtype=np.float64), layers, stimulus.names)

    def _rows(self, images: Sequence[Path | ndarray]) -> dict[str, Float[ndarray, "image dim"]]:
        states = self.network.states([_opened(image) for image in images], self.device)
        return {name: values.float().cpu().numpy() for name, values in states.items()}


class _Timm:
    def __init__(self, name: str, layers: Any, pretrained: bool) -> None:
        import timm
        from timm.data.config import resolve_model_data_config
        from timm.data.transforms_factory import create_transform

        self.model: Any = timm.create_model(name, pretrained=pretrained, num_classes=0)
        self.prepare: Any = create_transform(**resolve_model_data_config(self.model), is_training=False)
        self.layers = ["features"] if layers is None else [str(layer) for layer in layers]
        known = dict(self.model.named_modules())
        unknown = [layer for layer in self.layers if layer != "features" and layer not in known]
        if unknown:
            raise ValueError(
                f"{name} has no module {unknown[0]!r}: name some of {[n for n in known if n.count('.') < 2][:20]}, or features"
            )
        self._modules = known

    def states(self, pictures: Sequence[Any], device: torch.device) -> dict[str, Tensor]:
        kept: dict[str, Tensor] = {}
        hooks = [self._hook(layer, kept) for layer in self.layers if layer != "features"]
        try:
            features = self.model(torch.stack([self.prepare(picture) for picture in pictures]).to(device))
        finally:
            for hook in hooks:
                hook.remove()
        return kept | ({"features": features} if "features" in self.layers else {})

    def _hook(self, layer: str, kept: dict[str, Tensor]) -> Any:
        def keep(module: nn.Module, given: Any, out: Tensor) -> None:
            # maps [image, channel, y, x], tokens [image, token, dim]
            kept[layer] = out.mean((2, 3)) if out.ndim == 4 else out.mean(1) if out.ndim == 3 else out

        return self._modules[layer].register_forward_hook(keep)


class _Clip:
    def __init__(self, name: str, layers: Any, pretrained: bool) -> None:
        from transformers import AutoConfig, AutoImageProcessor, CLIPVisionModelWithProjection

        made = CLIPVisionModelWithProjection
        self.model: Any = (
            made.from_pretrained(name) if pretrained else made(AutoConfig.from_pretrained(name).vision_config)
        )
        self.prepare: Any = AutoImageProcessor.from_pretrained(name)
        asked = ["embedding"] if layers is None else layers
        self._embedding = "embedding" in asked
        numbered = asked if asked == "all" else [layer for layer in asked if layer != "embedding"]
        self._numbers = chosen_layers(numbered, self.model.config.num_hidden_layers)
        self.layers = [*map(str, self._numbers), *(["embedding"] if self._embedding else [])]

    def states(self, pictures: Sequence[Any], device: torch.device) -> dict[str, Tensor]:
        given = self.prepare(images=list(pictures), return_tensors="pt")["pixel_values"].to(device)
        out = self.model(pixel_values=given, output_hidden_states=True)
        states = {f"layer{n}": out.hidden_states[n][:, 0] for n in self._numbers}
        return states | ({"embedding": out.image_embeds} if self._embedding else {})


def _opened(image: Path | ndarray) -> Any:
    from PIL import Image

    return Image.fromarray(image).convert("RGB") if isinstance(image, np.ndarray) else Image.open(image).convert("RGB")
