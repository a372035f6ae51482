"""NodeConfig: the settings of one node, as opposed to those shared by its network (NetworkParams).

Four sources, the strongest first: flags, environment (STRAND_<TABLE>_<KEY>), a TOML file, the defaults below. They are
read once, into frozen objects; every value remembers its origin.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
import platformdirs

from node.errors import Exit, UserError
from node.files import FileError, NoFileError, read_toml
from node.inference.config import EngineConfig, VllmConfig, hide_secrets
from node.overlay.addresses import parse_networks, why_not_announce, why_not_bootstrap, why_not_listen

if TYPE_CHECKING:
    from protocol.params import NetworkParams

ENVIRONMENT_PREFIX: Final = "STRAND_"
SECRETS: Final = frozenset({"api.token", "engine.api_key"})
URLS: Final = frozenset({"engine.url", "engine.proxy"})
"""Keys whose values may hold a password."""

NOBODY_HELP: Final = (
    'only named keys are served and none is named: name some in serve.keys, or set serve.whom = "everyone", '
    "which spends your tokens where engine.api_key is one that is paid for"
)
"""Why a node works for nobody, and the remedy."""

CONFIG_BYTES_MAX: Final = 1024 * 1024
"""Bytes of a configuration file: a thousand trusted keys take a tenth of it."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
BudgetMs = Annotated[int, msgspec.Meta(ge=1, le=3_600_000)]
# The aggregator takes weights up to 16 (WEIGHT_MAX); its own clip for earned ones is 1.6.
Weight = Annotated[float, msgspec.Meta(ge=0, le=16)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
KeyHex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class ConfigError(UserError):
    """The configuration cannot be used. The message is one line for the user: the key, its origin, and the fault."""

    code = Exit.USAGE


@dataclass(frozen=True, slots=True)
class NodeTable:
    """Identity of the node and place of its data."""

    data_dir: Path = field(default_factory=lambda: platformdirs.user_data_path("strand"))
    # A name in configs/params, or the path of a parameter file.
    network: Annotated[str, msgspec.Meta(min_length=1)] = "devnet"
    specialty: Name = "rust"
    shard: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0


@dataclass(frozen=True, slots=True)
class OverlayTable:
    """Addresses of the node and of its first peers."""

    listen: tuple[str, ...] = ("/ip4/0.0.0.0/tcp/4211",)
    # Announced to peers instead of `listen`: for a node behind a port forwarding.
    announce: tuple[str, ...] = ()
    # Multiaddrs that end in /p2p/<peer id>.
    bootstrap: tuple[str, ...] = ()
    # Networks such as 10.1.0.0/16 whose nodes may be dialled on anybody's claim, and in which address caps do not
    # count.
    private_networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse invalid addresses and networks: an engine may take minutes to load before the overlay would."""
        rules = {"listen": why_not_listen, "announce": why_not_announce, "bootstrap": why_not_bootstrap}
        for key, why_not in rules.items():
            for text in getattr(self, key):
                if (why := why_not(text)) is not None:
                    raise ValueError(f"{key}: {why}")
        try:
            parse_networks(self.private_networks)
        except ValueError as error:
            raise ValueError(f"private_networks: {error}") from error


@dataclass(frozen=True, slots=True)
class ApiTable:
    """The HTTP interface."""

    bind: str = "127.0.0.1:4210"
    # Required from every caller if set; empty: anyone who reaches the address.
    token: str = ""

    def __post_init__(self) -> None:
        """Refuse to serve other machines without a token."""
        host, _ = self.address
        if not self.token and not _is_loopback(host):
            raise ValueError(f"bind = {self.bind} is reachable from other machines: set token, or bind to 127.0.0.1")

    @property
    def address(self) -> tuple[str, int]:
        """Return host, without brackets, and port."""
        host, _, port = self.bind.rpartition(":")
        if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65_535:
            raise ValueError(f"bind must be HOST:PORT, not {self.bind!r}")
        return host.removeprefix("[").removesuffix("]"), int(port)


@dataclass(frozen=True, slots=True)
class RoundTable:
    """Defaults of the rounds that we ask for; a query may override them. NetworkParams cap all of them."""

    answer_ms: BudgetMs = 120_000
    open_ms: BudgetMs = 10_000
    judge_ms: BudgetMs = 180_000
    cosign_ms: BudgetMs = 5_000
    # Wait for stragglers after a quorum.
    patience_ms: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)] = 1_000
    # All waves of a round together; beyond five more comparisons hardly help.
    pairs_per_judge: Annotated[int, msgspec.Meta(ge=1, le=64)] = 3
    # Tokens of one answer.
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=32_768)] = 256
    # P(best) at which the requester starts no further wave.
    threshold: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.90
    # P(correct) below which the outcome is degraded: the swarm abstains. 0: it always answers.
    confidence_min: Share = 0.0


@dataclass(frozen=True, slots=True)
class TrustTable:
    """Voting weights without gold. Weight 1 is that of a node with a good record."""

    # Weight of nodes without history. 0 in open networks, because identities are free.
    default_weight: Weight = 0.0
    # Whether nodes with default_weight are friends. If not, strangers have a third of the seats at most and together a
    # tenth of the votes, as soon as somebody else is known.
    friends: bool = False
    trusted: dict[KeyHex, Weight] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServeTable:
    """The requesters that this node works for.

    A stranger is a node that is not named, has no weight under [trust] and no reputation here. Limits hold for all
    strangers together; 0 is no limit.
    """

    # None: everyone, but only named keys if each token is paid for (engine.kind openai with an api_key).
    whom: Literal["everyone", "reputation", "named"] | None = None
    # Earned voting weight from which a node is no stranger; 1 is that of a node with a good record.
    reputation_min: Annotated[float, msgspec.Meta(gt=0, le=16)] = 0.25
    keys: tuple[KeyHex, ...] = ()
    # Never served, whatever else is set.
    deny: tuple[KeyHex, ...] = ()
    rounds_per_hour: Count = 0
    rounds_per_day: Count = 0
    tokens_per_hour: Count = 0
    tokens_per_day: Count = 0
    # Share of the engine's time in a sliding hour; and of its concurrent requests, while work of others waits.
    stranger_share: Share = 0.25
    # Longest time that a phase of a stranger's round may hold a working place, whatever its query says.
    stranger_phase_ms: BudgetMs = 60_000
    # "22:00-07:00", local time, from the first minute up to the last; empty: always.
    hours: str = ""

    def __post_init__(self) -> None:
        """Refuse hours that cannot be parsed."""
        _ = self.span

    @property
    def span(self) -> tuple[int, int] | None:
        """First minute of the day, and the one after the last; None: always."""
        if not self.hours:
            return None
        found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", self.hours)
        if found is None or found[1] + found[2] == found[3] + found[4]:
            raise ValueError(f'hours must be like "22:00-07:00", not {self.hours!r}')
        begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
        return 60 * begin_hour + begin_minute, 60 * end_hour + end_minute

    def is_open(self, minute: int) -> bool:
        """Whether the node works for others in this minute of the local day."""
        if self.span is None:
            return True
        begin, end = self.span
        return begin <= minute < end if begin < end else minute >= begin or minute < end


@dataclass(frozen=True, slots=True)
class GoldTable:
    """Questions with known answers, from which this node learns the weights of others."""

    # JSON lines: {"query": ..., "task": "final", "right": ["42"]}. Keep it to yourself.
    file: Path | None = None
    # Share of our users' rounds after which one is asked.
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1


@dataclass(frozen=True, slots=True)
class LogTable:
    """Settings of the log, which goes to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


@dataclass(frozen=True, slots=True)
class CapacityTable:
    """Bounds of concurrent work."""

    # Rounds as a member. Each holds up to a slate of answers and its ballots in memory: a few MiB. Rule V8 allows no
    # more.
    open_rounds_max: Annotated[int, msgspec.Meta(ge=1, le=32)] = 16
    # Queries of our own users that wait for a round; one more is refused with 503.
    waiting_queries_max: Annotated[int, msgspec.Meta(ge=0, le=1_024)] = 32


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The whole configuration; each field is a table of the TOML file."""

    node: NodeTable = field(default_factory=NodeTable)
    overlay: OverlayTable = field(default_factory=OverlayTable)
    api: ApiTable = field(default_factory=ApiTable)
    engine: EngineConfig = field(default_factory=EngineConfig)
    vllm: VllmConfig = field(default_factory=VllmConfig)
    round: RoundTable = field(default_factory=RoundTable)
    trust: TrustTable = field(default_factory=TrustTable)
    serve: ServeTable = field(default_factory=ServeTable)
    gold: GoldTable = field(default_factory=GoldTable)
    log: LogTable = field(default_factory=LogTable)
    capacity: CapacityTable = field(default_factory=CapacityTable)

    @property
    def serves(self) -> Literal["everyone", "reputation", "named"]:
        """The requesters that the node serves: as configured, else everyone unless each token costs money."""
        is_paid = self.engine.kind == "openai" and bool(self.engine.api_key)
        return self.serve.whom or ("named" if is_paid else "everyone")

    @property
    def serves_nobody(self) -> bool:
        """Whether only named keys are served, and none is named."""
        return self.serves == "named" and not set(self.serve.keys) - set(self.serve.deny)


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
        """Yield (key, value, origin) for every key, in order. For secrets the value shows only whether they are set."""
        for table in fields(self.config):
            values = getattr(self.config, table.name)
            for item in fields(values):
                key = f"{table.name}.{item.name}"
                value = getattr(values, item.name)
                shown = ("(set)" if value else "") if key in SECRETS else value
                if key in URLS:
                    shown = hide_secrets(str(value))
                yield key, shown, self.origins.get(key, "default")


@dataclass(frozen=True, slots=True)
class _Given:
    """A value before its check. Text of a flag or a variable may represent a number or a list; that of TOML may not."""

    key: str
    value: object
    origin: str
    is_text: bool


_Types: TypeAlias = Mapping[str, Mapping[str, Any]]


def default_file() -> Path:
    """Return the default configuration file."""
    return platformdirs.user_config_path("strand") / "node.toml"


def load_config(
    *, file: Path | None, environment: Mapping[str, str], flags: Mapping[str, object] | None = None
) -> LoadedConfig:
    """Read and check the configuration.

    `file` None means `default_file()`, which need not exist. `flags` maps "table.key" to a value; None is "not given".
    Texts from flags and the environment are read by the key's type: lists are separated by commas, `trust.trusted` is
    KEY=WEIGHT, separated by commas. Raises ConfigError.
    """
    tables = get_type_hints(NodeConfig)
    types = {name: get_type_hints(table, include_extras=True) for name, table in tables.items()}
    given: dict[str, _Given] = {}
    for entry in (
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
    return get_args(kind) if get_origin(kind) is Literal else ()


def _path(_: type, value: object) -> Path:
    """Convert a path, the only type of ours that msgspec does not know."""
    if not isinstance(value, str):
        raise ValueError("Expected a path")
    return Path(value).expanduser()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
