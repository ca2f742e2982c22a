"""The commands, one a module."""

import os
import sys
from types import TracebackType


def _interrupted_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """End as `harness.run` does when Ctrl-C comes before it runs, while the modules are still imported."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print(f"{os.path.basename(sys.argv[0])}: interrupted", file=sys.stderr, flush=True)
    os._exit(130)  # Python would end itself by the signal


sys.excepthook = _interrupted_quietly
