"""Text features: a word's vector depends on the words before it, however windows and batches are cut."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from brainfm.stimuli.base import chosen_layers
from brainfm.stimuli.contexts import one_each, sliding
from brainfm.stimuli.pretrained import language_model
from brainfm.stimuli.text import Text

WORDS = [
    "Alice",
    "was",
    "beginning",
    "to",
    "get",
    "very",
    "tired",
    "of",
    "sitting",
    "by",
    "her",
    "sister",
    "on",
    "the",
    "bank",
    "she",
]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=60), st.integers(2, 12), st.integers(4, 20))
def test_every_word_is_new_once_in_a_window_that_fits(tokens: list[int], context: int, max_tokens: int) -> None:
    for contexts in (sliding(tokens, context, context // 2, max_tokens), one_each(tokens, context, max_tokens)):
        listed = list(contexts)
        assert [i for c in listed for i in range(c.new, c.stop)] == list(range(len(tokens)))
        assert all(sum(tokens[c.start : c.stop]) <= max_tokens and c.stop - c.start <= context for c in listed)


def test_a_window_starts_anew_with_its_last_half() -> None:
    found = [(c.start, c.new, c.stop) for c in sliding([1] * 1300, 512, 256)]
    assert found == [(0, 0, 512), (256, 512, 768), (512, 768, 1024), (768, 1024, 1280), (1024, 1280, 1300)]


def test_a_word_with_too_many_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="word 2 has 9 tokens and the model takes 5"):
        list(sliding([1, 9], 4, 2, 5))


def test_one_pass_serves_every_prefix(causal: Path) -> None:
    model = Text(str(causal), layers=[1, 2], context=20, keep=10)
    assert model.causal
    together = model.vectors(WORDS)
    for n in (1, 5, len(WORDS)):
        alone = model.vectors(WORDS[:n])
        for layer, values in alone.items():
            assert np.allclose(values[-1], together[layer][n - 1], atol=1e-5)


def test_a_later_window_sees_the_words_it_kept_and_no_others(causal: Path) -> None:
    model = Text(str(causal), layers=[2], context=6, keep=3)
    found = model.vectors(WORDS)["layer2"]
    windows = list(sliding([1] * len(WORDS), 6, 3))
    for window in windows:
        alone = Text(str(causal), layers=[2], context=30, keep=15).vectors(WORDS[window.start : window.stop])["layer2"]
        assert np.allclose(found[window.new : window.stop], alone[window.new - window.start :], atol=1e-5)


def test_a_model_that_looks_ahead_is_not_shown_what_comes(masked: Path) -> None:
    model = Text(str(masked), layers=[2])
    assert not model.causal
    changed = [*WORDS[:9], "queen", *WORDS[10:]]
    first, second = model.vectors(WORDS)["layer2"], model.vectors(changed)["layer2"]
    assert np.allclose(first[:9], second[:9], atol=1e-5)
    assert not np.allclose(first[9:], second[9:], atol=1e-2)


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_batches_and_padding_change_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    folder = str(request.getfixturevalue(kind))
    one, many = (Text(folder, context=5, keep=2, batch_size=size).vectors(WORDS) for size in (1, 7))
    for layer in one:
        assert np.allclose(one[layer], many[layer], atol=1e-5)


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_the_last_token_of_a_word_is_read(kind: str, request: pytest.FixtureRequest) -> None:
    model = Text(str(request.getfixturevalue(kind)), layers=[2], context=40, keep=20)
    words = ["Alice", "croquet-ground", "she"]
    encoded = model.tokenizer("Alice croquet-ground", return_tensors="pt")
    with torch.inference_mode():
        states = model.model(**encoded).last_hidden_state[0]
    at = -2 if kind == "masked" else -1  # before [SEP]
    assert np.allclose(model.vectors(words)["layer2"][1], states[at].numpy(), atol=1e-5)


def test_blank_words_repeat_and_as_published_so_does_a_genitive(causal: Path) -> None:
    words = ["", "Alice", "", "was", "'s", "tired"]
    found = Text(str(causal), layers=[2]).vectors(words)["layer2"]
    assert (found[0] == 0).all()
    assert np.array_equal(found[1], found[2])
    assert not np.allclose(found[3], found[4])
    published = Text(str(causal), layers=[2], compat="paper").vectors(words)["layer2"]
    assert np.array_equal(published[3], published[4])


def test_static_vectors_are_means_of_embeddings_without_context(causal: Path) -> None:
    model = Text(str(causal), layers=["static"])
    found = model.vectors(["Alice", "tired", "Alice"])
    assert list(found) == ["static"]
    ids = model.tokenizer(" Alice", add_special_tokens=False)["input_ids"]
    wanted = model.model.get_input_embeddings().weight[ids].mean(0).detach().numpy()
    assert np.allclose(found["static"][[0, 2]], wanted, atol=1e-6)


def test_a_table_of_words_gives_midpoints(causal: Path) -> None:
    table = pd.DataFrame({"word": ["Alice", "was"], "onset": [1.0, 2.0], "duration": [0.5, 0.2]})
    features = Text(str(causal), layers=[0]).extract(table)
    assert features.times.tolist() == [1.25, 2.1]
    assert features.layers["layer0"].shape == (2, 16)


def test_facts_change_with_the_weights_and_not_with_the_folder(causal: Path, tmp_path: Path) -> None:
    from shutil import copytree

    copy = copytree(causal, tmp_path / causal.name)
    one, two = Text(str(causal)), Text(str(copy))
    assert one.facts == two.facts
    two.model.h[0].mlp.c_fc.weight.data += 0.1
    assert one.facts != two.facts


def test_an_unknown_layer_and_model_are_told(causal: Path) -> None:
    assert chosen_layers([-1], 2) == [2]
    with pytest.raises(ValueError, match=r"layers 0 \(embeddings\) to 2"):
        Text(str(causal), layers=[3])
    with pytest.raises(ValueError, match="neither on the hub nor a folder"):
        language_model(str(causal / "nowhere"))


def test_the_tiny_story_model_tells_a_story(shared_data: Callable[[str], Path]) -> None:
    found = language_model(str(shared_data("weights_stories260K") / "stories260K.bin"))
    ids = found.tokenizer("Once upon a time, there was a little", return_tensors="pt")["input_ids"]
    table = found.model.get_input_embeddings().weight  # the head is tied to it
    with torch.inference_mode():
        for _ in range(11):
            state = found.model(ids).last_hidden_state[:, -1]
            ids = torch.cat([ids, (state @ table.T).argmax(-1, keepdim=True)], 1)
    assert found.tokenizer.decode(ids[0], skip_special_tokens=True).startswith(
        "Once upon a time, there was a little girl named Lily. She"
    )


def test_a_checkpoint_that_is_cut_short_is_refused(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    whole = (shared_data("weights_stories260K") / "stories260K.bin").read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[:5000])
    with pytest.raises(ValueError, match="copy the file again"):
        language_model(str(tmp_path / "cut.bin"))
