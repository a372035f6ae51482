"""Assignments to a tester, from programs."""

from collections.abc import Sequence

from node.findings.ports import Assignment, Candidate
from protocol.messages import Turn
from protocol.types import ONE, FindingKind, TurnRole

ALL_KINDS = FindingKind.COMPILES | FindingKind.LINT | FindingKind.TESTS | FindingKind.EXAMPLES | FindingKind.BEHAVIOUR


def assignment(
    query: str,
    programs: Sequence[str],
    *,
    tests: str = "",
    assigned: Sequence[int] | None = None,
    seed: int = 1,
    kinds: FindingKind = ALL_KINDS,
) -> Assignment:
    """Return an assignment of answers that each hold one program, all of them or those that are named."""
    return Assignment(
        turns=(Turn(role=TurnRole.USER, text=query),),
        slate=tuple(Candidate(f"```rust\n{program}\n```\n", ONE) for program in programs),
        assigned=tuple(range(len(programs)) if assigned is None else assigned),
        kinds=kinds,
        tests=tests,
        seed=bytes([seed]) * 32,
    )
