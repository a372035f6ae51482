"""The node and its place in the network."""

import msgspec

from node.api.common import Count, KeyHex
from node.api.serving import ServingReport


class EngineSummary(msgspec.Struct, frozen=True):
    """The engine in one line; `/api/engine` tells all."""

    kind: str
    """Kind of engine, as in the configuration."""
    model: str
    """The model's name, as the engine tells it."""
    context_tokens: int
    """Tokens of one request, prompt and answer together."""
    tokens_per_second: float
    """Speed of one short generation, alone."""


class Connections(msgspec.Struct, frozen=True):
    """Inbound connections of peers."""

    inbound: Count
    """Connections now."""
    inbound_max: Count
    """Connections at most."""
    half_open: Count
    """Connections whose handshake is under way."""
    refused: dict[str, int]
    """Connections refused or ended to make room since the node's start, by reason."""


class ClockComparison(msgspec.Struct, frozen=True):
    """This machine's clock among those of peers."""

    peers: Count
    """Clocks that were compared."""
    offset_ms: int
    """Median of theirs less ours, ms."""
    ours_is_off: bool
    """Whether most of them are surely off from ours: then ours is wrong."""
    off: Count
    """Clocks that are surely off from ours."""


class Condition(msgspec.Struct, frozen=True):
    """Something that keeps the node from taking part."""

    kind: str
    """Which of the kinds of `node.watch.conditions` it is, such as `alone`."""
    text: str
    """What is wrong, in words."""
    remedy: str
    """What helps, in words."""
    about: str
    """Address of the bootstrap peer that it is about; else empty."""


class Status(msgspec.Struct, frozen=True):
    """What the node does, and whether it really takes part."""

    key: KeyHex
    """The node's public key."""
    addresses: tuple[str, ...]
    """Multiaddrs at which peers reach it."""
    network: str
    """Name of the network."""
    params_digest: str
    """Digest of the network's parameters: nodes meet only where these are equal."""
    specialty: str
    """What its model is good at: nodes of one specialty meet."""
    engine: EngineSummary | None
    """The engine; null while it does not answer."""
    working_on: Count
    """Answers and ballots in hand."""
    serving: ServingReport
    """Whom it works for."""
    peers_connected: Count
    """Peers to which there is a connection."""
    connections: Connections
    """Inbound connections."""
    clock: ClockComparison
    """Its clock among those of peers."""
    nodes_offering: Count
    """Nodes that offer to answer or judge now, this one included."""
    conditions: tuple[Condition, ...]
    """What keeps it from taking part, what matters most first."""
    store: str
    """`ok`, or why the disk takes nothing."""
    certificates: int | None
    """Certificates kept, counted up to 1,000; null while the disk cannot be read."""
    data_dir: str
    """Folder of key, store and certificates."""


class OfferSummary(msgspec.Struct, frozen=True):
    """What a peer offers now."""

    roles: tuple[str, ...]
    """`answer`, `judge`, both, or none."""
    model: str
    """Its model's name, as it says."""
    tokens_per_second: float
    """Its speed, as it says."""
    queue: Count
    """Pieces of work in its hands, as it says."""


class Peer(msgspec.Struct, frozen=True):
    """What is known of one peer."""

    key: KeyHex
    """Its public key."""
    peer_id: str
    """The same as libp2p writes it."""
    addresses: tuple[str, ...]
    """Multiaddrs at which it is said to be."""
    connected: bool
    """Whether there is a connection."""
    direction: str | None
    """`inbound` or `outbound`; null without a connection."""
    round_trip_ms: float | None
    """Time of the last ping, ms."""
    clock_offset_ms: int | None
    """Its clock less ours, ms; null if it was not compared."""
    score: float
    """GossipSub's score: below 0 it is out of the mesh, below -40 ignored, below -80 banned."""
    score_reason: str
    """What costs most of the score, or for how long it is banned and why."""
    wires: tuple[int, ...]
    """Versions of the wire that it says it speaks; empty until it has said so."""
    offers: OfferSummary | None
    """What it offers now; null without an offer."""


class Peers(msgspec.Struct, frozen=True):
    """Whom the node knows."""

    peers: tuple[Peer, ...]
    """All of them, connected or not."""
