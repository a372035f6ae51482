"""The forms of a reply: chat completions, text completions, responses. Each is one reply, or a stream of events."""

from collections.abc import Iterator
from typing import Any, Final, Protocol

import msgspec

from node.api.openai.chat import (
    AnswerMessage,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChunkChoice,
    CompletionChoice,
    Delta,
    TextCompletion,
)
from node.http.openai.following import Answer, RoundView
from node.http.openai.requests import RoundRequest
from node.http.replies import Refusal
from node.http.sse import encode_event

PIECE_CHARS: Final = 1_024
"""Characters of a text in one piece of a stream. The text is complete when the round is decided; the pieces are for
clients that bound an event's size."""

DONE: Final = encode_event(b"[DONE]")
"""Last event of OpenAI's streams, except those of the Responses API."""


class Dialect(Protocol):
    """Writes one round in one of OpenAI's forms. Each method returns complete server-sent events."""

    def begun(self, round: RoundView) -> bytes:
        """Write the beginning of a stream: the round has begun."""
        ...

    def text(self, round: RoundView, answer: Answer) -> bytes:
        """Write the text, which is decided."""
        ...

    def finished(self, round: RoundView, answer: Answer) -> bytes:
        """Write the end of a stream: the round is over."""
        ...

    def failed(self, round: RoundView, refused: Refusal) -> bytes:
        """Write the end of a stream whose round gave no answer, or did not begin."""
        ...

    def body(self, round: RoundView, answer: Answer) -> Any:
        """Return the reply that is no stream."""
        ...


def pieces(text: str) -> Iterator[str]:
    """Cut a text into pieces of PIECE_CHARS."""
    return (text[begin : begin + PIECE_CHARS] for begin in range(0, len(text), PIECE_CHARS))


def events(*values: msgspec.Struct) -> bytes:
    """Encode values as unnamed events."""
    return b"".join(encode_event(msgspec.json.encode(each)) for each in values)


class ChatDialect:
    """Chat completions."""

    def __init__(self, request: RoundRequest) -> None:
        self._request = request

    def begun(self, round: RoundView) -> bytes:
        """Write the role."""
        return events(self._chunk(round, ChunkChoice(Delta(role="assistant", content=""))))

    def text(self, round: RoundView, answer: Answer) -> bytes:
        """Write the text in pieces."""
        return events(*(self._chunk(round, ChunkChoice(Delta(content=each))) for each in pieces(answer.text)))

    def finished(self, round: RoundView, answer: Answer) -> bytes:
        """Write the reason for the end, and the report in the last piece, which has the usage if it is asked for."""
        last = self._chunk(round, ChunkChoice(Delta(), answer.finish))
        if not self._request.include_usage:
            return events(msgspec.structs.replace(last, strand=round.report())) + DONE
        usage = msgspec.structs.replace(last, choices=(), usage=answer.usage, strand=round.report())
        return events(last, usage) + DONE

    def failed(self, round: RoundView, refused: Refusal) -> bytes:  # noqa: ARG002 - the protocol's
        """Write the error."""
        return events(refused.problem()) + DONE

    def body(self, round: RoundView, answer: Answer) -> ChatCompletion:
        """Return the completion."""
        report = round.report()
        assert report is not None
        return ChatCompletion(
            id=_chat_id(round),
            created=round.created_s,
            model=self._request.model,
            choices=(ChatChoice(AnswerMessage(answer.text), answer.finish),),
            usage=answer.usage,
            strand=report,
        )

    def _chunk(self, round: RoundView, choice: ChunkChoice) -> ChatChunk:
        return ChatChunk(_chat_id(round), round.created_s, self._request.model, (choice,), "chat.completion.chunk")


def _chat_id(round: RoundView) -> str:
    return f"chatcmpl-{round.query_id}"


class CompletionDialect:
    """Text completions, whose pieces have the form of the whole."""

    def __init__(self, request: RoundRequest) -> None:
        self._request = request

    def begun(self, round: RoundView) -> bytes:
        """Write an empty text."""
        return events(self._piece(round, CompletionChoice("", None)))

    def text(self, round: RoundView, answer: Answer) -> bytes:
        """Write the text in pieces."""
        return events(*(self._piece(round, CompletionChoice(each, None)) for each in pieces(answer.text)))

    def finished(self, round: RoundView, answer: Answer) -> bytes:
        """Write the reason for the end, and the report in the last piece, which has the usage if it is asked for."""
        last = self._piece(round, CompletionChoice("", answer.finish))
        if not self._request.include_usage:
            return events(msgspec.structs.replace(last, strand=round.report())) + DONE
        usage = msgspec.structs.replace(last, choices=(), usage=answer.usage, strand=round.report())
        return events(last, usage) + DONE

    def failed(self, round: RoundView, refused: Refusal) -> bytes:  # noqa: ARG002 - the protocol's
        """Write the error."""
        return events(refused.problem()) + DONE

    def body(self, round: RoundView, answer: Answer) -> TextCompletion:
        """Return the completion."""
        whole = self._piece(round, CompletionChoice(answer.text, answer.finish))
        return msgspec.structs.replace(whole, usage=answer.usage, strand=round.report())

    def _piece(self, round: RoundView, choice: CompletionChoice) -> TextCompletion:
        return TextCompletion(
            f"cmpl-{round.query_id}", round.created_s, self._request.model, (choice,), "text_completion"
        )
