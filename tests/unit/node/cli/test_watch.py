"""The picture of a round: it follows from the events, and fits a terminal of 80 columns."""

import io

from rich.console import Console

from node.api.events import (
    AnswerOpened,
    AnswerStrength,
    Asked,
    BallotCounted,
    Certified,
    ComparedPair,
    Decided,
    Ended,
    Progress,
    RoundEvent,
    Strengths,
)
from node.cli.ask.follow import PlainLines
from node.cli.ask.watch import ANSWERS_SHOWN_MAX, DetailLines, RoundPicture
from node.cli.parts.pairs import PairCount, matrix, print_matrix
from protocol.types import FinishReason, Outcome, OutcomeReason, TokenSource

MEMBERS = tuple(f"{number:02x}" * 32 for number in range(12))


def opened(number: int, cluster: int) -> AnswerOpened:
    return AnswerOpened(
        number=number,
        answer_id=MEMBERS[number],
        author=MEMBERS[number],
        cluster=cluster,
        finish=FinishReason.STOP,
        prompt_tokens=10,
        answer_tokens=32_768,
        token_source=TokenSource.ENGINE,
    )


def ranking(wave: int, *order: int) -> Strengths:
    share = 1 / len(order)
    return Strengths(
        wave=wave,
        ranking=tuple(AnswerStrength(n, MEMBERS[n], -12.5, share, 1) for n in order),
    )


def events() -> list[RoundEvent]:
    nobody: dict[str, dict[str, str]] = {"refused": {}, "declined": {}}
    judging = Progress(
        phase="judging", wave=1, received=MEMBERS[:2], expected=MEMBERS, silent=MEMBERS[2:4], at_ms=61_000, **nobody
    )
    pairs = (ComparedPair(2, 0, 0.75), ComparedPair(0, 1, None))
    return [
        Asked(members=MEMBERS, query_id="ab" * 32),
        *(opened(number, number % 7) for number in range(len(MEMBERS))),
        ranking(0, *range(12)),
        judging,
        BallotCounted(judge=MEMBERS[1], wave=1, pairs=pairs),
        BallotCounted(judge=MEMBERS[2], wave=1, pairs=(ComparedPair(0, 2, 0.75),)),
        ranking(1, 2, 0, 1, *range(3, 12)),
        Decided(
            outcome=Outcome.DECIDED,
            reason=OutcomeReason.NONE,
            winner=MEMBERS[2],
            p_best=0.9,
            p_correct=None,
            answer="fn main() {}",
        ),
        Certified(outcome=Outcome.DECIDED, bytes=1),
    ]


def shown(picture: RoundPicture) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=True, color_system=None).print(picture.drawn())
    return out.getvalue().splitlines()


def test_the_picture_holds_what_the_events_said_within_80_columns() -> None:
    picture = RoundPicture(clock=lambda: 7.0)
    for event in events():
        picture.note(event)
        assert max(len(line.rstrip()) for line in shown(picture)) <= 80
    lines = shown(picture)
    assert lines[0].split() == ["round", "ab" * 8, "61.0", "s"]
    assert "judging, wave 2" in lines[1] and "2 of 12" in lines[1] and "2 silent" in lines[1]
    assert "and 4 more answers" in " ".join(lines)
    assert any(line.split()[:2] == ["1", MEMBERS[2][:6]] for line in lines), "the strongest of the last wave is first"
    assert lines[-1].split(",")[0] == "decided" and lines[-1].rstrip().endswith("certified")


def test_the_time_goes_on_between_events_until_the_end() -> None:
    """It stood still while everybody computed, as if the node hung."""
    now_s = 100.0
    picture = RoundPicture(clock=lambda: now_s)

    def told() -> str:
        return shown(picture)[0].split()[-2]

    nobody: dict[str, dict[str, str]] = {"refused": {}, "declined": {}}
    assert told() == "0.0", "nothing is asked yet"
    picture.note(Asked(members=MEMBERS, query_id="ab" * 32))
    now_s += 4
    assert told() == "4.0"
    picture.note(Progress(phase="answering", wave=0, received=(), expected=MEMBERS, silent=(), at_ms=3_000, **nobody))
    assert told() == "4.0", "it never goes back"
    now_s += 1.5
    assert told() == "5.5"
    picture.note(Ended(role="member", ending="finished", outcome=None, fault=None, at_ms=5_500))
    now_s += 1
    assert told() == "6.5"
    picture.note(Certified(outcome=Outcome.DECIDED, bytes=1, at_ms=6_600))
    now_s += 60
    assert told() == "6.6"


def test_pairs_are_counted_in_either_order_by_place() -> None:
    picture = RoundPicture()
    for event in events():
        picture.note(event)
    # Places: 2 is first, 0 second, 1 third.
    assert picture.pairs(picture.order[:3]) == [PairCount(1, 2, 0, 0.5, 1), PairCount(1, 0, 2, 0.5, 0)]
    assert picture.pairs([2, 1]) == []
    assert len(picture.order[:ANSWERS_SHOWN_MAX]) == 8


def test_where_nothing_can_be_redrawn_each_ballot_is_a_line() -> None:
    out = io.StringIO()
    lines = DetailLines(PlainLines(Console(file=out, width=40)))
    for event in events():
        lines.show(event)
    told = out.getvalue().splitlines()
    assert "answer 1 by 000000: 32768 tokens" in told
    assert "ballot of 010101, wave 2: 3:1 0.75, 1:2 abstains" in told
    assert any(line.startswith("after wave 2: 3 -12.50 P(best) 0.08, 1 ") for line in told)


def test_the_end_of_this_nodes_own_part_ends_no_phase() -> None:
    out = io.StringIO()
    lines = DetailLines(PlainLines(Console(file=out, width=80)))
    nobody: dict[str, dict[str, str]] = {"refused": {}, "declined": {}}
    for received in ((), MEMBERS[:1]):
        lines.show(Progress(phase="cosigning", wave=0, received=received, expected=MEMBERS[:1], silent=(), **nobody))
        lines.show(Ended(role="member", ending="finished", outcome=None, fault=None))
    lines.show(Certified(outcome=Outcome.DECIDED, bytes=1))
    assert out.getvalue().splitlines() == ["co-signing: 0 of 1", "co-signing: 1 of 1 after 0.0 s: 000000"]


def test_a_matrix_shows_a_pair_from_both_sides() -> None:
    lines = [line.plain.split() for line in matrix(["1", "2", "3"], [PairCount(0, 1, 4, 0.75)])]
    dot = "\N{MIDDLE DOT}"
    assert lines == [["1", "2", "3"], ["1", dot, "0.75/4", "-"], ["2", "0.25/4", dot, "-"], ["3", "-", "-", dot]]


def test_a_matrix_that_is_too_wide_is_rows() -> None:
    out = io.StringIO()
    names = [str(number) for number in range(1, 20)]
    print_matrix(names, [PairCount(0, 18, 4, 0.75, 1), PairCount(0, 1, 0, 0.5)], Console(file=out, width=80))
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["answer", "against", "preference", "comparisons", "abstentions"],
        ["1", "19", "0.75", "4", "1"],
    ]
