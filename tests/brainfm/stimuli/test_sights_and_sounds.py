"""Speech and image features by the same interface, on small models with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray

from brainfm.stimuli.images import Images, Pictures
from brainfm.stimuli.speech import Sound, Speech

NOISE = np.random.default_rng(0).standard_normal(24_000).astype(np.float32) * 0.1


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> str:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    folder = tmp_path_factory.mktemp("whisper")
    torch.manual_seed(0)
    size = {
        "d_model": 16,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
    }
    WhisperModel(
        WhisperConfig(**size, encoder_ffn_dim=32, decoder_ffn_dim=32, vocab_size=100, pad_token_id=0)
    ).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return str(folder)


def test_windows_of_sound_end_where_their_feature_is_timed(hubert: str) -> None:
    model = Speech(hubert, layers=[2], context=0.4, step=0.1)
    found = model.extract(Sound(NOISE, 16_000.0))
    assert np.allclose(found.times, np.arange(1, 16) * 0.1)
    window = NOISE[round(0.5 * 16_000) : round(1.0 * 16_000)]  # 0.4 s of context and the step
    given = model.prepare([window], sampling_rate=16_000, return_tensors="pt")["input_values"]
    with torch.inference_mode():
        last = model.model(given, output_hidden_states=True).hidden_states[2][0, -1].numpy()
    assert np.allclose(found.layers["layer2"][9], last, atol=1e-5)


@pytest.mark.parametrize("kind", ["hubert", "whisper"])
def test_sound_to_come_changes_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    model = Speech(request.getfixturevalue(kind), layers=[0, 2], context=0.3, step=0.1, batch_size=3)
    changed = NOISE.copy()
    changed[16_000:] *= -3
    one, two = (model.extract(Sound(samples, 16_000.0)).layers["layer2"] for samples in (NOISE, changed))
    assert np.allclose(one[:10], two[:10], atol=1e-5)
    assert not np.allclose(one[12:], two[12:], atol=1e-3)


def test_whisper_reads_the_last_frame_with_sound(whisper: str) -> None:
    model = Speech(whisper, layers=[2], context=1.0, step=0.5)
    found = model.extract(Sound(NOISE[:8000], 16_000.0)).layers["layer2"]
    given = model.prepare([NOISE[:8000]], sampling_rate=16_000, return_tensors="pt")["input_features"]
    with torch.inference_mode():
        states = model.model(given, output_hidden_states=True).hidden_states[2][0]
    assert np.allclose(found[0], states[24].numpy(), atol=1e-5)  # 50 frames of the spectrogram, halved


def test_another_rate_is_resampled_and_wav_files_are_read(hubert: str, tmp_path: Path) -> None:
    from scipy.io import wavfile

    wavfile.write(tmp_path / "a.wav", 32_000, np.stack([NOISE, NOISE], 1))
    sound = Sound.read(tmp_path / "a.wav")
    assert sound.sfreq == 32_000
    assert len(sound.at(16_000)) == 12_000
    with pytest.raises(ValueError, match="shorter than one step"):
        Speech(hubert).extract(Sound(NOISE[:300], 16_000.0))


def pictures() -> list[ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (40, 50, 3), dtype=np.uint8) for _ in range(3)]


def test_images_of_timm_give_pooled_activations_in_any_batch() -> None:
    shown = Pictures(pictures(), np.array([0.0, 1.0, 2.0]))
    torch.manual_seed(0)
    model = Images("timm:test_resnet.r160_in1k", ["layer2", "features"], pretrained=False)
    found = model.extract(shown)
    model.batch_size = 1
    alone = model.extract(shown)
    assert found.times.tolist() == [0, 1, 2]
    for layer in ("layer2", "features"):
        assert found.layers[layer].ndim == 2
        assert np.allclose(found.layers[layer], alone.layers[layer], atol=1e-4)
    with pytest.raises(ValueError, match="has no module 'layer99'"):
        Images("timm:test_resnet.r160_in1k", ["layer99"], pretrained=False)


def test_clip_gives_hidden_states_and_the_shared_space(clip: str) -> None:
    found = Images(clip, [1, "embedding"]).extract(Pictures(pictures(), np.zeros(3)))
    assert {name: values.shape for name, values in found.layers.items()} == {"layer1": (3, 16), "embedding": (3, 6)}
