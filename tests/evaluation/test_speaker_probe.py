import numpy as np
import pytest

from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.speaker_probe import Segment, segments, speaker_probe

CODES = 32


def speech(seed: int, utterances: int, bias: float, speakers: str = "pqrs") -> list[Segment]:
    """Utterances of 200 units each, of which a share `bias` is the speaker's favourite code."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(utterances):
        index = number % len(speakers)
        units = np.where(rng.random(200) < bias, index, rng.integers(CODES, size=200))
        made.append(Segment(units, speakers[index], f"{seed}-{number}"))
    return made


@pytest.mark.parametrize(("bias", "low", "high"), [(0.2, 0.95, 1.0), (0.0, 0.1, 0.45)])
def test_codes_that_hold_the_voice_give_it_away_and_others_do_not(bias: float, low: float, high: float) -> None:
    found = speaker_probe(speech(0, 60, bias), speech(1, 80, bias), CODES)
    assert low <= found.accuracy <= high
    assert found.accuracy_interval[0] <= found.accuracy <= found.accuracy_interval[1]
    assert (found.chance, found.speakers, found.train_segments, found.test_segments) == (0.25, 4, 60, 80)


def test_who_speaks_more_counts_for_no_more() -> None:
    # p speaks ten times as much, and little tells them apart: who always named p would be right for one of two.
    def both(seed: int, favourite: float) -> list[Segment]:
        theirs = [one for one in speech(seed + 1, 24, favourite, "pq") if one.speaker == "q"]
        return speech(seed, 120, favourite, "p") + theirs

    assert speaker_probe(both(0, 0.05), both(2, 0.05), CODES).accuracy > 0.7
    assert speaker_probe(both(0, 0.0), both(2, 0.0), CODES).accuracy < 0.7


def test_strangers_are_left_out_and_one_speaker_is_too_few() -> None:
    train = speech(0, 24, 0.2)
    known = speech(1, 8, 0.2)
    strangers = [Segment(np.zeros(200, int), "x", "x_1")]
    assert speaker_probe(train, known + strangers, CODES).test_segments == 8
    with pytest.raises(CannotMeasure, match="fewer than two speakers with 3 training utterances"):
        speaker_probe(train, strangers, CODES)
    with pytest.raises(CannotMeasure, match="fewer than two"):
        speaker_probe(train[:8], known, CODES)


def test_segments_are_of_two_seconds() -> None:
    found = segments(np.arange(450), "p", "p_1", 0.01)
    assert [(len(one.units), one.units[0]) for one in found] == [(200, 0), (200, 200)]
    (only,) = segments(np.arange(50), "p", "p_1", 0.01)
    assert len(only.units) == 50
    assert (only.speaker, only.utterance) == ("p", "p_1")
