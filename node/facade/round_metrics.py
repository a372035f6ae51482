"""The metrics of rounds: outcomes, times, comparisons, queues and bytes. Labels are words of our own."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from node.facade.peers import PeersFacade
from node.rounds.asking.service import RoundService
from node.rounds.following.meter import BOUNDS_S, Durations, RoundMeter
from node.rounds.following.timeline import RoundTimeline
from node.rounds.inbound import InboundRouter


class RoundMetrics(Collector):
    """Collects what a node has counted of its rounds since its start, and what waits now."""

    def __init__(
        self,
        meter: RoundMeter,
        timeline: RoundTimeline,
        service: RoundService,
        inbound: InboundRouter,
        peers: PeersFacade,
    ) -> None:
        """Build a collector. `meter` has counted the rounds that are over; the others tell what is open or waits."""
        self._meter = meter
        self._timeline = timeline
        self._service = service
        self._inbound = inbound
        self._peers = peers

    def collect(self) -> Iterator[Metric]:
        """Collect all metrics of rounds, as Collector requires."""
        yield from self._rounds()
        yield from self._times()
        yield from self._work()
        yield from self._queues()

    def _rounds(self) -> Iterator[Metric]:
        help_ = "Rounds that are over, by this node's role, their ending, and their outcome if the role learns it."
        over = CounterMetricFamily("strand_rounds", help_, labels=("role", "ending", "outcome"))
        for labels, count in sorted(self._meter.over.items()):
            over.add_metric(labels, count)
        yield over
        open_ = GaugeMetricFamily("strand_rounds_open", "Rounds that are open now, by role.", labels=("role",))
        open_.add_metric(("requester",), len(self._timeline.open_rounds("requester")))
        open_.add_metric(("member",), len(self._timeline.open_rounds("member")))
        yield open_

    def _times(self) -> Iterator[Metric]:
        help_ = "Duration of rounds that are over, from the query to the end of the role."
        rounds = HistogramMetricFamily("strand_round_seconds", help_, labels=("role",))
        for role, durations in self._meter.rounds.items():
            _add(rounds, (role,), durations)
        help_ = "Time from a query of this node to its decided answer."
        answers = HistogramMetricFamily("strand_round_answer_seconds", help_, labels=())
        _add(answers, (), self._meter.answers)
        help_ = "Duration of phases: a requester's until its closing, a member's until its contribution."
        phases = HistogramMetricFamily("strand_round_phase_seconds", help_, labels=("role", "phase"))
        for kind, durations in self._meter.phases.items():
            _add(phases, kind, durations)
        yield from (rounds, answers, phases)

    def _work(self) -> Iterator[Metric]:
        help_ = "Comparisons in ballots: those that count in this node's rounds, and those it made as a member."
        comparisons = CounterMetricFamily("strand_comparisons", help_, labels=("role",))
        help_ = "Comparisons without a preference, among those of strand_comparisons_total."
        abstentions = CounterMetricFamily("strand_comparison_abstentions", help_, labels=("role",))
        for role in self._meter.rounds:
            comparisons.add_metric((role,), self._meter.comparisons[role])
            abstentions.add_metric((role,), self._meter.abstentions[role])
        help_ = "Phases that this node declined as a member, by phase and reason."
        declined = CounterMetricFamily("strand_phases_declined", help_, labels=("phase", "reason"))
        for (phase, reason), count in self._meter.declined.items():
            declined.add_metric((phase, str(reason)), count)
        help_ = "Phases that closed before this node, a member, had contributed or declined."
        unfinished = CounterMetricFamily("strand_phases_unfinished", help_, labels=("phase",))
        for phase, count in self._meter.unfinished.items():
            unfinished.add_metric((phase,), count)
        help_ = "Answers that this node tested as a member, by what it found: they compile, they do not, or unknown."
        tested = CounterMetricFamily("strand_answers_tested", help_, labels=("status",))
        for status, count in self._meter.tested.items():
            tested.add_metric((str(status),), count)
        yield from (comparisons, abstentions, declined, unfinished, tested)

    def _queues(self) -> Iterator[Metric]:
        help_ = "Queries of this node's users that wait for a round."
        yield GaugeMetricFamily("strand_queries_waiting", help_, len(self._service.queue.waiting))
        help_ = "Events that wait for the loop that drives rounds."
        yield GaugeMetricFamily("strand_inbox_events", help_, self._inbound.waiting)
        traffic = self._peers.traffic()
        help_ = "Bytes of frames exchanged with peers, gossip that is only relayed included, by direction."
        overlay = CounterMetricFamily("strand_overlay_bytes", help_, labels=("direction",))
        overlay.add_metric(("received",), traffic.received_bytes)
        overlay.add_metric(("sent",), traffic.sent_bytes)
        yield overlay


def _add(family: HistogramMetricFamily, labels: tuple[str, ...], durations: Durations) -> None:
    """Add a histogram in Prometheus' form, whose buckets are cumulated."""
    bounds = (*(str(bound) for bound in BOUNDS_S), "+Inf")
    buckets = list(zip(bounds, accumulate(durations.counts), strict=True))
    family.add_metric(labels, buckets, durations.sum_s)
