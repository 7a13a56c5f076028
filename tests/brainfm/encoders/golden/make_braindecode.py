"""Makes eegnex_braindecode.npz: what braindecode's EEGNeX computes from weights and signals that any numpy can draw again.

    $BRAINFM_PEERS tests/brainfm/encoders/golden/make_braindecode.py

The arrays: per case the names and shapes of the state_dict in order, logits of 32 batches in evaluation and in training,
and the running statistics after the latter.
"""

import json
from pathlib import Path

import numpy as np
import torch
from braindecode import __version__
from braindecode.models import EEGNeX

CASES = ((4, 128, 3), (3, 257, 2), (2, 100, 2))


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Weights of a plausible size for each name; running statistics start at zero and one."""
    rng = np.random.default_rng(7)
    values = {name: 0.1 * rng.standard_normal(shape) for name, shape in shapes.items()}
    for name, value in values.items():
        if name.endswith(("running_mean", "num_batches_tracked")):
            value *= 0
        if name.endswith("running_var") or (name.endswith(".weight") and value.ndim == 1):
            value[...] = 1 + 0.1 * value if name.endswith(".weight") else 1
    return values


def main() -> None:
    kept: dict[str, np.ndarray] = {"version": np.array(f"braindecode {__version__}, torch {torch.__version__}")}
    for case in CASES:
        n_chans, n_times, n_outputs = case
        model = EEGNeX(n_chans=n_chans, n_times=n_times, n_outputs=n_outputs, drop_prob=0.0)
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        state = {name: torch.from_numpy(np.asarray(value)) for name, value in drawn(shapes).items()}
        model.load_state_dict(state)
        signals = torch.from_numpy(
            np.random.default_rng(8).standard_normal((32, 4, n_chans, n_times)).astype(np.float32)
        )
        key = "x".join(map(str, case))
        with torch.no_grad():
            kept[f"{key}/eval"] = np.stack([model.eval()(signal).numpy() for signal in signals])
            kept[f"{key}/train"] = np.stack([model.train()(signal).numpy() for signal in signals])
        running = [value.numpy().ravel() for name, value in model.state_dict().items() if "running" in name]
        kept[f"{key}/running"] = np.concatenate(running)
        kept[f"{key}/shapes"] = np.array(json.dumps(shapes))
    np.savez_compressed(Path(__file__).with_name("eegnex_braindecode.npz"), **kept)


if __name__ == "__main__":
    main()
