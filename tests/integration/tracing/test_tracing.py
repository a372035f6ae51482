"""Traces of rounds: what spans say, that those of all nodes join one trace, and what a collector can do to a node."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from node.config import TracingTable
from node.watch.spans import SpanMaker, root_id, trace_id
from node.watch.tracing import TracingError, open_tracing
from protocol.types import DeclineReason, Digest
from tests.support.observed import ObservedSwarm


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Wait for exporters that a node leaves behind at its end: they draw random delays and log within other tests."""
    yield
    for each in threading.enumerate():
        if each.name.startswith("Otel"):
            each.join()


class Traced(ObservedSwarm):
    """A swarm whose nodes trace their rounds, each for itself, as real ones do."""

    def __init__(self, names: str) -> None:
        super().__init__(names)
        self.exporters = {name: InMemorySpanExporter() for name in names}
        self.makers = {name: SpanMaker("", {"service.name": name}, each) for name, each in self.exporters.items()}
        for name, maker in self.makers.items():
            self.timelines[name].follow(maker)

    def spans(self, name: str) -> list[ReadableSpan]:
        """Everything that a node has traced; its tracing ends."""
        self.makers[name].close()
        return list(self.exporters[name].get_finished_spans())

    def close(self) -> None:
        for maker in self.makers.values():
            maker.close()


@contextmanager
def traced(names: str) -> Iterator[Traced]:
    swarm = Traced(names)
    try:
        yield swarm
    finally:
        swarm.close()


def named(spans: list[ReadableSpan], name: str) -> ReadableSpan:
    (found,) = [span for span in spans if span.name == name]
    return found


def test_the_spans_of_all_nodes_join_one_trace() -> None:
    with traced("abc") as swarm:
        query = swarm.begin(waves=(2, 2))
        swarm.run()
        asker, member = swarm.spans("a"), swarm.spans("b")

    assert {span.context.trace_id for span in (*asker, *member)} == {trace_id(query)}
    root = named(asker, "round as requester")
    assert root.parent is None and root.context.span_id == root_id(query)
    worker = named(member, "round as member")
    assert worker.parent is not None and worker.parent.span_id == root_id(query) and worker.parent.is_remote
    # Our own member stands beside the others.
    assert named(asker, "round as member").parent.span_id == root_id(query)  # type: ignore[union-attr]
    phases = [span.name for span in asker if span.parent is not None and span.parent.span_id == root.context.span_id]
    assert phases == ["answering", "opening", "judging", "judging", "round as member", "cosigning"]
    ids = [span.context.span_id for span in (*asker, *member)]
    assert len(set(ids)) == len(ids)


def test_a_span_tells_ids_times_and_counts_and_never_a_text() -> None:
    with traced("abcd") as swarm:
        swarm.nodes["c"].unable_to_answer = DeclineReason.ENGINE
        query = swarm.begin()
        swarm.run()
        asker, decliner = swarm.spans("a"), swarm.spans("c")

    root = named(asker, "round as requester")
    assert root.attributes is not None
    assert dict(root.attributes) == {
        "strand.query_id": query.hex(),
        "strand.role": "requester",
        "strand.task": "code",
        "strand.seats": 4,
        "strand.ending": "finished",
        "strand.outcome": "decided",
    }
    assert [event.name for event in root.events] == ["answered"]
    assert dict(named(decliner, "answering").attributes or {}) == {
        "strand.result": "declined",
        "strand.reason": "engine",
    }
    judging = next(span for span in asker if span.name == "judging")
    assert (judging.attributes or {})["strand.comparisons"]
    for span in (*asker, *decliner):
        assert span.start_time is not None and span.end_time is not None and span.start_time <= span.end_time
        assert root.start_time is not None and span.start_time >= root.start_time
        told = span.to_json()
        assert "Which?" not in told and "fn first_long" not in told


def test_rounds_that_began_before_the_tracing_are_left_out() -> None:
    with traced("ab") as swarm:
        late = SpanMaker("", {}, exporter := InMemorySpanExporter())
        swarm.begin()
        swarm.timelines["a"].follow(late)
        swarm.run()
        late.close()
    assert {span.name for span in exporter.get_finished_spans()} <= {"round as member", "answering", "judging"}


# -- the collector ---------------------------------------------------------------------------------------------------


@contextmanager
def collector(status: int = 200) -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP receiver on loopback that replies with this status; its URL, and the bodies that came."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            assert self.headers["content-type"] == "application/x-protobuf"
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", bodies
        finally:
            server.shutdown()
            thread.join()


def received(bodies: list[bytes]) -> list[Span]:
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    return [span for each in requests for of in each.resource_spans for scope in of.scope_spans for span in scope.spans]


async def trace_a_round(config: TracingTable) -> Digest:
    """Trace a round of two nodes at its requester."""
    swarm = ObservedSwarm("ab")
    async with open_tracing(config, b"k" * 32) as tracer:
        assert tracer is not None
        swarm.timelines["a"].follow(tracer)
        query = swarm.begin()
        swarm.run()
    assert swarm.certificate is not None
    return query


async def test_a_collector_gets_the_trace_by_otlp_before_the_node_ends() -> None:
    with collector() as (url, bodies):
        query = await trace_a_round(TracingTable(enabled=True, endpoint=url))
    spans = received(bodies)
    (root,) = [span for span in spans if not span.parent_span_id]
    assert (root.trace_id, root.span_id) == (query[:16], query[16:24])
    assert {span.trace_id for span in spans} == {query[:16]}
    (resource,) = {
        tuple(sorted((each.key, each.value.string_value) for each in of.resource.attributes if "service" in each.key))
        for body in bodies
        for of in ExportTraceServiceRequest.FromString(body).resource_spans
    }
    assert dict(resource)["service.name"] == "strand"
    assert dict(resource)["service.instance.id"] == (b"k" * 32).hex()


async def test_without_an_endpoint_the_standard_variables_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as (url, bodies):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url.removesuffix("/v1/traces"))
        await trace_a_round(TracingTable(enabled=True))
    assert received(bodies)


async def test_a_collector_that_refuses_or_is_gone_costs_spans_alone() -> None:
    with collector(status=400) as (url, bodies):
        await trace_a_round(TracingTable(enabled=True, endpoint=url))
    assert bodies
    await trace_a_round(TracingTable(enabled=True, endpoint=url))


async def test_a_collector_that_never_replies_does_not_hold_up_the_end() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    try:
        port = listeners[0].socket.getsockname()[1]
        await trace_a_round(TracingTable(enabled=True, endpoint=f"http://127.0.0.1:{port}/v1/traces"))
    finally:
        for each in listeners:
            await each.aclose()


async def test_tracing_is_off_by_default() -> None:
    async with open_tracing(TracingTable(), b"k" * 32) as tracer:
        assert tracer is None


async def test_a_missing_extra_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "node.watch.spans", None)
    with pytest.raises(TracingError, match=r"pip install 'strand-swarm\[tracing\]'"):
        async with open_tracing(TracingTable(enabled=True), b"k" * 32):
            pass


@pytest.mark.parametrize(
    "endpoint",
    [
        "127.0.0.1:4318",
        "http://host",
        "ftp://host/v1/traces",
        "http:// /v1",
        "http://a:b@host/v1",
        "http://host/v1?k=v",
    ],
)
def test_an_endpoint_that_is_no_url_of_http_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint must be like"):
        TracingTable(enabled=True, endpoint=endpoint)
