"""The cast and the schedule of a world: fixed for both layers before anything happens."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from random import Random

from consensus.learning.experience import QueryPriors
from consensus.learning.finding_strengths import FindingStrengths
from consensus.learning.query import NO_FINDINGS, Budgets, QuerySubject, build_query
from consensus.learning.roster import Draw, Trust
from consensus.learning.waves import FUTILITY, PAIRS, wave_plan
from consensus.ranking.bradley_terry import PriorParameters
from protocol.conversation import single
from protocol.messages import Offer, Query, Seat
from protocol.params import NetworkParams
from protocol.signing import Keypair
from protocol.types import ONE, FindingKind, Key, Role, TaskType
from simnet.adversaries import KINDS
from simnet.adversaries.behaviour import Behaviour, Ring
from simnet.chance import chance
from simnet.oracle import Oracle, SimQuestion
from simnet.preset import Preset
from simnet.scenario import Scenario, ScenarioError

SPECIALTY = "rust"

START_MS = 1_000_000_000_000
"""The virtual clock's start: 2001, so that it is no real date."""

SETTLE_MS = 5_000
"""Milliseconds before the first query, in which nodes receive each other's offers."""

ANSWER_TOKENS = 256

TOOL_VERSIONS = ("simulated 1", "simulated 2")
"""Tool versions of most nodes with a toolchain, and of the others."""

HEAVY = 16 * ONE
"""The weight of the first honest node if trust is "one-heavy": as heavy as a configuration can make it."""


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """One query to come."""

    number: int
    shard: int
    requester: int
    at_ms: int
    question: SimQuestion


def check_kinds(scenario: Scenario) -> None:
    """Raise ScenarioError for a kind of adversary that does not exist."""
    if unknown := sorted(set(scenario.byzantine) - set(KINDS)):
        raise ScenarioError(f"byzantine: nothing is named {unknown[0]!r}; there are {', '.join(sorted(KINDS))}")


class Plan:
    """The cast of a world and its schedule, from the scenario's seed alone. Raises ScenarioError."""

    def __init__(self, scenario: Scenario, preset: Preset, params: NetworkParams) -> None:
        self.scenario = scenario
        self.params = params
        self.oracle = Oracle(preset, scenario.seed, scenario.nodes)
        nodes = range(scenario.nodes)
        self.keypairs = tuple(Keypair(chance(scenario.seed, "key", node).randbytes(32)) for node in nodes)
        self.number_of = {keypair.public: node for node, keypair in enumerate(self.keypairs)}
        self.shards = tuple(tuple(range(shard, scenario.nodes, scenario.shards)) for shard in range(scenario.shards))
        self.behaviours = self._cast()
        self.honest = frozenset(each.node for each in self.behaviours if each.KIND == Behaviour.KIND)
        """Nodes that follow the rules and do their best."""
        self.trust = self._trust()
        self.waves = scenario.round.waves or wave_plan(preset.task, PAIRS, params.waves_max)
        """Pairs for each judge, wave by wave."""
        self.kinds = FindingKind(sum(FindingKind[name.upper()] for name in scenario.findings.kinds))
        """Findings that askers ask for where answers are programs."""
        self.tool_versions = tuple(self._tool_versions(node) for node in nodes)
        """Tool versions of each node; empty: it has no toolchain."""
        self.budgets = self._budgets()
        """Budgets of every round."""

    def key(self, node: int) -> Key:
        """Return the node's public key."""
        return self.keypairs[node].public

    def knows(self, key: Key) -> bool:
        """Whether nodes treat the key as known when they assign working places; with equal trust all keys are."""
        return self.scenario.trust == "equal" or self.trust.weight(key) > 0

    def shard_of(self, node: int) -> int:
        """Return the shard in which the node lives."""
        return node % self.scenario.shards

    def asking(self, number: int) -> PlannedQuery:
        """Return the query of this number: the shards take turns, at most one round of a shard at a time."""
        shard = number % self.scenario.shards
        turn = number // self.scenario.shards
        at_ms = START_MS + SETTLE_MS + turn * self.scenario.round.interval_ms
        return PlannedQuery(number, shard, self._requester(number, shard), at_ms, self.oracle.question(number))

    def draw(self, asking: PlannedQuery, seatable: Collection[Key]) -> Draw:
        """Return the inputs of the roster's draw. Nodes of a ring on one host share an address group."""
        groups = {self.key(each.node): f"{each.KIND if each.ONE_HOST else each.node}" for each in self.behaviours}
        lot = chance(self.scenario.seed, "lot", asking.number).randbytes(32)
        return Draw(self.key(asking.requester), lot, seatable, groups)

    def query(self, asking: PlannedQuery, sent_at_ms: int, roster: Sequence[Seat], query_priors: QueryPriors) -> Query:
        """Return the query that the requester signs."""
        table, model = self.scenario.round, query_priors.model
        priors = replace(
            query_priors,
            strengths=self._strengths(query_priors.strengths),
            model=PriorParameters(
                beta=model.beta if table.beta is None else table.beta,
                tau_u=table.tau_u or model.tau_u,
                tau_v=table.tau_v or model.tau_v,
            ),
        )
        author, asked = self.key(asking.requester), asking.question
        subject = QuerySubject(
            author=author,
            specialty=SPECIALTY,
            shard=asking.shard,
            task=asked.task,
            turns=single(asked.text),
            findings=self.kinds if asked.task is TaskType.CODE else NO_FINDINGS,
            tests=self.tests(asking),
        )
        nonce = chance(self.scenario.seed, "nonce", asking.number).randbytes(32)
        return build_query(subject, self.budgets, priors, roster, sent_at_ms, nonce)

    def tests(self, asking: PlannedQuery) -> str:
        """Return the asker's private tests; empty: none."""
        gives_some = asking.question.task is TaskType.CODE and FindingKind.TESTS in self.kinds
        return f"// tests of question {asking.number}" if gives_some else ""

    def offer(self, node: int, now_ms: int) -> Offer:
        """Return the node's offer."""
        return Offer(
            author=self.key(node),
            sequence=now_ms,
            sent_at_ms=now_ms,
            roles=Role.ANSWER | Role.JUDGE,
            specialties=(SPECIALTY,),
            model="simulated",
            context_tokens=8_192,
            milli_tokens_per_second=50_000,
            queue=0,
            tool_versions=self.tool_versions[node],
            addresses=(),
        )

    def killed(self, asking: PlannedQuery, spared: Collection[int]) -> tuple[list[int], Random]:
        """Return the members that the round kills, and the generator for details; `spared` includes requesters."""
        faults, random = self.scenario.faults, chance(self.scenario.seed, "faults", asking.number)
        others = [node for node in self.shards[asking.shard] if node not in spared]
        random.shuffle(others)
        by_chance = [node for node in others[faults.crashes :] if random.random() < faults.crash]
        return others[: faults.crashes] + by_chance, random

    def salt(self, number: int, node: int, life: int = 0) -> bytes:
        """Return the salt of a node's answer, fresh after each restart, as in the daemon."""
        return chance(self.scenario.seed, "salt", number, node, life).randbytes(32)

    def _strengths(self, default: FindingStrengths) -> FindingStrengths:
        """Return what findings weigh in a query, with the scenario's own values."""
        table = self.scenario.findings
        named = {name: getattr(table, name) for name in ("agreement", "compiles", "tests", "lint", "agreed_share")}
        return replace(default, **{name: value for name, value in named.items() if value is not None})

    def _tool_versions(self, node: int) -> str:
        """Return what the node's offer says about its toolchain; empty: it has none."""
        table, random = self.scenario.findings, chance(self.scenario.seed, "toolchain", node)
        has_one, is_other = random.random() < table.toolchains, random.random() < table.other_versions
        return TOOL_VERSIONS[is_other] if has_one else ""

    @property
    def stage_ms(self) -> int:
        """Budget of one stage of testing; 0 where nothing is tested."""
        tested = self.scenario.findings.kinds and self.oracle.preset.task is TaskType.CODE
        return self.budgets.test_ms if tested else 0

    def _budgets(self) -> Budgets:
        table = self.scenario.round
        return Budgets(
            max_tokens=ANSWER_TOKENS,
            answer_ms=table.answer_ms,
            open_ms=table.open_ms,
            judge_ms=table.judge_ms,
            cosign_ms=table.cosign_ms,
            patience_ms=table.patience_ms,
            test_ms=table.test_ms,
            waves=self.waves,
            threshold=table.threshold,
            confidence_min=table.confidence_min,
            futility=FUTILITY if table.futility is None else table.futility,
        )

    def _requester(self, number: int, shard: int) -> int:
        """Return an honest node, or, by their share of the queries, one that misbehaves as a requester."""
        random = chance(self.scenario.seed, "requester", number)
        members = self.shards[shard]
        lot, choice = random.random(), random.random()
        for kind, share in self.scenario.byzantine.items():
            dishonest = [node for node in members if KINDS[kind].ASKS and kind == self.behaviours[node].KIND]
            if dishonest and lot < share:
                return dishonest[int(choice * len(dishonest))]
            lot -= share if dishonest else 0.0
        honest = [node for node in members if self.behaviours[node].KIND == Behaviour.KIND] or list(members)
        if self.scenario.reputation.gold:
            return honest[0]
        return honest[int(choice * len(honest))]

    def _cast(self) -> tuple[Behaviour, ...]:
        """Choose the dishonest nodes. A larger share of one kind adds to the nodes of a smaller one."""
        check_kinds(self.scenario)
        order = list(range(self.scenario.nodes))
        chance(self.scenario.seed, "cast").shuffle(order)
        rings: dict[str, list[int]] = {}
        for kind, share in self.scenario.byzantine.items():
            count = round(share * self.scenario.nodes)
            rings[kind] = self._askers(order) if share and KINDS[kind].ASKS and not KINDS[kind].SEATS else order[:count]
            taken = set(rings[kind])
            order = [node for node in order if node not in taken]
        kinds = {node: kind for kind, nodes in rings.items() for node in nodes}
        made = {
            kind: Ring(tuple(sorted(nodes)), tuple(self.key(n) for n in sorted(nodes)), self.oracle)
            for kind, nodes in rings.items()
        }
        nobody = Ring((), (), self.oracle)
        return tuple(
            KINDS[kinds[node]](node, made[kinds[node]]) if node in kinds else Behaviour(node, nobody)
            for node in range(self.scenario.nodes)
        )

    def _askers(self, order: Sequence[int]) -> list[int]:
        """Return the first node of each shard in this order."""
        first: dict[int, int] = {}
        for node in order:
            first.setdefault(self.shard_of(node), node)
        return list(first.values())

    def _trust(self) -> Trust:
        if self.scenario.trust == "equal":
            return Trust(ONE, {}, friends=True)
        if self.scenario.trust == "nobody":
            return Trust(0, {})
        if self.scenario.trust == "one-heavy":
            return Trust(ONE, {self.key(min(self.honest)): HEAVY}, friends=True)
        known = {self.key(each.node): ONE for each in self.behaviours if not each.NEWCOMER}
        return Trust(0, known)
