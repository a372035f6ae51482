"""What the lines of POST /api/ask say."""

import pytest

from consensus import effects as fx
from node.http.api import _event
from node.mailroom import Watched
from protocol.errors import Fault, FaultReason
from protocol.types import Digest, Outcome

QUERY = Digest(b"q" * 32)


@pytest.mark.parametrize("role", ["member", "requester"])
def test_the_end_of_a_round_says_how_it_ended_and_for_which_role(role: str) -> None:
    """At 044b2f0 `ending` is the role, and `outcome` the ending."""
    finish = fx.Finish(QUERY, role, fx.Ending.FINISHED, Outcome.DECIDED)  # type: ignore[arg-type]
    assert _event(Watched(7, finish)) == {
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
    event = _event(Watched(7, fx.Finish(QUERY, "requester", fx.Ending.VOID, None, fault)))
    assert (event["ending"], event["outcome"], event["fault"]) == ("void", None, "equivocation (rule R2)")
