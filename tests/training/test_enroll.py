import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

import vqspeech
from tests.speech import RATE, voice
from tests.tiny import save_tiny_model, tiny_config
from vqspeech.errors import UsageError, VqspeechError
from vqspeech.hub import save_pretrained
from vqspeech.models.vqvae import VQVAE
from vqspeech.models.wavenet import gate_biases
from vqspeech.training import enroll as module
from vqspeech.training.enroll import enroll


@pytest.fixture(autouse=True)
def little_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_SECONDS", 1.0)
    monkeypatch.setattr(module, "CROP", 640)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder as one would be shipped: weights of 16 bits and a card."""
    folder = tmp_path / "model"
    save_tiny_model(folder)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: w.bfloat16() if w.is_floating_point() else w for name, w in weights.items()},
        folder / "model.safetensors",
    )
    (folder / "README.md").write_text("card")
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.wav" for number in range(2)]
    for number, path in enumerate(paths):
        soundfile.write(path, voice(200, 0.8, seed=number), RATE)
    return paths


def test_the_new_voice_is_there_and_all_else_keeps_its_bits(model: Path, clips: list[Path], tmp_path: Path):
    out = tmp_path / "out"
    enroll(model, "alice", clips, out, steps=3)
    before, after = (load_file(folder / "model.safetensors") for folder in (model, out))
    assert before.keys() == after.keys()
    for name, weight in before.items():
        assert after[name].dtype == weight.dtype
        assert torch.equal(after[name][: len(weight)] if name == "speakers.weight" else after[name], weight)
    old, new = vqspeech.load(model), vqspeech.load(out)
    assert new.speakers == ("p225", "p226", "alice")
    said = {speaker: new.decode([1, 2, 3], speaker) for speaker in new.speakers}
    assert np.array_equal(said["p226"], old.decode([1, 2, 3], "p226"))
    assert not np.array_equal(said["alice"], said["p226"])
    assert (out / "README.md").read_text() == "card"
    note = json.loads((out / "config.json").read_text())["notes"]["enrolled"]["alice"]
    assert note["seconds"] == pytest.approx(1.6, abs=0.2) and note["steps"] == 3


def test_what_is_fitted_suits_the_speech_better_than_any_voice_of_the_table():
    torch.manual_seed(0)
    model = VQVAE(tiny_config().model, 2).eval()
    with torch.no_grad():
        model.prepare.widen.weight[:, -4:].mul_(20)
    speech = module.Speech(torch.zeros(64 * 200), torch.zeros(4, 200))
    with torch.no_grad():
        nats = [
            model.negative_log_likelihood(*(x[None] for x in (speech.waveform, speech.latents)), torch.tensor([i]))
            for i in (0, 1)
        ]
    best = min(float(n.mean()) for n in nats)
    mean, fitted = module.fit(model, speech, steps=60, seed=0).bits
    assert fitted < mean
    assert fitted < best / np.log(2)


def test_gate_biases_fit_better_still():
    torch.manual_seed(0)
    speech = module.Speech(torch.from_numpy(voice(200, 0.8, seed=0)[: 64 * 200]), torch.zeros(4, 200))
    torch.manual_seed(0)
    model = VQVAE(tiny_config().model, 2).eval()
    bits = [module.fit(model, speech, steps=60, seed=0, with_biases=biases).bits[1] for biases in (False, True)]
    assert bits[1] < bits[0]


def test_the_biases_of_a_voice_are_added_to_those_of_all_gates():
    torch.manual_seed(0)
    model = VQVAE(tiny_config().model, 3).eval()
    waveform, latents, speaker = torch.rand(3, 640) - 0.5, torch.randn(3, 4, 10), torch.arange(3)
    before = model.negative_log_likelihood(waveform, latents, speaker)
    biases = torch.randn(2, model.decoder.conditioning.out_features)
    model.decoder.voices = gate_biases(biases)
    after = model.negative_log_likelihood(waveform, latents, speaker)
    # They belong to the last two of the three speakers.
    assert torch.equal(after[0], before[0])
    for i in (1, 2):
        folded = deepcopy(model)
        folded.decoder.voices = None
        folded.decoder.conditioning.bias.data += biases[i - 1]
        expected = folded.negative_log_likelihood(waveform, latents, speaker)[i]
        torch.testing.assert_close(after[i], expected)
        assert not torch.allclose(expected, before[i], atol=1e-3)


def test_voices_with_and_without_biases_of_their_own_leave_each_other_alone(
    model: Path, clips: list[Path], tmp_path: Path
):
    folders = [model]
    for name, biases in (("alice", False), ("bob", True), ("carol", False), ("dan", True)):
        folders.append(tmp_path / name)
        enroll(folders[-2], name, clips, folders[-1], steps=3, with_biases=biases)
    tables = [load_file(folder / "model.safetensors").get("decoder.voices.weight") for folder in folders]
    assert [None if table is None else len(table) for table in tables] == [None, None, 1, 2, 3]
    assert tables[4].dtype == torch.bfloat16
    assert [bool(row.any()) for row in tables[4]] == [True, False, True]
    first, last = (vqspeech.load(folders[i]) for i in (0, 4))
    assert last.speakers == ("p225", "p226", "alice", "bob", "carol", "dan")
    assert np.array_equal(first.decode(range(9), "p226"), last.decode(range(9), "p226"))
    for i, name in enumerate(last.speakers[2:], start=1):
        assert np.array_equal(vqspeech.load(folders[i]).decode(range(9), name), last.decode(range(9), name)), name
    # Without its biases a voice says something else.
    weights = load_file(folders[4] / "model.safetensors")
    weights["decoder.voices.weight"].zero_()
    save_file(weights, folders[4] / "model.safetensors")
    bare = vqspeech.load(folders[4])
    same = [np.array_equal(bare.decode(range(9), name), last.decode(range(9), name)) for name in last.speakers]
    assert same == [True, True, True, False, True, False]


def test_the_seed_decides(model: Path, clips: list[Path], tmp_path: Path):
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        enroll(model, "alice", clips, tmp_path / name, steps=2, seed=seed)
    one, again, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "again", "two"))
    assert one == again != two


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("p225", "has a voice 'p225' already"),
        ("all", "no voice can be called 'all'"),
        ("a,b", "no voice can be called 'a,b'"),
        ("../a", "unsafe id"),
    ],
)
def test_names_that_would_be_trouble_are_refused(model: Path, clips: list[Path], tmp_path: Path, name: str, says: str):
    with pytest.raises(VqspeechError, match=says):
        enroll(model, name, clips, tmp_path / "out", steps=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("waveform", "says"),
    [
        (np.zeros(RATE), r"clip\.wav: silent; leave it out"),
        (0.0001 * voice(100, 1.0, seed=0), r"clip\.wav: silent"),
        (voice(100, 0.3, seed=0), r"clip\.wav: 0\.\d\d s of speech are too short a clip"),
        (np.eye(1, 3 * RATE, RATE)[0], r"clip\.wav: 0\.02 s of speech are too short a clip"),
        (np.pad(voice(100, 0.8, seed=0), (RATE, RATE)), r"alice: 0\.\d s of speech in 1 clips are too little"),
        (voice(100, 0.8, seed=0), r"alice: 0\.\d s of speech in 1 clips are too little; 1 s are needed"),
    ],
)
def test_clips_too_short_or_silent_are_refused_in_a_sentence(
    model: Path, tmp_path: Path, waveform: np.ndarray, says: str
):
    soundfile.write(tmp_path / "clip.wav", waveform, RATE)
    with pytest.raises(VqspeechError, match=says):
        enroll(model, "alice", [tmp_path / "clip.wav"], tmp_path / "out", steps=1)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_is_told_before_any_work(model: Path, clips: list[Path], tmp_path: Path):
    with pytest.raises(UsageError, match="--steps 0: one or more are needed"):
        enroll(model, "alice", clips, tmp_path / "out", steps=0)
    with pytest.raises(VqspeechError, match=rf"cannot write {clips[0]}/out/config.json: {clips[0]}: Not a directory"):
        enroll(model, "alice", [], clips[0] / "out", steps=1)


def test_no_folder_is_overwritten_and_a_model_without_codes_is_refused(model: Path, clips: list[Path], tmp_path: Path):
    with pytest.raises(VqspeechError, match="exists already"):
        enroll(model, "alice", clips, model, steps=1)
    save_pretrained(tmp_path / "none", VQVAE(tiny_config(name="none").model, 2), ("a", "b"), {})
    with pytest.raises(VqspeechError, match="without codes"):
        enroll(tmp_path / "none", "alice", clips, tmp_path / "out", steps=1)
