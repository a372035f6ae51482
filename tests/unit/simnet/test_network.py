"""Gossip reaches whom it should, streams answer or time out; hosts are scripted, the network is real."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Verdict
from protocol.types import Key
from simnet.clockwork import Clockwork
from simnet.links import Links
from simnet.network import HISTORY_BEATS, SEEN_MS, Network, Traffic
from simnet.scenario import GossipTable, LinkTable

STILL = LinkTable(latency_ms=40, spread=0.0, jitter_ms=0)
LAZY = GossipTable(flood_publish=False)
SOURCE = Key(b"s" * 32)
BEAT_MS = GossipTable().heartbeat_ms


@dataclass
class Listener:
    """A host that writes down what it hears."""

    up: bool = True
    verdict: Verdict = Verdict.ACCEPT
    heard: list[bytes] = field(default_factory=list)

    def take_gossip(self, topic: str, source: Key, data: bytes) -> Verdict:
        assert (topic, source) == ("/topic", SOURCE)
        self.heard.append(data)
        return self.verdict


class Net:
    """A network of listeners in one clock."""

    def __init__(
        self, *shards: int, links: LinkTable = STILL, gossip: GossipTable | None = None, seed: int = 1
    ) -> None:
        nodes = iter(range(sum(shards)))
        of_shards = tuple(tuple(next(nodes) for _ in range(size)) for size in shards)
        self.clock = Clockwork(0)
        self.links = Links(links, seed, sum(shards))
        self.network = Network(self.clock, self.links, gossip or GossipTable(), of_shards, seed)
        self.hosts = [Listener() for _ in range(sum(shards))]
        self.network.hosts.extend(self.hosts)
        self.replies: list[tuple[int, bytes | None]] = []
        self.served = 0

    def publish(self, node: int, data: bytes = b"data", to: tuple[int, ...] | None = None) -> None:
        self.network.publish(node, "/topic", SOURCE, data, to=to)

    def request(self, source: int, target: int, timeout_ms: int = 2_000) -> None:
        def done(reply: bytes | None) -> None:
            self.replies.append((self.clock.now_ms, reply))

        def serve() -> bytes:
            self.served += 1
            return b"reply"

        self.network.request(source, target, 10, serve, done, timeout_ms)

    def run(self, ms: int) -> None:
        self.clock.run(self.clock.now_ms + ms)

    @property
    def heard(self) -> list[int]:
        """How many messages each node has heard."""
        return [len(host.heard) for host in self.hosts]


# -- gossip --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gossip", [GossipTable(), LAZY])
def test_a_message_reaches_every_node_of_its_shard_once(gossip: GossipTable) -> None:
    net = Net(12, 5, gossip=gossip, links=LinkTable(duplicate=0.5))
    net.publish(3)
    net.run(5_000)
    assert net.heard == [1] * 3 + [0] + [1] * 8 + [0] * 5


@given(size=st.integers(1, 30), degree=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_every_mesh_is_connected(size: int, degree: int, seed: int) -> None:
    net = Net(size, gossip=GossipTable(degree=degree, flood_publish=False, lazy_peers=0), seed=seed)
    net.publish(0)
    net.clock.run(size * 40)
    assert net.heard == [0] + [1] * (size - 1)


def test_what_is_rejected_goes_no_further() -> None:
    net = Net(12, gossip=LAZY)
    for host in net.hosts:
        host.verdict = Verdict.REJECT
    net.publish(0)
    net.clock.run(BEAT_MS - 1)
    assert 0 < sum(net.heard) <= LAZY.degree


def test_a_message_may_be_sent_to_some_peers_only() -> None:
    net = Net(12)
    for host in net.hosts:
        host.verdict = Verdict.REJECT
    net.publish(0, to=(4, 7))
    net.clock.run(BEAT_MS - 1)
    assert [node for node, count in enumerate(net.heard) if count] == [4, 7]


def test_repair_brings_what_was_lost() -> None:
    lossy = LinkTable(loss=0.4)
    unrepaired = Net(20, links=lossy, gossip=GossipTable(degree=2, lazy_peers=0, heartbeat_ms=3_600_000))
    repaired = Net(20, links=lossy, gossip=GossipTable(degree=2))
    for net in (unrepaired, repaired):
        net.publish(0)
        net.run(20_000)
    assert 0 in unrepaired.heard[1:]
    assert repaired.heard == [0] + [1] * 19


def test_who_was_down_hears_what_is_still_told_of() -> None:
    net = Net(8)
    net.hosts[5].up = False
    net.publish(0)
    net.run(500)
    net.hosts[5].up = True
    net.run(2 * BEAT_MS)
    assert net.heard[5] == 1


def test_who_was_down_for_long_hears_nothing() -> None:
    net = Net(8)
    net.hosts[5].up = False
    net.publish(0)
    net.run((HISTORY_BEATS + 1) * BEAT_MS)
    net.hosts[5].up = True
    net.run(60_000)
    assert net.heard[5] == 0


def test_a_message_is_known_again_for_as_long_as_the_mesh_remembers_it() -> None:
    net = Net(6)
    net.publish(0)
    net.run(SEEN_MS - 1_000)
    net.publish(0)
    net.run(1_000)
    assert net.heard == [0] + [1] * 5
    net.run(BEAT_MS)
    net.publish(0)
    net.run(1_000)
    assert net.heard == [0] + [2] * 5


def test_a_message_that_is_said_again_is_remembered_anew() -> None:
    net = Net(6)
    net.publish(0)
    # Later than it is remembered, and before the heartbeat that would forget it.
    net.run(SEEN_MS + BEAT_MS // 2)
    for _ in range(2):
        net.publish(0)
        net.run(2 * BEAT_MS)
    assert net.heard == [0] + [2] * 5


def test_a_restarted_node_hears_a_message_again() -> None:
    net = Net(6)
    net.publish(0)
    net.run(100)
    net.network.forget(3)
    net.publish(0)
    net.run(100)
    assert net.heard == [0, 1, 1, 2, 1, 1]


def test_cost_is_counted_for_copies_that_nobody_needs_too() -> None:
    net = Net(3)
    net.publish(0, b"x" * 1_000)
    net.run(500)
    # Two from the source, and each of the other two to the other.
    assert net.network.of_rounds == Traffic(4, 4 * (1_000 + 128))


def test_what_belongs_to_no_round_is_counted_apart() -> None:
    net = Net(3)
    net.network.publish(0, "/topic", SOURCE, b"offer", standing=True)
    net.run(500)
    assert net.network.of_rounds == Traffic()
    assert net.network.standing.messages == 4


# -- streams -------------------------------------------------------------------------------------------------------


def test_a_stream_is_answered_after_the_way_there_and_back() -> None:
    net = Net(2)
    net.request(0, 1)
    net.run(10_000)
    assert net.replies == [(80, b"reply")]


def test_a_node_that_is_down_refuses_at_once() -> None:
    net = Net(2)
    net.hosts[1].up = False
    net.request(0, 1)
    net.run(10_000)
    assert net.replies == [(80, None)]


def test_a_lost_packet_shows_in_the_timeout() -> None:
    net = Net(2)
    net.links.cut({1})
    net.request(0, 1, timeout_ms=700)
    net.run(10_000)
    assert net.replies == [(700, None)]


def test_a_stream_is_answered_once_whatever_is_duplicated() -> None:
    net = Net(2, links=LinkTable(duplicate=1.0))
    net.request(0, 1, timeout_ms=1)
    net.request(0, 1)
    net.run(10_000)
    assert [reply for _, reply in net.replies] == [None, b"reply"]
    assert net.served == 2, "a transport hands no packet over twice"
