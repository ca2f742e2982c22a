"""Which model a command works with when the command line names none."""

import json
import os
from pathlib import Path

from vqspeech.errors import UsageError

VARIABLE = "VQSPEECH_MODEL"
PLACES = ("exp/*", "recipes/*/exp/*")


def find_model(model: Path | None) -> Path:
    """Return `model`, else the folder that $VQSPEECH_MODEL names.

    Raises UsageError that lists the models trained here when there is neither, without those trained without codes.
    """
    named = model or os.environ.get(VARIABLE)
    if named:
        return Path(named)
    trained = sorted(str(folder) for place in PLACES for folder in Path().glob(place) if _is_offered(folder))
    if trained:
        raise UsageError(
            f"no model named: give --model {trained[0]} or set ${VARIABLE}; models here: {', '.join(trained)}"
        )
    raise UsageError(
        f"no model named and none in ./exp or ./recipes/*/exp: give --model DIR or set ${VARIABLE}; "
        "`bash recipes/vctk/run.sh` trains one"
    )


def is_model(folder: Path) -> bool:
    """Whether `folder` holds what `vqspeech.load` reads."""
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()


def _is_offered(folder: Path) -> bool:
    """Whether `folder` is a model that commands can use: not one trained without codes, only to compare with."""
    if not is_model(folder):
        return False
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return config["model"]["bottleneck"]["name"] != "none"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return True  # loading it tells what is wrong with it
