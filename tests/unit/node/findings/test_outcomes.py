"""Outcomes: reading the runner's reports, canonical text, digests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.findings.outcomes import (
    DEPTH_MAX,
    NOT_RUN,
    Outcome,
    OutcomeKind,
    canonical,
    digests,
    read_outcomes,
    stable,
)
from protocol.limits import OUTCOME_BYTES, OUTCOMES_MAX


def report(letter: str, text: bytes = b"") -> bytes:
    return letter.encode() + len(text).to_bytes(4, "little") + text


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('{"b": 1, "a": 2}', '{"a" : 2,"b" : 1}'),
        ("{3, 1, 2}", "{1,2,3}"),
        ("Point { y: 1, x: 2 }", "Point {y : 1,x : 2}"),
        ("[3, 1, 2]", "[3,1,2]"),
        ("0.30000000000000004", "f0.3"),
        ("0.3", "f0.3"),
        ("-0.0", "f0"),
        ("1.0", "f1"),
        ("1", "1"),
        ("1e-7", "f1e-07"),
        ("[NaN, inf, -inf]", "[NaN,inf,- inf]"),
        ('"a, {b}"', '"a, {b}"'),
        (r'"a \" b"', r'"a \" b"'),
        ("'{'", "'{'"),
        ("{{2: 1}, {1: 1}}", "{{1 : 1},{2 : 1}}"),
        ("", ""),
        ("(]", "(]"),
        (")", ")"),
        ('"open', '" open'),
    ],
)
def test_equal_values_share_a_form(text: str, form: str) -> None:
    assert canonical(text) == form


def test_deep_texts_count_as_they_stand() -> None:
    deep = "[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1)
    assert canonical(deep) == deep


@given(st.text(max_size=300) | st.text(alphabet="{}[]()\"',:1.e- aS\\", max_size=60))
def test_any_text_has_a_form(text: str) -> None:
    assert isinstance(canonical(text), str)


@given(st.lists(st.integers(0, 99), unique=True), st.randoms())
def test_the_order_in_a_set_does_not_matter(items: list[int], random: object) -> None:
    shuffled = sorted(items, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert canonical(f"{{{', '.join(map(str, items))}}}") == canonical(f"{{{', '.join(map(str, shuffled))}}}")


def test_reports_are_read_up_to_the_first_malformed_one() -> None:
    stdout = report("O", b"42") + report("P") + b"?" + report("O", b"1")
    assert read_outcomes(stdout, 4) == (
        Outcome(OutcomeKind.RETURNED, "42"), Outcome(OutcomeKind.PANICKED), NOT_RUN, NOT_RUN,
    )  # fmt: skip
    assert read_outcomes(report("O", b"42")[:-1], 1) == (NOT_RUN,)
    assert read_outcomes(report("O", b"\xff"), 1) == (Outcome(OutcomeKind.RETURNED, "�"),)


@given(st.binary(max_size=200), st.integers(0, 5))
def test_any_bytes_give_as_many_outcomes_as_were_asked_for(stdout: bytes, count: int) -> None:
    assert len(read_outcomes(stdout, count)) == count


def test_what_differs_between_two_runs_is_no_information() -> None:
    first = [Outcome(OutcomeKind.RETURNED, text) for text in ("{1, 2}", "1", "2")] + [Outcome(OutcomeKind.OUT_OF_TIME)]
    second = [Outcome(OutcomeKind.RETURNED, text) for text in ("{2, 1}", "1", "3")] + [Outcome(OutcomeKind.OUT_OF_TIME)]
    assert stable(first, second) == ("O{1,2}", "O1", None, None)


def test_digests_are_keyed_by_round_and_target() -> None:
    one = digests(["O1", "O1", None], seed=bytes(32), target="(i32)->i32")
    assert len(one) == 3 * OUTCOME_BYTES
    assert one[:OUTCOME_BYTES] == one[OUTCOME_BYTES : 2 * OUTCOME_BYTES]
    assert not any(one[2 * OUTCOME_BYTES :])
    assert digests(["O1"], seed=b"\1" * 32, target="(i32)->i32") != one[:OUTCOME_BYTES]
    assert digests(["O1"], seed=bytes(32), target="(i64)->i32") != one[:OUTCOME_BYTES]
    assert len(digests(["O1"] * 99, seed=bytes(32), target="")) == OUTCOMES_MAX * OUTCOME_BYTES
