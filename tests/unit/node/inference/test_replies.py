"""Replies of OpenAI-compatible servers: both good shapes, and that nothing is guessed from bad ones."""

import math
from dataclasses import replace
from typing import Any

import pytest

from node.inference.ports import CacheCounts, Completion
from node.inference.replies import (
    ListedModel,
    count_logprobs,
    parse_cache,
    parse_choice,
    parse_completion,
    parse_logprob_preference,
    parse_models,
    parse_text_preference,
)
from protocol.types import FinishReason, TokenSource

GOOD = {
    "choices": [{"message": {"content": "text"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}


def chat_shape(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    top = [{"token": token, "logprob": logprob} for token, logprob in pairs]
    return {"choices": [{"logprobs": {"content": [{"token": "A", "top_logprobs": top}]}}]}


def legacy_shape(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"choices": [{"logprobs": {"tokens": [" A"], "top_logprobs": [dict(pairs)]}}]}


@pytest.mark.parametrize("shape", [chat_shape, legacy_shape])
def test_mass_of_a_letter_is_summed_over_its_spellings(shape: Any) -> None:
    reply = shape((" A", math.log(0.5)), ("A", math.log(0.1)), (" B", math.log(0.2)), ("The", math.log(0.1)))
    assert parse_logprob_preference(reply) == pytest.approx(0.6 / 0.8)


@pytest.mark.parametrize("shape", [chat_shape, legacy_shape])
def test_a_letter_that_is_not_listed_has_no_mass(shape: Any) -> None:
    assert parse_logprob_preference(shape((" B", -0.01))) == 0.0


@pytest.mark.parametrize("shape", [chat_shape, legacy_shape])
def test_letters_with_hardly_any_mass_are_an_abstention(shape: Any) -> None:
    assert parse_logprob_preference(shape(("<think>", -0.01), (" A", math.log(0.03)), (" B", math.log(0.01)))) is None


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"logprobs": None}]},
        {"choices": [{"logprobs": {"content": []}}]},
        {"choices": [{"logprobs": {"content": [{"top_logprobs": {"A": -0.1}}]}}]},
        {"choices": [{"logprobs": {"top_logprobs": [None]}}]},
        {"choices": [{"logprobs": {"top_logprobs": {"A": -0.1}}}]},
        chat_shape((" A", "-0.1"), (" B", None)),
        chat_shape((" A", True), (" B", False)),
        chat_shape((" A", math.nan), (" B", math.inf)),
        chat_shape((" A", 5.0)),
        chat_shape((" A", -(10**400))),
        chat_shape((7, -0.1)),
        chat_shape(("A", -0.1), (" A", -0.1)),
    ],
)
def test_wrong_logprobs_are_an_abstention(reply: dict[str, Any]) -> None:
    assert parse_logprob_preference(reply) is None


def test_logprobs_are_seen_whatever_the_tokens() -> None:
    assert count_logprobs(chat_shape(("hello", -0.1), ("you", -2.0))) == 2
    assert count_logprobs({"choices": [{"logprobs": None}]}) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", "A"),
        (" B\n", "B"),
        ('{\n    "choice" : "B"\n}', "B"),
        ("", None),
        ("AB", None),
        ("A is", None),
        ('{"choice": "C"}', None),
        ('{"choice": ["A"]}', None),
        ('{"choice": {"A": 1}}', None),
        ('{"choice": "A", "or": "B"}', None),
        ('["A"]', None),
        ("[" * 100_000, None),
    ],
)
def test_a_choice_is_read_where_the_constraint_held(text: str, expected: str | None) -> None:
    assert parse_choice(text, ("A", "B")) == expected


@pytest.mark.parametrize(
    ("cached", "expected"),
    [
        (7, CacheCounts(9, 7)),
        (0, CacheCounts(9, 0)),
        (9, CacheCounts(9, 9)),
        (10, None),
        (True, None),
        (-1, None),
        (7.0, None),
        (None, None),
    ],
)
def test_cached_tokens_are_read_where_they_are_told(cached: Any, expected: CacheCounts | None) -> None:
    usage = {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": cached}}
    assert parse_cache({"usage": usage}) == expected


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens_details": None}, {"prompt_tokens_details": {"cached_tokens": 1}}, {"prompt_tokens": 1}],
)
def test_a_usage_without_cached_tokens_tells_nothing(usage: Any) -> None:
    assert parse_cache({"usage": usage}) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("A", 1.0), (" B\n", 0.0), ("**A**.", 1.0), ('"B"', 0.0), ("Answer A", 1.0)]
)
def test_a_letter_alone_is_a_preference(text: str, expected: float) -> None:
    assert parse_text_preference(text) == expected


@pytest.mark.parametrize("text", ["", "A better one is", "AB", "A or B", "Both", "a", "B, because", "Answer"])
def test_other_text_is_an_abstention(text: str) -> None:
    assert parse_text_preference(text) is None


def completion(reply: dict[str, Any], tokens_max: int = 8) -> Completion:
    return parse_completion(reply, tokens_max=tokens_max, prompt_bytes=40)


def test_a_completion_is_read() -> None:
    assert completion(GOOD) == Completion("text", FinishReason.STOP, 3, 2)


def test_lone_surrogates_become_encodable() -> None:
    reply = GOOD | {"choices": [{"message": {"content": "x\ud800"}, "finish_reason": "length"}]}
    assert completion(reply).text.encode() == b"x?"


def choice(content: Any, finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}


TOLD = {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}
FULL = {"usage": {"prompt_tokens": 3, "completion_tokens": 8}}
X = Completion("x", FinishReason.STOP, 3, 2)
GUESSED = Completion("x", FinishReason.STOP, 11, 1, TokenSource.ESTIMATE)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        # Why it ended: one of the two words, else what the tokens say.
        (choice("x", None) | TOLD, X),
        ({"choices": [{"message": {"content": "x"}}]} | TOLD, X),
        (choice("x", "") | TOLD, X),
        (choice("x", "eos_token") | TOLD, X),
        (choice("x", "STOP") | TOLD, X),
        (choice("x", "tool_calls") | TOLD, X),
        (choice("x", 7) | TOLD, X),
        (choice("x", ["stop"]) | TOLD, X),
        (choice("x", None) | FULL, replace(X, finish=FinishReason.LENGTH, answer_tokens=8)),
        (choice("x", "MAX_TOKENS") | FULL, replace(X, finish=FinishReason.LENGTH, answer_tokens=8)),
        (choice("x", "eos_token") | FULL, replace(X, finish=FinishReason.LENGTH, answer_tokens=8)),
        (choice("x", "Length") | TOLD, replace(X, finish=FinishReason.LENGTH)),
        (choice("x", "stop") | FULL, replace(X, answer_tokens=8)),
        # Counts: what is not told is estimated, and marked so.
        (choice("x", None), GUESSED),
        (choice("x"), GUESSED),
        (choice("x") | {"usage": None}, GUESSED),
        (choice("x") | {"usage": {}}, GUESSED),
        (choice("x") | {"usage": [3, 2]}, GUESSED),
        (choice("x") | {"usage": {"prompt_tokens": 3}}, replace(GUESSED, prompt_tokens=3)),
        (choice("x") | {"usage": {"completion_tokens": 2}}, replace(GUESSED, answer_tokens=2)),
        (choice("x") | {"usage": {"prompt_tokens": 3.0, "completion_tokens": 2.0}}, X),
        (choice("x") | {"usage": {"prompt_tokens": 3, "completion_tokens": 1.5}}, replace(GUESSED, prompt_tokens=3)),
        (choice("x") | {"usage": {"prompt_tokens": float("nan"), "completion_tokens": float("inf")}}, GUESSED),
        (choice("x") | {"usage": {"prompt_tokens": 3, "completion_tokens": -1}}, replace(GUESSED, prompt_tokens=3)),
        (choice("x") | {"usage": {"prompt_tokens": True, "completion_tokens": 2}}, replace(GUESSED, answer_tokens=2)),
        (choice("x") | {"usage": {"prompt_tokens": 3, "completion_tokens": 2**40}}, replace(GUESSED, prompt_tokens=3)),
        (choice("x" * 29, None), replace(GUESSED, text="x" * 29, answer_tokens=8, finish=FinishReason.LENGTH)),
        # The text: whole, as parts, as a raw completion has it, or not there yet.
        (choice([{"type": "text", "text": "x"}]) | TOLD, X),
        (choice([{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]) | TOLD, replace(X, text="xy")),
        (choice([{"type": "output_text", "text": "x"}, {"type": "text", "text": 7}, 8]) | TOLD, X),
        (
            choice([{"type": "thinking", "thinking": []}, {"type": "text", "text": "x"}]) | TOLD,
            replace(X, reasoned=True),
        ),
        ({"choices": [{"text": "x", "finish_reason": "stop"}]} | TOLD, X),
        (choice(None, reasoning_content="hm") | TOLD, replace(X, text="", reasoned=True)),
        (choice(None, reasoning="hm") | TOLD, replace(X, text="", reasoned=True)),
        (choice("", reasoning="hm") | TOLD, replace(X, text="", reasoned=True)),
        (choice("x", reasoning_content=None) | TOLD, X),
        (
            choice(None, "length", reasoning_content="h" * 12),
            Completion("", FinishReason.LENGTH, 11, 4, TokenSource.ESTIMATE, True),
        ),
    ],
)
def test_only_the_text_is_needed(reply: dict[str, Any], expected: Completion) -> None:
    assert completion(reply) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choices": []}, "without choices"),
        ({"choices": [{"finish_reason": "stop"}]}, "without message.content"),
        (choice(None), "without message.content"),
        (choice([{"type": "image_url"}]), "without message.content"),
        (choice(None, "tool_calls", tool_calls=[{"id": "1"}]), "without message.content"),
        (choice("x", "content_filter"), "content_filter"),
    ],
)
def test_a_reply_without_a_text_says_what_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        completion(GOOD | change)


def test_models_with_the_context_of_vllm_and_of_llama_cpp() -> None:
    data = [
        {"id": "v", "max_model_len": 2048},
        {"id": "l", "meta": {"n_ctx": 4096}},
        {"id": "o"},
        {"id": 3},
        {"id": "\ud800"},
        {"id": ""},
        None,
    ]
    assert parse_models({"data": data}) == (ListedModel("v", 2048), ListedModel("l", 4096), ListedModel("o", None))


@pytest.mark.parametrize("reply", [{}, {"data": None}, {"data": {"id": "x"}}])
def test_a_wrong_list_of_models_is_empty(reply: dict[str, Any]) -> None:
    assert parse_models(reply) == ()
