"""Replies of OpenAI-compatible servers: both good shapes, and that nothing is guessed from bad ones."""

import math
from typing import Any

import pytest

from node.inference.ports import CacheCounts
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


def test_a_completion_is_read() -> None:
    completion = parse_completion(GOOD)
    assert (completion.text, completion.finish, completion.prompt_tokens, completion.answer_tokens) == (
        "text",
        "stop",
        3,
        2,
    )


def test_lone_surrogates_become_encodable() -> None:
    reply = GOOD | {"choices": [{"message": {"content": "x\ud800"}, "finish_reason": "length"}]}
    assert parse_completion(reply).text.encode() == b"x?"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choices": []}, "without choices"),
        ({"choices": [{"message": {"content": None}, "finish_reason": "stop"}]}, "without message.content"),
        ({"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}, "content_filter"),
        ({"usage": None}, "without usage"),
        ({"usage": {"prompt_tokens": 1, "completion_tokens": -1}}, "completion_tokens"),
        ({"usage": {"prompt_tokens": True, "completion_tokens": 1}}, "prompt_tokens"),
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 2**40}}, "completion_tokens"),
    ],
)
def test_a_wrong_completion_says_what_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_completion(GOOD | change)


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
