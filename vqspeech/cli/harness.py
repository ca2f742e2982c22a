"""What all commands share: a typed function becomes flags and help, an error one line and an exit code.

Exit codes: 0 done, 1 failed, 2 command line not understood, 130 interrupted, 141 the reader of our pipe left, 143
terminated, by a scheduler perhaps.
"""

import argparse
import dataclasses
import inspect
import json
import os
import re
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

import docstring_parser
from jsonargparse import ArgumentParser, DefaultHelpFormatter

from vqspeech import __version__
from vqspeech.errors import UsageError, VqspeechError, did_you_mean

Command = Callable[..., None]
SHORT_FLAGS = {"--force": "-f", "--number": "-n"}
EXPECTED = r"Expected a (?:<class '(?P<type>int|float)'>|typing.Literal\[(?P<choices>.+?)\])"
TYPES_IN_WORDS = {"int": "a whole number", "float": "a number"}


def run(command: Command, settings: type | None = None) -> NoReturn:
    """Call `command` with what the command line gives for its parameters, then exit.

    The function `convert` is the command `vqspeech-convert`. Its docstring is the help: a description, then
    the sections `Args:` and `Example:`. Parameters before a `*` have no default and are given without a flag. Each key
    of a dataclass `settings` is a dotted flag besides; those given reach `command` as further keyword arguments, such
    as `{"training.max_minutes": "5"}`.
    """
    name = _name(command)

    def terminated(number: int, frame: FrameType | None) -> NoReturn:
        print(f"{name}: terminated; the same command, queued again, does the rest", file=sys.stderr)
        sys.exit(128 + number)

    # An exception, unlike the signal itself, lets what is half written be removed.
    signal.signal(signal.SIGTERM, terminated)
    # A file name that is no UTF-8 is printed as the bytes that it is.
    sys.stdout.reconfigure(errors="surrogateescape")
    # PyTorch's threads wait in a loop for each other. Beside any other work on the machine that made training ten times
    # as slow; waiting no longer than a moment costs nothing. Read when PyTorch is imported, which commands do later.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        command(**parse(command, sys.argv[1:], settings))
        sys.stdout.flush()
        code = 0
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        code = 130
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads_stdout():
            sys.exit(141)
        if os.environ.get("VQSPEECH_DEBUG"):
            traceback.print_exc()
        print(f"{name}: error: {_explain(error)}", file=sys.stderr)
        code = 2 if isinstance(error, UsageError) else 1
    sys.exit(code)


def parse(command: Command, arguments: Sequence[str], settings: type | None = None) -> dict[str, Any]:
    """Turn command-line arguments into the keyword arguments of `command`.

    Raises UsageError when they do not fit, and SystemExit after `--help` and `--version`.
    """
    parser = _Parser(command)
    if settings is not None:
        parser.add_settings(settings())
    parser.check_flags(arguments)
    return dict(parser.parse_args(list(arguments)).items())


def _name(command: Command) -> str:
    # `import_` is how Python lets a function be called so.
    return "vqspeech-" + command.__name__.strip("_").replace("_", "-")


def _explain(error: Exception) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, VqspeechError):
        message = str(error)
    elif isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError) or re.search("OutOfMemory|t allocate memory", repr(error)):
        message = "out of memory; smaller batches, shorter audio or fewer processes need less"
    else:
        message = f"{type(error).__name__}: {error} (run with VQSPEECH_DEBUG=1 for the traceback)"
    return " ".join(message.split())


def _nobody_reads_stdout() -> bool:
    """Whether it is stdout whose pipe is broken, as in `vqspeech-convert --list-speakers | head`."""
    stdout = select.poll()
    stdout.register(sys.stdout.fileno(), 0)  # a broken pipe is told without being asked for
    if not stdout.poll(0):
        return False
    # Python would complain once more when it flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


class _Help(argparse.RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Keeps the lines of the description and says nothing of types, which the texts make plain."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.required:
            return f"{action.help} (required)"
        if action.default in (None, False, argparse.SUPPRESS):
            return action.help
        return f"{action.help} (default: {action.default})"


class _Parser(ArgumentParser):
    """Flags `--like-this` for a function's parameters, switches for its booleans, errors of one line."""

    def __init__(self, command: Command) -> None:
        document = docstring_parser.parse(command.__doc__)
        description = [document.short_description, document.long_description]
        examples = [line for example in document.examples for line in example.description.splitlines()]
        super().__init__(
            prog=_name(command),
            description="\n\n".join(filter(None, description)),
            epilog="\n  ".join(["example:", *examples]),
            formatter_class=_Help,
            allow_abbrev=False,
            version=__version__,
        )
        # A parameter that Python takes by its place has its place on the command line, too.
        kinds = {parameter.kind for parameter in inspect.signature(command).parameters.values()}
        self.add_function_arguments(
            command, as_group=False, as_positional=inspect.Parameter.POSITIONAL_OR_KEYWORD in kinds
        )
        required = [
            " ".join([*action.option_strings[:1], action.dest.upper()]) for action in self._actions if action.required
        ]
        self.usage = " ".join(["%(prog)s", *required, "[options]"])

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        if options.get("type") is bool:
            del options["type"]
            options["action"] = "store_true"
        if any(name.endswith("+") for name in names):
            # jsonargparse's way to a list is a flag for each item; a shell that expands `*.wav` gives them after one.
            names = tuple(name for name in names if not name.endswith("+"))
            del options["action"]
            options |= {"type": str, "nargs": "+", "action": "extend"}
        # Dotted flags are the keys of a YAML file and keep their underscores.
        flags = [name if "." in name else name.replace("_", "-") for name in names]
        short = [SHORT_FLAGS[flag] for flag in flags if flag in SHORT_FLAGS]
        return super().add_argument(*short, *flags, **options)

    def add_settings(self, settings: Any, prefix: str = "") -> None:
        """Add a dotted flag, kept as text, for each key of a dataclass's defaults; its docstring is the help."""
        help: dict[str, str] = {}
        # The most general class first.
        for cls in filter(dataclasses.is_dataclass, reversed(type(settings).__mro__)):
            document = docstring_parser.parse_from_object(cls)
            help |= {param.arg_name: param.description for param in document.params}
        group = self.add_argument_group(document.short_description.rstrip("."))
        for field in dataclasses.fields(settings):
            flag, value = f"--{prefix}{field.name}", getattr(settings, field.name)
            if dataclasses.is_dataclass(value):
                self.add_settings(value, f"{prefix}{field.name}.")
            else:
                default = json.dumps(value).strip('"')
                text = f"{help[field.name]} (default: {default})"
                group.add_argument(flag, default=argparse.SUPPRESS, help=text)

    def check_flags(self, arguments: Sequence[str]) -> None:
        """Refuse unknown flags first: a misspelt flag should not be told as another one missing."""
        for flag in (word.partition("=")[0] for word in arguments if word.startswith("--")):
            if flag not in self._option_string_actions:
                self.error(f"unknown flag {flag}{did_you_mean(flag, self._option_string_actions)}")

    def error(self, message: str, error: Exception | None = None) -> NoReturn:
        message = " ".join(message.split()).removeprefix("argument ")
        if found := re.match("the following arguments are required: (.+)", message):
            places = {action.dest for action in self._actions if not action.option_strings}
            names = found[1].split(", ")
            message = "missing " + ", ".join(
                name.upper() if name in places else f"--{name.replace('_', '-')}" for name in names
            )
        elif found := re.match('Parser key "(.+?)": .*?' + EXPECTED + ".* value: (.*)", message):
            wanted = f"one of {found['choices']}" if found["choices"] else TYPES_IN_WORDS[found["type"]]
            message = f"--{found[1].replace('_', '-')}: {found[4]!r} is not {wanted}"
        raise UsageError(f"{message} (see {self.prog} --help)")
