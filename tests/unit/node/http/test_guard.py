"""The guard and its table of guesses: who is slowed down, and who never is."""

from __future__ import annotations

import httpx2
import trio
from starlette.types import ASGIApp, Receive, Scope, Send
from trio.testing import MockClock

from node.api.conversation import Audience
from node.config import ApiKeyTable, ApiTable
from node.http.guard import LOOPBACK_PAUSE_S_MAX, PAUSED_MAX, ApiKey, Guard
from node.http.guesses import ADDRESSES_MAX, FORGIVEN_S, FREE_GUESSES, PENALTY_S_MAX, GuessTable
from tests.support.http_server import guarded

RIGHT = "Bearer the token of this node"
WRONG = "Bearer another token"
ELSEWHERE = "203.0.113.9"


async def hello(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Callers:
    """Requests from several addresses to one guard."""

    def __init__(
        self,
        config: ApiTable = ApiTable(token="the token of this node"),  # noqa: B008 - frozen
        app: ASGIApp = hello,
    ) -> None:
        self._app = guarded(app, Guard(config))

    async def ask(self, address: str, authorization: str) -> httpx2.Response:
        transport = httpx2.ASGITransport(self._app, client=(address, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as http:
            return await http.get("/", headers={"Authorization": authorization})

    async def statuses(self, address: str, authorization: str, times: int) -> list[int]:
        return [(await self.ask(address, authorization)).status_code for _ in range(times)]


async def test_an_address_that_guesses_is_not_heard_for_a_while(autojump_clock: MockClock) -> None:
    """Not even with the right token, or guessing would cost nothing; others are, and it is afterwards."""
    callers = Callers()
    assert await callers.statuses(ELSEWHERE, WRONG, FREE_GUESSES + 1) == [401] * FREE_GUESSES + [429]
    refused = await callers.ask(ELSEWHERE, RIGHT)
    assert refused.status_code == 429
    autojump_clock.jump(int(refused.headers["retry-after"]))
    assert await callers.statuses("203.0.113.10", RIGHT, 1) == [200]
    assert await callers.statuses(ELSEWHERE, RIGHT, 1) == [200]
    assert await callers.statuses(ELSEWHERE, WRONG, 1) == [401]


async def test_nobody_locks_out_who_holds_the_token_on_this_machine(autojump_clock: MockClock) -> None:
    """All local programs share an address: wrong tokens wait for their reply, the right one never does."""
    callers = Callers()
    began_s = autojump_clock.current_time()
    assert await callers.statuses("127.0.0.1", WRONG, 20) == [401] * 20
    assert autojump_clock.current_time() - began_s > 13 * LOOPBACK_PAUSE_S_MAX
    began_s = autojump_clock.current_time()
    assert await callers.statuses("127.0.0.1", RIGHT, 20) == [200] * 20
    assert autojump_clock.current_time() == began_s


async def test_replies_that_are_put_off_are_bounded_in_number(autojump_clock: MockClock) -> None:
    callers = Callers()
    await callers.statuses("127.0.0.1", WRONG, FREE_GUESSES)
    at_once: list[bool] = []

    async def guess() -> None:
        began_s = autojump_clock.current_time()
        await callers.ask("127.0.0.1", WRONG)
        at_once.append(autojump_clock.current_time() == began_s)

    async with trio.open_nursery() as nursery:
        for _ in range(2 * PAUSED_MAX):
            nursery.start_soon(guess)
    assert at_once.count(False) == PAUSED_MAX


async def test_a_request_is_served_with_the_key_whose_token_it_brought() -> None:
    """`api.token` is the first; the application learns the name and what audience it stands for."""
    seen: list[ApiKey] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["state"]["api_key"])
        await hello(scope, receive, send)

    config = ApiTable(
        token="the token of this node",
        keys={
            "laptop": "a token of the laptop",
            "editor": ApiKeyTable("a token of the editor", Audience.PUBLIC),
        },
    )
    callers = Callers(config, note)
    for token in config.secrets:
        assert await callers.statuses(ELSEWHERE, f"Bearer {token}", 1) == [200]
    assert seen == [ApiKey("token", None), ApiKey("laptop", None), ApiKey("editor", Audience.PUBLIC)]
    assert await callers.statuses(ELSEWHERE, "Bearer laptop", 1) == [401]


def test_waits_double_up_to_a_limit_and_are_forgiven() -> None:
    table, now_s = GuessTable(), 0.0
    waits = []
    for _ in range(FREE_GUESSES + 40):
        waits.append(table.note_wrong(ELSEWHERE, now_s))
        now_s += waits[-1]
    assert waits[:FREE_GUESSES] == [0.0] * FREE_GUESSES
    assert waits[FREE_GUESSES : FREE_GUESSES + 8] == [1, 2, 4, 8, 16, 32, PENALTY_S_MAX, PENALTY_S_MAX]
    assert waits[-1] == PENALTY_S_MAX
    assert table.wait_s(ELSEWHERE, now_s - 1) == 1
    assert table.wait_s(ELSEWHERE, now_s) == 0
    assert table.note_wrong(ELSEWHERE, now_s + FORGIVEN_S + 1) == 0


def test_a_right_token_clears_its_address_alone() -> None:
    table = GuessTable()
    for _ in range(FREE_GUESSES + 1):
        table.note_wrong(ELSEWHERE, 0)
        table.note_wrong("203.0.113.10", 0)
    table.note_right(ELSEWHERE)
    assert table.wait_s(ELSEWHERE, 0) == 0
    assert table.wait_s("203.0.113.10", 0) == 1


def test_the_table_is_bounded_and_forgets_the_oldest_guesser() -> None:
    table = GuessTable()
    for _ in range(FREE_GUESSES + 1):
        table.note_wrong("10.0.0.1", 0)
    for number in range(ADDRESSES_MAX - 1):
        table.note_wrong(f"10.1.{number >> 8}.{number & 255}", 0)
    assert table.wait_s("10.0.0.1", 0) == 1
    table.note_wrong("10.2.0.1", 0)
    assert len(table) == ADDRESSES_MAX
    assert table.wait_s("10.0.0.1", 0) == 0


async def test_orchestrators_probes_need_no_token_and_foreign_pages_still_get_nothing() -> None:
    app = guarded(hello, Guard(ApiTable(token="the token of this node")))
    transport = httpx2.ASGITransport(app, client=(ELSEWHERE, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.7:4210") as http:
        for path in ("/health/live", "/health/ready"):
            assert (await http.get(path)).status_code == 200
            assert (await http.get(path, headers={"Origin": "https://page.example"})).status_code == 403
            assert (await http.post(path)).status_code == 401
        for path in ("/metrics", "/api/status", "/health/live/", "/health"):
            assert (await http.get(path)).status_code == 401
