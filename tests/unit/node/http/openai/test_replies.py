"""Replies in OpenAI's forms, read by OpenAI's own client: whole and streamed, of rounds that went well and others."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from msgspec.structs import replace
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk

from node.api.findings import AnswerFindings, Checks, RoundTesting, SetAside
from node.findings.notes import NO_TOOLS, TOO_FEW, UNTESTED
from node.http.openai.dialects import PIECE_CHARS
from node.rounds.asking.errors import (
    AskError,
    NobodyNamedError,
    NoDiskError,
    NoQuorumError,
    StoppingError,
    TooBusyError,
    TooLongError,
    TooManyFollowedError,
)
from protocol.types import CompileStatus, FinishReason, Outcome, OutcomeReason
from tests.support.openai_rounds import ANSWER, AUTHORS, OPENED, RANKED, a_round, decided, ended, official_client
from tests.support.shown import QUERY, TellingRounds, http_client, shown

# Its generators hang in each other, and trio complains of those that are dropped before their end.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(httpx2|openai)[.]:ResourceWarning")

MODEL = "strand-rust"
HELLO: Any = [{"role": "user", "content": "Hello"}]
QUERY_ID = QUERY.hex()

REPORT = {
    "query_id": QUERY_ID,
    "certificate": f"/api/certificates/{QUERY_ID}",
    "audience": "trusted",
    "outcome": "decided",
    "reason": "none",
    "p_best": 0.8,
    "p_correct": 0.75,
    "ranking": [
        {
            "answer_id": OPENED[number].answer_id,
            "author": AUTHORS[number],
            "p_best": p_best,
            "strength": strength,
            "cluster_size": 1,
            "findings": None,
            "note": "",
        }
        for number, p_best, strength in ((1, 0.8, 0.7), (0, 0.2, -0.7))
    ],
    "set_aside": [],
    "findings": None,
    "testing": None,
    "token_source": "engine",
    "truncated": False,
    "signed_text": None,
    "ignored": [],
}


def node(result: Any = None) -> Any:
    return shown(rounds=TellingRounds(a_round(result)))


async def chunks_of(client: AsyncOpenAI, **settings: Any) -> list[ChatCompletionChunk]:
    stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, **settings)
    return [chunk async for chunk in stream]


# -- chat completions ---


async def test_a_chat_completion_is_the_winner_with_what_the_swarm_says_of_it() -> None:
    async with official_client(node()) as client:
        told = await client.chat.completions.create(model=MODEL, messages=HELLO)
    (choice,) = told.choices
    assert (told.id, told.model, told.object) == (f"chatcmpl-{QUERY_ID}", MODEL, "chat.completion")
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", ANSWER, "stop")
    assert told.usage is not None
    assert (told.usage.prompt_tokens, told.usage.completion_tokens, told.usage.total_tokens) == (9, 14, 23)
    assert told.model_extra == {"strand": REPORT}


@pytest.mark.parametrize("with_usage", [False, True])
async def test_a_streamed_chat_is_the_same_in_pieces(with_usage: bool) -> None:
    text = "ß" * (2 * PIECE_CHARS + 1)
    async with official_client(node(decided(answer=text))) as client:
        chunks = await chunks_of(client, stream_options={"include_usage": with_usage})
    assert {(chunk.id, chunk.model, chunk.object) for chunk in chunks} == {
        (f"chatcmpl-{QUERY_ID}", MODEL, "chat.completion.chunk")
    }
    with_choice = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert [choice.delta.role for choice in with_choice] == ["assistant", None, None, None, None]
    assert [len(choice.delta.content or "") for choice in with_choice] == [0, PIECE_CHARS, PIECE_CHARS, 1, 0]
    assert "".join(choice.delta.content or "" for choice in with_choice) == text
    assert [choice.finish_reason for choice in with_choice] == [None, None, None, None, "stop"]
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].model_extra == {"strand": REPORT}
    if with_usage:
        assert chunks[-1].choices == [] and chunks[-1].usage is not None
        assert chunks[-1].usage.total_tokens == 23
    else:
        assert chunks[-1].usage is None


async def test_the_stream_begins_with_the_role_and_ends_with_done() -> None:
    async with http_client(node()) as http:
        body = {"model": MODEL, "messages": HELLO, "stream": True}
        response = await http.post("/v1/chat/completions", json=body)
    assert response.headers["content-type"] == "text/event-stream"
    lines = response.text.split("\n\n")
    assert '"delta":{"role":"assistant","content":""}' in lines[0]
    assert lines[1] == ": answering 1/2"
    assert lines[-2:] == ["data: [DONE]", ""]


@pytest.mark.parametrize(
    ("finish", "stop", "view", "reason"),
    [
        (FinishReason.LENGTH, None, ANSWER, "length"),
        (FinishReason.STOP, None, ANSWER, "stop"),
        (FinishReason.LENGTH, ["// END", "\n}"], ANSWER[: ANSWER.index("\n}")], "stop"),
        (FinishReason.LENGTH, "fn", "", "stop"),
        (FinishReason.LENGTH, "not there", ANSWER, "length"),
    ],
)
async def test_stop_shortens_the_view_alone(finish: FinishReason, stop: Any, view: str, reason: str) -> None:
    async with official_client(node(decided(finish=finish))) as client:
        whole = await client.chat.completions.create(model=MODEL, messages=HELLO, stop=stop)
        chunks = await chunks_of(client, stop=stop)
    choice = whole.choices[0]
    assert (choice.message.content, choice.finish_reason) == (view, reason)
    assert whole.usage is not None and whole.usage.completion_tokens == 14
    report = (whole.model_extra or {})["strand"]
    assert report["truncated"] == (view != ANSWER)
    assert report["signed_text"] == (None if view == ANSWER else ANSWER)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == view
    assert chunks[-1].choices[0].finish_reason == reason
    assert chunks[-1].model_extra == whole.model_extra


# -- the other two forms ---


async def test_a_text_completion_is_the_winner_too() -> None:
    async with official_client(node()) as client:
        told = await client.completions.create(model=MODEL, prompt="Hello", stop="// END")
        stream = await client.completions.create(
            model=MODEL, prompt="Hello", stop="// END", stream=True, stream_options={"include_usage": True}
        )
        pieces = [piece async for piece in stream]
    view = ANSWER[: ANSWER.index("// END")]
    assert (told.id, told.choices[0].text, told.choices[0].finish_reason) == (f"cmpl-{QUERY_ID}", view, "stop")
    assert told.usage is not None and told.usage.total_tokens == 23
    assert (told.model_extra or {})["strand"]["signed_text"] == ANSWER
    assert "".join(piece.choices[0].text for piece in pieces[:-1]) == view
    assert pieces[-2].choices[0].finish_reason == "stop"
    assert pieces[-1].usage == told.usage and pieces[-1].model_extra == told.model_extra


async def test_a_response_is_the_winner_too() -> None:
    async with official_client(node()) as client:
        told = await client.responses.create(model=MODEL, input="Hello", instructions="Be short.")
    assert (told.id, told.status, told.output_text) == (f"resp_{QUERY_ID}", "completed", ANSWER)
    assert told.instructions == "Be short." and told.error is None and told.incomplete_details is None
    assert told.usage is not None
    assert (told.usage.input_tokens, told.usage.output_tokens, told.usage.total_tokens) == (9, 14, 23)
    assert told.model_extra == {"strand": REPORT}


async def test_a_response_that_reached_its_length_is_incomplete() -> None:
    async with official_client(node(decided(finish=FinishReason.LENGTH))) as client:
        told = await client.responses.create(model=MODEL, input="Hello", max_output_tokens=14)
        stream = await client.responses.create(model=MODEL, input="Hello", max_output_tokens=14, stream=True)
        last = [event async for event in stream][-1]
    assert told.status == "incomplete" and told.output_text == ANSWER
    assert told.incomplete_details is not None and told.incomplete_details.reason == "max_output_tokens"
    assert last.type == "response.incomplete" and last.response == told


async def test_a_streamed_response_tells_its_events_in_openais_order() -> None:
    async with official_client(node()) as client:
        whole = await client.responses.create(model=MODEL, input="Hello")
        events = [event async for event in await client.responses.create(model=MODEL, input="Hello", stream=True)]
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(9))
    assert events[-1].type == "response.completed" and events[-1].response == whole
    assert events[4].type == "response.output_text.delta" and events[4].delta == ANSWER


async def test_openais_helper_that_gathers_a_streamed_response_takes_it() -> None:
    async with official_client(node()) as client, client.responses.stream(model=MODEL, input="Hello") as stream:
        async for _ in stream:
            pass
        gathered = await stream.get_final_response()
    assert gathered.output_text == ANSWER


# -- what was found out ---


def phase(**changes: Any) -> RoundTesting:
    """The testing phase of a round with tests, in which all went well."""
    told: dict[str, Any] = {
        "findings": ("compiles", "tests"),
        "tests_digest": "7e" * 32,
        "tool_versions": "rustc 1.95.0 g1 x1",
        "testers": 5,
        "stages": 1,
        "reports": 3,
        "contradicted": (),
    }
    return RoundTesting(**{**told, **changes})


def found(status: CompileStatus = CompileStatus.COMPILES, tests: Checks | None = None, **changes: Any) -> Any:
    """Findings of one answer."""
    told: dict[str, Any] = {"reports": 3, "error": "", "lints": {"style": 2}, "unsafe": 0, "panics": 0}
    rest: dict[str, Any] = {"examples": None, "inputs": 64}
    return AnswerFindings(status=status, tests=tests, **{**told, **rest, **changes})


async def test_each_answer_has_its_findings_and_a_note() -> None:
    passes = found(tests=Checks(2, 0, 0), alike=(OPENED[0].answer_id,))
    fails = found(CompileStatus.FAILS, error="E0308", lints=None)
    ranking = (replace(RANKED[0], findings=passes), replace(RANKED[1], findings=found()))
    aside = SetAside("0c" * 32, "c3" * 32, fails)
    result = decided(ranking=ranking, set_aside=(aside,), testing=phase(), findings=passes)
    async with official_client(node(result)) as client:
        told = await client.chat.completions.create(model=MODEL, messages=HELLO)
    report = (told.model_extra or {})["strand"]
    best, second = report["ranking"]
    assert (best["findings"]["status"], best["findings"]["tests"]) == (
        "compiles",
        {"passed": 2, "failed": 0, "not_run": 0},
    )
    assert (best["findings"]["lints"], best["findings"]["alike"]) == ({"style": 2}, [OPENED[0].answer_id])
    assert (best["note"], second["note"]) == ("", UNTESTED)
    assert [(each["author"], each["note"]) for each in report["set_aside"]] == [("c3" * 32, "does not compile (E0308)")]
    assert report["testing"]["testers"] == 5


@pytest.mark.parametrize(
    ("findings", "tested", "note"),
    [
        (None, None, ""),
        (found(tests=Checks(2, 0, 0)), phase(), ""),
        (found(tests=Checks(1, 1, 0)), phase(), "fails 1 of your 2 tests"),
        (found(CompileStatus.FAILS), phase(), "does not compile"),
        (found(tests=Checks(1, 0, 1)), phase(), "is not known to pass your tests: 1 of 2 came to no result"),
        (found(), phase(tests_digest=""), ""),
        (found(CompileStatus.UNKNOWN, reports=0), phase(), "was not tested: too few tested it in time"),
        (None, phase(stages=0, reports=0), f"was not tested: {TOO_FEW}"),
        (None, phase(stages=0, reports=0, testers=0, tool_versions=""), f"was not tested: {NO_TOOLS}"),
    ],
)
async def test_a_note_says_what_speaks_against_an_answer(findings: Any, tested: RoundTesting | None, note: str) -> None:
    result = decided(ranking=(replace(RANKED[0], findings=findings),), testing=tested, findings=findings)
    async with http_client(node(result)) as http:
        response = await http.post("/v1/responses", json={"model": MODEL, "input": "Hello"})
    assert response.json()["strand"]["ranking"][0]["note"] == note


# -- rounds that did not go well ---


@pytest.mark.parametrize(
    "reason", [OutcomeReason.TOO_FEW_ANSWERS, OutcomeReason.TOO_FEW_JUDGES, OutcomeReason.LOW_CONFIDENCE]
)
async def test_a_degraded_outcome_is_the_best_guess_and_says_so(reason: OutcomeReason) -> None:
    """The node's own confidence_min may degrade a round, too: whoever asked for no limit gets the guess."""
    async with official_client(node(decided(Outcome.DEGRADED, reason))) as client:
        told = await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert told.choices[0].message.content == ANSWER
    report = (told.model_extra or {})["strand"]
    assert (report["outcome"], report["reason"]) == ("degraded", reason)


async def test_who_wants_confidence_gets_no_guess() -> None:
    strict = {"strand": {"min_confidence": 0.9}}
    async with official_client(node(decided(Outcome.DEGRADED, OutcomeReason.LOW_CONFIDENCE))) as client:
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            await client.chat.completions.create(model=MODEL, messages=HELLO, extra_body=strict)
        assert caught.value.code == "low_confidence" and caught.value.param == "strand.min_confidence"
        assert isinstance(caught.value.body, dict) and caught.value.body["strand"]["p_best"] == 0.8
        with pytest.raises(openai.APIError) as streamed:
            await chunks_of(client, extra_body=strict)
        assert streamed.value.code == "low_confidence" and streamed.value.body == caught.value.body
        events = [
            event
            async for event in await client.responses.create(model=MODEL, input="Hello", stream=True, extra_body=strict)
        ]
    assert [event.type for event in events] == ["response.created", "response.in_progress", "response.failed"]
    assert events[-1].type == "response.failed" and events[-1].response.error is not None
    # Another weakness than confidence is still the best guess.
    async with official_client(node(decided(Outcome.DEGRADED, OutcomeReason.TOO_FEW_JUDGES))) as client:
        told = await client.chat.completions.create(model=MODEL, messages=HELLO, extra_body=strict)
    assert told.choices[0].message.content == ANSWER


@pytest.mark.parametrize(
    ("p_correct", "figure"),
    [(0.75, "P(correct) is 0.75, calibrated"), (None, "P(best) is 0.80, uncalibrated")],
)
async def test_who_wants_more_confidence_is_told_the_figure_and_its_kind(p_correct: float | None, figure: str) -> None:
    result = decided(Outcome.DEGRADED, OutcomeReason.LOW_CONFIDENCE, p_correct=p_correct)
    async with official_client(node(result)) as client:
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            extra = {"strand": {"min_confidence": 0.9}}
            await client.chat.completions.create(model=MODEL, messages=HELLO, extra_body=extra)
    assert f"less sure than strand.min_confidence, 0.9: {figure}" in caught.value.message


FAILURES = [
    (a_round(decided(Outcome.FAILED, OutcomeReason.DECLINED)), 502, "round_failed", "the round failed: declined"),
    (a_round(decided(Outcome.FAILED, OutcomeReason.NO_ANSWERS)), 504, "round_timed_out", "no_answers"),
    (a_round(decided(Outcome.FAILED, OutcomeReason.NO_COMMITMENTS)), 504, "round_timed_out", "no_commitments"),
    ((ended(None, "rule X"),), 502, "round_lost", "the round is void: rule X"),
    ((), 502, "round_lost", "the node stopped"),
]


@pytest.mark.parametrize(("told", "status", "code", "words"), FAILURES)
async def test_a_round_without_an_answer_is_asked_once(told: Any, status: int, code: str, words: str) -> None:
    """OpenAI's client repeats every request that ends with 5xx twice, unless it is told not to."""
    rounds = TellingRounds(told)
    async with official_client(shown(rounds=rounds)) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert words in str(caught.value)
    assert len(rounds.asked) == 1


@pytest.mark.parametrize(("told", "status", "code", "words"), FAILURES)
async def test_a_stream_without_an_answer_ends_with_the_error(told: Any, status: int, code: str, words: str) -> None:
    assert status >= 500
    rounds = TellingRounds(told)
    async with official_client(shown(rounds=rounds)) as client:
        with pytest.raises(openai.APIError) as caught:
            await chunks_of(client)
    assert caught.value.code == code and words in str(caught.value)
    assert len(rounds.asked) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_trusted_question_where_nobody_is_named_is_asked_once(stream: bool) -> None:
    """The owner has to name somebody first: to wait for a second, as for other lacks of nodes, is no use."""
    refused = NobodyNamedError("nobody is named")
    rounds = TellingRounds(refusal=refused)
    async with official_client(shown(rounds=rounds)) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
    assert (caught.value.status_code, caught.value.code) == (503, "no_quorum")
    assert str(refused) in caught.value.message
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in caught.value.response.headers
    assert len(rounds.asked) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/completions"])
@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (TooBusyError("32 queries wait already", 5, 32), 503, "queue_full", "5"),
        (TooManyFollowedError("512 follow rounds already", 5), 503, "unavailable", "5"),
        (NoQuorumError("no node offers 'rust' now"), 503, "no_quorum", "1"),
        (StoppingError("this node is being stopped"), 503, "stopping", "5"),
        (NoDiskError("the disk is full"), 503, "disk_blocked", "1"),
        (TooLongError("the query has 9 bytes; this network takes 8"), 400, "context_length_exceeded", None),
        (AskError("the query is empty"), 400, "invalid_request", None),
    ],
)
async def test_a_round_that_does_not_begin_has_a_status_also_where_a_stream_is_asked_for(
    stream: bool, path: str, error: AskError, status: int, code: str | None, retry_after: str | None
) -> None:
    question = {"/v1/chat/completions": {"messages": HELLO}, "/v1/responses": {"input": "Hello"}}
    body = {"model": MODEL, "stream": stream, **question.get(path, {"prompt": "Hello"})}
    async with http_client(shown(rounds=TellingRounds(refusal=error))) as http:
        response = await http.post(path, json=body)
    told = response.json()["error"]
    assert (response.status_code, told["code"], told["message"]) == (status, code, str(error))
    assert response.headers.get("retry-after") == retry_after
    assert told.get("queue_position") == (33 if code == "queue_full" else None)
    assert ("x-should-retry" in response.headers) == (status == 400)
