"""The data of a recipe: which windows of which store, split how, labelled with what, in batches of which size."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import partial
from typing import Any

import lightning
import numpy as np
import pandas as pd
from numpy import ndarray

from data_loaders import leakage, padding, targets
from data_loaders.bucket.address import check_no_secrets
from data_loaders.contracts import Batch, Field
from data_loaders.derived import materialise
from data_loaders.gather import Gather
from data_loaders.intervals import evenly
from data_loaders.joined import joined
from data_loaders.labelled import Labels, labelled, sizes
from data_loaders.metadata import metadata_of
from data_loaders.samplers.base import Sampler
from data_loaders.samplers.sequential import Sequential
from data_loaders.samplers.shuffle import Shuffle
from data_loaders.series import stretches
from data_loaders.shuffled import ShuffledGather
from data_loaders.signal_facts import check_channels, signal_facts
from data_loaders.splits.base import Fold, Split
from data_loaders.splits.share import check_less, less, of_subjects
from data_loaders.store import Store
from data_loaders.stream import Stream
from data_loaders.stream_facts import stream_facts
from data_loaders.transforms.base import Example, Transform, n_leading
from data_loaders.unit_sets import unit_facts
from data_loaders.windows import Rule, Windows

# enough for medians and variances, and a bound on the time to fit on a large store
_FIT_WINDOWS = 2000


class Data(lightning.LightningDataModule):
    """A store, or several read as one, cut into windows, split into folds and streamed in batches.

    `fields` names the stretches that a batch carries, in seconds from the anchor; `targets` what to decode (the grammar
    is in `data_loaders.targets`). Leading continuous transforms (filters, resampling) are run once over whole segments
    and kept; the others run on each window, fitted on the training part. `batch_size` counts over all ranks. To ask what
    few labels are worth, `train_share` keeps the first part of each recording's training windows (as many all over it with
    `train_spread`), `train_subjects` so many people; `subjects` names whose windows are used at all. A store may lie behind
    an address (s3://, gs://, https://): `storage_options` are fsspec's, for example {anon: true}.
    """

    def __init__(
        self,
        store: str | list[str],
        windows: Rule,
        fields: dict[str, Field],
        split: Split,
        targets: list[str] | None = None,
        transforms: list[Transform] | None = None,
        sampler: Sampler | None = None,
        batch_size: int = 64,
        train_share: float = 1.0,
        train_spread: bool = False,
        train_subjects: int | None = None,
        subjects: list[str] | None = None,
        threads: int = 1,
        depth: int = 4,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_no_secrets(storage_options)
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected at least 1, for example 64")
        check_less(train_share, train_subjects)
        if not fields:
            raise ValueError("fields is empty: name at least one, for example signal: {start: 0.0, stop: 2.0}")
        if not store:
            raise ValueError("store is empty: name at least one, for example store: stores/NAME")
        self.rule, self.fields, self.split, self.batch_size = windows, fields, split, batch_size
        self.sampler = sampler or Shuffle()
        self._target_texts, self._transforms = targets or [], transforms or []
        self._store_paths, self._storage_options = [store] if isinstance(store, str) else store, storage_options
        self._threads, self._depth, self._seed = threads, depth, 0
        self._fewer, self._only = (train_share, train_subjects, train_spread), subjects
        self._ready, self._shuffled = False, None
        self._fold: Fold | None = None
        self._train: Stream | None = None
        self._resumed: dict[str, Any] | None = None

    def setup(self, stage: str | None = None) -> None:
        """Opens the store, cuts windows and makes the folds; called again, does nothing."""
        if self._ready:
            return
        lead = n_leading(self._transforms)
        stores = [Store(path, storage_options=self._storage_options) for path in self._store_paths]
        self.store = joined([materialise(store, self._transforms[:lead]) for store in stores])
        self.transforms = self._transforms[lead:]
        cut = of_subjects(self.rule.cut(self.store, self.extent), self._only)
        self.windows, self.targets = labelled(self._target_texts, cut, self.store)
        self.subjects = sorted(set(self.store.catalog["subject"]))
        self.folds = self.split.folds(self.windows, self._strata(), self._seed)
        self._ready = True

    @property
    def extent(self) -> tuple[float, float]:
        """Seconds around its anchor over which a window reaches."""
        return min(f.start for f in self.fields.values()), max(f.stop for f in self.fields.values())

    def use(self, fold: int, seed: int = 0) -> Fold:
        """Makes one fold current: fits the transforms on its training part and lets the leakage guard look at it."""
        self.setup()
        self._fold, self._fold_number, self._seed = less(self.folds[fold], *self._fewer, seed), fold, seed
        self._train, self._resumed = None, None
        self.transforms = self._fitted(self.fold.train)
        labels = partial(self.labels, self.targets[0].name) if self.targets else None
        chain = [t for t in self._transforms if t.continuous] + self.transforms
        examples = partial(self._examples, before=[]) if "signal" in self.fields else None
        self.flags = leakage.check(self.fold, self.split, self.store, chain, labels, examples, not self.targets)
        return self.fold

    @property
    def fold(self) -> Fold:
        """The fold in use. Raises ValueError where none is."""
        if self._fold is None:
            raise ValueError(f"no fold is in use: call use(fold) with fold from 0 to {len(self.folds) - 1} first")
        return self._fold

    @property
    def seed(self) -> int:
        """The seed of the fold in use."""
        return self._seed

    def gather(self, windows: Windows) -> Gather:
        """What turns positions in these windows into batches."""
        return Gather(self.store, windows, self.fields, self.transforms, self.targets, self.subjects, self._seed)

    def shuffled(self, seed: int) -> Data:
        """The same data, but each window has the signal of another window of its recording: for a control."""
        other = copy(self)
        other._shuffled, other._train, other._resumed = seed, None, None
        return other

    def train_dataloader(self) -> Stream:
        """The endless shuffled stream of the training part."""
        sampler = self.sampler.bind(self.fold.train, self.batch_size, self._seed, self._reader(self.fold.train))
        self._train = self._stream(sampler, once=False, shared=True)
        padding.tell(self._train, sizes(self.gather(self.fold.train)))
        if self._resumed is not None:
            self._train.load_state_dict(self._resumed)
        self._resumed = None
        return self._train

    def state_dict(self) -> dict[str, Any]:
        """Where training stands in its order. Lightning keeps it with the checkpoint, beside its own note of the same."""
        return {} if self._train is None else {"train": self._train.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues the order there. Lightning's own note is lost where a module asks for `estimated_stepping_batches`."""
        self._resumed = state_dict.get("train")
        if self._train is not None and self._resumed is not None:
            self._train.load_state_dict(self._resumed)

    def val_dataloader(self) -> Stream:
        """The validation part, in order, shared by the ranks; as draws where training compares several views."""
        return self.part("val", shared=True) if self.sampler.n_views == 1 else self.draws("val", shared=True)

    def draws(self, name: str, shared: bool = False) -> Stream:
        """What the sampler draws from a part of the current fold, the same at every pass; of `shared` draws, a rank's part."""
        windows = getattr(self.fold, name)
        sampler = self.sampler.bind(windows, self.batch_size, self._seed, self._reader(windows))
        return self._stream(sampler, once=True, shared=shared)

    def test_dataloader(self) -> Stream:
        """The test part, in order, shared by the ranks."""
        return self.part("test", shared=True)

    def part(self, name: str, at_most: int | None = None, shared: bool = False) -> Stream:
        """One part of the current fold (train, val, test), in order and once; of a larger one `at_most` windows, at random.

        Whole, for a process that judges alone; `shared`, of each batch what this rank is to look at.
        """
        windows = getattr(self.fold, name)
        if at_most is not None and len(windows) > at_most:
            drawn = np.random.default_rng(self._seed).choice(len(windows), at_most, replace=False)
            windows = windows.take(np.sort(drawn))
        sampler = Sequential().bind(windows, self.batch_size, self._seed, self._reader(windows))
        return self._stream(sampler, once=True, shared=shared)

    def series(self, part: str) -> Iterator[Batch]:
        """The whole series of a part, one Batch each: the stretches that hold its windows and no other part's, in order.

        All fields cover the whole stretch, and `window_id` names its first sample. There are no targets, because a
        series has one for each of its windows: streams carry what varies in time.
        """
        for stretch in stretches(self.store, self.windows, getattr(self.fold, part)):
            windows, fields = stretch.windows(self.store), stretch.fields(self.fields, self.store)
            gather = Gather(self.store, windows, fields, self.transforms, [], self.subjects, self._seed)
            yield gather(np.zeros((1, 1), dtype=np.int64))

    def labels(self, name: str, windows: Windows, index: ndarray | None = None) -> ndarray:
        """A target, a stream at the anchors, or a metadata column: one row per window."""
        index = np.arange(len(windows)) if index is None else index
        known = {target.name: target for target in self.targets}
        if name not in known and name not in windows.metadata.columns:
            known[name], _ = targets.resolve(name, windows, self.store)
        return known[name].read(windows, index).numpy() if name in known else windows.column(name, index)

    def metadata(self, part: str) -> pd.DataFrame:
        """One row per window of a part, by window id: names, `onset_s` (seconds into the recording), true targets."""
        return metadata_of(getattr(self.fold, part), self.targets, self._fold_number)

    def facts(self) -> dict[str, Any]:
        """What encoders and objectives may ask for by name, the same in every fold."""
        self.setup()
        if self._fold is None and any(transform.fitted for transform in self.transforms):
            # only a fitted chain knows what comes out; every fold gives the same shapes
            self.transforms = self._fitted(self.folds[0].train)
        facts: dict[str, Any] = {"n_subjects": len(self.subjects), **signal_facts(self.gather(self.windows))}
        if any(field.source == "spikes" for field in self.fields.values()):
            facts |= unit_facts(self.store)
        facts |= stream_facts(self.fields, self.store)
        if self.targets:
            facts |= {"n_outputs": self.targets[0].n_outputs, "target": self.targets[0].name}
        return facts

    def fold_facts(self) -> dict[str, Any]:
        """What is counted on the training part of the current fold: class counts, or mean and standard deviation."""
        if not self.targets:
            return {}
        train, target = self.fold.train, self.targets[0]
        values = target.read(train, evenly(len(train), 20 * _FIT_WINDOWS)).numpy()
        if target.classes:
            return {"class_counts": np.bincount(values, minlength=len(target.classes)).tolist()}
        return {"target_mean": values.mean(0).tolist(), "target_std": values.std(0).clip(1e-12).tolist()}

    def check_channels(self, need: str) -> None:
        """Refuses an encoder with fixed inputs where recordings have different channels.

        Raises ValueError with the transform that mends it.
        """
        check_channels(self.gather(self.windows), need)

    def _strata(self) -> ndarray | None:
        classes = [target for target in self.targets if target.classes]
        return classes[0].read(self.windows, np.arange(len(self.windows))).numpy() if classes else None

    def _fitted(self, train: Windows) -> list[Transform]:
        fitted: list[Transform] = []
        chain = [t for t in self._transforms if not t.continuous]
        for transform in chain:
            index = evenly(len(train), _FIT_WINDOWS)
            fitted.append(transform.fit(self._examples(train, index, fitted)) if transform.fitted else transform)
        return fitted

    def _examples(self, windows: Windows, index: ndarray, before: list[Transform]) -> list[Example]:
        """Windows as the transform after `before` sees them."""
        gather = Gather(self.store, windows, self.fields, before, self.targets, self.subjects, self._seed)
        run, anchor = windows.locate(index)
        labels = self.labels(self.targets[0].name, windows, index) if self.targets else [None] * len(index)
        known = {int(r): gather.infos(int(r))[-1] for r in np.unique(windows.recording[run])}
        where = zip(windows.recording[run], anchor[:, None], labels, windows.ids(index), strict=True)
        return [Example(known[int(r)], gather.windows_of(int(r), at)[0].T, label, int(i)) for r, at, label, i in where]

    def _reader(self, windows: Windows) -> Labels:
        return Labels(partial(self.labels, windows=windows), self.targets, self.gather(windows))

    def _stream(self, sampler: Sampler, **place: Any) -> Stream:
        gather = self.gather(sampler.windows)
        if self._shuffled is not None:
            gather = ShuffledGather(gather, self._shuffled)
        return Stream(gather, sampler, threads=self._threads, depth=self._depth, **place)
