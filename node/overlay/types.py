"""The interface between the overlay and the node. Nothing here imports libp2p."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from node.errors import UserError
from node.overlay.addresses import parse_networks, why_not_announce, why_not_bootstrap, why_not_listen
from protocol.errors import Verdict

GOSSIP_BYTES_CEILING: Final = 512 * 1024
"""Bytes of the largest gossip payload: above about 1 MiB libp2p loses messages silently, js-libp2p resets at 700,000.
"""


class OverlayError(UserError):
    """The overlay cannot start or was given something it cannot use; the text says what and where."""


class PeerUnreachable(Exception):
    """A request got no response: no known address, a failed dial, a timeout, a reset, or a response over the limit.

    Consequence: the request may or may not have reached the peer; only idempotent requests may be repeated.
    """


class RequestRefused(PeerUnreachable):
    """The peer was reached and declined to serve: its handler failed, or it is at its limit.

    Consequence: nothing was served; an immediate retry at the same peer is useless.
    """


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that the node does not serve: the peer's fault or our limits, not a bug. `reason` is for the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class OverlayConfig:
    """Local settings of the overlay. Limits carry their unit in the name.

    `listen`: multiaddrs such as "/ip4/127.0.0.1/tcp/0". `bootstrap`: multiaddrs that end in /p2p/<peer id>.
    `protocols`: the stream protocols that `Handlers.on_request` serves. Raises OverlayError for a setting out of range.
    """

    listen: tuple[str, ...]
    bootstrap: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    gossip_message_bytes_max: int = GOSSIP_BYTES_CEILING
    stream_request_bytes_max: int = 512 * 1024  # one contribution; the largest is an Answer
    stream_response_bytes_max: int = 8 * 1024 * 1024  # CERTIFICATE_BYTES_MAX: the largest response
    stream_idle_ms: int = 60_000  # both sides close an unused stream after this time
    serve_timeout_ms: int = 30_000  # the node's time to serve one request
    slow_protocols: tuple[str, ...] = ()  # of `protocols`: an engine works on their requests, until the stream ends
    slow_serve_timeout_ms: int = 150_000  # the node's time for one of those: a small model's answer, and its wait
    announce: tuple[str, ...] = ()  # announced to peers instead of `listen`: for a node behind a port forwarding
    private_networks: tuple[str, ...] = ()  # CIDRs allowed for strangers' addresses, and exempt from caps
    trusted_keys: tuple[bytes, ...] = ()  # 32-byte keys that are believed about their own addresses
    peers_max: int = 128  # connections; a sub-mesh holds about 50 nodes
    handshake_ms: int = 10_000  # from an accepted connection to its first stream: a machine that loads models is slow
    connections_target: int = 32  # the redial loop connects to peers of the address book up to this many
    topics_max: int = 64  # own subscriptions
    redial_ms: int = 500  # first delay after a failed dial; doubles up to redial_max_ms
    redial_max_ms: int = 30_000
    ping_ms: int = 10_000  # between two pings to a peer
    ping_timeout_ms: int = 10_000  # a later answer counts as missed
    pings_missed_max: int = 2  # a peer that missed more in a row is disconnected

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int) and value <= 0:
                raise OverlayError(f"overlay setting {name} must be positive, not {value}")
        if self.gossip_message_bytes_max > GOSSIP_BYTES_CEILING:
            raise OverlayError(f"gossip_message_bytes_max is at most {GOSSIP_BYTES_CEILING}")
        rules = {"listen": why_not_listen, "announce": why_not_announce, "bootstrap": why_not_bootstrap}
        for name, why_not in rules.items():
            for text in getattr(self, name):
                if (why := why_not(text)) is not None:
                    raise OverlayError(f"{name}: {why}")
        try:
            parse_networks(self.private_networks)
        except ValueError as fault:
            raise OverlayError(f"private_networks: {fault}") from fault


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """The present state of one peer. `key` is its 32-byte Ed25519 key, `peer_id` the same as libp2p text.

    `addresses` are multiaddrs without /p2p/; `direction` is "inbound" or "outbound", None when not connected;
    `round_trip_ms` is that of the last ping; `topics` are those of ours in whose mesh the peer is; `group` is the
    observed address group (/24, /48) of the host that the live connection comes from or goes to, empty when not
    connected, like `host`, that host itself.
    """

    key: bytes
    peer_id: str
    addresses: tuple[str, ...]
    connected: bool
    direction: str | None
    round_trip_ms: float | None
    topics: tuple[str, ...]
    group: str = ""
    wires: tuple[int, ...] = ()
    """Versions of the wire that it states to support (identify), ascending; empty until it has."""
    score: float = 0.0
    """GossipSub's peer score: below 0 out of the mesh, below -40 ignored, below -80 disconnected and banned."""
    score_reason: str = ""
    """Most costly fault, or the remaining time and the reason of the peer's ban."""
    host: str = ""
    away_ms: int | None = None
    """Time since the peer was connected, ms; 0 while it is; None if it never was, as far as the book remembers."""


class DialFault(StrEnum):
    """Why a dial did not give a connection."""

    DOWN = "down"
    """Nothing answers there."""
    UNRESOLVED = "unresolved"
    """The name has no address."""
    OTHER_NODE = "other node"
    """A node with another key answers there."""
    TURNED_AWAY = "turned away"
    """The node answers and closes the connection: it is full, or refuses us."""


@dataclass(frozen=True, slots=True)
class FailedDial:
    """A failed dial. `detail`: the system's words; for OTHER_NODE the id of the answering node, if known."""

    fault: DialFault
    detail: str


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """A peer that the user named. `address` ends in /p2p/<peer id>.

    `failed` is the last failed dial, None if it did not fail or none was made.
    """

    address: str
    connected: bool
    failed: FailedDial | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """A peer that was met. `addresses` are multiaddrs without /p2p/.

    `reached`: it has answered there, otherwise it connected from their host. `met_ms` is when it was last connected, by
    the caller's clock.
    """

    key: bytes
    addresses: tuple[str, ...]
    reached: bool
    met_ms: int


@dataclass(frozen=True, slots=True)
class ConnectionCounts:
    """Inbound connections now, and those refused or ended since the start, by reason."""

    inbound: int
    inbound_max: int
    half_open: int
    refused: Mapping[str, int]


@dataclass(slots=True)
class Traffic:
    """Bytes of frames that were exchanged with peers, of whatever kind; without encryption and TCP, a few percent."""

    sent_bytes: int = 0
    received_bytes: int = 0


class Handlers(Protocol):
    """The node's side of the overlay: one object, given when the overlay is opened."""

    def on_gossip(self, topic: str, source: bytes, data: bytes) -> Verdict:
        """Judge one message. Called in the network task: be fast and do not block.

        `source` is the 32-byte key that signed the pubsub envelope. ACCEPT and RELAY are relayed within the budget of
        `source`, IGNORE and REJECT are not; REJECT counts against the peer that sent the message. Own messages do not
        arrive here.
        """
        ...

    async def on_request(self, protocol: str, source: bytes, payload: bytes) -> bytes | Refused:
        """Serve one request of the authenticated peer `source`. Cancelled at `serve_timeout_ms`.

        One of `slow_protocols` has `slow_serve_timeout_ms`, and is cancelled when the peer ends its stream.

        A refusal is a value, because anybody may request anything; an exception is a bug of ours.
        """
        ...

    def on_peer(self, peer: bytes, connected: bool) -> None:
        """Report a peer's connection or disconnection, once for each change."""
        ...
