"""The client library against a node in memory: typed replies, events, and an error for each thing that can go wrong."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import httpx2
import msgspec
import pytest
import trio
from starlette.responses import Response

from node.api import operations
from node.api.common import Readiness
from node.api.events import Asked, BaseEvent, Certified, Decided, Ended, EventsMissed, Progress, Strengths
from node.api.following import RoundLog
from node.api.reputation import FORMAT, Exported, ExportedStanding, TakenOver
from node.cli.parts.errors import Exit, user_error
from node.client import (
    AddressError,
    BadReplyError,
    BadRequestError,
    Client,
    ClientError,
    NoCertificateError,
    Question,
    RefusedError,
    TimedOutError,
    UnavailableError,
    UnreachableError,
    connect,
    follow,
)
from node.client import client as client_module
from node.http.shown import Shown
from node.rounds.ask_errors import AskError, NoQuorumError
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.types import Outcome, OutcomeReason
from tests.support.shown import (
    ENGINE,
    KEY,
    PEERS,
    QUERY,
    QUEUE,
    REPLAY,
    REPUTATION,
    ROUND,
    SERVING,
    STATUS,
    TRIAL,
    EndedEvents,
    KeptHistory,
    StillPeers,
    StillReputation,
    TellingRounds,
    http_client,
    shown,
)
from tests.support.updates import told

Call = Callable[[Client], Awaitable[object]]
QUESTION = Question.single("Sum a slice.")


@asynccontextmanager
async def client_of(node: Shown, *, token: str = "") -> AsyncIterator[Client]:
    async with http_client(node, token=token) as http:
        yield Client(http, "the node")


@asynccontextmanager
async def client_of_reply(response: Response) -> AsyncIterator[Client]:
    """A client of something that gives one reply, whatever it is asked."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(response), base_url="http://127.0.0.1:1") as http:
        yield Client(http, "the node")


async def ask(client: Client) -> list[Any]:
    async with aclosing(client.ask(QUESTION)) as events:
        return [event async for event in events]


async def test_each_call_gives_the_type_that_the_server_sent() -> None:
    async with client_of(shown()) as client:
        assert await client.status() == STATUS
        assert await client.peers() == PEERS
        assert await client.engine() == ENGINE
        assert await client.try_engine() == TRIAL
        assert await client.serving() == await client.pause(5) == await client.resume() == SERVING
        assert await client.reputation() == REPUTATION
        assert await client.round(QUERY.hex()) == ROUND
        assert await client.queue() == QUEUE
        assert (await client.verify(b"certificate")).detail == "11 bytes"
        assert (await client.answers(QUERY.hex())).answers == REPLAY.answers
        assert await client.replay(QUERY.hex()) == await client.replay_certificate(b"certificate") == REPLAY
        assert (await client.challenge()).query_id == QUERY.hex()
        # Not ready is an answer, not an error.
        assert await client.ready() == Readiness(ready=False, engine=False, peers=True)
        assert (await client.metrics()).startswith("# HELP")


async def test_rounds_come_page_by_page() -> None:
    details = [
        msgspec.structs.replace(ROUND, round=msgspec.structs.replace(ROUND.round, asked_ms=at_ms))
        for at_ms in (3, 2, 1)
    ]
    history = KeptHistory(details)
    async with client_of(shown(history=history)) as client:
        page = await client.rounds(limit=2, search="Straße", gold=1)
        assert ([each.asked_ms for each in page.rounds], history.wanted[0].text) == ([3, 2], "strasse")
        assert history.wanted[0].gold
        rest = await client.rounds(limit=2, after=page.next or "")
        assert ([each.asked_ms for each in rest.rounds], rest.next) == ([1], None)
        with pytest.raises(BadRequestError, match="limit is an integer from 1 to 100"):
            await client.rounds(limit=101)
        held = await client.certificates(limit=2)
        assert (len(held.certificates), held.next) == (2, "2")
        held = await client.certificates(limit=2, after="2")
        assert (len(held.certificates), held.next) == (1, None)


async def test_what_is_exported_is_imported_typed_or_as_json() -> None:
    async with client_of(shown()) as client:
        exported = await client.export_reputation()
        assert exported == Exported(FORMAT, "rust", {KEY: ExportedStanding(rounds=1)})
        assert await client.import_reputation(exported) == TakenOver(1, 0)
        with pytest.raises(BadRequestError, match="no exported reputation"):
            await client.import_reputation({"standings": {}})


def progress(phase: str, at_ms: int = 0) -> Progress:
    nobody: Any = {"received": (KEY,), "expected": (KEY,), "silent": (), "refused": {}, "declined": {}}
    return Progress(phase=phase, wave=0, at_ms=at_ms, **nobody)


def ended(ending: str, at_ms: int = 0) -> Ended:
    return Ended(role="requester", ending=ending, outcome=None, fault=None, at_ms=at_ms)


def failed(reason: OutcomeReason, own_engine: str = "") -> Decided:
    nothing: Any = {"winner": "", "p_best": 0.0, "p_correct": None, "answer": ""}
    return Decided(outcome=Outcome.FAILED, reason=reason, own_engine=own_engine, **nothing)


A_ROUND: tuple[BaseEvent, ...] = (
    Asked(query_id=QUERY.hex(), members=(KEY,)),
    progress("answering", 5),
    progress("judging", 40),
    Certified(outcome=Outcome.DECIDED, bytes=3, at_ms=90),
    ended("finished", 95),
)


async def test_a_round_comes_as_typed_events() -> None:
    async with client_of(shown(rounds=TellingRounds(A_ROUND))) as client:
        assert await ask(client) == list(A_ROUND)


async def test_characters_that_end_lines_elsewhere_do_not_here() -> None:
    """At 7b6292f the library split an answer at U+2028, which JSON may hold as it is."""
    nothing: Any = {"reason": OutcomeReason.NONE, "winner": KEY, "p_best": 0.5, "p_correct": None}
    decided = Decided(outcome=Outcome.DECIDED, answer="one\u2028two\x85three", **nothing)
    async with client_of(shown(rounds=TellingRounds((decided,)))) as client:
        assert await ask(client) == [decided]


async def test_a_line_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LINE_BYTES_MAX", 64)
    async with client_of_reply(Response(b"{" * 100)) as client:
        with pytest.raises(BadReplyError, match="longer than any"):
            await ask(client)


async def test_events_come_with_their_ids_and_unknown_kinds_are_left_aside() -> None:
    earlier = [msgspec.structs.replace(each, query_id=QUERY.hex(), seq=seq) for seq, each in enumerate(A_ROUND, 3)][:2]
    events = EndedEvents(earlier, missed=2)
    async with client_of(shown(events=events)) as client, aclosing(client.events(QUERY.hex(), "life-2")) as stream:
        told = [each async for each in stream]
    assert told == [("life-7", EventsMissed(missed=2)), ("life-3", earlier[0]), ("life-4", earlier[1])]
    assert events.resumed == [("life-2", QUERY)]
    stream_of = Response(
        b': hello\n\ndata: {"event": "dreamt"}\n\nid: 1\ndata: {"event": "missed",\ndata: "missed": 1}\n\n'
    )
    async with client_of_reply(stream_of) as client, aclosing(client.events()) as stream:
        assert [each async for each in stream] == [("1", EventsMissed(missed=1))]


async def test_a_round_comes_with_details_for_who_wants_them() -> None:
    strengths = Strengths(query_id=QUERY.hex(), wave=0, ranking=())
    rounds = TellingRounds((A_ROUND[0], strengths))
    async with client_of(shown(rounds=rounds)) as client, aclosing(client.ask(QUESTION, details=True)) as events:
        told = [event async for event in events]
    assert [(type(event), event.seq) for event in told] == [(Asked, 1), (Strengths, 2)]
    assert told[1].query_id == QUERY.hex()
    assert rounds.detailed == 1


async def test_kinds_of_newer_nodes_are_left_aside() -> None:
    """A new kind may come without a new version; a known one must be what it says."""
    lines = b'{"event": "dreamt", "of": "sheep"}\n{"event": "certified", "outcome": "decided", "bytes": 3, "new": 1}\n'
    async with client_of_reply(Response(lines)) as client:
        assert await ask(client) == [Certified(outcome=Outcome.DECIDED, bytes=3)]
    async with client_of_reply(Response(lines + b'{"event": "certified"}\n')) as client:
        with pytest.raises(BadReplyError, match="answers otherwise"):
            await ask(client)


async def test_a_followed_round_ends_in_a_verified_certificate() -> None:
    round_ = told({"a": "A", "b": "A", "c": "B"})
    rounds, history = TellingRounds(A_ROUND), KeptHistory(held={QUERY: round_.certificate})
    seen: list[object] = []
    async with client_of(shown(rounds=rounds, history=history)) as client:
        followed = await follow(client, QUESTION, on_event=seen.append)
        history.held[QUERY] = b"no certificate"
        with pytest.raises(BadReplyError, match="does not hold"):
            await follow(client, QUESTION)
    assert rounds.asked == [QUESTION, QUESTION]
    assert seen == list(A_ROUND)
    assert followed.certificate == round_.certificate
    assert followed.answer in {content.text for content in followed.verified.record.contents.values()}
    assert followed.timings_ms == {"answering": 35, "judging": 55, "to_answer": 0, "total": 95}


async def test_a_round_without_a_certificate_says_why() -> None:
    async with client_of(shown(rounds=TellingRounds((A_ROUND[0], ended("left"))))) as client:
        with pytest.raises(NoCertificateError, match="took nothing any more"):
            await follow(client, QUESTION)


def test_a_failed_round_names_what_members_refused_for() -> None:
    refused = {"a": "busy", "b": "over_quota", "c": "busy"}
    nobody = failed(OutcomeReason.NO_ANSWERS)
    why = RoundLog(decided=nobody, refused=refused).why_not()
    assert "no_answers; members refused: busy (2), over quota (1); see" in why
    assert "no_answers; see" in RoundLog(decided=nobody).why_not()
    ours = failed(OutcomeReason.DECLINED, "cannot reach the engine")
    log = RoundLog(decided=ours, declined={"a": "engine", "b": "engine"})
    assert "members declined: engine (2); this node's own engine: cannot reach the engine; see" in log.why_not()
    assert "refused" not in RoundLog(ended=ended("left"), refused=refused).why_not()
    assert "stopped before" in RoundLog().why_not()


def test_the_end_of_the_nodes_own_part_as_a_member_does_not_end_the_round() -> None:
    """With details an asking node tells both parts, and the member's may end first."""
    log = RoundLog()
    *course, end = A_ROUND
    for event in (*course, Ended(role="member", ending="cosigned", outcome=None, fault=None, at_ms=7)):
        log.note(event)
    assert log.ended is None
    log.note(end)
    assert log.ended == end
    assert log.timings_ms() == {"answering": 35, "judging": 55, "to_answer": 0, "total": 95}


@pytest.mark.parametrize(
    ("call", "kind", "words", "code"),
    [
        (lambda client: client.certificate("zz"), BadRequestError, "64 hexadecimal digits", Exit.USAGE),
        (lambda client: client.round(bytes(32).hex()), RefusedError, "no such round", Exit.REFUSED),
        (lambda client: client.certificate(bytes(32).hex()), RefusedError, "no such certificate", Exit.REFUSED),
        (lambda client: client.challenge(), UnavailableError, "nobody is there", Exit.NO_QUORUM),
        (ask, BadRequestError, "too long", Exit.USAGE),
        (lambda client: client.wait_offers(3, 0), TimedOutError, "only 1 of 3 nodes", Exit.TIMEOUT),
    ],
)
async def test_a_refusal_is_an_error_with_the_nodes_words(
    call: Call, kind: type[ClientError], words: str, code: Exit
) -> None:
    """The command line gives each its exit code; the library knows none."""
    node = shown(
        rounds=TellingRounds(refusal=AskError("too long")),
        reputation=StillReputation(refusal=NoQuorumError("nobody is there")),
        peers=StillPeers(offers=1),
    )
    async with client_of(node) as client:
        with pytest.raises(kind, match=words) as caught:
            await call(client)
    assert user_error(caught.value) == (str(caught.value), code)


async def test_a_missing_token_is_told() -> None:
    async with client_of(shown(), token="a token of the test") as client:
        with pytest.raises(RefusedError, match="a token is needed") as caught:
            await client.status()
    assert caught.value.status == 401


HTML = Response("<html>", media_type="text/html")
NO_NODE = Response("<html>", 502, media_type="text/html")
OTHER = Response('{"key": 7}', media_type="application/json")


@pytest.mark.parametrize(
    ("response", "call", "kind", "words"),
    [
        (Response(b'{"x": ' + b"[" * 100_000), Client.status, BadReplyError, "the node is no strand node"),
        (HTML, Client.status, BadReplyError, "the node is no strand node"),
        (NO_NODE, Client.status, BadReplyError, "the node is no strand node"),
        (OTHER, Client.status, BadReplyError, "answers otherwise than this version's nodes do"),
        (OTHER, ask, BadReplyError, "answers otherwise"),
        (HTML, ask, BadReplyError, "no strand node"),
        (Response("[]", 500, media_type="application/json"), Client.peers, RefusedError, "Internal Server Error"),
        (
            Response(bytes(CERTIFICATE_BYTES_MAX + 1)),
            lambda client: client.certificate(QUERY.hex()),
            BadReplyError,
            "larger than any certificate",
        ),
    ],
)
async def test_what_is_no_node_is_one_line(response: Response, call: Call, kind: type[ClientError], words: str) -> None:
    async with client_of_reply(response) as client:
        with pytest.raises(kind, match=words):
            await call(client)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1", "http://", "http://[::1", "http://a\nb"])
async def test_what_is_no_url_is_told_before_anything_is_sent(url: str) -> None:
    with pytest.raises(AddressError):
        async with connect(url):
            pytest.fail("there is nothing to connect to")


async def test_where_nobody_listens_is_told() -> None:
    """The discard port, on which no test machine listens."""
    async with connect("http://127.0.0.1:9") as client:
        with pytest.raises(UnreachableError, match="strand run"):
            await client.status()
        with pytest.raises(UnreachableError, match="strand run"):
            await ask(client)


@asynccontextmanager
async def server_of_bytes(reply: bytes) -> AsyncIterator[str]:
    """The URL of a server that sends the same bytes to everybody, and closes the connection."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(reply)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


EVENT = msgspec.json.encode(A_ROUND[0]) + b"\n"
BROKEN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(EVENT), EVENT)


async def test_a_node_that_ends_during_a_round_is_not_one_that_never_ran() -> None:
    """It was told as "no node answers: start one"."""
    async with server_of_bytes(BROKEN) as url, connect(url) as client:
        with pytest.raises(UnreachableError, match=f"{url} ended while the round ran") as caught:
            await ask(client)
        assert "strand run" not in str(caught.value)
        with pytest.raises(UnreachableError, match="ended while it told its events"):
            async with aclosing(client.events()) as stream:
                assert [each async for each in stream] == []


async def test_what_speaks_no_http_is_told_from_nothing_at_all() -> None:
    """A peer-to-peer port begins with its own protocol's name."""
    async with server_of_bytes(b"\x13/multistream/1.0.0\n") as url, connect(url) as client:
        for call in (Client.status, ask):
            with pytest.raises(BadReplyError, match=f"what answers at {url} speaks no HTTP"):
                await call(client)
    for closed in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"):
        async with server_of_bytes(closed) as url, connect(url) as client:
            with pytest.raises(UnreachableError, match="strand run"):
                await client.status()


def test_every_operation_for_programs_but_the_process_check_has_a_call() -> None:
    source = inspect.getsource(client_module)
    names = {name for name, each in vars(operations).items() if each in operations.OPERATIONS}
    # Others have clients for these.
    names -= {name for name in names if getattr(operations, name).path.startswith("/v1/")}
    assert {name for name in names if f"ops.{name}" not in source} == {"ASSET", "LIVE", "OPENAPI", "PAGE"}
