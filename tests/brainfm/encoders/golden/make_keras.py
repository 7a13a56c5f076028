"""Makes eegnex_keras.npz: what the authors' layers give in Keras, from weights that any numpy can draw again.

    KERAS_BACKEND=jax PYTHONPATH=. $BRAINFM_PEERS tests/brainfm/encoders/golden/make_keras.py

Needs keras and jax beside braindecode. Not Keras on torch: its SAME pooling repeats the edge sample, where TensorFlow, which
the authors used, and JAX leave the padding out of the mean.
"""

from pathlib import Path

import keras
import numpy as np
from keras import layers

from brainfm.encoders.eegnex import EEGNeX
from brainfm.objectives.classification import Classification

CASES = (("keras", "time"), ("keras", "channel"), ("paper2022", "time"))
N_CHANS, N_TIMES, N_OUTPUTS = 5, 253, 3


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Weights by our names; small enough that no max-norm acts."""
    rng = np.random.default_rng(9)
    values = {name: 0.05 * rng.standard_normal(shape) for name, shape in shapes.items()}
    near_one = [
        name for name in values if name.endswith("running_var") or ("norm_" in name and name.endswith("weight"))
    ]
    return values | {name: 1 + values[name] for name in near_one}


def network(variant: str, axis: str) -> keras.Sequential:
    """The layers as the authors order them; `axis` is that of the batch norms."""
    early, late = variant == "paper2022", variant == "keras"
    taps = 32 if early else 64
    stack = [layers.Input((1, N_CHANS, N_TIMES))]
    stack += [_conv(8, taps), _norm(early, axis), layers.ELU(), _conv(32, taps), _norm(early, axis)]
    stack += [layers.ELU()] if early else []
    stack += [layers.DepthwiseConv2D((N_CHANS, 1), depth_multiplier=2, use_bias=False, data_format="channels_first")]
    stack += [_norm(early, axis), layers.ELU(), _pool(), _conv(32, 16, 2), _norm(early, axis)]
    stack += [layers.ELU()] if early else []
    stack += [_conv(8, 16, 4), _norm(early, axis), layers.ELU()] + ([_pool()] if late else [])
    return keras.Sequential([*stack, layers.Flatten(), layers.Dense(N_OUTPUTS)])


def _conv(n_filters: int, taps: int, dilation: int = 1) -> layers.Layer:
    options = {"use_bias": False, "padding": "same", "data_format": "channels_first"}
    return layers.Conv2D(n_filters, (1, taps), dilation_rate=(1, dilation), **options)


def _norm(layer_norm: bool, axis: str) -> layers.Layer:
    return layers.LayerNormalization() if layer_norm else layers.BatchNormalization(axis=-1 if axis == "time" else 1)


def _pool() -> layers.Layer:
    return layers.AveragePooling2D((1, 4), padding="same", data_format="channels_first")


def arranged(state: dict[str, np.ndarray]) -> list[list[np.ndarray]]:
    """The tensors of each Keras layer with weights, in order."""
    found = []
    for name in [f"encoder.{kind}_{i}" for i in range(1, 6) for kind in ("conv", "norm")]:
        if name == "encoder.conv_3":
            # Keras: [height, width, filter, multiple]; ours: [filter * multiple, 1, height, width]
            found.append([state[f"{name}.weight"].reshape(32, 2, N_CHANS, 1).transpose(2, 3, 0, 1)])
        elif "conv" in name:
            found.append([state[f"{name}.weight"].transpose(2, 3, 1, 0)])
        else:
            tensors = [f"{name}.{kind}" for kind in ("weight", "bias", "running_mean", "running_var")]
            found.append([state[tensor] for tensor in tensors if tensor in state])
    return [*found, [state["head.weight"].T, state["head.bias"]]]


def main() -> None:
    kept = {"version": np.array(f"keras {keras.__version__} on {keras.backend.backend()}")}
    signal = np.random.default_rng(8).standard_normal((6, 1, N_CHANS, N_TIMES)).astype(np.float32)
    for variant, axis in CASES:
        ours = Classification(EEGNeX(N_CHANS, N_TIMES, compat=variant, norm_axis=axis), N_OUTPUTS)
        state = drawn({n: tuple(v.shape) for n, v in ours.state_dict().items() if "tracked" not in n})
        model = network(variant, axis)
        with_weights = [layer for layer in model.layers if layer.weights]
        for layer, tensors in zip(with_weights, arranged(state), strict=True):
            layer.set_weights(tensors)
        for mode in ("eval", "train"):
            kept[f"{variant}/{axis}/{mode}"] = np.array(model(signal, training=mode == "train"))
    np.savez_compressed(Path(__file__).with_name("eegnex_keras.npz"), **kept)


if __name__ == "__main__":
    main()
