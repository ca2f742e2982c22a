"""All measures of one model on held-out speech, gathered in one JSON file with one table beside it."""

import json
import shlex
import sys
from collections.abc import Callable, Collection, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import vqspeech
from vqspeech.errors import UsageError, did_you_mean
from vqspeech.evaluation.coded import Coded
from vqspeech.evaluation.controls import Kind, by_kind, world_conversion
from vqspeech.evaluation.description import (
    describe_data,
    describe_environment,
    describe_model,
    describe_preparation,
    describe_sample,
)
from vqspeech.evaluation.discrimination import measure_abx, measure_speaker
from vqspeech.evaluation.ecapa import THRESHOLD, Ecapa, EmbeddedVoices, find_ecapa
from vqspeech.evaluation.estoi import estoi
from vqspeech.evaluation.f0 import log_f0
from vqspeech.evaluation.figures import draw_samples
from vqspeech.evaluation.likelihood import METRICS, measure_bits, measure_bound, measure_no_codes
from vqspeech.evaluation.missing import or_missing
from vqspeech.evaluation.pesq import wideband_pesq
from vqspeech.evaluation.phone_map import measure_map
from vqspeech.evaluation.quality import measure_copies, measure_mcd, measure_mos
from vqspeech.evaluation.representation import fit_baselines, measure_codes, measure_phones
from vqspeech.evaluation.resynthesis import measure_nearest, measure_words
from vqspeech.evaluation.samples import (
    Excerpt,
    choose_excerpts,
    choose_targets,
    interleave,
    make_samples,
    pair_with_targets,
    readers,
)
from vqspeech.evaluation.similarity import Voices, voice
from vqspeech.evaluation.speech import Speech
from vqspeech.evaluation.speed import measure_speed
from vqspeech.evaluation.table import render
from vqspeech.evaluation.verification import measure_voices
from vqspeech.evaluation.wer import find_whisper
from vqspeech.extras import NotInstalled
from vqspeech.files import atomic_write
from vqspeech.progress import say
from vqspeech.training.log import read_metrics

Results = dict[str, Any]
OF_CODES = ("bits", "bound", "no_codes", "codes", "phones", "map", "abx", "speaker", "speed")
OF_SAMPLES = ("nearest", "similarity", "ecapa", "words", "mos", "pesq", "estoi", "f0", "mcd")
MEASURES = OF_CODES + OF_SAMPLES


def evaluate(
    model: Path,
    data: Path,
    train_data: Path,
    out: Path,
    unseen: Path | None = None,
    parallel: Path | None = None,
    no_codes: Path | None = None,
    prior: Path | None = None,
    measures: Collection[str] = MEASURES,
    units_only: bool = False,
    skip_bad: bool = False,
    command: str | None = None,
    judges: Path | None = None,
    whisper: Path | None = None,
    temperature: float | None = None,
    copies: int = 40,
    conversions: int = 24,
    seconds: float = 4.0,
    utterances: int = 300,
) -> Results:
    """Measure the model folder `model` on the data dir `data`, with baselines fitted to `train_data`.

    Writes `out/results.json`, `out/RESULTS.md`, for `map` a table of counts and, for the measures of `OF_SAMPLES`, wavs
    and figures. Every choice of utterances is by hash; a measure that lacks something leaves `{"missing": reason}` in
    its place.

    `unseen`: data dir of speakers that the model does not know, sources of half of the conversions.
    `parallel`: data dir of texts that several speakers read, sources of the others instead of `data`.
    `no_codes`: model folder of the same decoder trained without codes.
    `prior`: folder of priors over the model's units, for the whole bound.
    `measures`: those to take, of `MEASURES`; with `units_only` those of samples are left out.
    `command`: what remakes the table; by default this process's command line.
    `judges`: folder of judges' weights; by default `$VQSPEECH_JUDGES`, else the one `fetch_judges.sh` fills.
    `whisper`: model folder for the word error rate; by default `$VQSPEECH_WHISPER`, else the one among the judges.
    `copies`, `conversions`, `seconds`: number and greatest length of the samples.
    `utterances`: so many of each data dir, at most, to measure codes and phones on.

    Raises VqspeechError for a model or data that cannot be read; with `skip_bad` unreadable utterances are
    counted instead. Raises UsageError for an unknown measure.
    """
    for name in measures:
        if name not in MEASURES:
            raise UsageError(f"unknown measure {name!r}{did_you_mean(name, MEASURES)} (one of {', '.join(MEASURES)})")
    sampling = not units_only and any(name in measures for name in OF_SAMPLES)
    codec = vqspeech.load(model)
    temperature = codec.temperature if temperature is None else temperature

    def speech(path: Path | None) -> Speech | None:
        return None if path is None else Speech(path, codec.sample_rate, skip_bad)

    test, train, strangers, shared = map(speech, (data, train_data, unseen, parallel))
    sides = {"train": train, "test": test, "unseen": strangers, "parallel": shared}
    if test.data.wavs.keys() & train.data.wavs.keys():
        say(f"warning: {data} and {train_data} have utterances in common, so that what is held out is not")
    log = read_metrics(model / METRICS)
    coded = Coded.by(codec)

    @cache
    def baselines() -> dict[str, Coded]:
        return fit_baselines(codec, train, utterances)

    def taken(measure: dict[str, Callable[[], Results]]) -> Results:
        return {name: or_missing(take) for name, take in measure.items() if name in measures}

    results: Results = {
        "command": command or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        **describe_environment(),
        "model": describe_model(codec, model, log),
        **taken(
            {
                "bits": lambda: measure_bits(codec, test),
                "bound": lambda: measure_bound(codec, test, prior),
                "no_codes": lambda: measure_no_codes(codec, model, no_codes),
                "codes": lambda: measure_codes(codec, coded, test, utterances),
                "phones": lambda: measure_phones(codec, coded, train, test, utterances, baselines),
                "map": lambda: measure_map(codec, coded, test, utterances, out),
                "abx": lambda: measure_abx(codec, coded, test, utterances, baselines),
                "speaker": lambda: measure_speaker(codec, coded, train, test, utterances, baselines),
                "speed": lambda: measure_speed(codec, test, log, sampling=not units_only),
            }
        ),
    }
    if strangers and "codes" in measures:
        results["codes_unseen"] = or_missing(lambda: measure_codes(codec, coded, strangers, utterances))
    if sampling:
        pairs = _choose_pairs(codec.speakers, train, test, strangers, shared, copies, conversions, seconds)
        rate = codec.sample_rate
        samples = make_samples(codec, pairs, temperature, out / "wav")
        try:
            world, lacking = world_conversion(train, strangers, rate), {}
        except NotInstalled as reason:
            world, lacking = None, {"world": {"missing": str(reason)}}

        @cache
        def kinds() -> dict[str, Kind]:
            return by_kind(samples, world)

        def ecapa() -> Results:
            judge = Ecapa(find_ecapa(judges))
            return measure_voices(
                kinds(), train, strangers, partial(judge.voice, sample_rate=rate), EmbeddedVoices, THRESHOLD
            )

        results |= {
            **taken(
                {
                    "nearest": lambda: measure_nearest(samples, rate),
                    "similarity": lambda: measure_voices(
                        kinds(), train, strangers, partial(voice, sample_rate=rate), Voices
                    ),
                    "ecapa": ecapa,
                    "words": lambda: measure_words(kinds(), rate, find_whisper(whisper, judges)),
                    "mos": lambda: measure_mos(kinds(), rate),
                    "pesq": lambda: measure_copies(kinds(), rate, wideband_pesq),
                    "estoi": lambda: measure_copies(kinds(), rate, estoi),
                    "f0": lambda: measure_copies(kinds(), rate, log_f0),
                    "mcd": lambda: measure_mcd(kinds(), shared or test),
                }
            ),
            **lacking,
            "sampling": {"temperature": temperature, "seconds": seconds, "folder": str(out / "wav")},
            "samples": [describe_sample(sample, out / "wav") for sample in samples],
            "figures": [str(path) for path in draw_samples(samples, codec.sample_rate, out / "figures")],
        }
    # Last, since by now all that is read has been read and the bad utterances are known.
    results["data"] = {name: describe_data(side) for name, side in sides.items() if side}
    results["preparation"] = describe_preparation(data)
    _write(results, out)
    return results


def _choose_pairs(
    speakers: Sequence[str],
    train: Speech,
    test: Speech,
    unseen: Speech | None,
    parallel: Speech | None,
    copies: int,
    conversions: int,
    seconds: float,
) -> list[tuple[Excerpt, str]]:
    """Excerpts with the voices to say them in: test speech in its own, then conversions to other voices."""
    # A voice that the model does not know has no copies.
    own = choose_excerpts(test, copies, seconds, seen=True, among=speakers)
    known = choose_excerpts(parallel, conversions, seconds, seen=True) if parallel else own
    unknown = choose_excerpts(unseen, conversions // 2, seconds, seen=False) if unseen else []
    sources = interleave(known[: conversions - len(unknown)], unknown)
    return [
        *((excerpt, excerpt.speaker) for excerpt in own),
        *pair_with_targets(sources, choose_targets(train), readers(parallel or test)),
    ]


def _write(results: Results, out: Path) -> None:
    with atomic_write(out / "results.json") as file:
        json.dump(results, file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")
    with atomic_write(out / "RESULTS.md") as file:
        file.write(render(results))
