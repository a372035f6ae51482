"""One record for all who hold what a closing names: the same that each of them would compute alone."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.certificates.closings import Missing, extend
from consensus.certificates.record import Phase, RoundRecord, open_record
from protocol.errors import Fault
from protocol.recall import forgetting
from protocol.signing import VerifiedMessage
from protocol.types import ONE
from tests.support.hand import Hand

Chain = list[tuple[VerifiedMessage, list[VerifiedMessage]]]
"""Each closing and what it names."""


def a_round(rng: random.Random) -> tuple[Hand, Chain]:
    """Five nodes, one of them convicted, two waves; some contributions ride along, the others must be at hand."""
    hand = Hand("abcde", waves=(1, 2))
    chain: Chain = []

    def close(closing: VerifiedMessage, named: list[VerifiedMessage]) -> None:
        assert isinstance(hand.extend(closing, *named), RoundRecord)
        chain.append((closing, named))

    def riding(named: list[VerifiedMessage]) -> tuple[bytes, ...]:
        return tuple(message.envelope for message in rng.sample(named, rng.randint(0, len(named))))

    evidence = hand.evidence("b", *hand.equivocation("e"))
    close(hand.close_commits("abcde"), [])
    answers = [hand.answer(name) for name in "abcd"]
    named = [*answers, evidence]
    close(hand.close_slate(answers, evidence=(evidence.id,), ride_along=riding(named)), named)
    for close_ballots in (hand.close_wave, hand.close_tally):
        judges = [name for name in "abcde" if hand.key(name) in hand.record.assignment]
        ballots = [hand.ballot(name, rng.randint(0, ONE)) for name in judges]
        close(close_ballots(ballots, ride_along=riding(ballots)), ballots)
    assert hand.record.phase is Phase.COSIGNING
    return hand, chain


def replay(hand: Hand, chain: Chain, rng: random.Random) -> list[RoundRecord | Missing | Fault]:
    """One who follows the chain, with a pool of its own: another order, strays, what later closings name."""
    opened = open_record(hand.params, hand.query)
    assert isinstance(opened, RoundRecord)
    records: list[RoundRecord | Missing | Fault] = [opened]
    for at, (closing, _) in enumerate(chain):
        held = [message for _, named in chain[: rng.randint(at + 1, len(chain))] for message in named]
        held += [Hand("abcde", nonce=b"o" * 32).commit("b"), hand.cosign("c")]
        record = records[-1]
        assert isinstance(record, RoundRecord)
        records.append(extend(record, closing, {each.id: each for each in rng.sample(held, len(held))}))
    return records


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_sharing_changes_no_record(rng: random.Random) -> None:
    hand, chain = a_round(rng)
    one, other = (replay(hand, chain, rng) for _ in range(2))
    with forgetting():
        alone = replay(hand, chain, rng)
    assert one == other == alone
    assert all(mine is theirs for mine, theirs in zip(one, other, strict=True))
    assert not any(mine is theirs for mine, theirs in zip(one, alone, strict=True))
    assert one[-1] is hand.record


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_who_lacks_something_misses_it_whatever_others_know(rng: random.Random) -> None:
    hand, chain = a_round(rng)
    records = replay(hand, chain, rng)
    for before, (closing, named) in zip(records, chain, strict=False):
        assert isinstance(before, RoundRecord)
        riding: tuple[bytes, ...] = getattr(closing.body, "ride_along", ())
        apart = [message for message in named if message.envelope not in riding]
        for lost in apart:
            missing = extend(before, closing, {message.id: message for message in named if message is not lost})
            assert missing == Missing((lost.id,))


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_record_that_differs_at_the_same_head_is_not_taken_for_the_shared_one(rng: random.Random) -> None:
    """`extend` is a function of the record that it is given, also of one that no chain leads to."""
    hand, chain = a_round(rng)
    records = replay(hand, chain, rng)
    for before, after, (closing, named) in zip(records, records[1:], chain, strict=False):
        assert isinstance(before, RoundRecord)
        pool = {message.id: message for message in named}
        assert isinstance(extend(replace(before, removed=frozenset(hand.record.seats)), closing, pool), Fault)
        assert extend(before, closing, pool) is after
