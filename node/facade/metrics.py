"""The node's metrics in Prometheus' text format, read from its parts at each scrape.

Names end in their unit, counters in `_total`. Unknown values (no judgement yet, no report by the server) are left out,
not zero.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from node.clock import Clock
from node.facade.peers import PeersFacade
from node.facade.status import count_certificates
from node.inference.status import EngineStage
from node.rounds.learning.reputation import Reputation
from node.storage import Store
from node.text import one_line
from node.work.fitness import ROLES
from node.work.serving import Serving
from node.work.worker import EngineWorker

LABEL_CHARS_MAX = 128
"""Longest label value in characters: a server may name its model by a path, and the database keeps each value."""


class MetricsFacade:
    """Renders the metrics of one node."""

    def __init__(
        self,
        worker: EngineWorker,
        peers: PeersFacade,
        serving: Serving,
        reputation: Reputation,
        store: Store,
        clock: Clock,
        rounds: Collector,
    ) -> None:
        """Build a facade. `rounds`: collects the metrics of rounds (`node.facade.round_metrics`)."""
        self.worker = worker
        self.peers = peers
        self.serving = serving
        self.reputation = reputation
        self.store = store
        self.clock = clock
        self.rounds = rounds

    async def render(self) -> bytes:
        """Render all metrics as they are now, in Prometheus' text format (UTF-8)."""
        # For this scrape alone: a concurrent one has its own count.
        registry = CollectorRegistry()
        registry.register(_NodeCollector(self, await count_certificates(self.store)))
        registry.register(self.rounds)
        return generate_latest(registry)


class _NodeCollector(Collector):
    """Collects the node's metrics. The store's are passed in, because a collector cannot wait for them."""

    def __init__(self, node: MetricsFacade, certificates: int | None) -> None:
        self._node = node
        self._certificates = certificates

    def collect(self) -> Iterator[Metric]:
        """Collect all metrics, as Collector requires."""
        yield from self._engine()
        yield from self._requests()
        yield from self._swarm()
        yield from _serving(self._node.serving, self._node.clock.now_ms())

    def _engine(self) -> Iterator[Metric]:
        """Collect the engine's properties and speed."""
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
        """Collect the requests to the engine."""
        worker, counts = self._node.worker, self._node.worker.engine.counts
        yield _gauge("strand_engine_requests_in_flight", "Requests that the engine has not answered.", counts.in_flight)
        yield _gauge("strand_work_pieces", "Answers and ballots in hand.", worker.queue)
        yield _counter("strand_engine_answers", "Answers asked of the engine.", counts.answers)
        yield _counter("strand_engine_judgements", "Preferences asked of the engine.", counts.judgements)
        yield _counter("strand_engine_abstentions", "Preferences in whose reply there was none.", counts.abstentions)
        yield from self._roles()
        yield _counter("strand_engine_failures", "Requests that failed at the engine, probes too.", counts.failures)

    def _roles(self) -> Iterator[Metric]:
        """Collect the results of rounds by role."""
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
        """Collect the peers, offers, store and learned rounds."""
        node = self._node
        yield _gauge("strand_peers_connected", "Peers to which there is a connection.", node.peers.connected())
        yield from self._connections()
        yield _gauge("strand_nodes_offering", "Nodes that offer to work now, this one included.", node.peers.offering())
        yield _gauge(
            "strand_store_ok", "0 while the disk refuses what the node must write.", not node.store.health.blocked
        )
        if self._certificates is not None:
            yield _gauge("strand_certificates", "Certificates kept.", self._certificates)
        help_ = "Rounds of this node's own from which it learned, earlier lives included."
        yield _counter("strand_rounds_learned", help_, node.reputation.experience.rounds)

    def _connections(self) -> Iterator[Metric]:
        """Collect inbound connections. The reasons are our own words, so that outsiders cannot add labels."""
        counts = self._node.peers.counts()
        connections = GaugeMetricFamily("strand_connections", "Inbound connections now.", labels=("state",))
        connections.add_metric(("established",), counts.inbound)
        connections.add_metric(("half_open",), counts.half_open)
        help_ = "Inbound connections that were refused or ended to make room, by reason."
        refused = CounterMetricFamily("strand_connections_refused", help_, labels=("reason",))
        for reason, count in sorted(counts.refused.items()):
            refused.add_metric((reason.replace(" ", "_").replace("-", "_"),), count)
        yield from (connections, refused)


def _serving(serving: Serving, now_ms: int) -> Iterator[Metric]:
    """Collect the work for others. Payers and refusals are our own words, so that outsiders cannot add labels."""
    help_ = "Whether the node works for others now: neither paused nor outside of its hours."
    yield GaugeMetricFamily("strand_serving", help_, serving.closed(now_ms) is None)
    rounds = GaugeMetricFamily("strand_served_day_rounds", "Rounds of the last day.", labels=("payer",))
    tokens = GaugeMetricFamily(
        "strand_served_day_tokens", "Tokens of the last day, read and written.", labels=("payer",)
    )
    seconds = GaugeMetricFamily("strand_served_day_engine_seconds", "Time of the whole engine.", labels=("payer",))
    for payer, spent in serving.spent(24, now_ms).items():
        rounds.add_metric((payer,), spent.rounds)
        tokens.add_metric((payer,), spent.tokens)
        seconds.add_metric((payer,), spent.engine_ms / 1000)
    yield from (rounds, tokens, seconds)
    left_s = max(0, serving.left(now_ms).engine_ms_hour) / 1000
    yield GaugeMetricFamily("strand_strangers_left_engine_seconds", "Engine time left to strangers this hour.", left_s)
    refused = CounterMetricFamily(
        "strand_queries_refused", "Queries that seated this node, by reason.", labels=("why",)
    )
    for reason, count in serving.refused.items():
        refused.add_metric((reason.value,), count)
    yield refused
    help_ = "Queries that were not looked at: more than the budgets of queries allow."
    yield CounterMetricFamily("strand_queries_ignored", help_, serving.ignored)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value)


def _counter(name: str, help_: str, value: float) -> Metric:
    """Build a counter; `name` comes without the `_total` that the library adds."""
    return CounterMetricFamily(name, help_, value)


def _label(text: str) -> str:
    """Return a label of bounded length. The end is kept: a path's end is its informative part."""
    return one_line(text, LABEL_CHARS_MAX, keeps_end=True)
