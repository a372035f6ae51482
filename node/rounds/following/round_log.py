"""The log of rounds: one canonical line for each round and each role of this node in it."""

from typing import Any

import structlog
import trio

from node.api.events import Ended
from node.rounds.following.hub import RoundEvents

log = structlog.get_logger()


async def log_rounds(hub: RoundEvents, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    """Log the ends of rounds until cancelled; report the start as soon as no end can be missed."""
    with hub.subscribe(kinds=(Ended,)) as ends:
        task_status.started()
        async for event in ends:
            assert isinstance(event, Ended)
            log.info(
                "round.ended",
                query_id=event.query_id,
                role=event.role,
                ending=event.ending,
                outcome=event.outcome,
                reason=event.fault,
            )
