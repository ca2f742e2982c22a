from pathlib import Path

import pytest

from vqspeech import extras
from vqspeech.evaluation import judges, wer
from vqspeech.evaluation.missing import CannotMeasure, or_missing


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: object())
    monkeypatch.delenv(wer.VARIABLE, raising=False)
    monkeypatch.delenv(judges.VARIABLE, raising=False)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "jiwer" else object())
    with pytest.raises(extras.NotInstalled, match="not installed: jiwer"):
        wer.find_whisper()


def add_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.bin").touch()
    return folder


@pytest.mark.usefixtures("installed")
def test_no_model_and_a_folder_without_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(
        CannotMeasure, match=r"no .*whisper-tiny.en/model.bin; recipes/utils/fetch_judges.sh fetches it"
    ):
        wer.find_whisper(judges=tmp_path)
    with pytest.raises(CannotMeasure, match="holds no CTranslate2 model"):
        wer.find_whisper(tmp_path)


@pytest.mark.usefixtures("installed")
def test_the_folder_given_comes_before_the_variable_and_that_before_the_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, named, fetched = (add_model(tmp_path / name) for name in ("given", "named", "judges/whisper-tiny.en"))
    monkeypatch.setenv(judges.VARIABLE, str(tmp_path / "judges"))
    assert wer.find_whisper() == fetched
    monkeypatch.setenv(wer.VARIABLE, str(named))
    assert wer.find_whisper() == named
    assert wer.find_whisper(given) == given


def test_what_cannot_be_measured_leaves_its_reason() -> None:
    def measure() -> dict:
        raise CannotMeasure("no phone labels")

    assert or_missing(measure) == {"missing": "no phone labels"}
    assert or_missing(lambda: {"wer": 0.5}) == {"wer": 0.5}


def test_error_rates_by_hand() -> None:
    pytest.importorskip("jiwer", reason="the optional judge is not installed")
    pytest.importorskip("whisper_normalizer", reason="the optional judge is not installed")
    # Normalised, b reads "it is 22 mister smith" on both sides: one word in eight differs.
    references = {"a": "Please call Stella.", "b": "It's twenty two, Mr. Smith", "c": "(coughs)"}
    heard = {"a": "please, call Ella", "b": "it is 22 mister smith", "c": "hm"}
    rates = wer.error_rates(references, heard)
    assert rates.wer == pytest.approx(1 / 8)
    # Drawn alone, a has one of three words wrong, and two of eighteen characters; b none of five and twenty-one.
    assert rates.wer_interval == pytest.approx((0, 1 / 3))
    assert rates.cer == pytest.approx(2 / 39)
    assert rates.cer_interval == pytest.approx((0, 2 / 18))
    assert rates.utterances == 2
    with pytest.raises(CannotMeasure):
        wer.error_rates({"c": "(coughs)"}, {"c": "hm"})
