"""Options that several commands share, and their handling."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from cyclopts import Parameter, Token
from rich.console import Console
from rich.text import Text

from node.cli.parts.errors import CliError, Exit
from node.config import LoadedConfig, Profile, default_file, load_config
from node.files import decode
from node.text import printable
from protocol.limits import TEXT_BYTES_MAX


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Source:
    """Source of the configuration."""

    config: Annotated[Path | None, Parameter(help="Configuration file (TOML).")] = None
    data_dir: Annotated[Path | None, Parameter(help="Folder of key, store and certificates.")] = None
    profile: Annotated[
        str | None, Parameter(help="One of several nodes of yours, made by `strand init --profile NAME`.")
    ] = None

    def load(self, **flags: object) -> LoadedConfig:
        """Load the configuration under these flags ("table.key" with a double underscore for the dot).

        Raises ConfigError, and ProfileError if there is no such profile.
        """
        if (profile := self.named) is not None:
            profile.require()
        return self._load(None if profile is None else profile.file, flags)

    def load_defaults(self, **flags: object) -> LoadedConfig:
        """Load as `load` does, as if no configuration file existed yet."""
        return self._load(Path(os.devnull), flags)

    @property
    def named(self) -> Profile | None:
        """The profile; None without one. Raises ProfileError for an invalid name, CliError beside a file."""
        if self.profile is None:
            return None
        if self.config is not None:
            raise CliError("--profile has a configuration file of its own: leave --config out", Exit.USAGE)
        return Profile(self.profile)

    @property
    def is_given(self) -> bool:
        """Whether the command line names a configuration, and so one certain node."""
        return (self.config, self.data_dir, self.profile) != (None, None, None)

    @property
    def file(self) -> Path:
        """The configuration file, which need not exist."""
        profile = self.named
        return self.config or (default_file() if profile is None else profile.file)

    def _load(self, file: Path | None, flags: Mapping[str, object]) -> LoadedConfig:
        profile = self.named
        given = {name.replace("__", "."): value for name, value in flags.items()}
        data_dir = None if self.data_dir is None else str(self.data_dir)
        return load_config(
            file=file or self.config,
            environment=os.environ,
            flags={"node.data_dir": data_dir, **given},
            folder=None if profile is None else profile.folder,
        )


KEY_DIGITS = 12
"""Digits of a key that suffice to tell keys apart and to search for them."""


def any_case(kind: Any, tokens: Sequence[Token]) -> str:
    """Return the choice of a Literal that an option's value names, in upper or lower case. Raises ValueError."""
    choices = [each for part in (kind, *get_args(kind)) if get_origin(part) is Literal for each in get_args(part)]
    value = tokens[0].value
    if (lower := value.lower()) not in choices:
        raise ValueError(f'Invalid value "{value}" for {tokens[0].keyword}. Choose from: {", ".join(choices)}.')
    return lower


JsonFlag = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON on stdout, nothing else.")]


def print_json(value: Any) -> None:
    """Print one JSON document on stdout; foreign text in it cannot move a terminal's cursor or reorder a line."""
    text = json.dumps(value, ensure_ascii=not _writes_all_letters(), indent=2)
    sys.stdout.write("".join(x if x.isprintable() or x == "\n" else json.dumps(x)[1:-1] for x in text) + "\n")
    # A command may go on after its result, while a reader waits at the other end of a pipe.
    sys.stdout.flush()


def _writes_all_letters() -> bool:
    """Whether stdout can encode every character; its replacements for others (backslash, x) are not JSON."""
    return (sys.stdout.encoding or "utf-8").lower().replace("-", "").startswith("utf")


def print_line(text: str) -> None:
    """Print one line on stdout, however long."""
    sys.stdout.write(outside(text.replace("\n", "\\n")).plain + "\n")


def stdout() -> Console:
    """Return the console for results: it never breaks lines, so that they can be copied and searched."""
    return Console(soft_wrap=True)


def stderr() -> Console:
    """Return the console for notes while a command runs; stdout is for its result."""
    return Console(stderr=True)


def outside(text: str) -> Text:
    """Escape foreign text for a terminal: no markup, no escape sequences, no characters that reorder a line."""
    return Text(printable(text, keeps="\n\t"))


def read_query(argument: str, *, empty: bool = False) -> str:
    """Return the question from the command line or, for "-", from stdin. Raises CliError.

    `empty`: whether it may be empty.
    """
    if argument == "-":
        return read_stdin(empty=empty)
    if argument.startswith("-"):
        # The parser takes an unknown option for the query, because "-" must be allowed; it must not be asked.
        raise CliError(f"unknown option {argument}; a query that begins with a hyphen comes through stdin", Exit.USAGE)
    return _query(os.fsencode(argument), empty=empty)


def read_stdin(*, empty: bool = False) -> str:
    """Return the text on stdin, up to its end. Raises CliError; `empty`: whether it may be empty."""
    if sys.stdin.isatty():
        stderr().print("reading the question from this terminal; Ctrl-D on an empty line ends it", highlight=False)
    # Imported late: help does not need it.
    from node.cli.parts.signals import ended_at_once

    try:
        with ended_at_once():
            raw = sys.stdin.buffer.read(TEXT_BYTES_MAX + 1)
    except OSError as error:
        raise CliError(f"cannot read stdin: {error.strerror}", Exit.USAGE) from error
    return _query(raw, empty=empty)


def _query(raw: bytes, *, empty: bool) -> str:
    if len(raw) > TEXT_BYTES_MAX:
        raise CliError(
            f"the query has more than {TEXT_BYTES_MAX} bytes: shorten it, for no node takes a longer one", Exit.USAGE
        )
    try:
        query = decode(raw)
    except UnicodeDecodeError as error:
        raise CliError("the query is not UTF-8", Exit.USAGE) from error
    if not empty and not query.strip():
        raise CliError("the query is empty: write it in quotes, or send it through stdin", Exit.USAGE)
    return query
