"""R13: who is served what, and what is taken."""

from dataclasses import replace
from typing import Any

import pytest

from consensus.rounds import effects as fx
from consensus.rounds.participant import Participant
from consensus.rounds.pulls import LeftOut, PullLedger
from consensus.rounds.validation import Admitted
from protocol import codec
from protocol.conversation import digest_of, single
from protocol.errors import Fault, FaultReason
from protocol.messages import Turn
from protocol.signing import seal
from protocol.streams import PullReply, PullRequest
from protocol.topics import topic
from protocol.types import Digest, Kind, TurnRole
from tests.support.hand import Hand
from tests.support.samples import CONVERSATION
from tests.support.swarm import Swarm, keypair
from tests.unit.consensus.test_certificate import APART, equivocate

# -- R13: pulls -----------------------------------------------------------------------------------------------------


@pytest.fixture
def served() -> tuple[Swarm, Participant, Digest]:
    """A round that is over, at its requester."""
    swarm = Swarm("abcd", APART)
    query = swarm.ask()
    swarm.run()
    swarm.nodes["a"].participant._rounds[query].served = PullLedger()
    return swarm, swarm.nodes["a"].participant, query


def pull(from_: Participant, query: Digest, *ids: Digest, by: str = "b") -> list[bytes] | FaultReason:
    reply = from_.serve_pull(keypair(by).public, codec.encode(PullRequest(query=query, ids=ids)))
    if isinstance(reply, Fault):
        return reply.reason
    decoded = codec.decode(PullReply, reply.reply, bytes_max=APART.pull_bytes_max)
    assert isinstance(decoded, PullReply)
    return list(decoded.envelopes)


def test_pulled_once_for_each_member(served: tuple[Swarm, Participant, Digest]) -> None:
    swarm, asked, query = served
    record = swarm.verified().record
    ids = [message.id for message in (*record.answers, *record.ballots)]
    assert pull(asked, query, *ids) == [message.envelope for message in (*record.answers, *record.ballots)]
    assert pull(asked, query, *ids) == []
    assert pull(asked, query, ids[0], by="c") == [record.answers[0].envelope]
    assert pull(asked, query, Digest(bytes(32))) == [], "what no closing names is not there"


def test_the_chain_is_served_again_until_the_budget_is_spent(served: tuple[Swarm, Participant, Digest]) -> None:
    _, asked, query = served
    asked.params = replace(APART, pull_bytes_max=3 * 8_192)
    replies = [pull(asked, query) for _ in range(20)]
    assert isinstance(replies[0], list) and len(replies[0]) == 4
    assert replies[1] == replies[0]
    assert replies[-1] is FaultReason.BUSY
    assert isinstance(pull(asked, query, by="c"), list), "each member has its own budget"


def test_who_may_not_pull(served: tuple[Swarm, Participant, Digest]) -> None:
    _, asked, query = served
    assert pull(asked, query, by="z") is FaultReason.NOT_A_MEMBER
    assert pull(asked, Digest(bytes(32))) is FaultReason.UNKNOWN_ROUND
    for raw, reason in ((b"", FaultReason.MALFORMED), (bytes(8_193), FaultReason.TOO_LARGE)):
        result = asked.serve_pull(keypair("b").public, raw)
        assert isinstance(result, Fault) and result.reason is reason


def test_replies_that_are_nonsense(served: tuple[Swarm, Participant, Digest]) -> None:
    """A fault tells the driver to ask the next source; nothing of the reply is kept."""
    swarm, _, query = served
    member_of = swarm.nodes["b"].participant
    wrong = codec.encode(PullReply(turns=single("What?"), tests="", envelopes=()))
    forged = codec.encode(PullReply(turns=(), tests="", envelopes=(bytes(100),)))
    nothing = codec.encode(PullReply(turns=(), tests="", envelopes=()))
    for raw in (b"\xc0", wrong, forged, nothing):
        assert isinstance(member_of.on_pull_reply(query, raw, swarm.now_ms), Fault)
    assert member_of.on_pull_reply(Digest(bytes(32)), wrong, swarm.now_ms) == []


def test_a_private_conversation_is_checked_when_it_is_pulled() -> None:
    """P7: its requester signed no more than a digest, so a member would answer what asks nothing."""
    answered = (*single("Which?"), Turn(role=TurnRole.ASSISTANT, text="This."))
    for signed, turns, reason in (
        (CONVERSATION, CONVERSATION, None),
        (answered, answered, FaultReason.NO_QUESTION),
        (CONVERSATION, single("What?"), FaultReason.MALFORMED),
    ):
        swarm = Swarm("ab")
        query = seal(keypair("a"), swarm.params.digest, swarm.query(turns=(), content_digest=digest_of(signed)))
        member = swarm.nodes["b"].participant
        admitted = member.validator.admit_gossip(
            topic(swarm.params, "rust", 0), query.author, query.envelope, swarm.now_ms
        )
        assert isinstance(admitted, Admitted)
        (pulls,) = [effect for effect in member.on_admitted(admitted, swarm.now_ms) if isinstance(effect, fx.Pull)]
        reply = codec.encode(PullReply(turns=turns, tests="", envelopes=(query.envelope,)))
        effects = member.on_pull_reply(pulls.query, reply, swarm.now_ms)
        if reason is not None:
            assert isinstance(effects, Fault) and effects.reason is reason
        else:
            assert [effect.turns for effect in effects if isinstance(effect, fx.Generate)] == [turns]


def test_a_reply_with_turns_keeps_within_the_members_bytes() -> None:
    swarm = Swarm("ab", APART)
    asker, least = swarm.nodes["a"].participant, 0
    begun = asker.ask(
        swarm.query(turns=(), content_digest=digest_of(CONVERSATION)), LeftOut(CONVERSATION), swarm.now_ms
    )
    assert not isinstance(begun, Fault)
    for most in range(1_000, 2_000, 50):
        asker._rounds[begun[0]].served = PullLedger()
        asker.params = replace(APART, pull_bytes_max=most)
        reply = asker.serve_pull(keypair("b").public, codec.encode(PullRequest(query=begun[0], ids=())))
        if not isinstance(reply, Fault):
            least = least or most
            assert len(reply.reply) <= most
    assert least


def test_the_text_of_a_cancelled_round_is_served_to_nobody_more() -> None:
    """R16: whoever cancels because the text should not have gone out means those that have not pulled it yet."""
    swarm = Swarm("abcd")
    query = swarm.ask(turns=())
    swarm.run(50)
    request = codec.encode(PullRequest(query=query, ids=()))

    def turns_at(name: str) -> tuple[Turn, ...]:
        reply = swarm.nodes[name].participant.serve_pull(keypair("d").public, request)
        assert not isinstance(reply, Fault)
        decoded = codec.decode(PullReply, reply.reply, bytes_max=APART.pull_bytes_max)
        assert isinstance(decoded, PullReply) and decoded.envelopes
        return decoded.turns

    assert turns_at("a") == turns_at("b") == single("Which?")
    assert swarm.cancel(query)
    swarm.run(100)
    assert turns_at("a") == turns_at("b") == ()
    assert pull(swarm.nodes["a"].participant, query, by="d"), "the chain, with the cancel, is still served"


def test_who_gets_the_text_is_told_once_and_to_its_asker_alone() -> None:
    swarm = Swarm("abc")
    query = swarm.ask(turns=())
    swarm.run(50)
    request, told = codec.encode(PullRequest(query=query, ids=())), []
    for asked in (swarm.nodes["a"].participant, swarm.nodes["b"].participant):
        asked._rounds[query].served = PullLedger()
        for _ in range(2):
            served = asked.serve_pull(keypair("c").public, request)
            assert not isinstance(served, Fault)
            told.append(served.text_of)
    assert told == [query, None, None, None]


def test_what_is_good_in_a_reply_stands_beside_what_is_not() -> None:
    """A requester cannot hide that it closed twice behind an envelope that does not open."""
    swarm = Swarm("abcd")
    query = swarm.ask()
    swarm.run(130)
    hand_over = swarm.nodes["b"].participant
    (closing,) = swarm.nodes["a"].participant._rounds[query].record.closings[:1]
    rival_body = replace(closing.body, commitments=closing.body.commitments[:2])
    rival = seal(keypair("a"), swarm.params.digest, rival_body)
    reply = codec.encode(PullReply(turns=(), tests="", envelopes=(rival.envelope, bytes(100))))
    effects = hand_over.on_pull_reply(query, reply, swarm.now_ms)
    assert not isinstance(effects, Fault)
    assert any(isinstance(effect, fx.Publish) and effect.message.kind is Kind.EVIDENCE for effect in effects)
    assert [effect.ending for effect in effects if isinstance(effect, fx.RoundEnded)] == [fx.Ending.VOID]


def test_evidence_is_pulled_although_we_found_the_same_ourselves() -> None:
    """Every member saw the equivocation and told of it; the slate names the requester's telling, which is pulled."""
    swarm = Swarm("abcde", APART)
    swarm.interceptors["e"] = equivocate("abcd")
    swarm.ask()
    swarm.run()
    assert swarm.names(swarm.verified().cosigners) == "a b c d"


def test_a_third_message_of_a_slot_is_pulled_when_a_closing_names_it() -> None:
    """`e` shows the requester one answer and b two others, before the requester can list the evidence."""
    swarm = Swarm("abcde", APART)

    def three(world: Swarm, _node: Any, effect: fx.Effect) -> list[fx.Effect] | None:
        if not isinstance(effect, fx.Contribute) or effect.message.kind is not Kind.ANSWER:
            return None
        body: Any = effect.message.body
        for letter in b"xy":
            other = Hand("abcde", APART).seal("e", replace(body, salt=bytes((letter,)) * 32))
            world.gossip(world.nodes["b"], topic(APART, "rust", 0), other)
        return None

    swarm.interceptors["e"] = three
    swarm.deaf["a"] = lambda message: message.kind is Kind.EVIDENCE
    swarm.ask()
    swarm.run()
    assert swarm.nodes["b"].finished[-1].ending is fx.Ending.FINISHED
