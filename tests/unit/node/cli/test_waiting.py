"""What people are told while cancelled rounds hold the tickets, in virtual time."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pytest
import trio
from msgspec import structs
from rich.console import Console
from trio.testing import MockClock

from node.api.events import Asked, RoundEvent
from node.api.queue import QueueReport
from node.cli.ask.waiting import QUIET_S, follow_patiently, waits
from node.cli.parts.tickets import all_held, length
from node.cli.status import status
from node.client import Client, NoCertificateError, Question, UnavailableError
from node.rounds.asking.errors import TooBusyError
from tests.support.held_rounds import HeldRounds
from tests.support.http_server import app_of, open_edge
from tests.support.shown import QUERY, QUEUE, TellingRounds, http_client, shown

QUESTION = Question.single("Which?")
CANCELLED = structs.replace(QUEUE.running[0], held_until_ms=676_000)
HELD = structs.replace(QUEUE, running=(CANCELLED,) * 4, running_max=4, wait_s=675.2)
HELD_LINE = (
    "waiting for a ticket, probably for 11 min 15 s at most: "
    "cancelled rounds hold all 4 tickets until their budgets are over"
)


@dataclass
class FullRounds(HeldRounds):
    """A round that waits behind cancelled ones."""

    def queue(self) -> QueueReport:
        return HELD


def test_lengths_of_time_are_read_at_a_glance() -> None:
    assert [length(each) for each in (-1, 0.4, 59.4, 59.6, 675.2)] == ["0 s", "0 s", "59 s", "1 min 0 s", "11 min 15 s"]


def test_tickets_are_all_held_only_if_each_round_was_cancelled() -> None:
    assert all_held(HELD)
    assert not all_held(structs.replace(HELD, running=HELD.running[1:]))
    assert not all_held(structs.replace(HELD, running=(*HELD.running[1:], QUEUE.running[0])))


def test_who_waits_behind_rounds_that_run_is_told_how_many() -> None:
    told = waits(structs.replace(QUEUE, running_max=1, wait_s=20.0))
    assert told.endswith("probably for 20 s at most: 1 of 1 rounds run, 1 wait")


async def test_a_question_that_waits_says_so_once(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    rounds, out = FullRounds(), io.StringIO()
    heard: list[RoundEvent] = []

    async def begin_late() -> None:
        await trio.sleep(100 * QUIET_S)
        assert out.getvalue() == HELD_LINE + "\n"
        rounds.tell(Asked(query_id=QUERY.hex(), members=(QUERY.hex(),)))
        rounds.events.end()
        rounds.turn.set()

    async with http_client(shown(rounds=rounds)) as http, trio.open_nursery() as nursery:
        nursery.start_soon(begin_late)
        with pytest.raises(NoCertificateError):
            await follow_patiently(
                Client(http, "the node"), QUESTION, Console(file=out), silence_s=900, on_event=heard.append
            )
    assert out.getvalue() == HELD_LINE + "\n" and len(heard) == 1


@pytest.mark.parametrize("refusal", [None, TooBusyError("32 queries wait already; try again later", 60, 32)])
async def test_a_question_that_is_answered_at_once_says_nothing(
    autojump_clock: MockClock,  # noqa: ARG001 - time
    refusal: TooBusyError | None,
) -> None:
    out = io.StringIO()
    async with http_client(shown(rounds=TellingRounds(refusal=refusal))) as http:
        with pytest.raises(NoCertificateError if refusal is None else UnavailableError):
            await follow_patiently(
                Client(http, "the node"), QUESTION, Console(file=out), silence_s=900, on_event=lambda _: None
            )
    assert out.getvalue() == ""


@pytest.mark.parametrize("rounds", [FullRounds(), HeldRounds()])
async def test_status_has_a_line_only_if_all_tickets_are_held(
    capsys: pytest.CaptureFixture[str], rounds: HeldRounds
) -> None:
    async with open_edge(app_of(shown(rounds=rounds))) as served:
        assert await status(url=served.url) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "tickets" in line]
    line = (
        "A question to this node waits for 11 min 15 s: "
        "cancelled rounds hold all 4 tickets until their budgets are over."
    )
    assert told == ([line] if isinstance(rounds, FullRounds) else [])
