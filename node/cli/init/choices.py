"""What `strand init` is told about a node: by flags, by the answers to its questions, or both."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter

from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import any_case
from node.inference.api_key import api_key_of
from node.inference.config import EngineKind
from node.toml import toml_text

_KEY: Final = re.compile("[0-9a-f]{64}")

HEAD: Final = """\
# A node's configuration, made by `strand init`. Change it as you like: `strand config show --origin` shows every
# setting, and configs/node/example.toml explains it.

"""

COMMENTS: Final[Mapping[str, str]] = {
    "node.name": "Your name for this node: `strand status` shows it, peers do not see it.",
    "node.data_dir": "Key, journal and certificates.",
    "node.specialty": "What the model is good at; nodes of one specialty meet.",
    "overlay.listen": "Where peers reach it.",
    "overlay.bootstrap": "Peers to start from.",
    "api.bind": "The HTTP interface.",
    "api.audience": "Who may read what the OpenAI and MCP faces are asked, unless a request says otherwise.",
    "engine.kind": "What answers and judges.",
    "engine.api_key": "Keep it to yourself: each token is paid for with it.",
    "trust.default_weight": "A network of friends: everybody in it counts like one of yours.",
    "trust.trusted": "Nodes that you trust, with their voting weights.",
    "serve.keys": "The engine's key is paid for: it works for these keys and for nobody else.",
}
"""What was chosen, in words, before the setting."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Choices:
    """The answers to the questions of `strand init`; None: not given."""

    name: Annotated[str | None, Parameter(help="Your name for this node; peers do not see it.")] = None
    specialty: Annotated[str | None, Parameter(help="What the model is good at; nodes of one specialty meet.")] = None
    engine: Annotated[EngineKind | None, Parameter(converter=any_case, help="Kind of engine.")] = None
    engine_url: Annotated[str | None, Parameter(help="Base URL of an OpenAI-compatible engine.")] = None
    model: Annotated[str | None, Parameter(help="Its model; default: the first that it lists.")] = None
    key_env: Annotated[
        str | None, Parameter(help="Variable of the environment with its API key, which goes into the file.")
    ] = None
    friends: Annotated[
        bool | None,
        Parameter(negative="--open", help="Trust every node of the network like one of yours; or only those you name."),
    ] = None
    trust: Annotated[str | None, Parameter(help="Keys of nodes that you trust, separated by commas.")] = None
    bootstrap: Annotated[str | None, Parameter(help="Multiaddrs of nodes to join, separated by commas.")] = None
    bind: Annotated[str | None, Parameter(help="Address of the HTTP interface, HOST:PORT.")] = None
    listen: Annotated[str | None, Parameter(help="Multiaddrs to listen on, separated by commas.")] = None
    audience: Annotated[
        Literal["trusted", "members"] | None,
        Parameter(
            converter=any_case,
            help="Who may read what the OpenAI and MCP faces are asked: the keys that you trust, or who takes part.",
        ),
    ] = None

    @property
    def api_key(self) -> str:
        """The engine's API key; empty without one. Raises NoApiKeyError if the variable is not set."""
        return "" if self.key_env is None else api_key_of(self.key_env, "--key-env")

    def settings(self, api_key: str = "") -> dict[str, Any]:
        """Return the settings that follow, by "table.key". `api_key`: the engine's, where no variable has it.

        Raises CliError for a key to trust that is none, NoApiKeyError.
        """
        key = api_key or self.api_key
        kind = self.engine or ("openai" if self.engine_url else None)
        trusted = _parts(self.trust)
        if odd := [each for each in trusted if not _KEY.fullmatch(each)]:
            raise CliError(
                f"--trust takes keys of 64 hexadecimal digits, as `strand id` shows: not {odd[0]!r}", Exit.USAGE
            )
        told: dict[str, Any] = {
            "node.name": self.name,
            "node.specialty": self.specialty,
            "overlay.listen": _parts(self.listen),
            "overlay.bootstrap": _parts(self.bootstrap),
            "api.bind": self.bind,
            "api.audience": self.audience,
            "engine.kind": kind,
            "engine.url": self.engine_url,
            "engine.model": self.model,
            "engine.api_key": key or None,
            "trust.default_weight": 1.0 if self.friends else None,
            "trust.friends": self.friends or None,
            "trust.trusted": dict.fromkeys(trusted, 1.0),
            "serve.keys": trusted if key else [],
        }
        return {name: value for name, value in told.items() if value not in (None, [], {})}


def file_text(settings: Mapping[str, Any]) -> str:
    """Return the text of a configuration file with these settings, which were checked. Raises CliError."""
    tables: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        table, _, key = name.partition(".")
        tables.setdefault(table, {})[key] = value
    try:
        return HEAD + toml_text(tables, COMMENTS)
    except ValueError as error:
        raise CliError(str(error)) from error


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
