import sys
from pathlib import Path

import numpy as np
import pytest

from vqspeech.data import espeak
from vqspeech.data.espeak import Voice, check_voice, phone_class, speak
from vqspeech.data.labels import Phone
from vqspeech.errors import VqspeechError


@pytest.mark.parametrize(
    ("mnemonic", "phone"),
    [
        ("'i:", "i"),
        (",aI3", "aI"),
        ("i@3", "i@"),
        ("3:", "3"),
        ("@", "@"),
        ("@2", "@"),
        ("a#", "@"),
        ("t#", "t"),
        ("tS", "tS"),
        (";", "j"),
        ("_:", "pau"),
        ("_", "pau"),
    ],
)
def test_a_phone_has_no_stress_no_length_and_no_variant(mnemonic, phone):
    assert phone_class(mnemonic) == phone


def test_phones_tile_the_waveform():
    # "" starts a word: the closure of a stop at the start of a word is the stop's.
    starts = [(100, ""), (150, "k"), (200, "'a:"), (300, "l"), (300, "_:"), (400, "_"), (450, ""), (450, "n")]
    assert espeak._phones(starts, samples=600, sample_rate=100) == [
        Phone(0.0, 1.0, "pau"),
        Phone(1.0, 2.0, "k"),
        Phone(2.0, 3.0, "a"),
        Phone(3.0, 4.5, "pau"),  # two pauses are one, and an "l" without samples is none
        Phone(4.5, 6.0, "n"),
    ]


def test_an_unknown_voice_is_refused():
    with pytest.raises(VqspeechError, match="no voice variant 'Anie'; did you mean Annie"):
        check_voice(Voice("en-us", "Anie"))
    with pytest.raises(VqspeechError, match="no voice 'en-nowhere\\+f2'"):
        next(speak(Voice("en-nowhere", "f2"), ["Hello."]))


def test_a_missing_espeak_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(VqspeechError, match=r"not installed: espeakng-loader \(pip install 'vqspeech\[miniature\]'\)$"):
        check_voice(Voice("en-us", "f2"))


def test_espeak_finds_its_data_in_a_deep_folder(monkeypatch, tmp_path: Path):
    deep = tmp_path / ("deep" * 30) / ("deeper" * 30)
    deep.mkdir(parents=True)
    data = deep / "espeak-ng-data"
    data.symlink_to(espeak._data_folder())
    monkeypatch.setattr(espeak, "_data_folder", lambda: data)
    [(waveform, sample_rate, phones)] = speak(Voice("en-us", "f2"), ["Hello."])
    assert waveform.dtype == np.int16
    assert [phone.phone for phone in phones] == ["pau", "h", "@", "l", "oU", "pau"]
    assert phones[-1].end == len(waveform) / sample_rate
