"""The list of rounds, and the one that a question continues: over a node in memory."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec import structs
from rich.console import Console

from node.api.conversation import Audience
from node.api.rounds import RoundDetail
from node.cli.ask.continued import earlier_round, named_round, turns_of
from node.cli.ask.question import QuestionOptions
from node.cli.parts.errors import CliError
from node.cli.rounds import _cells, _print_table, ending, listed, whole_id
from node.client import Client, RefusedError
from protocol.types import TaskType, TurnRole
from tests.support.shown import ROUND, KeptHistory, http_client, shown


def detail(number: int, **changes: object) -> RoundDetail:
    query_id = f"{number:04x}" * 16
    summary = structs.replace(ROUND.round, query_id=query_id, asked_ms=10_000 - number)
    return structs.replace(ROUND, **{"round": summary, **changes})


@asynccontextmanager
async def client_of(*details: RoundDetail) -> AsyncIterator[Client]:
    async with http_client(shown(history=KeptHistory(details))) as http:
        yield Client(http, "the node")


@pytest.mark.parametrize(("limit", "count", "more"), [(1, 1, True), (120, 120, True), (250, 230, False)])
async def test_a_list_goes_over_pages(limit: int, count: int, more: bool) -> None:
    async with client_of(*map(detail, range(230))) as client:
        found, is_more = await listed(client, limit)
    assert [each.query_id for each in found] == [detail(number).round.query_id for number in range(count)]
    assert is_more is more


async def test_a_round_is_found_by_its_first_digits() -> None:
    twin = detail(7)
    twin = structs.replace(twin, round=structs.replace(twin.round, query_id="0007" * 8 + "f" * 32, asked_ms=1))
    async with client_of(detail(6), detail(7), twin) as client:
        assert await whole_id(client, "0006" * 4) == "0006" * 16
        with pytest.raises(CliError, match="2 rounds here begin with"):
            await whole_id(client, "0007" * 4)
        with pytest.raises(CliError, match="no rounds here begin with"):
            await whole_id(client, "f" * 16)


async def test_the_last_round_or_a_named_one_is_continued() -> None:
    async with client_of(detail(1), detail(2)) as client:
        assert (await earlier_round(client, None)).round.query_id == detail(1).round.query_id
        assert (await earlier_round(client, "0002" * 4)).round.query_id == detail(2).round.query_id
        with pytest.raises(RefusedError):
            await earlier_round(client, "f" * 64)


async def test_what_cannot_be_continued_is_told() -> None:
    for details, words in (
        ((), "no round to continue"),
        ((detail(1, answer=""),), "has no answer to continue from"),
        ((detail(1, conversation=()),), "does not have the text"),
    ):
        async with client_of(*details) as client:
            with pytest.raises(CliError, match=words):
                await earlier_round(client, None)


def test_a_continued_question_stays_with_its_readers_and_its_task() -> None:
    asked = structs.replace(ROUND.round, task=TaskType.OPEN, audience=Audience.TRUSTED)
    before = structs.replace(ROUND, round=asked)
    question = QuestionOptions().question("And with lifetimes?", before)
    assert [turn.role for turn in question.turns] == [TurnRole.USER, TurnRole.ASSISTANT, TurnRole.USER]
    assert [turn.text for turn in question.turns] == ["Sum a slice.", "a.iter().sum()", "And with lifetimes?"]
    assert (question.task, question.audience) == (TaskType.OPEN, Audience.TRUSTED)
    wider = QuestionOptions(task="code", audience="public").question("x", before)
    assert (wider.task, wider.audience) == (TaskType.CODE, Audience.PUBLIC)
    alone = QuestionOptions().question("x")
    assert (len(alone.turns), alone.task, alone.audience) == (1, TaskType.CODE, None)
    of_another = structs.replace(ROUND, ours=False, round=structs.replace(ROUND.round, audience=None))
    unknown = QuestionOptions().question("x", of_another)
    assert unknown.audience is Audience.TRUSTED, "only the asker knows who has the text"
    assert turns_of(ROUND)[-1].role is TurnRole.ASSISTANT


ID = "0123456789abcdef"


@pytest.mark.parametrize(
    ("values", "query", "expected"),
    [
        ((), "q", (None, "q")),
        ((), None, (None, None)),
        (("q",), None, (None, "q")),
        ((ID,), "q", (ID, "q")),
        ((ID,), None, (ID, None)),
        ((ID, "q"), None, (ID, "q")),
    ],
)
def test_the_words_after_continue(values: tuple[str, ...], query: str | None, expected: tuple[str | None, str]) -> None:
    assert named_round(values, query) == expected


@pytest.mark.parametrize(("values", "query"), [(("0123",), "q"), (("p", "q"), None), ((ID, "p"), "q")])
def test_words_after_continue_that_mean_nothing(values: tuple[str, ...], query: str | None) -> None:
    with pytest.raises(CliError, match="--continue takes 16 to 64 digits"):
        named_round(values, query)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_line_for_each_round_fits_the_terminal(width: int) -> None:
    long = structs.replace(
        ROUND.round, text="\x1b[2Jwhy\nis this " + "so long " * 20, ending="interrupted", outcome=None
    )
    out = io.StringIO()
    _print_table([long, ROUND.round], Console(file=out, width=width, force_terminal=True, color_system=None))
    lines = out.getvalue().splitlines()
    assert "\x1b" not in out.getvalue()
    assert long.query_id[:16] in out.getvalue() and "interrupted" in out.getvalue()
    if width >= 80:
        assert len(lines) == 3 and max(map(len, lines)) <= width


def test_a_round_without_an_outcome_tells_how_it_stands() -> None:
    assert ending(ROUND.round) == "decided"
    assert ending(structs.replace(ROUND.round, outcome=None, ending="cancelled")) == "cancelled"
    assert ending(structs.replace(ROUND.round, outcome=None, ending=None)) == "open"
    assert str(_cells(structs.replace(ROUND.round, turns=3), "now", "id")[-1]) == "Sum a slice. (3 turns)"
