"""A whole swarm in virtual time: queries are asked, nodes crash and return, the network is partitioned and heals."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.record import round_ms
from consensus.rounds import effects as fx
from protocol.types import Digest, Outcome
from simnet.baselines import nothing_counted, verdicts_of
from simnet.chance import chance
from simnet.checkers import Checkers
from simnet.clockwork import Clockwork
from simnet.keeping import Keeper
from simnet.links import Links
from simnet.machine import Machine, SharedWorld
from simnet.network import Network
from simnet.plan import START_MS, Plan, PlannedQuery
from simnet.results import RoundResult, Run, round_result
from simnet.scenario import Partition
from simnet.trace import Trace

OFFER_SPREAD_MS = 1_000
"""Milliseconds over which nodes send their first offers, and each later one anew."""

SLACK_MS = 2_000
"""Milliseconds beyond all of a query's budgets after which its round must have an outcome: the network's own delays."""

CRASH_WINDOW_MS = 8_000
"""Milliseconds after a query in which crashes happen: about as long as a round takes."""

CANCEL_WINDOW_MS = 8_000
"""Milliseconds after a query in which its asker may cancel it: about as long as a round takes."""

REPLAYS_MS = 150_000
"""Milliseconds after its end that a round is still checked: its messages may be replayed when the mesh has forgotten
them."""

DOOM_EFFECTS = 4
"""Exclusive bound of the effects that a killed node still performs: 0 to 3, so that it may die in the middle of a step.
"""


@dataclass(slots=True)
class _Open:
    """A round whose result is awaited."""

    asking: PlannedQuery
    query: Digest | None = None
    members: int = 0
    phases: dict[str, int] = field(default_factory=dict)
    """When each phase began, ms after the query."""
    decided: fx.Decide | None = None
    decided_ms: int = 0
    certificate: bytes | None = None
    void: str | None = None
    """Why the requester itself gave the round up or cancelled it, if it did."""


class World:
    """One run of the network layer."""

    def __init__(self, plan: Plan, progress: Callable[[RoundResult], None] | None, keep: int = 0) -> None:
        """Build it. `keep`: rounds that the run keeps whole."""
        scenario = plan.scenario
        self.plan = plan
        self.clock = Clockwork(START_MS)
        self.links = Links(scenario.links, scenario.seed, scenario.nodes)
        self.network = Network(self.clock, self.links, scenario.gossip, plan.shards, scenario.seed)
        self.checkers = Checkers(plan)
        self.trace = Trace()
        self.run = Run(scenario.seed, scenario.nodes)
        shared = SharedWorld(plan, self.clock, self.network, self.checkers, self.trace, self)
        self.machines = [Machine(node, shared) for node in range(scenario.nodes)]
        self.network.hosts.extend(self.machines)
        self._progress = progress
        self._keeper = Keeper(plan, keep)
        self._open: dict[int, _Open] = {}
        self._by_query: dict[Digest, _Open] = {}
        last_ms = plan.asking(scenario.rounds - 1).at_ms
        self._ends_ms = last_ms + round_ms(self.plan.budgets, self.plan.stage_ms) + SLACK_MS

    def simulate(self) -> Run:
        """Run the world to its end."""
        for node in range(self.plan.scenario.nodes):
            self._offer_soon(node, 0)
        self._ask_next(0)
        self.clock.run(self._ends_ms)
        rounds, standing = self.network.of_rounds, self.network.standing
        self.run.messages, self.run.bytes = rounds.messages, rounds.bytes
        self.run.standing_messages, self.run.standing_bytes = standing.messages, standing.bytes
        self.run.virtual_ms = self.clock.now_ms - START_MS
        self.run.events = self.clock.events
        self.run.violations = self.checkers.violations
        self.run.trace_digest = self.trace.digest
        self.run.kept = self._keeper.kept
        return self.run

    # -- the schedule --------------------------------------------------------------------------------------------------

    def _offer_soon(self, node: int, after_ms: int) -> None:
        """Schedule the node's next offer at a moment of its own, until the world ends."""
        jitter = chance(self.plan.scenario.seed, "offer", node, self.clock.now_ms).randrange(OFFER_SPREAD_MS)
        at_ms = self.clock.now_ms + after_ms + jitter
        if at_ms < self._ends_ms:
            self.clock.at(at_ms, self._offer, node)

    def _offer(self, node: int) -> None:
        if self.machines[node].up:
            self.machines[node].offer()
        self._offer_soon(node, self.plan.params.offer_interval_ms)

    def _ask_next(self, number: int) -> None:
        if number < self.plan.scenario.rounds:
            asking = self.plan.asking(number)
            self.clock.at(asking.at_ms, self._ask, asking)
            self._part(asking)

    def _ask(self, asking: PlannedQuery) -> None:
        self._ask_next(asking.number + 1)
        opened = self._open[asking.number] = _Open(asking)
        requester = self.machines[asking.requester]
        begun = requester.ask(asking) if requester.up else None
        if begun is not None:
            opened.query, opened.members, effects = begun
            self._by_query[opened.query] = opened
            self.checkers.open_round(asking, opened.query)
            requester.perform(effects)
            self._break_things(asking)
            self._cancel_later(asking, opened.query)
        self.clock.after(round_ms(self.plan.budgets, self.plan.stage_ms) + SLACK_MS, self._close, asking.number)

    def _cancel_later(self, asking: PlannedQuery, query: Digest) -> None:
        """Draw whether the asker cancels this round, and when."""
        random = chance(self.plan.scenario.seed, "cancel", asking.number)
        if random.random() < self.plan.scenario.round.cancel:
            self.clock.after(random.randrange(CANCEL_WINDOW_MS), self.machines[asking.requester].cancel, query)

    # -- faults --------------------------------------------------------------------------------------------------------

    def _break_things(self, asking: PlannedQuery) -> None:
        """Draw this round's crashes; requesters are spared, because their rounds would end."""
        killed, random = self.plan.killed(asking, {each.asking.requester for each in self._open.values()})
        for node in killed:
            self.clock.after(random.randrange(CRASH_WINDOW_MS), self._kill, node, random.randrange(DOOM_EFFECTS))

    def _part(self, asking: PlannedQuery) -> None:
        """Schedule this round's partitions; they may begin before it."""
        for number, partition in enumerate(self.plan.scenario.faults.partitions):
            side = [node for node in self.plan.shards[asking.shard] if node != asking.requester]
            chance(self.plan.scenario.seed, "partition", asking.number, number).shuffle(side)
            count = round(partition.share * len(self.plan.shards[asking.shard]))
            self.clock.at(asking.at_ms + partition.from_ms, self._cut, partition, frozenset(side[:count]))

    def _cut(self, partition: Partition, side: frozenset[int]) -> None:
        self.trace.note(self.clock.now_ms, len(side), "cut")
        self.clock.after(partition.until_ms - partition.from_ms, self.links.heal, self.links.cut(side))

    def _kill(self, node: int, effects: int) -> None:
        if any(each.asking.requester == node for each in self._open.values()) or not self.machines[node].up:
            return
        self.machines[node].doom(effects)
        random = chance(self.plan.scenario.seed, "restart", node, self.clock.now_ms)
        faults = self.plan.scenario.faults
        down_ms = 1 + round(random.expovariate(1.0 / max(1, faults.down_ms)))
        self.clock.after(down_ms, self._start, node, random.random() < faults.disk_lost)

    def _start(self, node: int, disk_lost: bool) -> None:
        # A node to be killed in the middle of a step may not have had one until now.
        self.machines[node].kill()
        self.machines[node].start(disk_lost=disk_lost)

    # -- results -------------------------------------------------------------------------------------------------------

    def saw(self, node: int, effect: fx.Progress | fx.Decide | fx.Certify | fx.RoundEnded) -> None:
        """Take a result of a node: only the requester's counts."""
        opened = self._by_query.get(effect.query)
        if opened is None or opened.asking.requester != node:
            return
        since_ms = self.clock.now_ms - opened.asking.at_ms
        match effect:
            case fx.Progress(_, phase, wave):
                name = f"{phase} {wave + 1}" if phase == "judging" else str(phase)
                if name not in opened.phases:
                    opened.phases[name] = since_ms
                    self._inspect(opened.asking)
            case fx.Decide():
                opened.decided, opened.decided_ms = effect, since_ms
            case fx.Certify(_, _, _, certificate):
                opened.certificate = certificate
                opened.phases["certified"] = since_ms
            case fx.RoundEnded(_, "requester", fx.Ending.CANCELLED):
                opened.void = str(fx.Ending.CANCELLED)
            case fx.RoundEnded(_, "requester", fx.Ending.VOID, _, fault):
                opened.void = "" if fault is None else str(fault.reason)
            case fx.RoundEnded():
                pass

    def _close(self, number: int) -> None:
        """Record the result of a round at its deadline."""
        opened = self._open.pop(number)
        if opened.query is not None:
            del self._by_query[opened.query]
            self.clock.after(REPLAYS_MS, self.checkers.close_round, opened.query)
        result = self._result(opened)
        self.run.rounds.append(result)
        self.checkers.round_over(opened.asking, result)
        self._inspect(opened.asking)
        if self._progress is not None:
            self._progress(result)

    def _inspect(self, asking: PlannedQuery) -> None:
        """Check the nodes' limits, at the start of each phase and at the end: most data is gone after a round."""
        for node in self.plan.shards[asking.shard]:
            self.checkers.bounded(node, self.machines[node].participant)

    def _result(self, opened: _Open) -> RoundResult:
        asking = opened.asking
        ranking = None if opened.decided is None else opened.decided.ranking
        verified = None if opened.certificate is None else verify_certificate(opened.certificate)
        if ranking is None or not isinstance(verified, VerifiedCertificate):
            told = "" if opened.decided is None else opened.decided.answer
            result = round_result(asking, None, ranking, nothing_counted(self.plan, asking, told))
        else:
            verdicts = verdicts_of(self.plan, asking, verified.record, ranking)
            result = round_result(asking, verified.record, ranking, verdicts)
        if ranking is None and opened.void is not None:
            result = replace(result, outcome=Outcome.FAILED.value, reason=opened.void)
        result = replace(
            result,
            members=opened.members,
            full=isinstance(verified, VerifiedCertificate) and verified.full,
            answered_ms=None if ranking is None else opened.decided_ms,
            phases_ms=_lengths(opened.phases),
        )
        if isinstance(verified, VerifiedCertificate):
            self._keeper.take(asking, verified.record, result, opened.certificate)
        return result


def _lengths(began_ms: dict[str, int]) -> dict[str, int]:
    """Convert the start of each phase to its length; the last one has no end."""
    names = list(began_ms)
    return {name: began_ms[after] - began_ms[name] for name, after in pairwise(names)}


def run_world(plan: Plan, progress: Callable[[RoundResult], None] | None = None, keep: int = 0) -> Run:
    """Simulate a scenario's network layer; `progress` is called with each round's result as it ends.

    `keep`: rounds that the run keeps whole.
    """
    return World(plan, progress, keep).simulate()
