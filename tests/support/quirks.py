"""A model server with the quirks that users of real ones report: each alone for the table, or many together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.engine_server import Reply, StandIn, as_json, http

MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
THOUGHTS = 60
"""Words that it thinks before it writes."""


def openai_says(message: str, **more: Any) -> dict[str, Any]:
    """An error as OpenAI's API tells it."""
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "max_tokens": (openai_says(MAX_TOKENS, param="max_tokens", code="unsupported_parameter"), "400 Bad Request"),
    "temperature": (
        openai_says("Unsupported value: 'temperature' does not support 0.8 with this model. Only 1 is supported."),
        "400 Bad Request",
    ),
    "top_p": ({"error": "top_p is not supported by this model"}, "400 Bad Request"),
    # FastAPI and Mistral name the place of what they do not know.
    "seed": (
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
        "422 Unprocessable Entity",
    ),
    "logprobs": (openai_says("logprobs is not supported by this model", param="logprobs"), "400 Bad Request"),
    "chat_template_kwargs": (openai_says("Unrecognized request argument: chat_template_kwargs"), "400 Bad Request"),
    # llama.cpp fails where a template raises.
    "system": (
        openai_says("Error: Jinja Exception: System role not supported"),
        "500 Internal Server Error",
    ),
}


@dataclass(frozen=True)
class Quirks:
    """What is odd about a server."""

    refuses: tuple[str, ...] = ()
    """Of REFUSALS."""
    says: Mapping[str, tuple[dict[str, Any], str]] = field(default_factory=dict)
    """Other words for some of them."""
    thinks: str = ""
    """Where its thoughts stand: "apart", or "inline"; empty: it does not think."""
    skip: Mapping[str, Any] = field(default_factory=dict)
    """The fields that keep it from thinking; empty: nothing does."""
    usage: bool = True
    finish: object = "as it is"
    """The finish reason that it tells for everything; "as it is": the right one."""
    parts: bool = False
    """Its text comes as a list of parts."""
    listed: tuple[str, ...] | None = ("stand-in",)
    """None: it has no list."""
    varied: bool = False
    """Its answers differ: each is longer than the one before."""
    no_raw: Mapping[str, Any] = field(default_factory=dict)
    """What it says, with status 200, of raw completions that it does not have."""
    logprobs: str = ""
    """In a chat: "none listed", or "legacy" for the shape of raw completions."""
    busy: int = 0
    """Requests that it turns away first."""


MANY = Quirks(
    refuses=("max_tokens", "temperature", "seed", "system"),
    thinks="apart",
    skip={"chat_template_kwargs": {"enable_thinking": False}},
    usage=False,
    finish="",
    parts=True,
    listed=("nomic-embed-text:latest", "stand-in:latest"),
    busy=1,
)
"""A thinking model behind a server that does little as OpenAI's does."""


class Quirky(StandIn):
    """A stand-in with quirks."""

    def __init__(self, quirks: Quirks, **abilities: Any) -> None:
        super().__init__(**abilities)
        self.quirks = quirks
        self.models = [{"id": name} for name in quirks.listed or ("stand-in",)]
        self._busy = quirks.busy
        self._answers = 0

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:
        """See Server."""
        if self._busy:
            self._busy -= 1
            return http(b"{}", "429 Too Many Requests", "Retry-After: 0\r\n")
        if path == "/v1/models" and self.quirks.listed is None:
            return http(b"404 page not found", "404 Not Found", "Content-Type: text/plain\r\n")
        if body is None or path in self.replies:
            return super().reply_to(path, headers, body)
        chat = "messages" in body
        if self.quirks.no_raw and not chat:
            return as_json(self.quirks.no_raw)
        for name in self.quirks.refuses:
            sent = name in body if name != "system" else chat and body["messages"][0]["role"] == "system"
            if sent and (chat or name != "max_tokens"):
                return as_json(*(self.quirks.says.get(name) or REFUSALS[name]))
        if "max_completion_tokens" in body:
            body = body | {"max_tokens": body["max_completion_tokens"]}
        return super().reply_to(path, headers, body)

    def written(self, path: str, body: Any, prompt: str) -> dict[str, Any]:
        """See StandIn."""
        quirks, reply = self.quirks, super().written(path, body, prompt)
        choice = reply["choices"][0]
        if "message" in choice:
            if quirks.thinks and not (quirks.skip and quirks.skip.items() <= body.items()):
                self._think(choice, body, prompt)
            if quirks.logprobs and choice.get("logprobs"):
                listed = choice["logprobs"]["content"][0]["top_logprobs"]
                older = {"tokens": ["A"], "top_logprobs": [{each["token"]: each["logprob"] for each in listed}]}
                bare = {"content": [listed[0] | {"top_logprobs": []}]}
                choice["logprobs"] = older if quirks.logprobs == "legacy" else bare
            if quirks.varied and choice["message"]["content"] and choice["message"]["content"].startswith("word "):
                self._answers += 1
                lines = "\n".join(f"fn f{self._answers}_{line}() {{}}" for line in range(self._answers))
                choice["message"]["content"] = f"```rust\n{lines}\n```"
            if quirks.finish != "as it is":
                choice["finish_reason"] = quirks.finish
            if quirks.parts and choice["message"]["content"] is not None:
                choice["message"]["content"] = [{"type": "text", "text": choice["message"]["content"]}]
        return reply if quirks.usage else {"choices": [choice]}

    def _think(self, choice: dict[str, Any], body: Any, prompt: str) -> None:
        """Most of the mass is on the first thought, and the limit may come before the text."""
        if choice.get("logprobs"):
            top = [("<think>", 0.0), ("A", -30.0), ("B", -31.0)]
            listed = [{"token": token, "logprob": logprob} for token, logprob in top]
            choice["logprobs"] = {"content": [listed[0] | {"top_logprobs": listed}]}
        left = body["max_tokens"] - THOUGHTS
        thoughts = "hm " * min(THOUGHTS, body["max_tokens"])
        letter = "A" if self._share_of_a(prompt) >= 0.5 else "B"
        text = letter if "=== Answer A" in prompt else "word " * min(max(left, 0), 50)
        choice["finish_reason"] = "stop" if left > 0 else "length"
        if self.quirks.thinks == "apart":
            choice["message"] = {"content": text if left > 0 else None, "reasoning_content": thoughts}
        else:
            closed = f"</think>\n\n{text}" if left > 0 else ""
            choice["message"] = {"content": f"<think>\n{thoughts}{closed}"}
