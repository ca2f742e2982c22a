"""All measures of one model on held-out speech, gathered in one JSON file with one table beside it."""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vqspeech
from vqspeech.codec import Codec
from vqspeech.data.prepare import SUMMARY
from vqspeech.evaluation.environment import environment
from vqspeech.evaluation.figures import draw_spectrograms
from vqspeech.evaluation.likelihood import bits_at_equal_steps, measure_bits
from vqspeech.evaluation.missing import CannotMeasure, or_missing
from vqspeech.evaluation.representation import measure_codes, measure_phones
from vqspeech.evaluation.resynthesis import measure_nearest, measure_similarity, measure_words
from vqspeech.evaluation.samples import (
    Sample,
    choose_excerpts,
    choose_targets,
    interleave,
    make_samples,
    pair_with_targets,
    readers,
    wav_path,
)
from vqspeech.evaluation.speech import Speech
from vqspeech.evaluation.speed import encoding_factor, sampling_factor, training_factor
from vqspeech.evaluation.table import render
from vqspeech.files import atomic_write
from vqspeech.training.log import read_metrics

Results = dict[str, Any]
FIGURES = 2
SPEED_UTTERANCES = 8
SPEED_SECONDS = 2.0


def evaluate(
    model: Path,
    data: Path,
    train_data: Path,
    out: Path,
    unseen: Path | None = None,
    parallel: Path | None = None,
    no_codes: Path | None = None,
    units_only: bool = False,
    skip_bad: bool = False,
    command: str | None = None,
    whisper: Path | None = None,
    temperature: float = 1.0,
    copies: int = 40,
    conversions: int = 24,
    seconds: float = 4.0,
    utterances: int = 300,
) -> Results:
    """Measure the model folder `model` on the data dir `data`, with baselines fitted to `train_data`.

    Writes `out/results.json`, `out/RESULTS.md` and, unless `units_only`, wavs and figures. Every choice of
    utterances is by hash; a measure that lacks something leaves `{"missing": reason}` in its place.

    `unseen`: data dir of speakers that the model does not know, sources of half of the conversions.
    `parallel`: data dir of texts that several speakers read, sources of the others instead of `data`.
    `no_codes`: model folder of the same decoder trained without codes.
    `command`: what remakes the table; by default this process's command line.
    `whisper`: local model folder for the word error rate; by default `$VQSPEECH_WHISPER`.
    `copies`, `conversions`, `seconds`: number and greatest length of the samples.
    `utterances`: so many of each data dir, at most, to measure codes and phones on.

    Raises VqspeechError for a model or data that cannot be read; with `skip_bad` unreadable utterances are
    counted instead.
    """
    codec = vqspeech.load(model)

    def speech(path: Path | None) -> Speech | None:
        return None if path is None else Speech(path, codec.sample_rate, skip_bad)

    test, train, strangers, shared = map(speech, (data, train_data, unseen, parallel))
    log = read_metrics(model / "train" / "metrics.jsonl")
    results: Results = {
        "command": command or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        **environment(),
        "model": _describe_model(codec, model, log),
        "bits": or_missing(lambda: measure_bits(codec, test)),
        "no_codes": or_missing(lambda: _against_no_codes(log, no_codes)),
        "codes": measure_codes(codec, test, utterances),
        "codes_unseen": measure_codes(codec, strangers, utterances) if strangers else None,
        "phones": or_missing(lambda: measure_phones(codec, train, test, utterances)),
        "speed": _speed(codec, test, log, sampling=not units_only),
    }
    if not units_only:
        excerpts = choose_excerpts(test, copies, seconds, seen=True)
        known = choose_excerpts(shared, conversions, seconds, seen=True) if shared else excerpts
        unknown = choose_excerpts(strangers, conversions // 2, seconds, seen=False) if strangers else []
        sources = interleave(known[: conversions - len(unknown)], unknown)
        pairs = [(excerpt, excerpt.speaker) for excerpt in excerpts]
        pairs += pair_with_targets(sources, choose_targets(train), readers(shared or test))
        samples = make_samples(codec, pairs, temperature, out / "wav")
        results |= {
            "nearest": or_missing(lambda: measure_nearest(samples, codec.sample_rate)),
            "similarity": or_missing(lambda: measure_similarity(samples, train, strangers)),
            "words": or_missing(lambda: measure_words(samples, codec.sample_rate, whisper)),
            "sampling": {"temperature": temperature, "seconds": seconds, "folder": str(out / "wav")},
            "samples": [_describe_sample(sample, out / "wav") for sample in samples],
            "figures": _draw(samples, codec.sample_rate, out / "figures"),
        }
    sides = {"train": train, "test": test, "unseen": strangers, "parallel": shared}
    results["data"] = {name: _describe_data(side) for name, side in sides.items() if side}
    results["preparation"] = _describe_preparation(data)
    with atomic_write(out / "results.json") as file:
        json.dump(results, file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")
    with atomic_write(out / "RESULTS.md") as file:
        file.write(render(results))
    return results


def _describe_model(codec: Codec, model: Path, log: Sequence[Results]) -> Results:
    """What the model is and how long it was trained."""
    return {
        "path": str(model),
        "sample_rate": codec.sample_rate,
        "hop": codec.hop,
        "rate": codec.sample_rate / codec.hop,
        "codes": codec.codes,
        "speakers": len(codec.speakers),
        "parameters": sum(weights.numel() for weights in codec.model.parameters()),
        "steps": log[-1]["step"] if log else None,
        "minutes": log[-1]["minutes"] if log else None,
    }


def _describe_data(side: Speech) -> Results:
    return {
        "path": str(side.path),
        "utterances": len(side),
        "hours": side.hours,
        "speakers": len(side.data.speakers),
        "skipped": side.skipped,
    }


def _describe_preparation(data: Path) -> Results | None:
    """What `vqspeech-prepare` could not use of the corpus; None for a data dir of another origin."""
    summary = data.parent / SUMMARY
    if not summary.is_file():
        return None
    facts = json.loads(summary.read_text(encoding="utf-8"))
    return {"skipped": facts["skipped"], "left_out": len(facts["left_out"])}


def _against_no_codes(log: Sequence[Results], no_codes: Path | None) -> Results:
    if no_codes is None:
        raise CannotMeasure("no model trained without codes was given")
    compared = bits_at_equal_steps(log, read_metrics(no_codes / "train" / "metrics.jsonl"))
    if compared is None:
        raise CannotMeasure("the training logs hold no evaluation on dev speech")
    return compared


def _speed(codec: Codec, test: Speech, log: Sequence[Results], sampling: bool) -> Results:
    """Real-time factors; encoding and sampling are timed on the first readable test utterances by hash."""
    waveforms = [waveform for _, waveform in test.read(test.first(SPEED_UTTERANCES))]
    factors = {
        "training": training_factor(log, codec.sample_rate),
        "encoding": encoding_factor(codec, waveforms),
    }
    if sampling:
        units = codec.encode(waveforms[0][: round(SPEED_SECONDS * codec.sample_rate)])
        factors["sampling"] = sampling_factor(codec, units, codec.speakers[0])
    return factors


def _describe_sample(sample: Sample, wavs: Path) -> Results:
    return {
        "source": sample.source.utterance,
        "source_speaker": sample.source.speaker,
        "seen": sample.source.seen,
        "speaker": sample.speaker,
        "wav": str(wav_path(sample, wavs)),
    }


def _draw(samples: Sequence[Sample], sample_rate: int, folder: Path) -> list[str]:
    """Draw source, copy and conversion of the first sources that have both; the paths of the pictures."""
    copies = {sample.source.utterance: sample for sample in samples if sample.is_copy}
    conversions = [sample for sample in samples if not sample.is_copy and sample.source.utterance in copies]
    paths = []
    for sample in conversions[:FIGURES]:
        source = sample.source
        titles = {
            f"{source.utterance}, as {source.speaker} said it": source.waveform,
            "copy-synthesis from its codes": copies[source.utterance].waveform,
            f"the same codes in the voice of {sample.speaker}": sample.waveform,
        }
        paths.append(folder / f"{sample.name}.png")
        draw_spectrograms(paths[-1], titles, sample_rate)
    return [str(path) for path in paths]
