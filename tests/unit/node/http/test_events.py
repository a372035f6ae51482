"""What the lines of POST /api/ask say."""

import json
from typing import Any

import pytest

from consensus.certificates.record import Phase
from consensus.rounds import effects as fx
from consensus.rounds.admission import Refusal
from node.http.rounds import _event, _line
from node.rounds.inbound import Watched
from protocol.errors import Fault, FaultReason
from protocol.types import Digest, Key, Outcome

QUERY = Digest(b"q" * 32)


def line(watched: Watched) -> Any:
    """What a client reads of an event."""
    return json.loads(_line(_event(watched)))


@pytest.mark.parametrize("role", ["member", "requester"])
def test_the_end_of_a_round_says_how_it_ended_and_for_which_role(role: str) -> None:
    """At 044b2f0 `ending` is the role, and `outcome` the ending."""
    finish = fx.RoundEnded(QUERY, role, fx.Ending.FINISHED, Outcome.DECIDED)  # type: ignore[arg-type]
    assert line(Watched(7, finish)) == {
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
    event = line(Watched(7, fx.RoundEnded(QUERY, "requester", fx.Ending.VOID, None, fault)))
    assert (event["ending"], event["outcome"], event["fault"]) == ("void", None, "equivocation (rule R2)")


def test_progress_says_who_will_not_come_and_why() -> None:
    one, two, three = (Key(bytes([number]) * 32) for number in (1, 2, 3))
    progress = fx.Progress(
        QUERY,
        Phase.ANSWERING,
        0,
        received=frozenset({one}),
        expected=frozenset({one, two, three}),
        silent=frozenset({two}),
        refused={three: Refusal.BUSY},
    )
    event = line(Watched(7, progress))
    assert event["silent"] == [two.hex()]
    assert event["refused"] == {three.hex(): "busy"}
