"""All operations of the HTTP interface: the server's routes, the client and the OpenAPI document derive from them.

A new route is a constant here, an entry in OPERATIONS, and its handler in `node/http`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from node.api.asking import OffersKnown, Question
from node.api.certificates import CertificatePage, Verification
from node.api.common import Error, Liveness, Readiness
from node.api.config import ConfigReport
from node.api.engine import EngineReport, TrialReport
from node.api.events import RoundEvent, StreamedEvent
from node.api.openai.chat import ChatChunk, ChatCompletion, ChatRequest, CompletionRequest, TextCompletion
from node.api.openai.common import Model, Models, Problem
from node.api.openai.responses import ResponseEvent, ResponseObject, ResponseRequest
from node.api.parameters import AnyParameter, Parameter, TextParameter, WordParameter
from node.api.queue import QueueReport
from node.api.replays import Replay, RoundAnswers
from node.api.reputation import FORMAT, Exported, GoldResult, NodeDetail, ReputationReport, TakenOver
from node.api.rounds import CURSOR_CHARS_MAX, PAGE_MAX, SEARCH_CHARS_MAX, Cancelled, RoundDetail, RoundPage
from node.api.serving import Pause, ServingReport
from node.api.status import Peers, Status
from node.api.ui import CODE_CHARS_MAX, UiLink
from protocol.limits import CERTIFICATE_BYTES_MAX, TIME_MS_MAX
from protocol.types import Outcome, TaskType

JSON: Final = "application/json"
JSON_LINES: Final = "application/x-ndjson"
"""One JSON object per line, each ended by a line feed."""

EVENT_STREAM: Final = "text/event-stream"
"""Server-sent events (HTML Living Standard, 9.2), each with JSON as its data."""

BYTES: Final = "application/octet-stream"

DONE: Final = "[DONE]"
"""Data of the last event of OpenAI's streams, except those of the Responses API."""

HTML: Final = "text/html"

ANY: Final = "*/*"
"""One of several media types."""

PROMETHEUS: Final = "text/plain"
"""Prometheus' text format; the header also names its version."""

WAIT_MS_MAX: Final = 300_000
"""Greatest time (ms) that a client may wait for offers in one request."""

PATH_SCHEMAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "query_id": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
    "key": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
    "model": {"type": "string", "pattern": "^strand-[^/]+$"},
}
"""JSON schemas of the parts of paths that have names, by name."""

REFUSALS: Final[Mapping[int, str]] = {
    400: "The request is not HTTP/1.1, or not what the operation takes.",
    401: "The token is missing, or no API key's, or the browser's session is over.",
    403: "The request comes from a web page that is not served, or Host does not name the node.",
    408: "The request did not come in time.",
    413: "The body is too large.",
    429: "Too many wrong tokens came from this address; `Retry-After` says when to try again.",
    431: "The header is too large.",
    500: "The node has a fault; its log has a line about it.",
    501: "The request has a transfer coding that is not served.",
    503: "The node is busy, or its disk takes nothing; `Retry-After` may say when to try again.",
    505: "Only HTTP/1.1 is spoken.",
}
"""Statuses that any operation may reply beside its own, with its type of error as the body."""

Reply = TypeVar("Reply")


BODY_BYTES_MAX: Final = 128 * 1024
"""Greatest body of a request in bytes: a query of 64 KiB with every character escaped, and its options."""


@dataclass(frozen=True, slots=True)
class Body:
    """Body of a request."""

    type: Any
    """Type of the JSON; `bytes` for a body that is none."""
    refusal: str
    """Beginning of the line that refuses a wrong body."""
    required: bool = True
    """Whether an empty body is refused; if not, it means the type's defaults."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """A body that is taken, if the schema alone does not lead to one."""
    bytes_max: int = BODY_BYTES_MAX
    """Greatest size in bytes; above BODY_BYTES_MAX the request must have a Content-Length."""

    @property
    def media(self) -> str:
        """Media type of the body."""
        return BYTES if self.type is bytes else JSON


@dataclass(frozen=True, slots=True, eq=False)
class Operation(Generic[Reply]):
    """One method on one path."""

    method: str
    path: str
    """Names in braces are parts of the path: one segment each."""
    summary: str
    reply: type[Reply]
    """Type of a reply with status 200; for JSON lines, of each line."""
    media: str = JSON
    body: Body | None = None
    parameters: tuple[AnyParameter, ...] = ()
    others: Mapping[int, tuple[str, type]] = field(default_factory=dict)
    """Further replies of this operation alone, by status: description and type of the JSON body, NoneType for none."""
    events: tuple[Any, ...] = ()
    """Types of the events' data, if a request may ask for a stream of server-sent events in place of the reply."""
    last_event: str = ""
    """Data of a stream's last event, if that is no JSON."""
    error: type = Error
    """Type of the body of every refusal."""

    @property
    def id(self) -> str:
        """Name for code, such as `get_api_status`."""
        words = self.path.replace("{", "by_").replace("}", "").replace(".", "_").strip("/").split("/")
        return "_".join((self.method.lower(), *words))

    def types(self, status: int) -> tuple[Any, ...]:
        """Return the types that a reply of this status may carry; none if the status is not declared."""
        found: tuple[Any, ...] = (self.reply,) if status == 200 else ()
        if status in self.others:
            found += (self.others[status][1],)
        return found + ((self.error,) if status in REFUSALS else ())


_EXAMPLE: Final = "Write a Rust function that sums a slice."

LIVE: Final = Operation("GET", "/health/live", "Say that the process runs.", Liveness)
READY: Final = Operation(
    "GET",
    "/health/ready",
    "Say whether the engine answers and a peer is connected.",
    Readiness,
    others={503: ("The node is not ready.", Readiness)},
)
STATUS: Final = Operation("GET", "/api/status", "Show what the node does, and whether it really takes part.", Status)
PEERS: Final = Operation("GET", "/api/peers", "List the node's peers and their offers.", Peers)
WAIT: Final = Operation(
    "GET",
    "/api/wait",
    "Wait until enough nodes offer to work, or for a time. Reply with their number.",
    OffersKnown,
    parameters=(
        Parameter("offers", 1, "Number of offering nodes to wait for, this one included."),
        Parameter("timeout_ms", 10_000, f"Longest wait in milliseconds; at most {WAIT_MS_MAX}."),
    ),
)
ASK: Final[Operation[Any]] = Operation(
    "POST",
    "/api/ask",
    "Ask the swarm, and follow the round: `asked`, `progress` and so on, `decided`, `certified`, `ended`.",
    RoundEvent,  # type: ignore[arg-type]  # a union
    media=JSON_LINES,
    body=Body(
        Question,
        "not a question",
        example={"turns": [{"role": "user", "text": _EXAMPLE}]},
    ),
    others={422: ("The question looks like it holds a secret, and `allow_secrets` is not set.", Error)},
    parameters=(
        Parameter(
            "details",
            0,
            "1: every kind of event, also of the node's own work on the query, with all keys; 0: the events named "
            "above, without `seq`, `missed`, `version`, the seats, and what is known of the winner's tokens.",
        ),
    ),
)
ROUNDS: Final = Operation(
    "GET",
    "/api/rounds",
    "List the rounds that the node asked, newest first, page by page.",
    RoundPage,
    parameters=(
        TextParameter(
            "search", "A part of the conversation or of the answer; upper and lower case are alike.", SEARCH_CHARS_MAX
        ),
        WordParameter("task", "Kind of task.", TaskType),
        WordParameter("outcome", "Outcome of the round.", Outcome),
        Parameter("since_ms", 0, "First time of asking, ms since the Unix epoch.", maximum=TIME_MS_MAX),
        Parameter("until_ms", TIME_MS_MAX, "Last time of asking, ms since the Unix epoch.", maximum=TIME_MS_MAX),
        Parameter("gold", 0, "1: also the rounds that the node asked by itself.", maximum=1),
        Parameter("limit", 20, "Most rounds of the page.", minimum=1, maximum=PAGE_MAX),
        TextParameter("after", "The `next` of the page before.", CURSOR_CHARS_MAX),
    ),
)
ROUND: Final = Operation(
    "GET",
    "/api/rounds/{query_id}",
    "Show everything that the node knows of one round: who could read it, what became of it, why the answer won.",
    RoundDetail,
    others={404: ("The node knows no such round.", Error)},
)
ROUND_ANSWERS: Final = Operation(
    "GET",
    "/api/rounds/{query_id}/answers",
    "Show the texts of a round's opened answers: of a round that the node asked, also while it is open.",
    RoundAnswers,
    others={404: ("The node knows no answers of such a round.", Error)},
)
ROUND_REPLAY: Final = Operation(
    "GET",
    "/api/rounds/{query_id}/replay",
    "Show the course of a round, event by event: as it was noted, with times, or else from its certificate.",
    Replay,
    others={404: ("The node knows no course of such a round.", Error)},
)
REPLAY: Final = Operation(
    "POST",
    "/api/replay",
    "Rebuild the course of a round, event by event, from the bytes of its certificate alone.",
    Replay,
    body=Body(bytes, "no certificate", bytes_max=CERTIFICATE_BYTES_MAX),
)
CANCEL: Final = Operation(
    "POST",
    "/api/rounds/{query_id}/cancel",
    "Cancel a round that the node asked: its members stop at once. It keeps its ticket until its budgets are over.",
    Cancelled,
)
EVENTS: Final[Operation[Any]] = Operation(
    "GET",
    "/api/events",
    "Follow the events of all rounds of the node as server-sent events, whose data is one event each. The header "
    "`Last-Event-ID` names the last event that was read: the stream goes on after it, and says what was missed.",
    StreamedEvent,  # type: ignore[arg-type]  # a union
    media=EVENT_STREAM,
    parameters=(TextParameter("round", "Id of the one round to follow; the stream ends with it.", 64),),
    others={404: ("No such round is open.", Error)},
)
QUEUE: Final = Operation(
    "GET", "/api/queue", "Show the node's own rounds that run, and the questions that wait for a ticket.", QueueReport
)
CERTIFICATES: Final = Operation(
    "GET",
    "/api/certificates",
    "List the certificates that the node holds, those stored last first, page by page.",
    CertificatePage,
    parameters=(
        Parameter("limit", 20, "Most certificates of the page.", minimum=1, maximum=PAGE_MAX),
        TextParameter("after", "The `next` of the page before.", CURSOR_CHARS_MAX),
    ),
)
VERIFY: Final = Operation(
    "POST",
    "/api/verify",
    "Verify a certificate from its bytes alone: every signature, the chain, the pairs, the fit, the outcome.",
    Verification,
    body=Body(bytes, "no certificate", bytes_max=CERTIFICATE_BYTES_MAX),
)
CERTIFICATE: Final = Operation(
    "GET",
    "/api/certificates/{query_id}",
    "Fetch the certificate of a round in its canonical bytes.",
    bytes,
    media=BYTES,
    others={404: ("The node has no such certificate.", Error)},
)
ENGINE: Final = Operation("GET", "/api/engine", "Show the engine's abilities, speed and failures.", EngineReport)
ENGINE_TRIAL: Final = Operation(
    "POST", "/api/engine/trial", "Let the engine give one real answer and one real judgement.", TrialReport
)
METRICS: Final = Operation("GET", "/metrics", "Show the node's figures for Prometheus.", str, media=PROMETHEUS)
REPUTATION: Final = Operation(
    "GET",
    "/api/reputation",
    "Show what the node has learned of other nodes, and their weights in its rosters.",
    ReputationReport,
)
REPUTATION_EXPORT: Final = Operation(
    "GET", "/api/reputation/export", "Export the node's standings of others.", Exported
)
NODE_REPUTATION: Final = Operation(
    "GET",
    "/api/reputation/{key}",
    "Show what the node knows of a key, which may be nothing, and what that node did in its latest rounds.",
    NodeDetail,
)
REPUTATION_IMPORT: Final = Operation(
    "POST",
    "/api/reputation",
    "Import standings that another node exported, of nodes that this one has not met.",
    TakenOver,
    body=Body(Exported, "no exported reputation", example={"format": FORMAT, "specialty": "rust", "standings": {}}),
)
ASK_GOLD: Final = Operation("POST", "/api/gold", "Ask the swarm one gold question, and learn from it.", GoldResult)
SERVING: Final = Operation(
    "GET", "/api/serving", "Show which requesters the node works for, and the cost of that work.", ServingReport
)
PAUSE: Final = Operation(
    "POST",
    "/api/pause",
    "Stop accepting rounds of other nodes.",
    ServingReport,
    body=Body(Pause, "no pause", required=False),
)
RESUME: Final = Operation("POST", "/api/resume", "Accept rounds of other nodes again.", ServingReport)
CONFIG: Final = Operation(
    "GET", "/api/config", "Show every setting and where it comes from, without secrets.", ConfigReport
)
PAGE: Final = Operation(
    "GET",
    "/",
    "Show the dashboard; with the code of a link, let a browser in.",
    str,
    media=HTML,
    parameters=(TextParameter("code", "Code of a link, on a node with API keys.", CODE_CHARS_MAX),),
    others={303: ("The code was valid: a cookie is set, and the page is at the same address.", type(None))},
)
ASSET: Final = Operation(
    "GET",
    "/assets/{name}",
    "Send a file that the dashboard loads: a script, a style or a picture, which never changes.",
    str,
    media=ANY,
    others={404: ("There is no such file.", Error)},
)
UI_LINK: Final = Operation(
    "POST",
    "/api/ui-links",
    "Make a link to the dashboard; on a node with API keys it lets a browser in, once and for 60 s.",
    UiLink,
)
OPENAPI: Final = Operation("GET", "/api/openapi.json", "Describe this interface as OpenAPI 3.1.", dict[str, Any])

HOP_REFUSED: Final = ("The request comes from a node: none may be another one's engine through the swarm.", Problem)
NO_MODEL: Final = ("There is no such model.", Problem)
MODELS: Final = Operation(
    "GET", "/v1/models", "List the model ids of this node.", Models, others={508: HOP_REFUSED}, error=Problem
)
MODEL: Final = Operation(
    "GET",
    "/v1/models/{model}",
    "Show one model id.",
    Model,
    others={404: NO_MODEL, 508: HOP_REFUSED},
    error=Problem,
)
_ROUND_ERRORS: Final[Mapping[int, tuple[str, type]]] = {
    404: NO_MODEL,
    422: ("The text looks like it holds a secret, or the swarm is less sure than `min_confidence`.", Problem),
    502: ("The round gave no answer: its members declined, or it was lost.", Problem),
    504: ("The round gave no answer: none came in time.", Problem),
    508: HOP_REFUSED,
}
CHAT: Final = Operation(
    "POST",
    "/v1/chat/completions",
    "Ask the swarm by OpenAI's chat completions.",
    ChatCompletion,
    body=Body(
        ChatRequest,
        "no request for a chat completion",
        example={
            "model": "strand-rust:members",
            "messages": [{"role": "user", "content": _EXAMPLE}],
        },
    ),
    others=_ROUND_ERRORS,
    events=(ChatChunk, Problem),
    last_event=DONE,
    error=Problem,
)
RESPONSES: Final = Operation(
    "POST",
    "/v1/responses",
    "Ask the swarm by OpenAI's Responses API, without state.",
    ResponseObject,
    body=Body(
        ResponseRequest,
        "no request for a response",
        example={"model": "strand-rust:members", "input": _EXAMPLE},
    ),
    others=_ROUND_ERRORS,
    events=(ResponseEvent,),
    error=Problem,
)
COMPLETIONS: Final = Operation(
    "POST",
    "/v1/completions",
    "Ask the swarm by OpenAI's older text completions.",
    TextCompletion,
    body=Body(
        CompletionRequest, "no request for a completion", example={"model": "strand-rust:members", "prompt": _EXAMPLE}
    ),
    others=_ROUND_ERRORS,
    events=(TextCompletion, Problem),
    last_event=DONE,
    error=Problem,
)

OPERATIONS: Final[tuple[Operation[Any], ...]] = (
    LIVE,
    READY,
    STATUS,
    PEERS,
    WAIT,
    ASK,
    ROUNDS,
    ROUND,
    ROUND_ANSWERS,
    ROUND_REPLAY,
    REPLAY,
    CANCEL,
    EVENTS,
    QUEUE,
    CERTIFICATES,
    VERIFY,
    CERTIFICATE,
    ENGINE,
    ENGINE_TRIAL,
    METRICS,
    REPUTATION,
    REPUTATION_EXPORT,
    NODE_REPUTATION,
    REPUTATION_IMPORT,
    ASK_GOLD,
    SERVING,
    PAUSE,
    RESUME,
    CONFIG,
    PAGE,
    ASSET,
    UI_LINK,
    OPENAPI,
    MODELS,
    MODEL,
    CHAT,
    RESPONSES,
    COMPLETIONS,
)
"""All operations, in the order of the document."""
