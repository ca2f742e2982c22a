import math

from vqspeech.evaluation.conversion_table import render

CONVERSIONS = {
    "samples": 8,
    **{"wer": 0.25, "wer_interval": [0.2, 0.3], "wer_above_source": 0.125, "wer_above_source_interval": [0.1, 0.15]},
    **{"nearer": 0.875, "nearer_interval": [0.75, 1.0], "to_target": 0.456, "to_target_interval": [0.4, 0.5]},
    **{"log_f0": math.log(190), "log_f0_interval": [5.2, 5.3], "f0_deviation": 3.0, "f0_deviation_interval": [2, 4]},
    **{"target_log_f0": math.log(210), "target_log_f0_interval": [5.3, 5.3]},
    **{"target_f0_deviation": 2.5, "target_f0_deviation_interval": [2.5, 2.5]},
}
RESULTS = {
    "command": "bash score.sh",
    "date": "2000-01-01",
    "commit": None,
    "machine": "a machine",
    "versions": {"vqspeech": "0.1.0"},
    "model": {"path": "exp/m", "parameters": 1_234_567, "codes": 128, "rate": 250.0, "speakers": 8},
    "threshold": 0.32,
    "missing": {"opinions": "not installed: distillmos"},
    "sources": {"all": {"samples": 8, "utterances": 4, "speakers": 3}},
    "systems": {"conversions": CONVERSIONS, "untouched": {"samples": 8, "wer": 0.125, "wer_interval": [0.1, 0.2]}},
    "groups": {"unseen": CONVERSIONS | {"samples": 4}},
    "targets": {"slt": CONVERSIONS},
    "parallel": {"conversions": {"samples": 2, "mcd": 5.0, "mcd_interval": [4.5, 5.5]}},
}


def rows(page: str) -> list[dict[str, str]]:
    """Every row of every table, by the titles of its columns; that of the first is empty."""
    found, head = [], None
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            head = None
        elif head is None:
            head = ["", *cells[1:]]
        elif cells[0] != "---":
            found.append(dict(zip(head, cells, strict=True)))
    return found


def test_every_system_group_and_target_has_a_row() -> None:
    page = render(RESULTS)
    table = rows(page)
    assert [row[""] for row in table] == [
        *("conversions", "their sources, untouched"),
        *("in all", "of speakers it never heard", "to slt"),
        "slt",
        "conversions",
    ]
    assert table[0]["word errors"] == "25.0 % (20.0 to 30.0)"
    assert table[0]["nearer to target than to source"] == "87.5 % (75.0 to 100.0)"
    assert table[0]["similarity to target"] == "0.46"
    assert table[0]["naturalness, 1 to 5"] == table[1]["similarity to target"] == "-"
    assert table[3]["samples"] == "4"
    assert table[4]["above the sources' own"] == "12.5 % (10.0 to 15.0)"
    assert list(table[5].values()) == ["slt", "210 Hz, 2.5 semitones", "190 Hz, 3.0 semitones"]
    assert list(table[6].values()) == ["conversions", "2", "5.00 (4.50 to 5.50)", "-", "-"]


def test_the_page_says_what_was_converted_and_what_is_missing() -> None:
    page = render(RESULTS)
    assert page.startswith("```sh\nbash score.sh\n```\n")
    assert "Conversions: 8 in all (4 utterances, 3 speakers)." in page
    assert "Missing: opinions, not installed: distillmos." in page
