"""Dataclasses of settings: values that are checked, read from YAML, overridden by dotted flags."""

import dataclasses
import json
import math
import reprlib
import types
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from vqspeech.errors import UsageError, VqspeechError, did_you_mean

T = TypeVar("T")
MOST_MERGED = 10_000
"""Keys of one mapping of a YAML file, which has some dozens."""


class ConfigError(UsageError):
    """A setting that does not exist or cannot hold that value."""


class Checked:
    """Refuses values beyond what makes sense, by the settings' names: a stranger's could take all time and memory."""

    def _at_least(self, least: float, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if min(value if isinstance(value, tuple) else (value,), default=least) < least:
                raise ConfigError(f"{name}: {value} is below {least:g}")

    def _at_most(self, most: float, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if max(value if isinstance(value, tuple) else (value,), default=most) > most:
                raise ConfigError(f"{name}: {value} is above {most:g}")

    def _at_most_long(self, most: int, *names: str) -> None:
        for name in names:
            if len(getattr(self, name)) > most:
                raise ConfigError(f"{name}: {len(getattr(self, name))} values are more than {most}")


def load_config(path: Path, cls: type[T]) -> T:
    """Read a YAML file into a config dataclass; raises ConfigError naming an unknown key and the nearest known one."""
    try:
        values = _from_yaml(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise VqspeechError(f"{path}: cannot read the config: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    return from_dict(cls, _onto(to_dict(cls()), values), where=str(path))


def _from_yaml(text: str) -> Any:
    """What a YAML text stands for; raises ValueError of one line when it is none."""
    import yaml

    class Loader(yaml.SafeLoader):
        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            # Merges (`<<: [*a, *a]`) of merges double with every line, so they are counted before they are made.
            size = len(node.value)
            for key, value in node.value:
                merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for other in merged if key.tag == "tag:yaml.org,2002:merge" else []:
                    if isinstance(other, yaml.MappingNode):
                        self.flatten_mapping(other)
                        size += len(other.value)
                    if size > MOST_MERGED:
                        raise ValueError(f"a mapping of more than {MOST_MERGED} keys")
            super().flatten_mapping(node)

    try:
        return yaml.load(text, Loader)
    except MemoryError:
        raise
    except Exception as error:  # beside its own errors PyYAML has KeyError and others for `!!bool x` and the like
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def _onto(defaults: Any, values: Any) -> Any:
    """Values over defaults, setting by setting: a default can depend on where a dataclass stands."""
    if not isinstance(defaults, dict) or not isinstance(values, dict):
        return values
    return {**defaults, **{key: _onto(defaults.get(key), value) for key, value in values.items()}}


def override(config: T, settings: dict[str, str]) -> T:
    """Apply dotted settings such as `{"training.max_minutes": "5"}`; values are read as YAML scalars."""
    values = to_dict(config)
    for key, text in settings.items():
        *parents, last = key.split(".")
        node = values
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigError(f"--{key}: {parent} is one setting, without further ones")
        try:
            node[last] = _from_yaml(text)
        except ValueError as error:
            raise ConfigError(f"--{key}: {text!r} is not a YAML value") from error
    return from_dict(type(config), values, where="settings")


def to_dict(config: Any) -> dict[str, Any]:
    """The plain dictionary of a config dataclass, ready for JSON or YAML."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_dict(cls: type[T], values: Any, where: str = "config") -> T:
    """Build a config dataclass from a dictionary; raises ConfigError on unknown keys and wrong types."""
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected settings, found {_shown(values)}")
    hints = get_type_hints(cls)
    for key in values:
        if key not in hints:
            raise ConfigError(f"{where}: unknown setting {_shown(key)}{did_you_mean(str(key), hints)}")
    parsed = {key: _parse(hints[key], value, f"{where}: {key}") for key, value in values.items()}
    try:
        return cls(**parsed)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _shown(value: Any) -> str:
    """A value as an error shows it: YAML's aliases make some that would print without end."""
    return reprlib.repr(value)


def _parse(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            known = ", ".join(map(str, get_args(hint)))
            raise ConfigError(f"{where}: {_shown(value)} is not one of {known}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: expected a list, found {_shown(value)}")
        return tuple(_parse(get_args(hint)[0], entry, where) for entry in value)
    if get_origin(hint) in (Union, types.UnionType):
        return None if value is None else _parse(get_args(hint)[0], value, where)
    if hint is float and type(value) in (int, float, str):
        # YAML 1.1 reads 1e-3 as text: it wants a dot.
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
        raise ConfigError(f"{where}: expected float, found {_shown(value)}")
    if type(value) is not hint:
        raise ConfigError(f"{where}: expected {hint.__name__}, found {_shown(value)}")
    return value
