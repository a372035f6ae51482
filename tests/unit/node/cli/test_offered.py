"""What the demo offers who names no engine: a question on a terminal, which waits for nobody."""

import io
from functools import partial
from threading import Event
from typing import Any

import pytest
import trio
from rich.console import Console
from trio.testing import MockClock

from node.cli import demo
from node.cli.parts.dialogue import Dialogue
from node.inference.servers import FoundServer

OLLAMA = FoundServer("Ollama", "http://127.0.0.1:11434", ("a", "b", "c", "d"))


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, lines: Any, *found: FoundServer) -> None:
    async def find() -> list[FoundServer]:
        await trio.lowlevel.checkpoint()
        return list(found)

    monkeypatch.setattr(demo, "is_terminal", lambda: True)
    monkeypatch.setattr(demo, "find_servers", find)
    monkeypatch.setattr(demo, "Dialogue", partial(Dialogue, lines=lines))


@pytest.mark.parametrize(("answer", "engine"), [("y", OLLAMA.url), ("n", demo.EMBEDDED), ("", demo.EMBEDDED)])
async def test_a_found_server_is_offered(
    monkeypatch: pytest.MonkeyPatch, console: Console, answer: str, engine: str
) -> None:
    at_a_terminal(monkeypatch, io.StringIO(answer), OLLAMA)
    assert await demo._offered(console) == engine
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert shown.startswith("There is Ollama at http://127.0.0.1:11434: a, b, c and 1 more.\n")
    assert "Use it instead of the tiny model? [y/n] (n): " in shown


async def test_nothing_is_asked_where_nothing_was_found(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    at_a_terminal(monkeypatch, None)
    assert await demo._offered(console) == demo.EMBEDDED


async def test_nobody_is_looked_for_without_a_terminal(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    at_a_terminal(monkeypatch, None, OLLAMA)
    monkeypatch.setattr(demo, "is_terminal", lambda: False)
    assert await demo._offered(console) == demo.EMBEDDED


async def test_a_question_that_nobody_answers_ends(
    monkeypatch: pytest.MonkeyPatch, console: Console, autojump_clock: MockClock
) -> None:
    over = Event()

    class Silent:
        def readline(self) -> str:
            over.wait()
            return ""

    at_a_terminal(monkeypatch, Silent(), OLLAMA)
    try:
        assert await demo._offered(console) == demo.EMBEDDED
    finally:
        over.set()
    assert autojump_clock.current_time() == pytest.approx(demo.QUESTION_S)
