"""Speech models: the last frame of a window of sound that slides in steps of a tenth of a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from brainfm.stimuli.base import Extractor, Features, chosen_layers, fingerprint
from brainfm.stimuli.pieces import in_pieces

_SFREQ = 16_000
_SHORTEST = 400  # samples that the first convolution of these models needs


@dataclass(frozen=True)
class Sound:
    """Mono sound."""

    samples: Float[ndarray, "sample"]
    sfreq: float

    @staticmethod
    def read(path: Path) -> Sound:
        """A .wav file, its channels averaged and integers scaled to one."""
        from scipy.io import wavfile

        sfreq, samples = wavfile.read(path)
        scale = float(np.iinfo(samples.dtype).max) if samples.dtype.kind == "i" else 1.0
        return Sound((samples.reshape(len(samples), -1).mean(1) / scale).astype(np.float32), float(sfreq))

    def at(self, sfreq: int) -> Float[ndarray, "sample"]:
        """The samples at another rate."""
        from math import gcd

        from scipy.signal import resample_poly

        if self.sfreq == sfreq:
            return self.samples
        common = gcd(sfreq, round(self.sfreq))
        return resample_poly(self.samples, sfreq // common, round(self.sfreq) // common).astype(np.float32)


class Speech(Extractor):
    """HuBERT, WavLM, wav2vec 2.0 or Whisper (its encoder), by name on the hub or folder.

    A window of `context` plus `step` seconds, shorter at the start, ends every `step` seconds; its last frame is the
    feature, timed at the window's end. Whisper pads to 30 s: its last frame with sound is taken.
    Reference: Antonello et al. 2023, https://arxiv.org/abs/2305.11863
    """

    def __init__(
        self,
        model: str,
        layers: Sequence[int] | Literal["all"] = "all",
        context: float = 16.0,
        step: float = 0.1,
        batch_size: int = 8,
        device: str | None = None,
    ) -> None:
        from transformers import AutoFeatureExtractor, AutoModel

        self.name = model.rstrip("/").rpartition("/")[2]
        self.prepare = AutoFeatureExtractor.from_pretrained(model)
        loaded = AutoModel.from_pretrained(model)
        self.whisper = hasattr(loaded, "get_encoder") and loaded.config.model_type == "whisper"
        self.model = (loaded.get_encoder() if self.whisper else loaded).eval()
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model.to(self.device)
        self.layers = chosen_layers(
            layers, loaded.config.encoder_layers if self.whisper else loaded.config.num_hidden_layers
        )
        self.context, self.step, self.batch_size = context, step, batch_size

    @property
    def facts(self) -> dict[str, Any]:
        settings = {"context": self.context, "step": self.step, "layers": self.layers}
        return {"model": self.name, "weights": fingerprint(self.model), **settings}

    @torch.inference_mode()
    def extract(self, stimulus: Sound, kept: Path | None = None) -> Features:
        """Vectors every `step` seconds."""
        samples = stimulus.at(_SFREQ)
        ends = np.arange(1, int(len(samples) / _SFREQ / self.step + 1e-9) + 1) * self.step
        stops = np.round(ends * _SFREQ).astype(int)
        starts = np.maximum(0, stops - round((self.context + self.step) * _SFREQ))
        ends, starts, stops = (part[stops >= _SHORTEST] for part in (ends, starts, stops))
        if not len(stops):
            raise ValueError(
                f"the sound lasts {len(samples) / _SFREQ:.3f} s, shorter than one step of {self.step:g} s: give a longer one"
            )
        # windows of one length go together: padding would shift what the models normalise by
        batches = [np.array(some) for some in _alike(starts, stops, self.batch_size)]
        label = f"{self.name}, {len(ends):,} windows of sound"
        layers = in_pieces(batches, lambda some: self._rows(samples, starts[some], stops[some]), label, kept)
        return Features(ends, layers)

    def _rows(self, samples: ndarray, starts: ndarray, stops: ndarray) -> dict[str, Float[ndarray, "window dim"]]:
        last = self._last(np.stack([samples[a:b] for a, b in zip(starts, stops, strict=True)]))
        return {f"layer{n}": torch.stack([row[k] for row in last]).cpu().numpy() for k, n in enumerate(self.layers)}

    def _last(self, sounds: Float[ndarray, "window sample"]) -> list[list[Tensor]]:
        """For each window the last frame of every layer."""
        given = self.prepare(list(sounds), sampling_rate=_SFREQ, return_tensors="pt")
        key = "input_features" if self.whisper else "input_values"
        states = self.model(given[key].to(self.device), output_hidden_states=True).hidden_states
        # 10 ms a frame of the spectrogram, halved by the second convolution
        at = (-(-sounds.shape[1] // 160) - 1) // 2 if self.whisper else -1
        return [[states[layer][row, at].float() for layer in self.layers] for row in range(len(sounds))]


def _alike(starts: ndarray, stops: ndarray, size: int) -> list[list[int]]:
    """Consecutive windows of equal length, at most `size` together."""
    groups: list[list[int]] = []
    for i, length in enumerate((stops - starts).tolist()):
        if groups and len(groups[-1]) < size and stops[groups[-1][0]] - starts[groups[-1][0]] == length:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups
