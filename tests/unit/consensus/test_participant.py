"""What one node does with rounds that are not its own, and with those of an earlier life."""

from dataclasses import replace

from consensus.rounds import effects as fx
from consensus.rounds.admission import PlacesOnly, Shares
from consensus.rounds.member import REPAIR_MS
from consensus.rounds.membership import Restored
from consensus.rounds.participant import ROUNDS_KEPT, Participant
from consensus.rounds.validation import LINGER_MS, OPEN_ROUNDS_MAX, Admitted
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.messages import Offer, Query
from protocol.signing import Keypair, seal
from protocol.streams import PullReply, PullRequest
from protocol.topics import topic
from protocol.types import Digest, Role
from tests.support.swarm import START_MS, Swarm, keypair, params

PARAMS = params()


def query_of(asker: Keypair, nonce: int, members: str) -> Query:
    everyone = Swarm("abcd").query()
    seated = {keypair(name).public for name in members}
    roster = tuple(seat for seat in everyone.roster if seat.member in seated)
    return replace(everyone, author=asker.public, nonce=nonce.to_bytes(32, "big"), roster=roster)


def admit(node: Participant, asker: Keypair, nonce: int, members: str) -> list[fx.Effect] | FaultReason:
    message = seal(asker, PARAMS.digest, query_of(asker, nonce, members))
    admitted = node.validator.admit_gossip(topic(PARAMS, "rust", 0), asker.public, message.envelope, START_MS)
    return node.on_admitted(admitted, START_MS) if isinstance(admitted, Admitted) else admitted.reason


def test_rounds_without_us_do_not_count_as_open() -> None:
    """Strangers that ask each other must not keep us from the rounds in which we sit."""
    node = Participant(keypair("a"), PARAMS)
    for stranger in range(OPEN_ROUNDS_MAX):
        asker = Keypair(bytes([stranger]) * 32)
        for nonce in range(PARAMS.open_rounds_per_key_max):
            assert admit(node, asker, nonce, "bcd") == []
    joined = admit(node, keypair("b"), 0, "abcd")
    assert isinstance(joined, list) and any(isinstance(effect, fx.Generate) for effect in joined)


def test_rounds_with_us_do() -> None:
    node = Participant(keypair("a"), PARAMS)
    for nonce in range(PARAMS.open_rounds_per_key_max):
        assert isinstance(admit(node, keypair("b"), nonce, "abcd"), list)
    assert admit(node, keypair("b"), 99, "abcd") is FaultReason.TOO_MANY_ROUNDS


def serves(swarm: Swarm, query: Digest) -> bool:
    """Whether `a` still serves this round's chain to `b`."""
    request = codec.encode(PullRequest(query=query, ids=()))
    return not isinstance(swarm.nodes["a"].participant.serve_pull(keypair("b").public, request), Fault)


def test_rounds_that_are_over_serve_until_room_is_needed() -> None:
    swarm = Swarm("ab")
    queries = []
    for number in range(ROUNDS_KEPT + 1):
        queries.append(swarm.ask(nonce=number.to_bytes(32, "big")))
        assert swarm.nodes["a"].participant.wake_at_ms is not None
        swarm.run()
        assert swarm.nodes["a"].participant.wake_at_ms is None, "nothing is due where every round is over"
        assert swarm.nodes["a"].participant.tick(swarm.now_ms) == []
    assert [serves(swarm, query) for query in queries] == [False, *[True] * ROUNDS_KEPT]


def test_rounds_that_are_over_serve_until_their_time_is_out() -> None:
    swarm = Swarm("ab")
    over = swarm.ask()
    swarm.run()
    swarm.now_ms += LINGER_MS
    assert serves(swarm, over)
    swarm.now_ms += 60_000
    ours = swarm.ask(nonce=b"o" * 32)
    assert not serves(swarm, over) and serves(swarm, ours)


def test_recovery_asks_again_until_the_deadline() -> None:
    """R12: right after a start the requester's address may not be known yet."""
    node = Participant(keypair("b"), PARAMS)
    query = Digest(b"q" * 32)
    node.recover(query, keypair("a").public, Restored(), START_MS + 2 * REPAIR_MS)
    pull = fx.Pull(query, (), (keypair("a").public,))
    assert node.tick(START_MS) == [pull]
    assert node.tick(START_MS + 1) == []
    assert node.wake_at_ms == START_MS + REPAIR_MS
    assert node.tick(START_MS + REPAIR_MS) == [pull]
    assert node.tick(START_MS + 2 * REPAIR_MS) == []
    assert node.wake_at_ms is None


def test_offers_go_to_our_shard() -> None:
    """R14."""
    node = Participant(keypair("a"), PARAMS)
    offer = Offer(
        author=keypair("z").public,
        sequence=0,
        sent_at_ms=0,
        roles=Role.JUDGE,
        specialties=("rust", "go"),
        model="",
        context_tokens=0,
        milli_tokens_per_second=0,
        queue=0,
        tool_versions="",
        addresses=(),
    )
    (publish,) = node.offer(offer, 3, START_MS)
    assert isinstance(publish, fx.Publish)
    assert publish.topics == (topic(PARAMS, "rust", 3), topic(PARAMS, "go", 3))
    assert publish.message.author == keypair("a").public


def test_recovered_rounds_count_as_open() -> None:
    """V8: a restart gives nobody more open rounds than one key may have, and costs no older commitment."""
    asker, node = keypair("b"), Participant(keypair("a"), PARAMS)
    before = [
        seal(asker, PARAMS.digest, query_of(asker, nonce, "abcd")) for nonce in range(PARAMS.open_rounds_per_key_max)
    ]
    for query in before:
        node.recover(query.id, asker.public, Restored(), START_MS + 60_000)
    assert admit(node, asker, 100, "abcd") is FaultReason.TOO_MANY_ROUNDS
    for query in before:
        reply = codec.encode(PullReply(turns=(), tests="", envelopes=(query.envelope,)))
        recovered = node.on_pull_reply(query.id, reply, START_MS)
        assert isinstance(recovered, list) and any(isinstance(effect, fx.Generate) for effect in recovered)
    assert admit(node, asker, 101, "abcd") is FaultReason.TOO_MANY_ROUNDS


def test_a_round_that_nobody_can_recover_gives_its_place_back() -> None:
    asker, node = keypair("b"), Participant(keypair("a"), PARAMS)
    for nonce in range(PARAMS.open_rounds_per_key_max):
        node.recover(Digest(nonce.to_bytes(32, "big")), asker.public, Restored(), START_MS)
    assert isinstance(admit(node, asker, 0, "abcd"), list)


def test_recovered_rounds_count_as_work() -> None:
    """A node takes no more rounds on than its engine serves, those of its earlier life among them."""
    node = Participant(keypair("a"), PARAMS, admission=PlacesOnly(Shares(1)))
    node.recover(Digest(b"q" * 32), keypair("c").public, Restored(), START_MS + 60_000)
    assert admit(node, keypair("b"), 0, "abcd") == []
