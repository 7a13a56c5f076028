"""Runs a model of spikes forward and writes what it fires as a table, as parquet and csv."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from brainfm.verbs.base import run_folder

EXAMPLES = """\
  brainfm generate runs/reaching                               a second from each stretch of the test part of every fold
  brainfm generate runs/reaching --n_windows 100 --n 8 --top_p 0.95 --temperature 0.9
  brainfm generate runs/visual --drop frames --hold speed      what it fires in the dark, at the first speed
"""


def flags(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder that `brainfm fit` wrote, with a SpikePrediction")
    parser.add_argument("--fold", type=int, help="the model of this fold; all where left out")
    parser.add_argument("--n_windows", type=int, default=20, help="consecutive windows of a rollout (default 20)")
    parser.add_argument("--n", type=int, default=1, help="rollouts of each stretch (default 1)")
    parser.add_argument(
        "--max_stretches", type=int, default=128, help="stretches of a fold, evenly spaced (default 128)"
    )
    parser.add_argument("--temperature", type=float, default=1.0, help="above 1 more varied, below 1 less")
    parser.add_argument("--top_k", type=int, help="draw among the k likeliest")
    parser.add_argument("--top_p", type=float, help="draw among the likeliest that together have this probability")
    parser.add_argument("--greedy", action="store_true", help="always take the likeliest")
    parser.add_argument("--drop", nargs="+", default=[], metavar="FIELD", help="modalities that the model is not shown")
    parser.add_argument(
        "--hold", nargs="+", default=[], metavar="FIELD", help="modalities that stay as they were at first"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed writes the same spikes")
    parser.add_argument("--print_config", action="store_true", help="print the recipe of the run, and stop")


def run(args: Namespace) -> None:
    folder = run_folder(args)
    if args.print_config:
        return print((folder / "recipe.yaml").read_text(encoding="utf-8"), end="")
    from brainfm.nn.sampling import Sampling
    from brainfm.run.generate import Plan, generate

    sampling = Sampling(args.temperature, args.top_k, args.top_p, args.greedy)
    plan = Plan(args.n_windows, args.n, args.max_stretches, args.drop, args.hold, args.seed)
    generate(folder, plan, sampling, fold=args.fold)
