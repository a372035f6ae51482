"""Reads a node's configuration from flags, the environment, a TOML file and the defaults."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
import platformdirs

from node.config.tables import ApiKeyTable, NodeConfig
from node.errors import Exit, UserError
from node.files import FileError, NoFileError, read_toml
from node.inference.config import hide_secrets

if TYPE_CHECKING:
    from protocol.params import NetworkParams

ENVIRONMENT_PREFIX: Final = "STRAND_"
SECRETS: Final = frozenset({"api.token", "api.keys", "engine.api_key"})
URLS: Final = frozenset({"engine.url", "engine.proxy"})
"""Keys whose values may hold a password."""

CONFIG_BYTES_MAX: Final = 1024 * 1024
"""Bytes of a configuration file: a thousand trusted keys take a tenth of it."""


class ConfigError(UserError):
    """The configuration cannot be used. The message is one line for the user: the key, its origin, and the fault."""

    code = Exit.USAGE


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration and, for each "table.key" that is not a default, the origin of its value."""

    config: NodeConfig
    origins: Mapping[str, str]

    def files_of_secrets(self) -> set[Path]:
        """Return the files from which a secret was read."""
        engine = self.config.engine
        held = {"engine.url": engine.url, "engine.proxy": engine.proxy}
        told = {
            origin
            for key, origin in self.origins.items()
            if key in SECRETS or (key in URLS and hide_secrets(held[key]) != held[key])
        }
        return {Path(origin) for origin in told if origin != "flag" and not origin.startswith("environment ")}

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """Yield (key, value as JSON has it, origin) for every key, in order.

        For secrets the value shows only whether they are set, and for the API's keys also their names and audiences.
        """
        for table in fields(self.config):
            values = getattr(self.config, table.name)
            for item in fields(values):
                key = f"{table.name}.{item.name}"
                value = getattr(values, item.name)
                shown = _hidden(value) if key in SECRETS else value
                if key in URLS:
                    shown = hide_secrets(str(value))
                yield key, _plain(shown), self.origins.get(key, "default")


@dataclass(frozen=True, slots=True)
class _Given:
    """A value before its check. Text of a flag or a variable may represent a number or a list; that of TOML may not."""

    key: str
    value: object
    origin: str
    is_text: bool


_Types: TypeAlias = Mapping[str, Mapping[str, Any]]


def _hidden(value: object) -> object:
    """Return what may be shown of a secret, or of a table of secrets."""
    if isinstance(value, dict):
        return {name: _hidden(each) for name, each in value.items()}
    if isinstance(value, ApiKeyTable):
        return {"token": _hidden(value.token), "audience": value.audience}
    return "(set)" if value else ""


def _plain(value: object) -> object:
    """Return a value in types that JSON has."""
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | dict | None) else str(value)


def default_file() -> Path:
    """Return the default configuration file."""
    return platformdirs.user_config_path("strand") / "node.toml"


def load_config(
    *,
    file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    folder: Path | None = None,
) -> LoadedConfig:
    """Read and check the configuration.

    `file` None means `default_file()`, which need not exist. `flags` maps "table.key" to a value; None is "not given".
    Texts from flags and the environment are read by the key's type: lists are separated by commas, `trust.trusted` is
    KEY=WEIGHT, separated by commas. `folder`: `node.data_dir` where nothing names one; None: the user's. Raises
    ConfigError.
    """
    tables = get_type_hints(NodeConfig)
    types = {name: get_type_hints(table, include_extras=True) for name, table in tables.items()}
    given: dict[str, _Given] = {}
    for entry in (
        *([] if folder is None else [_Given("node.data_dir", str(folder), "profile", is_text=False)]),
        *_from_file(file, types),
        *_from_environment(environment, types),
        *(_Given(key, value, "flag", is_text=True) for key, value in (flags or {}).items() if value is not None),
    ):
        _require_known(entry, types)
        given[entry.key] = entry
    built = {}
    for name, table in tables.items():
        keys = {key: f"{name}.{key}" for key in types[name]}
        try:
            built[name] = table(
                **{key: _convert(given[path], types[name][key]) for key, path in keys.items() if path in given}
            )
        except ValueError as error:
            raise ConfigError(f"[{name}] {error}{_whence(str(error), name, given)}") from error
    config = NodeConfig(**built)
    if "engine.kind" not in given:
        _require_no_kind(config, given)
    return LoadedConfig(config, {key: entry.origin for key, entry in given.items()})


_OF_KINDS: Final = {
    "vllm.model": '"vllm"',
    "engine.url": '"openai" (--engine openai)',
    "engine.model": '"openai" (--engine openai)',
    "engine.api_key": '"openai" (--engine openai)',
}
"""Keys that say nothing to the default engine, and the `engine.kind` that they are for."""


def _require_no_kind(config: NodeConfig, given: Mapping[str, _Given]) -> None:
    """Refuse engine settings without a kind: the embedded model would silently be used instead.

    Empty is as good as not given: a script may pass on a key that it does not have.
    """
    for key, kind in _OF_KINDS.items():
        table, _, name = key.partition(".")
        if key in given and getattr(getattr(config, table), name):
            raise ConfigError(f"{key} in {given[key].origin} needs engine.kind = {kind}")


def load_params(network: str) -> "NetworkParams":
    """Load the NetworkParams that `node.network` names: one of configs/params, or a path. Raises ConfigError."""
    from importlib.resources import files

    from protocol.params import NetworkParams, ParamsError
    from protocol.versions import AGGREGATOR, CANONICAL_FORM, DRAWS

    shipped = Path(str(files("configs"))) / "params"
    is_path = "/" in network or network.endswith(".toml")
    file = Path(network).expanduser() if is_path else shipped / f"{network}.toml"
    try:
        params = NetworkParams.from_mapping(read_toml(file, CONFIG_BYTES_MAX))
    except NoFileError as error:
        names = ", ".join(sorted(entry.name.removesuffix(".toml") for entry in shipped.iterdir()))
        raise ConfigError(f"no network parameters {network!r}: give a file, or one of {names}") from error
    except (FileError, ParamsError) as error:
        raise ConfigError(f"network parameters {network!r}: {error}") from error
    for asked, known in (
        (params.aggregator, AGGREGATOR),
        (params.canonical_form, CANONICAL_FORM),
        (params.draws, DRAWS),
    ):
        if asked != known:
            # Every round of this network would be refused (R8): a node of it could only observe.
            raise ConfigError(
                f"network parameters {network!r} ask for {asked!r}, and this strand knows {known!r}: "
                "install the strand of that version, or name another network (node.network)"
            )
    return params


def _from_file(file: Path | None, types: _Types) -> Iterator[_Given]:
    path = default_file() if file is None else file
    try:
        content = read_toml(path, CONFIG_BYTES_MAX)
    except NoFileError as error:
        if file is None:
            return
        raise ConfigError(f"there is no configuration file {path}") from error
    except FileError as error:
        raise ConfigError(str(error)) from error
    for table, values in content.items():
        if not isinstance(values, dict):
            raise ConfigError(f"{table} in {path} stands outside of a table such as [node]")
        if table not in types:
            raise ConfigError(f"unknown table [{table}] in {path}: did you mean [{_nearest(table, types)}]?")
        for key, value in values.items():
            yield _Given(f"{table}.{key}", value, str(path), is_text=False)


def _from_environment(environment: Mapping[str, str], types: _Types) -> Iterator[_Given]:
    """Yield the variables of our tables; others, such as STRAND_CONFIG or those of a test suite, are ignored.

    An empty one is unset, as everywhere in shells and compose files.
    """
    for variable, value in sorted(environment.items()):
        table, _, key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
        if variable.startswith(ENVIRONMENT_PREFIX) and value.strip() and key and table in types:
            yield _Given(f"{table}.{key}", value, f"environment {variable}", is_text=True)


def _require_known(given: _Given, types: _Types) -> None:
    table, _, key = given.key.partition(".")
    if key not in types.get(table, {}):
        known = [f"{table}.{key}" for table, keys in types.items() for key in keys]
        raise ConfigError(f"unknown key {given.key} in {given.origin}: did you mean {_nearest(given.key, known)}?")


def _whence(message: str, table: str, given: Mapping[str, _Given]) -> str:
    """Return the origin of a value that a table's own check refuses; the check's message begins with the key."""
    key = re.split(r"\W", message, maxsplit=1)[0]
    found = given.get(f"{table}.{key}")
    return f" (in {found.origin})" if found else ""


def _nearest(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    return get_close_matches(word, known, n=1, cutoff=0.0)[0]


def _convert(given: _Given, kind: Any) -> Any:
    value = given.value
    if given.is_text and isinstance(value, str) and get_origin(kind) in {tuple, dict}:
        parts = [part.strip() for part in value.split(",") if part.strip()]
        value = parts if get_origin(kind) is tuple else dict(part.partition("=")[::2] for part in parts)
    choices = [choice for part in (kind, *get_args(kind)) for choice in _choices(part)]
    if isinstance(value, str):
        value = next((choice for choice in choices if choice == value.strip().lower()), value)
    try:
        return msgspec.convert(value, kind, strict=not given.is_text, dec_hook=_path)
    except msgspec.ValidationError as error:
        hint = f"; choose from {', '.join(map(repr, choices))}" if choices else ""
        raise ConfigError(f"{given.key} in {given.origin}: {error}{hint}") from error


def _choices(kind: Any) -> tuple[Any, ...]:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return tuple(each.value for each in kind)
    return get_args(kind) if get_origin(kind) is Literal else ()


def _path(_: type, value: object) -> Path:
    """Convert a path, the only type of ours that msgspec does not know."""
    if not isinstance(value, str):
        raise ValueError("Expected a path")
    return Path(value).expanduser()
