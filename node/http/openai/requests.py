"""From a request in one of OpenAI's forms to a question. What is not supported is refused by name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.requests import Request

from node.api.asking import Question
from node.api.conversation import Audience, Turn
from node.api.openai.chat import ChatRequest, CompletionRequest, ContentPart
from node.api.openai.common import FieldRules, StrandOptions
from node.api.openai.responses import ResponseRequest
from node.api.operations import Operation
from node.http.replies import ErrorContext, RefusedError, decode_body, read_body, refusal
from protocol.types import TurnRole

ROLES: Final = {
    "user": TurnRole.USER,
    "assistant": TurnRole.ASSISTANT,
    "system": TurnRole.SYSTEM,
    # OpenAI's newer word for the same.
    "developer": TurnRole.SYSTEM,
}

TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text"})

IGNORED_MAX: Final = 32
"""Most names of ignored fields in a reply."""

NAME_CHARS_MAX: Final = 64
"""Characters of a field's name that a reply repeats."""


@dataclass(frozen=True, slots=True)
class RoundRequest:
    """A request in the form that all dialects share."""

    model: str
    question: Question
    stop: tuple[str, ...] = ()
    """Texts before the first of which the view of the answer ends."""
    stream: bool = False
    include_usage: bool = False
    ignored: tuple[str, ...] = ()
    """Fields that change nothing."""
    instructions: str | None = None
    """Instructions of a Responses request, which its reply repeats."""

    @property
    def audience(self) -> Audience:
        """Return the resolved audience."""
        assert self.question.audience is not None
        return self.question.audience


async def read_request(request: Request, operation: Operation[Any], rules: FieldRules) -> tuple[Any, tuple[str, ...]]:
    """Return the request's body, and the names of its fields that change nothing.

    Raises BodyError, or RefusedError for a field that is refused by name.
    """
    body = await read_body(request, operation)
    assert operation.body is not None
    fields = decode_body(await request.body(), dict[str, msgspec.Raw], operation.body.refusal)
    for name, idle in rules.refused.items():
        if name in fields and not _is_idle(fields[name], idle):
            raise unsupported(name, f"{_but(name, idle)} is not supported here")
    honoured = {field.encode_name for field in msgspec.structs.fields(body)}
    ignored = sorted(name[:NAME_CHARS_MAX] for name in fields.keys() - honoured - rules.refused.keys())
    return body, tuple(ignored[:IGNORED_MAX])


def _is_idle(value: msgspec.Raw, idle: Sequence[Any]) -> bool:
    """Whether a field's value asks for nothing."""
    try:
        told = msgspec.json.decode(value)
        # As JSON: in Python, false equals 0.
        return told is None or msgspec.json.encode(told) in {msgspec.json.encode(each) for each in idle}
    except (msgspec.DecodeError, RecursionError):
        # It is JSON, but no value of Python: 1e999, 5,000 digits, a thousand brackets.
        return False


def _but(name: str, idle: Sequence[Any]) -> str:
    """Return what is refused of a field: all but the values that ask for nothing."""
    passing = " or ".join(msgspec.json.encode(each).decode() for each in idle)
    return f"{name} other than {passing}" if passing else name


def unsupported(param: str, why: str) -> RefusedError:
    """Build the refusal of what is not supported, by its name."""
    return RefusedError(refusal(400, why, context=ErrorContext("unsupported_parameter", param)))


def chat_turns(body: ChatRequest) -> tuple[Turn, ...]:
    """Return the turns of a chat. Raises RefusedError."""
    for number, message in enumerate(body.messages):
        for field in ("tool_calls", "function_call"):
            if getattr(message, field):
                raise unsupported(f"messages[{number}].{field}", f"{field} is not supported here: the swarm has none")
    return _turns("messages", ((each.role, each.content) for each in body.messages))


def response_turns(body: ResponseRequest) -> tuple[Turn, ...]:
    """Return the turns of a Responses request. Raises RefusedError."""
    if body.text is not None and body.text.format is not None and body.text.format.type != "text":
        raise unsupported("text.format", "text.format is not supported here: answers are plain text")
    system = (Turn(TurnRole.SYSTEM, body.instructions),) if body.instructions else ()
    if isinstance(body.input, str):
        return (*system, Turn(TurnRole.USER, body.input))
    for number, item in enumerate(body.input):
        if item.type != "message":
            raise unsupported(f"input[{number}]", f"items of type {_shown(item.type)} are not supported here")
    return (*system, *_turns("input", ((each.role, each.content) for each in body.input)))


def completion_turns(body: CompletionRequest) -> tuple[Turn, ...]:
    """Return the one turn of a text completion. Raises RefusedError."""
    prompts = (body.prompt,) if isinstance(body.prompt, str) else body.prompt
    if len(prompts) != 1:
        raise unsupported("prompt", f"prompt holds {len(prompts)} questions: a request asks one")
    return (Turn(TurnRole.USER, prompts[0]),)


def question(
    turns: tuple[Turn, ...], max_tokens: int | None, options: StrandOptions | None, audience: Audience
) -> Question:
    """Build the question of a request."""
    options = options or StrandOptions()
    return Question(
        turns,
        options.task,
        audience=audience,
        allow_secrets=options.allow_secrets,
        max_tokens=max_tokens,
        pairs_per_judge=options.pairs_per_judge,
        confidence_min=options.min_confidence,
        tests=options.tests,
        show_tests=options.show_tests,
        findings=options.findings,
    )


def stops(stop: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the texts of `stop`."""
    return () if stop is None else (stop,) if isinstance(stop, str) else stop


def _turns(where: str, messages: Iterable[tuple[str, str | tuple[ContentPart, ...] | None]]) -> tuple[Turn, ...]:
    """Return the turns, without blank ones that are not the user's: editors keep those of a stopped answer."""
    turns = (_turn(f"{where}[{number}]", role, content) for number, (role, content) in enumerate(messages))
    return tuple(turn for turn in turns if turn.role is TurnRole.USER or turn.text.strip())


def _turn(where: str, role: str, content: str | tuple[ContentPart, ...] | None) -> Turn:
    if role not in ROLES:
        why = f"the role {_shown(role)} is not supported here; roles are {', '.join(ROLES)}"
        raise unsupported(f"{where}.role", why)
    if isinstance(content, str):
        return Turn(ROLES[role], content)
    for part in content or ():
        if part.type not in TEXT_PARTS:
            why = f"parts of type {_shown(part.type)} are not supported here: send text"
            raise unsupported(f"{where}.content", why)
    return Turn(ROLES[role], "".join(part.text or "" for part in content or ()))


def _shown(name: str) -> str:
    return repr(name[:NAME_CHARS_MAX])
