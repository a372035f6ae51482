"""Findings in words: fixed ones of ours, and numbers. Nothing that an author or a compiler wrote is among them."""

from collections.abc import Iterator, Mapping
from typing import Final

from consensus.ranking.settling import SettledFindings
from node.api.findings import AnswerFindings, Checks
from node.findings.compiling import MISSING_CRATE, MISSING_FILE
from protocol.limits import OUTCOME_BYTES
from protocol.types import ONE, CompileStatus

FACTS_BYTES_MAX: Final = 240
"""Bytes of the facts about one answer in a judge's prompt: all of them, each with its largest number, take fewer."""


_NEEDS: Final = {f"E{MISSING_CRATE:04}": "needs a crate", f"E{MISSING_FILE:04}": "needs a file"}
"""Why an answer was not compiled, by the code that its reports state instead of a status."""


def facts(found: SettledFindings, agreeing: int) -> str:
    """Return what is settled about an answer as a judge is told it, at most FACTS_BYTES_MAX of ASCII; may be empty.

    `agreeing`: vote weight, 2^-16, of other answers with the same behaviour. It is told in whole votes: identities are
    free, and answers of nobody's trust must not persuade a judge by their number.
    """
    return "; ".join(_facts(found, agreeing))


def _facts(found: SettledFindings, agreeing: int) -> Iterator[str]:
    if found.status is CompileStatus.FAILS:
        yield f"does not compile (E{found.error:04})" if found.error else "does not compile"
    elif found.status is CompileStatus.COMPILES:
        yield "compiles"
    if any(found.tests):
        yield f"passes {_of(Checks(*found.tests))} of the asker's tests"
    if any(found.examples):
        yield f"agrees with {_of(Checks(*found.examples))} of the examples"
    if warnings := sum(found.lints):
        yield _count(warnings, "warning")
    if found.unsafe:
        yield _count(found.unsafe, "use") + " of unsafe"
    if found.panics:
        yield f"panics on {found.panics} of {len(found.outcomes) // OUTCOME_BYTES} inputs"
    if found.behaviour and agreeing >= ONE:
        yield f"behaves like {_count(agreeing // ONE, 'other answer')}"


def cell(found: AnswerFindings | None, places: Mapping[str, str]) -> str:
    """Return the findings as a table shows them; `places`: what answers are called in it, by id.

    Empty: nothing is known.
    """
    if found is None:
        return ""
    told = []
    if found.status is CompileStatus.FAILS:
        told.append(found.error or "does not compile")
    elif found.status is CompileStatus.COMPILES:
        told.append("compiles")
    elif found.error in _NEEDS:
        told.append(_NEEDS[found.error])
    if found.tests is not None:
        told.append(f"tests {_share(found.tests)}")
    if found.examples is not None:
        told.append(f"examples {_share(found.examples)}")
    if found.warnings:
        told.append(_count(found.warnings, "warning"))
    if found.unsafe:
        told.append("unsafe")
    if found.panics:
        told.append(_count(found.panics, "panic"))
    if alike := [places[each] for each in found.alike if each in places]:
        told.append(f"like {' '.join(alike)}")
    return ", ".join(told)


def why_set_aside(found: AnswerFindings) -> str:
    """Return why an answer cannot win, in words."""
    if found.status is CompileStatus.FAILS:
        return f"does not compile ({found.error})" if found.error else "does not compile"
    assert found.tests is not None and found.tests.failed, "nothing else sets an answer aside"
    return f"fails {found.tests.failed} of {_count(found.tests.all, 'test')}"


def _of(checks: Checks) -> str:
    return f"{checks.passed} of {checks.all}"


def _share(checks: Checks) -> str:
    """Return passed and all, with those that could not be run."""
    unknown = f" ({checks.not_run} not run)" if checks.not_run else ""
    return f"{checks.passed}/{checks.all}{unknown}"


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
