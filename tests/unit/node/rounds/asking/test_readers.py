"""Who gets the text of a question: seats by audience, and texts that nobody should get."""

from contextlib import ExitStack
from typing import Any, cast

import pytest

from consensus.learning.experience import Experience
from consensus.rounds.participant import Participant
from node.api.asking import Question
from node.api.conversation import Audience, Turn
from node.clock import Clock
from node.config import NodeConfig, RoundTable, TrustTable
from node.rounds.asking.errors import NoQuorumError, SecretTextError, TooManyFollowedError
from node.rounds.asking.queries import QueryBuilder, trust
from node.rounds.asking.readers import secret_line
from node.rounds.asking.service import RoundService
from node.rounds.following.hub import SUBSCRIBERS_MAX, RoundEvents
from node.rounds.inbound import InboundRouter
from node.rounds.learning.gold_book import GoldBook
from node.rounds.learning.reputation import Reputation
from node.rounds.queue import RoundQueue
from protocol.messages import Offer, Query
from protocol.types import Role, TurnRole
from tests.support.shown import StillNetwork
from tests.support.swarm import keypair, params

OWN = "z"
SECRET = "gh" + "p_" + "A1b2C3d4E5" * 4
TRUSTED = TrustTable(default_weight=1.0, friends=True, trusted={keypair("a").public.hex(): 1.0})
NOBODY = TrustTable(default_weight=1.0, friends=True)


def builder(*offering: str, trusted: TrustTable = TRUSTED, **table: Any) -> QueryBuilder:
    """A builder whose node hears these nodes offer."""
    config, clock = NodeConfig(trust=trusted, round=RoundTable(**table)), Clock()
    participant = Participant(keypair(OWN), params())
    now_ms = clock.now_ms()
    for name in offering:
        offer = Offer(
            author=keypair(name).public,
            sequence=1,
            sent_at_ms=now_ms,
            roles=Role.ANSWER | Role.JUDGE,
            specialties=("rust",),
            model="m",
            context_tokens=1,
            milli_tokens_per_second=1,
            queue=0,
            tool_versions="",
            addresses=(),
        )
        participant.validator.offers.add(offer, now_ms)
        participant.presence.heard(offer.author, now_ms)
    reputation = Reputation(Experience(), GoldBook(), trust(config), cast("Any", None), "rust")
    network = cast("Any", StillNetwork())
    return QueryBuilder(participant, network, reputation, config, clock)


def seats(query: Query) -> str:
    names = {keypair(name).public: name for name in "abcz"}
    return "".join(sorted(names[seat.member] for seat in query.roster))


@pytest.mark.parametrize(
    ("audience", "seated", "gossiped"),
    [(Audience.TRUSTED, "az", False), (Audience.MEMBERS, "abcz", False), (Audience.PUBLIC, "abcz", True)],
)
@pytest.mark.parametrize("asked", [True, False])
async def test_the_audience_decides_seats_and_text(
    audience: Audience, seated: str, gossiped: bool, asked: bool
) -> None:
    """The question's own audience, else the configuration's."""
    other = Audience.MEMBERS if audience is Audience.PUBLIC else Audience.PUBLIC
    query = builder(*"abcz", audience=other if asked else audience).build(
        Question.single("Sum a slice.", audience=audience if asked else None)
    )
    assert seats(query) == seated
    assert bool(query.turns) is gossiped


@pytest.mark.parametrize(("offering", "trusted"), [("abcz", NOBODY), ("bcz", TRUSTED), ("bc", TRUSTED)])
async def test_no_trusted_round_begins_where_only_others_offer(offering: str, trusted: TrustTable) -> None:
    asked = builder(*offering, trusted=trusted)
    with pytest.raises(NoQuorumError) as refused:
        asked.build(Question.single("Sum a slice.", audience=Audience.TRUSTED))
    assert "[trust.trusted]" in str(refused.value) and "--audience members" in str(refused.value)
    assert seats(asked.build(Question.single("Sum a slice.", audience=Audience.MEMBERS))) == offering


async def test_a_node_alone_answers_its_owner_whatever_the_audience() -> None:
    query = builder(OWN, trusted=NOBODY).build(Question.single("Sum a slice.", audience=Audience.TRUSTED))
    assert seats(query) == OWN


@pytest.mark.parametrize("audience", Audience)
async def test_a_text_with_a_secret_is_refused(audience: Audience) -> None:
    with pytest.raises(SecretTextError) as refused:
        builder(*"abcz").refuse_secrets(Question.single(f"Why does {SECRET} fail?", audience=audience))
    assert str(refused.value).startswith("the question looks like it holds a GitHub token")
    assert "allow_secrets" in str(refused.value) and "allow_secrets" not in refused.value.found
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("by", ["question", "configuration"])
async def test_a_text_with_a_secret_can_be_forced(by: str) -> None:
    asked = builder(*"abcz", allow_secrets=by == "configuration")
    asked.refuse_secrets(Question.single(f"Why does {SECRET} fail?", allow_secrets=by == "question"))


async def test_nothing_is_sent_of_a_text_with_a_secret() -> None:
    inbound = InboundRouter(Participant(keypair(OWN), params()), cast("Any", None), Clock())
    service = RoundService(builder(*"abcz"), RoundQueue(1, 1), inbound, RoundEvents(), Clock())
    with pytest.raises(SecretTextError):
        async with service.ask(Question.single(SECRET)):
            raise AssertionError("the round began")
    assert inbound.inbox.statistics().current_buffer_used == 0


async def test_a_question_that_nobody_could_follow_begins_no_round() -> None:
    """That is no full queue: none waits."""
    inbound = InboundRouter(Participant(keypair(OWN), params()), cast("Any", None), Clock())
    hub, queue = RoundEvents(), RoundQueue(1, 1)
    service = RoundService(builder(*"abcz"), queue, inbound, hub, Clock())
    with ExitStack() as followers:
        for _ in range(SUBSCRIBERS_MAX):
            followers.enter_context(hub.subscribe())
        with pytest.raises(TooManyFollowedError):
            async with service.ask(Question.single("Sum a slice.")):
                raise AssertionError("the round began")
    assert inbound.waiting == 0 and not queue.running


def test_the_turn_with_the_secret_is_named() -> None:
    turns = [Turn(TurnRole.USER, "Hello"), Turn(TurnRole.ASSISTANT, "Yes?"), Turn(TurnRole.USER, SECRET)]
    assert (secret_line(turns) or "").startswith("turn 3 (user) looks like it holds a GitHub token")
    assert secret_line(turns[:2]) is None
