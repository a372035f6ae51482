"""Spans of rounds: the only module that knows OpenTelemetry. `node.watch.tracing` imports it when tracing is on.

A trace is one round: its id follows from the query's, so that the spans of all nodes join it although no message
carries a trace's context. The requester's span of the round is the root, each member's is its child, and phases are
children of these. Spans hold ids, roles, times and counts, never a text.
"""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from node.rounds.following.hub import RoundRole
from node.rounds.following.timeline import PhaseEnded, RoundBegan, RoundOver
from protocol.types import Digest

_NS: Final = 1_000_000
"""Nanoseconds of a millisecond."""


def trace_id(query: Digest) -> int:
    """Return the trace's id of a round: the first 16 bytes of the query's id."""
    return int.from_bytes(query[:16], "big")


def root_id(query: Digest) -> int:
    """Return the id of the requester's span of a round: the next 8 bytes of the query's id."""
    return int.from_bytes(query[16:24], "big")


class _RoundIds(RandomIdGenerator):
    """Random ids, except for the requester's span of a round, whose ids every node of the round can compute."""

    query: Digest | None = None
    """The query whose root span is being started; None: another span."""

    def generate_trace_id(self) -> int:
        return super().generate_trace_id() if self.query is None else trace_id(self.query)

    def generate_span_id(self) -> int:
        return super().generate_span_id() if self.query is None else root_id(self.query)


class SpanMaker:
    """Makes the spans of one node's rounds. A listener of `RoundTimeline`.

    Ended spans enter the SDK's bounded queue, whose own thread sends them: a collector that is slow or gone costs spans
    and a line in the log, never time of a round.
    """

    def __init__(self, endpoint: str, attributes: dict[str, str], exporter: SpanExporter | None = None) -> None:
        """Build the queue and its sender.

        Args:
            endpoint: URL to which spans go by OTLP over HTTP; empty: where the OTEL_* variables say.
            attributes: the node's own, beside those of OTEL_RESOURCE_ATTRIBUTES.
            exporter: takes the spans in place of OTLP.
        """
        self._ids = _RoundIds()
        # Its own end at exit would wait half a minute for a collector that is gone.
        self._provider = TracerProvider(
            id_generator=self._ids, resource=Resource.create(dict(attributes)), shutdown_on_exit=False
        )
        sender = exporter or OTLPSpanExporter(endpoint=endpoint or None)
        self._provider.add_span_processor(BatchSpanProcessor(sender))
        self._tracer = self._provider.get_tracer("strand")
        self._open: dict[tuple[Digest, RoundRole], Span] = {}
        """Spans of open rounds: as many as the timeline has."""

    def close(self) -> None:
        """Send what waits, and end the sender. Blocks."""
        self._provider.shutdown()

    def round_began(self, began: RoundBegan) -> None:
        """Begin the span of a round in one role."""
        name, start_ns = f"round as {began.role}", began.began_ms * _NS
        if began.role == "requester":
            self._ids.query = began.query
            span = self._tracer.start_span(name, Context(), SpanKind.CLIENT, start_time=start_ns)
            self._ids.query = None
        else:
            span = self._tracer.start_span(name, _below(began.query), SpanKind.SERVER, start_time=start_ns)
        span.set_attribute("strand.query_id", began.query.hex())
        span.set_attribute("strand.role", began.role)
        span.set_attribute("strand.task", str(began.task))
        span.set_attribute("strand.seats", began.seats)
        self._open[began.query, began.role] = span

    def phase_ended(self, ended: PhaseEnded) -> None:
        """Make the span of a phase that is over."""
        parent = self._open.get((ended.query, ended.role))
        if parent is None:
            return
        within = set_span_in_context(parent, Context())
        span = self._tracer.start_span(ended.phase, within, start_time=ended.began_ms * _NS)
        span.set_attribute("strand.result", str(ended.result))
        if ended.reason is not None:
            span.set_attribute("strand.reason", str(ended.reason))
        if ended.phase == "judging":
            span.set_attribute("strand.wave", ended.wave)
            span.set_attribute("strand.comparisons", ended.comparisons)
            span.set_attribute("strand.abstentions", ended.abstentions)
        if ended.phase == "testing":
            span.set_attribute("strand.stage", ended.wave)
            span.set_attribute("strand.tested", len(ended.tested))
        span.end(ended.ended_ms * _NS)

    def round_over(self, over: RoundOver) -> None:
        """End the span of a round in one role."""
        span = self._open.pop((over.query, over.role), None)
        if span is None:
            return
        span.set_attribute("strand.ending", str(over.ending))
        if over.outcome is not None:
            span.set_attribute("strand.outcome", str(over.outcome))
        if over.answered_ms is not None:
            span.add_event("answered", timestamp=over.answered_ms * _NS)
        if over.fault:
            span.set_status(StatusCode.ERROR, over.fault)
        span.end(over.ended_ms * _NS)


def _below(query: Digest) -> Context:
    """Return the context of spans below the requester's span of a round, which another node has."""
    root = SpanContext(trace_id(query), root_id(query), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(root), Context())
