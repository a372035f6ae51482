"""Transport of bytes: gossip in each shard's mesh, with repair, and streams between two nodes.

Modelled after node/overlay. A node's own messages are flooded to all peers of the topic; others' are forwarded along
the mesh unless they are rejected. Each heartbeat announces recent messages to some further peers (IHAVE), which then
request the ones they lack (IWANT).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from protocol.errors import Verdict
from protocol.types import Key
from simnet.chance import chance
from simnet.clockwork import Clockwork
from simnet.links import Links
from simnet.scenario import GossipTable

SEEN_MS = 120_000
"""Milliseconds during which a repeated frame is recognised, as in the overlay."""

HISTORY_BEATS = 3
"""Heartbeats for which a message is announced."""

ID_BYTES = 32
FRAME_BYTES = 128
"""Bytes of a gossip frame beside its data: key, signature, sequence number, topic."""

CONTROL_BYTES = 16

PASSED_ON = frozenset({Verdict.ACCEPT, Verdict.RELAY})
"""Verdicts that a node forwards, as in the overlay; the author's budget is not modelled."""


@dataclass(slots=True)
class Traffic:
    """Packets sent, forwarded and repeated ones included, and their bytes without the transport's own frames."""

    messages: int = 0
    bytes: int = 0

    def add(self, messages: int, size: int) -> None:
        """Count `messages` packets of `size` bytes each."""
        self.messages += messages
        self.bytes += messages * size


class Host(Protocol):
    """The interface of a node to the network."""

    up: bool

    def take_gossip(self, topic: str, source: Key, data: bytes) -> Verdict:
        """Validate a message and act on it."""


@dataclass(slots=True)
class _Frame:
    """One gossiped message and its spread so far."""

    topic: str
    source: Key
    data: bytes
    shard: int
    since_ms: int
    size: int
    traffic: Traffic
    held: object
    """The opened message, held while the frame travels, so that nodes need not open it again (protocol.recall)."""
    newest_ms: int = 0
    """Time of its latest arrival at a node."""
    seen: dict[int, int] = field(default_factory=dict)
    """Node -> time of arrival, ms."""
    due: dict[int, int] = field(default_factory=dict)
    """Node -> arrival of the first copy under way, ms: later copies would only be dropped."""


class Network:
    """The transport of one world. Nodes are numbers; each lives in one shard."""

    def __init__(
        self, clock: Clockwork, links: Links, table: GossipTable, shards: tuple[tuple[int, ...], ...], seed: int
    ) -> None:
        self.of_rounds = Traffic()
        self.standing = Traffic()
        """Traffic of offers, which nodes send without any query."""
        self.hosts: list[Host] = []
        self._clock = clock
        self._links = links
        self._table = table
        self._shards = shards
        self._shard_of = {node: shard for shard, nodes in enumerate(shards) for node in nodes}
        self._random = chance(seed, "gossip")
        self._mesh = {node: peers for nodes in shards for node, peers in _mesh(nodes, table.degree, seed).items()}
        self._frames: dict[tuple[Key, bytes], _Frame] = {}
        self._recent: list[list[_Frame]] = [[] for _ in shards]
        self._beating: set[int] = set()

    # -- gossip --------------------------------------------------------------------------------------------------------

    def publish(
        self,
        node: int,
        topic: str,
        source: Key,
        data: bytes,
        *,
        to: tuple[int, ...] | None = None,
        held: object = None,
        standing: bool = False,
    ) -> None:
        """Gossip a frame that `source` signed, from this node.

        `to`: only to these peers. `held`: see _Frame. `standing`: it belongs to no round.
        """
        now_ms = self._clock.now_ms
        frame = self._frames.get((source, data))
        if frame is None or now_ms - frame.since_ms > SEEN_MS:
            shard = self._shard_of[node]
            traffic = self.standing if standing else self.of_rounds
            frame = self._frames[source, data] = _Frame(
                topic, source, data, shard, now_ms, FRAME_BYTES + len(data), traffic, held
            )
            self._recent[shard].append(frame)
            self._beat_soon(shard)
        frame.seen.setdefault(node, now_ms)
        frame.newest_ms = now_ms
        if to is not None:
            peers = to
        elif self._table.flood_publish:
            peers = self._shards[frame.shard]
        else:
            peers = self._mesh[node]
        for peer in peers:
            if peer != node:
                self._carry(frame, node, peer)

    def forget(self, node: int) -> None:
        """Forget what a killed node has seen."""
        for frame in self._recent[self._shard_of[node]]:
            frame.seen.pop(node, None)

    def _carry(self, frame: _Frame, sender: int, peer: int) -> None:
        """Send one packet. A peer that has the frame already would drop it, so then only its cost counts."""
        frame.traffic.add(1, frame.size)
        departs_ms = self._links.depart(sender, frame.size, self._clock.now_ms)
        if peer not in frame.seen:
            for at_ms in self._links.arrivals(sender, peer, departs_ms):
                if at_ms < frame.due.get(peer, at_ms + 1):
                    frame.due[peer] = at_ms
                    self._clock.at(at_ms, self._arrive, frame, sender, peer)

    def _arrive(self, frame: _Frame, sender: int, peer: int) -> None:
        host = self.hosts[peer]
        frame.due.pop(peer, None)
        if not host.up or peer in frame.seen:
            return
        frame.seen[peer] = frame.newest_ms = self._clock.now_ms
        if host.take_gossip(frame.topic, frame.source, frame.data) not in PASSED_ON:
            return
        for other in self._mesh[peer]:
            if other != sender and host.up:
                self._carry(frame, peer, other)

    # -- repair --------------------------------------------------------------------------------------------------------

    def _beat_soon(self, shard: int) -> None:
        """Start a shard's heartbeat, which runs while it has recent messages."""
        if shard not in self._beating:
            self._beating.add(shard)
            self._clock.after(self._table.heartbeat_ms, self._beat, shard)

    def _beat(self, shard: int) -> None:
        now_ms = self._clock.now_ms
        window_ms = HISTORY_BEATS * self._table.heartbeat_ms
        # A frame may still reach nodes that lack it while any node announces it.
        kept = [frame for frame in self._recent[shard] if now_ms - frame.newest_ms <= window_ms]
        for frame in self._recent[shard]:
            if now_ms - frame.since_ms > SEEN_MS and self._frames.get((frame.source, frame.data)) is frame:
                del self._frames[frame.source, frame.data]
        self._recent[shard] = [frame for frame in self._recent[shard] if now_ms - frame.since_ms <= SEEN_MS]
        up = [node for node in self._shards[shard] if self.hosts[node].up]
        lacking = [frame for frame in kept if any(node not in frame.seen for node in up)]
        for node in up:
            self._tell(node, up, kept, lacking, now_ms - window_ms)
        if self._recent[shard]:
            self._clock.after(self._table.heartbeat_ms, self._beat, shard)
        else:
            self._beating.discard(shard)

    def _tell(self, node: int, up: list[int], kept: list[_Frame], lacking: list[_Frame], oldest_ms: int) -> None:
        """Send IHAVE to a few peers outside of the mesh; it has an effect only at peers that lack a frame."""
        told = min(max(self._table.lazy_peers, len(up) // 4), len(up) - 1)
        if not kept or told < 1:
            return
        of_rounds = any(frame.traffic is self.of_rounds for frame in kept)
        traffic = self.of_rounds if of_rounds else self.standing
        traffic.add(told, CONTROL_BYTES + len(kept) * ID_BYTES)
        held = [frame for frame in lacking if frame.seen.get(node, -1) >= oldest_ms]
        if not held:
            return
        for peer in self._random.sample(up, told):
            if peer != node and any(peer not in frame.seen for frame in held):
                for at_ms in self._links.arrivals(node, peer, self._clock.now_ms):
                    self._clock.at(at_ms, self._want, node, peer, held)

    def _want(self, holder: int, peer: int, told: list[_Frame]) -> None:
        wanted = [frame for frame in told if peer not in frame.seen]
        if not self.hosts[peer].up or not wanted:
            return
        size = CONTROL_BYTES + ID_BYTES * len(wanted)
        self._send(peer, holder, size, self._grant, holder, peer, wanted)

    def _grant(self, holder: int, peer: int, wanted: list[_Frame]) -> None:
        if self.hosts[holder].up:
            for frame in wanted:
                self._carry(frame, holder, peer)

    # -- streams -------------------------------------------------------------------------------------------------------

    def request(
        self,
        source: int,
        target: int,
        size: int,
        serve: Callable[[], bytes | None],
        done: Callable[[bytes | None], None],
        timeout_ms: int,
        *,
        retried: bool = False,
    ) -> None:
        """Request something from a node over a stream: `serve` runs there, `done` gets its result, or None on timeout.

        A node that is down refuses the connection at once; a lost packet shows only in the timeout. `retried`: a
        duplicated packet is served twice, as if the sender had retried; else once, as transports ensure.
        """
        arrived = answered = False

        def finish(reply: bytes | None) -> None:
            nonlocal answered
            if not answered:
                answered = True
                done(reply)

        def arrive() -> None:
            nonlocal arrived
            if arrived and not retried:
                return
            arrived = True
            up = self.hosts[target].up
            reply = serve() if up else None
            self._send(target, source, CONTROL_BYTES + len(reply or b""), finish, reply)

        self._send(source, target, CONTROL_BYTES + size, arrive)
        self._clock.after(timeout_ms, finish, None)

    def _send(self, source: int, target: int, size: int, then: Callable[..., None], *args: object) -> None:
        self.of_rounds.add(1, size)
        departs_ms = self._links.depart(source, size, self._clock.now_ms)
        for at_ms in self._links.arrivals(source, target, departs_ms):
            self._clock.at(at_ms, then, *args)


def _mesh(nodes: tuple[int, ...], degree: int, seed: int) -> dict[int, tuple[int, ...]]:
    """Return a connected mesh: the union of random rings, each of which adds two neighbours."""
    peers: dict[int, list[int]] = {node: [] for node in nodes}
    for ring in range(max(1, degree // 2)):
        order = list(nodes)
        chance(seed, "mesh", nodes[0], ring).shuffle(order)
        for one, other in zip(order, order[1:] + order[:1], strict=True):
            if one != other and other not in peers[one]:
                peers[one].append(other)
                peers[other].append(one)
    return {node: tuple(found) for node, found in peers.items()}
