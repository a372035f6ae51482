"""Working places: strangers cannot take what is reserved for the known, nor hold what they take for long."""

from dataclasses import replace

import pytest

from consensus.rounds import effects as fx
from consensus.rounds.admission import (
    KEYS_MAX,
    KNOWN_RATE,
    SIZE_BYTES,
    STRANGER_RATE,
    STRANGERS_RATE,
    PlacesOnly,
    QueryBudget,
    Shares,
    WorkingPlace,
)
from consensus.rounds.events import Delivered, Generated
from consensus.rounds.member import PULLS_MAX, REPAIR_MS
from consensus.rounds.membership import UNTAKEN_MS
from consensus.rounds.participant import UNTAKEN_KEPT, Participant
from consensus.rounds.pulls import LeftOut
from consensus.rounds.validation import Admitted
from protocol.messages import AnswerContent, Query
from protocol.params import NetworkParams
from protocol.signing import Keypair, VerifiedMessage, seal
from protocol.topics import topic
from protocol.types import Digest, FinishReason, Key
from tests.support.swarm import START_MS, Swarm, keypair, params

DEVNET = params("devnet")
FRIEND = keypair("b")


def stranger(number: int) -> Keypair:
    return Keypair(number.to_bytes(32, "big"))


def is_friend(key: Key) -> bool:
    return key == FRIEND.public


class Node:
    """A member `a` that knows `b`, in a network of the usual parameters; it is sent queries and works on them."""

    def __init__(self, total: int = 16, network: NetworkParams = DEVNET) -> None:
        self.participant = Participant(keypair("a"), network, admission=PlacesOnly(Shares(total), is_friend))
        self.now_ms = START_MS
        self.asked = 0
        self.finished: list[fx.RoundEnded] = []

    def ask(self, asker: Keypair, **changes: object) -> Digest | None:
        """Whether the node works on a query; its id, if it does."""
        self.asked += 1
        query: Query = replace(
            Swarm("abcd", self.participant.params).query(),
            author=asker.public,
            nonce=self.asked.to_bytes(32, "big"),
            sent_at_ms=self.now_ms,
            **changes,  # type: ignore[arg-type]
        )
        message = seal(asker, self.participant.params.digest, query)
        on = topic(self.participant.params, "rust", 0)
        admitted = self.participant.validator.admit_gossip(on, asker.public, message.envelope, self.now_ms)
        if not isinstance(admitted, Admitted):
            return None
        effects = self.participant.on_admitted(admitted, self.now_ms)
        self.finished += [each for each in effects if isinstance(each, fx.RoundEnded)]
        return message.id if any(isinstance(each, fx.Join) for each in effects) else None

    def commit(self, query: Digest) -> VerifiedMessage:
        """The engine has written an answer."""
        content = AnswerContent(
            text="```rust\nfn a() {}\n```", finish=FinishReason.STOP, prompt_tokens=1, answer_tokens=1
        )
        effects = self.participant.on_work_done(query, Generated(content, query), self.now_ms)
        (sent,) = [each.message for each in effects if isinstance(each, fx.Contribute)]
        return sent

    def wait(self, ms: int) -> None:
        """Let time pass."""
        end_ms = self.now_ms + ms
        while (wake_ms := self.participant.wake_at_ms) is not None and wake_ms <= end_ms:
            self.now_ms = max(self.now_ms, wake_ms)
            ticked = self.participant.tick(self.now_ms)
            self.finished += [each for each in ticked if isinstance(each, fx.RoundEnded)]
        self.now_ms = end_ms


def test_sixteen_queries_of_strangers_leave_half_of_the_places_to_the_known() -> None:
    """Four keys with four open rounds each used to hold all sixteen places for as long as their queries said."""
    node = Node()
    longest_ms = DEVNET.phase_ms_max
    taken = [node.ask(stranger(number // 4), answer_ms=longest_ms) for number in range(16)]
    assert sum(each is not None for each in taken) == 8
    assert node.ask(stranger(99)) is None
    assert all(node.ask(FRIEND) is not None for _ in range(DEVNET.open_rounds_per_key_max))


def test_no_stranger_takes_the_places_of_all_strangers() -> None:
    node = Node(total=8)
    assert [node.ask(stranger(1)) is not None for _ in range(4)] == [True, True, False, False]
    assert node.ask(stranger(2)) is not None


def test_the_known_may_have_every_place_and_no_more() -> None:
    node = Node(total=3)
    assert [node.ask(FRIEND) is not None for _ in range(4)] == [True, True, True, False]
    assert node.ask(stranger(1)) is None


def test_a_strangers_phase_ends_by_our_own_cap() -> None:
    """Whatever the query says: its requester acknowledges all and closes nothing, and loses the place in 68 s."""
    node = Node()
    held = node.ask(stranger(1), answer_ms=DEVNET.phase_ms_max)
    theirs = node.ask(FRIEND, answer_ms=DEVNET.phase_ms_max)
    assert held is not None and theirs is not None
    sent = node.commit(held)
    node.participant.on_work_done(held, Delivered(sent.id), node.now_ms)
    node.wait(60_000 + REPAIR_MS * PULLS_MAX)
    assert node.finished == []
    node.wait(REPAIR_MS)
    assert [(each.query, each.ending) for each in node.finished] == [(held, fx.Ending.LOST)]


def test_the_engine_works_for_a_stranger_within_our_cap() -> None:
    node = Node()
    query = replace(
        Swarm("abcd", DEVNET).query(),
        author=stranger(1).public,
        answer_ms=DEVNET.phase_ms_max,
    )
    message = seal(stranger(1), DEVNET.digest, query)
    admitted = node.participant.validator.admit_gossip(
        topic(DEVNET, "rust", 0), query.author, message.envelope, START_MS
    )
    assert isinstance(admitted, Admitted)
    effects = node.participant.on_admitted(admitted, START_MS)
    (work,) = [each for each in effects if isinstance(each, fx.Generate)]
    assert work.deadline_ms == START_MS + 60_000


@pytest.mark.parametrize("told", [None, False])
def test_a_round_whose_requester_takes_nothing_gives_its_place_to_others(told: bool | None) -> None:
    """Neither acknowledged nor, after the fall-back to gossip, named by a closing."""
    node = Node(total=4)
    held = [node.ask(stranger(number)) for number in (1, 2)]
    assert node.ask(stranger(3)) is None
    for query in held:
        assert query is not None
        sent = node.commit(query)
        if told is not None:
            node.participant.on_work_done(query, Delivered(sent.id, acknowledged=told), node.now_ms)
    node.wait(300 + UNTAKEN_MS - 1)
    assert node.ask(stranger(3)) is None
    node.wait(1)
    assert node.ask(stranger(3)) is not None
    assert node.finished == [], "a requester that cannot be reached may still close by gossip"


def test_an_acknowledgement_keeps_the_place() -> None:
    node = Node(total=2)
    held = node.ask(stranger(1))
    assert held is not None
    sent = node.commit(held)
    node.participant.on_work_done(held, Delivered(sent.id), node.now_ms)
    node.wait(UNTAKEN_MS + 1_000)
    assert node.ask(stranger(2)) is None


def test_a_private_query_whose_text_does_not_come_gives_its_place_to_others() -> None:
    node = Node(total=2)
    assert node.ask(stranger(1), turns=()) is not None
    node.wait(300 + UNTAKEN_MS)
    assert node.ask(stranger(2)) is not None


def test_rounds_without_a_place_are_bounded_and_the_oldest_is_left() -> None:
    node = Node(total=2)
    held = []
    for number in range(UNTAKEN_KEPT + 3):
        query = node.ask(stranger(number), answer_ms=DEVNET.phase_ms_max)
        assert query is not None
        node.commit(query)
        held.append(query)
        node.wait(300 + UNTAKEN_MS)
    assert [(each.query, each.ending) for each in node.finished] == [
        (query, fx.Ending.LEFT) for query in held[: len(node.finished)]
    ]
    assert len(node.finished) == 2


def test_our_own_query_is_never_refused() -> None:
    node = Node(total=1)
    assert node.ask(FRIEND) is not None
    begun = node.participant.ask(Swarm("abcd", DEVNET).query(), LeftOut(), START_MS)
    assert isinstance(begun, tuple)
    effects: list[fx.Effect] = []
    while (own := node.participant.take_local_message(START_MS)) is not None:
        effects += own
    assert any(isinstance(each, fx.Generate) for each in effects)


@pytest.mark.parametrize(("total", "strangers", "stranger_"), [(1, 1, 1), (2, 1, 1), (3, 1, 1), (8, 4, 2), (16, 8, 4)])
def test_shares(total: int, strangers: int, stranger_: int) -> None:
    shares = Shares(total)
    assert (shares.strangers, shares.stranger) == (strangers, stranger_)
    assert shares.is_free(stranger(1).public, (), is_friend)
    full = [WorkingPlace(Digest(bytes(32)), FRIEND.public)] * total
    assert not shares.is_free(FRIEND.public, full, is_friend)


def admitted(budget: QueryBudget, keys: list[Key], size_bytes: int, count: int, seconds: float) -> int:
    """How many of so many queries, evenly spread, are let in."""
    return sum(
        budget.admits(keys[number % len(keys)], size_bytes, round(number * seconds * 1000 / count))
        for number in range(count)
    )


def test_a_flood_from_one_key_is_bounded() -> None:
    budget = QueryBudget(is_friend)
    let_in = admitted(budget, [stranger(1).public], 0, count=500, seconds=10)
    assert let_in <= STRANGER_RATE.burst + 10 * STRANGER_RATE.per_s


def test_a_flood_from_many_keys_is_bounded_and_costs_the_known_nothing() -> None:
    budget = QueryBudget(is_friend)
    let_in = admitted(budget, [stranger(number).public for number in range(50)], 0, count=5_000, seconds=10)
    assert let_in <= STRANGERS_RATE.burst + 10 * STRANGERS_RATE.per_s
    assert all(budget.admits(FRIEND.public, 0, 10_000) for _ in range(int(KNOWN_RATE.burst)))
    assert not budget.admits(FRIEND.public, 0, 10_000)


def test_large_queries_cost_more() -> None:
    budget = QueryBudget(is_friend)
    let_in = admitted(budget, [stranger(number).public for number in range(50)], 42_000, count=500, seconds=10)
    assert let_in <= (STRANGERS_RATE.burst + 10 * STRANGERS_RATE.per_s) / (1 + 42_000 / SIZE_BYTES)


def test_keys_are_bounded() -> None:
    budget = QueryBudget(is_friend)
    for number in range(KEYS_MAX + 10):
        budget.admits(stranger(number).public, 0, number * 1_000)
    assert len(budget._each_stranger) == KEYS_MAX
