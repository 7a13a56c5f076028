"""Tells what a store holds, checks every byte of it, or draws a window and where its channels are."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

EXAMPLES = """\
  brainfm data stores/eegmat                     studies, people, hours, channels, rates
  brainfm data stores/eegmat --check             reads every byte and holds it against its checksum
  brainfm data stores/eegmat --plot window       a PNG of ten seconds; --recording 3 --start 60 for another
  brainfm data stores/eegmat --plot channels     a PNG of where the channels are
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("store", metavar="STORE", help="a folder that `brainfm prepare` wrote")
    parser.add_argument("--check", action="store_true", help="read everything and name the damaged files")
    parser.add_argument("--plot", choices=("window", "channels"), help="write a picture")
    parser.add_argument(
        "--recording", type=int, default=0, help="the number of the recording to draw; the first where left out"
    )
    parser.add_argument("--start", type=float, default=0.0, help="the second at which the window begins")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the window is")
    parser.add_argument("--out", metavar="PNG", help="where the picture goes; STORE-window.png where left out")


def run(args: Namespace) -> None:
    from data_loaders import overview
    from data_loaders.store import Store

    store = Store(args.store)
    if args.check:
        return overview.check(store)
    if args.plot is None:
        return overview.tell(store)
    from brainfm.report import store_pictures

    out = Path(args.out or f"{Path(args.store).name}-{args.plot}.png")
    if args.plot == "window":
        store_pictures.window(store, args.recording, args.start, args.seconds, out)
    else:
        store_pictures.channels(store, args.recording, out)
    print(out)
