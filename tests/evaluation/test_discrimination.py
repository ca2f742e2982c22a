from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vqspeech
from tests.speech import make_data_dir
from tests.tiny import save_tiny_model
from vqspeech.codec import Codec
from vqspeech.data.kaldi import write_data_dir
from vqspeech.evaluation.coded import Coded
from vqspeech.evaluation.discrimination import measure_abx, measure_speaker, triphone_items
from vqspeech.evaluation.mfcc import log_mel_bands, mfcc39
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.representation import fit_baselines
from vqspeech.evaluation.speech import Speech

OFFSET = 0.2


@pytest.fixture
def speech(tmp_path: Path) -> Speech:
    """Two speakers, three utterances of 0.6 s each; labels of k a t that begin 0.1 s into the trimmed audio."""
    data = make_data_dir(tmp_path / "made")
    labels = {utterance: tmp_path / f"{utterance}.phn" for utterance in data.utterances}
    for number, path in enumerate(labels.values()):
        path.write_text(f"0.3 0.4 k\n0.4 0.5 {'ao'[number % 2]}\n0.5 0.6 t\n")
    offsets = dict.fromkeys(data.utterances, OFFSET)
    write_data_dir(replace(data, path=tmp_path / "data", labels=labels, utt2offset=offsets))
    return Speech(tmp_path / "data", 16000)


@pytest.fixture
def codec(tmp_path: Path) -> Codec:
    save_tiny_model(tmp_path / "model", speakers=("a", "b"))
    return vqspeech.load(tmp_path / "model")


@pytest.fixture
def baselines(codec: Codec, speech: Speech) -> dict[str, Coded]:
    return fit_baselines(codec, speech, 6)


def test_all_representations_are_cut_alike(codec: Codec, speech: Speech, baselines: dict[str, Coded]) -> None:
    items = triphone_items(codec, Coded.by(codec), speech, speech.data.utterances, lambda: baselines)
    assert items.keys() == {"codes", "vectors", "mfcc", "log_mel", "mfcc_kmeans", "mfcc_kmeans_centred", "random"}
    assert {len(own) for own in items.values()} == {6}
    # From 0.1 to 0.4 s of the trimmed audio, at 4 ms a frame: centres from 0.102 s to 0.398 s.
    assert {len(item.features) for own in items.values() for item in own} == {75}
    ((utterance, waveform),) = speech.read(["b_001"])
    (item,) = (one for one in items["codes"] if one.utterance == utterance)
    assert np.array_equal(item.features, codec.encode(waveform, level=False)[25:100])
    assert (item.phone, item.context, item.speaker) == ("a", ("k", "t"), "b")


def test_abx_and_probe_hold_figures_and_baselines(codec: Codec, speech: Speech, baselines: dict[str, Coded]) -> None:
    found = measure_abx(codec, Coded.by(codec), speech, 6, lambda: baselines)
    assert found["utterances"] == found["codes"]["items"] == 6
    assert found["beside"].keys() == {"mfcc", "log_mel", "mfcc_kmeans", "mfcc_kmeans_centred", "random"}
    assert 0 <= found["codes"]["within"] <= 1
    found = measure_speaker(codec, Coded.by(codec), speech, speech, 6, lambda: baselines)
    # Voices an octave apart are told apart by their cepstra.
    assert found["beside"]["mfcc_kmeans"]["accuracy"] == 1.0
    assert (found["chance"], found["speakers"], found["train_segments"]) == (0.5, 2, 6)
    # However many the speakers, each needs three utterances to learn from.
    assert measure_speaker(codec, Coded.by(codec), speech, speech, 2, lambda: baselines)["train_segments"] == 6


def test_without_labels_or_a_second_speaker_there_is_nothing_to_measure(
    codec: Codec, speech: Speech, baselines: dict[str, Coded], tmp_path: Path
) -> None:
    lone = Speech(make_data_dir(tmp_path / "lone", speakers=("a",)).path, 16000)
    with pytest.raises(CannotMeasure, match="no phone labels"):
        measure_abx(codec, Coded.by(codec), lone, 6, lambda: baselines)
    with pytest.raises(CannotMeasure, match="fewer than two speakers are in both"):
        measure_speaker(codec, Coded.by(codec), speech, lone, 6, lambda: baselines)


def test_cepstra_are_those_of_the_bands(speech: Speech) -> None:
    from scipy.fft import dct

    ((_, waveform),) = speech.read(["a_000"])
    bands = log_mel_bands(waveform, 16000, 64)
    assert bands.shape == (150, 40)
    assert np.allclose(mfcc39(waveform, 16000, 64)[:, :13], dct(bands, norm="ortho")[:, :13], atol=1e-3)
