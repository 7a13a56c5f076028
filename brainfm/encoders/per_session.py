"""One encoder per session: sessions record different units, and share nothing but the space they embed into."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import torch
from torch import nn

from brainfm.encoders.base import Encoder, take_signal
from data_loaders.contracts import Batch, Tokens


class PerSession(Encoder):
    """Rows of a batch go to the encoder of their session, which sees that session's channels without the padding.

    `session_chans` counts the channels of each session, by `session_id`; the data fill it in. `encoder` is the dotted path
    of any encoder and `options` its arguments. With `share` all but the first layer is one for all sessions: a read-in per
    session and a common trunk. Reference: Schneider, Lee and Mathis 2023, Methods, "multi-session" (which shares nothing).
    """

    channels = "any"

    def __init__(
        self,
        session_chans: Sequence[int],
        n_times: int,
        encoder: str = "brainfm.encoders.offset.Offset",
        options: dict[str, Any] | None = None,
        share: bool = False,
        sfreq: float | None = None,
    ) -> None:
        super().__init__()
        if not session_chans:
            raise ValueError("session_chans is empty: give the number of channels of each session, such as [71, 41]")
        make, facts = _encoder_class(encoder), {"n_times": n_times, "sfreq": sfreq}
        taken = inspect.signature(make).parameters
        unknown = sorted(set(options or {}) - set(taken))
        if unknown:
            raise ValueError(f"options has {unknown[0]!r}, which {encoder} does not take; it takes {list(taken)}")
        facts = {name: value for name, value in facts.items() if name in taken and value is not None}
        built = [make(n_chans=n_chans, **facts, **(options or {})) for n_chans in session_chans]
        self.session_chans, self.dim = list(session_chans), built[0].dim
        self.encoders = nn.ModuleList(_sharing(built) if share else built)

    @classmethod
    def of_built(cls, encoders: Sequence[Encoder], session_chans: Sequence[int]) -> PerSession:
        """From encoders that are there already, one per session."""
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.session_chans, made.dim = list(session_chans), encoders[0].dim
        made.encoders = nn.ModuleList(encoders)
        return made

    def forward(self, batch: Batch) -> Tokens:
        signal = take_signal(batch)
        sessions, rows = torch.unique(batch.session_id), []
        parts: list[Tokens] = []
        for session in sessions.tolist():
            where = (batch.session_id == session).nonzero().ravel()
            rows.append(where)
            parts.append(self.of(session)(_rows(batch, where, signal[:, : self._width(session)])))
        back = torch.cat(rows).argsort()
        return Tokens(
            torch.cat([part.embedding for part in parts])[back], torch.cat([part.mask for part in parts])[back]
        )

    def of(self, session: int) -> Encoder:
        """The encoder of one session."""
        self._width(session)
        encoder = self.encoders[session]
        assert isinstance(encoder, Encoder), "the list holds encoders"
        return encoder

    def _width(self, session: int) -> int:
        if not 0 <= session < len(self.session_chans):
            raise ValueError(
                f"the batch has session {session} and the encoder was built for {len(self.session_chans)} sessions: "
                "adapt it to the new one, or predict recordings that it was trained on"
            )
        return self.session_chans[session]


def _rows(batch: Batch, where: torch.Tensor, signal: torch.Tensor) -> Batch:
    """Some rows of a batch, as an encoder of one session takes them."""
    names = ("sfreq", "time_mask", "subject_id", "session_id", "window_id", "seed")
    picked: dict[str, Any] = {name: getattr(batch, name)[where] for name in names}
    width = signal.shape[1]
    places, masks = batch.ch_positions[where, :width], batch.ch_mask[where, :width]
    picked |= {"signal": signal[where], "ch_positions": places, "ch_mask": masks}
    return replace(batch, **picked, targets={}, streams={}, events={}, n_views=1)


def _sharing(built: list[Any]) -> list[Any]:
    """Gives every encoder the modules of the first, but for those whose shapes follow the number of channels."""
    first = dict(built[0].named_parameters())
    for encoder in built[1:]:
        for name, parameter in list(encoder.named_parameters()):
            if parameter.shape == first[name].shape and not name.startswith(_first_layer(encoder)):
                owner, _, leaf = name.rpartition(".")
                setattr(encoder.get_submodule(owner), leaf, first[name])
    return built


def _first_layer(encoder: nn.Module) -> str:
    """The name of the layer that holds the first parameter: what depends on which units were recorded."""
    return next(name for name, _ in encoder.named_parameters()).rpartition(".")[0] + "."


def _encoder_class(path: str) -> type[Any]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"encoder is {path!r}, expected a dotted path such as brainfm.encoders.gru.GRU") from error
    if (
        not (isinstance(found, type) and issubclass(found, Encoder))
        or "n_chans" not in inspect.signature(found).parameters
    ):
        raise ValueError(
            f"encoder {path} is no encoder with an argument n_chans: name one such as brainfm.encoders.gru.GRU"
        )
    return found
