import pytest

from vqspeech.evaluation.conversion_summary import by_target, count_sources, groups, summary


def row(utterance: str, target: str, seen: bool = True, same_gender: bool | None = True, **scores: float) -> dict:
    source = utterance.partition("_")[0]
    return {
        "utterance": utterance,
        "source": source,
        "target": target,
        "seen": seen,
        "same_gender": same_gender,
    } | scores


def test_measures_by_hand() -> None:
    rows = [
        row("a_1", "t", wrong_words=1, words=4, words_lost=0, nearer=1.0, to_target=0.5),
        row("a_1", "u", wrong_words=3, words=4, words_lost=2, nearer=0.0, to_target=0.2),
        row("b_1", "t", wrong_words=0, words=2, words_lost=-1, nearer=1.0),
    ]
    found = summary(rows)
    assert found["samples"] == 3
    assert found["wer"] == pytest.approx(4 / 10)
    assert found["wer_above_source"] == pytest.approx(1 / 10)
    assert found["nearer"] == pytest.approx(2 / 3)
    assert found["to_target"] == pytest.approx(0.35)  # of the two that have it
    assert "mos" not in found


def test_intervals_draw_utterances_with_all_that_was_made_of_them() -> None:
    rows = [row("a_1", target, wrong_words=1, words=2) for target in "tuvw"] + [row("b_1", "t", wrong_words=0, words=8)]
    found = summary(rows)
    # Both draws a, 4 of 8; both b, 0 of 16. Of five samples drawn alone, hardly ever would all be b's.
    assert found["wer_interval"] == pytest.approx([0, 0.5])
    assert summary([])["samples"] == 0


def test_groups_targets_and_sources() -> None:
    rows = [
        row("a_1", "t"),
        row("a_2", "u", same_gender=False),
        row("b_1", "t", seen=False, same_gender=None),
    ]
    found = groups(rows)
    assert found == {"unseen": rows[2:], "seen": rows[:2], "same_gender": rows[:1], "cross_gender": rows[1:2]}
    assert "unseen" not in groups(rows[:2])
    assert by_target(rows) == {"t": [rows[0], rows[2]], "u": [rows[1]]}
    assert count_sources(rows) == {"samples": 3, "utterances": 3, "speakers": 2}
