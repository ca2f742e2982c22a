"""From a corpus to training audio and data directories."""

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.speech import voice
from vqspeech import audio
from vqspeech.data.corpus import read_corpus
from vqspeech.data.kaldi import read_data_dir, validate_data_dir
from vqspeech.data.prepare import prepare, prepare_part
from vqspeech.data.splits import NAMES
from vqspeech.errors import VqspeechError
from vqspeech.parallel import Part

RATE = 16000


def recording(seed: int) -> np.ndarray:
    """Half a second of speech between half seconds of weak noise."""
    waveform = np.random.default_rng(seed).normal(0, 1e-4, 3 * RATE // 2).astype(np.float32)
    waveform[RATE // 2 : RATE] += 3 * voice(100 + seed, 0.5, seed)
    return waveform


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus with a manifest and labels: four speakers, five texts that all of them read."""
    folder = tmp_path / "corpus"
    rows = ["utt\tspeaker\tgender\ttext\tpath"]
    for speaker in range(4):
        for text in range(5):
            id = f"s{speaker}_{text}"
            audio.write(folder / f"{id}.wav", recording(10 * speaker + text), RATE)
            rows.append(f"{id}\ts{speaker}\t{'fm'[speaker % 2]}\tText {text}.\t{id}.wav")
            (folder / "phones").mkdir(exist_ok=True)
            (folder / "phones" / f"{id}.phn").write_text("0 0.5 pau\n0.5 1.0 a\n1.0 1.5 pau\n")
    (folder / "manifest.tsv").write_text("\n".join(rows) + "\n")
    return folder


def run(folder: Path, **options):
    return prepare(read_corpus(folder), folder.parent / "data", folder.parent / "dump", **options)


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every file below a folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_split_is_a_valid_data_dir_of_trimmed_and_levelled_flac(folder):
    report = run(folder)
    data, dump = folder.parent / "data", folder.parent / "dump"
    assert set(report.utterances) == set(NAMES)
    assert sorted(path.name for path in data.iterdir()) == sorted([*NAMES, "splits.json"])
    seen = 0
    for name, count in report.utterances.items():
        validate_data_dir(data / name)
        part = read_data_dir(data / name)
        assert len(part.utterances) == count > 0
        assert part.texts and part.spk2gender and report.speakers[name] == len(part.speakers)
        assert report.hours[name] == pytest.approx(sum(part.utt2dur.values()) / 3600, abs=1e-4)
        for utterance in part.utterances:
            assert part.wavs[utterance] == dump.resolve() / part.utt2spk[utterance] / f"{utterance}.flac"
            waveform = audio.read(part.wavs[utterance], RATE)
            original = audio.read(folder / f"{utterance}.wav", RATE)
            start = round(part.utt2offset[utterance] * RATE)
            assert len(waveform) == round(part.utt2dur[utterance] * RATE)
            assert start / RATE == pytest.approx(0.45, abs=0.03)
            assert len(waveform) / RATE == pytest.approx(0.6, abs=0.05)
            same = original[start : start + len(waveform)]
            gain = np.dot(waveform, same) / np.dot(same, same)
            np.testing.assert_allclose(waveform, gain * same, atol=1e-3)
            assert audio.level_gain(waveform, RATE) == pytest.approx(1.0, abs=0.01)
            seen += name != "test_parallel"
    assert seen + len(report.left_out) == 20


def test_labels_and_texts_go_along(folder):
    report = run(folder)
    for name in report.utterances:
        part = read_data_dir(folder.parent / "data" / name)
        assert part.labels == {id: folder / "phones" / f"{id}.phn" for id in part.utterances}
        assert part.texts == {id: f"Text {id[-1]}." for id in part.utterances}
        assert part.spk2gender == {speaker: "fm"[int(speaker[1]) % 2] for speaker in part.speakers}


def test_the_summary_is_written_out(folder):
    report = run(folder)
    summary = json.loads((folder.parent / "data" / "splits.json").read_text())
    assert summary["utterances"] == report.utterances and summary["left_out"] == report.left_out
    assert summary["corpus"] == "manifest" and summary["sample_rate"] == RATE and "hash" in summary["rule"]


def test_several_processes_make_the_same_files(folder):
    run(folder)
    one = {name: content for name, (_, content) in snapshot(folder.parent / "dump").items()}
    (folder.parent / "dump").rename(folder.parent / "first")
    run(folder, nj=2)
    assert {name: content for name, (_, content) in snapshot(folder.parent / "dump").items()} == one


def test_parts_are_what_the_whole_run_finds(folder, monkeypatch):
    run(folder)
    one = {name: content for name, (_, content) in snapshot(folder.parent / "dump").items()}
    (folder.parent / "dump").rename(folder.parent / "first")
    (folder.parent / "data").rename(folder.parent / "first-data")
    for job in (3, 1, 2):
        prepare_part(read_corpus(folder), Part(job, 3), folder.parent / "dump")
    assert not (folder.parent / "data").exists()
    assert {name: content for name, (_, content) in snapshot(folder.parent / "dump").items()} == one
    monkeypatch.setattr("vqspeech.data.dump._made", lambda *_: pytest.fail("made again"))
    run(folder)
    assert (folder.parent / "data/splits.json").exists()


def test_a_second_run_keeps_what_is_up_to_date_and_remakes_the_rest(folder):
    run(folder)
    dump = folder.parent / "dump"
    before, data = snapshot(dump), snapshot(folder.parent / "data")
    changed = folder / "s1_1.wav"
    audio.write(changed, recording(99), RATE)
    os.utime(changed, (1, 1))
    (dump / "s2" / "s2_2.flac").unlink()
    whole = (dump / "s3" / "s3_3.flac").read_bytes()
    (dump / "s3" / "s3_3.flac").write_bytes(whole[: len(whole) // 2])
    run(folder)
    after = snapshot(dump)
    touched = {name for name in before if before[name][0] != after[name][0]}
    assert touched == {"s1/s1_1.flac", "s2/s2_2.flac", "s3/s3_3.flac"}
    assert {name for name in before if before[name][1] != after[name][1]} == {"s1/s1_1.flac"}
    assert {name: text for name, (_, text) in snapshot(folder.parent / "data").items() if name.endswith("text")} == {
        name: text for name, (_, text) in data.items() if name.endswith("text")
    }


def test_another_sample_rate_is_not_served_from_an_earlier_run(folder):
    run(folder)
    run(folder, sample_rate=8000)
    part = read_data_dir(folder.parent / "data" / "train")
    assert all(audio.read(path, 8000).size == round(8000 * part.utt2dur[id]) for id, path in part.wavs.items())


def damage(folder: Path, how: str) -> None:
    path = folder / "s2_3.wav"
    whole = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "silent":
        audio.write(path, np.zeros(RATE), RATE)
    elif how == "short":
        audio.write(path, voice(100, 0.05, 0), RATE)
    elif how == "without text":
        manifest = folder / "manifest.tsv"
        manifest.write_text(manifest.read_text().replace("s2\tf\tText 3.", "s2\tf\t"))


BAD = {
    "missing": "no such file",
    "empty": "empty file",
    "truncated": "truncated",
    "silent": "digital silence",
    "short": r"only 0\.050 s",
    "without text": "no text",
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_utterance_stops_the_run_with_one_line_and_costs_nothing(folder, how):
    run(folder)
    before = snapshot(folder.parent / "data")
    damage(folder, how)
    with pytest.raises(VqspeechError, match=BAD[how]) as caught:
        run(folder)
    message = str(caught.value)
    assert f"{folder / 'manifest.tsv'}:15: utterance s2_3: " in message and str(folder / "s2_3.wav") in message
    assert "--skip-bad" in message and "\n" not in message
    assert snapshot(folder.parent / "data") == before
    assert not [path for path in (folder.parent / "dump").rglob("*") if path.is_file() and path.suffix != ".flac"]


@pytest.mark.parametrize("how", BAD)
def test_a_bad_utterance_can_be_skipped_and_is_counted(folder, how):
    damage(folder, how)
    report = run(folder, skip_bad=True)
    assert list(report.skipped) == ["s2_3"]
    assert json.loads((folder.parent / "data" / "splits.json").read_text())["skipped"] == report.skipped
    kept = {id for name in report.utterances for id in read_data_dir(folder.parent / "data" / name).utterances}
    assert "s2_3" not in kept and len(kept) + len(report.left_out) == 19


def test_a_bad_utterance_in_another_process_is_reported_alike(folder):
    damage(folder, "truncated")
    with pytest.raises(VqspeechError, match=r"manifest\.tsv:15: utterance s2_3: .*truncated"):
        run(folder, nj=2)
    assert not (folder.parent / "data").exists()


@pytest.mark.parametrize(
    ("unit", "reason"), [("samples", r"s2_3\.phn: ends at .*2_3\.wav is 1\.5 s long"), ("x", "phn:1: ")]
)
def test_labels_that_do_not_fit_the_recording_make_it_bad(folder, unit, reason):
    (folder / "phones" / "s2_3.phn").write_text("0 8000 pau\n8000 16000 a\n" if unit == "samples" else "a b c\n")
    with pytest.raises(VqspeechError, match=rf"manifest\.tsv:15: utterance s2_3: .*{reason}"):
        run(folder)
    assert list(run(folder, skip_bad=True).skipped) == ["s2_3"]


def test_a_full_disk_leaves_what_the_next_run_takes_up(folder, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(json, "dump", fail)
        with pytest.raises(OSError):
            run(folder)
    assert not list((folder.parent / "data").iterdir())
    with monkeypatch.context() as full:
        full.setattr("vqspeech.data.prepare.shutil.rmtree", fail)
        with pytest.raises(OSError):
            run(folder)
    assert set(run(folder).utterances) == set(NAMES)


SLOW = """
import sys, time
from pathlib import Path
from vqspeech.audio import Pipe
from vqspeech.data.dump import dump_audio
from vqspeech.data.utterance import Utterance
if __name__ == "__main__":
    words = [Utterance(f"a_{i}", "a", Pipe(f"echo $PPID > {sys.argv[1]}/{i}; sleep 0.2")) for i in range(1000)]
    list(dump_audio(words, Path(sys.argv[1]) / "dump", 16000, nj=2))
"""


def test_no_process_outlives_the_one_that_started_it(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    main = subprocess.Popen([sys.executable, tmp_path / "slow.py", tmp_path])
    deadline = time.monotonic() + 60
    while not ((tmp_path / "0").exists() and (worker := (tmp_path / "0").read_text().strip())):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    main.kill()
    main.wait()
    killed = time.monotonic()
    while _runs(int(worker)):
        assert time.monotonic() < killed + 10
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        # One that nobody has waited for yet has ended all the same.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_nothing_usable_is_an_error(folder):
    for path in folder.glob("*.wav"):
        path.write_bytes(b"")
    with pytest.raises(VqspeechError, match="no utterance of the corpus can be used"):
        run(folder, skip_bad=True)


def test_a_corpus_without_any_text_is_prepared(folder):
    corpus = read_corpus(folder)
    corpus.utterances[:] = [replace(utterance, text=None) for utterance in corpus.utterances]
    report = prepare(corpus, folder.parent / "data", folder.parent / "dump")
    assert set(report.utterances) == set(NAMES) - {"test_parallel"}
    assert not (folder.parent / "data" / "train" / "text").exists()


def test_splits_of_an_earlier_run_do_not_stay(folder):
    run(folder)
    corpus = read_corpus(folder)
    corpus.utterances[:] = [utterance for utterance in corpus.utterances if utterance.speaker == "s0"]
    report = prepare(corpus, folder.parent / "data", folder.parent / "dump")
    assert set(report.utterances) == {"train", "dev", "test"}
    assert {path.name for path in (folder.parent / "data").iterdir()} == {"train", "dev", "test", "splits.json"}


def test_data_directories_of_another_origin_are_not_replaced(folder):
    precious = folder.parent / "data" / "train"
    precious.mkdir(parents=True)
    (precious / "wav.scp").write_text("a-1 a.wav\n")
    with pytest.raises(VqspeechError, match=r"data/train: exists and was not made by vqspeech"):
        run(folder)
    assert (precious / "wav.scp").exists() and not (folder.parent / "dump").exists()


def test_a_pipe_runs_only_when_allowed(folder):
    witness = folder.parent / "witness"
    command = f"touch {witness}; cat {folder}/s0_0.wav |"
    kaldi = folder.parent / "kaldi"
    kaldi.mkdir()
    (kaldi / "wav.scp").write_text(f"s0_0 {folder}/s0_0.wav\ns0_1 {command}\n")
    (kaldi / "utt2spk").write_text("s0_0 s0\ns0_1 s0\n")
    with pytest.raises(VqspeechError, match=r"wav\.scp:2: s0_1: a pipe .*--allow-pipes"):
        run(kaldi)
    assert not witness.exists()
    report = run(kaldi, allow_pipes=True)
    assert witness.exists() and sum(report.utterances.values()) == 2
    for name in report.utterances:
        assert "|" not in (kaldi.parent / "data" / name / "wav.scp").read_text()


def test_a_prepared_data_dir_is_a_corpus_again(folder):
    run(folder)
    train = read_data_dir(folder.parent / "data" / "train")
    again = prepare(read_corpus(train.path), folder.parent / "data2", folder.parent / "dump2")
    assert sum(again.utterances.values()) - again.utterances.get("test_parallel", 0) + len(again.left_out) == len(
        train.utterances
    )
