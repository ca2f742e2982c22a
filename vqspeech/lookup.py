"""Which model is meant when none is named."""

import os
from pathlib import Path

from vqspeech.errors import VqspeechError

VARIABLE = "VQSPEECH_MODEL"
BOX = Path(__file__).parent / "pretrained"
"""The model that comes with the package, where there is one."""
NONE_IN_THE_BOX = "none comes with this vqspeech"


def look_up(model: str | Path | None) -> Path | None:
    """Return `model`, else the folder that $VQSPEECH_MODEL names, else the model in the package, else None."""
    if named := model or os.environ.get(VARIABLE):
        return Path(named)
    return BOX if is_model(BOX) else None


def find_model(model: str | Path | None) -> Path:
    """Return what `look_up` returns; raises VqspeechError, which says what to do, when that is None."""
    if found := look_up(model):
        return found
    raise VqspeechError(
        f"no model named, and {NONE_IN_THE_BOX}: name a model folder or set ${VARIABLE}; "
        "`bash recipes/vctk/run.sh` trains one"
    )


def is_model(folder: Path) -> bool:
    """Whether `folder` holds what `vqspeech.load` reads."""
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()
