"""Writes a model's predictions as a table keyed by recording and time, as parquet and csv."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from brainfm import hub
from brainfm.grammar.nearest import RecipeError
from brainfm.verbs.base import run_folder, takes_overrides

EXAMPLES = """\
  brainfm predict runs/eegmat                                 the test windows of every fold
  brainfm predict runs/eegmat --store stores/new --fold 0     other recordings, which need no labels
  brainfm predict hf://my-lab/eegmat --store stores/new       by a model of the hub
  brainfm predict runs/eegmat --store stores/new --data.windows.stride 0.5 --data.batch_size 256

what was trained stays: of the recipe, data.batch_size, data.threads, data.depth, data.storage_options and trainer.accelerator can be
set; of other recordings also data.windows, data.subjects and data.targets.
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder that `brainfm fit` wrote, or hf://OWNER/NAME")
    parser.add_argument("--store", help="predict the recordings of this store")
    parser.add_argument("--config", metavar="RECIPE", help="predict the recordings of this recipe's store")
    parser.add_argument("--fold", type=int, help="the model of this fold; all where left out")
    parser.add_argument(
        "--out", metavar="DIR", help="where the tables go; the run folder, or this one for a model of the hub"
    )
    takes_overrides(parser)
    parser.add_argument("--print_config", action="store_true", help="print the recipe of the run, and stop")


def run(args: Namespace) -> None:
    far = hub.is_address(args.run)
    folder = hub.local(args.run) if far else run_folder(args)
    store = _store(args)
    if args.print_config:
        from brainfm.run.rejudged import predicting, text

        return print(text(predicting(folder, args.overrides, elsewhere=store is not None)), end="")
    out = Path(args.out or ".") if far or args.out else folder
    if store is not None:
        from brainfm.run.elsewhere import predict_elsewhere

        predict_elsewhere(folder, store, args.fold, out, args.overrides)
        return None
    from brainfm.run.predict import predict

    predict(folder, args.fold, out, args.overrides)
    return None


def _store(args: Namespace) -> str | None:
    """The store to predict, if it is not the run's own. Raises RecipeError where it is not there."""
    from brainfm.grammar.read import read
    from brainfm.grammar.stores import check_present, store_of

    store = args.store
    if store is None and args.config:
        store = store_of(read(Path(args.config)))
        if store is None:
            raise RecipeError(f"{args.config} names no store: write --store stores/NAME")
    if store is None:
        return None
    check_present({"data": {"init_args": {"store": store}}})
    return store
