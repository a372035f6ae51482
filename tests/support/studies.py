"""Studies with made-up results, drawn from a seed: what reports are tested with."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from simnet.results import NO_OUTCOME, Cell, RoundResult, Run, Study, Verdicts, Violation

PHASES = {"answering": 6_000, "opening": 1_200, "judging 1": 4_000, "cosigning": 900}
"""Medians in ms."""


def made_round(random: Random, number: int, right: float, *, lost: float = 0.0, network: bool = True) -> RoundResult:
    """One round in which the swarm is right with this chance and has no outcome with the chance `lost`."""
    phases = {name: round(median * random.lognormvariate(0, 0.3)) for name, median in PHASES.items()}
    lot = random.random()
    outcome = NO_OUTCOME if lot < lost / 4 else "failed" if lot < lost / 2 else "degraded" if lot < lost else "decided"
    return RoundResult(
        number=number,
        shard=0,
        requester=0,
        outcome=outcome,
        reason="",
        stop="",
        full=True,
        answered_ms=sum(phases.values()) if network and outcome != NO_OUTCOME else None,
        phases_ms=phases if network else {},
        members=25,
        answers=25,
        tests=0,
        comparisons=75,
        ranking=b"",
        verdicts=Verdicts(
            swarm=random.random() < right,
            majority=random.random() < 0.8 * right,
            plain_bradley_terry=random.random() < 0.9 * right,
            best_single=random.random() < 0.6,
            oracle=random.random() < 0.97,
        ),
    )


def made_cell(
    point: Mapping[str, Any], right: float = 0.85, *, rounds: int = 200, nodes: int = 25, lost: float = 0.0,
    network: bool = True,
) -> Cell:  # fmt: skip
    """One world of a study."""
    random = Random(repr((point, right)))
    made = [made_round(random, number, right, lost=lost, network=network) for number in range(rounds)]
    cost = rounds * 25 * round(170 + random.uniform(-4, 4)) if network else 0
    run = Run(seed=1, nodes=nodes, rounds=made, messages=cost, bytes=cost * 800, trace_digest="ab" * 32)
    if network:
        run.standing_messages, run.virtual_ms = 500 * nodes, 60_000
    return Cell(point, run)


def attack_study(attacks: tuple[str, ...] = ("lazy", "inverse", "sybil")) -> Study:
    """Accuracy against the share of attackers."""
    cells = [
        made_cell({"attack": attack, "share": share}, max(0.03, 0.86 - share * (0.4 + 0.5 * kind)), network=False)
        for kind, attack in enumerate(attacks)
        for share in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    ]
    return Study("attacks", "Made-up attacks.", cells)


def loss_study() -> Study:
    """Outcomes against packet loss."""
    cells = [made_cell({"links.loss": loss}, lost=loss, rounds=60) for loss in (0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)]
    return Study("loss", "Made-up losses.", cells)


def size_study() -> Study:
    """Cost and accuracy against swarm size."""
    return Study("size", "Made-up sizes.", [made_cell({"nodes": n}, nodes=n) for n in (25, 100, 1_000, 10_000)])


def waves_study() -> Study:
    """Accuracy against comparisons, for two presets."""
    cells = [
        made_cell({"preset": preset, "round.waves": (pairs,)}, 0.6 + 0.05 * pairs, network=False)
        for preset in ("final-answer", "open-ended")
        for pairs in (1, 2, 3, 5)
    ]
    for cell in cells:
        pairs = cell.point["round.waves"][0]
        cell.run.rounds = [_with_comparisons(each, 25 * pairs) for each in cell.run.rounds]
    return Study("waves", "Made-up waves.", cells)


def pairing_study() -> Study:
    """Accuracy against comparisons, for three ways to choose pairs."""
    points = [
        *(("swarm", [1] * waves, at if waves > 1 else None) for waves in (1, 2, 3) for at in (0.8, 1.0)),
        *(("swiss", [pairs], None) for pairs in (1, 2, 5)),
        ("client", None, None),
    ]
    cells = []
    for pairing, waves, threshold in points:
        cell = made_cell({"pairing": pairing, "round.waves": waves, "round.threshold": threshold}, network=False)
        rounds = [_with_comparisons(each, 25 * sum(waves or [100])) for each in cell.run.rounds]
        cell.run.rounds = [
            replace(each, verdicts=replace(each.verdicts, rankings=each.number % 3 > 0)) if waves is None else each
            for each in rounds
        ]
        cells.append(cell)
    return Study("pairings", "Made-up pairings.", cells)


def calibration_study() -> Study:
    """What is said with .05 to .95, and comes true as often."""
    cells = [made_cell({"seed": seed}, network=False) for seed in (1, 2)]
    for cell in cells:
        cell.run.rounds = [
            replace(each, p_best=said, p_correct=said, consensual=(7 * each.number % 20) / 20 < said)
            for each in cell.run.rounds
            for said in [(each.number // 20 % 10) / 10 + 0.05]
        ]
    return Study("calibration", "Made-up certainty.", cells)


def learning_study() -> Study:
    """Ten casts whose askers learn."""
    cells = [made_cell({"seed": seed}, rounds=60, network=False) for seed in range(10)]
    for cell in cells:
        cell.run.rounds = [
            replace(each, verdicts=replace(each.verdicts, win_rate=True, weighted_majority=False))
            for each in cell.run.rounds
        ]
    return Study("learning", "Made-up learning.", cells)


def _with_comparisons(result: RoundResult, comparisons: int) -> RoundResult:
    return replace(result, comparisons=comparisons)


def single_study(*, violations: int = 0, lost: float = 0.0) -> Study:
    """One world of the network layer."""
    cell = made_cell({}, lost=lost)
    cell.run.violations = [Violation("R2", "two <closings> of one slot", number) for number in range(violations)]
    return Study("custom", "", [cell])
