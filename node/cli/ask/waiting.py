"""Following a round of `strand ask`, which says so when its question has to wait for a ticket."""

from collections.abc import Callable
from typing import Final

import trio
from rich.console import Console

from node.api.events import RoundEvent
from node.api.queue import QueueReport
from node.cli.parts.tickets import all_held, length
from node.client import Client, ClientError, FollowedRound, Question, follow

QUIET_S: Final = 2.0
"""Seconds without the round's first event after which the queue is looked at: a question with a ticket begins at
once."""


async def follow_patiently(
    client: Client,
    question: Question,
    console: Console,
    *,
    silence_s: float,
    on_event: Callable[[RoundEvent], None],
    details: bool = False,
) -> FollowedRound:
    """As `node.client.follow`, and print one line if the question waits for a ticket. Raises ClientError."""
    begun = trio.Event()

    def note(event: RoundEvent) -> None:
        begun.set()
        on_event(event)

    followed: FollowedRound | ClientError
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_say_wait, client, begun, console)
        try:
            followed = await follow(client, question, silence_s=silence_s, on_event=note, details=details)
        except ClientError as error:
            # Raised outside of the nursery, which would wrap it.
            followed = error
        nursery.cancel_scope.cancel()
    if isinstance(followed, ClientError):
        raise followed
    return followed


async def _say_wait(client: Client, begun: trio.Event, console: Console) -> None:
    """Print for how long the question waits, unless its round begins soon."""
    with trio.move_on_after(QUIET_S):
        await begun.wait()
        return
    try:
        queue = await client.queue()
    except ClientError:
        # Only a word less: the question itself hears of whatever is wrong.
        return
    if queue.waiting and not begun.is_set():
        console.print(waits(queue), soft_wrap=True, highlight=False)


def waits(queue: QueueReport) -> str:
    """Return for how long a question waits that stands in the queue.

    The report's expectation is for one that came now, behind all others, so it is the most for this one.
    """
    why = all_held(queue) or f"{len(queue.running)} of {queue.running_max} rounds run, {len(queue.waiting)} wait"
    return f"waiting for a ticket, probably for {length(queue.wait_s)} at most: {why}"
