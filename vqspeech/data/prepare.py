"""From a corpus to training audio and data directories."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from vqspeech.audio import AudioError, Pipe
from vqspeech.data import splits
from vqspeech.data.dump import Dumped, dump_audio
from vqspeech.data.kaldi import PIPE_REFUSED, DataDir, validate_data_dir, write_data_dir
from vqspeech.data.utterance import Corpus, Utterance
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write
from vqspeech.parallel import Part
from vqspeech.progress import progress, say

SUMMARY = "splits.json"
WAY_OUT = "carry on without bad utterances with --skip-bad"


@dataclass(frozen=True)
class PrepareReport:
    """What became of a corpus."""

    utterances: dict[str, int]
    """Of each split, as are speakers and hours."""
    speakers: dict[str, int]
    hours: dict[str, float]
    skipped: dict[str, str]
    """Bad utterance -> one-line reason."""
    left_out: dict[str, str]
    """Utterance left out by rule -> reason."""
    notes: list[str]


def prepare(
    corpus: Corpus,
    data: Path,
    dump: Path,
    sample_rate: int = 16000,
    nj: int = 1,
    skip_bad: bool = False,
    allow_pipes: bool = False,
) -> PrepareReport:
    """Write `dump/SPEAKER/UTTERANCE.flac`, and in `data` a data directory for each split and `splits.json`.

    The audio is mono 16-bit FLAC, trimmed and levelled as `vqspeech.audio` says; what is there and up to
    date is kept. The data directories are replaced when everything is there; an empty split has none.

    Raises VqspeechError at a bad utterance: one that cannot be read, with less than 0.1 s of sound, with labels
    that are damaged or end far behind the recording, or without text where others have text; with `skip_bad` it
    is left out and counted. Raises it too for pipes unless they are allowed, and when `data` holds data
    directories of another origin.
    """
    if not allow_pipes:
        _refuse_pipes(corpus)
    _refuse_foreign(data)
    skipped = _Skipped(skip_bad)
    utterances = _with_text(corpus.utterances, skipped)
    dumped = _dumped(utterances, dump, sample_rate, nj, skipped)
    if not dumped:
        raise VqspeechError(f"{data}: not written, since no utterance of the corpus can be used")

    utterances = [utterance for utterance in utterances if utterance.id in dumped]
    division = splits.split(utterances, {id: file.duration for id, file in dumped.items()}, corpus.unseen)
    whole = _data_dir(data, utterances, dumped)
    parts = [whole.subset(ids, data / name) for name, ids in division.items()]
    report = PrepareReport(
        {part.path.name: len(part.wavs) for part in parts},
        {part.path.name: len(part.speakers) for part in parts},
        {part.path.name: round(sum(part.utt2dur.values()) / 3600, 4) for part in parts},
        skipped.reasons,
        corpus.left_out | dict.fromkeys(division.left_out, "an unseen speaker reads a text of another use"),
        corpus.notes + division.notes,
    )
    facts = {"corpus": corpus.kind, "sample_rate": sample_rate, "rule": splits.__doc__}
    _replace(parts, facts | asdict(report), data)
    for line in _lines(report):
        say(line)
    return report


def prepare_part(
    corpus: Corpus, part: Part, dump: Path, sample_rate: int = 16000, skip_bad: bool = False, allow_pipes: bool = False
) -> None:
    """Write the audio of a part of the corpus alone, which `prepare` finds there. Errors as in `prepare`."""
    if not allow_pipes:
        _refuse_pipes(corpus)
    skipped = _Skipped(skip_bad)
    utterances = _with_text(corpus.utterances, skipped)
    span = part.span(len(utterances))
    _dumped(utterances[span.start : span.stop], dump, sample_rate, 1, skipped)


def _dumped(
    utterances: list[Utterance], dump: Path, sample_rate: int, nj: int, skipped: "_Skipped"
) -> dict[str, Dumped]:
    """Prepared files by utterance; bad ones are counted as `skipped`."""
    dumped: dict[str, Dumped] = {}
    work = dump_audio(utterances, dump, sample_rate, nj)
    for utterance, result in progress(work, "prepare", total=len(utterances), unit="utterance"):
        if isinstance(result, AudioError):
            skipped.add(utterance, str(result))
        else:
            dumped[utterance.id] = result
    return dumped


@dataclass
class _Skipped:
    """Bad utterances; the first one is an error unless they are to be skipped."""

    allowed: bool
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, utterance: Utterance, reason: str) -> None:
        if not self.allowed:
            raise VqspeechError(f"{reason}; {WAY_OUT}")
        self.reasons[utterance.id] = reason


def _with_text(utterances: list[Utterance], skipped: _Skipped) -> list[Utterance]:
    """Return the utterances that have text, or all if none has."""
    with_text = [utterance for utterance in utterances if utterance.text]
    if not with_text:
        return utterances
    for utterance in utterances:
        if not utterance.text:
            skipped.add(utterance, utterance.fault(f"no text for {utterance.audio}"))
    return with_text


def _refuse_pipes(corpus: Corpus) -> None:
    for utterance in corpus.utterances:
        if isinstance(utterance.audio, Pipe):
            raise VqspeechError(f"{utterance.listed}: {utterance.id}: {PIPE_REFUSED}")


def _refuse_foreign(data: Path) -> None:
    """Refuse to replace data directories that another program made, the corpus itself perhaps."""
    for name in splits.NAMES:
        if (data / name).exists() and not (data / SUMMARY).exists():
            raise VqspeechError(f"{data / name}: exists and was not made by vqspeech; choose another --data")


def _data_dir(path: Path, utterances: list[Utterance], dumped: dict[str, Dumped]) -> DataDir:
    return DataDir(
        path,
        wavs={id: file.path for id, file in dumped.items()},
        utt2spk={utterance.id: utterance.speaker for utterance in utterances},
        texts={utterance.id: utterance.text for utterance in utterances if utterance.text},
        spk2gender={utterance.speaker: utterance.gender for utterance in utterances if utterance.gender},
        utt2dur={id: file.duration for id, file in dumped.items()},
        utt2offset={id: file.offset for id, file in dumped.items()},
        labels={utterance.id: utterance.labels for utterance in utterances if utterance.labels},
    )


def _replace(parts: list[DataDir], summary: dict[str, object], data: Path) -> None:
    """Put new data directories and their summary in the place of all old ones, once all are written and valid."""
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=data) as staging:
        staged = [replace(part, path=Path(staging) / part.path.name) for part in parts]
        for part in staged:
            write_data_dir(part)
            validate_data_dir(part.path)
        with atomic_write(Path(staging) / SUMMARY) as file:
            json.dump(summary, file, indent=1, ensure_ascii=False)
        # First, since it is by the summary that the next run knows the data directories as ours.
        os.replace(Path(staging) / SUMMARY, data / SUMMARY)
        for name in splits.NAMES:
            shutil.rmtree(data / name, ignore_errors=True)
        for part in staged:
            os.replace(part.path, data / part.path.name)


def _lines(report: PrepareReport) -> Iterator[str]:
    for name, count in report.utterances.items():
        yield f"{name}: {count} utterances, {report.speakers[name]} speakers, {report.hours[name]:.2f} h"
    yield from report.notes
    for count, why in ((len(report.left_out), "left out by rule"), (len(report.skipped), "skipped as bad")):
        if count:
            yield f"{why}: {count} utterances, see {SUMMARY}"
