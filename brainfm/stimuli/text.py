"""Language models: the hidden state of each word's last token, given the words before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from brainfm.stimuli.base import Extractor, Features, chosen_layers, fingerprint
from brainfm.stimuli.contexts import Context, one_each, sliding
from brainfm.stimuli.pieces import in_pieces
from brainfm.stimuli.pretrained import language_model


class Text(Extractor):
    """Any causal or masked language model of transformers, by its name on the hub or a folder.

    `layers` are numbers of hidden states (0: embeddings, -1: the last) or `all`; `static` is added to them by name: the
    mean input embedding of a word's tokens. A causal model sees windows that grow to `context` words and start anew with
    the last `keep`; a model that looks ahead gets a window per word, which ends with it. Which one it is, is tried out.
    A word without letters or tokens repeats the vector before it; with `compat="paper"` so does "'s".

    Raises ValueError where the model's tokenizer tells no offsets. Reference: Antonello et al. 2023,
    https://arxiv.org/abs/2305.11863
    """

    def __init__(
        self,
        model: str,
        layers: Sequence[int | str] | Literal["all"] = "all",
        context: int = 512,
        keep: int = 256,
        batch_size: int = 8,
        device: str | None = None,
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        compat: Literal["paper"] | None = None,
    ) -> None:
        found = language_model(model)
        self.name, self.tokenizer = found.name, found.tokenizer
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        half = precision == "bfloat16" or (precision == "auto" and self.device.type == "cuda")
        self.model = found.model.eval().to(self.device, torch.bfloat16 if half else torch.float32)
        numbered = "all" if layers == "all" else [layer for layer in layers if layer != "static"]
        self.layers, self.static = chosen_layers(numbered, self.model.config.num_hidden_layers), "static" in layers
        self.context, self.keep, self.batch_size, self.compat = context, keep, batch_size, compat
        self.max_tokens = found.max_tokens
        self.causal = _is_causal(self.model)

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "model": self.name, "weights": fingerprint(self.model), "context": self.context, "keep": self.keep,
            "layers": [*self.layers, *(["static"] if self.static else [])], "dtype": str(self.model.dtype), "compat": self.compat,
        }  # fmt: skip

    def extract(self, stimulus: pd.DataFrame, kept: Path | None = None) -> Features:
        """Vectors for a table of words with onset and duration, at each word's midpoint."""
        words = [str(word).strip() for word in stimulus["word"]]
        times = (stimulus["onset"] + stimulus["duration"] / 2).to_numpy(dtype=np.float64)
        return Features(times, self.vectors(words, kept))

    @torch.inference_mode()
    def vectors(self, words: Sequence[str], kept: Path | None = None) -> dict[str, Float[ndarray, "word dim"]]:
        """Each word's vector for every layer."""
        dim = self.model.config.hidden_size
        found = {f"layer{layer}": np.zeros((len(words), dim), np.float32) for layer in self.layers}
        spoken = [i for i, word in enumerate(words) if self._has_own_vector(word)]
        said = [words[i] for i in spoken]
        batches = list(_batches(self._contexts(said), self.batch_size))
        rows = in_pieces(batches, lambda some: self._rows(some, said), f"{self.name}, {len(words):,} words", kept)
        for name, values in rows.items():
            found[name][spoken] = values
        if self.static:
            found["static"] = self._static(words)
        return {name: _repeated(values, spoken) for name, values in found.items()}

    def _has_own_vector(self, word: str) -> bool:
        return bool(word) and not (self.compat == "paper" and word.lower() in ("'s", "’s"))

    def _contexts(self, words: Sequence[str]) -> list[Context]:
        tokens = (
            [len(ids) for ids in self.tokenizer([" " + word for word in words], add_special_tokens=False)["input_ids"]]
            if words
            else []
        )
        # room for the special tokens at the ends, and for words that split differently in company
        room = int(0.98 * self.max_tokens) - self.tokenizer.num_special_tokens_to_add()
        made = sliding(tokens, self.context, self.keep, room) if self.causal else one_each(tokens, self.context, room)
        return list(made)

    def _rows(self, contexts: Sequence[Context], words: Sequence[str]) -> dict[str, Float[ndarray, "word dim"]]:
        """The vectors of the words that get theirs from these contexts, in order."""
        states = self._states([words[context.start : context.stop] for context in contexts])
        return {
            f"layer{layer}": np.concatenate(
                [own[k][c.new - c.start :] for own, c in zip(states, contexts, strict=True)]
            )
            for k, layer in enumerate(self.layers)
        }

    def _states(self, texts: Sequence[Sequence[str]]) -> list[list[Float[ndarray, "word dim"]]]:
        """For each text and layer the state of each word's last token."""
        joined = [" ".join(words) for words in texts]
        encoded = self.tokenizer(joined, return_offsets_mapping=True, return_special_tokens_mask=True)
        longest = max(map(len, encoded["input_ids"]))
        if longest > self.max_tokens:
            raise ValueError(f"a window has {longest} tokens and {self.name} takes {self.max_tokens}: lower context")
        ids, mask = _padded(encoded["input_ids"], longest, self.tokenizer.pad_token_id or 0)
        states = self.model(
            input_ids=ids.to(self.device), attention_mask=mask.to(self.device), output_hidden_states=True
        ).hidden_states
        last = [
            last_tokens(words, offsets, special)
            for words, offsets, special in zip(
                texts, encoded["offset_mapping"], encoded["special_tokens_mask"], strict=True
            )
        ]
        return [[states[layer][row, at].float().cpu().numpy() for layer in self.layers] for row, at in enumerate(last)]

    def _static(self, words: Sequence[str]) -> Float[ndarray, "word dim"]:
        """The mean input embedding of each word's tokens."""
        table = self.model.get_input_embeddings().weight.float()
        ids = self.tokenizer([" " + word for word in words], add_special_tokens=False)["input_ids"]
        rows = [
            table[torch.tensor(own, device=table.device)].mean(0) if own else torch.zeros_like(table[0]) for own in ids
        ]
        return torch.stack(rows).cpu().numpy()


def last_tokens(words: Sequence[str], offsets: Sequence[Sequence[int]], special: Sequence[int]) -> Int[ndarray, "word"]:
    """The last token of each word of a text joined by spaces, by the tokenizer's offsets.

    >>> last_tokens(["a", "cat"], [(0, 0), (0, 1), (2, 4), (4, 5)], [1, 0, 0, 0])
    array([1, 3])
    """
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    starts = ends - [len(word) for word in words]
    found = np.full(len(words), -1)
    for token, ((low, high), no_word) in enumerate(zip(offsets, special, strict=True)):
        if no_word or high <= low:
            continue
        # the word in which the token ends; byte-level tokens begin with the space before it
        word = int(np.searchsorted(ends, high - 1, side="right"))
        if word < len(words) and high > starts[word]:
            found[word] = token
    missing = np.flatnonzero(found < 0)
    if len(missing):
        raise ValueError(
            f"the tokenizer gives {words[missing[0]]!r} no token: leave that word out, or take another model"
        )
    return found


def _repeated(values: Float[ndarray, "word dim"], spoken: Sequence[int]) -> Float[ndarray, "word dim"]:
    """Words without a vector get the one before; zero before the first."""
    own = np.full(len(values), -1)
    own[spoken] = spoken
    source = np.maximum.accumulate(own)
    return np.where(source[:, None] >= 0, values[source.clip(0)], np.float32(0))


def _is_causal(model: Any) -> bool:
    """Whether a later token leaves the states before it as they are: configurations do not tell reliably."""
    ids = torch.tensor([[5, 6, 7], [5, 6, 8]], device=model.device) % model.config.vocab_size
    with torch.inference_mode():
        states = model(input_ids=ids, output_hidden_states=True).hidden_states[-1][:, :2].float()
    return bool(torch.allclose(states[0], states[1], atol=1e-3 if model.dtype == torch.bfloat16 else 1e-5))


def _padded(
    ids: Sequence[Sequence[int]], longest: int, pad: int
) -> tuple[Int[Tensor, "text token"], Int[Tensor, "text token"]]:
    rows = torch.tensor([[*own, *[pad] * (longest - len(own))] for own in ids])
    mask = torch.tensor([[1] * len(own) + [0] * (longest - len(own)) for own in ids])
    return rows, mask


def _batches(items: Sequence[Context], size: int) -> Iterator[list[Context]]:
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
