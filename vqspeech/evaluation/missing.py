"""A measure that cannot be taken leaves a reason in the results and stops nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vqspeech.errors import VqspeechError
from vqspeech.extras import NotInstalled

if TYPE_CHECKING:
    from vqspeech.codec import Codec


class CannotMeasure(VqspeechError):
    """What a measure needs is not there; the message is the reason that the table gives."""


def or_missing(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of `measure`, or `{"missing": reason}` when it raises CannotMeasure or lacks a package."""
    try:
        return measure()
    except (CannotMeasure, NotInstalled) as reason:
        return {"missing": str(reason)}


def require_codes(codec: "Codec") -> None:
    """Raise CannotMeasure for a continuous bottleneck."""
    if not codec.model.bottleneck.discrete:
        raise CannotMeasure(f"the bottleneck {codec.config.bottleneck.name} has no codes")
