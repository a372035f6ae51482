"""Each operation over a node in memory, and the OpenAPI document that describes them all."""

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import httpx2
import msgspec
import pytest
import trio
import trio.testing

from consensus.learning import experience
from node.api import engine as engine_api
from node.api import events
from node.api import operations as ops
from node.api import reputation as reputation_api
from node.api.operations import OPERATIONS, REFUSALS, Operation
from node.api.replays import Replay
from node.dashboard import dashboard
from node.http.openapi import document, field_descriptions
from node.http.places import READS_MAX
from node.inference import EngineInfo
from node.rounds.asking.errors import AskError, NoQuorumError
from protocol.types import Digest, Outcome, OutcomeReason
from tests.support.asking import question_body
from tests.support.declared import check_reply
from tests.support.http_server import app_of
from tests.support.shown import (
    KEY,
    QUERY,
    KeptHistory,
    KeptReplays,
    PausableServing,
    StillPeers,
    TellingRounds,
    http_client,
    shown,
)

A_ROUND = (
    events.Asked(query_id=QUERY.hex(), seq=1, members=("a1" * 32, "b2" * 32, "c3" * 32)),
    events.Progress(
        query_id=QUERY.hex(),
        seq=2,
        at_ms=1,
        phase="answering",
        wave=0,
        received=(),
        expected=("a1" * 32,),
        silent=(),
        refused={},
        declined={},
    ),
    events.Decided(
        query_id=QUERY.hex(),
        seq=3,
        at_ms=1,
        outcome=Outcome.DECIDED,
        reason=OutcomeReason.NONE,
        winner="d4" * 32,
        p_best=0.9,
        p_correct=None,
        answer="fn sum() {}",
    ),
    events.Certified(query_id=QUERY.hex(), seq=4, at_ms=2, outcome=Outcome.DECIDED, bytes=11),
    events.Ended(
        query_id=QUERY.hex(), seq=5, at_ms=3, role="requester", ending="finished", outcome=Outcome.DECIDED, fault=None
    ),
)

BODIES: dict[Operation[Any], Any] = {
    ops.ASK: question_body("Sum a slice.", task="final", audience="members"),
    ops.REPUTATION_IMPORT: {
        "format": reputation_api.FORMAT,
        "specialty": "rust",
        "standings": {KEY: {"rounds": 1, "judged": [1.0, 0.0, 0.0, 0.0]}},
    },
    ops.PAUSE: {"for_ms": 60_000},
    ops.CHAT: {"model": "strand-rust", "messages": [{"role": "user", "content": "Sum a slice."}]},
    ops.RESPONSES: {"model": "strand-rust", "input": "Sum a slice."},
    ops.COMPLETIONS: {"model": "strand-rust", "prompt": "Sum a slice."},
}


RAW_BODIES: dict[Operation[Any], bytes] = {ops.VERIFY: b"certificate", ops.REPLAY: b"certificate"}


async def call(http: httpx2.AsyncClient, operation: Operation[Any], body: Any = None) -> httpx2.Response:
    path = operation.path.replace("{query_id}", QUERY.hex()).replace("{key}", KEY)
    path = path.replace("{model}", "strand-rust").replace("{name}", next(iter(dashboard().assets)))
    if operation in RAW_BODIES:
        return await http.request(operation.method, path, content=RAW_BODIES[operation])
    return await http.request(operation.method, path, json=BODIES.get(operation, body))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
async def test_each_operation_replies_as_it_declares(operation: Operation[Any]) -> None:
    """The client's application asserts that status, type and fields are the declared ones."""
    rounds, history = TellingRounds(A_ROUND), KeptHistory(held={QUERY: b"certificate"})
    async with http_client(shown(rounds=rounds, history=history)) as http:
        response = await call(http, operation)
        assert response.status_code == (503 if operation is ops.READY else 200)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (418, {"error": "I am a teapot"}),
        (200, {"live": True, "surprise": 1}),
        (200, {"live": "yes"}),
        (200, {}),
        (500, {"why": "the wrong key"}),
    ],
)
def test_the_check_itself_refuses_what_is_not_declared(status: int, body: Any) -> None:
    with pytest.raises(AssertionError):
        check_reply("GET", "/health/live", status, "application/json", json.dumps(body).encode())


async def test_a_round_is_told_line_by_line() -> None:
    rounds = TellingRounds(A_ROUND)
    async with http_client(shown(rounds=rounds)) as http:
        response = await call(http, ops.ASK)
    events = [json.loads(line) for line in response.text.splitlines()]
    assert [event["event"] for event in events] == ["asked", "progress", "decided", "certified", "ended"]
    assert [event["at_ms"] for event in events] == [0, 1, 1, 2, 3]
    assert events[0]["query_id"] == QUERY.hex()
    assert len(events[0]["members"]) == 3
    assert rounds.asked == [msgspec.convert(BODIES[ops.ASK], type(rounds.asked[0]))]
    assert rounds.detailed == 0


async def test_a_round_is_told_with_its_details_to_whoever_asks_for_them() -> None:
    rounds = TellingRounds(A_ROUND)
    async with http_client(shown(rounds=rounds)) as http:
        response = await http.post("/api/ask?details=1", json=BODIES[ops.ASK])
    assert [msgspec.json.decode(line, type=events.RoundEvent) for line in response.text.splitlines()] == list(A_ROUND)
    assert rounds.detailed == 1


async def test_a_round_is_cancelled_by_its_id() -> None:
    rounds = TellingRounds()
    async with http_client(shown(rounds=rounds)) as http:
        response = await call(http, ops.CANCEL)
    assert response.json() == {"cancelled": True}
    assert rounds.cancelled == [QUERY]


@pytest.mark.parametrize(("error", "status"), [(NoQuorumError("nobody is there"), 503), (AskError("too long"), 400)])
async def test_a_question_that_begins_no_round_says_why(error: AskError, status: int) -> None:
    async with http_client(shown(rounds=TellingRounds(refusal=error))) as http:
        response = await call(http, ops.ASK)
    assert (response.status_code, response.json()) == (status, {"error": str(error)})


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/certificates/zz", 400, "64 hexadecimal digits"),
        (f"/api/certificates/{Digest(bytes(32)).hex()}", 404, "no such certificate"),
        ("/api/wait?offers=x", 400, "offers is an integer"),
        ("/api/rounds?task=cooking", 400, "task is one of code, final, open"),
        ("/api/rounds?limit=0", 400, "limit is an integer from 1 to 100"),
        ("/api/rounds?limit=1&limit=2", 400, "may be given once"),
        ("/api/rounds?search=" + 201 * "x", 400, "search has at most 200 characters"),
        ("/api/rounds?since_ms=99999999999999999", 400, "since_ms is an integer from 0"),
        ("/api/rounds?after=1.zz", 400, "after is what an earlier page has"),
        ("/api/certificates?after=x", 400, "after is what an earlier page has"),
        ("/api/certificates?limit=0", 400, "limit is an integer from 1 to 100"),
        ("/api/events?round=zz", 400, "64 hexadecimal digits"),
        ("/api/rounds/zz", 400, "64 hexadecimal digits"),
        (f"/api/rounds/{Digest(bytes(32)).hex()}", 404, "no such round"),
        ("/api/rounds/zz/answers", 400, "64 hexadecimal digits"),
        ("/api/reputation/zz", 400, "a key is 64 hexadecimal digits"),
        (f"/api/rounds/{Digest(bytes(32)).hex()}/answers", 404, "no such round"),
        (f"/api/rounds/{Digest(bytes(32)).hex()}/replay", 404, "no such round"),
        ("/api/wait?surprise=1", 400, "this takes offers, timeout_ms"),
        ("/api/nothing", 404, "Not Found"),
        ("/api/pause", 405, "Method Not Allowed"),
    ],
)
async def test_what_is_not_there_is_one_line(path: str, status: int, words: str) -> None:
    async with http_client(shown()) as http:
        response = await http.get(path)
    assert response.status_code == status
    assert words in response.json()["error"]


@pytest.mark.parametrize("body", [b"{}", b"[", b"\xff", b"[" * 60_000, b'{"turns": ' + b"[" * 60_000, b'{"q": 1}'])
async def test_a_body_that_is_no_question_begins_no_round(body: bytes) -> None:
    rounds = TellingRounds()
    async with http_client(shown(rounds=rounds)) as http:
        response = await http.post("/api/ask", content=body)
    assert response.status_code == 400
    assert response.json()["error"].startswith("not a question: ")
    assert rounds.asked == []


@pytest.mark.parametrize("path", ["/api/verify", "/api/replay"])
async def test_nothing_is_no_certificate(path: str) -> None:
    async with http_client(shown()) as http:
        response = await http.post(path, content=b"")
    assert (response.status_code, response.json()) == (400, {"error": "no certificate: it is empty"})


async def test_the_course_of_what_does_not_hold_is_refused_with_the_rule() -> None:
    async with http_client(shown()) as http:
        response = await http.post("/api/replay", content=b"broken")
    why = "the certificate does not hold: malformed (rule P1): truncated"
    assert (response.status_code, response.json()) == (400, {"error": why})


class SlowReplays(KeptReplays):
    async def replay(self, _: Digest) -> Replay | None:
        await trio.sleep_forever()
        return None


async def test_no_more_are_read_at_once_than_have_a_place() -> None:
    path = f"/api/rounds/{QUERY.hex()}"
    async with http_client(shown(replays=SlowReplays())) as http, trio.open_nursery() as nursery:
        for _ in range(READS_MAX):
            nursery.start_soon(http.get, f"{path}/replay")
        await trio.testing.wait_all_tasks_blocked()
        replies = [await http.get(path + end) for end in ("", "/answers", "/replay")]
        replies.append(await http.post("/api/replay", content=b"certificate"))
        replies.append(await http.get(f"/api/reputation/{KEY}"))
        nursery.cancel_scope.cancel()
    assert {(each.status_code, each.headers["retry-after"]) for each in replies} == {(503, "1")}


async def test_waiting_ends_with_the_offers_or_the_time() -> None:
    async with http_client(shown(peers=StillPeers(offers=3))) as http:
        for offers in (3, 4):
            response = await http.get("/api/wait", params={"offers": offers, "timeout_ms": 0})
            assert response.json() == {"offers": 3}


async def test_a_pause_needs_no_body() -> None:
    serving = PausableServing()
    async with http_client(shown(serving=serving)) as http:
        for body in (b"", b"{}", b'{"for_ms": 5}'):
            assert (await http.post("/api/pause", content=body)).status_code == 200
        for body in (b"null", b'{"for_ms": 0}', b'{"for_ms": 99999999999999}', b'{"until": 1}'):
            assert (await http.post("/api/pause", content=body)).status_code == 400
        assert serving.pauses == [None, None, 5]
        await http.post("/api/resume")
    assert serving.pauses == []


# -- the document ---


def references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for each in value.values():
                yield from references(each)
        case list():
            for each in value:
                yield from references(each)


async def test_the_document_is_served_and_describes_what_is_routed() -> None:
    async with http_client(shown()) as http:
        served = (await http.get("/api/openapi.json")).json()
    assert served == json.loads(json.dumps(document()))
    assert served["openapi"] == "3.1.0"
    assert served["servers"] == [{"url": "/"}], "the node may have any port, and a proxy in front"
    routed = {
        (route.path, method)  # type: ignore[attr-defined]
        for route in app_of(shown()).routes
        for method in (route.methods or set()) - {"HEAD"}  # type: ignore[attr-defined]
    }
    described = {(path, method.upper()) for path, methods in served["paths"].items() for method in methods}
    assert described == routed == {(each.path, each.method) for each in OPERATIONS}
    schemas = served["components"]["schemas"]
    assert {reference.rpartition("/")[2] for reference in references(served)} <= schemas.keys()


def test_the_document_tells_which_streams_end_in_a_word() -> None:
    ending = {
        f"{method} {path}"
        for path, methods in document()["paths"].items()
        for method, told in methods.items()
        if "[DONE]" in json.dumps(told)
    }
    assert ending == {"post /v1/chat/completions", "post /v1/completions"}


def test_every_operation_declares_every_refusal_and_has_a_name_of_its_own() -> None:
    told = [each for methods in document()["paths"].values() for each in methods.values()]
    assert len({each["operationId"] for each in told}) == len(told) == len(OPERATIONS)
    for each in told:
        assert {str(status) for status in (200, *REFUSALS)} <= each["responses"].keys()
        assert each["summary"].endswith(".")


def test_every_field_and_type_is_described() -> None:
    """Each description is the string beneath the field in the source."""
    for name, schema in document()["components"]["schemas"].items():
        assert schema.get("description", "").endswith("."), name
        for field, told in schema.get("properties", {}).items():
            # The name of an event's kind is described by its class.
            assert told.keys() == {"enum"} or told.get("description", "").endswith("."), f"{name}.{field}"
    assert field_descriptions(ops.PAUSE.body.type) == {"for_ms": "Length of the pause, ms; at most a year."}  # type: ignore[union-attr]


def test_limits_of_input_stand_in_the_document() -> None:
    schemas = document()["components"]["schemas"]
    assert schemas["Question"]["additionalProperties"] is False
    assert schemas["Question"]["required"] == ["turns"]
    assert schemas["Question"]["properties"]["confidence_min"]["anyOf"][0] == {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
    }
    listed = {each["name"]: each["schema"] for each in document()["paths"]["/api/rounds"]["get"]["parameters"]}
    assert listed["limit"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert listed["outcome"] == {"type": "string", "enum": ["decided", "degraded", "failed"]}
    assert listed["search"]["maxLength"] == 200
    assert schemas["Exported"]["properties"]["standings"]["maxProperties"] == reputation_api.STANDINGS_MAX


def test_what_is_said_twice_is_the_same() -> None:
    assert reputation_api.STANDINGS_MAX == experience.STANDINGS_MAX
    assert [each.name for each in fields(EngineInfo)] == list(engine_api.Probe.__struct_fields__)
