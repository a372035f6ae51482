"""A query that its requester repeats on a direct stream, what the seat replies, and pings."""

from dataclasses import replace

import pytest

from consensus.rounds import effects as fx
from consensus.rounds.admission import PlacesOnly, Refusal, Shares
from consensus.rounds.participant import REPLY_BYTES_MAX, Participant
from consensus.rounds.validation import Admitted
from protocol import codec
from protocol.errors import FaultReason
from protocol.messages import Notice, Query
from protocol.signing import seal
from protocol.streams import Pong
from protocol.types import Digest
from tests.support.machines import of_kind
from tests.support.swarm import START_MS as NOW
from tests.support.swarm import Swarm, keypair, params


def query(**changes: object) -> Query:
    return Swarm("abc").query(**changes)


def node(name: str = "b", places: int = 8) -> Participant:
    return Participant(keypair(name), params(), admission=PlacesOnly(Shares(places)))


def repeat(to: Participant, asked: Query, source: str = "a", now_ms: int = NOW) -> str:
    """What the seat replies, after it has acted upon the query."""
    envelope = seal(keypair("a"), params().digest, asked).envelope
    taken = to.take_repeated(keypair(source).public, envelope, now_ms)
    if isinstance(taken, str):
        return taken
    assert isinstance(taken, Admitted)
    to.on_admitted(taken, now_ms)
    return to.reply_to_query(taken.message.id)


def test_a_seat_that_never_got_the_query_takes_it_and_says_so_again() -> None:
    seat = node()
    assert repeat(seat, query()) == "" and repeat(seat, query()) == ""


def test_a_seat_that_got_it_by_gossip_says_that_it_works_on_it() -> None:
    seat, message = node(), seal(keypair("a"), params().digest, query())
    round_topic = f"/strand/minimal/{params().digest.hex()[:32]}/rust/0"
    admitted = seat.validator.admit_gossip(round_topic, keypair("a").public, message.envelope, NOW)
    assert isinstance(admitted, Admitted)
    seat.on_admitted(admitted, NOW)
    assert repeat(seat, query()) == ""


def test_a_refusal_is_repeated_as_often_as_the_query() -> None:
    seat = node(places=1)
    assert repeat(seat, query()) == ""
    other = query(nonce=b"o" * 32)
    assert [repeat(seat, other) for _ in range(3)] == [Refusal.BUSY] * 3


def test_whom_the_roster_does_not_name_says_so() -> None:
    assert repeat(node("z"), query()) == Refusal.NOT_SEATED


@pytest.mark.parametrize("off_ms", [-2_001, 2_001])
def test_a_clock_that_is_off_is_said(off_ms: int) -> None:
    assert repeat(node(), query(), now_ms=NOW + off_ms) == Refusal.CLOCK


def test_nobody_repeats_for_another_and_nothing_but_queries_is_repeated() -> None:
    seat = node()
    assert repeat(seat, query(), source="c") == FaultReason.WRONG_AUTHOR
    notice = Notice(
        author=keypair("a").public,
        query=Digest(bytes(32)),
        on=Digest(bytes(32)),
        certificate_digest=Digest(bytes(32)),
        certificate_bytes=1,
    )
    envelope = seal(keypair("a"), params().digest, notice).envelope
    assert seat.take_repeated(keypair("a").public, envelope, NOW) == FaultReason.WRONG_AUTHOR
    assert seat.take_repeated(keypair("a").public, b"nonsense", NOW) == FaultReason.MALFORMED


def asking() -> tuple[Participant, Digest]:
    asker = node("a")
    begun = asker.ask(query(), "Which?", NOW)
    assert isinstance(begun, tuple)
    return asker, begun[0]


@pytest.mark.parametrize(
    ("reply", "refusal"),
    [
        (b"busy", Refusal.BUSY),
        (b"paused", Refusal.PAUSED),
        (b"\xff\x00", Refusal.UNKNOWN),
        (b"x" * 10_000, Refusal.UNKNOWN),
    ],
)
def test_the_asker_reads_a_refusal_and_no_more_of_it(reply: bytes, refusal: Refusal) -> None:
    asker, id = asking()
    (progress,) = of_kind(asker.on_query_reply(id, keypair("b").public, reply, NOW), fx.Progress)
    assert progress.refused == {keypair("b").public: refusal}


def test_a_pong_measures_and_nonsense_does_not() -> None:
    asker, id = asking()
    b = keypair("b").public
    asker.on_pong(id, b, codec.encode(Pong(clock_ms=NOW + 7_050)), NOW, NOW + 100)
    assert (asker.presence.round_trip_ms(b), asker.presence.offset_ms(b)) == (100, 7_000)
    for reply in (b"", b"\xc0", b"x" * (REPLY_BYTES_MAX + 1)):
        assert asker.on_pong(id, keypair("c").public, reply, NOW, NOW) == []
    assert asker.presence.offset_ms(keypair("c").public) is None


def test_a_certificate_is_fetched_from_its_requester_or_from_members() -> None:
    """Each member asks others in an order of its own, so that not all ask the same one."""
    names = "abcdefgh"
    second = set()
    for name in names[1:]:
        seat = node(name)
        asked = Swarm(names).query()
        assert repeat(seat, asked) == ""
        id = seal(keypair("a"), params().digest, asked).id
        notice = Notice(
            author=keypair("a").public, query=id, on=id, certificate_digest=Digest(bytes(32)), certificate_bytes=9
        )
        (fetch,) = of_kind(
            seat.on_admitted(Admitted(seal(keypair("a"), params().digest, notice)), NOW), fx.FetchCertificate
        )
        assert fetch.sources[0] == keypair("a").public and seat.keypair.public not in fetch.sources
        assert len(fetch.sources) == len(set(fetch.sources)) == 4
        second.add(fetch.sources[1])
    assert len(second) > 2


def test_who_contributed_nothing_sits_out_at_its_asker() -> None:
    swarm = Swarm("abcd")
    swarm.nodes["d"].up = False
    swarm.ask()
    swarm.run()
    asker = swarm.nodes["a"].participant
    keys = [keypair(name).public for name in "abcd"]
    for key in keys:
        asker.presence.heard(key, swarm.now_ms)
    assert asker.presence.seatable(keys, swarm.now_ms, 90_000) == set(keys[:3])


def test_silence_and_refusals_are_told_with_progress() -> None:
    swarm = Swarm("abcdef")
    for name in "def":
        swarm.nodes[name].up = False
    told: list[fx.Progress] = []
    swarm.interceptors["a"] = lambda _world, _node, effect: (
        told.append(effect) if isinstance(effect, fx.Progress) else None
    )
    swarm.ask(answer_ms=9_000)
    swarm.run()
    assert told[-1].silent == {keypair(name).public for name in "def"}
    assert replace(told[-1], silent=frozenset()).refused == {}
