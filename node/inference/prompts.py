"""The instructions of a language model for answering a query."""

from collections.abc import Iterable

from node.inference.untrusted import shown
from protocol.types import TaskType

_SPECIALIST = "You are a Rust specialist."

_TASKS = {
    TaskType.CODE: (
        "Answer with correct, idiomatic Rust that compiles on stable, in one ```rust block, "
        "and a sentence or two about it."
    ),
    TaskType.FINAL: "Think step by step, briefly. End with one line of the form: Answer: <the final answer alone>",
    TaskType.OPEN: "Answer clearly and to the point.",
}


def answer_messages(query: str, task: TaskType, told: Iterable[str] = ()) -> list[dict[str, str]]:
    """Build the chat messages that ask for an answer to `query`, which cannot end its own turn.

    `told`: the control tokens of the engine's own tokenizer.
    """
    return [
        {"role": "system", "content": f"{_SPECIALIST} {_TASKS[task]}"},
        {"role": "user", "content": shown(query, told)},
    ]
