"""The handlers of the operations below /v1."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from node.api import operations as ops
from node.api.common import HOPS_HEADER
from node.api.conversation import Audience, Turn
from node.api.openai.chat import CHAT_FIELDS, COMPLETION_FIELDS, ChatRequest, CompletionRequest
from node.api.openai.common import StrandOptions
from node.api.openai.responses import RESPONSE_FIELDS, ResponseRequest
from node.api.operations import Operation
from node.http.audience import key_audience, resolve
from node.http.openai import requests
from node.http.openai.dialects import ChatDialect, CompletionDialect
from node.http.openai.models import model, models, named_audience
from node.http.openai.replies import RoundReply
from node.http.openai.requests import RoundRequest, read_request
from node.http.openai.responses import ResponseDialect
from node.http.places import Places
from node.http.replies import ErrorContext, Handler, json_reply, refusal
from node.http.shown import Shown


class OpenAiHandlers:
    """OpenAI's API over one node."""

    def __init__(self, shown: Shown, places: Places, audience: Audience) -> None:
        """Build it. `places`: those of requests that follow a round; `audience`: that of the plain model id."""
        self._shown = shown
        self._places = places
        self._audience = audience

    def handlers(self) -> Mapping[Operation[Any], Handler]:
        """Return the handlers by operation."""
        served: dict[Operation[Any], Handler] = {
            ops.MODELS: self._models,
            ops.MODEL: self._model,
            ops.CHAT: self._chat,
            ops.RESPONSES: self._responses,
            ops.COMPLETIONS: self._completions,
        }
        return {operation: _on_first_hop(handler) for operation, handler in served.items()}

    async def _models(self, request: Request) -> Response:
        return json_reply(models(self._specialty, key_audience(request) or self._audience))

    async def _model(self, request: Request) -> Response:
        default = key_audience(request) or self._audience
        return json_reply(model(request.path_params["model"], self._specialty, default))

    async def _chat(self, request: Request) -> Response:
        body, ignored = await read_request(request, ops.CHAT, CHAT_FIELDS)
        tokens = body.max_completion_tokens or body.max_tokens
        asked = self._with_stops(self._asked(request, body, requests.chat_turns(body), tokens, ignored), body)
        return RoundReply(self._shown.rounds, asked, ChatDialect(asked), self._places)

    async def _completions(self, request: Request) -> Response:
        body, ignored = await read_request(request, ops.COMPLETIONS, COMPLETION_FIELDS)
        turns = requests.completion_turns(body)
        asked = self._with_stops(self._asked(request, body, turns, body.max_tokens, ignored), body)
        return RoundReply(self._shown.rounds, asked, CompletionDialect(asked), self._places)

    async def _responses(self, request: Request) -> Response:
        body, ignored = await read_request(request, ops.RESPONSES, RESPONSE_FIELDS)
        turns = requests.response_turns(body)
        asked = self._asked(request, body, turns, body.max_output_tokens, ignored)
        asked = replace(asked, instructions=body.instructions)
        return RoundReply(self._shown.rounds, asked, ResponseDialect(asked), self._places)

    def _asked(
        self,
        request: Request,
        body: ChatRequest | CompletionRequest | ResponseRequest,
        turns: tuple[Turn, ...],
        max_tokens: int | None,
        ignored: tuple[str, ...],
    ) -> RoundRequest:
        """Return what all forms of a request have. Raises RefusedError for an unknown model id."""
        audience = self._audience_of(request, body.model, body.strand)
        question = requests.question(turns, max_tokens, body.strand, audience)
        return RoundRequest(body.model, question, stream=bool(body.stream), ignored=ignored)

    @staticmethod
    def _with_stops(asked: RoundRequest, body: ChatRequest | CompletionRequest) -> RoundRequest:
        """Add what only completions have."""
        options = body.stream_options
        return replace(asked, stop=requests.stops(body.stop), include_usage=bool(options and options.include_usage))

    @property
    def _specialty(self) -> str:
        return self._shown.reputation.specialty

    def _audience_of(self, request: Request, model_id: str, options: StrandOptions | None) -> Audience:
        """Return the audience of a request. Raises RefusedError for an unknown model id."""
        return resolve(
            options.audience if options else None,
            model=named_audience(model_id, self._specialty),
            key=key_audience(request),
            default=self._audience,
        )


def _on_first_hop(handler: Handler) -> Handler:
    """Refuse requests of nodes' engines, which carry HOPS_HEADER."""

    async def checked(request: Request) -> Response:
        if HOPS_HEADER in request.headers:
            why = "this is a Strand node: a node may not be another node's engine through the swarm"
            return refusal(508, why, context=ErrorContext("hop_refused"))
        return await handler(request)

    return checked
