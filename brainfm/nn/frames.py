"""Frames of a video as tokens: through a convolution over time and space, or through an image model frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from brainfm.nn.projectors import Projected, Projector, sinusoid, sinusoids
from data_loaders.contracts import Events, Sampled


class Video(Projector):
    """A token for each patch of `kernel` (frames, rows, columns) of a greyscale video, every `stride`.

    Tokens are normed and rectified, and where they lie in the video is added. The Neuroformer's visual stem (its spec,
    section 3), whose released code computes that place and drops it: `positions=False` does the same.
    """

    def __init__(
        self,
        kernel: Sequence[int] = (3, 5, 5),
        stride: Sequence[int] | None = None,
        dim: int = 256,
        layers: int = 6,
        self_layers: int = 6,
        dropout: float = 0.2,
        positions: bool = True,
    ) -> None:
        super().__init__()
        self.dim, self.layers, self.self_layers, self.positions = dim, layers, self_layers, positions
        self.patch = nn.Conv3d(1, dim, tuple(kernel), tuple(stride or kernel))  # type: ignore[arg-type]
        self.norm, self.dropout = nn.LayerNorm(dim), nn.Dropout(dropout)

    def forward(self, field: Sampled | Events) -> Projected:
        frames, real = _frames(field)  # [batch, frame, row, column]
        if any(n < k for n, k in zip(frames.shape[1:], self.patch.kernel_size, strict=True)):
            raise ValueError(
                f"frames of {tuple(frames.shape[1:])} (frames, rows, columns) are smaller than a patch of "
                f"{self.patch.kernel_size}: make kernel smaller, or the field longer"
            )
        maps = self.patch(frames[:, None])  # [batch, dim, frame, row, column]
        tokens = self.norm(maps.flatten(2).mT).relu()
        if self.positions:
            tokens = tokens + sinusoids(maps.shape[2:], self.dim, tokens.device)
        return self.dropout(tokens), self._real(real, maps)

    def _real(self, real: Bool[Tensor, "batch frame"], maps: Tensor) -> Bool[Tensor, "batch token"]:
        """Patches whose frames are all real."""
        whole = real.unfold(1, self.patch.kernel_size[0], self.patch.stride[0]).all(-1)  # [batch, frame]
        return whole[:, :, None].expand(-1, -1, maps.shape[3] * maps.shape[4]).flatten(1)


class TimmFrames(Projector):
    """A token for each frame: what an image model of timm makes of it, mapped linearly, and when it was shown.

    `name` is any model of timm; `pretrained` loads its weights from the hub. The model is frozen unless `learns`.
    Greyscale frames are repeated to three colours; frames keep their size.
    """

    def __init__(
        self,
        name: str = "resnet18",
        pretrained: bool = False,
        learns: bool = False,
        dim: int = 256,
        layers: int = 6,
        self_layers: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        import timm

        self.dim, self.layers, self.self_layers = dim, layers, self_layers
        model: Any = timm.create_model(name, pretrained=pretrained, num_classes=0).requires_grad_(learns)
        self.model, self.dropout = model, nn.Dropout(dropout)
        self.linear = nn.Linear(model.num_features, dim)

    def forward(self, field: Sampled | Events) -> Projected:
        frames, real = _frames(field)
        colours = frames.flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
        features = self.model(colours).unflatten(0, frames.shape[:2])  # [batch, frame, feature]
        tokens = self.linear(features)
        return self.dropout(tokens + sinusoid(tokens.shape[1], self.dim, tokens.device)), real


def _frames(
    field: Sampled | Events,
) -> tuple[Float[Tensor, "batch frame row column"], Bool[Tensor, "batch frame"]]:
    if not isinstance(field, Sampled) or field.values.ndim != 4:
        raise ValueError(
            "frames were expected, a stream of [row, column] images: name such a stream as the field's source"
        )
    return field.values.float().movedim(-1, 1), field.mask
