"""Findings in words: ours alone, and bounded whatever was found."""

import pytest
from msgspec import convert

from consensus.certificates.reading import settled_values
from consensus.ranking.settling import SettledFindings
from node.api.findings import AnswerFindings
from node.findings.words import FACTS_BYTES_MAX, cell, facts, why_set_aside
from protocol.types import ONE, CompileStatus
from tests.support.findings import outcomes

COMPILES = {"reports": 3, "status": CompileStatus.COMPILES}
FAILS = {"reports": 3, "status": CompileStatus.FAILS}


def settled(**found: object) -> SettledFindings:
    return SettledFindings(**found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "agreeing", "told"),
    [
        ({"reports": 3}, 2 * ONE, ""),
        (FAILS | {"error": 308}, 0, "does not compile (E0308)"),
        (FAILS, 0, "does not compile"),
        (COMPILES, 0, "compiles"),
        (
            COMPILES | {"tests": (3, 1, 0), "examples": (1, 0, 1)},
            0,
            "compiles; passes 3 of 4 of the asker's tests; agrees with 1 of 2 of the examples",
        ),
        (COMPILES | {"lints": bytes((1, 0, 0, 0, 0, 0)), "unsafe": 2}, 0, "compiles; 1 warning; 2 uses of unsafe"),
        (COMPILES | {"outcomes": outcomes("x"), "panics": 3}, 0, "compiles; panics on 3 of 48 inputs"),
        (COMPILES | {"outcomes": outcomes("x")}, ONE, "compiles; behaves like 1 other answer"),
        (COMPILES | {"outcomes": outcomes("x")}, 2 * ONE, "compiles; behaves like 2 other answers"),
        # Less than a whole vote is no other answer, however many there are; nor is behaviour that is not settled.
        (COMPILES | {"outcomes": outcomes("x")}, ONE - 1, "compiles"),
        (COMPILES | {"outcomes": bytes(6)}, 2 * ONE, "compiles"),
    ],
)
def test_a_judge_is_told_what_is_settled(found: dict[str, object], agreeing: int, told: str) -> None:
    assert facts(settled(**found), agreeing) == told


def test_the_longest_facts_fit_their_room() -> None:
    most = settled(
        **FAILS,
        error=9_999,
        lints=bytes((255,)) * 6,
        unsafe=255,
        panics=255,
        tests=(255, 255, 255),
        examples=(255, 255, 255),
        outcomes=outcomes("x"),
    )
    told = facts(most, 16 * ONE)
    assert told.isascii() and "\n" not in told and len(told) <= FACTS_BYTES_MAX


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"reports": 0}, ""),
        (FAILS | {"error": 599}, "E0599"),
        (FAILS, "does not compile"),
        ({"reports": 3, "error": 463}, "needs a crate"),
        ({"reports": 3, "error": 583}, "needs a file"),
        (
            COMPILES | {"tests": (2, 1, 1), "lints": bytes((2, 0, 0, 0, 0, 1)), "unsafe": 1, "panics": 1},
            "compiles, tests 2/4 (1 not run), 3 warnings, unsafe, 1 panic, like #2",
        ),
    ],
)
def test_a_table_tells_it_in_a_few_words(found: dict[str, object], told: str) -> None:
    assert (
        cell(convert(settled_values(settled(**found), [b"\x0b" * 32]), AnswerFindings), {"0b" * 32: "#2"})
        == (told if told.endswith("#2") or not told else f"{told}, like #2")
        or not told
    )


def test_why_an_answer_is_set_aside() -> None:
    def why(**found: object) -> str:
        return why_set_aside(convert(settled_values(settled(**found)), AnswerFindings))

    assert why(**FAILS, error=425) == "does not compile (E0425)"
    assert why(**FAILS) == "does not compile"
    assert why(**COMPILES, tests=(1, 2, 0)) == "fails 2 of 3 tests"
