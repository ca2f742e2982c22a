"""A measure that cannot be taken leaves a reason in the results and stops nothing."""

from collections.abc import Callable
from typing import Any

from vqspeech.errors import VqspeechError


class CannotMeasure(VqspeechError):
    """What a measure needs is not there; the message is the reason that the table gives."""


def or_missing(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of `measure`, or `{"missing": reason}` when it raises CannotMeasure."""
    try:
        return measure()
    except CannotMeasure as reason:
        return {"missing": str(reason)}
