"""A hostile model server: each wrong gets a clear line, a bounded wait, an abstention; never a crash, never a guess."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from node.inference import Engine, EngineConfig, EngineError, open_engine
from node.inference.http_json import REPLY_BYTES_MAX
from node.work.judging import PairPreference, PromptLimits, judge
from node.work.trial import try_engine
from protocol.conversation import single
from protocol.types import TaskType
from tests.support.engine_server import (
    ANSWER,
    PROMPT,
    SAMPLING,
    Reply,
    Server,
    as_json,
    engine_at,
    legacy_logprobs,
    serving,
)
from tests.support.hostile_server import LOGPROB_REPLIES, NAMES, OK, PROTOCOL_MODES, Counter, Mode, endless

WAIT_MS = 200
"""For replies that never end; the others have all the time that a busy machine needs."""

PATIENCE_MS = 20_000
LINE_CHARS_MAX = 500

SOCKET_BYTES_MAX = 16 * 1024 * 1024
"""What two kernels' buffers may hold on the way."""

NONCE = bytes(range(8))
LIMITS = PromptLimits(query_bytes_max=1000, answer_bytes_max=400)
PAIRS = [("one", "two"), ("one", "three")]

Operation = Callable[[Engine], Awaitable[object]]
OPERATIONS: dict[str, Operation] = {
    "probe": lambda engine: engine.probe(),
    "answer": lambda engine: engine.answer(single("query"), TaskType.CODE, SAMPLING),
    "preference": lambda engine: engine.preference(PROMPT),
}
operations = pytest.mark.parametrize("operation", list(OPERATIONS.values()), ids=list(OPERATIONS))
modes = pytest.mark.parametrize("mode", PROTOCOL_MODES, ids=str)


class Turning(Server):
    """Good until it turns; then every path gets the same wrong reply."""

    def __init__(self, wrong: Reply, turned: bool) -> None:
        good = {"/v1/completions": as_json(legacy_logprobs(0.6, 0.2)), "/v1/chat/completions": as_json(ANSWER)}
        super().__init__(good)
        self.turned = turned
        self._wrong = wrong

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:
        return self._wrong if self.turned else super().reply_to(path, headers, body)


@asynccontextmanager
async def turning(mode: Mode, *, known: bool) -> AsyncIterator[Engine]:
    """An engine whose server is in `mode`, from its start or after it was `known` as good."""
    server = Turning(mode.reply, turned=not known)
    timeout_ms = WAIT_MS if mode.waits and not known else PATIENCE_MS
    async with serving(server) as url:
        config = EngineConfig(kind="openai", url=url, request_timeout_ms=timeout_ms)
        async with open_engine(config) as engine:
            if known:
                await engine.probe()
                server.turned = True
            yield engine


async def failure_of(operation: Operation, engine: Engine) -> str:
    """The one line of the failure; a wait without an end fails the test."""
    with trio.fail_after(60), pytest.raises(EngineError) as caught:
        await operation(engine)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < LINE_CHARS_MAX
    assert "http://127.0.0.1" in line
    return line


@modes
@operations
async def test_a_server_that_is_wrong_from_the_start_is_one_clear_line(mode: Mode, operation: Operation) -> None:
    async with turning(mode, known=False) as engine:
        line = await failure_of(operation, engine)
    assert any(words in line for words in mode.words), line


@pytest.mark.parametrize("mode", [mode for mode in PROTOCOL_MODES if not mode.waits], ids=str)
@operations
async def test_a_server_that_turns_wrong_is_one_clear_line(mode: Mode, operation: Operation) -> None:
    async with turning(mode, known=True) as engine:
        line = await failure_of(operation, engine)
    assert any(words in line for words in mode.words), line


@modes
async def test_a_ballot_of_a_wrong_server_is_all_abstentions(mode: Mode) -> None:
    async with turning(mode, known=False) as engine:
        with trio.fail_after(60):
            async with judge(engine, single("query"), PAIRS, nonce=NONCE, limits=LIMITS) as judgements:
                found = [judgement async for judgement in judgements]
    assert sorted(found, key=lambda each: each.index) == [PairPreference(0, None), PairPreference(1, None)]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/completions", "/v1/chat/completions"])
@operations
async def test_a_body_of_a_hundred_megabytes_is_not_taken_in(path: str, operation: Operation) -> None:
    sent = Counter()
    flood = endless(OK + b"Content-Length: 100000000\r\n\r\n", b" " * 65536, sent, 100_000_000)
    replies = {"/v1/completions": as_json({}, "404 Not Found"), "/v1/chat/completions": as_json(ANSWER)} | {path: flood}
    async with engine_at(replies) as (engine, _):
        with trio.fail_after(60):
            try:
                await operation(engine)
            except EngineError as error:
                assert "sent more than" in str(error)
            else:
                # A way of judging that cannot be read is not taken; the next one is.
                assert sent.bytes == 0 or path == "/v1/completions"
    assert sent.bytes < REPLY_BYTES_MAX + SOCKET_BYTES_MAX


@pytest.mark.parametrize("reply", list(LOGPROB_REPLIES.values()), ids=list(LOGPROB_REPLIES))
@pytest.mark.parametrize("known", [False, True])
async def test_no_preference_is_read_from_wrong_logprobs(reply: object, known: bool) -> None:
    wrong = as_json(reply)
    good = as_json(legacy_logprobs(0.6, 0.2))
    async with engine_at({"/v1/completions": good if known else wrong, "/v1/chat/completions": wrong}) as (
        engine,
        server,
    ):
        if known:
            assert await engine.preference(PROMPT) == pytest.approx(0.75)
            server.replies["/v1/completions"] = wrong
        try:
            assert await engine.preference(PROMPT) is None
        except EngineError as error:
            assert str(error).isprintable()


@pytest.mark.parametrize("reply", list(LOGPROB_REPLIES.values()), ids=list(LOGPROB_REPLIES))
async def test_a_probe_of_wrong_logprobs_finds_none_or_says_why(reply: object) -> None:
    async with engine_at({"/v1/completions": as_json(reply), "/v1/chat/completions": as_json(reply)}) as (engine, _):
        try:
            info = await engine.probe()
        except EngineError as error:
            assert str(error).isprintable()
        else:
            assert info.model == "strand"


@pytest.mark.parametrize("name", list(NAMES.values()), ids=list(NAMES))
@operations
async def test_a_model_of_an_impossible_name_is_no_model(name: object, operation: Operation) -> None:
    replies = {
        "/v1/models": as_json({"data": [{"id": name}]}),
        "/v1/completions": as_json(legacy_logprobs(0.6, 0.2)),
        "/v1/chat/completions": as_json(ANSWER),
    }
    async with engine_at(replies) as (engine, _):
        assert "no model" in await failure_of(operation, engine)


async def test_a_reply_that_nobody_asked_for_is_never_taken_for_the_next() -> None:
    """One connection carries one exchange: what a server sends too much is not read as its next reply."""

    async def twice(stream: trio.SocketStream) -> None:
        await as_json(legacy_logprobs(0.6, 0.2))(stream)
        await as_json(legacy_logprobs(0.1, 0.7))(stream)

    async with engine_at({"/v1/completions": twice}) as (engine, _):
        assert [await engine.preference(PROMPT) for _ in range(4)] == [pytest.approx(0.75)] * 4


async def test_a_server_that_claims_more_tokens_than_were_asked_for_is_not_believed_to_be_fast() -> None:
    boast = ANSWER | {"usage": {"prompt_tokens": 1, "completion_tokens": 2**31}}
    replies = {"/v1/completions": as_json(legacy_logprobs(0.6, 0.2)), "/v1/chat/completions": as_json(boast)}
    async with engine_at(replies) as (engine, _):
        assert (await engine.probe()).tokens_per_second <= 24_000


@modes
async def test_a_trial_ends_in_a_line_and_not_in_an_error(mode: Mode) -> None:
    """Whoever sets a node up must be told what is wrong with a server, whatever it is."""
    server = Turning(mode.reply, turned=False)
    wait_ms = WAIT_MS if mode.waits else PATIENCE_MS
    async with serving(server) as url:
        config = EngineConfig(kind="openai", url=url, request_timeout_ms=wait_ms)
        async with open_engine(config) as engine:
            good = await try_engine(engine, config)
            assert good.works, good.error
            server.turned = True
            trial = await try_engine(engine, config)
    assert not trial.works
    assert trial.answer is None and trial.judgement is None
    assert len(trial.error) <= LINE_CHARS_MAX
    assert any(words in trial.error for words in mode.words), trial.error
