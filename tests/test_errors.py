from vqspeech.errors import UsageError, VqspeechError, did_you_mean


def test_near_names_are_suggested_nearest_first():
    assert did_you_mean("p22", ["s5", "p225", "x01"]) == "; did you mean p225?"
    assert did_you_mean("speeker", ["data", "speaker"]) == "; did you mean speaker?"
    assert did_you_mean("training.max_minute", ["training.max_steps", "training.max_minutes"]).startswith(
        "; did you mean training.max_minutes"
    )


def test_case_alone_is_forgiven():
    assert did_you_mean("BDL", ["slt", "bdl"]) == "; did you mean bdl?"


def test_nothing_is_suggested_when_nothing_is_near():
    assert did_you_mean("xyz", ["p225", "p226"]) == ""
    assert did_you_mean("xyz", []) == ""


def test_at_most_three_names():
    assert did_you_mean("p22", [f"p22{i}" for i in range(9)]).count(",") == 2


def test_a_usage_error_is_an_error_of_ours():
    assert issubclass(UsageError, VqspeechError)
