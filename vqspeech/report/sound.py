"""What there is to hear: sources, what the model made of them, and what its prior dreamt up."""

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vqspeech import audio
from vqspeech.files import check_id
from vqspeech.report import markup
from vqspeech.report.experiment import Experiment

UTTERANCES = 6
DREAMS = 8
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
Clips = dict[str, Path]
"""Label to file."""


def listening(experiment: Experiment) -> str:
    """Players for some test utterances, those in most voices first."""
    found = _by_utterance(experiment)
    if not found:
        return markup.absent("There are no copies and conversions to hear: the folder has no results/wav and no wav.")
    # Without its source there is little to compare.
    chosen = sorted(found, key=lambda id: ("source" not in found[id], -len(found[id])))[:UTTERANCES]
    return "\n".join(f"<h3>{markup.escape(id)}</h3>\n{_players(experiment, _named(found[id], id))}" for id in chosen)


def dreams(experiment: Experiment) -> str:
    """Players for what vqspeech-sample wrote into `samples`."""
    wavs = sorted((experiment.folder / "samples").glob("*/*.wav"))[:DREAMS]
    if not wavs:
        return markup.absent(
            "There are no samples of a prior: vqspeech-train-prior trains one, "
            f"vqspeech-sample --out {experiment.folder / 'samples'} draws from it."
        )
    return _players(experiment, {f"{wav.stem}, voice {wav.parent.name}": wav for wav in wavs})


def _by_utterance(experiment: Experiment) -> dict[str, Clips]:
    """The source, the copy and the conversions of each utterance, as far as they are there."""
    found: dict[str, Clips] = {}
    for id, label, path in (*_decoded(experiment), *_evaluated(experiment)):
        if path.is_file():
            found.setdefault(id, {}).setdefault(label, path)
    return found


def _evaluated(experiment: Experiment) -> Iterator[tuple[str, str, Path]]:
    """Where vqspeech-evaluate put its samples; the paths that it noted may be of another working folder."""
    wavs = experiment.results_folder / "wav"
    for sample in experiment.results.get("samples", []):
        source, voice = check_id(sample["source"]), check_id(sample["speaker"])
        yield source, "source", wavs / "source" / f"{source}.wav"
        if voice == sample["source_speaker"]:
            yield source, "copy", wavs / "copy" / f"{source}.wav"
        else:
            yield source, voice, wavs / voice / f"{source}_{voice}.wav"


def _decoded(experiment: Experiment) -> Iterator[tuple[str, str, Path]]:
    """What the recipe's stage of copies and conversions made, its copies in the folder `source`."""
    speakers = experiment.units.speakers if experiment.units else {}
    for path in sorted((experiment.folder / "wav").glob("*/*.wav")):
        voice, id = path.parent.name, path.stem
        if voice == "source":
            yield id, "copy", path
        elif voice != speakers.get(id):
            yield id, voice, path


def _named(clips: Clips, id: str) -> Clips:
    """The clips in the order of listening, with what each is."""
    kinds = {"source": "source", "copy": "copy in its own voice"}
    first = {f"{id}, {kinds[label]}": clips[label] for label in kinds if label in clips}
    return first | {f"{id}, as {voice}": path for voice, path in sorted(clips.items()) if voice not in kinds}


def _players(experiment: Experiment, clips: Clips) -> str:
    players = (markup.player(label, _opus(path, experiment.sample_rate)) for label, path in clips.items())
    return f'<div class="players">{"".join(players)}</div>'


def _opus(path: Path, sample_rate: int) -> str:
    """An audio file as a data URI of Ogg Opus, which holds speech in a tenth of the bytes."""
    rate = next((rate for rate in OPUS_RATES if rate >= sample_rate), OPUS_RATES[-1])
    with tempfile.TemporaryDirectory() as folder:
        audio.write(Path(folder) / "clip.opus", audio.read(path, rate), rate)
        data = (Path(folder) / "clip.opus").read_bytes()
    return f"data:audio/ogg;codecs=opus;base64,{base64.b64encode(data).decode()}"
