"""The canonical log line of each round and each role."""

import structlog
import trio
import trio.testing

from node.api.events import Ended
from node.rounds.following.hub import RoundEvents
from node.rounds.following.round_log import log_rounds
from protocol.types import Digest, Outcome

QUERY = Digest(b"q" * 32)


async def test_each_end_of_a_round_is_one_line_with_its_role() -> None:
    hub = RoundEvents()
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            await nursery.start(log_rounds, hub)
            for role, ending, outcome in (("member", "finished", Outcome.DECIDED), ("requester", "left", None)):
                end = Ended(query_id=QUERY.hex(), role=role, ending=ending, outcome=outcome, fault=None)
                hub.publish(QUERY, "member" if role == "member" else "requester", Ended, lambda _, end=end: end)  # type: ignore[misc]
            hub.end(QUERY)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    line = {"event": "round.ended", "log_level": "info", "query_id": QUERY.hex(), "reason": None}
    assert logs == [
        line | {"role": "member", "ending": "finished", "outcome": "decided"},
        line | {"role": "requester", "ending": "left", "outcome": None},
    ]
