"""Adapting a contrastive model to other units: a new first layer learns behind a frozen trunk."""

from __future__ import annotations

from typing import Any

from numpy import ndarray
from sklearn.base import clone
from torch import nn

from brainfm.embedding.sessions import Session
from brainfm.encoders.per_session import PerSession


def first_layer(encoder: nn.Module) -> list[str]:
    """The parameters whose shape follows the number of channels: those of the layer that holds the first one."""
    names = [name for name, _ in encoder.named_parameters()]
    layer = names[0].rpartition(".")[0]
    found = [name for name in names if name.rpartition(".")[0] == layer]
    # a layer that is the whole encoder (GRU) leaves no trunk: of it, what reads the channels is its first tensor
    return found if len(found) < len(names) else names[:1]


def adapted(
    model: Any, sessions: list[Session], labels: list[list[ndarray]], like: str | None, max_iterations: int
) -> Any:
    """A new model of one session, with the trunk of `model`. Raises ValueError where shapes of the trunk differ."""
    source = model.objective_.encoder
    if isinstance(source, PerSession):
        like = model.sessions_[0] if like is None else like
        if like not in model.sessions_:
            raise ValueError(f"like is {like!r}, and the model knows the sessions {model.sessions_}: name one of them")
        print(f"adapt: the trunk is that of session {like!r}")
        source = source.of(model.sessions_.index(like))
    new = clone(model).set_params(max_iterations=max_iterations)
    new._start(sessions)
    for objective, of in ((new.objective_, source), (new.control_, source)):
        if objective is not None:
            _freeze(_only(objective.encoder), of)
    new._ready()
    X = {one.name: [*_trials(one)] for one in sessions}
    by_session = [{one.name: values for one, values in zip(sessions, of, strict=True)} for of in labels]
    return _trained(new, X, by_session, sessions)


def _trained(new: Any, X: dict[str, list[ndarray]], labels: list[dict[str, ndarray]], sessions: list[Session]) -> Any:
    if [one.name for one in sessions] == [""]:
        return new.partial_fit(X[""], *(of[""] for of in labels))
    return new.partial_fit(X, *labels)


def _trials(session: Session) -> list[ndarray]:
    return [session.signal[a : a + n] for a, n in zip(session.starts, session.lengths, strict=True)]


def _only(encoder: nn.Module) -> nn.Module:
    return encoder.of(0) if isinstance(encoder, PerSession) else encoder


def _freeze(encoder: nn.Module, source: nn.Module) -> None:
    """Copies and freezes everything but the first layer."""
    new, known = set(first_layer(encoder)), dict(source.named_parameters())
    buffers = dict(source.named_buffers())
    for name, parameter in encoder.named_parameters():
        if name not in new:
            parameter.data.copy_(known[name].data)
            parameter.requires_grad_(False)
    for name, buffer in encoder.named_buffers():
        buffer.copy_(buffers[name])
