"""EEGNeX: two temporal convolutions, one across electrodes, two dilated ones; a compact network for EEG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from brainfm.encoders.base import Encoder, one_token, take_signal
from brainfm.nn.constraints import constrain, project
from brainfm.nn.spatial_first import shortest, spatial_first
from brainfm.nn.temporal import OverTime, PoolMode, TimeConv, TimePool
from data_loaders.contracts import Batch, Tokens


@dataclass(frozen=True)
class _Variant:
    """Where the published networks differ."""

    taps: int = 64
    pools: tuple[int, int] = (4, 8)
    pool_mode: PoolMode = "pad_zero"
    elu: tuple[bool, bool, bool] = (False, False, False)  # after the first, second and fourth convolution
    layer_norm: bool = False
    norm_axis: Literal["channel", "time"] = "channel"
    keras: bool = False


_VARIANTS = {
    None: _Variant(),
    "keras": _Variant(64, (4, 4), "same", (True, False, False), norm_axis="time", keras=True),
    "paper2022": _Variant(32, (4, 1), "same", (True, True, True), layer_norm=True, norm_axis="time", keras=True),
}


class EEGNeX(Encoder):
    """EEGNeX-8,32. What comes out is the flattened features as one token; the classifier is `Classification(max_norm=0.25)`.

    By default it computes what braindecode's EEGNeX does, padded pooling included. `compat` gives the authors' own
    code, `keras` as of September 2023 or `paper2022` as first released, which normalise over time samples as shipped
    (`norm_axis="channel"` mends `keras`). All have the name 8,32 and none equals another (docs/guides/eegnex.md). `pool_mode`
    is explained at `brainfm.nn.temporal.TimePool`; `same` is the sound one.

    `kernel_seconds` sets the length of the first two temporal kernels by time (0.5 is 64 samples at 128 Hz); left out
    it is 64 samples at any rate. `head="gap"` gives one token of 8 features per remaining sample instead, whose
    mean does not depend on the window's length. `reorder=False` computes the layers in the order they are written,
    about ten times slower and equal but for rounding; hooks on the first layers need it.

    Reference: Chen et al. 2024, Biomed. Signal Process. Control 87:105475, https://arxiv.org/abs/2207.12369
    """

    def __init__(
        self,
        n_chans: int,
        n_times: int,
        sfreq: float | None = None,
        drop_prob: float = 0.5,
        kernel_seconds: float | None = None,
        pool_mode: PoolMode | None = None,
        norm_axis: Literal["channel", "time"] | None = None,
        head: Literal["flatten", "gap"] = "flatten",
        compat: Literal["keras", "paper2022"] | None = None,
        reorder: bool = True,
    ) -> None:
        super().__init__()
        variant = _VARIANTS[compat]
        self.n_chans, self.n_times, self.head, self.reorder, self.elu = n_chans, n_times, head, reorder, variant.elu
        axis = norm_axis or variant.norm_axis
        if variant.layer_norm and axis != "time":
            raise ValueError(
                "compat 'paper2022' normalises over time, got norm_axis='channel': leave norm_axis out, or compat"
            )
        taps = variant.taps if kernel_seconds is None else _taps(kernel_seconds, sfreq)
        self.pool_3, self.pool_5 = (TimePool(width, pool_mode or variant.pool_mode) for width in variant.pools)
        middle, last = self._lengths(n_times)
        self.dim = 8 * last if head == "flatten" else 8
        self._fixed_length = head == "flatten" or axis == "time"
        self.conv_1, self.norm_1 = TimeConv(1, 8, taps), _norm(variant, axis, 8, n_times)
        self.conv_2, self.norm_2 = TimeConv(8, 32, taps), _norm(variant, axis, 32, n_times)
        self.conv_3, self.norm_3 = (
            nn.Conv2d(32, 64, (n_chans, 1), groups=32, bias=False),
            _norm(variant, axis, 64, n_times),
        )
        self.conv_4, self.norm_4 = TimeConv(64, 32, 16, dilation=2), _norm(variant, axis, 32, middle)
        self.conv_5, self.norm_5 = TimeConv(32, 8, 16, dilation=4), _norm(variant, axis, 8, middle)
        self.dropout = nn.Dropout(drop_prob)
        _initialise(self, variant.keras)
        # half again as fast on a CPU as the default layout
        self.to(memory_format=torch.channels_last)

    def forward(self, batch: Batch) -> Tokens:
        maps = self._front(take_signal(batch, self.n_chans, self.n_times if self._fixed_length else None))
        maps = self.dropout(self.pool_3(F.elu(self.norm_3(maps))))
        maps = self._elu(2, self.norm_4(self.conv_4(maps)))
        maps = self.dropout(self.pool_5(F.elu(self.norm_5(self.conv_5(maps)))))
        if self.head == "flatten":
            return one_token(maps.flatten(1))
        return Tokens(maps.squeeze(2).mT, torch.ones(len(maps), maps.shape[-1], dtype=torch.bool, device=maps.device))

    def _front(self, signal: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch filter 1 time"]:
        """The three convolutions up to where electrodes are one."""
        norm_1, norm_2 = self.norm_1, self.norm_2
        if self._may_reorder(signal):
            assert isinstance(norm_1, nn.BatchNorm2d)
            assert isinstance(norm_2, nn.BatchNorm2d)
            maps = spatial_first(signal, self.conv_1, norm_1, self.conv_2, norm_2, self.conv_3)
            return maps.contiguous(memory_format=torch.channels_last)
        maps = signal.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        maps = self._elu(1, norm_2(self.conv_2(self._elu(0, norm_1(self.conv_1(maps))))))
        return self.conv_3(maps)

    def _may_reorder(self, signal: Tensor) -> bool:
        """Only linear layers change places; their statistics need float64, which Apple GPUs lack."""
        linear = not any(self.elu[:2]) and type(self.norm_1) is type(self.norm_2) is nn.BatchNorm2d
        able = signal.dtype in (torch.float32, torch.float64) and signal.device.type != "mps"
        return self.reorder and linear and able and signal.shape[-1] >= shortest(self.conv_1)

    def _elu(self, which: int, maps: Tensor) -> Tensor:
        return F.elu(maps) if self.elu[which] else maps

    def _lengths(self, n_times: int) -> tuple[int, int]:
        """Samples after the first and the second pooling."""
        middle = self.pool_3.length(n_times)
        last = self.pool_5.length(middle)
        if last < 1:
            least = next(n for n in count(1) if self.pool_5.length(self.pool_3.length(n)) >= 1)
            raise ValueError(
                f"n_times is {n_times}, too short for two poolings: take windows of at least {least} samples"
            )
        return middle, last


def from_braindecode(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The tensors of a braindecode EEGNeX under our names: the encoder's, and those of a head with max-norm 0.25.

    >>> encoder_state, head_state = from_braindecode(model.state_dict())  # doctest: +SKIP
    >>> objective.encoder.load_state_dict(encoder_state), objective.head.load_state_dict(head_state)  # doctest: +SKIP
    """
    encoder, head = {}, {}
    for name, value in state.items():
        layer, _, rest = name.partition(".")
        if layer == "final_layer":
            head[rest] = value
        else:
            encoder[_renamed(name)] = value
    return encoder, head


def _renamed(name: str) -> str:
    """block_3.0.parametrizations... is conv_3.parametrizations..., block_3.1.bias is norm_3.bias."""
    block, _, rest = name.partition(".")
    position, _, tensor = rest.partition(".")
    first = 1 if block == "block_1" else 0
    kinds = {str(first): "conv", str(first + 1): "norm"}
    if block not in {f"block_{i}" for i in range(1, 6)} or position not in kinds:
        raise ValueError(f"tensor {name!r} is none of EEGNeX: give the state_dict of braindecode.models.EEGNeX")
    return f"{kinds[position]}_{block[-1]}.{tensor}"


def _taps(seconds: float, sfreq: float | None) -> int:
    if sfreq is None:
        raise ValueError(
            f"kernel_seconds is {seconds:g} and no sfreq was given: give sfreq in hertz, or leave both out"
        )
    if round(seconds * sfreq) < 3:
        raise ValueError(
            f"kernel_seconds {seconds:g} is under 3 samples at {sfreq:g} Hz: raise it to {3 / sfreq:g} or more"
        )
    return round(seconds * sfreq)


def _norm(variant: _Variant, axis: str, n_filters: int, n_times: int) -> nn.Module:
    if variant.layer_norm:
        return nn.LayerNorm(n_times, eps=1e-3)
    # Keras: running = 0.99 running + 0.01 batch
    eps, momentum = (1e-3, 0.01) if variant.keras else (1e-5, 0.1)
    if axis == "time":
        return OverTime(n_times, eps, momentum)
    return nn.BatchNorm2d(n_filters, eps, momentum)


def _initialise(encoder: EEGNeX, keras: bool) -> None:
    """Glorot's uniform weights where the reference has them, and the max-norm of the spatial filters as it keeps it."""
    if not keras:
        nn.init.xavier_uniform_(encoder.conv_3.weight)
        return constrain(encoder.conv_3, 1.0)
    for conv in (encoder.conv_1, encoder.conv_2, encoder.conv_3, encoder.conv_4, encoder.conv_5):
        nn.init.uniform_(conv.weight, -(bound := _glorot(conv)), bound)
    return project(encoder.conv_3, 1.0)


def _glorot(conv: nn.Conv2d) -> float:
    """Keras counts a depthwise kernel's inputs over all filters, its outputs per input."""
    area = math.prod(conv.kernel_size)
    fans = area * conv.in_channels + area * conv.out_channels // conv.groups
    return math.sqrt(6 / fans)
