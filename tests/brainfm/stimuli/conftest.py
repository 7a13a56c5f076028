"""Small models of language, sound and images with random weights, as transformers saves them; tokenizers are trained here."""

from pathlib import Path

import pytest
import torch

CORPUS = [
    "Alice was beginning to get very tired of sitting by her sister on the bank",
    "the Queen's croquet-ground, she said",
] * 4


@pytest.fixture(scope="session")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 of two layers with a byte-level tokenizer, whose tokens begin with the space before a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, show_progress=False)
    )
    folder = tmp_path_factory.mktemp("causal")
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    GPT2Model(GPT2Config(vocab_size=330, n_positions=64, n_embd=16, n_layer=2, n_head=2)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with word pieces and special tokens at both ends."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("masked")
    made = BertWordPieceTokenizer(lowercase=True)
    made.train_from_iterator(CORPUS, vocab_size=120, show_progress=False)
    made.save_model(str(folder))
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=200, max_position_embeddings=64, **size)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def hubert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A HuBERT of two layers."""
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    folder = tmp_path_factory.mktemp("hubert")
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    convolutions = {"conv_dim": (8,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
    HubertModel(HubertConfig(**size, **convolutions)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The half of a CLIP model that sees, of two layers."""
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    folder = tmp_path_factory.mktemp("clip")
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    CLIPVisionModelWithProjection(
        CLIPVisionConfig(**size, image_size=32, patch_size=8, projection_dim=6)
    ).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return str(folder)
