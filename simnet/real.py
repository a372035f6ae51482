"""The part of a scenario that real node processes can run, as plain data, and the results of their rounds.

The processes are `node/local/programme.py`'s, which does not know scenarios; `strand sim --real` connects the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.record import round_ms
from protocol.params import NetworkParams
from protocol.types import Key, Outcome
from simnet.baselines import nothing_counted, verdicts_of
from simnet.checkers import Checkers
from simnet.keeping import Keeper
from simnet.plan import Plan, PlannedQuery
from simnet.results import RoundResult, Run, round_result
from simnet.scenario import Scenario, ScenarioError
from simnet.study import changed

ROUNDS_MAX = 100
"""Rounds of one swarm: each takes a second or more, and each of 25 nodes has a script of 12 kB for it."""

SLACK_MS = 5_000
"""Milliseconds beyond all of a query's budgets by which a round must have a certificate: one machine serves all nodes.
"""

OVERHEAD_MS = 500
"""Milliseconds that a round on loopback takes beside the engines' work."""

VIRTUAL: Mapping[str, str] = {
    "layer": "real nodes have a network",
    "shard_nodes": "real nodes are one shard",
    "byzantine": "real nodes are honest",
    "pairing": "real nodes choose pairs as they do",
    "reference": "real nodes judge the pairs of their rounds alone",
    "links": "the links are loopback",
    "gossip": "real nodes gossip as they do",
    "faults.partitions": "loopback does not part",
    "faults.clock_skew_ms": "all real nodes have this machine's clock",
}
"""Settings, or tables of them, that only a virtual world can have, and why."""

NOTE = (
    "real nodes on loopback ask one round after the other, in waves of their own plan, and each prompt takes half of "
    "engine.judge_ms; links, gossip, round.interval_ms, engine.answer_ms and engine.spread are left aside"
)
"""Settings that never apply, whatever the scenario."""


class Heard(Protocol):
    """The asker's data of a round."""

    @property
    def certificate(self) -> bytes | None:
        """Bytes of the certificate, if there is one."""
        ...

    @property
    def timings_ms(self) -> Mapping[str, int]:
        """Length of each phase, `to_answer` and `total`; empty without a certificate."""
        ...

    @property
    def why_not(self) -> str:
        """Why the round failed; empty if nothing arrived by the deadline, or if there is a certificate."""
        ...


def check_real(scenario: Scenario, nodes_max: int) -> None:
    """Refuse settings that real processes cannot have, rather than ignore them. Raises ScenarioError."""
    for setting, count, most in (("nodes", scenario.nodes, nodes_max), ("rounds", scenario.rounds, ROUNDS_MAX)):
        if count > most:
            raise ScenarioError(f"--real: {setting} is at most {most}, not {count}")
    for setting, value in changed(scenario):
        same = (setting == "shard_nodes" and scenario.shards == 1) or (
            setting == "byzantine" and not any(value.values())
        )
        why = VIRTUAL.get(setting) or VIRTUAL.get(setting.partition(".")[0])
        if why is not None and not same:
            raise ScenarioError(f"--real: {setting} cannot be {value}: {why}")


# From scenario to programme.


def programme_of(plan: Plan, slope: float) -> dict[str, Any]:
    """Return the fields of a `node.local.programme.Programme`; `slope`: log-odds per unit of an engine's quality."""
    scenario = plan.scenario
    table, pairs = scenario.round, min(sum(plan.waves), plan.params.pairs_per_wave_max)
    # A pair is two prompts: each answer is shown first once.
    latency_ms = round(scenario.engine.judge_ms / 2)
    lasts_ms = (1 + 2 * pairs) * latency_ms + OVERHEAD_MS
    askings = [plan.asking(number) for number in range(scenario.rounds)]
    asked = {
        "max_tokens": plan.oracle.preset.answer_bytes,
        "pairs_per_judge": pairs,
        "answer_ms": table.answer_ms,
        "judge_ms": table.judge_ms,
        "patience_ms": table.patience_ms,
    }
    return {
        "scripts": [_script(plan, askings, node, slope) for node in range(scenario.nodes)],
        "latency_ms": latency_ms,
        "round": {
            "open_ms": table.open_ms,
            "cosign_ms": table.cosign_ms,
            "threshold": table.threshold,
            "confidence_min": table.confidence_min,
        },
        "deadline_ms": round_ms(plan.budgets, plan.stage_ms) + SLACK_MS,
        "turns": [
            {
                "requester": asking.requester,
                "question": {
                    "turns": [{"role": "user", "text": asking.question.text}],
                    "task": asking.question.task.value,
                    **asked,
                },
                "kills": _kills(plan, asking, lasts_ms),
            }
            for asking in askings
        ],
    }


def _script(plan: Plan, askings: Sequence[PlannedQuery], judge: int, slope: float) -> list[dict[str, Any]]:
    """Return the node's answers, and the worth of all nodes' answers to it."""
    oracle, script = plan.oracle, []
    for asking in askings:
        answers = [oracle.answer(asking.question, node) for node in range(plan.scenario.nodes)]
        worths = [oracle.worth(asking.question, judge, answer) for answer in answers]
        rated = zip(answers, qualities(worths, oracle.preset.confidence, slope), strict=True)
        entries = [{"text": answer.text, "quality": quality} for answer, quality in rated]
        script += [{**entries.pop(judge), "query": asking.question.text}, *entries]
    return script


def qualities(worths: Sequence[float], confidence: float, slope: float) -> list[float]:
    """Convert worths, in log-odds, to qualities from 0 to 1; a scripted engine states `slope` times their differences.

    If statements would be too certain for that, all are scaled down: the order of preference stays the same.
    """
    least, spread = min(worths), max(worths) - min(worths)
    scale = 1 / spread if confidence * spread > slope else confidence / slope
    return [min(1.0, scale * (worth - least)) for worth in worths]


def _kills(plan: Plan, asking: PlannedQuery, lasts_ms: int) -> list[dict[str, Any]]:
    """Return the kills of the round, as in the virtual world (`World._break_things`), but within its real length."""
    faults = plan.scenario.faults
    killed, random = plan.killed(asking, {asking.requester})
    return [
        {
            "node": node,
            "after_ms": random.randrange(lasts_ms),
            "down_ms": round(random.expovariate(1.0 / max(1, faults.down_ms))),
            "disk_lost": random.random() < faults.disk_lost,
        }
        for node in killed
    ]


# From rounds to results.


@dataclass(frozen=True, slots=True)
class _Cast:
    """Real nodes, whose keys are their own, for the checkers."""

    params: NetworkParams
    honest: frozenset[int]
    number_of: Mapping[Key, int]


def run_of(plan: Plan, keys: Sequence[bytes], rounds: Sequence[Heard], keep: int = 0) -> Run:
    """Return the results of rounds of nodes with these keys. Real messages are not counted, and there is no trace.

    `keep`: rounds that the run keeps whole.
    """
    number_of = {Key(key): node for node, key in enumerate(keys)}
    checkers = Checkers(_Cast(plan.params, frozenset(number_of.values()), number_of))
    run = Run(plan.scenario.seed, plan.scenario.nodes, violations=checkers.violations)
    keeper = Keeper(plan, keep)
    for number, heard in enumerate(rounds):
        asking = plan.asking(number)
        read = None if heard.certificate is None else verify_certificate(heard.certificate)
        verified = read if isinstance(read, VerifiedCertificate) else None
        if verified is not None:
            checkers.open_round(asking, verified.record.id)
        if heard.certificate is not None:
            checkers.certified(asking.requester, heard.certificate)
        run.rounds.append(_result(plan, asking, heard, verified))
        if verified is not None:
            keeper.take(asking, verified.record, run.rounds[-1], heard.certificate)
    run.kept = keeper.kept
    return run


def _result(plan: Plan, asking: PlannedQuery, heard: Heard, verified: VerifiedCertificate | None) -> RoundResult:
    if verified is None:
        nothing = round_result(asking, None, None, nothing_counted(plan, asking))
        return replace(nothing, outcome=Outcome.FAILED.value, reason=heard.why_not) if heard.why_not else nothing
    record, ranking = verified.record, verified.ranking
    phases_ms = {f"{name} 1" if name == "judging" else name: ms for name, ms in heard.timings_ms.items()}
    answered_ms = phases_ms.pop("to_answer")
    del phases_ms["total"]
    return replace(
        round_result(asking, record, ranking, verdicts_of(plan, asking, record, ranking)),
        full=verified.full,
        answered_ms=answered_ms,
        phases_ms=phases_ms,
    )
