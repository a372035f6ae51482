"""What a node learns of its rounds, on a real store: it stays, and it counts when it should."""

import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import trio
from structlog.testing import capture_logs

from consensus.learning.experience import RENEWAL_ROUNDS, STANDINGS_MAX, Experience, QueryPriors, RoundUpdate
from consensus.learning.reputation import GOLD, VOTE_MIN, NodeStats, Score
from consensus.learning.roster import SeatWeights, Trust
from consensus.learning.waves import MODELS
from node.gold.grading import AnswerGrader
from node.rounds.learning.gold_book import GoldBook, GoldQuestion
from node.rounds.learning.reputation import WAITING_MAX, Reputation, open_reputation
from node.storage import Store, open_store
from protocol.conversation import single
from protocol.types import ONE, Key, TaskType
from tests.support.program_testers import ENDLESS, RIGHT, WRONG, TableProgramTester
from tests.support.swarm import answer_text
from tests.support.updates import Told, key, told

OWNER = b"o" * 32
CODE = TaskType.CODE
BOOK = GoldBook((GoldQuestion(single("Which?"), (answer_text("A"),), CODE),))
"""The one question that the tests' rounds ask."""

LEAST_VOTE = int(VOTE_MIN * ONE)
"""What a node that judges well and answers badly keeps."""

HALF = Trust(ONE // 2, {})
"""Strangers have half a vote."""

ANSWERS = {"a": "A", "b": "B", "c": "A", "d": "C", "e": "A"}


def opened(folder: Path) -> AbstractAsyncContextManager[Store]:
    return open_store(folder, public_key=OWNER, fresh_key=True, now_ms=0)


@asynccontextmanager
async def learning(
    folder: Path,
    book: GoldBook = BOOK,
    trust: Trust = HALF,
    specialty: str = "rust",
    grader: AnswerGrader | None = None,
) -> AsyncIterator[Reputation]:
    """One life of a node."""
    async with opened(folder) as store, trio.open_nursery() as nursery:
        reputation = await open_reputation(store, book, trust, specialty, grader)
        nursery.start_soon(reputation.run)
        yield reputation
        nursery.cancel_scope.cancel()


async def finish(reputation: Reputation, *rounds: Told) -> None:
    for each in rounds:
        reputation.finished(each.certificate)
        await reputation.settled()


def rounds(count: int) -> list[Told]:
    """Different ones of one kind."""
    return [told(ANSWERS, nonce=number.to_bytes(32, "big")) for number in range(count)]


async def test_a_round_of_ours_is_learned_from(tmp_path: Path) -> None:
    async with learning(tmp_path) as reputation:
        assert reputation.experience.rounds == 0
        await finish(reputation, told(ANSWERS))
        known = reputation.experience.standings
        assert {key(name): known[key(name)].answers for name in ANSWERS} == {
            key(name): Score(GOLD, 0.0) if letter == "A" else Score(0.0, GOLD) for name, letter in ANSWERS.items()
        }


async def test_answers_to_gold_with_tests_are_graded_by_them(tmp_path: Path) -> None:
    """A passes, C does not, and B does not end. Nobody wrote what the file holds as right."""
    tells = {answer_text("A"): RIGHT, answer_text("Z"): RIGHT, answer_text("B"): ENDLESS}
    grader = AnswerGrader(TableProgramTester(lambda text: tells.get(text, WRONG)))
    book = GoldBook((GoldQuestion(single("Which?"), (answer_text("Z"),), CODE, "mod tests {}"),))
    async with learning(tmp_path, book, grader=grader) as reputation:
        assert reputation.can_test
        await finish(reputation, told(ANSWERS))
        known = reputation.experience.standings
        assert {key(name): known[key(name)].answers for name in ANSWERS} == {
            key(name): Score(GOLD, 0.0) if letter == "A" else Score(0.0, GOLD) for name, letter in ANSWERS.items()
        }
    async with learning(tmp_path / "other", book) as reputation:
        assert not reputation.can_test
        await finish(reputation, told(ANSWERS))
        assert not any(each.has_gold for each in reputation.experience.standings.values())


async def test_a_round_that_is_not_gold_tests_nobody(tmp_path: Path) -> None:
    async with learning(tmp_path, GoldBook()) as reputation:
        await finish(reputation, told(ANSWERS))
        assert reputation.experience.standings.keys() == set(map(key, ANSWERS))
        assert not any(each.has_gold for each in reputation.experience.standings.values())
        assert reputation.experience.gold == ()


async def test_what_was_learned_stays(tmp_path: Path) -> None:
    """To the last bit: standings in their order, gold rounds, the number of rounds, and what is in force."""
    lives = rounds(RENEWAL_ROUNDS + 1)
    async with learning(tmp_path) as reputation:
        await finish(reputation, *lives)
        before = reputation.experience
    assert before.query_priors(CODE).merits, "weights were renewed"
    async with learning(tmp_path) as reputation:
        after = reputation.experience
        assert list(after.standings.items()) == list(before.standings.items())
        assert after.gold == before.gold
        assert len(after.gold) == RENEWAL_ROUNDS + 1
        assert after.rounds == before.rounds
        assert after.priors == before.priors
        assert after.renewed() == before.renewed()


async def test_weights_change_at_renewals_only_also_over_restarts(tmp_path: Path) -> None:
    first, *others, last, beyond = rounds(RENEWAL_ROUNDS + 1)
    stranger = SeatWeights(ONE // 2, ONE // 2)
    async with learning(tmp_path) as reputation:
        await finish(reputation, first)
        assert reputation.trust(CODE).seat_weights(key("a")) == stranger
    async with learning(tmp_path) as reputation:
        assert reputation.trust(CODE).seat_weights(key("a")) == stranger
        await finish(reputation, *others)
        assert reputation.trust(CODE).seat_weights(key("a")) == stranger
        assert reputation.query_priors(CODE) == QueryPriors({}, MODELS[CODE])
        await finish(reputation, last)
        seat_weights = reputation.trust(CODE).seat_weights(key("a"))
        assert seat_weights.vote >= ONE
        assert reputation.trust(CODE).weight(key("b")) == LEAST_VOTE
        assert reputation.query_priors(CODE).gold == RENEWAL_ROUNDS
        await finish(reputation, beyond)
        assert reputation.trust(CODE).seat_weights(key("a")) == seat_weights


async def test_named_weights_go_before_earned_ones(tmp_path: Path) -> None:
    async with learning(tmp_path, trust=Trust(0, {key("b"): 3 * ONE})) as reputation:
        await finish(reputation, *rounds(RENEWAL_ROUNDS))
        trust = reputation.trust(CODE)
        assert (trust.weight(key("b")), trust.weight(key("d")), trust.weight(key("z"))) == (3 * ONE, LEAST_VOTE, 0)
        assert trust.weight(key("a")) >= ONE


async def test_each_specialty_is_known_by_itself(tmp_path: Path) -> None:
    async with learning(tmp_path) as reputation:
        await finish(reputation, told(ANSWERS))
    async with learning(tmp_path, specialty="go") as reputation:
        assert not reputation.experience.standings
        await finish(reputation, told(dict.fromkeys("axyz", "B")))
        assert reputation.experience.standings.keys() == set(map(key, "axyz"))
    async with learning(tmp_path) as reputation:
        assert reputation.experience.standings.keys() == set(map(key, ANSWERS))


async def test_standings_of_others_count_at_once_and_stay(tmp_path: Path) -> None:
    good, bad = NodeStats(gold_rounds=9, answers=Score(18.0, 0.0)), NodeStats(gold_rounds=9, answers=Score(0.0, 18.0))
    async with learning(tmp_path) as reputation:
        await finish(reputation, told(ANSWERS))
        own = reputation.experience.standings[key("a")]
        assert await reputation.take_over([(key("a"), bad), (key("y"), good), (key("z"), bad)]) == [key("y"), key("z")]
        assert reputation.trust(CODE).weight(key("y")) > ONE
        assert reputation.trust(CODE).weight(key("z")) == 0
        assert reputation.experience.standings[key("a")] == own
        merits = reputation.query_priors(CODE).merits
    async with learning(tmp_path) as reputation:
        assert reputation.query_priors(CODE).merits == merits
        assert reputation.experience.standings[key("y")] == good
        assert await reputation.take_over([(key("y"), bad)]) == []


async def test_what_tells_nothing_new_renews_nothing(tmp_path: Path) -> None:
    """Weights that change off their time would tell which of the rounds before was gold."""
    async with learning(tmp_path) as reputation:
        await finish(reputation, told(ANSWERS))
        assert await reputation.take_over(list(reputation.experience.standings.items())) == []
        assert reputation.experience.priors == {}


async def test_hearsay_is_forgotten_first_also_after_a_restart(tmp_path: Path) -> None:
    """Whoever hands us a long file must not push out what we saw ourselves."""
    imported = [(Key(number.to_bytes(32, "big")), NodeStats(rounds=1)) for number in range(STANDINGS_MAX)]
    async with learning(tmp_path) as reputation:
        await finish(reputation, told(ANSWERS))
        assert len(await reputation.take_over(imported)) == STANDINGS_MAX - len(ANSWERS)
    async with learning(tmp_path) as reputation:
        await finish(reputation, told(dict.fromkeys("axyz", "A")))
        known = reputation.experience.standings
        assert len(known) == STANDINGS_MAX
        assert set(map(key, [*ANSWERS, *"xyz"])) <= known.keys()


async def test_who_was_heard_of_and_is_met_is_known_by_what_we_saw(tmp_path: Path) -> None:
    async with learning(tmp_path) as reputation:
        await reputation.take_over([(key("a"), NodeStats(gold_rounds=9, answers=Score(0.0, 18.0)))])
        await finish(reputation, told(ANSWERS))
        seen = reputation.experience.standings[key("a")]
        assert (seen.gold_rounds, seen.answers.good) == (10, GOLD)
    async with learning(tmp_path) as reputation:
        assert reputation.experience.standings[key("a")] == seen
        assert len(reputation.experience.standings) == len(ANSWERS)


async def test_rounds_wait_in_bounds(tmp_path: Path) -> None:
    """What comes beyond them is told and not learned from; nobody waits for it either."""
    async with opened(tmp_path) as store:
        reputation = await open_reputation(store, BOOK, Trust(0, {}), "rust")
        with capture_logs() as logs:
            for each in rounds(WAITING_MAX + 1):
                reputation.finished(each.certificate)
        assert [log["event"] for log in logs] == ["learning.skipped"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reputation.run)
            await reputation.settled()
            nursery.cancel_scope.cancel()
        assert reputation.experience.rounds == WAITING_MAX


async def test_nothing_to_settle_is_settled(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await (await open_reputation(store, BOOK, Trust(0, {}), "rust")).settled()


class InTheLoop(Experience):
    """Refuses to change anywhere else: the HTTP interface and rosters read it there."""

    thread = 0

    def learn(self, update: RoundUpdate) -> None:
        assert threading.get_ident() == self.thread
        super().learn(update)

    def renew(self, priors: Mapping[TaskType, QueryPriors]) -> None:
        assert threading.get_ident() == self.thread
        super().renew(priors)


async def test_what_is_known_changes_where_it_is_read(tmp_path: Path) -> None:
    experience = InTheLoop()
    experience.thread = threading.get_ident()
    async with opened(tmp_path) as store, trio.open_nursery() as nursery:
        reputation = Reputation(experience, BOOK, Trust(0, {}), store, "rust")
        nursery.start_soon(reputation.run)
        await finish(reputation, *rounds(RENEWAL_ROUNDS))
        assert experience.rounds == RENEWAL_ROUNDS
        assert experience.priors
        nursery.cancel_scope.cancel()
