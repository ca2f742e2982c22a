"""Where the weights of the optional judges are: in one folder that `fetch_judges.sh` fills."""

import os
from pathlib import Path

from vqspeech.evaluation.missing import CannotMeasure

VARIABLE = "VQSPEECH_JUDGES"
SCRIPT = "recipes/utils/fetch_judges.sh"


def find_weights(folder: Path | None, name: str) -> Path:
    """The file `name` of the folder given, else of `$VQSPEECH_JUDGES`, else of the cache that the script fills.

    Raises CannotMeasure when it is not there.
    """
    path = judges_folder(folder) / name
    if not path.is_file():
        raise CannotMeasure(f"no {path}; {SCRIPT} fetches it (--judges or ${VARIABLE} name another folder)")
    return path


def judges_folder(folder: Path | None) -> Path:
    """The folder given, else `$VQSPEECH_JUDGES`, else `vqspeech/judges` in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return folder or Path(os.environ.get(VARIABLE) or cache / "vqspeech" / "judges")
