"""Writes the report of a run: one HTML page with everything in it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from brainfm.verbs.base import run_folder

EXAMPLES = "  brainfm report runs/eegmat\n"


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder that `brainfm fit` wrote")


def run(args: Namespace) -> None:
    folder = run_folder(args)
    from brainfm.report.page import write

    print(f"report: {write(folder)}")
