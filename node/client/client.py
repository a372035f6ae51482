"""Typed calls of a node's HTTP interface."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final, TypeVar, get_args

import httpx2
import msgspec

from node.api import operations as ops
from node.api.asking import Question
from node.api.certificates import CertificatePage, Verification
from node.api.common import Error, Readiness
from node.api.config import ConfigReport
from node.api.engine import EngineReport, TrialReport
from node.api.events import RoundEvent, StreamedEvent
from node.api.operations import BYTES, Operation
from node.api.queue import QueueReport
from node.api.replays import Replay, RoundAnswers
from node.api.reputation import Exported, GoldResult, NodeDetail, ReputationReport, TakenOver
from node.api.rounds import RoundDetail, RoundPage
from node.api.serving import Pause, ServingReport
from node.api.status import Peers, Status
from node.api.ui import UiLink
from node.client.errors import (
    AddressError,
    BadReplyError,
    BrokenOffError,
    RefusedError,
    TimedOutError,
    UnreachableError,
    refused,
)
from node.client.sse import read_events
from protocol.limits import CERTIFICATE_BYTES_MAX

CONNECT_S: Final = 5.0
"""Seconds to connect to a node on this machine."""

REPLY_S: Final = 10.0
"""Timeout in seconds of immediate replies."""

CHANGE_S: Final = 30.0
"""Timeout in seconds of changes, which the node writes to disk before it replies, and of a certificate's bytes."""

ASK_GOLD_S: Final = 900.0
"""Timeout in seconds of one gold round: all of its budgets, at most minutes each, and the wait for a ticket."""

TRIAL_S: Final = 400.0
"""Timeout in seconds of a trial of the engine: three parts of two minutes at most, and a little for the node."""

VERIFY_S: Final = 120.0
"""Timeout in seconds of verifying a certificate: some seconds for the largest, and the wait for others."""

SILENCE_S: Final = 900.0
"""Longest silence of a round in seconds: longer than all of its default budgets together, for so long may cancelled
rounds hold the tickets."""

STREAM_SILENCE_S: Final = 45.0
"""Longest silence of a stream of events in seconds: a node sends a comment every ten."""

LINE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of one line of a stream: the beginning of a round with 64 KiB of text is far below."""

_KINDS: Final = frozenset(str(kind.__struct_config__.tag) for kind in get_args(StreamedEvent))

Reply = TypeVar("Reply")


_CLOSED: Final = ("Server disconnected", "peer closed connection")
"""Beginnings of the library's texts for a connection that was closed; other breaches of HTTP have the same type."""


class _Kind(msgspec.Struct):
    event: str


class Client:
    """Client of one node. All calls raise a ClientError, whose type tells the caller what it can do."""

    def __init__(self, http: httpx2.AsyncClient, url: str) -> None:
        """Wrap an HTTP client. `url`: the node's name in errors."""
        self._http = http
        self.url = url

    async def ready(self) -> Readiness:
        """Return whether the engine replies and a peer is connected."""
        response = await self._send(ops.READY, REPLY_S)
        return self._decode(response.content, Readiness)

    async def status(self) -> Status:
        """Return the node's status."""
        return await self._call(ops.STATUS)

    async def peers(self) -> Peers:
        """Return the node's peers and their offers."""
        return await self._call(ops.PEERS)

    async def engine(self) -> EngineReport:
        """Return the engine's abilities, load and failures."""
        return await self._call(ops.ENGINE)

    async def try_engine(self) -> TrialReport:
        """Let the running engine give one real answer and one real judgement."""
        return await self._call(ops.ENGINE_TRIAL, timeout_s=TRIAL_S)

    async def metrics(self) -> str:
        """Return the node's metrics in Prometheus' text format."""
        response = await self._send(ops.METRICS, REPLY_S)
        self._check(response)
        return response.text

    async def wait_offers(self, nodes: int, timeout_s: float) -> None:
        """Wait until `nodes` nodes offer to work, the asked one included. Raises TimedOutError."""
        asked = {"offers": nodes, "timeout_ms": round(timeout_s * 1000)}
        known = (await self._call(ops.WAIT, timeout_s=timeout_s + REPLY_S, params=asked)).offers
        if known < nodes:
            raise TimedOutError(f"only {known} of {nodes} nodes offer to work after {timeout_s:.0f} s")

    async def ask(
        self, question: Question, silence_s: float = SILENCE_S, *, details: bool = False
    ) -> AsyncGenerator[RoundEvent]:
        """Begin a round and yield its events as they occur; the round goes on when the caller leaves.

        `details`: whether to yield all kinds of events with all fields; else only what the command line shows. Raises
        TimedOutError after `silence_s` without an event. `contextlib.aclosing` lets a caller leave early.
        """
        body, query = msgspec.json.encode(question), {"details": int(details)}
        async with self._stream(ops.ASK, silence_s, content=body, params=query) as lines:
            async for line in lines:
                if (event := self._event(line, ops.ASK)) is not None:
                    yield event

    async def rounds(self, *, limit: int = 20, after: str = "", **wanted: str | int) -> RoundPage:
        """Return a page of the rounds that the node asked, newest first.

        `after`: the `next` of the page before; `wanted`: `search`, `task`, `outcome`, `since_ms`, `until_ms` and `gold`
        of the operation.
        """
        params = {"limit": limit, **wanted} | ({"after": after} if after else {})
        return await self._call(ops.ROUNDS, timeout_s=CHANGE_S, params=params)

    async def round(self, query_id: str) -> RoundDetail:
        """Return everything that the node knows of a round."""
        path = ops.ROUND.path.format(query_id=query_id)
        return await self._call(ops.ROUND, timeout_s=CHANGE_S, path=path)

    async def answers(self, query_id: str) -> RoundAnswers:
        """Return the texts of a round's opened answers."""
        path = ops.ROUND_ANSWERS.path.format(query_id=query_id)
        return await self._call(ops.ROUND_ANSWERS, timeout_s=VERIFY_S, path=path)

    async def replay(self, query_id: str) -> Replay:
        """Return the course of a round."""
        path = ops.ROUND_REPLAY.path.format(query_id=query_id)
        return await self._call(ops.ROUND_REPLAY, timeout_s=VERIFY_S, path=path)

    async def replay_certificate(self, certificate: bytes) -> Replay:
        """Make the node rebuild the course of a round from its certificate."""
        headers = {"Content-Type": BYTES}
        return await self._call(ops.REPLAY, timeout_s=VERIFY_S, content=certificate, headers=headers)

    async def cancel(self, query_id: str) -> bool:
        """Cancel a round that the node asked. Returns whether there was anything left to cancel."""
        path = ops.CANCEL.path.format(query_id=query_id)
        return (await self._call(ops.CANCEL, timeout_s=CHANGE_S, path=path)).cancelled

    async def events(
        self, query_id: str = "", last_id: str = "", silence_s: float = STREAM_SILENCE_S
    ) -> AsyncGenerator[tuple[str, StreamedEvent]]:
        """Yield the events of all rounds of the node, or of one, as they occur, each with its id.

        `query_id`: id of the one round, with which the events end; empty: all. `last_id`: id of the last event that was
        read from an earlier stream, to go on after it.

        Raises TimedOutError after `silence_s` without even a sign of life.
        """
        params = {"round": query_id} if query_id else {}
        headers = {"Last-Event-ID": last_id} if last_id else {}
        async with (
            self._stream(ops.EVENTS, silence_s, params=params, headers=headers) as lines,
            aclosing(read_events(lines)) as events,
        ):
            async for each in events:
                if each.data and (event := self._event(each.data, ops.EVENTS)) is not None:
                    yield each.id, event

    async def queue(self) -> QueueReport:
        """Return the node's own rounds that run, and the questions that wait."""
        return await self._call(ops.QUEUE)

    async def certificates(self, *, limit: int = 20, after: str = "") -> CertificatePage:
        """Return a page of the certificates that the node holds; `after`: the `next` of the page before."""
        return await self._call(ops.CERTIFICATES, params={"limit": limit} | ({"after": after} if after else {}))

    async def verify(self, certificate: bytes) -> Verification:
        """Make the node verify a certificate."""
        headers = {"Content-Type": BYTES}
        return await self._call(ops.VERIFY, timeout_s=VERIFY_S, content=certificate, headers=headers)

    async def certificate(self, query_id: str) -> bytes:
        """Return the canonical bytes of a round's certificate, unverified."""
        path = ops.CERTIFICATE.path.format(query_id=query_id)
        response = await self._send(ops.CERTIFICATE, CHANGE_S, path=path)
        self._check(response)
        if len(response.content) > CERTIFICATE_BYTES_MAX:
            raise BadReplyError(f"{self.url} served something larger than any certificate")
        return bytes(response.content)

    async def serving(self) -> ServingReport:
        """Return whom the node works for, and their cost."""
        return await self._call(ops.SERVING)

    async def pause(self, for_ms: int | None = None) -> ServingReport:
        """Make the node join no new rounds of others, for `for_ms` or until `resume`."""
        return await self._call(ops.PAUSE, timeout_s=CHANGE_S, content=msgspec.json.encode(Pause(for_ms)))

    async def resume(self) -> ServingReport:
        """Accept rounds of other nodes again."""
        return await self._call(ops.RESUME, timeout_s=CHANGE_S)

    async def reputation(self) -> ReputationReport:
        """Return the node's statistics of others, and the weights that its rosters would give them."""
        return await self._call(ops.REPUTATION)

    async def node_reputation(self, key: str) -> NodeDetail:
        """Return what the node knows of another's key, which may be nothing, and what that did in its latest rounds."""
        path = ops.NODE_REPUTATION.path.format(key=key)
        return await self._call(ops.NODE_REPUTATION, timeout_s=VERIFY_S, path=path)

    async def export_reputation(self) -> Exported:
        """Export the node's statistics of others for another node."""
        return await self._call(ops.REPUTATION_EXPORT)

    async def import_reputation(self, exported: Exported | Mapping[str, Any]) -> TakenOver:
        """Import another node's statistics; JSON values are accepted, too, because the node checks them."""
        body = msgspec.json.encode(exported)
        return await self._call(ops.REPUTATION_IMPORT, timeout_s=CHANGE_S, content=body)

    async def ask_gold(self) -> GoldResult:
        """Make the node ask the swarm one gold question and learn from the round."""
        return await self._call(ops.ASK_GOLD, timeout_s=ASK_GOLD_S)

    async def config(self) -> ConfigReport:
        """Return every setting of the node with its origin, without secrets."""
        return await self._call(ops.CONFIG)

    async def ui_link(self) -> UiLink:
        """Return a link that opens the node's page in a browser."""
        return await self._call(ops.UI_LINK)

    # -- how -----------------------------------------------------------------------------------------------------------

    async def _call(self, operation: Operation[Reply], *, timeout_s: float = REPLY_S, **more: Any) -> Reply:
        """Call an operation and return its JSON reply."""
        response = await self._send(operation, timeout_s, **more)
        self._check(response)
        return self._decode(response.content, operation.reply)

    @asynccontextmanager
    async def _stream(
        self, operation: Operation[Any], silence_s: float, **more: Any
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Call an operation whose reply lasts, and yield the reply's lines as they arrive."""
        timeout = httpx2.Timeout(silence_s, connect=CONNECT_S)
        begun = False
        try:
            async with self._http.stream(operation.method, operation.path, timeout=timeout, **more) as response:
                if response.status_code != 200:
                    await response.aread()
                    self._check(response)
                begun = True
                async with _lines(response) as lines:
                    yield lines
        except httpx2.TimeoutException as error:
            raise TimedOutError(f"no word from {self.url} for {silence_s:.0f} s") from error
        except httpx2.TransportError as error:
            raise (self._broken(operation) if begun else self._unreachable(error)) from error

    async def _send(
        self, operation: Operation[Any], timeout_s: float, *, path: str = "", **more: Any
    ) -> httpx2.Response:
        timeout = httpx2.Timeout(timeout_s, connect=CONNECT_S)
        try:
            return await self._http.request(operation.method, path or operation.path, timeout=timeout, **more)
        except httpx2.TimeoutException as error:
            raise TimedOutError(f"{self.url} did not answer within {timeout_s:.0f} s") from error
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def _broken(self, operation: Operation[Any]) -> BrokenOffError:
        """Return the error for a reply that began and did not end."""
        during = "while the round ran" if operation is ops.ASK else "while it told its events"
        return BrokenOffError(
            f"the node at {self.url} ended {during}, or the way to it broke; `strand rounds` tells what it knows of "
            "its rounds when it runs again"
        )

    def _unreachable(self, error: httpx2.TransportError) -> UnreachableError | BadReplyError:
        """Return the error for a request without a reply."""
        if isinstance(error, httpx2.RemoteProtocolError) and not str(error).startswith(_CLOSED):
            return BadReplyError(
                f"what answers at {self.url} speaks no HTTP ({error}): name the address of a node's HTTP interface"
            )
        return UnreachableError(f"no node answers at {self.url} ({error}): start one with `strand run`")

    def _check(self, response: httpx2.Response) -> None:
        """Raise RefusedError with the node's own text unless the request succeeded."""
        if not response.is_success:
            raise self._refusal(response)

    def _refusal(self, response: httpx2.Response) -> RefusedError:
        try:
            why = msgspec.json.decode(response.content, type=Error).error
        except msgspec.ValidationError:
            why = response.reason_phrase
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._no_node() from error
        return refused(why, response.status_code)

    def _decode(self, body: bytes | str, kind: type[Reply]) -> Reply:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.ValidationError as error:
            raise BadReplyError(f"{self.url} answers otherwise than this version's nodes do: {error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._no_node() from error

    def _event(self, line: bytes, operation: Operation[Any]) -> Any:
        """Decode an event of a round; None for a kind that only newer nodes have."""
        try:
            return self._decode(line, operation.reply)
        except BadReplyError:
            if self._decode(line, _Kind).event in _KINDS:
                raise
            return None

    def _no_node(self) -> BadReplyError:
        return BadReplyError(f"{self.url} is no strand node: it did not answer in JSON")


@asynccontextmanager
async def _lines(response: httpx2.Response) -> AsyncIterator[AsyncIterator[bytes]]:
    """Yield the lines of a body as they arrive; if the caller leaves early, the connection is closed."""
    pieces = response.aiter_bytes()
    try:
        async with aclosing(_split(pieces)) as lines:
            yield lines
    finally:
        await response.aclose()
        # The library's generators hang in each other, and trio complains of those that are dropped before their end.
        with suppress(httpx2.HTTPError, httpx2.StreamError):
            async for _ in pieces:
                pass


async def _split(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield lines without their ends. The library's own splitting also breaks at characters that JSON may hold.

    Raises BadReplyError for a line above LINE_BYTES_MAX.
    """
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
        if len(rest) > LINE_BYTES_MAX:
            raise BadReplyError("a line is longer than any of a node")
    if rest:
        yield rest


@asynccontextmanager
async def connect(url: str, token: str = "") -> AsyncIterator[Client]:
    """Yield a client of the node at this URL.

    Raises AddressError; only the first call shows whether a node is there.
    """
    base = _base_url(url)
    # As bytes: a token may have characters that the library would not encode.
    headers = [(b"Authorization", b"Bearer " + token.encode())] if token else []
    # Proxies of the environment must not see, or lose, requests to this machine.
    async with httpx2.AsyncClient(base_url=base, headers=headers, trust_env=False) as http:
        yield Client(http, base)


def _base_url(text: str) -> str:
    """Check a node's URL and return it. Raises AddressError."""
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise AddressError(f"not a URL: {text!r} ({error})") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise AddressError(f"a node's URL is http://HOST:PORT, not {text!r}")
    return text
