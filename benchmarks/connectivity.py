"""Who drives whom in a simulated network: attention of a trained Neuroformer beside cross-correlation and a GLM.

    python benchmarks/connectivity.py [--network hub] [--units 60] [--weight 1.5] [--minutes 10] [--seeds 3] [--steps 800]

Each seed draws a network (`hub`: one unit in 15 excites 30 % of the others; `random`: each unit excites 5 % of the others),
simulates it, trains a small Neuroformer on four fifths of the time, and scores guesses at the connections: AUROC over pairs
of units (chance 0.5) and, of pairs connected one way, the share whose direction is right (chance 0.5). `looked` is the
attention that spikes of one unit get where the other fires next, `through` what attention writes to its logit
(`brainfm.nn.attended`). Low weights and few minutes are hard for all of them. Figures are means over seeds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from brainfm.encoders.neuroformer import Neuroformer
from brainfm.nn.attended import attended
from brainfm.objectives.spike_prediction import SpikePrediction
from brainfm.statistics.couplings import binned, connection_auroc, cross_correlation, direction_accuracy, glm_couplings
from data_loaders.contracts import Field, Recording
from data_loaders.datamodule import Data
from data_loaders.splits import TimeBlock
from data_loaders.studies.spiking_network import Network, hub_network, random_network, simulate
from data_loaders.windows import Tile
from data_loaders.writer import Writer

WINDOW, LR = 0.05, 3e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("hub", "random"), default="hub")
    parser.add_argument("--weight", type=float, default=1.5)
    for name, default in (("units", 60), ("minutes", 10), ("seeds", 3), ("steps", 800), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(arguments.seeds):
        started, cpu, network = time.perf_counter(), time.process_time(), _network(arguments, seed)
        recording = simulate(network, seconds=10.0, trials=6 * arguments.minutes, seed=seed)
        for name, guess in _guesses(recording, arguments.steps, seed).items():
            scores = connection_auroc(guess, network.connected), direction_accuracy(guess, network.connected)
            found.setdefault(name, []).append(scores)
            print(f"seed {seed}: {name:18s} AUROC {scores[0]:.3f}, direction {scores[1]:.3f}", flush=True)
        took = time.perf_counter() - started, time.process_time() - cpu
        print(f"seed {seed}: {took[0]:.0f} s, of one processor {took[1]:.0f} s", flush=True)
    for name, scores in found.items():
        (auroc, direction), (low, _), (high, _) = (f(scores, axis=0) for f in (np.mean, np.min, np.max))
        print(f"{name}: AUROC between {low:.3f} and {high:.3f}")
        print(f"figure {name}_auroc {auroc:.3f}\nfigure {name}_direction {direction:.3f}")


def _network(arguments: argparse.Namespace, seed: int) -> Network:
    if arguments.network == "hub":
        return hub_network(arguments.units, weight=arguments.weight, seed=seed)
    return random_network(arguments.units, share=0.05, weight=arguments.weight, seed=seed)


def _guesses(recording: Recording, steps: int, seed: int) -> dict[str, ndarray]:
    assert recording.spikes is not None
    assert recording.segments is not None
    spikes, n = recording.spikes, len(recording.ch_names)
    counts = binned(spikes.times, spikes.channels, n, recording.segments, 0.01)
    looked = _attention(recording, steps, seed)
    return {
        "attention_looked": looked[0], "attention_through": looked[1],
        "cross_correlation": cross_correlation(counts), "glm": glm_couplings(counts),
    }  # fmt: skip


def _attention(recording: Recording, steps: int, seed: int) -> tuple[ndarray, ndarray]:
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        with Writer(Path(folder) / "store") as writer:
            writer.write(recording)
        fields = {"past": Field(-WINDOW, 0.0, "spikes"), "current": Field(0.0, WINDOW, "spikes")}
        data = Data(str(Path(folder) / "store"), Tile(stride=WINDOW), fields, TimeBlock(n_folds=5, gap=1.0))
        data.use(0, seed)
        n = [len(recording.ch_names)]
        sizes = {"dim": 64, "n_heads": 4, "state_layers": 1, "history_layers": 1, "block": 64, "past_block": 64}
        encoder = Neuroformer(n, past_seconds=WINDOW, current_seconds=WINDOW, dropout=0.1, **sizes)
        model = _trained(SpikePrediction(encoder, n), data, steps)
        seen = attended(model, data.part("test"))
    return seen.looked.numpy(), seen.through.numpy()


def _trained(model: SpikePrediction, data: Data, steps: int) -> SpikePrediction:
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps)
    for step, batch in zip(range(steps), data.train_dataloader(), strict=False):
        losses = model.loss(batch)
        optimizer.zero_grad()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            print(
                f"  step {step + 1} of {steps}: unit {losses['id'].item():.3f}, bin {losses['step'].item():.3f}",
                flush=True,
            )
    return model.eval()


if __name__ == "__main__":
    main()
