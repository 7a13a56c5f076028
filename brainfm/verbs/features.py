"""Extracts features of what recordings played (words, sound) and attaches them to a store as streams."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from brainfm.grammar.nearest import RecipeError

EXAMPLES = """\
  brainfm features gpt2 --words story.TextGrid --store stores/lebel --layers 8 12
  brainfm features gpt2 --stimuli played.tsv --store stores/lebel      which recording played which story
  brainfm features gpt2 --store stores/lebel2023                       the words are events of the store
  brainfm features controls --words story.tsv --store stores/lebel     word rate, length, frequency, position
  brainfm features gpt2 --words story.tsv --out story.npz              without a store: one row per word
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="a model of the hub, a folder, a llama2.c .bin file, or controls"
    )
    parser.add_argument(
        "--words",
        metavar="FILE",
        help="a .TextGrid, a .tsv (word, onset, duration), a .txt, or a .wav file; the store's events where left out",
    )
    parser.add_argument(
        "--stimuli", metavar="TABLE", help="which recording played which file: recording, stimulus, onset"
    )
    parser.add_argument("--store", help="attach the features to the recordings of this store")
    parser.add_argument("--out", metavar="NPZ", help="write them to this file instead")
    parser.add_argument("--layers", nargs="+", default=["all"], help="numbers of hidden states, static, or all")
    parser.add_argument("--context", type=int, help="words that the model sees; 512 where left out")
    parser.add_argument("--rate", metavar="STREAM", help="a stream with the rate of words, for a .txt without times")
    parser.add_argument(
        "--sfreq", type=float, help="rate of the streams, hertz; the recording's, at most 100, where left out"
    )
    parser.add_argument("--normalize", action="store_true", help="means of the words around a sample, not their sum")
    parser.add_argument("--name", help="what the features are called; the model's name where left out")
    parser.add_argument("--compat", choices=["paper"], help='as published: "\'s" repeats the vector before it')


def run(args: Namespace) -> None:
    if args.words is not None and args.stimuli is not None:
        raise RecipeError("--words FILE and --stimuli TABLE both say what was played: leave one out")
    if (args.store is None) == (args.out is None):
        raise RecipeError("one of --store STORE and --out FILE is needed: where the features go")
    if args.out:
        return _to_file(args)
    from brainfm.run.features import Placing, Played, extract_into, matched
    from brainfm.run.spoken import spoken
    from data_loaders.store import Store
    from data_loaders.words import read_stimuli

    store = Path(args.store)
    if args.stimuli:
        played = matched(read_stimuli(Path(args.stimuli)), store, Path(args.stimuli).parent)
    elif args.words is None:
        played = spoken(store)
    else:
        played = [Played(str(name), Path(args.words), 0.0) for name in Store(store).catalog["name"]]
    extractor = _extractor(args, played[0].file)
    names = extract_into(store, extractor, played, Placing(args.sfreq, args.normalize), args.rate, args.name)
    print(f"{store}: {len({one.recording for one in played})} recordings have the streams {', '.join(names)}")
    print(f"a recipe names one as a field: words: {{source: {names[-1]}, start: -8.0, stop: 0.0}}")


def _to_file(args: Namespace) -> None:
    from brainfm.run.features import stimulus_of

    if not args.words:
        raise RecipeError("--out takes one stimulus: write --words FILE, or --store for a table of stimuli")
    stimulus = stimulus_of(Path(args.words), Path(), "", None)
    features = _extractor(args, Path(args.words)).extract(stimulus)
    features.save(Path(args.out))
    print(f"{args.out} has {len(features.times):,} rows for {', '.join(features.layers)}")


def _extractor(args: Namespace, file: Path) -> Any:
    layers = "all" if args.layers == ["all"] else [n if n == "static" else int(n) for n in args.layers]
    context = {} if args.context is None else {"context": args.context}
    if args.model == "controls":
        from brainfm.stimuli.controls import Controls

        return Controls()
    if file.suffix.lower() == ".wav":
        from brainfm.stimuli.speech import Speech

        return Speech(args.model, layers, **context)  # type: ignore[arg-type]
    from brainfm.stimuli.text import Text

    keep = {} if args.context is None else {"keep": args.context // 2}
    return Text(args.model, layers, **context, **keep, compat=args.compat)
