"""Extracts features of what recordings played or showed (words, sound, images) and attaches them to a store as streams."""

from __future__ import annotations

import shutil
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from brainfm.grammar.nearest import RecipeError

EXAMPLES = """\
  brainfm features gpt2 --words story.TextGrid --store stores/lebel --layers 8 12
  brainfm features gpt2 --stimuli played.tsv --store stores/lebel      which recording played which story
  brainfm features gpt2 --store stores/lebel2023                       the words are events of the store
  brainfm features controls --words story.tsv --store stores/lebel     word rate, length, frequency, position
  brainfm features facebook/hubert-base-ls960 --sound story.wav --store stores/lebel
  brainfm features timm:resnet50 --images shown/ --store stores/things --layers layer3 features
  brainfm features openai/clip-vit-base-patch32 --images shown/ --out clip.npz      without a store: one row per image

what was made is kept, long stimuli piece by piece: stopped, the same command goes on where it was.
"""
_SOURCES = ("words", "sound", "images", "stimuli")


def flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="a model of the hub, a folder, timm:NAME, a llama2.c .bin file, or controls"
    )
    parser.add_argument(
        "--words",
        metavar="FILE",
        help="a .TextGrid, a .tsv (word, onset, duration), or a .txt file; the store's events where left out",
    )
    parser.add_argument("--sound", metavar="FILE", help="a .wav file that every recording played from its start")
    parser.add_argument("--images", metavar="FOLDER", help="the images that were shown, which events name")
    parser.add_argument(
        "--stimuli", metavar="TABLE", help="which recording played which file: recording, stimulus, onset"
    )
    parser.add_argument(
        "--column", default="stim_file", help="the column of events that names images; stim_file where left out"
    )
    parser.add_argument("--store", help="attach the features to the recordings of this store")
    parser.add_argument("--out", metavar="NPZ", help="write them to this file instead")
    parser.add_argument(
        "--layers", nargs="+", help="numbers of hidden states, static, embedding, modules of a timm model, or all"
    )
    parser.add_argument(
        "--context", type=float, help="words that the model sees, or seconds of sound; 512 and 16 where left out"
    )
    parser.add_argument("--rate", metavar="STREAM", help="a stream with the rate of words, for a .txt without times")
    parser.add_argument(
        "--sfreq", type=float, help="rate of the streams, hertz; the recording's, at most 100, where left out"
    )
    parser.add_argument("--normalize", action="store_true", help="means of the words around a sample, not their sum")
    parser.add_argument("--name", help="what the features are called; the model's name where left out")
    parser.add_argument("--untrained", action="store_true", help="an image model with random weights, a control")
    parser.add_argument("--compat", choices=["paper"], help='as published: "\'s" repeats the vector before it')


def run(args: Namespace) -> None:
    given = [name for name in _SOURCES if getattr(args, name) is not None]
    if len(given) > 1:
        raise RecipeError(f"--{given[0]} and --{given[1]} both say what was played or shown: leave one out")
    if (args.store is None) == (args.out is None):
        raise RecipeError("one of --store STORE and --out FILE is needed: where the features go")
    if args.out:
        return _to_file(args)
    store = Path(args.store)
    names = _images(args, store) if args.images else _played(args, store)
    print(f"a recipe names one as a field: features: {{source: {names[-1]}, start: -8.0, stop: 0.0}}")


def _images(args: Namespace, store: Path) -> list[str]:
    from brainfm.run.features import Placing
    from brainfm.run.image_features import images_into

    names = images_into(store, _extractor(args), Path(args.images), Placing(args.sfreq), args.column, args.name)
    print(f"{store}: recordings that were shown images have the streams {', '.join(names)}")
    return names


def _played(args: Namespace, store: Path) -> list[str]:
    from brainfm.run.features import Placing, Played, extract_into, matched
    from brainfm.run.spoken import spoken
    from data_loaders.store import Store
    from data_loaders.words import read_stimuli

    if args.stimuli:
        played = matched(read_stimuli(Path(args.stimuli)), store, Path(args.stimuli).parent)
    elif args.words is None and args.sound is None:
        played = spoken(store)
    else:
        played = [Played(str(name), _file(args), 0.0) for name in Store(store).catalog["name"]]
    extractor = _extractor(args, played[0].file)
    names = extract_into(store, extractor, played, Placing(args.sfreq, args.normalize), args.rate, args.name)
    print(f"{store}: {len({one.recording for one in played})} recordings have the streams {', '.join(names)}")
    return names


def _to_file(args: Namespace) -> None:
    from brainfm.run.features import kept_features, stimulus_of
    from brainfm.stimuli.images import Pictures

    if args.stimuli or not (args.words or args.sound or args.images):
        raise RecipeError(
            "--out takes one stimulus: write --words, --sound or --images, or --store for a table of stimuli"
        )
    out = Path(args.out)
    stimulus = Pictures.of(Path(args.images)) if args.images else stimulus_of(_file(args), Path(), "", None)
    kept = out.with_name(f".{out.name}.kept")
    features = kept_features(kept, _extractor(args, None if args.images else _file(args)), stimulus)
    features.save(out)
    shutil.rmtree(kept)
    print(f"{out} has {len(features.times):,} rows for {', '.join(features.layers)}")


def _file(args: Namespace) -> Path:
    """The file that was played. Raises RecipeError for sound that is none."""
    if args.sound and Path(args.sound).suffix.lower() != ".wav":
        raise RecipeError(
            f"--sound {args.sound} is no .wav file: convert it, for example `ffmpeg -i FILE -ac 1 -ar 16000 OUT.wav`"
        )
    return Path(args.words or args.sound)


def _extractor(args: Namespace, file: Path | None = None) -> Any:
    asked = args.layers or (None if args.images else ["all"])
    layers: Any = "all" if asked == ["all"] else asked and [int(n) if n.lstrip("-").isdigit() else n for n in asked]
    if args.model == "controls":
        from brainfm.stimuli.controls import Controls

        return Controls()
    if file is None:
        from brainfm.stimuli.images import Images

        return Images(args.model, layers, pretrained=not args.untrained)
    if file.suffix.lower() == ".wav":
        from brainfm.stimuli.speech import Speech

        return Speech(args.model, layers, **({} if args.context is None else {"context": args.context}))
    from brainfm.stimuli.text import Text

    if args.context is None:
        return Text(args.model, layers, compat=args.compat)
    return Text(args.model, layers, int(args.context), int(args.context) // 2, compat=args.compat)
