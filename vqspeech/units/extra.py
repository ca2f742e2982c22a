"""Libraries that only some formats of units need: the extra `formats`."""

import importlib
from types import ModuleType

from vqspeech.errors import VqspeechError


def require(module: str) -> ModuleType:
    """Import a library; raises VqspeechError that names the extra which brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise VqspeechError(f"this needs {module}: pip install 'vqspeech[formats]'") from error
