"""What a language model is told before it answers a query."""

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


def answer_messages(query: str, task: TaskType) -> list[dict[str, str]]:
    """The chat messages that ask for an answer to `query`."""
    return [{"role": "system", "content": f"{_SPECIALIST} {_TASKS[task]}"}, {"role": "user", "content": query}]
