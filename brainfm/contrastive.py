"""Contrastive embeddings, scikit-learn style: neural activity in, points on a sphere that follow time or behaviour out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from numpy import ndarray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from brainfm import checkpoints
from brainfm.embedding import loop, naming
from brainfm.embedding.adapting import adapted
from brainfm.embedding.architectures import Architecture, architecture
from brainfm.embedding.draws import Draws
from brainfm.embedding.inference import embedded
from brainfm.embedding.sampling import sampler_for
from brainfm.embedding.sessions import Series, Session, labels_of, parted, sessions_of
from brainfm.encoders.base import Encoder
from brainfm.encoders.per_session import PerSession
from brainfm.objectives.base import ContrastiveObjective
from brainfm.objectives.hybrid_infonce import HybridInfoNCE
from brainfm.objectives.infonce import InfoNCE
from brainfm.run.train import device_of, reproducible
from brainfm.systems.training import Training


class Contrastive(TransformerMixin, BaseEstimator):
    """Embeds samples [time, channel] so that those alike in time, behaviour or both lie near each other.

    X is an array, a list of trials, a pynapple TsdFrame, or a dict of these by session. Labels follow X: floats are
    continuous, whole numbers and text are classes, both may be given together; without labels time is all. No window
    crosses the border of a trial (`compat="paper"` clamps windows at the ends of a session instead, as published).
    Times (`time_offsets`, `n_times`) are in samples. The last `held_out` share is not trained on: `bits_` is the
    goodness of fit there, and `control_bits_` that of the same model trained on windows in shuffled order, which is
    printed beside it. A positive number for the control means that something else than the brain is read.
    `conditional` is time, time_delta or delta; "auto" takes time without labels and time_delta with. `batch_size` None takes
    every sample at every step.
    Reference: Schneider, Lee and Mathis 2023, https://doi.org/10.1038/s41586-023-06031-6. Patented: see the notices.

    >>> import numpy as np, brainfm
    >>> X = np.random.default_rng(0).poisson(1.0, (500, 20))
    >>> brainfm.Contrastive("offset5-model", max_iterations=3, batch_size=64).fit(X, np.linspace(0, 1, 500)).transform(X).shape
    goodness of fit on held-out samples: ... bit; shuffle control ... bit
    (500, 8)
    """

    def __init__(
        self,
        model_architecture: str | Callable[..., Encoder] = "offset10-model",
        output_dimension: int = 8,
        num_hidden_units: int = 32,
        batch_size: int | None = 512,
        max_iterations: int = 2000,
        learning_rate: float = 3e-4,
        temperature: float = 1.0,
        learn_temperature: bool = False,
        min_temperature: float = 0.1,
        conditional: Literal["auto", "time", "time_delta", "delta"] = "auto",
        time_offsets: int = 1,
        delta: float = 0.1,
        distance: Literal["cosine", "euclidean"] = "cosine",
        hybrid: bool = False,
        prior: Literal["empirical", "balanced"] = "empirical",
        n_times: int | None = None,
        held_out: float = 0.2,
        shuffle_control: bool = True,
        compat: Literal["paper"] | None = None,
        device: Literal["auto", "cpu"] = "auto",
        seed: int = 0,
        verbose: bool = False,
    ) -> None:
        self.model_architecture, self.output_dimension = model_architecture, output_dimension
        self.num_hidden_units, self.batch_size, self.max_iterations = num_hidden_units, batch_size, max_iterations
        self.learning_rate, self.temperature, self.learn_temperature = learning_rate, temperature, learn_temperature
        self.min_temperature, self.conditional, self.time_offsets = min_temperature, conditional, time_offsets
        self.delta, self.distance, self.hybrid, self.prior, self.n_times = delta, distance, hybrid, prior, n_times
        self.held_out, self.shuffle_control, self.compat = held_out, shuffle_control, compat
        self.device, self.seed, self.verbose = device, seed, verbose

    def fit(self, X: Any, y: Any = None, *more: Any) -> Contrastive:
        """Trains afresh. Raises ValueError that names session, trial and sample for what cannot be used."""
        for learned in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, learned)
        return self.partial_fit(X, y, *more)

    def partial_fit(self, X: Any, y: Any = None, *more: Any) -> Contrastive:
        """Trains `max_iterations` steps more, from where the last call ended; the first call is a fit."""
        sessions, labels = self._read(X, (y, *more))
        if not hasattr(self, "objective_"):
            self._start(sessions)
        self._check_same(sessions)
        train, held = self._parts(sessions, labels)
        steps = range(self.n_steps_, self.n_steps_ + self.max_iterations)
        with reproducible(self.seed + self.n_steps_):
            self.history_ += loop.learn(self.objective_, train(None), self.optimizer_, steps, self._title("training"))
            if self.control_ is not None:
                shuffled = train(self.seed + 1)
                loop.learn(self.control_, shuffled, self._control_optimizer, steps, self._title("shuffle control"))
        self.n_steps_ = steps.stop
        self._judge(held)
        return self

    def transform(self, X: Any, session: str | None = None) -> Any:
        """One point [time, dim] per sample, in the form of X: array, list of trials, TsdFrame, dict of sessions.

        At the ends of a trial the first and the last sample stand in for what is missing. `session` says whose units they
        are, where the model knows several.
        """
        check_is_fitted(self, "objective_")
        return embedded(self._of_session, X, session, self)

    def score(self, X: Any, y: Any = None, *more: Any, n_batches: int = 50) -> float:
        """The goodness of fit in bits on these data, 0 at chance; that of the shuffle control is printed beside it."""
        check_is_fitted(self, "objective_")
        sessions, labels = self._read(X, (y, *more))
        self._check_same(sessions)
        draws = self._draws(Series(sessions, self._architecture.n_times, self.compat == "paper"), labels, None)
        found = loop.bits(self.objective_, draws(None), n_batches)
        control = None if self.control_ is None else loop.bits(self.control_, draws(self.seed + 2), n_batches)
        _tell("these samples", found, control)
        return found

    def adapt(
        self, X: Any, y: Any = None, *more: Any, like: str | None = None, max_iterations: int = 500
    ) -> Contrastive:
        """A model for other units: a new first layer learns, and the trunk of this one stays frozen.

        X is one session. `like` names the session whose trunk is taken, where this model knows several.
        """
        check_is_fitted(self, "objective_")
        sessions, labels = self._read(X, (y, *more))
        if len(sessions) > 1:
            raise ValueError("adapt takes one session at a time: call it for each")
        return adapted(self, sessions, labels, like, max_iterations)

    def save(self, folder: str | Path) -> Path:
        """Writes weights (safetensors) and settings into a folder. Own architectures must be classes with a path."""
        check_is_fitted(self, "objective_")
        params = self.get_params() | {"model_architecture": naming.spoken(self.model_architecture)}
        kept = {
            "n_steps": self.n_steps_,
            "history": self.history_,
            "bits": self.bits_,
            "control_bits": self.control_bits_,
        }
        sizes = {"sessions": self.sessions_, "session_chans": self._chans}
        folder = Path(folder)
        checkpoints.save(self.objective_, folder, {"contrastive": params, **kept, **sizes})
        if self.control_ is not None:
            checkpoints.save(self.control_, folder / "control", {"shuffled": True})
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Contrastive:
        """Reads what `save` wrote. Raises ValueError where a tensor is missing or misshaped."""
        folder = Path(folder)
        manifest = checkpoints.read_manifest(folder)
        params = manifest["contrastive"] | {
            "model_architecture": naming.found(manifest["contrastive"]["model_architecture"])
        }
        model = cls(**params)
        model._build(manifest["sessions"], manifest["session_chans"])
        checkpoints.load(model.objective_, folder)
        model.control_ = None
        if (folder / "control").exists():
            model.control_ = copy.deepcopy(model.objective_)
            checkpoints.load(model.control_, folder / "control")
        model.n_steps_, model.history_ = manifest["n_steps"], manifest["history"]
        model.bits_, model.control_bits_ = manifest["bits"], manifest["control_bits"]
        model._ready()
        return model

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required, tags.transformer_tags.preserves_dtype = False, ["float32"]
        return tags

    def _read(self, X: Any, y: Sequence[Any]) -> tuple[list[Session], list[list[ndarray]]]:
        """The sessions, and for each kind of label one array per session."""
        sessions = sessions_of(X)
        given = [one for one in y if one is not None]
        return sessions, [labels_of(one, sessions, X, number) for number, one in enumerate(given)]

    def _start(self, sessions: list[Session]) -> None:
        with reproducible(self.seed):
            self._build([one.name for one in sessions], [one.signal.shape[1] for one in sessions])
            self.control_ = copy.deepcopy(self.objective_) if self.shuffle_control else None
        self.n_steps_, self.history_ = 0, []
        self.bits_ = self.control_bits_ = float("nan")
        self._ready()

    def _build(self, names: list[str], chans: list[int]) -> None:
        self.sessions_, self._chans, self.n_features_in_ = list(names), list(chans), chans[0]
        self._architecture = architecture(self.model_architecture, self.n_times)
        self.objective_ = self._objective(self._encoder())

    def _ready(self) -> None:
        """Moves the models to their device and gives them optimizers."""
        self._device = device_of(Training(accelerator=self.device))
        self.objective_.to(self._device).eval()
        self.optimizer_ = self._adam(self.objective_)
        if self.control_ is not None:
            self.control_.to(self._device).eval()
            self._control_optimizer = self._adam(self.control_)

    def _adam(self, objective: ContrastiveObjective) -> torch.optim.Optimizer:
        learning = [parameter for parameter in objective.parameters() if parameter.requires_grad]
        return torch.optim.Adam(learning, lr=self.learning_rate, fused=True)

    def _encoder(self) -> Encoder:
        known: Architecture = self._architecture
        sizes = {"dim": self.output_dimension, "hidden": self.num_hidden_units}
        if self.sessions_ == [""]:
            return known.build(self._chans[0], **sizes)
        return PerSession.of_built([known.build(n_chans, **sizes) for n_chans in self._chans], self._chans)

    def _objective(self, encoder: Encoder) -> ContrastiveObjective:
        learned: dict[str, Any] = {
            "similarity": self.distance, "temperature": self.temperature, "learn_temperature": self.learn_temperature,
            "min_temperature": self.min_temperature,
            "dim": None if encoder.dim == self.output_dimension else self.output_dimension,
        }  # fmt: skip
        if self.hybrid:
            return HybridInfoNCE(encoder, behaviour_dims=min(3, self.output_dimension), **learned)
        return InfoNCE(encoder, **learned)

    def _check_same(self, sessions: list[Session]) -> None:
        for one in sessions:
            if one.name not in self.sessions_:
                known = self.sessions_ if self.sessions_ != [""] else "one session, given as an array"
                raise ValueError(
                    f"session {one.name!r} is not known; the model was fitted on {known}: call adapt for new units"
                )
            expected = self._chans[self.sessions_.index(one.name)]
            if one.signal.shape[1] != expected:
                raise ValueError(
                    f"X has {one.signal.shape[1]} features, but Contrastive is expecting {expected} features as input"
                )

    def _parts(self, sessions: list[Session], labels: list[list[ndarray]]) -> tuple[Any, Any]:
        """What makes the batches of the part to train on, and of the part that is held out."""
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out is {self.held_out:g}, expected a share from 0 (none) to below 1, such as 0.2")
        series = Series(sessions, self._architecture.n_times, self.compat == "paper")
        if self.held_out == 0:
            return self._draws(series, labels, None), None
        gap = self._architecture.n_times + self.time_offsets
        train, held = zip(*(parted(one, self.held_out, gap) for one in sessions), strict=True)
        return self._draws(series, labels, train), self._draws(series, labels, held, judged=True)

    def _draws(self, series: Series, labels: list[list[ndarray]], keep: Any, judged: bool = False) -> Any:
        try:
            windows = series.windows(keep)
            at_anchors = [series.labels(one, windows) for one in labels]
            kinds = [one[0].dtype.kind for one in labels]
            sampler = sampler_for(self, windows, at_anchors, kinds)
        except ValueError as error:
            if not judged:
                raise
            print(f"held-out samples are too few to judge: {error}")
            return None
        return lambda shuffled: Draws(series, sampler, self._device, shuffled)

    def _judge(self, held: Any) -> None:
        """Goodness of fit on what was held out, beside the control."""
        if held is None:
            return
        self.bits_ = loop.bits(self.objective_, held(None))
        if self.control_ is not None:
            self.control_bits_ = loop.bits(self.control_, held(self.seed + 2))
        _tell("held-out samples", self.bits_, None if self.control_ is None else self.control_bits_)

    def _of_session(self, name: str | None, n_chans: int) -> tuple[Encoder, Callable[..., Any]]:
        """The encoder of a session, and what places its tokens."""
        encoder = self.objective_.encoder
        if not isinstance(encoder, PerSession):
            known = self._chans[0]
        elif name is None or name not in self.sessions_:
            raise ValueError(
                f"the model knows the sessions {self.sessions_}, asked for {name!r}: name one, transform(X, session=...)"
            )
        else:
            number = self.sessions_.index(name)
            encoder, known = encoder.of(number), self._chans[number]
        if n_chans != known:
            raise ValueError(f"X has {n_chans} features, but Contrastive is expecting {known} features as input")
        return encoder, self.objective_.placed

    def _title(self, what: str) -> str | None:
        return what if self.verbose else None


def _tell(where: str, found: float, control: float | None) -> None:
    beside = "no shuffle control (shuffle_control=False)" if control is None else f"shuffle control {control:.3f} bit"
    print(f"goodness of fit on {where}: {found:.3f} bit; {beside}")
