"""Names of the Neuroformer's released weights beside ours, so that they load without one left over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

# theirs to ours, in the order in which the released model holds its parts
_PARTS = (
    ("pos_emb", "encoder.position"),
    ("pos_emb_prev", "encoder.past_position"),
    ("tok_emb.weight", "encoder.units.weight"),
    ("temp_emb.temp_emb.", "encoder.time."),
    ("temp_emb_prev.temp_emb.", "encoder.past_time."),
    ("modality_embeddings.behavior.", "encoder.projectors.behavior.variables."),
    ("video_encoder.conv_block.0.", "encoder.projectors.frames.patch."),
    ("video_encoder.conv_block.2.", "encoder.projectors.frames.norm."),
    ("feature_encoder.neural_state_blocks.", "encoder.reading."),
    ("feature_encoder.frame_state_blocks.", "encoder.among.frames."),
    ("clip.proj.weight", "shared.weight"),
    ("neural_visual_transformer.modalities_blocks.behavior.", "encoder.looking.behavior."),
    ("neural_visual_transformer.neural_state_blocks.", "encoder.writing."),
    ("neural_visual_transformer.neural_state_history_blocks.", "encoder.history."),
    ("neural_visual_transformer.neural_state_stimulus_blocks.", "encoder.looking.frames."),
    ("neural_visual_transformer.ln_f.", "encoder.unused."),
    ("head_id.weight", "units.weight"),
    ("head_dt.weight", "step.weight"),
)
_LAYERS = (
    ("ln1", "norm_attention"),
    ("ln2", "norm_network"),
    ("attn.query", "attention.query"),
    ("attn.key", "attention.key"),
    ("attn.value", "attention.value"),
    ("attn.proj", "attention.out"),
    ("mlp", "network"),
    ("ln_f", "norm_out"),
)


def released_names(ours: Iterable[str]) -> dict[str, str]:
    """The released name of each parameter, mapped to ours, in the order of the released model."""
    found = {name: rank for name in ours if (rank := _rank(name)) is not None}
    return {_theirs(name): name for name in sorted(found, key=lambda name: found[name])}


def load_released(objective: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Fills an objective built with `compat="paper"` from a released state_dict; every tensor is matched.

    Their masks and position codes are no weights and are left out. Raises ValueError that lists what does not match.
    """
    names = released_names(dict(objective.named_parameters()))
    weights = {
        key: value for key, value in state.items() if not key.endswith((".mask", "inv_freq", ".pe", ".div_term"))
    }
    apart = sorted(set(names) ^ set(weights))
    if apart:
        raise ValueError(
            f"{len(apart)} tensors are in one model only, the first is {apart[0]!r}: build the objective with the layers, "
            f"units and modalities of the released configuration"
        )
    objective.load_state_dict(objective.state_dict() | {names[key]: value for key, value in weights.items()})


def _rank(ours: str) -> tuple[int, list[int]] | None:
    """Where a parameter stands: its part, the number of its block, its layer, weight before bias."""
    part = _part(ours)
    if part is None:
        return None
    rest = ours.removeprefix(_PARTS[part][1])
    numbers = [int(n) for n in re.findall(r"\d+", rest)]
    layer = next((i for i, (_, name) in enumerate(_LAYERS) if f".{name}." in rest), 0)
    return part, [*numbers[:1], layer, *numbers[1:], int(rest.endswith("bias"))]


def _theirs(ours: str) -> str:
    theirs, prefix = _PARTS[_part(ours) or 0]
    rest = ours.removeprefix(prefix)
    for short, name in _LAYERS:
        rest = re.sub(rf"(^|\.){re.escape(name)}\.", rf"\g<1>{short}.", rest)
    return theirs + rest


def _part(ours: str) -> int | None:
    found = (i for i, (_, to) in enumerate(_PARTS) if ours == to or (to.endswith(".") and ours.startswith(to)))
    return next(found, None)
