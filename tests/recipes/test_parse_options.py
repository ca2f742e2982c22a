import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = f"""
stage=0
train_config=conf/tiny.yaml
skip_bad=false
help_message="the help"
. '{ROOT}/recipes/utils/parse_options.sh'
set -euo pipefail
echo "$stage|$train_config|$skip_bad|$*"
"""


def parse(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", SCRIPT, "run.sh", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ([], "0|conf/tiny.yaml|false|"),
        (["--stage", "3", "--skip-bad", "true"], "3|conf/tiny.yaml|true|"),
        (["--train-config", "a b.yaml", "rest", "--stage", "1"], "0|a b.yaml|false|rest --stage 1"),
        (["--stage", "2", "--", "--stage", "1"], "2|conf/tiny.yaml|false|--stage 1"),
        (["--train-config", "$(exit 9)"], "0|$(exit 9)|false|"),
        (["--train-config", ""], "0||false|"),
    ],
)
def test_options_set_the_variables_that_have_defaults(arguments: list[str], values: str) -> None:
    ran = parse(*arguments)
    assert (ran.returncode, ran.stdout.strip()) == (0, values)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--stge", "3"], "unknown option --stge"),
        (["--PATH", "x"], "unknown option --PATH"),
        (["--stage"], "--stage needs a value"),
        (["--stage", "two"], "--stage is a whole number, not 'two'"),
        (["--skip-bad", "yes"], "--skip-bad is true or false, not 'yes'"),
        (["--stage=3"], "write '--stage 3'"),
        (["--config", "/nowhere"], "cannot read --config /nowhere"),
    ],
)
def test_a_mistake_is_refused_in_one_line(arguments: list[str], complaint: str) -> None:
    ran = parse(*arguments)
    assert ran.returncode == 2
    assert complaint in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""


def test_help_is_printed() -> None:
    ran = parse("--help")
    assert (ran.returncode, ran.stdout) == (0, "the help\n")


def test_the_command_line_wins_over_the_config_file(tmp_path: Path) -> None:
    config = tmp_path / "my options.sh"
    config.write_text("stage=4\ntrain_config=conf/base.yaml\n")
    for arguments in (["--stage", "5", "--config", str(config)], ["--config", str(config), "--stage", "5"]):
        assert parse(*arguments).stdout.strip() == "5|conf/base.yaml|false|"
