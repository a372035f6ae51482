"""The settings of a simulation: one frozen table, read from TOML or from flags, checked once.

Durations are virtual milliseconds, shares are between 0 and 1.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec

from protocol.limits import BETA_MAX, MEMBERS_MAX, PAIRS_MAX, TAU_MAX, TAU_MIN, WAVES_MAX, WEIGHT_MAX
from protocol.types import ONE

NODES_MAX = 20_000
"""Nodes of a world: each takes about 40 kB before its first round."""

ROUNDS_MAX = 1_000_000
"""Rounds of a run: results are kept one by one, about 1 kB each."""

CELLS_MAX = 1_000
"""Worlds of a study: a product of lists grows fast, and a typing error must not start a week of work."""

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Deviation = Annotated[float, msgspec.Meta(ge=TAU_MIN / ONE, le=TAU_MAX / ONE)]
Strength = Annotated[float, msgspec.Meta(ge=0.0, le=WEIGHT_MAX / ONE)]
Ms = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
PositiveMs = Annotated[int, msgspec.Meta(ge=1, le=3_600_000)]


class ScenarioError(ValueError):
    """The scenario cannot be simulated. The message is one line for the user: the setting and the fault."""


class RoundTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of every query."""

    waves: (
        Annotated[
            tuple[Annotated[int, msgspec.Meta(ge=1, le=PAIRS_MAX)], ...],
            msgspec.Meta(min_length=1, max_length=WAVES_MAX),
        ]
        | None
    ) = None
    """Pairs that each judge compares, wave by wave; by default three in all, in waves by task type."""
    threshold: Share = 1.0
    """P(best) at which the requester starts no further wave."""
    confidence_min: Share = 0.0
    """P(correct) below which the swarm abstains: the outcome is degraded."""
    beta: Annotated[float, msgspec.Meta(ge=0.0, le=BETA_MAX / ONE)] | None = None
    """Weight of votes in the prior; by default by task type, as the two that follow."""
    tau_u: Deviation | None = None
    """Standard deviation of the strengths of clusters, log-odds."""
    tau_v: Deviation | None = None
    """Standard deviation of an answer's strength around its cluster's, log-odds."""
    futility: Strength | None = None
    """Gain expected of a wave, log-odds, below which it is not held; 0: every wave is held. By default the node's."""
    answer_ms: PositiveMs = 20_000
    open_ms: PositiveMs = 5_000
    judge_ms: PositiveMs = 20_000
    cosign_ms: PositiveMs = 5_000
    test_ms: PositiveMs = 10_000
    """Budget of one stage of testing."""
    patience_ms: Ms = 5_000
    cancel: Share = 0.0
    """Share of queries whose askers cancel them at some moment of the round."""
    interval_ms: PositiveMs = 30_000
    """Time from one query of a shard to its next. Rounds overlap only if phases take all of their budgets."""


class LinkTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The links between nodes. `latency_ms` is the median over pairs, one way; each pair has its own."""

    latency_ms: Ms = 40
    spread: Share = 0.4
    """Standard deviation of the logarithm of a pair's latency."""
    jitter_ms: Ms = 10
    """Mean of an exponential delay that each packet adds; it reorders packets."""
    loss: Share = 0.0
    """Share of packets that are lost. Streams time out and gossip takes over, as in the daemon."""
    duplicate: Share = 0.0
    reorder: Share = 0.0
    """Share of packets that are delayed by up to `reorder_ms`."""
    reorder_ms: Ms = 500
    uplink_kbit_s: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Bandwidth of a node's uplink; 0 is without limit."""


class GossipTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The overlay's figures (node/overlay/pubsub.py)."""

    degree: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    """Peers of each node in the mesh; in pairs, so that an odd number counts as the even one below, and 1 as 2."""
    flood_publish: bool = True
    """Whether own messages go to every peer of the topic; others' are forwarded along the mesh."""
    heartbeat_ms: PositiveMs = 1_000
    lazy_peers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 6
    """Peers outside of the mesh to which each heartbeat announces recent messages, so that they may request them."""


class EngineTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Speed of nodes when they answer and judge."""

    answer_ms: PositiveMs = 2_000
    """Median over nodes of the time for one answer."""
    judge_ms: PositiveMs = 200
    """Median over nodes of the time for one pair."""
    test_ms: PositiveMs = 400
    """Median over nodes of the time to test one answer: it compiles in 290 ms and runs 90 ms on two busy cores."""
    spread: Share = 0.3
    """Standard deviation of the logarithm of a node's speed, and of each job's length."""


class FindingsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Testing of answers to code tasks, and what findings weigh; strengths are the node's by default, log-odds."""

    kinds: tuple[Literal["compiles", "lint", "tests", "behaviour"], ...] = ("compiles", "lint", "behaviour")
    """Findings that askers ask for; none: nothing is tested. With `tests` each asker gives private tests of its own."""
    toolchains: Share = 1.0
    """Share of nodes with a toolchain."""
    other_versions: Share = 0.0
    """Share of these whose tool versions are others, so that their reports cannot be compared."""
    agreement: Strength | None = None
    compiles: Strength | None = None
    tests: Strength | None = None
    lint: Strength | None = None
    agreed_share: Share | None = None


class ReputationTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Learning of askers. If they learn, one honest node of each shard asks all of its queries."""

    gold: Share = 0.0
    """Share of queries whose truth the asker knows; with 0, nobody learns."""


class Partition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A period in which some of each shard's nodes reach only each other."""

    from_ms: Annotated[int, msgspec.Meta(ge=-60_000, le=3_600_000)]
    """Start after each query; below zero: before it."""
    until_ms: Ms
    share: Share
    """Share of nodes on the smaller side; the requester is on the other."""


class FaultTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Faults of nodes."""

    crash: Share = 0.0
    """Chance of each member to be killed in each round."""
    crashes: Annotated[int, msgspec.Meta(ge=0, le=MEMBERS_MAX)] = 0
    """Members killed in each round in addition."""
    down_ms: Ms = 2_000
    """Mean time until a killed node is started again."""
    disk_lost: Share = 0.0
    """Share of restarts that find an empty disk."""
    clock_skew_ms: Ms = 0
    """Largest error of clocks, in either direction."""
    partitions: tuple[Partition, ...] = ()


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One world, or with `vary` a study of many."""

    name: str = "custom"
    about: str = ""
    layer: Literal["network", "aggregate"] = "network"
    """`network`: everything. `aggregate`: answers, pairs, ballots and fit alone, for studies of accuracy."""
    preset: str = "final-answer"
    """Table of configs/presets.toml: the distribution of knowledge and of judging."""
    nodes: Annotated[int, msgspec.Meta(ge=1, le=NODES_MAX)] = 25
    shard_nodes: Annotated[int, msgspec.Meta(ge=1, le=MEMBERS_MAX)] = 50
    """Nodes of a shard; a larger swarm has several."""
    rounds: Annotated[int, msgspec.Meta(ge=1, le=ROUNDS_MAX)] = 10
    """Rounds of all shards together; they take turns."""
    seed: Annotated[int, msgspec.Meta(ge=0)] = 1
    trust: Literal["equal", "known", "one-heavy", "nobody"] = "equal"
    """Voting weight: `equal` for all (a cold start), only for nodes that are no sybils (`known`), for one honest node
    far more than for the others (`one-heavy`), or for none (`nobody`)."""
    pairing: Literal["swarm", "client", "random", "swiss", "knockout"] = "swarm"
    """How pairs are chosen in the aggregate layer: by the swarm, or, for comparison, by `pairings`. With the latter,
    judges compare as many as `round.waves` has in all; the published client's list has a length of its own."""
    reference: bool = False
    """Aggregate layer: whether to compute the honest judges' choice by comparisons of all pairs."""
    byzantine: dict[str, Share] = {}
    """Kind of adversary -> share of nodes, or of queries for kinds that misbehave as requesters."""
    round: RoundTable = RoundTable()
    links: LinkTable = LinkTable()
    gossip: GossipTable = GossipTable()
    engine: EngineTable = EngineTable()
    faults: FaultTable = FaultTable()
    findings: FindingsTable = FindingsTable()
    reputation: ReputationTable = ReputationTable()
    vary: dict[str, list[Any]] = {}
    """A study: setting ("links.loss", "nodes", or "attack" and "share" for one kind of adversary) -> its values."""
    against: str = ""
    """A study: the varied setting with whose first value each world is compared, question by question."""

    @property
    def shards(self) -> int:
        """Number of sub-meshes of the swarm."""
        return -(-self.nodes // self.shard_nodes)


def scenario_from(table: Mapping[str, Any]) -> Scenario:
    """Check a parsed TOML table. Raises ScenarioError."""
    try:
        scenario = msgspec.convert(table, Scenario, strict=True)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"scenario: {error}") from None
    _check(scenario)
    return scenario


def _check(scenario: Scenario) -> None:
    if sum(scenario.byzantine.values()) > 1.0:
        raise ScenarioError("byzantine: the shares of all kinds together exceed 1")
    if scenario.against and scenario.against not in scenario.vary:
        raise ScenarioError(f"against: {scenario.against!r} is not varied")
    for partition in scenario.faults.partitions:
        if partition.until_ms <= partition.from_ms:
            raise ScenarioError("faults.partitions: until_ms must be later than from_ms")


def cells(scenario: Scenario) -> Iterator[tuple[dict[str, Any], Scenario]]:
    """Yield the worlds of a study, each with the settings that distinguish it. Raises ScenarioError."""
    count = 1
    for values in scenario.vary.values():
        count *= len(values)
    if not 1 <= count <= CELLS_MAX:
        raise ScenarioError(f"vary: makes {count} worlds, not 1 to {CELLS_MAX}")
    known = set()
    for point_values in itertools.product(*scenario.vary.values()):
        point = dict(zip(scenario.vary, point_values, strict=True))
        world = _at(scenario, point)
        if idle := [setting for setting in _idle(world) if setting in point]:
            world = _at(scenario, {setting: value for setting, value in point.items() if setting not in idle})
            point |= dict.fromkeys(idle)
            if (told := repr(point)) in known:
                continue
            known.add(told)
        yield point, world


def _idle(scenario: Scenario) -> tuple[str, ...]:
    """Return settings without a meaning in this world; points that differ only in them are one, with None there."""
    match scenario.pairing:
        case "swarm":
            waves = scenario.round.waves
            return ("round.threshold",) if waves is not None and len(waves) == 1 else ()
        case "client":
            return "round.waves", "round.threshold"
        case _:
            return ("round.threshold",)


def _at(scenario: Scenario, point: Mapping[str, Any]) -> Scenario:
    table: dict[str, Any] = msgspec.to_builtins(scenario)
    table["vary"], table["against"] = {}, ""
    settings = dict(point)
    attack, share = settings.pop("attack", None), settings.pop("share", None)
    if (attack is None) != (share is None):
        raise ScenarioError("vary: attack and share go together")
    if attack is not None:
        table["byzantine"] = {**table["byzantine"], attack: share} if share else table["byzantine"]
    for setting, value in settings.items():
        *path, last = setting.split(".")
        inner: Any = table
        for name in path:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or last not in inner or (not path and last == "vary"):
            raise ScenarioError(f"vary: {setting!r} is no setting of a scenario")
        inner[last] = value
    return scenario_from(table)
