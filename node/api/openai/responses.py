"""The Responses API: a stateless request, its response object, and the events of a streamed one."""

from typing import Any, Final, Literal

import msgspec

from node.api.common import Count, Positive
from node.api.openai.chat import ContentPart
from node.api.openai.common import FieldRules, StrandOptions, StrandReport

RESPONSE_FIELDS: Final = FieldRules(
    refused={
        "access_programs": (),
        "background": (False,),
        "background_options": (),
        "context_management": ([],),
        "conversation": (),
        "image": (),
        "include": ([],),
        "moderation": (),
        "previous_response_id": (),
        "prompt": (),
        "tool_choice": ("none", "auto"),
        "tools": ([],),
        "top_logprobs": (0,),
        "truncation": ("disabled",),
    },
    ignored=frozenset(
        {
            "max_tool_calls",
            "metadata",
            "parallel_tool_calls",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning",
            "safety_identifier",
            "service_tier",
            "store",
            "stream_options",
            "temperature",
            "top_p",
            "user",
        }
    ),
)


class InputItem(msgspec.Struct, frozen=True):
    """One turn of the conversation. Items that are no message are refused by name."""

    type: str = "message"
    """`message`."""
    role: str = ""
    """`user`, `assistant`, `system` or `developer` (the same as `system`)."""
    content: str | tuple[ContentPart, ...] | None = None
    """What is said: a text, or parts that are joined."""


class TextFormat(msgspec.Struct, frozen=True):
    """Format of the answer."""

    type: str
    """`text`; others are refused by name."""


class TextConfig(msgspec.Struct, frozen=True):
    """Settings of the answer's text; `verbosity` is ignored."""

    format: TextFormat | None = None
    """Format of the answer."""


class ResponseRequest(msgspec.Struct, frozen=True):
    """A conversation for the swarm. Fields that are not listed here are ignored, or refused by name."""

    model: str
    """A model id of this node, such as `strand-rust`."""
    input: str | tuple[InputItem, ...]
    """The question, or the conversation, oldest turn first; the last turn is the user's."""
    instructions: str | None = None
    """A system turn before the conversation."""
    max_output_tokens: Positive | None = None
    """Greatest number of tokens of one answer."""
    text: TextConfig | None = None
    """Settings of the answer's text."""
    stream: bool | None = None
    """Whether the reply is a stream of server-sent events."""
    strand: StrandOptions | None = None
    """What is asked of the round."""


Status = Literal["in_progress", "completed", "incomplete", "failed"]


class OutputText(msgspec.Struct, frozen=True):
    """The text of the answer."""

    text: str
    """The winning answer's text."""
    type: Literal["output_text"] = "output_text"
    """Always `output_text`."""
    annotations: tuple[()] = ()
    """Always empty."""
    logprobs: tuple[()] = ()
    """Always empty."""


class OutputMessage(msgspec.Struct, frozen=True):
    """The answer as a message."""

    id: str
    """`msg_` and the round's id."""
    status: Literal["in_progress", "completed", "incomplete"]
    """Whether it is complete; `incomplete` if it reached its greatest length."""
    content: tuple[OutputText, ...]
    """One text; none while the round runs."""
    type: Literal["message"] = "message"
    """Always `message`."""
    role: Literal["assistant"] = "assistant"
    """Always `assistant`."""


class IncompleteDetails(msgspec.Struct, frozen=True):
    """Reason why an answer is incomplete."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"
    """It reached its greatest length."""


class ResponseError(msgspec.Struct, frozen=True):
    """Reason why a response failed after its stream had begun."""

    message: str
    """One line for the user."""
    code: str = "server_error"
    """Always `server_error`, of the words that OpenAI's clients know."""


class InputDetails(msgspec.Struct, frozen=True):
    """Parts of the tokens of the prompt."""

    cached_tokens: Count = 0
    """Always 0: authors do not sign it."""
    cache_write_tokens: Count = 0
    """Always 0: authors do not sign it."""


class OutputDetails(msgspec.Struct, frozen=True):
    """Parts of the tokens of the answer."""

    reasoning_tokens: Count = 0
    """Always 0: authors do not sign it."""


class ResponseUsage(msgspec.Struct, frozen=True):
    """Tokens of the winning answer, as its author signed them; the work of the other members is not counted."""

    input_tokens: Count
    """Tokens of the author's prompt."""
    output_tokens: Count
    """Tokens of its answer."""
    total_tokens: Count
    """Their sum."""
    input_tokens_details: InputDetails = InputDetails()
    """Parts of `input_tokens`."""
    output_tokens_details: OutputDetails = OutputDetails()
    """Parts of `output_tokens`."""


class ResponseObject(msgspec.Struct, frozen=True):
    """A response: the swarm's answer, or what is known of it while the round runs."""

    id: str
    """`resp_` and the round's id."""
    created_at: Count
    """Time of the query, s since 1970."""
    model: str
    """The requested model id."""
    status: Status
    """Whether it is complete; `incomplete` if it reached its greatest length."""
    output: tuple[OutputMessage, ...] = ()
    """The answer, as one message; none while the round runs, or if it failed."""
    usage: ResponseUsage | None = None
    """Tokens of the winning answer; null while the round runs, or if it failed."""
    strand: StrandReport | None = None
    """What the swarm says of its answer; null while the round runs, or if it ended without any outcome."""
    error: ResponseError | None = None
    """Reason why it failed; else null."""
    incomplete_details: IncompleteDetails | None = None
    """Reason why it is incomplete; else null."""
    instructions: str | None = None
    """The request's instructions."""
    max_output_tokens: Positive | None = None
    """The request's greatest number of tokens."""
    object: Literal["response"] = "response"
    """Always `response`."""
    tools: tuple[()] = ()
    """Always empty."""
    tool_choice: Literal["none"] = "none"
    """Always `none`."""
    parallel_tool_calls: bool = False
    """Always false."""
    previous_response_id: None = None
    """Always null."""
    temperature: None = None
    """Always null: each member chooses its own."""
    top_p: None = None
    """Always null: each member chooses its own."""
    metadata: dict[str, Any] = {}
    """Always empty."""


class BaseResponseEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Fields of every event of a streamed response."""

    sequence_number: Count
    """Ascending number of the event, from 0."""


class ResponseCreated(BaseResponseEvent, frozen=True, kw_only=True, tag="response.created"):
    """The round has begun."""

    response: ResponseObject
    """The response as it is now."""


class ResponseInProgress(BaseResponseEvent, frozen=True, kw_only=True, tag="response.in_progress"):
    """The round runs."""

    response: ResponseObject
    """The response as it is now."""


class OutputItemAdded(BaseResponseEvent, frozen=True, kw_only=True, tag="response.output_item.added"):
    """The answer is decided; its text follows."""

    item: OutputMessage
    """The message, without its text."""
    output_index: Count = 0
    """Always 0."""


class ContentPartAdded(BaseResponseEvent, frozen=True, kw_only=True, tag="response.content_part.added"):
    """The text begins."""

    item_id: str
    """Id of the message."""
    part: OutputText
    """The part, without its text."""
    output_index: Count = 0
    """Always 0."""
    content_index: Count = 0
    """Always 0."""


class TextDelta(BaseResponseEvent, frozen=True, kw_only=True, tag="response.output_text.delta"):
    """The next part of the text."""

    item_id: str
    """Id of the message."""
    delta: str
    """The next part of the text."""
    output_index: Count = 0
    """Always 0."""
    content_index: Count = 0
    """Always 0."""
    logprobs: tuple[()] = ()
    """Always empty."""


class TextDone(BaseResponseEvent, frozen=True, kw_only=True, tag="response.output_text.done"):
    """The text is complete."""

    item_id: str
    """Id of the message."""
    text: str
    """The whole text."""
    output_index: Count = 0
    """Always 0."""
    content_index: Count = 0
    """Always 0."""
    logprobs: tuple[()] = ()
    """Always empty."""


class ContentPartDone(BaseResponseEvent, frozen=True, kw_only=True, tag="response.content_part.done"):
    """The part is complete."""

    item_id: str
    """Id of the message."""
    part: OutputText
    """The part."""
    output_index: Count = 0
    """Always 0."""
    content_index: Count = 0
    """Always 0."""


class OutputItemDone(BaseResponseEvent, frozen=True, kw_only=True, tag="response.output_item.done"):
    """The message is complete."""

    item: OutputMessage
    """The message."""
    output_index: Count = 0
    """Always 0."""


class ResponseCompleted(BaseResponseEvent, frozen=True, kw_only=True, tag="response.completed"):
    """The round is over, and the answer is complete."""

    response: ResponseObject
    """The response."""


class ResponseIncomplete(BaseResponseEvent, frozen=True, kw_only=True, tag="response.incomplete"):
    """The round is over, and the answer reached its greatest length."""

    response: ResponseObject
    """The response."""


class ResponseFailed(BaseResponseEvent, frozen=True, kw_only=True, tag="response.failed"):
    """The round gave no answer, or none that is sure enough."""

    response: ResponseObject
    """The response, with its error."""


class StreamError(BaseResponseEvent, frozen=True, kw_only=True, tag="error"):
    """The round could not begin, although its request had waited in the queue."""

    message: str
    """One line for the user."""
    code: str | None
    """Word for programs."""
    param: None = None
    """Always null."""


ResponseEvent = (
    ResponseCreated
    | ResponseInProgress
    | OutputItemAdded
    | ContentPartAdded
    | TextDelta
    | TextDone
    | ContentPartDone
    | OutputItemDone
    | ResponseCompleted
    | ResponseIncomplete
    | ResponseFailed
    | StreamError
)
"""Union of all events of a streamed response."""
