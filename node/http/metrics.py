"""`/metrics`: the node's figures in Prometheus' text format, read from its parts whenever somebody asks for them.

Names end in their unit, counters in `_total`. What is not known (no judgement yet, a server that does not tell) is left
out, not zero.
"""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from node.daemon import Node
from node.http.serving import serving_metrics
from node.inference.status import EngineStage
from node.storage import StoreBlockedError
from node.text import one_line
from node.work.fitness import ROLES

CERTIFICATES_MAX = 1_000
"""Certificates that are counted: a scrape comes every few seconds, and what journals a round must wait for it."""

LABEL_CHARS_MAX = 128
"""Characters of a label's value: a server's name for its model may be a path, and the database keeps every one."""


def metrics_routes(node: Node) -> list[Route]:
    """The routes of this module."""

    async def show(_: Request) -> Response:
        try:
            certificates = len(await node.store.certificates(CERTIFICATES_MAX))
        except StoreBlockedError:
            # A disk that cannot be read is when the other figures are looked at.
            certificates = None
        # For this scrape alone: one that comes at the same time has its own count.
        registry = CollectorRegistry()
        registry.register(_NodeCollector(node, certificates))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", show)]


class _NodeCollector(Collector):
    """Looks at a node. What only the store knows is given: it has to be waited for, and a collector cannot wait."""

    def __init__(self, node: Node, certificates: int | None) -> None:
        self._node = node
        self._certificates = certificates

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        yield from self._engine()
        yield from self._requests()
        yield from self._swarm()
        yield from serving_metrics(self._node.serving, self._node.clock.now_ms())

    def _engine(self) -> Iterator[Metric]:
        """What the engine is and how fast."""
        worker, engine = self._node.worker, self._node.worker.engine
        info = worker.info
        yield _gauge("strand_engine_up", "Whether the engine answered its last probe.", info is not None)
        if info is not None:
            told = InfoMetricFamily("strand_engine", "What the last probe found.")
            told.add_metric((), {"kind": _label(info.kind), "model": _label(info.model), "judging": info.judging.value})
            yield told
        help_ = "The best speed of writing seen lately; 0 before any was."
        yield _gauge("strand_engine_tokens_per_second", help_, engine.tokens_per_second)
        yield _gauge("strand_engine_concurrency", "Requests worth having in flight at once.", engine.concurrency)
        if engine.judgement_s is not None:
            help_ = "One preference, its wait in line included; an average that follows some ten of them."
            yield _gauge("strand_engine_judgement_seconds", help_, engine.judgement_s)
        if engine.cache is not None:
            help_ = "Tokens of prompts for which the server told how far they were cached."
            yield _counter("strand_engine_prefix_cache_tokens", help_, engine.cache.tokens)
            yield _counter("strand_engine_prefix_cache_hits", "Of these, tokens that were cached.", engine.cache.hits)
        if (server := engine.server) is not None:
            help_ = "1 for the stage at which a model server of ours is."
            stages = GaugeMetricFamily("strand_engine_server_stage", help_, labels=("stage",))
            for stage in EngineStage:
                stages.add_metric((stage.value,), stage is server.stage)
            yield stages
            yield _counter("strand_engine_server_restarts", "How often it was started again.", server.restarts)

    def _requests(self) -> Iterator[Metric]:
        """What is asked of the engine."""
        worker, counts = self._node.worker, self._node.worker.engine.counts
        yield _gauge("strand_engine_requests_in_flight", "Requests that the engine has not answered.", counts.in_flight)
        yield _gauge("strand_work_pieces", "Answers and ballots in hand.", worker.queue)
        yield _counter("strand_engine_answers", "Answers asked of the engine.", counts.answers)
        yield _counter("strand_engine_judgements", "Preferences asked of the engine.", counts.judgements)
        yield _counter("strand_engine_abstentions", "Preferences in whose reply there was none.", counts.abstentions)
        yield from self._roles()
        yield _counter("strand_engine_failures", "Requests that failed at the engine, probes too.", counts.failures)

    def _roles(self) -> Iterator[Metric]:
        """What came of rounds, role by role."""
        worker = self._node.worker
        help_ = "Whether the engine is good for a role now, so that it is offered while the node works for others."
        offered = GaugeMetricFamily("strand_role_fit", help_, labels=("role",))
        help_ = "Rounds that the engine left without our answer or ballot, though there was time."
        failed = CounterMetricFamily("strand_rounds_failed", help_, labels=("role",))
        for role, name in ROLES.items():
            offered.add_metric((name,), role in worker.roles)
            failed.add_metric((name,), worker.fitness.records[role].failed)
        yield from (offered, failed)

    def _swarm(self) -> Iterator[Metric]:
        """Who else is there, and what came of it."""
        node = self._node
        connected = sum(peer.connected for peer in node.overlay.peers())
        yield _gauge("strand_peers_connected", "Peers to which there is a connection.", connected)
        yield from self._connections()
        offering = node.participant.validator.offers.working(node.clock.now_ms())
        yield _gauge("strand_nodes_offering", "Nodes that offer to work now, this one included.", offering)
        yield _gauge(
            "strand_store_ok", "0 while the disk refuses what the node must write.", not node.store.health.blocked
        )
        if self._certificates is not None:
            help_ = f"Certificates kept; no more than {CERTIFICATES_MAX} are counted."
            yield _gauge("strand_certificates", help_, self._certificates)
        help_ = "Rounds of this node's own from which it learned, earlier lives included."
        yield _counter("strand_rounds_learned", help_, node.reputation.experience.rounds)

    def _connections(self) -> Iterator[Metric]:
        """Inbound connections. The reasons are words of ours: nobody outside can add to them."""
        counts = self._node.overlay.connection_counts()
        connections = GaugeMetricFamily("strand_connections", "Inbound connections now.", labels=("state",))
        connections.add_metric(("established",), counts.inbound)
        connections.add_metric(("half_open",), counts.half_open)
        help_ = "Inbound connections that were refused or ended to make room, by reason."
        refused = CounterMetricFamily("strand_connections_refused", help_, labels=("reason",))
        for reason, count in sorted(counts.refused.items()):
            refused.add_metric((reason.replace(" ", "_").replace("-", "_"),), count)
        yield from (connections, refused)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value)


def _counter(name: str, help_: str, value: float) -> Metric:
    """`name` without the `_total` that the library adds."""
    return CounterMetricFamily(name, help_, value)


def _label(text: str) -> str:
    """A label of bounded length that UTF-8 can carry; a path's end says more than its folder."""
    return one_line(text, LABEL_CHARS_MAX, keeps_end=True)
