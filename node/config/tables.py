"""The tables of a node's configuration: types, defaults and bounds of every setting."""

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import platformdirs

from node.api.asking import FindingName
from node.api.conversation import Audience
from node.inference.config import EngineConfig, VllmConfig
from node.overlay.addresses import parse_networks, why_not_announce, why_not_bootstrap, why_not_listen
from node.sandbox.config import SandboxConfig

NOBODY_HELP: Final = (
    'only named keys are served and none is named: name some in serve.keys, or set serve.whom = "everyone", '
    "which spends your tokens where engine.api_key is one that is paid for"
)
"""Why a node works for nobody, and the remedy."""

NAME_CHARS_MAX: Final = 64
"""Characters of a node's name: it stands in tables and titles, in one line beside other things."""

STORE_BYTES_MIN: Final = 16 << 20
"""Least quota of a store in bytes: two certificates as large as possible, and what the node has learned."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
BudgetMs = Annotated[int, msgspec.Meta(ge=1, le=3_600_000)]
# The aggregator takes weights up to 16 (WEIGHT_MAX); its own clip for earned ones is 1.6.
Weight = Annotated[float, msgspec.Meta(ge=0, le=16)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
KeyHex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
KeyName = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
Token = Annotated[str, msgspec.Meta(min_length=1)]

API_KEYS_MAX: Final = 64
"""Keys of the HTTP interface: each request is compared with all of them. One for each program and person is enough."""

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]{0,31}://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?")
"""An origin as browsers write it: small letters, no default port, no path. Applications have schemes of their own."""

TOKEN_KEY: Final = "token"
"""Name of the key that `api.token` is."""


def http_url(host: str, port: int) -> str:
    """Return the URL of an HTTP server. `host`: a name or an address, of version 6 without brackets."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@dataclass(frozen=True, slots=True)
class NodeTable:
    """Identity of the node and place of its data."""

    data_dir: Path = field(default_factory=lambda: platformdirs.user_data_path("strand"))
    # For its owner: `strand status` shows it, peers do not see it.
    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARS_MAX)] = ""
    # A name in configs/params, or the path of a parameter file.
    network: Annotated[str, msgspec.Meta(min_length=1)] = "devnet"
    specialty: Name = "rust"
    shard: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    # Time to finish what is under way when the node is stopped; then it declines the rest.
    stop_ms: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)] = 30_000
    # Bytes of the store: beyond them the oldest certificates and asked rounds go. 0: the tables' own limits, 2.3 GiB.
    store_bytes_max: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)] = 0

    def __post_init__(self) -> None:
        """Refuse a quota that would leave no history."""
        if 0 < self.store_bytes_max < STORE_BYTES_MIN:
            raise ValueError(f"store_bytes_max must be at least {STORE_BYTES_MIN} (16 MiB), or 0 for none")


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


class ApiKeyTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key of the HTTP interface."""

    token: Token
    """What its holder sends."""
    audience: Audience | None = None
    """Nodes that may read what its holder asks; None: as the face decides that is asked."""


@dataclass(frozen=True, slots=True)
class ApiTable:
    """The HTTP interface."""

    bind: str = "127.0.0.1:4210"
    # The first key. If it or another is set, every caller must send one; if none is, anyone is served who reaches the
    # address.
    token: str = ""
    # Further keys by name; a text alone is the token.
    keys: dict[KeyName, Token | ApiKeyTable] = field(default_factory=dict)
    # Origins of other servers' pages that may use the interface, such as "https://example.org"; also that under which a
    # proxy serves this node.
    origins: tuple[str, ...] = ()
    # Nodes that may read what editors and agents send (OpenAI's API, MCP), unless model id, key or request name others.
    audience: Audience = Audience.TRUSTED

    def __post_init__(self) -> None:
        """Refuse to serve other machines without a key, and keys that cannot be told apart."""
        host, _ = self.address
        if not (self.token or self.keys) and not _is_loopback(host):
            raise ValueError(f"bind = {self.bind} is reachable from other machines: set token, or bind to 127.0.0.1")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f'origins: {origin!r} is not like "https://example.org" or "http://127.0.0.1:8080"')
        if len(self.keys) > API_KEYS_MAX:
            raise ValueError(f"keys: there are at most {API_KEYS_MAX}")
        if TOKEN_KEY in self.keys:
            raise ValueError(f"keys: {TOKEN_KEY!r} is the name of api.token; choose another")
        tokens = [key.token for key in self.named_keys.values()]
        if len(set(tokens)) < len(tokens):
            raise ValueError("keys: two have the same token, so that nobody could tell their holders apart")

    @property
    def named_keys(self) -> dict[str, ApiKeyTable]:
        """Return all keys by name, `api.token` first."""
        first = {TOKEN_KEY: ApiKeyTable(self.token)} if self.token else {}
        return first | {name: ApiKeyTable(key) if isinstance(key, str) else key for name, key in self.keys.items()}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The tokens, which no line may contain, in the order of the keys."""
        return tuple(key.token for key in self.named_keys.values())

    @property
    def own_token(self) -> str:
        """The token that commands of this configuration send; empty without keys."""
        return next(iter(self.secrets), "")

    @property
    def address(self) -> tuple[str, int]:
        """Return host, without brackets, and port."""
        host, _, port = self.bind.rpartition(":")
        if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65_535:
            raise ValueError(f"bind must be HOST:PORT, not {self.bind!r}")
        return host.removeprefix("[").removesuffix("]"), int(port)

    @property
    def url(self) -> str:
        """Return the URL of the HTTP interface, unless its port is any that is free (0)."""
        return http_url(*self.address)


@dataclass(frozen=True, slots=True)
class RoundTable:
    """Defaults of the rounds that we ask for; a query may override them. NetworkParams cap all of them."""

    answer_ms: BudgetMs = 120_000
    open_ms: BudgetMs = 10_000
    judge_ms: BudgetMs = 180_000
    cosign_ms: BudgetMs = 5_000
    # One stage of testing Rust answers.
    test_ms: BudgetMs = 20_000
    # What is found out about Rust answers, beside an asker's own tests; none: no answer is tested.
    findings: tuple[FindingName, ...] = ("compiles", "lint", "examples", "behaviour")
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
    # Nodes that may read a question's text.
    audience: Audience = Audience.PUBLIC
    # Whether texts that look like they hold a secret are sent without being forced one by one, which editors cannot do.
    allow_secrets: bool = False


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
class ChallengeTable:
    """Challenges, by which this node finds out what strangers' engines can do before they have a record."""

    # auto: if this node can compile and run Rust (see [sandbox]); off: it challenges nobody.
    enabled: Literal["auto", "off"] = "auto"
    # Seconds between two items on average. Each item goes to several newcomers at once.
    interval_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 240
    # Newcomers that get an item at the same time.
    newcomers: Annotated[int, msgspec.Meta(ge=1, le=16)] = 4
    # Items for one newcomer in an hour. Some ten decide, forty at most; peers take no more than two a minute.
    items_per_hour: Annotated[int, msgspec.Meta(ge=1, le=120)] = 8
    # Items for all newcomers together in a day, each of some seconds of this machine's sandbox.
    items_per_day: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 240


@dataclass(frozen=True, slots=True)
class LogTable:
    """Settings of the log, which goes to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


@dataclass(frozen=True, slots=True)
class TracingTable:
    """Traces of rounds by OpenTelemetry, with the extra `tracing`."""

    enabled: bool = False
    # OTLP over HTTP, with its path, such as http://127.0.0.1:4318/v1/traces; empty: as the OTEL_* variables say.
    endpoint: str = ""

    def __post_init__(self) -> None:
        """Refuse an endpoint that is no plain URL of HTTP. Secrets belong into OTEL_EXPORTER_OTLP_HEADERS."""
        if self.endpoint and not re.fullmatch(r"https?://[^/\s@?#]+/[^\s?#]*", self.endpoint):
            raise ValueError("endpoint must be like http://127.0.0.1:4318/v1/traces, without a password or a query")


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
    challenge: ChallengeTable = field(default_factory=ChallengeTable)
    log: LogTable = field(default_factory=LogTable)
    tracing: TracingTable = field(default_factory=TracingTable)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
