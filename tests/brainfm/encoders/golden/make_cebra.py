"""Makes cebra.npz: fifty Adam steps of the cebra package from given weights and indices, for three losses.

    $BRAINFM_PEERS tests/brainfm/encoders/golden/make_cebra.py

Per case: the first and the last weights, and the loss of every step. Signal and indices any numpy can draw again.
"""

from pathlib import Path

import cebra
import cebra.models
import numpy as np
import torch
from cebra.models import criterions

N_CHANS, N_TIMES, BATCH, STEPS = 6, 200, 24, 50
CASES = {
    "cosine": ("offset10-model", lambda: criterions.FixedCosineInfoNCE(1.0)),
    "learned": ("offset5-model", lambda: criterions.LearnableCosineInfoNCE(0.5, min_temperature=0.1)),
    "euclidean": ("offset10-model-mse", lambda: criterions.FixedEuclideanInfoNCE(1.0)),
}


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """The signal, and the first sample of the window of each step, view and item."""
    rng = np.random.default_rng(7)
    signal = rng.standard_normal((N_TIMES, N_CHANS)).astype(np.float32)
    return signal, rng.integers(0, N_TIMES - 10, (STEPS, 3, BATCH))


def main() -> None:
    signal, starts = drawn()
    kept = {"version": np.array(f"cebra {cebra.__version__}, torch {torch.__version__}")}
    for case, (name, make) in CASES.items():
        torch.manual_seed(3)
        model, criterion = cebra.models.init(name, num_neurons=N_CHANS, num_units=8, num_output=3), make()
        kept |= {f"{case} first {key}": value.numpy().copy() for key, value in model.state_dict().items()}
        optimizer = torch.optim.Adam([*model.parameters(), *criterion.parameters()], lr=3e-3)
        length, losses = len(model.get_offset()), []
        for step in starts:
            windows = [torch.from_numpy(np.stack([signal[s : s + length].T for s in view])) for view in step]
            optimizer.zero_grad()
            loss = criterion(*(model(window) for window in windows))[0]
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        kept |= {f"{case} last {key}": value.numpy() for key, value in model.state_dict().items()}
        kept[f"{case} loss"] = np.array(losses)
        if case == "learned":
            kept["learned temperature"] = np.array(criterion.temperature)
    np.savez_compressed(Path(__file__).with_name("cebra.npz"), **kept)
    print(f"cebra.npz: {len(kept)} arrays")


if __name__ == "__main__":
    main()
