import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest

from vqspeech.evaluation.table import render, render_short

SIMILARITY = {
    "count": 12,
    "to_target": 0.41,
    "to_source": 0.12,
    "target_nearer": 0.75,
    "source_to_target": -0.05,
    "source_to_source": 0.71,
}
ACCEPTED = {
    "accepted": 0.9,
    "accepted_interval": [0.8, 1.0],
    "accepted_at_equal_error": 0.7,
    "accepted_at_equal_error_interval": [0.6, 0.8],
}
PURITY = {
    "phone_purity": 0.35,
    "phone_purity_interval": [0.34, 0.36],
    "cluster_purity": 0.12,
    "pnmi": 0.25,
    "boundaries": {
        "precision": 0.4,
        "recall": 0.8,
        "f1": 0.53,
        "r_value": 0.1,
        "even": {"precision": 0.5, "recall": 0.5, "r_value": 0.6},
    },
}
ABX = {
    "within": 0.2,
    "within_interval": [0.18, 0.22],
    "across": 0.25,
    "across_interval": [0.2, 0.3],
    "items": 99,
}
WORDS = {"wer": 0.27, "wer_interval": [0.2, 0.3], "cer": 0.2, "cer_interval": [0.1, 0.3], "utterances": 30}
MOS = {"mos": 3.1, "mos_interval": [3.0, 3.2], "utterances": 8}
RESULTS = {
    "command": "bash recipes/vctk/run.sh",
    "date": "2000-01-01",
    "commit": "abc1234",
    "machine": "a machine, 2 cores",
    "versions": {"vqspeech": "0.1.0", "python": "3.11.0"},
    "model": {
        "path": "exp/m",
        "sample_rate": 16000,
        "hop": 64,
        "rate": 250.0,
        "codes": 128,
        "speakers": 8,
        "parameters": 1_234_567,
        "steps": 500,
        "minutes": 4.5,
    },
    "data": {"test": {"path": "data/test", "utterances": 40, "hours": 0.05, "speakers": 8, "skipped": {"x": "bad"}}},
    "preparation": {"skipped": {"y": "bad"}, "left_out": 3},
    "bits": {
        "true": 3.21,
        "true_interval": [3.1, 3.3],
        "shuffled": 5.43,
        "zeroed": 4.32,
        "utterances": 40,
        "seconds": 40.0,
    },
    "no_codes": {"step": 200, "bits": 5.05, "step_with_codes": 210, "bits_with_codes": 4.04, "code_bits": 0.109},
    "codes": {
        "codes": 128,
        "frames": 9999,
        "in_use": 100,
        "entropy": 6.0,
        "perplexity": 64.0,
        "perplexity_interval": [62.1, 65.8],
        "bitrate": {"nominal": 1750.0, "entropy": 1500.0, "entropy_interval": [1450.0, 1550.0], "merged": 900.0},
        "utterances": 40,
    },
    "codes_unseen": None,
    "phones": {
        "accuracy": 0.333,
        "accuracy_interval": [0.32, 0.35],
        "commonest": 0.07,
        "random": 0.071,
        "phones": 41,
        "silence": 0.2,
        **PURITY,
        "beside": {
            "mfcc_kmeans": {"accuracy": 0.3, **PURITY},
            "mfcc_kmeans_centred": {"accuracy": 0.31, **PURITY},
            "random": {"accuracy": 0.071, **PURITY},
        },
    },
    "abx": {
        "codes": ABX,
        "vectors": ABX | {"across": None, "across_interval": None},
        "beside": {name: {"within": 0.31, "across": 0.49} for name in ("mfcc_kmeans", "random", "mfcc", "log_mel")},
        "utterances": 40,
    },
    "speaker": {
        "accuracy": 0.6,
        "accuracy_interval": [0.5, 0.7],
        "chance": 0.125,
        "speakers": 8,
        "train_segments": 99,
        "test_segments": 40,
        "beside": {"mfcc_kmeans": {"accuracy": 0.9}, "random": {"accuracy": 0.12}},
    },
    "speed": {"training": 0.2, "encoding": 0.01, "sampling": 0.5},
    "nearest": {
        "accuracy": 0.95,
        "chance": 0.05,
        "choices": 20,
        "copies": 40,
        "distance": 4.0,
        "other_distance": 9.0,
    },
    "similarity": {
        "natural": {"own": 0.7, "other": -0.1, "equal_error_rate": 0.05},
        "copies": SIMILARITY,
        "conversions": SIMILARITY,
        "conversions_unseen": None,
    },
    "words": {
        "judge": "whisper-tiny.en",
        "copies": WORDS | {"beside": {"originals": WORDS | {"wer": 0.01}, "mu_law": WORDS | {"wer": 0.02}}},
        "conversions": WORDS | {"beside": {"untouched": WORDS | {"wer": 0.03}, "world": None}},
        "conversions_unseen": None,
    },
    "ecapa": {
        "threshold": 0.32,
        "natural": {
            "own": 0.7,
            "other": 0.1,
            "equal_error_rate": 0.02,
            "equal_error_rate_interval": [0.0, 0.04],
            "threshold": 0.41,
        },
        "copies": SIMILARITY | ACCEPTED,
        "conversions": SIMILARITY
        | ACCEPTED
        | {"beside": {"untouched": SIMILARITY | ACCEPTED, "world": SIMILARITY | ACCEPTED | {"to_target": 0.33}}},
        "conversions_unseen": None,
    },
    "mos": {
        "copies": MOS | {"beside": {"originals": MOS | {"mos": 4.4}, "mu_law": MOS | {"mos": 4.0}}},
        "conversions": MOS | {"beside": {"untouched": MOS | {"mos": 4.3}, "world": None}},
        "conversions_unseen": None,
    },
    "pesq": {
        "copies": {"pesq": 1.2, "pesq_interval": [1.1, 1.3], "utterances": 7, "beside": {"mu_law": {"pesq": 3.5}}}
    },
    "sampling": {"temperature": 1.0, "seconds": 4.0, "folder": "exp/wav"},
    "samples": [
        {"source": "a_1", "source_speaker": "a", "seen": True, "speaker": "a", "wav": "exp/wav/copy/a_1.wav"},
        {"source": "a_1", "source_speaker": "a", "seen": True, "speaker": "b", "wav": "exp/wav/b/a 1_b.wav"},
    ],
    "figures": ["exp/figures/a_1_b.png"],
}


def rows(markdown: str) -> dict[str, list[str]]:
    """First cell of every table row -> the others."""
    table = [line.strip("|").split("|") for line in markdown.splitlines() if line.startswith("|")]
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in table}


def test_the_page_begins_with_the_command_that_remakes_it() -> None:
    page = render(RESULTS)
    assert page.splitlines()[:3] == ["```sh", "bash recipes/vctk/run.sh", "```"]
    assert "2000-01-01, commit abc1234, on a machine, 2 cores." in page


def test_values_stand_beside_their_baselines() -> None:
    table = rows(render(RESULTS))
    assert table["bits per sample"] == ["3.21 (3.10 to 3.30)", "shuffled codes 5.43, zeroed codes 4.32"]
    assert table["bits per sample on dev after 210 steps"] == [
        "4.04",
        "trained without codes, 200 steps: 5.05; the codes are 0.11 bits per sample themselves",
    ]
    assert table["phone majority map, frame accuracy without silence"] == [
        "33.3 % (32.0 to 35.0 %)",
        "commonest of 41 phones 7.0 %, MFCC k-means 30.0 %, the same with each utterance's mean taken off 31.0 %, "
        "random codes 7.1 %; 20.0 % of the frames are silence",
    ]
    name = "ABX error of triphones within, across speakers"
    assert table[f"{name}, codes by edits"] == [
        "20.0 % (18.0 to 22.0 %), 25.0 % (20.0 to 30.0 %)",
        "MFCC k-means 31.0 %, 49.0 %; random codes 31.0 %, 49.0 %",
    ]
    assert table[f"{name}, their vectors by angle"][0] == "20.0 % (18.0 to 22.0 %), -"
    assert table["speaker named by a linear probe from two seconds of codes (less is better)"] == [
        "60.0 % (50.0 to 70.0 %)",
        "MFCC k-means 90.0 %, random codes 12.0 %, chance 12.5 %",
    ]
    assert table["codes in use"][0] == "100 of 128"
    assert table["perplexity"][0] == "64 (62 to 66) of 128"
    assert table["bitrate (entropy of the codes)"][0] == "1500 (1450 to 1550) bit/s"
    assert table["phone purity, cluster purity, PNMI"] == [
        "0.35 (0.34 to 0.36), 0.12, 0.25",
        "MFCC k-means 0.35, 0.12, 0.25; the same with each utterance's mean taken off 0.35, 0.12, 0.25; "
        "random codes 0.35, 0.12, 0.25",
    ]
    assert table["word error rate of copies (whisper-tiny.en)"] == [
        "27.0 % (20.0 to 30.0 %) of 30",
        "originals 1.0 %, 8-bit mu-law 2.0 %",
    ]
    assert table["word error rate of conversions (whisper-tiny.en)"][1] == "the untouched source 3.0 %"
    assert table["speaker similarity of conversions to target, to source"][0] == "0.41, 0.12"
    judge = " (ECAPA-TDNN)"
    assert table[f"speaker similarity of copies{judge}"][1] == (
        "natural speech 0.70, to other speakers 0.10, equal error rate 2.0 % (0.0 to 4.0 %)"
    )
    assert table[f"speaker similarity of conversions to target, to source{judge}"][1] == (
        "the untouched source -0.05, 0.71; WORLD 0.33, 0.12"
    )
    assert table[f"conversions taken for the target, from 0.32 on{judge}"] == [
        "90.0 % (80.0 to 100.0 %)",
        "the untouched source 90.0 %, WORLD 90.0 %",
    ]
    assert table[f"conversions taken for the target, from 0.41 on, natural speech's equal error{judge}"][0] == (
        "70.0 % (60.0 to 80.0 %)"
    )
    assert table["naturalness of copies, 1 to 5 (DistillMOS)"] == [
        "3.10 (3.00 to 3.20) of 8",
        "originals 4.40, 8-bit mu-law 4.00",
    ]
    assert table["naturalness of conversions, 1 to 5 (DistillMOS)"][1] == "the untouched source 4.30"
    assert table["wideband PESQ of copies, 1.0 to 4.6"] == ["1.20 (1.10 to 1.30) of 7", "8-bit mu-law 3.50"]
    assert table["real-time factor of sampling"][0] == "0.5"
    assert table["test"] == ["40", "3.0", "8", "1"]


def test_what_preparation_skipped_is_counted() -> None:
    said = "Preparing the corpus, 1 utterances were skipped as bad and 3 left out by rule."
    assert said in render(RESULTS)
    assert "Preparing" not in render(RESULTS | {"preparation": None})


def test_words_as_an_earlier_version_scored_them() -> None:
    words = {"judge": "tiny", "originals": WORDS | {"wer": 0.04}, "copies": WORDS, "conversions": WORDS}
    table = rows(render(RESULTS | {"words": words}))
    assert table["word error rate of conversions (tiny)"][1] == "originals 4.0 %"


def test_a_conversion_to_hear_is_named() -> None:
    assert "ffplay -nodisp -autoexit 'exp/wav/b/a 1_b.wav'" in render(RESULTS)


@pytest.mark.parametrize(
    "measure", ["bits", "no_codes", "phones", "abx", "speaker", "nearest", "similarity", "words", "mos"]
)
def test_a_missing_measure_says_why(measure: str) -> None:
    results = deepcopy(RESULTS) | {measure: {"missing": "for this reason"}}
    assert ["-", "for this reason"] in rows(render(results)).values()


def test_what_was_not_measured_has_no_row() -> None:
    results = {name: value for name, value in RESULTS.items() if name not in ("bits", "abx", "speed")}
    page = render(results)
    assert "perplexity" in page
    assert not [name for name in ("bits per sample |", "ABX", "real-time") if name in page]


def test_nothing_sampled_leaves_those_rows_out() -> None:
    results = {name: value for name, value in RESULTS.items() if name not in ("samples", "nearest", "words")}
    page = render(results)
    assert "ffplay" not in page
    assert "word error rate" not in page


def test_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))

    def run(*flags: str) -> str:
        command = [sys.executable, "-m", "vqspeech.evaluation.table", str(tmp_path / "results.json"), *flags]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert run() == render(RESULTS)
    assert run("--short") == render_short(RESULTS)
    assert run("--command", "make it").startswith("```sh\nmake it\n```\n")
