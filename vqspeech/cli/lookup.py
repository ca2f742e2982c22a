"""Which model a command works with when the command line names none."""

import json
from pathlib import Path

from vqspeech.errors import UsageError
from vqspeech.lookup import NONE_IN_THE_BOX, VARIABLE, is_model, look_up

PLACES = ("exp/*", "recipes/*/exp/*")


def find_model(model: Path | None) -> Path:
    """Return `model`, else the folder that $VQSPEECH_MODEL names, else the model in the package.

    Raises UsageError that lists the models trained here when there is none, without those trained without codes.
    """
    if found := look_up(model):
        return found
    trained = sorted(str(folder) for place in PLACES for folder in Path().glob(place) if _is_offered(folder))
    if trained:
        raise UsageError(
            f"no model named, and {NONE_IN_THE_BOX}: give --model {trained[0]} or set ${VARIABLE}; "
            f"models here: {', '.join(trained)}"
        )
    raise UsageError(
        f"no model named, {NONE_IN_THE_BOX} and none is in ./exp or ./recipes/*/exp: give --model DIR or set "
        f"${VARIABLE}; `bash recipes/vctk/run.sh` trains one"
    )


def _is_offered(folder: Path) -> bool:
    """Whether `folder` is a model that commands can use: not one trained without codes, only to compare with."""
    if not is_model(folder):
        return False
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return config["model"]["bottleneck"]["name"] != "none"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True  # loading it tells what is wrong with it
