"""What an engine can take on."""

from dataclasses import replace

import pytest

from node.work.capacity import (
    PLANNED,
    RESERVE_S_MAX,
    RESERVED_TOKENS,
    TURN_TOKENS,
    Pace,
    QuerySize,
    answer_refusal,
    ballot_refusal,
    reserve_s,
)

PACE = Pace(context_tokens=4096, tokens_per_second=50.0, prompt_byte_s=0.001, concurrency=1, backlog_s=0.0)


def test_an_answer_takes_its_reading_and_its_writing() -> None:
    assert PACE.answer_s(query_bytes=1000, max_tokens=250) == pytest.approx(1 + 5)


@pytest.mark.parametrize(("budget_s", "refused"), [(6 / PLANNED + 0.01, False), (6 / PLANNED - 0.01, True), (-1, True)])
def test_an_answer_must_fit_the_planned_share_of_its_budget(budget_s: float, refused: bool) -> None:
    why = answer_refusal(PACE, QuerySize(1000), max_tokens=250, budget_s=budget_s)
    assert (why is not None) == refused
    assert why is None or "would take some 6.0 s" in why


def test_work_in_hand_is_waited_for_and_shared_by_what_runs_at_once() -> None:
    busy = replace(PACE, backlog_s=8.0)
    assert answer_refusal(busy, QuerySize(1000), 250, budget_s=10) is not None
    assert answer_refusal(replace(busy, concurrency=4), QuerySize(1000), 250, budget_s=10) is None


def test_a_prompt_that_the_context_cannot_hold_is_refused_before_the_server_does() -> None:
    room = 5 * (4096 - RESERVED_TOKENS - 250)
    assert answer_refusal(PACE, QuerySize(room), 250, budget_s=1e9) is None
    assert "more than the context of 4096" in (answer_refusal(PACE, QuerySize(room + 5), 250, budget_s=1e9) or "")
    turns = QuerySize(room - 5 * 31 * TURN_TOKENS, turns=32)
    assert answer_refusal(PACE, turns, 250, budget_s=1e9) is None
    assert answer_refusal(PACE, replace(turns, bytes=turns.bytes + 5), 250, budget_s=1e9) is not None


def test_a_ballot_needs_time_for_half_of_its_pairs() -> None:
    # Two of three pairs in both orders, at a second each.
    assert ballot_refusal(PACE, pairs=3, prompt_bytes=1000, budget_s=4 / PLANNED + 0.01) is None
    assert ballot_refusal(PACE, pairs=3, prompt_bytes=1000, budget_s=4 / PLANNED - 0.01) is not None
    assert ballot_refusal(replace(PACE, concurrency=2), 3, 1000, budget_s=2 / PLANNED + 0.01) is None


def test_a_ballot_with_reasoning_needs_time_to_write_it_in_full() -> None:
    # Both orders of each pair: a second to read, two to write.
    assert PACE.ballot_s(pairs=3, prompt_bytes=1000, reasoning_tokens=100) == pytest.approx(6 * (1 + 2))
    half_s = 4 * (1 + 2)
    assert ballot_refusal(PACE, 3, 1000, half_s / PLANNED + 0.01, reasoning_tokens=100) is None
    assert ballot_refusal(PACE, 3, 1000, half_s / PLANNED - 0.01, reasoning_tokens=100) is not None
    untold = replace(PACE, tokens_per_second=0.0)
    assert untold.ballot_s(3, 1000, reasoning_tokens=100) == untold.ballot_s(3, 1000)


def test_requests_at_once_beyond_those_of_a_ballot_do_not_make_it_faster() -> None:
    wide = replace(PACE, concurrency=64)
    assert ballot_refusal(wide, pairs=1, prompt_bytes=1000, budget_s=1 / PLANNED + 0.01) is None
    assert ballot_refusal(wide, pairs=1, prompt_bytes=1000, budget_s=1 / PLANNED - 0.01) is not None


def test_what_was_never_timed_is_tried() -> None:
    fresh = replace(PACE, prompt_byte_s=None)
    assert ballot_refusal(fresh, 64, 100_000, budget_s=0.001) is None
    assert answer_refusal(fresh, QuerySize(10_000), 1, budget_s=1) is None


def test_a_server_that_tells_no_tokens_is_tried() -> None:
    assert answer_refusal(replace(PACE, tokens_per_second=0.0), QuerySize(10), 1_000, budget_s=1) is None


def test_a_reserve_is_a_share_and_bounded() -> None:
    assert reserve_s(5) == pytest.approx(0.5)
    assert reserve_s(1e6) == RESERVE_S_MAX
