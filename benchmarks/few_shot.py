"""Hand velocity from few labels: a pretrained Neuroformer beside one from scratch, a GRU and ridge on the same windows.

    brainfm prepare reaching stores/reaching
    brainfm fit --config recipes/generate/reaching.yaml
    python benchmarks/few_shot.py [--pretrained runs/reaching] [--shares 0.01 0.1 1.0] [--out runs/few_shot]

Each share keeps evenly spaced training windows of `recipes/decode/reaching_tokens.yaml` (1 % of them are 60; the first 1 % of the
recording would be three seconds, one reach); the validation part that chooses the step is whole for every model. Each fold
starts from the pretrained fold of the same number, which never saw its test part. The GRU and ridge read the counts of the
same 0.2 s in bins of 10 ms. Few windows are seen for fewer steps: SHARE_STEPS, the same for every model. Prints R2 with
its 95 % interval, and `figure` lines; runs that were finished before are read, not repeated. `--folds 1` looks at the
first fold alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from brainfm.recipe import Recipe
from brainfm.run.fit import fit

RECIPE = Path(__file__).parents[1] / "recipes/decode/reaching_tokens.yaml"
SHARE_STEPS = {0.01: 120, 0.1: 300, 1.0: 800}
GRU = "{class_path: brainfm.encoders.gru.GRU, init_args: {hidden: 64, dropout: 0.3}}"


def main() -> None:
    arguments = _arguments()
    rows = []
    for share in arguments.shares:
        for name, overrides in _models(arguments.pretrained).items():
            table = _fitted(arguments.out / f"{name}_{share:g}", share, overrides, arguments.folds)
            rows.append({"model": name, "share": share, **_r2(table, first=True)})
            if name == "scratch":
                rows.append({"model": "ridge", "share": share, **_r2(table, first=False)})
    _print(pd.DataFrame(rows))


def _models(pretrained: Path) -> dict[str, list[tuple[str, str]]]:
    """What differs from the recipe, which trains from scratch."""
    start = ("init_from", str(pretrained))
    return {
        "scratch": [],
        "finetuned": [start],
        "frozen": [start, ("freeze", "[encoder]")],
        "gru": [("encoder", GRU), ("optimizer.lr", "4.0e-3"), ("scheduler.max_lr", "4.0e-3")],
    }


def _fitted(out: Path, share: float, overrides: list[tuple[str, str]], n_folds: int | None) -> pd.DataFrame:
    if not (out / "summary.csv").exists():
        steps = SHARE_STEPS.get(share, 800)
        shared = [("trainer.max_steps", str(steps)), ("trainer.val_every", str(steps // 10)), ("name", out.name)]
        recipe = Recipe.read(
            [RECIPE], [("data.train_share", str(share)), ("data.train_spread", "true"), *shared, *overrides]
        )
        recipe.data.folds = recipe.data.folds[:n_folds]
        fit(recipe, out)
    return pd.read_csv(out / "summary.csv")


def _r2(table: pd.DataFrame, first: bool) -> dict[str, float]:
    """Of the trained model, which stands first, or of ridge."""
    found = table[table["metric"] == "r2"]
    row = found.iloc[0] if first else found[found["model"] == "ridge"].iloc[0]
    return {name: float(row[name]) for name in ("value", "low", "high")}


def _print(table: pd.DataFrame) -> None:
    told = table.assign(r2=[f"{r.value:.3f} [{r.low:.3f}, {r.high:.3f}]" for r in table.itertuples()])
    print(told.pivot_table(index="model", columns="share", values="r2", aggfunc="first", sort=False).to_string())
    for row in table.itertuples():
        print(f"figure r2_{row.model}_{row.share:g} {row.value:.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pretrained", type=Path, default=Path("runs/reaching"), help="the run of the generative recipe"
    )
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.1, 1.0], help="of the training windows")
    parser.add_argument("--folds", type=int, help="how many; all where left out")
    parser.add_argument("--out", type=Path, default=Path("runs/few_shot"), help="where runs are kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
