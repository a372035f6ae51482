"""Rounds over a line of nodes by gossip alone: what lies between asker and member takes no part, and carries it all.

The participants and their validators are real, and each forwards by its own verdicts; the line and time are not.
tests/integration/overlay/test_gossip_floods.py has such a line over libp2p.
"""

from __future__ import annotations

from collections import defaultdict

from consensus.rounds import effects as fx
from consensus.rounds.events import Delivered
from protocol.errors import Fault, Verdict
from protocol.messages import Contribution
from protocol.signing import VerifiedMessage
from protocol.types import Digest, Kind
from tests.support.hand import Hand, changed_query
from tests.support.swarm import GOSSIP_MS, Node, Swarm


class Line(Swarm):
    """Nodes that hear their neighbours only, by gossip only: no stream reaches anybody."""

    def __init__(self, names: str) -> None:
        super().__init__(names)
        self.seen: dict[str, set[Digest]] = defaultdict(set)
        self.verdicts: dict[str, list[tuple[Kind, Verdict]]] = defaultdict(list)

    def ask_the_ends(self) -> Digest:
        """Let the first node ask itself and the last one."""
        ends = {node.participant.keypair.public for node in (*self.nodes.values(),)[:: len(self.nodes) - 1]}
        return self.ask(roster=tuple(seat for seat in self.query().roster if seat.member in ends))

    def spread(self, node: Node, topic: str, message: VerifiedMessage) -> None:
        """Carry a message to the neighbours of a node."""
        self.seen[node.name].add(message.id)
        row = list(self.nodes.values())
        at = row.index(node)
        for neighbour in row[max(0, at - 1) : at] + row[at + 1 : at + 2]:
            self.at(GOSSIP_MS, lambda neighbour=neighbour: self._hear(neighbour, topic, message))

    def _hear(self, node: Node, topic: str, message: VerifiedMessage) -> None:
        if message.id in self.seen[node.name]:
            return
        self.seen[node.name].add(message.id)
        validator = node.participant.validator
        admitted = validator.admit_gossip(topic, message.author, message.envelope, self.now_ms)
        verdict = admitted.verdict if isinstance(admitted, Fault) else Verdict.ACCEPT
        self.verdicts[node.name].append((message.kind, verdict))
        if not isinstance(admitted, Fault):
            self.perform(node, node.participant.on_admitted(admitted, self.now_ms))
        if verdict in (Verdict.ACCEPT, Verdict.RELAY):
            self.spread(node, topic, message)

    def _perform(self, node: Node, effect: fx.Effect) -> None:
        match effect:
            case fx.Publish(topics, message):
                self.spread(node, topics[0], message)
            case fx.Contribute(_, topic, message):
                self.spread(node, topic, message)
                assert isinstance(message.body, Contribution)
                delivered = Delivered(message.id)
                self.perform(node, node.participant.on_work_done(message.body.query, delivered, self.now_ms))
            case fx.Pull():
                pass
            case _:
                super()._perform(node, effect)


def test_a_line_whose_middle_are_bystanders_completes_a_round() -> None:
    line = Line("abcde")
    line.ask_the_ends()
    line.run()
    verified = line.verified()
    assert line.names(verified.cosigners) == "a e"
    assert line.names(answer.author for answer in verified.record.answers) == "a e"
    for name in "bcd":
        # A query and its notice are for all; the rest is for others.
        assert {verdict for kind, verdict in line.verdicts[name] if kind in (Kind.QUERY, Kind.NOTICE)} == {"accept"}
        rest = {verdict for kind, verdict in line.verdicts[name] if kind not in (Kind.QUERY, Kind.NOTICE)}
        assert rest == {Verdict.RELAY}


def test_who_has_no_room_for_the_round_carries_it_too() -> None:
    """V8: the neighbour works for this asker already, as often as it may."""
    line = Line("abcde")
    asker, neighbour = line.nodes["a"].participant, line.nodes["b"].participant
    for nonce in (b"2", b"3"):
        other = changed_query(Hand(), author=asker.keypair.public, nonce=nonce * 32)
        neighbour.validator.follow(other, line.now_ms)
    line.ask_the_ends()
    line.run()
    assert line.verdicts["b"][0] == (Kind.QUERY, Verdict.RELAY)
    assert line.names(line.verified().cosigners) == "a e"


def test_what_belongs_to_no_admitted_query_stops_at_the_first_node() -> None:
    line, hand = Line("abcde"), Hand()
    for message in (hand.commit("b"), hand.close_commits("abcd"), hand.cosign("c")):
        line.spread(line.nodes["a"], hand.record.topic, message)
    line.run()
    assert [verdict for _, verdict in line.verdicts["b"]] == [Verdict.IGNORE] * 3
    assert not line.verdicts["c"]
