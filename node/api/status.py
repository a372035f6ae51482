"""The node and its place in the network."""

from typing import Literal

import msgspec

from node.api.common import Count, KeyHex
from node.api.serving import ServingReport


class EngineSummary(msgspec.Struct, frozen=True):
    """The engine in short; `/api/engine` has the full report."""

    kind: str
    """Kind of engine, as in the configuration."""
    model: str
    """The model's name, as the engine reports it."""
    context_tokens: int
    """Tokens of one request, prompt and answer together."""
    tokens_per_second: float
    """Tokens per second of one short generation without other load."""


class ToolsReport(msgspec.Struct, frozen=True):
    """Whether the node tests Rust answers of others' rounds and of its own."""

    state: Literal["opening", "ready", "off"]
    """`opening` while it is being found out."""
    versions: str
    """Versions of compiler, input generator and extractor, as its offer states them; empty unless it is ready."""
    why_off: str
    """Why it cannot, in one clause; empty unless it is off."""
    remedy: str
    """What turns it on, in one clause; may be empty."""
    challenges: bool
    """Whether the node challenges newcomers while it is ready, as configured."""


class Connections(msgspec.Struct, frozen=True):
    """Inbound connections of peers."""

    inbound: Count
    """Connections now."""
    inbound_max: Count
    """Greatest number of connections."""
    half_open: Count
    """Connections whose handshake is not complete."""
    refused: dict[str, int]
    """Connections refused, or ended to make room, since the node's start, by reason."""


class ClockComparison(msgspec.Struct, frozen=True):
    """This machine's clock compared with those of peers."""

    peers: Count
    """Number of clocks compared."""
    offset_ms: int
    """Median of their offsets from our clock, ms."""
    ours_is_off: bool
    """Whether most of them surely differ from ours, so that ours is wrong."""
    off: Count
    """Number of clocks that surely differ from ours."""


class Condition(msgspec.Struct, frozen=True):
    """A condition that keeps the node from taking part."""

    kind: str
    """Kind of `node.watch.conditions`, such as `alone`."""
    text: str
    """The problem, in words."""
    remedy: str
    """The remedy, in words."""
    about: str
    """Address of the bootstrap peer concerned; else empty."""


class StoreSize(msgspec.Struct, frozen=True):
    """The store's size, as its quota counts it; its file is larger."""

    bytes: Count
    """Bytes of all rows."""
    bytes_max: Count
    """The quota, bytes, beyond which the oldest history is deleted; 0: there is none."""


class Versions(msgspec.Struct, frozen=True):
    """Versions of the software, and of what it speaks and computes."""

    software: str
    """Version of the software."""
    wire: Count
    """Version of the wire: nodes of two versions exchange no message."""
    aggregator: str
    """Version of the fit that every verifier recomputes."""


class Status(msgspec.Struct, frozen=True):
    """What the node does, and whether it really takes part."""

    key: KeyHex
    """The node's public key."""
    name: str
    """The owner's name for it; empty if it has none."""
    addresses: tuple[str, ...]
    """Multiaddrs at which peers reach it."""
    network: str
    """Name of the network."""
    params_digest: str
    """Digest of the network's parameters: nodes meet only if these are equal."""
    specialty: str
    """Specialty of the node's model: nodes of one specialty meet."""
    engine: EngineSummary | None
    """The engine; null while it does not reply."""
    working_on: Count
    """Answers and ballots in progress."""
    tools: ToolsReport
    """Its means to test Rust answers."""
    serving: ServingReport
    """Requesters for whom it works."""
    peers_connected: Count
    """Number of connected peers."""
    connections: Connections
    """Inbound connections."""
    clock: ClockComparison
    """Its clock compared with those of peers."""
    nodes_offering: Count
    """Nodes that offer to answer or judge now, this one included."""
    conditions: tuple[Condition, ...]
    """Conditions that keep it from taking part, most important first."""
    store: str
    """`ok`, or the reason why the disk refuses writes."""
    certificates: int | None
    """Certificates stored; null while the disk cannot be read."""
    store_size: StoreSize | None
    """Size and quota of the store; null while the disk cannot be read."""
    data_dir: str
    """Folder of key, store and certificates."""
    versions: Versions
    """Versions of the software and of what it speaks."""


class OfferSummary(msgspec.Struct, frozen=True):
    """The present offer of a peer."""

    roles: tuple[str, ...]
    """`answer`, `judge`, both, or none."""
    model: str
    """Its model's name, as it states."""
    tokens_per_second: float
    """Its speed in tokens per second, as it states."""
    queue: Count
    """Its pieces of work in progress, as it states."""
    tool_versions: str = ""
    """Versions of what it tests Rust answers with, as it states; empty: it cannot."""


class Peer(msgspec.Struct, frozen=True):
    """One peer, as this node sees it."""

    key: KeyHex
    """Public key of the peer."""
    peer_id: str
    """The key in libp2p's form."""
    addresses: tuple[str, ...]
    """Multiaddrs at which it may be reached."""
    connected: bool
    """Whether there is a connection."""
    direction: str | None
    """`inbound` or `outbound`; null without a connection."""
    round_trip_ms: float | None
    """Round trip of the last ping, ms."""
    clock_offset_ms: int | None
    """Its clock's offset from ours, ms; null if it was not compared."""
    score: float
    """GossipSub's score: below 0 it is out of the mesh, below -40 ignored, below -80 banned."""
    score_reason: str
    """Largest deduction from the score, or length and reason of a ban."""
    wires: tuple[int, ...]
    """Versions of the wire that it supports, as it states; empty until it has."""
    offers: OfferSummary | None
    """Its present offer; null without one."""
    host: str = ""
    """Host that the connection comes from or goes to; empty without a connection. Every connection is direct: no node
    passes on another's."""
    in_mesh: bool = False
    """Whether it is among the few peers to which gossip goes in full at once."""
    last_seen_ms: Count | None = None
    """When it was last connected, ms since the Unix epoch; now while it is; null if it never was."""


class Peers(msgspec.Struct, frozen=True):
    """All peers of the node, and the nodes whose offers came only through others."""

    peers: tuple[Peer, ...]
    """Peers, connected or not; those known only by their offers come last, at the addresses that they claim."""
