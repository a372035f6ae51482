"""The delivery rules: what a reply means, who is asked next, which query is a replay (R10, R12, R13)."""

import pytest

from consensus.rounds import delivery
from consensus.rounds import effects as fx
from consensus.rounds.events import Delivered
from consensus.rounds.validation import guarded_until_ms
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.hashing import certificate_digest
from protocol.streams import Pong, PullRequest
from protocol.types import Digest, Key
from tests.support.hand import Hand, keypair
from tests.support.swarm import START_MS, Swarm

KEY_A, KEY_B, KEY_C = (keypair(name).public for name in "abc")
QUERY = Digest(b"q" * 32)


@pytest.mark.parametrize(
    ("reply", "gossip", "acknowledged"),
    [
        (b"", False, True),
        (None, True, False),
        (str(FaultReason.BUSY).encode(), True, False),
        (str(FaultReason.LATE).encode(), False, None),
        (str(FaultReason.DUPLICATE).encode(), False, None),
        (b"\xff" * 8_192, False, None),
        (b"busy, or so", False, None),
    ],
)
def test_reading_a_reply_to_a_contribution(reply: bytes | None, gossip: bool, acknowledged: bool | None) -> None:
    hand = Hand()
    sent = hand.commit("b")
    handover = delivery.hand_over(fx.Contribute(KEY_A, "/strand/topic", sent), reply)
    expected = None if acknowledged is None else Delivered(sent.id, acknowledged=acknowledged)
    assert handover == delivery.Handover(hand.record.id, gossip, expected)


@pytest.mark.parametrize("reply", [None, str(FaultReason.BUSY).encode()])
def test_what_is_private_is_sent_again_and_counts_when_it_is_acknowledged(reply: bytes | None) -> None:
    """Its author cannot blame a requester that it may not have reached."""
    hand = Hand().to_opening()
    sent = fx.Contribute(KEY_A, "/strand/topic", hand.answer("b"), private=True)
    read = [delivery.hand_over(sent, reply, tries) for tries in range(1, delivery.STREAM_TRIES_MAX + 1)]
    assert not any(each.gossip or each.delivered for each in read)
    assert [each.again_ms is None for each in read] == [False] * (delivery.STREAM_TRIES_MAX - 1) + [True]
    acknowledged = delivery.hand_over(sent, b"").delivered
    assert acknowledged is not None and acknowledged.acknowledged


def test_what_a_requester_has_already_is_taken_and_a_fault_is_told() -> None:
    swarm = Swarm("abc")
    hand = Hand()
    validator = swarm.nodes["a"].participant.validator
    validator.follow(hand.query, START_MS)
    sent = hand.commit("b")
    for _ in range(2):  # the second is a duplicate
        admitted = validator.admit_stream(KEY_B, sent.envelope, START_MS)
        assert delivery.reply_to_contribution(admitted) == b""
    refused = validator.admit_stream(KEY_B, sent.envelope[:-1], START_MS)
    assert isinstance(refused, Fault)
    assert delivery.reply_to_contribution(refused) == str(refused.reason).encode() != b""


def test_a_pull_asks_every_source_but_ourselves_in_order() -> None:
    pull = fx.Pull(QUERY, (Digest(b"1" * 32),), (KEY_C, KEY_A, KEY_B))
    assert delivery.pull_sources(pull, KEY_A) == (KEY_C, KEY_B)
    assert delivery.pull_sources(pull, Key(bytes(32))) == (KEY_C, KEY_A, KEY_B)
    assert codec.decode(PullRequest, delivery.pull_request(pull)) == PullRequest(query=QUERY, ids=pull.ids)


def test_only_the_announced_bytes_are_the_certificate() -> None:
    raw = b"certificate"
    fetch = fx.FetchCertificate(QUERY, (KEY_B,), certificate_digest(raw), len(raw))
    assert delivery.is_announced(fetch, raw)
    assert not delivery.is_announced(fetch, b"")
    assert not delivery.is_announced(fetch, raw + b"!")
    assert not delivery.is_announced(fx.FetchCertificate(QUERY, (KEY_B,), certificate_digest(raw), 3), raw)


def test_only_queries_are_remembered_and_a_replay_is_passed_over() -> None:
    """Given a query that an earlier life has seen, then it is not worked on, and the next of its asker still is."""
    swarm = Swarm("ab")
    hand = Hand(names="ab")
    b = swarm.nodes["b"].participant
    admitted = b.validator.admit_gossip(hand.record.topic, KEY_A, hand.query.envelope, hand.record.query.sent_at_ms)
    assert not isinstance(admitted, Fault)
    now_ms = hand.record.query.sent_at_ms
    until_ms = guarded_until_ms(swarm.params, now_ms)
    assert delivery.sighting(swarm.params, admitted, now_ms) == delivery.Sighting(hand.record.id, until_ms)

    delivery.pass_over(b, hand.record.id)
    assert b.reply_to_query(hand.record.id) == "unknown"
    commit = b.validator.admit_gossip(hand.record.topic, KEY_A, hand.commit("a").envelope, now_ms)
    assert isinstance(commit, Fault) and commit.reason is FaultReason.NOT_OURS


def test_a_pong_and_a_word_about_the_query_reach_their_own_calls() -> None:
    swarm = Swarm("abc")
    swarm.deaf["b"] = lambda _: True
    query = swarm.ask()
    asker = swarm.nodes["a"].participant
    swarm.at(20, lambda: None)
    swarm.run(20)
    word, ping = fx.Probe(query, KEY_B, Hand().query), fx.Probe(query, KEY_C, None)

    def reply(probe: fx.Probe, said: bytes) -> list[fx.Effect]:
        replied = delivery.ProbeReply(probe, said, swarm.now_ms - 10, swarm.now_ms)
        return delivery.on_probe_reply(asker, replied, swarm.now_ms)

    assert any(isinstance(effect, fx.Progress) and effect.refused for effect in reply(word, b"busy"))
    assert reply(ping, b"busy") == [], "no pong"
    reply(ping, codec.encode(Pong(clock_ms=swarm.now_ms)))
    assert asker.presence.round_trip_ms(KEY_C) == 10
