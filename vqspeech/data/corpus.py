"""Any corpus folder, told apart by what is in it."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from vqspeech.data.folder import is_speaker_folders, read_speaker_folders
from vqspeech.data.kaldi import DataDir, read_data_dir
from vqspeech.data.labels import find_labels
from vqspeech.data.librispeech import is_librispeech, read_librispeech
from vqspeech.data.manifest import is_manifest, read_manifest
from vqspeech.data.utterance import Corpus, Utterance, utterance_id
from vqspeech.data.vctk import is_vctk, read_vctk
from vqspeech.errors import VqspeechError

__all__ = ["Corpus", "Utterance", "read_corpus"]

LAYOUTS = (
    "wav.scp (a Kaldi data directory), manifest.tsv, wav48_silence_trimmed or wav48 beside txt (VCTK), "
    "SPEAKER/CHAPTER/*.trans.txt (LibriSpeech), recordings in a folder for each speaker"
)


def read_corpus(folder: Path, mic: str = "mic1", labels: Path | None = None) -> Corpus:
    """Read the utterances of a corpus folder, whatever its layout; no audio is opened and no pipe is run.

    `mic` chooses the microphone of VCTK 0.92. `labels` is a folder of phone labels named by utterance;
    without it, a folder `phones` in the corpus is taken. Raises VqspeechError when the folder has no known
    layout or contradicts itself, and when no utterance has any of the labels.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise VqspeechError(f"{folder}: no such folder")
    corpus = _read(folder, mic)
    if not corpus.utterances:
        raise VqspeechError(f"{folder}: a {corpus.kind} corpus without utterances")
    if labels is None and (folder / "phones").is_dir():
        labels = folder / "phones"
    if labels:
        found = find_labels(Path(labels).resolve())
        if found.keys().isdisjoint(utterance.id for utterance in corpus.utterances):
            example = f"{corpus.utterances[0].id}{next(iter(found.values())).suffix}"
            raise VqspeechError(f"{labels}: no utterance of {folder} has labels there, such as {example}")
        corpus = replace(
            corpus,
            utterances=[
                replace(utterance, labels=found.get(utterance.id, utterance.labels)) for utterance in corpus.utterances
            ],
        )
    return _in_order_of_speakers(corpus)


def _read(folder: Path, mic: str) -> Corpus:
    if (folder / "wav.scp").is_file():
        return _read_kaldi(folder)
    if is_manifest(folder):
        return read_manifest(folder)
    if is_vctk(folder):
        return read_vctk(folder, mic)
    if is_librispeech(folder):
        return read_librispeech(folder)
    if is_speaker_folders(folder):
        return read_speaker_folders(folder)
    raise VqspeechError(f"{folder}: no corpus of a known layout; looked for {LAYOUTS}")


def _read_kaldi(folder: Path) -> Corpus:
    data = read_data_dir(folder, allow_pipes=True)
    base = _base(data)
    utterances = [
        Utterance(
            utterance_id(data.utt2spk[id], id),
            data.utt2spk[id],
            (base / source).resolve() if isinstance(source, Path) else source,
            data.texts.get(id),
            data.spk2gender.get(data.utt2spk[id]),
            base / data.labels[id] if id in data.labels else None,
            listed=f"{folder / 'wav.scp'}:{line}",
        )
        for line, (id, source) in enumerate(data.wavs.items(), start=1)
    ]
    return Corpus("Kaldi data directory", utterances)


def _base(data: DataDir) -> Path:
    """Return the folder that relative paths of a data directory start from: the working directory or its own."""
    relative = [source for source in data.wavs.values() if isinstance(source, Path) and not source.is_absolute()]
    bases = (Path.cwd(), data.path)
    for base in bases:
        if not relative or any((base / source).is_file() for source in relative):
            return base
    raise VqspeechError(
        f"{data.path / 'wav.scp'}: {relative[0]} lies neither in {bases[0]} nor in {bases[1]}; write absolute paths"
    )


def _in_order_of_speakers(corpus: Corpus) -> Corpus:
    """Rename so that utterances sorted by id are sorted by speaker too, as Kaldi demands.

    `ls19_7` comes after `ls198_3` while `ls19` comes before `ls198`. So an utterance of a speaker whose name
    begins another speaker's is called `ls19-7`: `-` sorts before digits and letters.
    """
    speakers = sorted({utterance.speaker for utterance in corpus.utterances})
    # In sorted order the names that a name begins follow it directly.
    prefixes = {name for name, after in pairwise(speakers) if after.startswith(name)}
    if not prefixes:
        return corpus
    utterances = [
        replace(utterance, id=f"{utterance.speaker}-{utterance.id.removeprefix(utterance.speaker).lstrip('_-')}")
        if utterance.speaker in prefixes
        else utterance
        for utterance in corpus.utterances
    ]
    if len({utterance.id for utterance in utterances}) < len(utterances):
        raise VqspeechError(f"the ids of speaker {min(prefixes)} cannot be told apart from another speaker's")
    note = f"{len(prefixes)} speakers, {min(prefixes)} first, begin another's name: their ids are SPEAKER-NAME"
    return replace(corpus, utterances=utterances, notes=[*corpus.notes, note])
