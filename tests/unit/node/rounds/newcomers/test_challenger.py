"""Whom a node challenges, how often, and what it makes of the replies."""

from random import Random
from statistics import quantiles

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from consensus.learning.challenge_weight import CAP, ChallengeRecord
from consensus.learning.experience import QueryPriors
from consensus.learning.roster import SeatWeights, Trust
from consensus.learning.waves import MODELS
from node.clock import Clock
from node.config import ChallengeTable
from node.gold.challenges import ChallengeItem
from node.gold.newcomer import GOOD_JUDGEMENTS, ITEMS_MAX
from node.rounds.newcomers.challenger import PAUSE_MS, REFUSALS_MAX, RETRY_MS
from protocol import codec
from protocol.streams import ChallengeReply
from protocol.types import ONE, Key, Role, TaskType
from tests.support.newcomers import Engine, World, able, guessing, offer, perfect, reply, world
from tests.support.updates import key

NEWCOMER = key("0")


async def examine(at: World, hours: int = 1) -> int:
    """Challenge until nobody is left, hour after hour. Returns the number of items."""
    items = 0
    for hour in range(hours):
        if hour:
            await trio.sleep(3_600)
        while await at.challenger.challenge():
            items += 1
            assert items <= 2 * ITEMS_MAX
    return items


def record(at: World, node: Key = NEWCOMER) -> ChallengeRecord:
    return at.reputation.challenges.records[node]


async def test_a_newcomer_that_passes_has_weight_and_stays_a_stranger() -> None:
    at = world([perfect], 1)
    assert await examine(at) <= 12
    trust = at.reputation.trust(TaskType.CODE)
    assert 0 < trust.weight(NEWCOMER) <= CAP and not trust.knows(NEWCOMER)
    assert record(at).earned_at == 0 and not record(at).is_open


GOOD = 0.7
"""Share of tasks that a good engine solves. Measured nodes solve .62 of such tasks (`FindingStrengths.agreement`)."""


async def test_a_good_engine_earns_weight_within_forty_items(capsys: pytest.CaptureFixture[str]) -> None:
    used: list[int] = []
    for seed in range(20):
        engines = [able(Random(f"{seed}/{number}"), GOOD, GOOD_JUDGEMENTS) for number in range(16)]
        at = world(engines, seed)
        with capture_logs():
            await examine(at)
        trust = at.reputation.trust(TaskType.CODE)
        used += [each.items for node, each in at.reputation.challenges.records.items() if trust.weight(node)]
    share = len(used) / 320
    with capsys.disabled():
        print(f"\n{share:.3f} of 320 good engines earn weight, after {quantiles(used, n=20)} items")
    assert share >= 0.95 and max(used) <= ITEMS_MAX


@pytest.mark.parametrize("answers", [0.0, 0.1])
async def test_a_random_engine_earns_nothing_in_a_thousand_attempts(answers: float) -> None:
    """It judges by a coin; its answers solve nothing, or a task in ten by luck."""
    attempts = 0
    for seed in range(63):
        at = world([guessing(Random(f"{seed}/{number}"), answers) for number in range(16)], seed)
        with capture_logs():
            await examine(at)
        attempts += len(at.reputation.challenges.records)
        assert not any(each.earned_at is not None for each in at.reputation.challenges.records.values())
        assert not at.reputation.trust(TaskType.CODE).challenged
    assert attempts >= 1_000


def _choosy(seed: str) -> Engine:
    """Solve a task in ten, test the own answers, and refuse instead of failing; judge by a coin."""
    inner = guessing(Random(seed), 0.1)

    def engine(item: ChallengeItem) -> ChallengeReply:
        given = inner(item)
        return reply(refusal="busy") if given.text == "wrong" else given

    return engine


async def test_a_weak_engine_gains_nothing_by_refusing_what_it_would_fail(autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    for seed in range(25):
        at = world([_choosy(f"{seed}/{number}") for number in range(16)], seed)
        with capture_logs():
            await examine(at, hours=40)
        assert not any(each.earned_at is not None for each in at.reputation.challenges.records.values())


async def test_all_of_a_batch_get_the_same_item_and_it_holds_no_truth() -> None:
    at = world([perfect] * 5, 2, table=ChallengeTable(newcomers=4))
    assert await at.challenger.challenge() == 4
    challenges = {challenge for _, challenge in at.peers.asked}
    assert len(at.peers.asked) == 4 and len(challenges) == 1
    assert "right" not in str(challenges)


async def test_quotas_of_a_newcomer_and_of_all() -> None:
    at = world([perfect] * 3, 3, table=ChallengeTable(newcomers=2, items_per_hour=1, items_per_day=100))
    assert [await at.challenger.challenge() for _ in range(3)] == [2, 1, 0]
    at = world([perfect] * 3, 3, table=ChallengeTable(newcomers=2, items_per_hour=5, items_per_day=3))
    assert [await at.challenger.challenge() for _ in range(3)] == [2, 1, 0]


async def test_what_has_begun_goes_before_fresh_keys() -> None:
    at = world([perfect] * 3, 3, table=ChallengeTable(newcomers=1, items_per_hour=50))
    for _ in range(5):
        await at.challenger.challenge()
    assert len({node for node, _ in at.peers.asked}) == 1


async def test_known_nodes_are_not_challenged() -> None:
    at = world([perfect], 4, trust=Trust(0, {NEWCOMER: ONE}))
    assert await at.challenger.challenge() == 0
    at = world([perfect], 4, trust=Trust(ONE, {}, friends=True))
    assert await at.challenger.challenge() == 0


async def test_hostile_replies_cost_only_their_sender() -> None:
    """Too long, garbage, another kind of record, silence, a preference out of range: all are failures."""
    at = world([perfect] * 6, 5)
    at.peers.raw = {
        key("0"): codec.encode(reply("x" * 65_536)) + bytes(2_000),
        key("1"): b"\xc1",
        key("2"): b"",
        key("3"): None,
        key("4"): codec.encode(reply(preference=1)).replace(b"preference", b"qreference"),
    }
    await examine(at)
    known = at.reputation.challenges.records
    assert {node for node, each in known.items() if each.earned_at is None} == set(map(key, "01234"))
    assert all(known[key(name)].void == 0 and known[key(name)].items < 10 for name in "01234")


async def test_refusals_are_void_and_end(autojump_clock: MockClock) -> None:  # noqa: ARG001 - it makes time pass
    """One that refuses is not asked again at once."""
    at = world([lambda _: reply(refusal="busy")], 6)
    assert await examine(at) == 1
    await examine(at, hours=20)
    assert record(at).void == REFUSALS_MAX and record(at).earned_at is None
    assert not record(at).is_open


async def test_who_refuses_is_paused_and_neither_failed_nor_kept_for_a_week(autojump_clock: MockClock) -> None:  # noqa: ARG001
    engines: list[Engine] = [lambda _: reply(refusal="too_fast")]
    at = world([lambda item: engines[0](item)], 6)
    await examine(at, hours=20)
    paused = record(at)
    assert (paused.answers_failed, paused.judgements_wrong, paused.evidence) == (0, 0, 0)
    assert await at.challenger.challenge() == 0
    engines[0] = perfect
    await trio.sleep(PAUSE_MS / 1000)
    await examine(at)
    assert record(at).earned_at is not None and record(at).void == 0


async def test_a_lone_judge_does_not_wait_for_the_others() -> None:
    """The other three always want an answer."""
    at = world([perfect] * 4, 8, table=ChallengeTable(newcomers=4, items_per_hour=120, items_per_day=100))
    offers = [offer(key(str(number)), Role.ANSWER) for number in range(3)] + [offer(key("3"), Role.JUDGE)]
    at.challenger._offering = lambda: offers  # type: ignore[method-assign]
    for _ in range(4):
        await at.challenger.challenge()
    assert sum(node == key("3") for node, _ in at.peers.asked) >= 1


async def test_a_record_that_is_over_is_repeated_after_a_week_and_not_while_it_has_weight() -> None:
    clock = Clock()
    at = world([guessing(Random(1))], 7, clock=clock)
    await examine(at)
    before = record(at)
    assert not before.is_open and await at.challenger.challenge() == 0
    clock._offset_ms += RETRY_MS
    assert await at.challenger.challenge() == 1
    assert record(at).items == 1
    passing = world([perfect], 7, clock=clock)
    await examine(passing)
    clock._offset_ms += RETRY_MS
    assert await passing.challenger.challenge() == 0, "it has weight"
    passing.reputation.experience.rounds = 1_000
    assert await passing.challenger.challenge() == 1


async def test_gold_goes_before_challenges() -> None:
    at = world([perfect], 8)
    await examine(at)
    merits = {NEWCOMER: SeatWeights(3, 4)}
    at.reputation.experience.renew({TaskType.CODE: QueryPriors(merits, MODELS[TaskType.CODE])})
    assert at.reputation.trust(TaskType.CODE).seat_weights(NEWCOMER) == SeatWeights(3, 4)
