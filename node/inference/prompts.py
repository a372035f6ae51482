"""The instructions of a language model for answering a query."""

from collections.abc import Iterable, Sequence
from functools import partial

from node.inference.conversation import as_messages
from node.inference.untrusted import shown
from protocol.messages import Turn
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


def answer_messages(turns: Sequence[Turn], task: TaskType, told: Iterable[str] = ()) -> list[dict[str, str]]:
    """Build the chat messages that ask for an answer to a conversation, which cannot end the message it is shown in.

    The one system message is the node's own. `told`: the control tokens of the engine's own tokenizer.
    """
    system = {"role": "system", "content": f"{_SPECIALIST} {_TASKS[task]}"}
    return [system, *as_messages(turns, partial(shown, told=tuple(told)))]
