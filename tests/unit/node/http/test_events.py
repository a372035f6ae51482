"""What the lines of POST /api/ask say."""

import json
from typing import Any

import msgspec
import pytest

from consensus.certificates.record import Phase
from consensus.certificates.tally import RankedAnswer, Ranking
from consensus.rounds import effects as fx
from consensus.rounds.admission import Refusal
from node.api.asking import Question
from node.api.conversation import Audience
from node.api.events import BaseEvent, Certified, RoundEvent, encode_plain
from node.rounds.following import telling
from protocol.errors import Fault, FaultReason
from protocol.types import ONE, Digest, Key, Outcome, OutcomeReason, StopReason
from tests.support.swarm import Swarm

QUERY = Digest(b"q" * 32)


def line(event: BaseEvent) -> Any:
    """What a client reads of an event of 7 ms after the query, without details."""
    return json.loads(encode_plain(msgspec.structs.replace(event, query_id=QUERY.hex(), at_ms=7, seq=3)))


@pytest.mark.parametrize("role", ["member", "requester"])
def test_the_end_of_a_round_says_how_it_ended_and_for_which_role(role: str) -> None:
    """At 044b2f0 `ending` is the role, and `outcome` the ending."""
    finish = fx.RoundEnded(QUERY, role, fx.Ending.FINISHED, Outcome.DECIDED)  # type: ignore[arg-type]
    assert line(telling.ended(finish)) == {
        "event": "ended",
        "role": role,
        "ending": "finished",
        "outcome": "decided",
        "fault": None,
        "at_ms": 7,
    }


def test_a_round_that_is_void_says_why() -> None:
    """At 044b2f0 the outcome's place holds nothing of use, and the fault none."""
    fault = Fault(FaultReason.EQUIVOCATION, "R2")
    event = line(telling.ended(fx.RoundEnded(QUERY, "requester", fx.Ending.VOID, None, fault)))
    assert (event["ending"], event["outcome"], event["fault"]) == ("void", None, "equivocation (rule R2)")


def test_progress_says_who_will_not_come_and_why() -> None:
    one, two, three = (Key(bytes([number]) * 32) for number in (1, 2, 3))
    progress = fx.Progress(
        QUERY,
        Phase.ANSWERING,
        0,
        received=frozenset({one}),
        expected=frozenset({one, three, two}),
        silent=frozenset({two}),
        refused={three: Refusal.BUSY},
    )
    assert line(telling.progress(progress)) == {
        "event": "progress",
        "phase": "answering",
        "wave": 0,
        "received": [one.hex()],
        "expected": [one.hex(), two.hex(), three.hex()],
        "silent": [two.hex()],
        "refused": {three.hex(): "busy"},
        "declined": {},
        "at_ms": 7,
    }


def test_the_beginning_names_the_roster() -> None:
    query = Swarm("ab").query()
    event = telling.asked(query, Question.single("Which?").turns, Audience.PUBLIC, gold=False)
    members = [seat.member.hex() for seat in query.roster]
    assert line(event) == {
        "event": "asked",
        "query_id": QUERY.hex(),
        "at_ms": 7,
        "members": members,
        "audience": "public",
    }
    assert [(seat.roles, seat.vote_weight) for seat in event.seats] == [(("answer", "judge"), 1.0)] * 2


def test_a_decision_without_a_winner_has_no_figures_of_one() -> None:
    ranking = Ranking((), Outcome.FAILED, OutcomeReason.NO_ANSWERS, StopReason.ABORTED, p_correct=0, calibrated=False)
    decided = telling.decided(fx.Decide(QUERY, ranking, ""), None, "out of memory")
    assert line(decided) == {
        "event": "decided",
        "outcome": "failed",
        "reason": "no_answers",
        "winner": "",
        "p_best": 0.0,
        "p_correct": None,
        "answer": "",
        "own_engine": "out of memory",
        "findings": None,
        "at_ms": 7,
    }
    assert (decided.finish, decided.answer_tokens, decided.token_source) == (None, 0, None)


def test_a_calibrated_decision_claims_p_correct() -> None:
    best = RankedAnswer(Digest(b"a" * 32), Key(b"k" * 32), 0, ONE // 2, 1, (-1, 1))
    ranking = Ranking((best,), Outcome.DECIDED, OutcomeReason.NONE, StopReason.SPENT, ONE // 4, calibrated=True)
    event = line(telling.decided(fx.Decide(QUERY, ranking, "text"), None, ""))
    assert (event["winner"], event["p_best"], event["p_correct"]) == (best.answer.hex(), 0.5, 0.25)


def test_a_certificate_is_told_by_its_size() -> None:
    event = Certified(outcome=Outcome.DEGRADED, bytes=11)
    assert line(event) == {"event": "certified", "outcome": "degraded", "bytes": 11, "at_ms": 7}


def test_a_line_without_details_is_read_as_the_same_kind() -> None:
    """What is left out stands as nothing."""
    event = telling.ended(fx.RoundEnded(QUERY, "member", fx.Ending.LOST))
    read = msgspec.json.decode(encode_plain(msgspec.structs.replace(event, seq=3)), type=RoundEvent)
    assert read == event
