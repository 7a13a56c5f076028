"""A training step of contrastive learning, ours beside cebra's, in turn on the same cores and on the same data.

    BRAINFM_PEERS=/path/to/peers/bin/python python benchmarks/contrastive.py [--pairs 30] [--threads 2] [--only labels_400k]

cebra lives in another environment, whose interpreter `$BRAINFM_PEERS` names. Both sides train offset10-model with Adam on the
same arrays from the same first weights, batches of 512; a step is drawing, gathering, forward, loss, backward and update.
Their draws come from their own generators, so the loss curves are compared by the mean over the second half of the
steps. The figures are medians over pairs of the ratio of their times.

    time          10,000 samples x 120 neurons, hidden 64, output 32, positives 10 samples later
    labels_10k    the same with a label of two dimensions (time_delta)
    labels_400k   400,000 samples x 30 neurons, hidden 16, output 8, a label of two dimensions
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sides import Side, Step, peers, serve

# samples, neurons, hidden, output, labels
CASES = {
    "time": (10_000, 120, 64, 32, False),
    "labels_10k": (10_000, 120, 64, 32, True),
    "labels_400k": (400_000, 30, 16, 8, True),
}
BATCH, OFFSET, LR = 512, 10, 3e-4


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.side:
        return serve(_SIDES[arguments.side](arguments.case, Path(arguments.shared)))
    python, figures = peers("cebra", "torch cebra"), {}
    for case in [arguments.only] if arguments.only else CASES:
        with tempfile.TemporaryDirectory() as shared:
            figures[case] = compare(case, python, Path(shared), arguments)
    search()
    for case, ratio in figures.items():
        print(f"figure {case}_vs_cebra {ratio:.2f}")


def compare(case: str, python: str, shared: Path, arguments: argparse.Namespace) -> float:
    """Runs both sides in turn and returns the median over pairs of their ratio."""
    theirs = Side(python, __file__, "cebra", shared, arguments.threads, "--case", case)
    ours = Side(sys.executable, __file__, "ours", shared, arguments.threads, "--case", case)
    n_pairs = arguments.pairs if CASES[case][0] <= 10_000 else max(3, arguments.pairs // 6)
    pairs = [(theirs.step(), ours.step()) for _ in range(n_pairs)]
    ratio = statistics.median(their[0] / our[0] for their, our in pairs)
    their_ms, our_ms = (1e3 * statistics.median(took for took, _ in side) for side in zip(*pairs, strict=True))
    their_loss, our_loss = (
        statistics.mean(loss for _, loss in side[len(side) // 2 :]) for side in zip(*pairs, strict=True)
    )
    samples, neurons, hidden, output, labels = CASES[case]
    print(
        f"{case}: {samples:,} samples x {neurons} neurons, hidden {hidden}, output {output}, {'2-D label' if labels else 'time'}"
    )
    print(
        f"  cebra on torch {theirs.torch}: {their_ms:.1f} ms a step, peak {theirs.close():.2f} GB, loss {their_loss:.4f}"
    )
    print(f"  ours on torch {ours.torch}: {our_ms:.2f} ms a step, peak {ours.close():.2f} GB, loss {our_loss:.4f}")
    print(f"  ratio {ratio:.2f} ({n_pairs} pairs, {arguments.threads} threads, float32)")
    return ratio


def search() -> None:
    """Our search for 512 positives, by samples and dimensions of the label."""
    from data_loaders.nearest import Nearest

    print("searching 512 positives, ms (labels on a smooth path):")
    for n_dims in (1, 2, 3):
        took = []
        for samples in (10_000, 100_000, 1_000_000):
            labels = _labels(samples, n_dims)
            nearest, rng = Nearest(labels), np.random.default_rng(1)
            query = [
                labels[rng.integers(0, samples, BATCH)] + 0.01 * rng.standard_normal((BATCH, n_dims)) for _ in range(9)
            ]
            took.append(statistics.median(_seconds(lambda nearest=nearest, q=q: nearest.find(q)) for q in query))
        print(
            f"  {n_dims}-D: "
            + ", ".join(f"{1e3 * t:.2f} at T = {n}" for t, n in zip(took, ("10^4", "10^5", "10^6"), strict=True))
        )


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def cebra_side(case: str, shared: Path) -> Step:
    """cebra's solver and loader, whose first weights are left in `shared`."""
    import cebra.data
    import cebra.models
    import cebra.solver

    samples, neurons, hidden, output, labels = CASES[case]
    signal, label = _data(samples, neurons)
    data = cebra.data.TensorDataset(torch.from_numpy(signal), continuous=torch.from_numpy(label), device="cpu")
    loader = cebra.data.ContinuousDataLoader(
        data, num_steps=1_000_000, batch_size=BATCH, conditional="time_delta" if labels else "time", time_offset=OFFSET
    )
    torch.manual_seed(0)
    model = cebra.models.init("offset10-model", num_neurons=neurons, num_units=hidden, num_output=output)
    torch.save(model.state_dict(), shared / "weights.pt")
    data.configure_for(model)
    criterion = cebra.models.criterions.FixedCosineInfoNCE(1.0)
    optimizer = torch.optim.Adam([*model.parameters(), *criterion.parameters()], lr=LR)
    solver = cebra.solver.SingleSessionSolver(model=model, criterion=criterion, optimizer=optimizer)
    batches = iter(loader)
    return lambda: float(solver.step(next(batches))["total"])


def our_side(case: str, shared: Path) -> Step:
    """What `brainfm.Contrastive` does at each step, from the same weights."""
    import brainfm
    from brainfm.embedding import loop

    samples, neurons, hidden, output, labels = CASES[case]
    signal, label = _data(samples, neurons)
    model = brainfm.Contrastive(
        "offset10-model", output, hidden, BATCH, 0, LR, time_offsets=OFFSET, held_out=0.0, shuffle_control=False
    )
    given = (label,) if labels else ()
    model.fit(signal, *given)
    model.objective_.encoder.load_state_dict(torch.load(shared / "weights.pt", weights_only=True))
    draws = model._parts(*model._read(signal, given))[0](None)
    steps = iter(range(1_000_000))

    def step() -> float:
        number = next(steps)
        return loop.learn(model.objective_, draws, model.optimizer_, range(number, number + 1))[0]

    return step


_SIDES = {"cebra": cebra_side, "ours": our_side}


def _data(samples: int, neurons: int) -> tuple[np.ndarray, np.ndarray]:
    """Neurons tuned to a smooth path in the plane, which is the label."""
    rng, label = np.random.default_rng(0), _labels(samples, 2)
    weight = rng.standard_normal((2, neurons), dtype=np.float32)
    return np.tanh(label @ weight) + rng.standard_normal((samples, neurons), dtype=np.float32), label


def _labels(samples: int, n_dims: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    turn = np.cumsum(rng.standard_normal((samples, n_dims)) * 0.02, axis=0) + 0.01 * np.arange(samples)[:, None]
    return np.sin(turn * (1 + 0.3 * np.arange(n_dims))).astype(np.float32)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=30, help="pairs of steps; a sixth of it at 400,000 samples")
    parser.add_argument("--threads", type=int, default=2, help="cores for either side")
    parser.add_argument("--only", choices=CASES, help="one case")
    parser.add_argument("--side", choices=sorted(_SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--shared", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
