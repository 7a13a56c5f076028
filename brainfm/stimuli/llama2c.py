"""Checkpoints of llama2.c, as a LlamaModel of transformers with a fast tokenizer: small enough for any machine.

The file (version 0) is seven int32 (dim, hidden dim, layers, heads, key-value heads, vocabulary, length), then float32
tensors, each for all layers at once. A negative vocabulary means an output head of its own, which hidden states do not
need. Format: https://github.com/karpathy/llama2.c, export.py and run.c; models: karpathy/tinyllamas.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

_UNKNOWN, _BOS, _EOS = 0, 1, 2


def load(path: Path) -> tuple[Any, Any, int]:
    """The model, its tokenizer and how many tokens it takes. Raises ValueError where the file is not whole."""
    from transformers import LlamaConfig, LlamaModel

    raw = path.read_bytes()
    dim, hidden, n_layers, n_heads, n_kv, vocabulary, length = struct.unpack("7i", raw[:28])
    config = LlamaConfig(
        vocab_size=abs(vocabulary), hidden_size=dim, intermediate_size=hidden, num_hidden_layers=n_layers,
        num_attention_heads=n_heads, num_key_value_heads=n_kv, max_position_embeddings=length, rms_norm_eps=1e-5,
        bos_token_id=_BOS, eos_token_id=_EOS,
    )  # fmt: skip
    model = LlamaModel(config)
    model.load_state_dict(_tensors(np.frombuffer(raw, np.float32, offset=28), config, path))
    return model, _tokenizer(path.parent, abs(vocabulary), length), length


def _tensors(values: ndarray, config: Any, path: Path) -> dict[str, Tensor]:
    """Named as transformers names them."""
    d, h, n = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    heads, kv, size = config.num_attention_heads, config.num_key_value_heads, d // config.num_attention_heads
    shapes: list[tuple[str, tuple[int, ...]]] = [
        ("embed_tokens", (config.vocab_size, d)),
        ("input_layernorm", (n, d)),
        ("self_attn.q_proj", (n, heads * size, d)),
        ("self_attn.k_proj", (n, kv * size, d)),
        ("self_attn.v_proj", (n, kv * size, d)),
        ("self_attn.o_proj", (n, d, heads * size)),
        ("post_attention_layernorm", (n, d)),
        ("mlp.gate_proj", (n, h, d)),
        ("mlp.down_proj", (n, d, h)),
        ("mlp.up_proj", (n, h, d)),
        ("norm", (d,)),
    ]
    needed = sum(int(np.prod(shape)) for _, shape in shapes)
    if len(values) < needed:
        raise ValueError(
            f"{path} holds {len(values):,} numbers and its header asks for {needed:,}: copy the file again"
        )
    found, at = {}, 0
    for name, shape in shapes:
        part = torch.from_numpy(values[at : at + int(np.prod(shape))].reshape(shape).copy())
        at += part.numel()
        if len(shape) == 1 or name == "embed_tokens":
            found[f"{name}.weight"] = part
            continue
        turned = _halves(part, heads if "q_proj" in name else kv) if name.endswith(("q_proj", "k_proj")) else part
        found |= {f"layers.{layer}.{name}.weight": turned[layer] for layer in range(n)}
    return found


def _halves(weights: Tensor, heads: int) -> Tensor:
    """Rotary pairs lie side by side there, and in two halves of each head here."""
    n, rows, dim = weights.shape
    paired = weights.reshape(n, heads, rows // heads // 2, 2, dim)
    return paired.transpose(2, 3).reshape(n, rows, dim)


def _tokenizer(folder: Path, vocabulary: int, length: int) -> Any:
    """Byte-pair merges in the order of the scores of `tok<vocabulary>.bin`: the greedy merging of run.c."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces, scores = _pieces(folder, vocabulary)
    known = {piece: i for i, piece in reversed(list(enumerate(pieces)))}
    # a higher score is merged earlier; a piece has one merge for each way of cutting it in two known ones
    order = sorted(range(len(pieces)), key=lambda i: -scores[i])
    cuts = [
        (pieces[i][:k], pieces[i][k:]) for i in order for k in range(1, len(pieces[i])) if not pieces[i].startswith("<")
    ]
    merges = [pair for pair in cuts if pair[0] in known and pair[1] in known]
    made = Tokenizer(models.BPE(vocab=known, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=False))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        # the space that every text begins with is not written out again
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", _BOS)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", model_max_length=length
    )


def _pieces(folder: Path, vocabulary: int) -> tuple[list[str], list[float]]:
    """The vocabulary in order, with scores; spaces are written as sentencepiece writes them."""
    files = [path for path in sorted(folder.glob("tok*.bin"))]
    wanted = folder / f"tok{vocabulary}.bin"
    path = wanted if wanted.exists() else (files[0] if files else None)
    if path is None:
        raise ValueError(
            f"{folder} has no tok{vocabulary}.bin: put the tokenizer that came with the checkpoint beside it"
        )
    raw, at, pieces, scores = path.read_bytes(), 4, [], []
    for _ in range(vocabulary):
        score, n = struct.unpack_from("fi", raw, at)
        pieces.append(raw[at + 8 : at + 8 + n].decode("utf-8").replace(" ", "▁"))
        scores.append(score)
        at += 8 + n
    return [_special(i, piece) for i, piece in enumerate(pieces)], scores


def _special(number: int, piece: str) -> str:
    """The first three are control tokens, whose text is padded with newlines in the file."""
    return {_UNKNOWN: "<unk>", _BOS: "<s>", _EOS: "</s>"}.get(number, piece)
