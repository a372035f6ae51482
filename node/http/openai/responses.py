"""The Responses API's form of a reply, and of its stream, whose events are numbered and end with the whole response."""

from typing import Any, Literal

import msgspec

from node.api.openai import responses as api
from node.http.openai.dialects import pieces
from node.http.openai.following import Answer, RoundView
from node.http.openai.requests import RoundRequest
from node.http.replies import Refusal
from node.http.sse import encode_event


class ResponseDialect:
    """Responses."""

    def __init__(self, request: RoundRequest) -> None:
        self._request = request
        self._sent = 0
        """Events of the stream so far."""

    def begun(self, round: RoundView) -> bytes:
        """Write that the response is created, and in progress."""
        response = self._response(round, "in_progress")
        return self._event(api.ResponseCreated, response=response) + self._event(
            api.ResponseInProgress, response=response
        )

    def text(self, round: RoundView, answer: Answer) -> bytes:
        """Write the message and its text in pieces."""
        id = _item_id(round)
        begun = self._event(api.OutputItemAdded, item=api.OutputMessage(id, "in_progress", ()))
        begun += self._event(api.ContentPartAdded, item_id=id, part=api.OutputText(""))
        return begun + b"".join(self._event(api.TextDelta, item_id=id, delta=each) for each in pieces(answer.text))

    def finished(self, round: RoundView, answer: Answer) -> bytes:
        """Write that text, part, message and response are complete."""
        id, message = _item_id(round), _message(round, answer)
        done = self._event(api.TextDone, item_id=id, text=answer.text)
        done += self._event(api.ContentPartDone, item_id=id, part=message.content[0])
        done += self._event(api.OutputItemDone, item=message)
        is_cut = answer.finish == "length"
        kind = api.ResponseIncomplete if is_cut else api.ResponseCompleted
        return done + self._event(kind, response=self.body(round, answer))

    def failed(self, round: RoundView, refused: Refusal) -> bytes:
        """Write that the response failed, or the error alone if there is no response yet."""
        if not round.query_id:
            error = refused.problem().error
            return self._event(api.StreamError, message=error.message, code=error.code)
        response = self._response(round, "failed")
        failed = msgspec.structs.replace(response, error=api.ResponseError(refused.why), strand=round.report())
        return self._event(api.ResponseFailed, response=failed)

    def body(self, round: RoundView, answer: Answer) -> api.ResponseObject:
        """Return the response."""
        is_cut, used = answer.finish == "length", answer.usage
        return msgspec.structs.replace(
            self._response(round, "incomplete" if is_cut else "completed"),
            output=(_message(round, answer),),
            usage=api.ResponseUsage(used.prompt_tokens, used.completion_tokens, used.total_tokens),
            strand=round.report(),
            incomplete_details=api.IncompleteDetails() if is_cut else None,
        )

    def _response(self, round: RoundView, status: api.Status) -> api.ResponseObject:
        request = self._request
        return api.ResponseObject(
            id=f"resp_{round.query_id}",
            created_at=round.created_s,
            model=request.model,
            status=status,
            instructions=request.instructions,
            max_output_tokens=request.question.max_tokens,
        )

    def _event(self, kind: type[api.BaseResponseEvent], **fields: Any) -> bytes:
        event = kind(sequence_number=self._sent, **fields)
        self._sent += 1
        return encode_event(msgspec.json.encode(event), event=str(kind.__struct_config__.tag))


def _item_id(round: RoundView) -> str:
    return f"msg_{round.query_id}"


def _message(round: RoundView, answer: Answer) -> api.OutputMessage:
    status: Literal["completed", "incomplete"] = "incomplete" if answer.finish == "length" else "completed"
    return api.OutputMessage(_item_id(round), status, (api.OutputText(answer.text),))
