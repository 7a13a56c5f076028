"""Two temporal convolutions and a spatial one, batch-normalised in between, in the cheapest order with equal results."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from scipy.fft import next_fast_len
from torch import Tensor, nn


def spatial_first(
    signal: Float[Tensor, "batch channel time"],
    first: nn.Conv2d,
    first_norm: nn.BatchNorm2d,
    second: nn.Conv2d,
    second_norm: nn.BatchNorm2d,
    spatial: nn.Conv2d,
) -> Float[Tensor, "batch filter 1 time"]:
    """What `spatial(second_norm(second(first_norm(first(signal)))))` gives, electrodes summed before time is filtered.

    Nothing between the layers is nonlinear, so their order is free but for two things. The batch statistics belong to
    signals that are then never made: they follow from the second moments of the input, as the variance of any filtered
    signal does. And SAME padding cuts the first convolution's output at both borders: what would flow over them is
    taken off. Outputs, gradients and running statistics are equal but for rounding (tests/brainfm/nn); running
    statistics are updated as the layers would. Hooks on the layers are not called.

    The temporal kernels share one length, have stride 1, SAME padding and no bias; the signal has at least
    `shortest(first)` samples.
    """
    with torch.autocast(signal.device.type, enabled=False):
        centre = _centre(signal, first_norm.training or second_norm.training)
        rows = _Rows.of(signal - centre, first.kernel_size[1])
        filters, line = _normalised(rows, centre, first, first_norm, second, second_norm)
        return _apply(rows, filters, line, spatial)


def shortest(conv: nn.Conv2d) -> int:
    """The fewest samples that `spatial_first` takes: below, the borders that padding touches overlap."""
    return 2 * conv.kernel_size[1]


def _centre(signal: Tensor, training: bool) -> Float[Tensor, "time"]:
    """The mean row where batch statistics are taken; in evaluation zero, so that no row depends on another."""
    return signal.mean((0, 1)) if training else signal.new_zeros(signal.shape[-1])


@dataclass(frozen=True)
class _Rows:
    """The signal around its mean row, and its spectrum over `n` samples, zero-padded so that filters do not wrap."""

    time: Float[Tensor, "channel batch time"]
    spectrum: Complex[Tensor, "channel batch frequency"]
    n: int
    taps: int

    @classmethod
    def of(cls, deviation: Float[Tensor, "batch channel time"], taps: int) -> _Rows:
        time = deviation.transpose(0, 1).contiguous()
        n = next_fast_len(time.shape[-1] + 2 * taps, real=True)
        return cls(time, torch.fft.rfft(time, n=n), n, taps)


@dataclass(frozen=True)
class _Filters:
    """Two convolutions in a row: one composed kernel, less what the first one's cut output would have carried over the borders."""

    kernel: Float[Tensor, "filter composed"]
    head: Float[Tensor, "filter input output"]
    tail: Float[Tensor, "filter late latest"]  # input and output, each counted from the last sample

    @classmethod
    def of(cls, w1: Float[Tensor, "inner tap"], w2: Float[Tensor, "filter inner tap"]) -> _Filters:
        before, after = _padding(w1.shape[-1])
        tail = _overflow(w1.flip(-1), w2.flip(-1), after, before)
        return cls(_compose(w1, w2), _overflow(w1, w2, before, after), tail)

    def scaled(self, scale: Float[Tensor, "filter"]) -> _Filters:
        return _Filters(
            self.kernel * scale[:, None], self.head * scale[:, None, None], self.tail * scale[:, None, None]
        )

    def repeated(self, copies: int, dtype: torch.dtype) -> _Filters:
        """Each filter as often as it has spatial filters, at the signal's precision."""
        return _Filters(*(part.to(dtype).repeat_interleave(copies, 0) for part in (self.kernel, self.head, self.tail)))


def _normalised(
    rows: _Rows,
    centre: Tensor,
    first: nn.Conv2d,
    first_norm: nn.BatchNorm2d,
    second: nn.Conv2d,
    second_norm: nn.BatchNorm2d,
) -> tuple[_Filters, Float[Tensor, "filter time"]]:
    """The filters with both normalisations multiplied in, and what the layers make of the centre."""
    w1, w2 = first.weight.squeeze((1, 2)), second.weight.squeeze(2)  # [inner, tap], [filter, inner, tap]
    moments = _Moments(rows) if first_norm.training or second_norm.training else None
    line = F.conv1d(F.pad(centre[None], _padding(rows.taps)), w1[:, None])
    scale, shift = _affine(first_norm, line, moments and moments.once(w1.double()), rows.time.numel())
    filters = _Filters.of((w1 * scale[:, None]).double(), w2.double())
    line = F.conv1d(F.pad(line * scale[:, None] + shift[:, None], _padding(rows.taps)), w2)
    scale, shift = _affine(second_norm, line, moments and moments.twice(filters), rows.time.numel())
    return filters.scaled(scale), line * scale[:, None] + shift[:, None]


def _affine(norm: nn.BatchNorm2d, line: Tensor, energy: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
    """The scale and shift of a batch norm; its batch statistics are the centre's, plus the energy around it."""
    if norm.training and energy is not None:
        mean, variance = line.mean(-1), line.var(-1, correction=0) + (energy / count).to(line.dtype)
        _track(norm, mean, variance * count / max(count - 1, 1))
    else:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, variance = norm.running_mean, norm.running_var
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


@torch.no_grad()
def _track(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    for running, value in ((norm.running_mean, mean), (norm.running_var, variance)):
        assert running is not None
        assert norm.momentum is not None
        running.lerp_(value, norm.momentum)
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)


class _Moments:
    """Second moments of rows: all that the energy (summed squares) of their filtered versions depends on.

    In float64, because the borders are taken off the whole.
    """

    def __init__(self, rows: _Rows) -> None:
        self.n, self.taps = rows.n, rows.taps
        power = torch.view_as_real(rows.spectrum).square().sum((0, 1, 3))
        self.power = power.double() * _multiplicity(rows.n, power.device) / rows.n
        self.head = _covariance(rows.time[..., : 2 * rows.taps])
        self.tail = _covariance(rows.time[..., -2 * rows.taps :].flip(-1))

    def once(self, w: Float[Tensor, "filter tap"]) -> Float[Tensor, "filter"]:
        """The energy of the filtered rows, over the samples that SAME padding keeps."""
        before, after = _padding(self.taps)
        outside = _energy(_reach(w, after), self.head) + _energy(_reach(w.flip(-1), before), self.tail)
        return (self._whole(w) - outside).clamp(min=0)

    def twice(self, filters: _Filters) -> Float[Tensor, "filter"]:
        """The same after two convolutions, each of which keeps only as many samples as it was given."""
        head = _lost(filters.kernel, filters.head, self.head)
        tail = _lost(filters.kernel.flip(-1), filters.tail, self.tail)
        return (self._whole(filters.kernel) - head - tail).clamp(min=0)

    def _whole(self, kernel: Float[Tensor, "filter tap"]) -> Float[Tensor, "filter"]:
        gain = torch.view_as_real(torch.fft.rfft(kernel, n=self.n)).square().sum(-1)
        return gain @ self.power


def _multiplicity(n: int, device: torch.device) -> Float[Tensor, "frequency"]:
    """How often each frequency of `rfft` stands in the whole spectrum: twice, but for zero and Nyquist."""
    frequency = torch.arange(n // 2 + 1, device=device)
    return torch.where((frequency == 0) | (2 * frequency == n), 1.0, 2.0).double()


def _lost(kernel: Tensor, overflow: Tensor, covariance: Tensor) -> Float[Tensor, "filter"]:
    """Energy at one border that the composed kernel has and the two convolutions have not."""
    n_in, n_out = overflow.shape[1:]
    free = _reach(kernel, n_out + 2 * n_in)
    bound = free[..., -n_out:] - F.pad(overflow, (0, 0, 0, 2 * n_in + n_out - n_in))
    return _energy(free, covariance) - _energy(bound, covariance)


def _energy(
    response: Float[Tensor, "filter input output"], covariance: Float[Tensor, "time time"]
) -> Float[Tensor, "filter"]:
    """The summed squares of the outputs, from the second moments of the inputs."""
    n = response.shape[1]
    return ((covariance[:n, :n] @ response) * response).sum((1, 2))


def _covariance(rows: Float[Tensor, "channel batch time"]) -> Float[Tensor, "time time"]:
    flat = rows.flatten(0, 1)
    return (flat.T @ flat).double()


def _reach(kernel: Float[Tensor, "filter tap"], n: int) -> Float[Tensor, "filter input output"]:
    """How the first n samples make the n outputs up to the one that their last just enters; n is at most the taps."""
    entering = F.pad(kernel[..., kernel.shape[-1] - n :], (0, n - 1))
    return entering.unfold(-1, n, 1).flip(-1)


def _overflow(w1: Tensor, w2: Tensor, before: int, after: int) -> Float[Tensor, "filter input output"]:
    """How the first samples reach the first outputs through what the first convolution has ahead of the signal."""
    ahead = F.pad(w1[..., before + 1 :], (0, before - 1)).unfold(-1, before, 1)  # [inner, input, ahead]
    back = F.pad(w2[..., :before].flip(-1), (0, before - 1)).unfold(-1, before, 1)  # [filter, inner, ahead, output]
    return torch.einsum("gia,fgao->fio", ahead, back)


def _compose(w1: Float[Tensor, "inner tap"], w2: Float[Tensor, "filter inner tap"]) -> Float[Tensor, "filter composed"]:
    """The one kernel that two convolutions in a row amount to."""
    margin = w1.shape[-1] - 1
    delayed = F.pad(w1, (margin, margin)).unfold(-1, 2 * margin + 1, 1).flip(1)  # [inner, tap, composed]
    return torch.einsum("fgk,gkj->fj", w2, delayed)


def _padding(taps: int) -> tuple[int, int]:
    """Zeros before and after, as SAME padding splits them."""
    return (taps - 1) // 2, taps // 2


def _apply(rows: _Rows, filters: _Filters, line: Tensor, spatial: nn.Conv2d) -> Float[Tensor, "batch filter 1 time"]:
    """Sums the electrodes, filters the sums, and adds the centre's part."""
    copies = spatial.out_channels // len(line)
    weight = spatial.weight.squeeze((1, 3))  # [filter, channel]
    filters = filters.repeated(copies, rows.time.dtype)
    offset = weight.sum(1, keepdim=True) * line.repeat_interleave(copies, 0)  # [filter, time]
    whole = _filtered(rows, weight, filters.kernel) + offset.unsqueeze(1)
    return _bordered(whole, rows, weight, filters).transpose(0, 1).unsqueeze(2)


def _filtered(
    rows: _Rows, weight: Tensor, kernel: Float[Tensor, "filter composed"]
) -> Float[Tensor, "filter batch time"]:
    """The summed electrodes under their composed kernels, as if nothing were cut in between."""
    real = torch.view_as_real(rows.spectrum).flatten(2)  # [channel, batch, frequency and part]
    spectrum = torch.view_as_complex(torch.einsum("fc,cbw->fbw", weight, real).unflatten(-1, (-1, 2)))
    later = kernel.flip(-1)
    # outputs lead inputs by as much as both paddings reach ahead
    response = F.pad(later, (0, rows.n - later.shape[-1])).roll(-2 * _padding(rows.taps)[1], -1)
    return torch.fft.irfft(spectrum * torch.fft.rfft(response).unsqueeze(1), n=rows.n)[..., : rows.time.shape[-1]]


def _bordered(whole: Tensor, rows: _Rows, weight: Tensor, filters: _Filters) -> Float[Tensor, "filter batch time"]:
    """Takes the overflow off both ends."""
    n_times, (before, after) = whole.shape[-1], _padding(rows.taps)
    early, late = rows.time[..., :after], rows.time[..., n_times - before :]
    head = torch.einsum("fc,cbt->fbt", weight, early) @ filters.head
    tail = torch.einsum("fc,cbt->fbt", weight, late) @ filters.tail.flip((1, 2))
    first, middle, last = whole.split([before, n_times - before - after, after], -1)
    return torch.cat([first - head, middle, last - tail], -1)
