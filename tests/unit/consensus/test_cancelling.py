"""R16: a requester ends its round before the tally; nothing stands beside that, and the place stays taken."""

from collections.abc import Callable

import pytest

from consensus.certificates.evidence import contradicts, examine
from consensus.certificates.record import Phase, RoundRecord, check_contribution
from consensus.rounds import effects as fx
from consensus.rounds import requester
from consensus.rounds.events import Received
from consensus.rounds.validation import Admitted
from protocol.errors import Fault, FaultReason
from protocol.signing import VerifiedMessage, seal
from protocol.topics import topic
from protocol.types import Digest, Kind
from tests.support.hand import Hand
from tests.support.machines import NOW, AtMember, AtRequester, contributed
from tests.support.swarm import START_MS, Swarm, params

BUDGET_MS = 2_000 + 1_000 + 2_000 + 1_000
"""All phases of the swarm's query."""


def at_commits() -> Hand:
    return Hand()


def at_slate() -> Hand:
    return Hand().to_opening()


def at_tally() -> Hand:
    return Hand().to_judging()


def next_closing(hand: Hand) -> VerifiedMessage:
    match hand.record.phase:
        case Phase.ANSWERING:
            return hand.close_commits("abcd")
        case Phase.OPENING:
            return hand.close_slate([hand.answer(name) for name in "abcd"])
        case _:
            return hand.close_tally([hand.ballot(name) for name in "abcd"])


anywhere = pytest.mark.parametrize("begin", [at_commits, at_slate, at_tally])


# -- what stands -------------------------------------------------------------------------------------------------------


@anywhere
def test_it_takes_the_place_of_any_closing_and_nothing_follows(begin: Callable[[], Hand]) -> None:
    hand = begin()
    after = next_closing(hand)
    assert isinstance(hand.extend(hand.cancel()), RoundRecord)
    assert hand.record.phase is Phase.CANCELLED and not hand.record.expected()
    found = hand.extend(after)
    assert isinstance(found, Fault) and found.reason is FaultReason.WRONG_CHAIN
    for contribution in (hand.commit("b"), hand.answer("b"), hand.cosign("b")):
        fault = check_contribution(hand.record, contribution)
        assert fault is not None and fault.reason is FaultReason.WRONG_PHASE


def test_a_tally_is_final() -> None:
    hand = Hand().to_cosigning()
    found = hand.extend(hand.cancel())
    assert isinstance(found, Fault) and (found.reason, found.rule) == (FaultReason.WRONG_PHASE, "R16")


def test_only_the_requester_cancels_and_only_at_the_head() -> None:
    hand = Hand().to_opening()
    stranger = seal(hand.pair("b"), hand.params.digest, hand.cancel().body.__class__(
        author=hand.key("b"), query=hand.record.id, prev=hand.record.head
    ))  # fmt: skip
    for closing, reason in (
        (stranger, FaultReason.WRONG_AUTHOR),
        (hand.cancel(prev=hand.record.id), FaultReason.WRONG_CHAIN),
    ):
        found = hand.extend(closing)
        assert isinstance(found, Fault) and found.reason is reason


# -- what contradicts it -----------------------------------------------------------------------------------------------


@anywhere
def test_a_closing_in_its_place_is_evidence(begin: Callable[[], Hand]) -> None:
    hand = begin()
    for one, other in ((hand.cancel(), next_closing(hand)), (next_closing(hand), hand.cancel())):
        assert contradicts(one, other)
        slot = examine(hand.evidence("b", one, other), hand.params.digest)
        assert not isinstance(slot, Fault)
        assert (slot.kind, slot.author, slot.query) == (Kind.CANCEL, hand.key("a"), hand.record.id)


def test_a_tally_contradicts_every_cancel_of_its_round() -> None:
    hand = at_tally()
    tally = next_closing(hand)
    for cancel in (hand.cancel(prev=hand.record.id), hand.cancel(prev=Digest(b"x" * 32))):
        assert contradicts(cancel, tally)
    assert contradicts(hand.cancel(), hand.cancel(prev=hand.record.id)), "nor are there two of them"


def test_what_does_not_contradict_it() -> None:
    hand = Hand()
    commits = hand.close_commits("abcd")
    assert isinstance(hand.extend(commits), RoundRecord)
    cancel = hand.cancel()
    elsewhere = Hand(nonce=b"m" * 32).to_judging()
    for other in (commits, cancel, hand.query, hand.answer("a"), next_closing(elsewhere)):
        assert not contradicts(cancel, other) and not contradicts(other, cancel)
        if other.kind is not Kind.QUERY and other is not cancel:
            assert isinstance(examine(hand.evidence("b", cancel, other), hand.params.digest), Fault)


@pytest.mark.parametrize("cancel_first", [True, False])
def test_whoever_hears_both_tells_everybody(cancel_first: bool) -> None:
    """Also a member that has stopped: its round keeps its place, so it still listens."""
    swarm = Swarm("abcd")
    query = swarm.ask()
    swarm.run(130)
    hearer, hand = swarm.nodes["b"].participant, Hand().to_opening()
    record = hearer.record(query)
    assert record is not None and record.phase is Phase.OPENING
    said = [hand.cancel(prev=record.head), hand.close_slate([hand.answer(name) for name in "abcd"], prev=record.head)]
    effects: list[fx.Effect] = []
    for message in said if cancel_first else said[::-1]:
        admitted = hearer.validator.admit_gossip(topic(swarm.params, "rust", 0), message.author, message.envelope, NOW)
        assert isinstance(admitted, Admitted)
        effects += hearer.on_admitted(admitted, swarm.now_ms)
    evidence = [effect.message for effect in effects if isinstance(effect, fx.Publish)]
    assert [message.kind for message in evidence] == [Kind.EVIDENCE]
    endings = [effect.ending for effect in effects if isinstance(effect, fx.RoundEnded)]
    assert endings == [fx.Ending.CANCELLED if cancel_first else fx.Ending.VOID]


# -- at the requester --------------------------------------------------------------------------------------------------


def test_a_requester_journals_its_cancel_and_gives_no_answer() -> None:
    at = AtRequester(Hand())
    cancelled = requester.cancel(at.state)
    assert cancelled is not None and cancelled.state.over
    journal, publish, ended = cancelled.effects
    assert isinstance(journal, fx.Journal) and journal.message.kind is Kind.CANCEL
    assert isinstance(publish, fx.Publish) and publish.message is journal.message
    assert ended == fx.RoundEnded(at.state.record.id, "requester", fx.Ending.CANCELLED)
    assert requester.cancel(cancelled.state) is None, "once"


def test_after_the_tally_there_is_nothing_to_cancel() -> None:
    swarm = Swarm("abcd")
    tried: list[bool] = []
    swarm.interceptors["a"] = lambda _swarm, _node, effect: (
        swarm.at(0, lambda: tried.append(swarm.cancel(query))) if isinstance(effect, fx.Decide) else None
    )
    query = swarm.ask()
    swarm.run()
    assert tried == [False] and swarm.verified().full
    assert not swarm.cancel(query) and not swarm.cancel(Digest(bytes(32)))


# -- at a member -------------------------------------------------------------------------------------------------------


def test_a_member_stops_and_gives_nothing_more() -> None:
    at = AtMember(Hand())
    assert at.close(at.hand.cancel()) == (fx.RoundEnded(at.hand.record.id, "member", fx.Ending.CANCELLED),)
    assert not at.generated(), "what its engine wrote all the same is of no use"


def test_a_cancel_that_comes_early_waits_for_the_chain() -> None:
    """Else a requester could stop members by a cancel that stands in no chain, and let them seem silent."""
    hand = Hand()
    at = AtMember(hand)
    commits = hand.close_commits("abcd")
    assert isinstance(hand.extend(commits), RoundRecord)
    (pull,) = at.step(Received(hand.cancel()))
    assert isinstance(pull, fx.Pull) and not at.state.over
    effects = at.step(Received(commits))
    assert [effect.ending for effect in effects if isinstance(effect, fx.RoundEnded)] == [fx.Ending.CANCELLED]
    assert not [effect for effect in effects if isinstance(effect, fx.Generate | fx.Judge)]


@anywhere
def test_a_member_that_hears_both_voids_the_round(begin: Callable[[], Hand]) -> None:
    hand = begin()
    at = AtMember(hand)
    cancel, closing = hand.cancel(), next_closing(hand)
    at.step(Received(closing))
    effects = at.step(Received(cancel))
    assert at.state.over and not contributed(effects)


def test_what_voids_it_is_a_breach_of_this_rule_in_either_order() -> None:
    hand = Hand().to_opening()
    two = [hand.cancel(), hand.close_slate([hand.answer(name) for name in "abcd"])]
    for first, second in (two, two[::-1]):
        # The first waits for a chain that this member lacks.
        at = AtMember(Hand())
        at.step(Received(first))
        (ended,) = at.step(Received(second))
        assert isinstance(ended, fx.RoundEnded)
        assert ended.fault == Fault(FaultReason.EQUIVOCATION, "R16", "CANCEL")


# -- the place ---------------------------------------------------------------------------------------------------------


def test_a_cancelled_round_keeps_its_place_until_its_budgets_are_over() -> None:
    swarm = Swarm("abcd")
    query = swarm.ask()
    swarm.run(50)
    assert swarm.cancel(query)
    swarm.run(BUDGET_MS - 1)
    ended = {node.name: [effect.ending for effect in node.finished] for node in swarm.nodes.values()}
    cancelled = [fx.Ending.CANCELLED]
    assert ended == {"a": cancelled * 2, "b": cancelled, "c": cancelled, "d": cancelled}
    for node in swarm.nodes.values():
        assert node.participant._rounds[query].has_working_place
        assert not node.participant.validator._rounds[query].over
    swarm.run()
    assert sum("frees the place" in line for line in swarm.trace) == 4
    assert all(node.participant.validator._rounds[query].over for node in swarm.nodes.values())
    assert swarm.certificate is None and swarm.decision is None


def test_cancelling_draws_no_beacon_sooner_than_waiting() -> None:
    """Whoever cancels as soon as it has the salts gets as many rounds in that time as it may have open, and no more."""
    swarm, most = Swarm("abcd"), params().open_rounds_per_key_max
    for number in range(3 * most):
        query = swarm.ask(nonce=number.to_bytes(32, "big"), sent_at_ms=swarm.now_ms)
        swarm.at(200, lambda: None)
        swarm.run(swarm.now_ms - START_MS + 200)
        if number < most:
            assert swarm.cancel(query)
    assert swarm.now_ms < START_MS + BUDGET_MS
    assert len(swarm.nodes["b"].joined) == most
    swarm.run(swarm.now_ms - START_MS + BUDGET_MS)
    swarm.ask(nonce=b"z" * 32, sent_at_ms=swarm.now_ms)
    swarm.run(swarm.now_ms - START_MS + 200)
    assert len(swarm.nodes["b"].joined) == most + 1, "then it may ask again"


# -- restarts ----------------------------------------------------------------------------------------------------------


def test_a_member_that_restarts_finds_the_round_cancelled_and_its_place_taken() -> None:
    swarm = Swarm("abcd")
    query = swarm.ask()
    swarm.run(50)
    swarm.kill("b")
    swarm.cancel(query)
    swarm.run(100)
    swarm.restart("b")
    swarm.run(200)
    again = swarm.nodes["b"].participant
    assert swarm.nodes["b"].finished[-1].ending is fx.Ending.CANCELLED
    assert again._rounds[query].has_working_place
    assert not [message for message in swarm.heard["a"] if message.author == again.keypair.public]


def test_a_member_that_never_hears_of_it_pulls_the_chain() -> None:
    swarm = Swarm("abcd")
    swarm.deaf["b"] = lambda message: message.kind is Kind.CANCEL
    query = swarm.ask()
    swarm.run(10)
    assert swarm.cancel(query)
    swarm.run()
    assert [effect.ending for effect in swarm.nodes["b"].finished] == [fx.Ending.CANCELLED]
