"""Lives of a server, in virtual time: when it is started again, and when no more."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from node.inference import EngineConfig, EngineError
from node.inference.openai import open_openai
from node.inference.status import EngineStage, ServerStatus
from node.inference.supervision import (
    FAILURES_MAX,
    PAUSES_S,
    STABLE_S,
    Supervisor,
    last_line,
)
from protocol.conversation import single
from protocol.types import TaskType
from tests.support.engine_server import PROMPT, SAMPLING, StandIn, serving


class Lives:
    """A server that serves for so many seconds, life by life, and then, and with None, ends before it serves."""

    def __init__(self, *seconds: float | None, start_s: float = 0.0) -> None:
        self._seconds = list(seconds)
        self._start_s = start_s
        self.began_s: list[float] = []
        self.supervisor = Supervisor("the server", self._live)

    async def _live(self) -> str:
        self.began_s.append(trio.current_time())
        await trio.sleep(self._start_s)
        seconds = self._seconds.pop(0) if self._seconds else None
        if seconds is None:
            return "it would not"
        self.supervisor.status.pid = 1
        self.supervisor.status.become(EngineStage.READY)
        await trio.sleep(seconds)
        return "it ended"


async def test_a_server_that_never_served_is_a_mistake_to_be_told_and_not_started_again() -> None:
    lives = Lives(None, 1)
    async with trio.open_nursery() as nursery:
        failure = await nursery.start(lives.supervisor.run)
    assert isinstance(failure, EngineError)
    assert str(failure) == "the server did not start: it would not"
    assert len(lives.began_s) == 1


async def test_pauses_grow_until_it_stays_down(autojump_clock: MockClock) -> None:
    lives = Lives(0)
    began_s = autojump_clock.current_time()
    async with trio.open_nursery() as nursery:
        assert await nursery.start(lives.supervisor.run) is None
    status = lives.supervisor.status
    assert (status.stage, status.restarts, status.lives, status.pid) == (EngineStage.DOWN, FAILURES_MAX - 1, 1, None)
    pauses = [after - before for before, after in zip(lives.began_s, lives.began_s[1:], strict=False)]
    assert pauses == [pytest.approx(PAUSES_S.first * 2**n) for n in range(FAILURES_MAX - 1)]
    assert max(pauses) <= PAUSES_S.longest
    assert autojump_clock.current_time() - began_s < 4 * PAUSES_S.longest
    assert str(status) == "the server is down; it ended before: it would not"


async def test_a_start_that_takes_long_and_fails_is_a_failure(autojump_clock: MockClock) -> None:
    lives = Lives(1, start_s=2 * STABLE_S)
    async with trio.open_nursery() as nursery:
        await nursery.start(lives.supervisor.run)
    assert len(lives.began_s) == FAILURES_MAX
    assert lives.supervisor.status.stage is EngineStage.DOWN
    pauses_s = sum(PAUSES_S.first * 2**n for n in range(FAILURES_MAX - 1))
    assert autojump_clock.current_time() == pytest.approx(lives.began_s[0] + FAILURES_MAX * 2 * STABLE_S + 1 + pauses_s)


async def test_a_life_that_was_long_begins_the_count_anew(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    lives = Lives(0, 0, 0, STABLE_S, 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(lives.supervisor.run)
    fourth_s, fifth_s = lives.began_s[3:5]
    assert fifth_s - fourth_s == pytest.approx(STABLE_S + PAUSES_S.first)
    assert lives.supervisor.status.starts == 3 + FAILURES_MAX


async def test_whoever_waits_is_told_of_every_life(autojump_clock: MockClock) -> None:  # noqa: ARG001 - time
    lives = Lives(1, 1, trio.current_time() + 10_000)
    status = lives.supervisor.status
    async with trio.open_nursery() as nursery:
        await nursery.start(lives.supervisor.run)
        await status.wait_until(lambda: status.lives == 3)
        assert status.ready
        assert (status.restarts, status.trouble) == (2, "it ended")
        assert str(status) == "the server is ready"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("ask", ["probe", "answer", "preference"])
async def test_a_server_that_is_not_ready_is_not_asked(ask: str) -> None:
    server = StandIn()
    async with serving(server) as url:
        status = ServerStatus("the server")
        async with open_openai(EngineConfig(kind="openai", url=url, api_key=StandIn.KEY), status) as engine:
            asks: dict[str, Callable[[], Awaitable[object]]] = {
                "probe": engine.probe,
                "answer": lambda: engine.answer(single("q"), TaskType.CODE, SAMPLING),
                "preference": lambda: engine.preference(PROMPT),
            }
            status.become(EngineStage.LOADING, "50% Completed")
            with pytest.raises(EngineError, match=r"^the server is loading weights \(50% Completed\)$"):
                await asks[ask]()
            assert server.requests == []
            status.become(EngineStage.READY)
            await asks[ask]()


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (b"", ""),
        (b"first\nlast\n\n  \n", "last"),
        (b"bar 10%\rbar 90%\r", "bar 90%"),
        (b"\x1b[31mred\xff\n", "�[31mred�"),
        (b"x" * 5000, "x" * 300),
    ],
)
def test_the_last_line_is_short_and_printable(printed: bytes, line: str) -> None:
    assert last_line(printed) == line
