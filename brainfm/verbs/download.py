"""Downloads a public dataset: says first how large it is, under which licence, and whom to cite."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from brainfm.grammar.nearest import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_loaders.archives.base import File
    from data_loaders.studies.base import Study

EXAMPLES = """\
  brainfm download eegmat                                        into data/eegmat, after asking
  brainfm download hbn_eeg ~/data/hbn --part R5_mini --yes       twenty people of release 5
  brainfm download perich_miller --part C --include '*_CO_*'     files whose path matches
  brainfm prepare eegmat stores/eegmat                           what to do next

a download that was stopped goes on with the same command.
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY", help="a name that `brainfm ls studies` shows")
    parser.add_argument("dest", nargs="?", metavar="DEST", help="the folder; data/STUDY where left out")
    parser.add_argument("--part", help="only this part of the study")
    parser.add_argument(
        "--include", nargs="+", default=[], metavar="PATTERN", help="only files whose path matches, such as 'sub-01/*'"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: Namespace) -> None:
    from data_loaders import studies

    study, dest = studies.find(args.study), folder(args.study, args.dest)
    for name, value in study.facts().items():
        print(f"{name:8} {value}")
    files = study.chosen(args.part, args.include)
    n_files = _tell(study, files, dest, args.part)
    if n_files and not (args.yes or _agreed()):
        return print("nothing was downloaded")
    study.download(files, dest)
    print(f"{dest} is there; next: brainfm prepare {args.study if args.dest is None else dest} stores/{args.study}")


def folder(study: str, dest: str | None = None) -> Path:
    """Where a study's files are: the folder that is named, else data/STUDY."""
    return Path(dest).expanduser() if dest else Path("data") / study


def _tell(study: Study, files: Sequence[File], dest: Path, part: str | None) -> int:
    """Says how much is to come, and how many files that is."""
    from data_loaders.studies.base import human, remaining

    n_files, size, sure = remaining(files, dest)
    asked = f"{part or study.default or 'everything'} of {study.name}"
    amount = (
        human(size)
        if sure
        else f"at least {human(size)}, the archive does not give every size"
        if size
        else "of unknown size"
    )
    print(
        f"asked    {asked}: {len(files):,} files, {len(files) - n_files:,} of them in {dest}; to come: {n_files:,} files, {amount}"
    )
    return n_files


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise RecipeError("nobody is there to be asked: read the licence above, and add --yes")
    return input("download? [y/N] ").strip().lower() in ("y", "yes")
