"""Findings for tests: a query's plan, and what a tester says of an answer."""

from typing import Any

from protocol.hashing import domain_digest
from protocol.limits import OUTCOME_BYTES, OUTCOMES_MAX, SOURCE_BYTES
from protocol.messages import Findings, FindingsPlan
from protocol.types import ONE, CompileStatus, FindingKind

ALL = FindingKind.COMPILES | FindingKind.LINT | FindingKind.TESTS | FindingKind.EXAMPLES | FindingKind.BEHAVIOUR


def plan(kinds: FindingKind = ALL, **changes: Any) -> FindingsPlan:
    """A plan that asks for these findings, with round numbers."""
    fields: dict[str, Any] = {
        "kinds": kinds,
        "budget_ms": 1_000,
        "tests_digest": b"",
        "agreement": ONE,
        "compiles": ONE,
        "tests": 2 * ONE,
        "lint": ONE // 4,
        "agreed_share": 0,
    }
    return FindingsPlan(**{**fields, **changes})


NOTHING = plan(FindingKind(0))
"""A round without a testing phase."""


def found(answer: int = 0, behaviour: str = "", **changes: Any) -> Findings:
    """What a tester found out: by default that it compiles. `behaviour`: a name; equal names behave alike."""
    fields: dict[str, Any] = {
        "answer": answer,
        "source": bytes(SOURCE_BYTES - 1) + b"s",
        "status": CompileStatus.COMPILES,
        "error": 0,
        "lints": bytes(6),
        "unsafe": 0,
        "panics": 0,
        "tests": (0, 0, 0),
        "examples": (0, 0, 0),
        "outcomes": outcomes(behaviour) if behaviour else b"",
    }
    return Findings(**{**fields, **changes})


def outcomes(behaviour: str, inputs: int = OUTCOMES_MAX) -> bytes:
    """Different digests for each input of a behaviour."""
    digests = (domain_digest(b"test", behaviour.encode(), bytes((number,))) for number in range(inputs))
    return b"".join(digest[:OUTCOME_BYTES] for digest in digests)
