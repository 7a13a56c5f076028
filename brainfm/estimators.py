"""scikit-learn style: an encoder trained on plain arrays or mne.Epochs, through the same road as a recipe."""

from __future__ import annotations

import inspect
import io
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from brainfm.encoders.base import Encoder
from brainfm.grammar.known import leaves
from brainfm.grammar.locate import located_class
from brainfm.objectives.base import Objective
from brainfm.objectives.classification import Classification
from brainfm.objectives.regression import Regression
from brainfm.run.passing import in_order, predicted
from brainfm.run.train import device_of, reproducible, train
from brainfm.run.whole import Whole
from brainfm.systems.training import Training
from data_loaders.contracts import Field
from data_loaders.datamodule import Data
from data_loaders.store import Store
from data_loaders.transforms.scale import RobustScale
from data_loaders.windows import Around


class _Trained(BaseEstimator, ABC):
    """What the classifier and the regressor share: trials in, a trained objective kept."""

    def __init__(
        self,
        encoder: str | Callable[..., Encoder] = "EEGNeX",
        sfreq: float | None = None,
        max_steps: int = 300,
        batch_size: int = 64,
        lr: float = 1e-3,
        val_fraction: float = 0.15,
        seed: int = 0,
        verbose: bool = False,
    ) -> None:
        self.encoder, self.sfreq, self.max_steps, self.batch_size = encoder, sfreq, max_steps, batch_size
        self.lr, self.val_fraction, self.seed, self.verbose = lr, val_fraction, seed, verbose

    def fit(self, X: Any, y: Any = None, groups: Any = None) -> _Trained:
        """Trains on trials [trial, channel, time] or mne.Epochs, whose event codes are y where it is left out.

        The weights that do best on a held-out `val_fraction` are kept; with `groups` (subjects) whole groups are held out
        where there are four or more. Raises ValueError where lengths disagree or a value is not finite.
        """
        signal, about = _opened(X, self.sfreq)
        y = self._labels(_event_codes(X) if y is None else np.asarray(y))
        self.n_chans_, self.n_times_, self._about = signal.shape[1], signal.shape[2], about
        with self._talking(), TemporaryDirectory() as folder, reproducible(self.seed):
            data = self._data(Path(folder), signal, y, groups)
            data.use(0, self.seed)
            self.objective_ = self._objective(self._encoder(data.facts()), data)
            training = Training(max_steps=self.max_steps, save_every=math.inf)
            optimizer = {"class_path": "torch.optim.AdamW", "init_args": {"lr": self.lr}}
            val = data.part("val") if len(data.fold.val) else None
            title = "training" if self.verbose else None
            train(
                self.objective_, data.train_dataloader(), val, training, optimizer, None, Path(folder), self.seed, title
            )
            self.transforms_ = data.transforms
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags

    def _outputs(self, X: Any) -> ndarray:
        """Probabilities or values [trial, output]."""
        check_is_fitted(self, "objective_")
        signal, about = _opened(X, self.sfreq)
        if signal.shape[1:] != (self.n_chans_, self.n_times_):
            raise ValueError(
                f"X has trials of {signal.shape[1:]} (channels, samples), fitted on {(self.n_chans_, self.n_times_)}: cut them alike"
            )
        with self._talking(), TemporaryDirectory() as folder:
            data = self._data(Path(folder), signal, None, None, about)
            data.setup()
            passes = predicted(self.objective_, in_order(data, data.windows, self.transforms_), device_of(Training()))
            return np.concatenate([next(iter(prediction.values())).numpy() for prediction, _ in passes])

    @abstractmethod
    def _labels(self, y: ndarray) -> ndarray:
        """What to learn: class numbers, or values."""

    @abstractmethod
    def _objective(self, encoder: Encoder, data: Data) -> Objective: ...

    def _data(
        self, folder: Path, X: ndarray, y: ndarray | None, groups: Any, about: dict[str, Any] | None = None
    ) -> Data:
        names = {**(about or self._about), "subjects": None if groups is None else list(groups)}
        store = Store.from_arrays(folder / "store", X, y, **names)
        fields = {"signal": Field(0.0, X.shape[2] / names["sfreq"])}
        target = [] if y is None else ["events.value" if y.dtype.kind == "f" else "events.trial_type"]
        split = Whole(self.val_fraction if y is not None else 0.0)
        return Data(
            str(store.path), Around(), fields, split, target, [RobustScale()], batch_size=min(self.batch_size, len(X))
        )

    def _encoder(self, facts: dict[str, Any]) -> Encoder:
        make = _encoder_class(self.encoder) if isinstance(self.encoder, str) else self.encoder
        taken = inspect.signature(make).parameters
        given = {name: value for name, value in facts.items() if name in taken}
        if "sfreq" in given and self._about["sfreq"] == _UNKNOWN_RATE:
            if taken["sfreq"].default is inspect.Parameter.empty:
                raise ValueError(
                    f"{self.encoder} works in hertz and arrays have no rate: give {type(self).__name__}(sfreq=...)"
                )
            del given["sfreq"]
        return make(**given)

    def _talking(self) -> Any:
        return nullcontext() if self.verbose else redirect_stdout(io.StringIO())


class Decoder(ClassifierMixin, _Trained):
    """Decodes classes from trials; a scikit-learn classifier for arrays [trial, channel, time] and mne.Epochs.

    `encoder` is the name of one in `brainfm.encoders`, a class, or a function that takes n_chans, n_times and sfreq.
    Signals are scaled robustly by the training trials. The classes weigh the same however rare they are.

    >>> import numpy as np, brainfm
    >>> X = np.random.default_rng(0).normal(size=(40, 8, 128)) * 1e-5
    >>> brainfm.Decoder(max_steps=2).fit(X, np.arange(40) % 2).predict(X).shape
    (40,)
    """

    def predict(self, X: Any) -> ndarray:
        """The likeliest class of each trial."""
        return self.classes_[self.predict_proba(X).argmax(1)]

    def predict_proba(self, X: Any) -> ndarray:
        """The probability of each class, in the order of `classes_`."""
        return self._outputs(X)

    def _labels(self, y: ndarray) -> ndarray:
        if y.dtype.kind == "f" and not np.equal(y, np.round(y)).all():
            raise ValueError(
                f"y holds fractions such as {y.flat[np.flatnonzero(y != np.round(y))[0]]:g}, which are no classes: take DecoderRegressor"
            )
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class, {str(self.classes_[0])!r}: there is nothing to tell apart")
        return codes

    def _objective(self, encoder: Encoder, data: Data) -> Objective:
        return _with_facts(Classification, encoder, data, class_weights="balanced")


class DecoderRegressor(RegressorMixin, _Trained):
    """Decodes one value from each trial; a scikit-learn regressor, in all else like Decoder."""

    def predict(self, X: Any) -> ndarray:
        """The value of each trial."""
        return self._outputs(X)[:, 0]

    def _labels(self, y: ndarray) -> ndarray:
        if y.ndim > 1:
            raise ValueError(
                f"y has shape {y.shape}, expected one value per trial: wrap this in sklearn.multioutput.MultiOutputRegressor"
            )
        return y.astype(float)

    def _objective(self, encoder: Encoder, data: Data) -> Objective:
        return _with_facts(Regression, encoder, data)


# stands for "arrays carry no rate": an encoder that must know it is refused
_UNKNOWN_RATE = 1.0


def _opened(X: Any, sfreq: float | None) -> tuple[ndarray, dict[str, Any]]:
    """The trials as an array, and what their channels are."""
    if hasattr(X, "get_data") and hasattr(X, "info"):
        epochs = X.copy().load_data().pick("data", exclude="bads")
        about = {
            "sfreq": float(epochs.info["sfreq"]),
            "ch_names": epochs.ch_names,
            "ch_types": epochs.get_channel_types(),
        }
        return epochs.get_data(copy=False), about
    signal = np.asarray(X)
    if signal.ndim != 3:
        raise ValueError(f"X has shape {signal.shape}, expected trials [trial, channel, time], or mne.Epochs")
    return signal, {"sfreq": sfreq or _UNKNOWN_RATE}


def _event_codes(X: Any) -> ndarray:
    if not hasattr(X, "events"):
        raise ValueError("y is missing, and only mne.Epochs bring their own labels: give one label per trial")
    return X.events[:, 2]


def _encoder_class(name: str) -> type[Encoder]:
    known = {leaf.name: leaf.path for leaf in leaves("Encoder")}
    return located_class(known.get(name, name), "encoder")


def _with_facts(objective: Callable[..., Objective], encoder: Encoder, data: Data, **given: Any) -> Objective:
    """An objective with what the data determine."""
    taken, facts = inspect.signature(objective).parameters, data.facts() | data.fold_facts()
    return objective(encoder=encoder, **{name: value for name, value in facts.items() if name in taken} | given)
