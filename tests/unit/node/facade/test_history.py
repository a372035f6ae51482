"""The history of asked rounds: what is written of a real round, in virtual time, and what a later life reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from consensus.certificates.steps import StepState
from consensus.certificates.versions import read_any_version
from node.api.common import CursorError
from node.api.conversation import Audience, Turn
from node.api.events import Asked, BaseEvent, Decided, Ended, Progress, TextSent
from node.api.rounds import HEAD_CHARS_MAX, INTERRUPTED, RoundDetail
from node.clock import Clock
from node.facade.history import HistoryFacade
from node.rounds.following.history import KINDS, RoundHistory
from node.rounds.following.hub import REQUESTER, RoundEvents
from node.storage import CertificateSummary, RoundFilter, Store, TableLimit
from protocol.errors import Fault
from protocol.types import Key, Outcome, OutcomeReason, TaskType, TurnRole
from tests.support.observed import ObservedSwarm
from tests.support.stores import opened, query
from tests.unit.node.rounds.following.test_observer import heard

OWN = Key(b"a" * 32)
OTHER = "bb" * 32
THIRD = "cc" * 32

CERTIFICATES = sorted((Path(__file__).parents[3] / "fixtures" / "certificates").glob("*/full.certificate"))
"""One of each version of wire and aggregator that was ever used."""


@dataclass
class At:
    """A history that is being written."""

    hub: RoundEvents
    store: Store
    history: RoundHistory

    async def tell(self, number: int, event: BaseEvent) -> None:
        """Publish an event of a round, and wait until the history has taken it."""
        self.publish(number, event)
        await self.settle()

    def publish(self, number: int, event: BaseEvent) -> None:
        """Publish an event of a round."""
        stamped = msgspec.structs.replace(event, query_id=query(number).hex())
        self.hub.publish(query(number), "requester", type(event), lambda _: stamped)

    async def settle(self) -> None:
        """Wait until the history has taken all that was published."""
        await trio.testing.wait_all_tasks_blocked()
        # A task that waits for a thread counts as blocked, too.
        threads = trio.to_thread.current_default_thread_limiter()
        while self.store._lane.borrowed_tokens or threads.borrowed_tokens:
            await trio.to_thread.run_sync(int)
            async with self.store._lane:
                pass
            await trio.testing.wait_all_tasks_blocked()

    async def texts(self, **wanted: Any) -> list[str]:
        rounds, _ = await self.history.find(RoundFilter(**wanted), None, 100)
        return [each.text for each in rounds]

    async def round(self, number: int) -> RoundDetail:
        detail = await self.history.detail(query(number))
        assert detail is not None
        return detail


@asynccontextmanager
async def writing(folder: Path, hub: RoundEvents | None = None, **limits: TableLimit) -> AsyncIterator[At]:
    hub = hub or RoundEvents()
    async with opened(folder, **limits) as store, trio.open_nursery() as nursery:
        history = RoundHistory(OWN, hub, store, Clock())
        await nursery.start(history.run)
        yield At(hub, store, history)
        nursery.cancel_scope.cancel()


def asked(text: str = "Which?", at_ms: int = 5, audience: Audience = Audience.MEMBERS, **more: Any) -> Asked:
    members = (OWN.hex(), OTHER, THIRD)
    turns = (Turn(TurnRole.USER, text),)
    return Asked(members=members, task=TaskType.CODE, asked_ms=at_ms, turns=turns, audience=audience, **more)


def progress(phase: str, *received: str, at_ms: int = 0) -> Progress:
    return Progress(
        phase=phase,
        wave=0,
        received=received,
        expected=(OTHER, THIRD),
        silent=(),
        refused={THIRD: "busy"},
        declined={},
        at_ms=at_ms,
    )


DECIDED = Decided(
    outcome=Outcome.DECIDED,
    reason=OutcomeReason.NONE,
    winner="ab" * 32,
    p_best=0.9,
    p_correct=None,
    answer="That one.",
    author=OTHER,
    at_ms=40,
)


def ended(ending: str = "finished") -> Ended:
    return Ended(role="requester", ending=ending, outcome=Outcome.DECIDED, fault=None, at_ms=50)


async def test_a_round_is_there_while_it_is_open_and_when_it_is_over(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        await at.tell(1, asked())
        (found,), place = await at.history.find(RoundFilter(), None, 10)
        assert (found.text, found.ending, found.outcome, place) == ("Which?", None, None, None)
        await at.tell(1, progress("answering", OTHER, at_ms=0))
        await at.tell(1, progress("judging", OTHER, at_ms=20))
        await at.tell(1, DECIDED)
        assert (await at.round(1)).answer == "That one."
        await at.tell(1, ended())
        detail = await at.round(1)
        ((found,), _) = await at.history.find(RoundFilter(), None, 10)
    assert detail.round == found
    assert (found.ending, found.outcome, found.author, found.p_best) == ("finished", "decided", OTHER, 0.9)
    assert detail.timings_ms == {"answering": 20, "judging": 30, "to_answer": 40, "total": 50}
    assert detail.refused == {THIRD: "busy"}
    assert detail.received == tuple(sorted((OWN.hex(), OTHER))), "the own node, and who contributed"


async def test_who_fetched_the_text_is_noted_also_after_the_end(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        await at.tell(1, asked())
        await at.tell(1, TextSent(member=OTHER))
        await at.tell(1, ended())
        assert (await at.round(1)).received == tuple(sorted((OWN.hex(), OTHER)))
        await at.tell(1, TextSent(member=THIRD))
        assert (await at.round(1)).received == tuple(sorted((OWN.hex(), OTHER, THIRD)))
        await at.tell(2, asked(audience=Audience.PUBLIC))
        await at.tell(2, ended())
        assert (await at.round(2)).received is None, "everybody may have it"
        await at.tell(3, TextSent(member=THIRD))
        assert await at.history.detail(query(3)) is None, "a round of which nobody knows"


async def test_a_round_during_which_the_node_stopped_is_interrupted(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        await at.tell(1, asked("first"))
        await at.tell(1, ended("left"))
        await at.tell(2, asked("second"))
    async with writing(tmp_path) as at:
        one, two = await at.round(1), await at.round(2)
        assert (one.round.ending, two.round.ending) == ("left", INTERRUPTED)
        assert "took nothing any more" in one.round.why_not and "the node stopped" in two.round.why_not
        assert two.round.ended_ms is None


async def test_a_cancelled_round_says_so(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        await at.tell(1, asked())
        await at.tell(1, Ended(role="requester", ending="cancelled", outcome=None, fault=None, at_ms=9))
        found = (await at.round(1)).round
    why = "the round was cancelled by who asked, or because the node was stopped"
    assert (found.ending, found.outcome, found.why_not) == ("cancelled", None, why)


async def test_the_last_page_leads_to_none(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        for number in range(1, 5):
            await at.tell(number, asked(str(number), number))
        first, place = await at.history.find(RoundFilter(), None, 2)
        second, end = await at.history.find(RoundFilter(), place, 2)
    assert [each.text for each in (*first, *second)] == ["4", "3", "2", "1"]
    assert place is not None and end is None


async def test_gold_is_shown_to_those_who_want_it(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        await at.tell(1, asked("a user's", 1))
        await at.tell(2, asked("gold", 2, gold=True))
        assert await at.texts() == ["a user's"]
        assert await at.texts(gold=True) == ["gold", "a user's"]


async def test_a_search_looks_into_questions_and_answers_whatever_the_case(tmp_path: Path) -> None:
    """`%` and `_` are letters as any other."""
    async with writing(tmp_path) as at:
        await at.tell(1, asked("Straße 100%", 1))
        await at.tell(1, DECIDED)
        await at.tell(1, ended())
        await at.tell(2, asked("a_b", 2))
        for wanted, numbers in (("STRASSE", [1]), ("0%", [1]), ("that one", [1]), ("_", [2]), ("%b", []), ("", [2, 1])):
            found, _ = await at.history.find(RoundFilter(text=wanted.casefold()), None, 10)
            assert [each.query_id for each in found] == [query(number).hex() for number in numbers], wanted


async def test_a_list_shows_the_beginning_of_long_texts(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        await at.tell(1, asked("x" * 60_000))
        assert await at.texts() == ["x" * HEAD_CHARS_MAX]
        assert len((await at.round(1)).conversation[0].text) == 60_000


async def test_the_oldest_rounds_go_when_there_are_too_many(tmp_path: Path) -> None:
    """Each round is written twice, which counts once."""
    async with writing(tmp_path, rounds=TableLimit(rows_max=3, bytes_max=1 << 20)) as at:
        for number in range(1, 6):
            await at.tell(number, asked(str(number), number))
            await at.tell(number, ended())
        assert await at.texts() == ["5", "4", "3"]


async def test_many_long_texts_stay_within_the_tables_bytes(tmp_path: Path) -> None:
    """A character of four bytes counts as four."""
    text = "\U0001f980" * 10_000
    async with writing(tmp_path, rounds=TableLimit(rows_max=100, bytes_max=300_000)) as at:
        for number in range(1, 9):
            await at.tell(number, asked(text, number))
        assert 1 <= len(await at.texts()) <= 300_000 // (2 * 40_000)


async def test_what_another_strand_wrote_is_left_aside(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        await at.tell(1, asked())
        row = await at.store.asked(query(1))
        assert row is not None
        alien = msgspec.json.encode({"audience": "aliens"})
        await at.store.put_asked(replace(row, query_id=query(2), summary=alien, body=alien))
        assert await at.texts() == ["Which?"]
        assert await at.history.detail(query(2)) is None
    async with writing(tmp_path) as at:
        assert (await at.round(1)).round.ending == INTERRUPTED, "the start is not disturbed"


async def test_lists_go_on_from_their_cursors_alone(tmp_path: Path) -> None:
    async with writing(tmp_path) as at:
        facade = HistoryFacade(at.history, at.store, trio.CapacityLimiter(1))
        for number in (1, 2, 3):
            await at.tell(number, asked())
            summary = CertificateSummary(query(number), Outcome.DECIDED, b"w" * 32, number)
            await at.store.put_certificate(summary, b"certificate")
        rounds = await facade.rounds(RoundFilter(), "", 2)
        rest = await facade.rounds(RoundFilter(), rounds.next or "", 2)
        assert (len(rounds.rounds), len(rest.rounds), rest.next) == (2, 1, None)
        held = await facade.certificates("", 2)
        last = await facade.certificates(held.next or "", 2)
        assert [each.query_id for each in (*held.certificates, *last.certificates)] == [
            query(number).hex() for number in (3, 2, 1)
        ]
        assert last.next is None
        for wrong in ("x", "1." + "0" * 63, "9" * 19):
            with pytest.raises(CursorError):
                await facade.rounds(RoundFilter(), wrong, 2)
            with pytest.raises(CursorError):
                await facade.certificates(wrong, 2)


async def test_a_real_round_is_explained_by_its_certificate(tmp_path: Path) -> None:
    """Given a round of four nodes, when it is over, then the history says what the verified certificate does."""
    swarm = ObservedSwarm("abcd")
    async with writing(tmp_path, swarm.hub) as at:
        id = swarm.begin(waves=(2, 2))
        swarm.run()
        await trio.testing.wait_all_tasks_blocked()
        verified = swarm.verified()
        facade = HistoryFacade(at.history, at.store, trio.CapacityLimiter(1))
        before = await facade.round(id)
        assert before is not None and before.certificate is None and before.certificate_url is None
        assert swarm.certificate is not None
        await at.store.put_certificate(CertificateSummary(id, Outcome.DECIDED, b"w" * 32, 7), swarm.certificate)
        detail = await facade.round(id)
    assert detail is not None and detail.certificate is not None
    certificate, record, ranking = detail.certificate, verified.record, verified.ranking
    assert detail.round == before.round and detail.round.certified
    assert detail.certificate_url == f"/api/certificates/{id.hex()}"
    assert [each.answer_id for each in certificate.answers] == [each.answer.hex() for each in ranking.ranked]
    assert [each.place for each in certificate.answers] == [1, 2, 3, 4]
    assert certificate.answers[0].text == detail.answer == record.contents[ranking.ranked[0].answer].text
    assert len(certificate.ballots) == len(record.ballots)
    assert sum(each.judgements + each.abstentions for each in certificate.pairs) == sum(
        len(each.pairs) for each in certificate.ballots
    )
    assert all(each.one < each.other and 0 <= each.preferred <= each.judgements for each in certificate.pairs)
    for each in certificate.pairs:
        shown = [
            pair.preference if pair.first == each.one else 1 - pair.preference
            for ballot in certificate.ballots
            for pair in ballot.pairs
            if {pair.first, pair.second} == {each.one, each.other} and pair.preference is not None
        ]
        assert (len(shown), sum(shown)) == (each.judgements, each.preferred)
    assert {seat.member for seat in certificate.seats} == set(detail.members)


async def test_the_events_of_a_round_stay_with_their_times(tmp_path: Path) -> None:
    """While it is open, when it is over, and after a restart; without what the history does not hear."""
    swarm = ObservedSwarm("abc")
    async with writing(tmp_path, swarm.hub) as at:
        with swarm.hub.subscribe(kinds=KINDS, roles=REQUESTER) as live:
            id = swarm.begin()
            told = heard(live)
            await at.settle()
            assert await at.history.events(id) == tuple(told)
            swarm.run()
            told += heard(live)
        await at.settle()
        assert await at.history.events(id) == tuple(told)
        assert await at.history.events(query(9)) is None
    async with writing(tmp_path) as at:
        assert await at.history.events(id) == tuple(told)
    assert isinstance(told[-1], Ended) and told[-1].at_ms > 0


async def test_an_end_that_is_being_written_when_the_node_stops_is_written(tmp_path: Path) -> None:
    """Whoever asked has the answer by then, and may stop the node at once."""
    async with writing(tmp_path) as at:
        await at.tell(1, asked())
        at.publish(1, ended())
        await trio.testing.wait_all_tasks_blocked()
    async with writing(tmp_path) as at:
        assert (await at.round(1)).round.ending == "finished"
        events = await at.history.events(query(1))
        assert events is not None and isinstance(events[-1], Ended)


async def test_the_events_of_the_last_rounds_stay(tmp_path: Path) -> None:
    async with writing(tmp_path, round_events=TableLimit(rows_max=2, bytes_max=1 << 20)) as at:
        for number in range(1, 5):
            await at.tell(number, asked(str(number), number))
            await at.tell(number, ended())
        assert len(await at.texts()) == 4, "the rounds themselves stay longer"
        found = [await at.history.events(query(number)) for number in range(1, 5)]
    assert [each is None for each in found] == [True, True, False, False]


async def test_a_verification_shows_its_steps(tmp_path: Path) -> None:
    swarm = ObservedSwarm("abc")
    swarm.begin()
    swarm.run()
    assert swarm.certificate is not None
    async with writing(tmp_path) as at:
        facade = HistoryFacade(at.history, at.store, trio.CapacityLimiter(1))
        valid = await facade.verify(swarm.certificate)
        broken = await facade.verify(swarm.certificate[:-1])
    assert {each.state for each in valid.steps} == {StepState.PASSED}
    assert "3 commitments listed" in valid.steps[4].text
    assert (broken.steps[0].rule, broken.steps[0].state) == (broken.rule, StepState.FAILED)
    assert {each.state for each in broken.steps[1:]} == {StepState.NOT_REACHED}


@pytest.mark.parametrize("path", CERTIFICATES, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_certificates_of_former_versions_are_reported_in_one_form(tmp_path: Path, path: Path) -> None:
    """A query of wire 1 is one text, which is a conversation of one turn here."""
    raw = path.read_bytes()
    async with writing(tmp_path) as at:
        told = await HistoryFacade(at.history, at.store, trio.CapacityLimiter(1)).verify(raw)
    match read_any_version(raw):
        case Fault() as fault:
            assert (told.valid, told.reason, told.report) == (False, fault.reason, None)
        case reading:
            assert told.report is not None
            assert tuple((turn.role, turn.text) for turn in told.report.turns) == reading.turns


async def test_a_round_of_another_node_is_shown_from_its_certificate_alone(tmp_path: Path) -> None:
    swarm = ObservedSwarm("abc")
    id = swarm.begin()
    swarm.run()
    async with writing(tmp_path) as at:
        assert swarm.certificate is not None
        await at.store.put_certificate(CertificateSummary(id, Outcome.DECIDED, b"w" * 32, 7), swarm.certificate)
        facade = HistoryFacade(at.history, at.store, trio.CapacityLimiter(1))
        detail = await facade.round(id)
        assert await facade.round(query(9)) is None
    assert detail is not None and detail.certificate is not None and not detail.ours
    assert detail.round.outcome == swarm.verified().ranking.outcome
    assert detail.conversation[0].text == swarm.verified().turns[0].text
    assert detail.received is None
