"""Chat completions and text completions."""

from typing import Any, Final, Literal

import msgspec

from node.api.common import Count, Positive
from node.api.openai.common import FieldRules, Stop, Stops, StrandOptions, StrandReport, StreamOptions, Usage

Finish = Literal["stop", "length"]

CHAT_FIELDS: Final = FieldRules(
    refused={
        "audio": (),
        "function_call": ("none", "auto"),
        "functions": ([],),
        "logit_bias": ({},),
        "logprobs": (False,),
        "modalities": (["text"],),
        "moderation": (),
        "n": (1,),
        "prediction": (),
        "response_format": ({"type": "text"},),
        "tool_choice": ("none", "auto"),
        "tools": ([],),
        "top_logprobs": (0,),
        "web_search_options": (),
    },
    ignored=frozenset(
        {
            "frequency_penalty",
            "metadata",
            "parallel_tool_calls",
            "presence_penalty",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning_effort",
            "safety_identifier",
            "seed",
            "service_tier",
            "store",
            "temperature",
            "top_p",
            "user",
            "verbosity",
        }
    ),
)

COMPLETION_FIELDS: Final = FieldRules(
    refused={
        "best_of": (1,),
        "echo": (False,),
        "logit_bias": ({},),
        "logprobs": (0,),
        "n": (1,),
        "suffix": ("",),
    },
    ignored=frozenset({"frequency_penalty", "presence_penalty", "seed", "temperature", "top_p", "user"}),
)


class ContentPart(msgspec.Struct, frozen=True):
    """A part of a message. Parts that are no text are refused by name."""

    type: str
    """`text`; in the Responses API `input_text` or `output_text`."""
    text: str | None = None
    """The text."""


class ChatMessage(msgspec.Struct, frozen=True):
    """One turn of the conversation; its `name` is ignored."""

    role: str
    """`user`, `assistant`, `system` or `developer` (the same as `system`); tools' roles are refused by name."""
    content: str | tuple[ContentPart, ...] | None = None
    """What is said: a text, or parts that are joined."""
    tool_calls: Any = None
    """Refused, unless null or empty."""
    function_call: Any = None
    """Refused, unless null."""


class ChatRequest(msgspec.Struct, frozen=True):
    """A conversation for the swarm. Fields that are not listed here are ignored, or refused by name."""

    model: str
    """A model id of this node, such as `strand-rust`."""
    messages: tuple[ChatMessage, ...]
    """The conversation, oldest turn first; the last turn is the user's."""
    max_tokens: Positive | None = None
    """Greatest number of tokens of one answer, if `max_completion_tokens` is not given."""
    max_completion_tokens: Positive | None = None
    """Greatest number of tokens of one answer."""
    stop: Stop | Stops | None = None
    """Texts before the first of which the text that the client sees ends."""
    stream: bool | None = None
    """Whether the reply is a stream of server-sent events."""
    stream_options: StreamOptions | None = None
    """Settings of the stream."""
    strand: StrandOptions | None = None
    """What is asked of the round."""


class AnswerMessage(msgspec.Struct, frozen=True):
    """The answer as a message."""

    content: str
    """The winning answer's text, as `stop` left it."""
    role: Literal["assistant"] = "assistant"
    """Always `assistant`."""
    refusal: None = None
    """Always null."""


class ChatChoice(msgspec.Struct, frozen=True):
    """The one choice of a reply."""

    message: AnswerMessage
    """The answer."""
    finish_reason: Finish
    """Reason why the answer ends: the author's, or `stop` where `stop` shortened it."""
    index: Count = 0
    """Always 0."""
    logprobs: None = None
    """Always null."""


class ChatCompletion(msgspec.Struct, frozen=True):
    """The swarm's answer to a conversation."""

    id: str
    """`chatcmpl-` and the round's id."""
    created: Count
    """Time of the query, s since 1970."""
    model: str
    """The requested model id."""
    choices: tuple[ChatChoice, ...]
    """One choice."""
    usage: Usage
    """Tokens of the winning answer."""
    strand: StrandReport
    """What the swarm says of its answer."""
    object: Literal["chat.completion"] = "chat.completion"
    """Always `chat.completion`."""


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a piece adds to the message."""

    role: Literal["assistant"] | None = None
    """`assistant` in the first piece."""
    content: str | None = None
    """The next part of the text."""


class ChunkChoice(msgspec.Struct, frozen=True):
    """What a piece adds to the one choice."""

    delta: Delta
    """What it adds to the message."""
    finish_reason: Finish | None = None
    """Reason why the answer ends, in the last piece with a choice; else null."""
    index: Count = 0
    """Always 0."""
    logprobs: None = None
    """Always null."""


class ChatChunk(msgspec.Struct, frozen=True, omit_defaults=True):
    """One piece of a streamed answer."""

    id: str
    """`chatcmpl-` and the round's id."""
    created: Count
    """Time of the query, s since 1970."""
    model: str
    """The requested model id."""
    choices: tuple[ChunkChoice, ...]
    """One choice; none in the piece with `usage`."""
    object: Literal["chat.completion.chunk"]
    """Always `chat.completion.chunk`."""
    usage: Usage | None = None
    """Tokens of the winning answer, in the last piece, if `stream_options.include_usage` asks for it."""
    strand: StrandReport | None = None
    """What the swarm says of its answer, in the last piece."""


class CompletionRequest(msgspec.Struct, frozen=True):
    """A single question for the swarm. Fields that are not listed here are ignored, or refused by name."""

    model: str
    """A model id of this node, such as `strand-rust`."""
    prompt: str | tuple[str, ...]
    """The question: one text, or a list of one. It is answered, not continued."""
    max_tokens: Positive | None = None
    """Greatest number of tokens of one answer."""
    stop: Stop | Stops | None = None
    """Texts before the first of which the text that the client sees ends."""
    stream: bool | None = None
    """Whether the reply is a stream of server-sent events."""
    stream_options: StreamOptions | None = None
    """Settings of the stream."""
    strand: StrandOptions | None = None
    """What is asked of the round."""


class CompletionChoice(msgspec.Struct, frozen=True):
    """The one choice of a reply, or what a piece of a stream adds to it."""

    text: str
    """The text, or the next part of it."""
    finish_reason: Finish | None
    """Reason why the answer ends; null in a piece of a stream that is not the last."""
    index: Count = 0
    """Always 0."""
    logprobs: None = None
    """Always null."""


class TextCompletion(msgspec.Struct, frozen=True, omit_defaults=True):
    """The swarm's answer to a question, or one piece of it in a stream."""

    id: str
    """`cmpl-` and the round's id."""
    created: Count
    """Time of the query, s since 1970."""
    model: str
    """The requested model id."""
    choices: tuple[CompletionChoice, ...]
    """One choice; none in the piece with `usage`."""
    object: Literal["text_completion"]
    """Always `text_completion`."""
    usage: Usage | None = None
    """Tokens of the winning answer; in a stream in the last piece, if it is asked for."""
    strand: StrandReport | None = None
    """What the swarm says of its answer; in a stream in the last piece."""
