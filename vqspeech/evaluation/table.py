"""Results as Markdown: `python -m vqspeech.evaluation.table results.json [--short] [--command TEXT]`."""

import argparse
import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

Results = dict[str, Any]
Row = tuple[str, str, str]
DATA_HEAD = ("data", "utterances", "minutes", "speakers", "skipped as bad")
MEASURES_HEAD = ("on held-out speech", "result", "beside it")
KINDS = {
    "copies": "copies",
    "conversions": "conversions",
    "conversions_unseen": "conversions of unseen speakers",
}
BASELINES = {
    "mfcc_kmeans": "MFCC k-means",
    "mfcc_kmeans_centred": "the same with each utterance's mean taken off",
    "random": "random codes",
}
CONTROLS = {
    "originals": "originals",
    "mu_law": "8-bit mu-law",
    "untouched": "the untouched source",
    "world": "WORLD",
}
OF_AUDIO = {
    "mos": {"mos": "naturalness of {}, 1 to 5 (DistillMOS)"},
    "pesq": {"pesq": "wideband PESQ of {}, 1.0 to 4.6"},
    "estoi": {"estoi": "ESTOI of {}, at most 1"},
    "f0": {
        "rmse": "log F0 of {} off the source's by, root mean square",
        "correlation": "log F0 of {}, correlation with the source's",
        "voiced": "voiced frames of the source that are voiced in {}",
    },
    "mcd": {"mcd": "mel-cepstral distortion of {} in dB"},
}
"""The title of each score, for the kind of samples."""


def render(results: Results) -> str:
    """The whole page: the command that remakes it, what was measured, the table, where to listen."""
    lines = [
        "```sh",
        results["command"],
        "```",
        "",
        f"{results['date']}, commit {results['commit'] or 'unknown'}, on {results['machine']}.",
        ", ".join(f"{name} {version}" for name, version in results["versions"].items()) + ".",
        "",
        _model(results["model"]),
        "",
        *_table(DATA_HEAD, data_rows(results["data"])),
        "",
        *_preparation(results["preparation"]),
        *_table(MEASURES_HEAD, measure_rows(results)),
        *_listening(results),
    ]
    return "\n".join(lines) + "\n"


def render_short(results: Results) -> str:
    """The table of measures alone, for a README."""
    return "\n".join(_table(MEASURES_HEAD, measure_rows(results))) + "\n"


def _model(model: Results) -> str:
    words = (
        f"Model `{model['path']}`: {model['parameters'] / 1e6:.2f} M parameters, {model['codes']} codes at "
        f"{model['rate']:g} Hz, {model['speakers']} speakers"
    )
    if model["steps"] is not None:
        words += f", trained for {model['steps']} steps in {model['minutes']:.1f} minutes"
    return words + "."


def data_rows(sides: Results) -> Iterator[tuple[str, ...]]:
    """How much speech each data dir holds, as text."""
    for name, side in sides.items():
        counts = side["utterances"], f"{60 * side['hours']:.1f}", side["speakers"], len(side["skipped"])
        yield name, *map(str, counts)


def _preparation(preparation: Results | None) -> list[str]:
    if preparation is None:
        return []
    skipped, left_out = len(preparation["skipped"]), preparation["left_out"]
    return [f"Preparing the corpus, {skipped} utterances were skipped as bad and {left_out} left out by rule.", ""]


def measure_rows(results: Results) -> Iterator[Row]:
    """The measures that were taken, as text: what, the result, and what it is to be compared with."""
    rows = {
        "bits": _bits,
        "bound": _bound,
        "no_codes": _no_codes,
        "codes": partial(_codes, unseen=results.get("codes_unseen"), pcm_bitrate=16 * results["model"]["sample_rate"]),
        "phones": _phones,
        "abx": _abx,
        "speaker": _speaker,
        "nearest": _nearest,
        "similarity": _similarity,
        "ecapa": partial(_similarity, judge=" (ECAPA-TDNN)"),
        "words": _words,
        **{name: partial(_of_audio, titles=titles) for name, titles in OF_AUDIO.items()},
        "world": _world,
        "speed": _speed,
    }
    for name, rows_of in rows.items():
        if name in results:
            yield from rows_of(results[name])


def _bits(bits: Results) -> Iterator[Row]:
    if "missing" in bits:
        yield "bits per sample", "-", bits["missing"]
    else:
        beside = f"shuffled codes {bits['shuffled']:.2f}, zeroed codes {bits['zeroed']:.2f}"
        yield "bits per sample", f"{bits['true']:.2f}" + _interval(bits, "true", digits=2), beside


def _no_codes(no_codes: Results) -> Iterator[Row]:
    if "missing" in no_codes:
        yield "bits per sample against training without codes", "-", no_codes["missing"]
    else:
        codes = (
            f"; the codes are {no_codes['code_bits']:.2f} bits per sample themselves" if no_codes["code_bits"] else ""
        )
        yield (
            f"bits per sample on dev after {no_codes['step_with_codes']} steps",
            f"{no_codes['bits_with_codes']:.2f}",
            f"trained without codes, {no_codes['step']} steps: {no_codes['bits']:.2f}{codes}",
        )


def _bound(bound: Results) -> Iterator[Row]:
    if "missing" in bound:
        return
    name, bits = min(bound["bound"].items(), key=lambda entry: entry[1])
    others = ", ".join(f"{other} {bound['bound'][other]:.2f}" for other in bound["bound"] if other != name)
    beside = f"{bound['codes'][name]:.3f} of them for the codes" + (f"; other priors: {others}" if others else "")
    doubt = {"bound_interval": bound["bound_interval"][name]} if "bound_interval" in bound else {}
    yield (
        f"bits per sample with the codes' own, {name} prior",
        f"{bits:.2f}" + _interval(doubt, "bound", digits=2),
        beside,
    )


def _codes(codes: Results, unseen: Results | None, pcm_bitrate: int) -> Iterator[Row]:
    if "missing" in codes:
        yield "codes in use", "-", codes["missing"]
        return
    size, rates = codes["codes"], codes["bitrate"]
    beside = {"in_use": "", "perplexity": ""}
    if unseen:
        beside = {
            name: f"unseen speakers {unseen[name]:.0f}" if name in unseen else unseen["missing"] for name in beside
        }
    yield "codes in use", f"{codes['in_use']} of {size}", beside["in_use"]
    perplexity = f"{codes['perplexity']:.0f}{_interval(codes, 'perplexity', digits=0)} of {size}"
    yield "perplexity", perplexity, beside["perplexity"]
    yield (
        "bitrate (entropy of the codes)",
        f"{rates['entropy']:.0f}{_interval(rates, 'entropy', digits=0)} bit/s",
        f"fixed length {rates['nominal']:.0f}, runs merged {rates['merged']:.0f}, 16-bit PCM {pcm_bitrate}",
    )


def _phones(phones: Results) -> Iterator[Row]:
    name = "phone majority map, frame accuracy without silence"
    if "missing" in phones:
        yield name, "-", phones["missing"]
        return
    yield (
        name,
        _percent(phones["accuracy"]) + _interval(phones, "accuracy"),
        f"commonest of {phones['phones']} phones {_percent(phones['commonest'])}, "
        + _baselines(phones["beside"], lambda scores: _percent(scores["accuracy"]))
        + f"; {_percent(phones['silence'])} of the frames are silence",
    )
    beside, even = phones["beside"], phones["boundaries"]["even"]
    yield "phone purity, cluster purity, PNMI", _purity(phones, intervals=True), _baselines(beside, _purity, "; ")
    yield (
        "unit boundaries at those of phones within 20 ms, precision, recall, R-value",
        _boundaries(phones, intervals=True),
        _baselines(beside, _boundaries, "; ") + "; evenly spaced " + _boundaries({"boundaries": even}),
    )


def _baselines(beside: Results, show: Callable[[Results], str], between: str = ", ") -> str:
    return between.join(f"{title} {show(beside[name])}" for name, title in BASELINES.items() if name in beside)


def _boundaries(scores: Results, intervals: bool = False) -> str:
    found = scores["boundaries"]
    return ", ".join(
        f"{found[name]:.2f}" + (_interval(found, name, digits=2) if intervals else "")
        for name in ("precision", "recall", "r_value")
    )


def _abx(errors: Results) -> Iterator[Row]:
    name = "ABX error of triphones within, across speakers"
    if "missing" in errors:
        yield name, "-", errors["missing"]
        return
    beside = errors["beside"]
    for own, title, others in (
        ("codes", "codes by edits", BASELINES),
        ("vectors", "their vectors by angle", {"mfcc": "MFCC", "log_mel": "log-mel"}),
    ):
        if own in errors:
            baselines = (f"{title} {_within_across(beside[name])}" for name, title in others.items() if name in beside)
            yield f"{name}, {title}", _within_across(errors[own], intervals=True), "; ".join(baselines)


def _within_across(errors: Results, intervals: bool = False) -> str:
    return ", ".join(
        "-" if errors[name] is None else _percent(errors[name]) + (_interval(errors, name) if intervals else "")
        for name in ("within", "across")
    )


def _speaker(probe: Results) -> Iterator[Row]:
    name = "speaker named by a linear probe from two seconds of codes (less is better)"
    if "missing" in probe:
        yield name, "-", probe["missing"]
        return
    baselines = _baselines(probe["beside"], lambda scores: _percent(scores["accuracy"]))
    beside = f"{baselines}, chance {_percent(probe['chance'])}"
    yield name, _percent(probe["accuracy"]) + _interval(probe, "accuracy"), beside


def _purity(scores: Results, intervals: bool = False) -> str:
    return ", ".join(
        f"{scores[name]:.2f}" + (_interval(scores, name, digits=2) if intervals else "")
        for name in ("phone_purity", "cluster_purity", "pnmi")
    )


def _nearest(nearest: Results) -> Iterator[Row]:
    if "missing" in nearest:
        yield "copy-synthesis nearest to its own source", "-", nearest["missing"]
        return
    yield (
        f"copy-synthesis nearest in log-mel to its own source, of {nearest['choices']}",
        f"{_percent(nearest['accuracy'])}{_interval(nearest, 'accuracy')} of {nearest['copies']}",
        f"chance {_percent(nearest['chance'])}; {nearest['distance']:.1f} dB away, "
        f"the others {nearest['other_distance']:.1f} dB",
    )


def _similarity(similarity: Results, judge: str = "") -> Iterator[Row]:
    if "missing" in similarity:
        yield f"speaker similarity{judge}", "-", similarity["missing"]
        return
    natural = similarity["natural"]
    if copies := similarity["copies"]:
        yield (
            f"speaker similarity of copies{judge}",
            f"{copies['to_target']:.2f}" + _interval(copies, "to_target", digits=2),
            f"natural speech {natural['own']:.2f}, to other speakers {natural['other']:.2f}, "
            f"equal error rate {_percent(natural['equal_error_rate'])}" + _interval(natural, "equal_error_rate"),
        )
    for kind in ("conversions", "conversions_unseen"):
        name = KINDS[kind]
        if scores := similarity[kind]:
            beside = f"the untouched source {scores['source_to_target']:.2f}, {scores['source_to_source']:.2f}"
            if world := scores.get("beside", {}).get("world"):
                beside += f"; WORLD {world['to_target']:.2f}, {world['to_source']:.2f}"
            yield (
                f"speaker similarity of {name} to target, to source{judge}",
                ", ".join(f"{scores[to]:.2f}" + _interval(scores, to, digits=2) for to in ("to_target", "to_source")),
                beside,
            )
            nearer = f"{_percent(scores['target_nearer'])}{_interval(scores, 'target_nearer')} of {scores['count']}"
            yield f"{name} more similar to target than to source{judge}", nearer, _beside(scores, "target_nearer")
        if scores and "accepted" in scores:
            yield from _accepted(name, judge, scores, similarity["threshold"], natural)


def _accepted(name: str, judge: str, scores: Results, threshold: float, natural: Results | None) -> Iterator[Row]:
    thresholds = {"accepted": threshold} | ({"accepted_at_equal_error": natural["threshold"]} if natural else {})
    for accepted, least in thresholds.items():
        where = ", natural speech's equal error" if accepted != "accepted" else ""
        yield (
            f"{name} taken for the target, from {least:.2f} on{where}{judge}",
            _percent(scores[accepted]) + _interval(scores, accepted),
            _beside(scores, accepted),
        )


def _of_audio(scores: Results, titles: dict[str, str]) -> Iterator[Row]:
    """A row for each score of each kind."""
    if "missing" in scores:
        yield next(iter(titles.values())).format("copies"), "-", scores["missing"]
        return
    for kind, found in scores.items():
        for name, title in titles.items() if found else ():
            result = f"{found[name]:.2f}{_interval(found, name, digits=2)} of {found['utterances']}"
            yield title.format(KINDS[kind]), result, _beside(found, name, percent=False)


def _world(world: Results) -> Iterator[Row]:
    yield "conversion by WORLD, as a baseline", "-", world["missing"]


def _beside(scores: Results, name: str, percent: bool = True) -> str:
    """The same score of the controls that have it."""
    controls = {CONTROLS[control]: found[name] for control, found in scores.get("beside", {}).items() if found}
    return ", ".join(
        f"{control} {_percent(value) if percent else f'{value:.2f}'}" for control, value in controls.items()
    )


def _words(words: Results) -> Iterator[Row]:
    if "missing" in words:
        yield "word error rate", "-", words["missing"]
        return
    for kind, name in KINDS.items():
        if scores := words.get(kind):
            result = f"{_percent(scores['wer'])}{_interval(scores, 'wer')} of {scores['utterances']}"
            # In results of an earlier version all kinds have the originals beside them.
            beside = _beside(scores, "wer") or f"originals {_percent(words['originals']['wer'])}"
            yield f"word error rate of {name} ({words['judge']})", result, beside


def _speed(speed: Results) -> Iterator[Row]:
    if "missing" in speed:
        yield "real-time factors", "-", speed["missing"]
        return
    for work, factor in speed.items():
        if factor is not None:
            yield f"real-time factor of {work}", f"{factor:.3g}", "seconds of work per second of speech"


def _listening(results: Results) -> list[str]:
    """Where the wavs and pictures are, and the command that plays one."""
    if not results.get("samples"):
        return []
    samples, sampling = results["samples"], results["sampling"]
    # The first conversion, else the first copy.
    example = min(samples, key=lambda sample: sample["speaker"] == sample["source_speaker"])
    lines = [
        "",
        f"{example['source']} in the voice of {example['speaker']}, with this or any other player:",
        "",
        "```sh",
        f"ffplay -nodisp -autoexit {shlex.quote(example['wav'])}",
        "```",
        "",
        f"`{sampling['folder']}` holds the originals in `source`, the copies in `copy`, the conversions in a "
        f"folder for each target, sampled at temperature {sampling['temperature']:g}.",
    ]
    if results["figures"]:
        lines += ["", f"Spectrograms: {', '.join(f'`{path}`' for path in results['figures'])}."]
    return lines


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _interval(scores: Results, name: str, digits: int | None = None) -> str:
    """The 95 % interval in brackets, of so many digits or in percent; nothing in results of an earlier version."""
    if f"{name}_interval" not in scores:
        return ""
    low, high = scores[f"{name}_interval"]
    return f" ({100 * low:.1f} to {_percent(high)})" if digits is None else f" ({low:.{digits}f} to {high:.{digits}f})"


def main() -> None:
    """Print results.json of vqspeech-evaluate as Markdown."""
    parser = argparse.ArgumentParser("python -m vqspeech.evaluation.table", description=main.__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--short", action="store_true", help="only the table of measures, for a README")
    parser.add_argument("--command", help="what remakes the table, if not the recorded command")
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text(encoding="utf-8"))
    if arguments.command:
        results["command"] = arguments.command
    print(render_short(results) if arguments.short else render(results), end="")


if __name__ == "__main__":
    main()
