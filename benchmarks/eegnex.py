"""Training step of EEGNeX on 64 x 22 x 1000, ours beside braindecode's, in turn on the same cores.

    BRAINFM_PEERS=/path/to/peers/bin/python python benchmarks/eegnex.py [--repeats 15] [--threads 2]

braindecode lives in another environment, whose interpreter `$BRAINFM_PEERS` names, because its torchaudio is tied to one
build of torch. Both sides start from the same weights and take the same batches with dropout off, so that the outputs can
be compared; then each takes its steps in turn: forward, cross-entropy, backward, AdamW. The figure is the median over pairs
of their ratio. Where the peers' interpreter can import our code, the ratio at equal torch versions is printed too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sides import Side, Step, peers, serve
from torch import Tensor, nn

N_BATCH, N_CHANS, N_TIMES, N_OUTPUTS = 64, 22, 1000, 4


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.side:
        return serve(_SIDES[arguments.side](Path(arguments.shared)))
    python = peers("braindecode", "torch torchvision torchaudio braindecode")
    with tempfile.TemporaryDirectory() as shared:
        compare(python, Path(shared), arguments)


def compare(python: str, shared: Path, arguments: argparse.Namespace) -> None:
    """Runs both sides in turn and prints what came out; `train_step_vs_braindecode` last."""
    theirs = Side(python, __file__, "braindecode", shared, arguments.threads)
    ours = {"this environment": Side(sys.executable, __file__, "ours", shared, arguments.threads)}
    if _can_import_ours(python):
        ours["the peers' environment"] = Side(python, __file__, "ours", shared, arguments.threads)
    print(
        f"training step, {N_BATCH} x {N_CHANS} x {N_TIMES}, float32, {arguments.threads} threads, braindecode on torch {theirs.torch}"
    )
    ratios = {}
    for place, side in ours.items():
        print(f"outputs differ by at most {_difference(shared, side.tag):.1e} (ours on torch {side.torch}, {place})")
        pairs = [(theirs.step()[0], side.step()[0]) for _ in range(arguments.repeats)]
        ratios[place] = statistics.median(theirs_took / ours_took for theirs_took, ours_took in pairs)
        theirs_ms, ours_ms = (1e3 * statistics.median(took) for took in zip(*pairs, strict=True))
        print(
            f"braindecode {theirs_ms:.0f} ms, ours {ours_ms:.0f} ms, ratio {ratios[place]:.2f} ({arguments.repeats} pairs, {place})"
        )
    for side in (theirs, *ours.values()):
        side.close()
    print(f"figure train_step_vs_braindecode {ratios['this environment']:.2f}")


def braindecode_side(shared: Path) -> Step:
    """braindecode's model, whose first weights and outputs are left in `shared`."""
    from braindecode.models import EEGNeX

    torch.manual_seed(0)
    model = EEGNeX(n_chans=N_CHANS, n_outputs=N_OUTPUTS, n_times=N_TIMES, drop_prob=0.0)
    signal, truth = _data()
    torch.save(model.state_dict(), shared / "weights.pt")
    np.save(shared / "braindecode.npy", model(signal).detach().numpy())
    return _stepping(model, lambda: nn.functional.cross_entropy(model(signal), truth))


def our_side(shared: Path) -> Step:
    """Our pair of encoder and objective from the same weights, on a view of time-major memory as the loader gives it."""
    from brainfm.encoders.eegnex import EEGNeX, from_braindecode
    from brainfm.objectives.classification import Classification

    objective = Classification(EEGNeX(N_CHANS, N_TIMES, drop_prob=0.0), N_OUTPUTS, "class", max_norm=0.25)
    encoder, head = from_braindecode(torch.load(shared / "weights.pt", weights_only=True))
    objective.encoder.load_state_dict(encoder)
    objective.head.load_state_dict(head)
    signal, truth = _data()
    batch = _batch(signal.mT.contiguous().mT, truth)
    np.save(shared / f"ours-{torch.__version__}.npy", objective.logits(batch).detach().numpy())
    return _stepping(objective, lambda: objective.loss(batch)["loss"])


_SIDES = {"braindecode": braindecode_side, "ours": our_side}


def _stepping(model: nn.Module, loss: Callable[[], Tensor]) -> Step:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> float:
        optimizer.zero_grad()
        found = loss()
        found.backward()
        optimizer.step()
        return found.item()

    return step


def _data() -> tuple[Tensor, Tensor]:
    # numpy's generator: torch's may differ between the two versions
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((N_BATCH, N_CHANS, N_TIMES), dtype=np.float32)
    return torch.from_numpy(signal), torch.from_numpy(rng.integers(0, N_OUTPUTS, N_BATCH))


def _batch(signal: Tensor, truth: Tensor) -> Any:
    from data_loaders.contracts import Batch

    n, channels, times = signal.shape
    ids = torch.zeros(n, dtype=torch.long)
    masks = torch.ones(n, channels, dtype=torch.bool), torch.ones(n, times, dtype=torch.bool)
    places = torch.zeros(n, channels, 3)
    return Batch(signal, torch.full((n,), 250.0), places, *masks, ids, ids, ids, ids, targets={"class": truth})


def _difference(shared: Path, ours: str) -> float:
    return float(np.abs(np.load(shared / "braindecode.npy") - np.load(shared / f"{ours}.npy")).max())


def _can_import_ours(python: str) -> bool:
    code = "import brainfm.objectives.classification, brainfm.encoders.eegnex"
    root = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run([python, "-c", code], env=root, capture_output=True, check=False).returncode == 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="pairs of steps")
    parser.add_argument("--threads", type=int, default=2, help="cores for either side")
    parser.add_argument("--side", choices=sorted(_SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--shared", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
