"""Requests in OpenAI's forms: what is honoured, what is ignored, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import httpx2
import msgspec
import openai
import pytest
from openai.types import completion_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params

from node.api.asking import Question
from node.api.conversation import Audience, Turn
from node.api.openai.chat import CHAT_FIELDS, COMPLETION_FIELDS, ChatRequest, CompletionRequest
from node.api.openai.common import FieldRules
from node.api.openai.responses import RESPONSE_FIELDS, ResponseRequest
from node.config import ApiTable
from node.config.tables import ApiKeyTable
from node.http.openai.requests import IGNORED_MAX
from protocol.types import TaskType, TurnRole
from tests.support.openai_rounds import a_round, official_client
from tests.support.shown import TellingRounds, http_client, shown

HELLO = [{"role": "user", "content": "Hello"}]
HELLO_TURNS = [{"role": "user", "text": "Hello"}]
BASICS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "strand-rust", "messages": HELLO},
    "/v1/responses": {"model": "strand-rust", "input": "Hello"},
    "/v1/completions": {"model": "strand-rust", "prompt": "Hello"},
}
RULES = {
    "/v1/chat/completions": (ChatRequest, CHAT_FIELDS, chat_create_params.CompletionCreateParamsStreaming),
    "/v1/responses": (ResponseRequest, RESPONSE_FIELDS, response_create_params.ResponseCreateParamsStreaming),
    "/v1/completions": (CompletionRequest, COMPLETION_FIELDS, completion_create_params.CompletionCreateParamsStreaming),
}
PATHS = sorted(BASICS)
A_TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}


async def post(path: str, body: Any, rounds: TellingRounds | None = None) -> httpx2.Response:
    async with http_client(shown(rounds=rounds or TellingRounds(a_round()))) as http:
        return await http.post(path, json=body)


async def asked(path: str, **changes: Any) -> Question:
    """The question that a request makes."""
    rounds = TellingRounds(a_round())
    response = await post(path, {**BASICS[path], **changes}, rounds)
    assert response.status_code == 200, response.text
    return rounds.asked[0]


@pytest.mark.parametrize("path", PATHS)
def test_each_field_of_openais_package_is_honoured_or_ignored_or_refused(path: str) -> None:
    """A newer package with a new field fails here: decide which of the three it is."""
    body, rules, params = RULES[path]
    honoured = {field.encode_name for field in msgspec.structs.fields(body)} - {"strand"}
    assert not (honoured & rules.refused.keys() or honoured & rules.ignored or rules.ignored & rules.refused.keys())
    assert honoured | rules.refused.keys() | rules.ignored == get_type_hints(params).keys()


@pytest.mark.parametrize("path", PATHS)
def test_the_guide_names_each_field(path: str) -> None:
    body, rules, _ = RULES[path]
    guide = (Path(__file__).parents[5] / "docs" / "how-to" / "openai.md").read_text()
    names = {*(field.encode_name for field in msgspec.structs.fields(body)), *rules.refused, *rules.ignored}
    assert {name for name in names if f"`{name}" not in guide} == set()


def refused_fields(path: str) -> list[tuple[str, str]]:
    return [(path, name) for name in RULES[path][1].refused]


@pytest.mark.parametrize(("path", "name"), [each for path in PATHS for each in refused_fields(path)])
async def test_what_is_not_supported_is_refused_by_name(path: str, name: str) -> None:
    rounds = TellingRounds(a_round())
    response = await post(path, {**BASICS[path], name: {"something": [1]}}, rounds)
    idle = " or ".join(msgspec.json.encode(value).decode() for value in RULES[path][1].refused[name])
    what = f"{name} other than {idle}" if idle else name
    assert response.status_code == 400
    assert response.json() == {
        "error": {
            "message": f"{what} is not supported here",
            "type": "invalid_request_error",
            "param": name,
            "code": "unsupported_parameter",
        }
    }
    assert rounds.asked == []


@pytest.mark.parametrize("path", PATHS)
async def test_a_refused_field_that_asks_for_nothing_passes(path: str) -> None:
    rules: FieldRules = RULES[path][1]
    for name, idle in rules.refused.items():
        for value in (None, *idle):
            response = await post(path, {**BASICS[path], name: value})
            assert response.status_code == 200, (name, value, response.text)
            assert response.json()["strand"]["ignored"] == []


@pytest.mark.parametrize(
    ("path", "change", "param", "words"),
    [
        ("/v1/chat/completions", {"n": 2}, "n", "n other than 1 is not supported here"),
        ("/v1/chat/completions", {"n": True}, "n", "n other than 1 is not supported here"),
        ("/v1/chat/completions", {"tools": [A_TOOL]}, "tools", "tools other than [] is not supported"),
        (
            "/v1/chat/completions",
            {"tool_choice": "required"},
            "tool_choice",
            'tool_choice other than "none" or "auto" is not supported',
        ),
        (
            "/v1/chat/completions",
            {"response_format": {"type": "json_object"}},
            "response_format",
            'response_format other than {"type":"text"} is not supported',
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "tool", "content": "7", "tool_call_id": "1"}]},
            "messages[0].role",
            "the role 'tool' is not supported",
        ),
        (
            "/v1/chat/completions",
            {"messages": [*HELLO, {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]},
            "messages[1].tool_calls",
            "tool_calls is not supported",
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
            "messages[0].content",
            "parts of type 'image_url' are not supported",
        ),
        ("/v1/responses", {"text": {"format": {"type": "json_schema"}}}, "text.format", "text.format is not supported"),
        (
            "/v1/responses",
            {"input": [{"type": "function_call_output", "call_id": "1", "output": "7"}]},
            "input[0]",
            "items of type 'function_call_output' are not supported",
        ),
        (
            "/v1/responses",
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}]},
            "input[0].content",
            "parts of type 'input_image' are not supported",
        ),
        ("/v1/completions", {"prompt": ["one", "two"]}, "prompt", "prompt holds 2 questions"),
    ],
)
async def test_what_is_inside_of_a_field_is_refused_by_name_too(
    path: str, change: dict[str, Any], param: str, words: str
) -> None:
    response = await post(path, {**BASICS[path], **change})
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (400, param, "unsupported_parameter")
    assert error["message"].startswith(words)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [{"content": "no role"}]}, "messages"),
        ({"model": 7}, "model"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"strand": {"surprise": 1}}, "strand"),
        ({"strand": {"audience": "everybody"}}, "strand"),
        ({"strand": {"min_confidence": 1.5}}, "strand"),
        ({"strand": {"pairs_per_judge": 0}}, "strand"),
    ],
)
async def test_a_wrong_value_is_refused_with_the_name_of_its_field(change: dict[str, Any], param: str | None) -> None:
    response = await post("/v1/chat/completions", {**BASICS["/v1/chat/completions"], **change})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, "invalid_request")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("findings", [None, [], ["compiles"], ["behaviour", "lint", "examples", "compiles"]])
async def test_a_request_names_the_findings_as_a_question_does(path: str, findings: list[str] | None) -> None:
    told = msgspec.convert({"turns": [], "findings": findings}, Question).findings
    assert (await asked(path, strand={"findings": findings})).findings == told
    assert (await asked(path, strand={})).findings is None


@pytest.mark.parametrize("findings", ["lint", ["speed"], [1], ["lint"] * 5, {"lint": True}])
async def test_other_findings_are_refused_in_one_line_that_says_what_there_is(findings: Any) -> None:
    bodies = {path: {**body, "strand": {"findings": findings}} for path, body in BASICS.items()}
    bodies["/api/ask"] = {"turns": HELLO_TURNS, "findings": findings}
    for path, body in bodies.items():
        rounds = TellingRounds()
        error = (await post(path, body, rounds)).json()["error"]
        line = error if isinstance(error, str) else error["message"]
        assert ": findings are a list of compiles, lint, examples, behaviour, each at most once - at `$." in line
        assert "\n" not in line and rounds.asked == []
        assert isinstance(error, str) or (error["param"], error["code"]) == ("strand", "invalid_request")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"[", b"\xff", b"[" * 60_000, b'{"x": ' + b"[" * 60_000, b'{"model": "\\ud800"}']
)
async def test_what_is_no_request_asks_nothing(path: str, body: bytes) -> None:
    rounds = TellingRounds()
    async with http_client(shown(rounds=rounds)) as http:
        response = await http.post(path, content=body)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("no request for a ")
    assert rounds.asked == []


HALF = "a text has half of a surrogate pair, which is no character"


@pytest.mark.parametrize(
    ("field", "line"),
    [
        (rb'"stop":"\ud83d"', HALF),
        (rb'"stop":"\ud83d and more text"', HALF),
        (rb'"stop":"\\\ud83d\u0041"', HALF),
        (rb'"stop":"\udc00"', HALF),
        (b'"stop":"\xf0\x9f"', "it is not UTF-8 (byte 78)"),
        # These are another fault's: a pair, and the text \\ud83d.
        (rb'"stop":"\ud83d\ude00', "Input data was truncated"),
        (rb'"stop":"\u12', "Input data was truncated"),
        (rb'"stop":"\\ud83d' + b"\\" * 64, "Input data was truncated"),
        (rb'"stop":"\\ud83d', "Input data was truncated"),
    ],
)
async def test_a_body_that_is_no_text_says_what_is_wrong_with_it(field: bytes, line: str) -> None:
    path = "/v1/chat/completions"
    whole = with_field(path, field)
    async with http_client(shown(rounds=TellingRounds())) as http:
        response = await http.post(path, content=whole[:-1] if "truncated" in line else whole)
    assert response.json()["error"]["message"] == f"no request for a chat completion: {line}"


@pytest.mark.parametrize("path", ["/v1/", "/v1/chat", "/v1/embeddings", "/v1/v1/models", "/v1/models/"])
async def test_an_unknown_path_is_told_which_there_are(path: str) -> None:
    async with http_client(shown()) as http:
        response = await http.post(path, json={})
    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("not_found", None)
    assert error["message"] == (
        "no such path; below /v1 there are /v1/models, /v1/models/{model}, /v1/chat/completions, /v1/responses, "
        "/v1/completions"
    )


def with_field(path: str, field: bytes) -> bytes:
    """The bytes of a request with one more field."""
    return msgspec.json.encode(BASICS[path])[:-1] + b"," + field + b"}"


DEEP = b"[" * 990 + b"]" * 990
NO_VALUES = [b"1e999", b"-1e999", b"9" * 5_000, b"9" * 30, b'{"a":1e999}', b"[1e999]", DEEP]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", NO_VALUES, ids=lambda value: value[:12].decode())
async def test_a_refused_field_with_a_value_that_python_has_not_is_refused_by_name(path: str, value: bytes) -> None:
    rounds = TellingRounds()
    async with http_client(shown(rounds=rounds)) as http:
        for name in RULES[path][1].refused:
            response = await http.post(path, content=with_field(path, b'"%s":%s' % (name.encode(), value)))
            assert response.status_code == 400, (name, response.text)
            # The decoder may stop at the brackets before any name is looked at.
            assert value is DEEP or response.json()["error"]["code"] == "unsupported_parameter"
            assert value is DEEP or response.json()["error"]["param"] == name
    assert rounds.asked == []


@pytest.mark.parametrize("path", PATHS)
async def test_bytes_that_are_no_utf_8_are_refused_wherever_they_stand(path: str) -> None:
    rounds = TellingRounds()
    names = {name.encode() for name in (*RULES[path][1].refused, *RULES[path][1].ignored, "stop", "surprise")}
    fields = [b'"\xff":1', b'"\xed\xa0\x80":1', *(b'"%s":"\xff"' % name for name in names)]
    async with http_client(shown(rounds=rounds)) as http:
        for field in fields:
            response = await http.post(path, content=with_field(path, field))
            assert response.status_code == 400, (field, response.text)
            assert response.json()["error"]["message"].startswith("no request for a ")
    assert rounds.asked == []


@pytest.mark.parametrize("path", PATHS)
async def test_brackets_of_any_depth_are_refused_or_ignored(path: str) -> None:
    """Around the depth where the decoder stops, which depends on how deep its caller stands."""
    async with http_client(shown(rounds=TellingRounds(a_round()))) as http:
        for depth in range(880, 1_010):
            brackets = b"[" * depth + b"]" * depth
            for name in (b"surprise", b"logit_bias", b"include"):
                response = await http.post(path, content=with_field(path, b'"%s":%s' % (name, brackets)))
                assert response.status_code in {200, 400}, (depth, name, response.text)


async def test_fields_that_change_nothing_are_named_in_the_reply() -> None:
    path = "/v1/chat/completions"
    response = await post(path, {**BASICS[path], "temperature": 0.2, "seed": 7, "keep_alive": "5m"})
    assert response.json()["strand"]["ignored"] == ["keep_alive", "seed", "temperature"]
    response = await post(path, {**BASICS[path], **{f"x{number}" + "y" * 99: 1 for number in range(99)}})
    ignored = response.json()["strand"]["ignored"]
    assert len(ignored) == IGNORED_MAX and all(len(name) == 64 for name in ignored)


async def test_a_conversation_becomes_turns() -> None:
    parts = [{"type": "text", "text": "Sum "}, {"type": "text", "text": "it."}]
    question = await asked(
        "/v1/chat/completions",
        messages=[
            {"role": "system", "content": "Be short."},
            {"role": "developer", "content": "Use iterators."},
            {"role": "user", "content": "A slice.", "name": "ann"},
            {"role": "assistant", "content": "What of it?", "tool_calls": []},
            {"role": "user", "content": parts},
        ],
    )
    assert question.turns == (
        Turn(TurnRole.SYSTEM, "Be short."),
        Turn(TurnRole.SYSTEM, "Use iterators."),
        Turn(TurnRole.USER, "A slice."),
        Turn(TurnRole.ASSISTANT, "What of it?"),
        Turn(TurnRole.USER, "Sum it."),
    )
    question = await asked(
        "/v1/responses",
        instructions="Be short.",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "A slice."}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "What of it?"}]},
            {"role": "user", "content": "Sum it."},
        ],
    )
    assert [(turn.role, turn.text) for turn in question.turns] == [
        ("system", "Be short."),
        ("user", "A slice."),
        ("assistant", "What of it?"),
        ("user", "Sum it."),
    ]
    stopped = [*HELLO, {"role": "assistant", "content": ""}, {"role": "system", "content": None}, *HELLO]
    assert (await asked("/v1/chat/completions", messages=stopped)).turns == (Turn(TurnRole.USER, "Hello"),) * 2
    # Whether a user's may be blank is the round's decision.
    blank = [{"role": "user", "content": []}]
    assert (await asked("/v1/chat/completions", messages=blank)).turns == (Turn(TurnRole.USER, ""),)
    assert (await asked("/v1/completions", prompt=["Hello"])).turns == (Turn(TurnRole.USER, "Hello"),)


async def test_settings_of_the_round_reach_it() -> None:
    options = {
        "task": "final",
        "audience": "members",
        "min_confidence": 0.5,
        "pairs_per_judge": 2,
        "allow_secrets": True,
    }
    question = await asked("/v1/chat/completions", max_tokens=7, max_completion_tokens=9, strand=options)
    assert question == Question(
        (Turn(TurnRole.USER, "Hello"),),
        TaskType.FINAL,
        audience=Audience.MEMBERS,
        allow_secrets=True,
        max_tokens=9,
        pairs_per_judge=2,
        confidence_min=0.5,
    )
    assert (await asked("/v1/chat/completions", max_tokens=7)).max_tokens == 7
    assert (await asked("/v1/responses", max_output_tokens=8)).max_tokens == 8
    assert (await asked("/v1/completions", max_tokens=6)).max_tokens == 6


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("model", "requested", "expected"),
    [
        ("strand-rust", None, "trusted"),
        ("strand-rust", "public", "public"),
        ("strand-rust:members", None, "members"),
        ("strand-rust:members", "trusted", "trusted"),
        ("strand-rust:public", None, "public"),
    ],
)
async def test_the_audience_is_the_requests_else_the_models_else_the_faces(
    path: str, model: str, requested: str | None, expected: str
) -> None:
    strand = {} if requested is None else {"strand": {"audience": requested}}
    assert (await asked(path, model=model, **strand)).audience == expected


async def test_a_keys_audience_is_that_of_the_plain_model() -> None:
    rounds = TellingRounds(a_round())
    keys = {"editor": ApiKeyTable("a token of the editor", Audience.MEMBERS)}
    async with official_client(shown(rounds=rounds), api=ApiTable(keys=keys), key="a token of the editor") as client:
        for model in ("strand-rust", "strand-rust:public"):
            await client.completions.create(model=model, prompt="Hello")
        plain = await client.models.retrieve("strand-rust")
        assert (plain.model_extra or {})["strand"]["audience"] == "members"
    assert [question.audience for question in rounds.asked] == ["members", "public"]


async def test_models_are_the_specialty_with_and_without_an_audience() -> None:
    async with official_client(shown(), audience=Audience.MEMBERS) as client:
        listed = [model async for model in client.models.list()]
        assert [model.id for model in listed] == [
            "strand-rust",
            "strand-rust:trusted",
            "strand-rust:members",
            "strand-rust:public",
        ]
        assert listed[0].model_extra == {"strand": {"specialty": "rust", "audience": "members"}}
        for each in listed:
            assert await client.models.retrieve(each.id) == each
        for name in ("gpt-6", "strand-rust:everybody", "strand", "strand-rust:"):
            with pytest.raises(openai.NotFoundError) as caught:
                await client.models.retrieve(name)
            assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("path", PATHS)
async def test_an_unknown_model_asks_nobody(path: str) -> None:
    rounds = TellingRounds(a_round())
    response = await post(path, {**BASICS[path], "model": "gpt-6"}, rounds)
    assert response.status_code == 404
    assert response.json()["error"] == {
        "message": "no model 'gpt-6'; this node has strand-rust, strand-rust:trusted, strand-rust:members, "
        "strand-rust:public",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert rounds.asked == []


@pytest.mark.parametrize("path", ["/v1/models", *PATHS])
async def test_a_nodes_engine_is_refused(path: str) -> None:
    """Nodes that use each other as engines would multiply one question without end."""
    rounds = TellingRounds(a_round())
    async with http_client(shown(rounds=rounds)) as http:
        response = await http.request(
            "POST" if path in BASICS else "GET", path, json=BASICS.get(path), headers={"Strand-Hops": "1"}
        )
    assert (response.status_code, response.json()["error"]["code"]) == (508, "hop_refused")
    assert response.headers["x-should-retry"] == "false"
    assert rounds.asked == []
