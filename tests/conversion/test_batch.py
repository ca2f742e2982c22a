import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from tests.speech import RATE, voice
from tests.tiny import save_tiny_model
from vqspeech.codec import Codec
from vqspeech.conversion.batch import convert_files
from vqspeech.conversion.plan import Conversion
from vqspeech.errors import UsageError, VqspeechError


@pytest.fixture
def codec(tmp_path: Path) -> Codec:
    save_tiny_model(tmp_path / "model")
    return Codec.load(tmp_path / "model")


@pytest.fixture
def conversions(tmp_path: Path) -> list[Conversion]:
    """Of three recordings, the second of which is none."""
    made = []
    for name in "abc":
        source = tmp_path / f"{name}.wav"
        soundfile.write(source, voice(100, 0.1, seed=ord(name)), RATE)
        made.append(Conversion(source, "p226", tmp_path / "out" / f"{name}.wav"))
    made[1].source.write_text("no audio")
    return made


def test_one_that_fails_keeps_no_other_from_being_made(
    codec: Codec, conversions: list[Conversion], capsys: pytest.CaptureFixture
):
    written = []
    with pytest.raises(VqspeechError, match="1 of 3 conversions failed"):
        for path in convert_files(codec, conversions):
            written.append(path)
    assert written == [conversions[0].out, conversions[2].out]
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("failed: ")] == lines[-1:]
    assert "b.wav: cannot be read as audio" in lines[-1]
    assert lines[-2].startswith("2 converted, 0 kept, 1 failed: 0 s of audio in ")


def test_what_exists_is_kept_unless_forced(codec: Codec, conversions: list[Conversion], capsys: pytest.CaptureFixture):
    good = [conversions[0], conversions[2]]
    good[0].out.parent.mkdir()
    good[0].out.write_text("precious")
    assert list(convert_files(codec, good)) == [good[0].out, good[1].out]
    assert good[0].out.read_text() == "precious"
    assert f"kept {good[0].out} as it was" in capsys.readouterr().err
    before = good[1].out.read_bytes()
    assert list(convert_files(codec, good, force=True)) == [good[0].out, good[1].out]
    assert soundfile.info(good[0].out).frames == RATE // 10
    assert good[1].out.read_bytes() == before


@pytest.mark.parametrize("cut", [True, False])
def test_torch_keeps_to_one_core_where_bits_would_depend_on_it(
    codec: Codec, conversions: list[Conversion], monkeypatch: pytest.MonkeyPatch, cut: bool
):
    used = set()
    for owner, name in ((codec.model, "encode"), (codec.model, "conditioning"), (codec.model.decoder, "project")):
        plain = getattr(owner, name)

        def noted(*given: Any, plain: Callable[..., Any] = plain, name: str = name, **named: Any) -> Any:
            used.add((name, torch.get_num_threads()))
            return plain(*given, **named)

        monkeypatch.setattr(owner, name, noted)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        list(convert_files(codec, [conversions[0]], cut=cut, jobs=1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert used == {("encode", 1), ("conditioning", 1), ("project", 1)}


def test_a_name_that_is_no_utf8_is_a_name_like_others(codec: Codec, conversions: list[Conversion]):
    source = conversions[0].source.with_name(os.fsdecode(b"a\xff.wav"))
    conversions[0].source.rename(source)
    out = conversions[0].out.with_name(source.name)
    assert list(convert_files(codec, [Conversion(source, "p226", out)])) == [out]
    assert out.is_file()


def test_less_than_one_at_once_is_misuse(codec: Codec, conversions: list[Conversion]):
    with pytest.raises(UsageError, match="--nj 0: convert one or more"):
        list(convert_files(codec, conversions, jobs=0))


def test_how_many_are_made_at_once_does_not_matter(codec: Codec, conversions: list[Conversion]):
    good = [conversions[0], conversions[2]]
    for jobs in (1, 2, 5):
        for _ in convert_files(codec, good, seed=3, force=True, jobs=jobs):
            pass
        made = [one.out.read_bytes() for one in good]
        if jobs == 1:
            alone = made
        assert made == alone
    assert made[0] != made[1]


def test_what_the_model_refuses_is_told_before_any_work(codec: Codec, conversions: list[Conversion]):
    with pytest.raises(VqspeechError, match="temperature -1"):
        next(convert_files(codec, conversions, temperature=-1))
