"""What pyproject.toml declares against what the package imports."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def imported(*files: Path) -> set[str]:
    """The top-level modules that Python files import, at any place in them."""
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module)
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


def declared(*lists: list[str]) -> set[str]:
    return {re.match(r"[\w-]+", entry)[0].lower().replace("-", "_") for entries in lists for entry in entries}


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    extras = PROJECT["optional-dependencies"]
    chosen = ("align", "miniature", "asr-judge", "audio-judges", "compiled-judges", "demo", "formats")
    # fetch_judges.sh installs distillmos, whose own requirements do not hold.
    optional = declared(*(extras[name] for name in chosen)) | {"distillmos"}
    modules = imported(*ROOT.glob("vqspeech/**/*.py"), ROOT / "recipes/utils/run_job.py")
    distributions = packages_distributions()
    used = {distributions.get(name, [name])[0].lower().replace("-", "_") for name in modules} - {"vqspeech"}
    # tensorboard is what torch.utils.tensorboard writes with; triton comes with a torch that is built for GPUs.
    assert used - optional - {"triton"} == declared(PROJECT["dependencies"]) - {"tensorboard"}
