"""The form of requests, and what the words of a refusal are about."""

from typing import Any

import pytest

from node.inference.abilities import SKIPS, SYSTEM, Abilities, answer_request, refused_parameter, shaped
from node.inference.ports import Sampling
from protocol.conversation import single
from protocol.types import TaskType

CAN = Abilities("m", (), 4096)
BODY = answer_request(CAN, single("the query"), TaskType.OPEN, Sampling(0.8, 0.95, 7, 64))
RAW: dict[str, Any] = {"model": "m", "prompt": "p", "max_tokens": 1, "temperature": 0, "logprobs": 20}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'",
            "max_tokens",
        ),
        ("Unrecognized request argument supplied: max_tokens", "max_tokens"),
        ('{"loc":["body","max_tokens"],"msg":"Extra inputs are not permitted"}', "max_tokens"),
        ("'max_tokens' or 'max_completion_tokens' is too large: 64. This model's maximum context length is 32", None),
        ("max_tokens must be at least 1", None),
        ("This model's maximum context length is 2048 tokens. However, you requested 4000 tokens (64 in the ...", None),
        ("Unsupported value: 'temperature' does not support 0.8 with this model", "temperature"),
        ("`temperature` and `top_p` cannot both be specified for this model.", "top_p"),
        ("top_p is not supported", "top_p"),
        ('{"loc":["body","seed"],"msg":"Extra inputs are not permitted"}', "seed"),
        ("the seedling model", None),
        ("System role not supported", SYSTEM),
        ("Only user and assistant roles are supported!", SYSTEM),
        ("Conversation roles must alternate user/assistant/user/assistant/...", SYSTEM),
        ("After the optional system message, conversation roles must alternate", SYSTEM),
        ("Developer instruction is not enabled for models/gemma-3-27b-it", SYSTEM),
        ("messages[0].role: 'system' is not one of ['user', 'assistant']", SYSTEM),
        ("the system is overloaded", None),
        ("no such model", None),
        ("", None),
    ],
)
def test_what_a_refusal_is_about(words: str, named: str | None) -> None:
    assert refused_parameter(words, BODY) == named


def test_what_was_not_sent_is_not_what_was_refused() -> None:
    for name in ("max_tokens", "temperature", "top_p", "seed", SYSTEM):
        sent = shaped(BODY, frozenset({name}))
        assert refused_parameter(f"{name} is not supported; system role not supported", sent) != name
    # Raw completions know no other name for the limit.
    assert refused_parameter("max_tokens is not supported: use max_completion_tokens", RAW) is None


def test_a_request_without_what_is_refused() -> None:
    sent = shaped(BODY, frozenset({"max_tokens", "temperature", "top_p", "seed", SYSTEM}))
    assert set(sent) == {"model", "messages", "max_completion_tokens"}
    assert sent["max_completion_tokens"] == 64
    (message,) = sent["messages"]
    assert message["role"] == "user"
    assert message["content"].endswith("\n\nthe query")
    assert shaped(BODY, frozenset()) == BODY
    assert shaped(RAW, frozenset({"max_tokens", SYSTEM})) == RAW


def test_a_refused_way_to_skip_thinking_is_not_taken_any_more() -> None:
    skip = SKIPS[1]
    can = Abilities("m", (), 4096, skip=skip)
    assert can.without("seed").skip is skip
    assert can.without("chat_template_kwargs").skip is SKIPS[0]
