"""The node's own rounds."""

from contextlib import AbstractAsyncContextManager

from node.api.asking import Question
from node.api.queue import QueuedQuestion, QueueReport
from node.api.rounds import HEAD_CHARS_MAX
from node.rounds.asking.service import RoundHandle, RoundService
from node.rounds.queue import QueuedAsk
from protocol.types import Digest


class RoundsFacade:
    """Begins, cancels and lists the rounds that one node asks."""

    def __init__(self, service: RoundService) -> None:
        """Build a facade. `service`: gives each question its turn."""
        self._service = service

    def ask(self, question: Question, *, details: bool) -> AbstractAsyncContextManager[RoundHandle]:
        """Begin a round in its turn, and follow it while the block runs. Raises AskError before the round has begun.

        `details`: whether to follow all events; else only those in `node.api.events.PLAIN_KEYS`, with those keys.
        """
        return self._service.ask(question, details=details)

    async def cancel(self, query_id: Digest) -> bool:
        """Cancel a round of ours, even in a scope that is cancelled itself; False: nothing is left to cancel."""
        return await self._service.cancel(query_id)

    def queue(self) -> QueueReport:
        """Report the rounds that run, the questions that wait, and how long a new one would wait, in seconds."""
        queue = self._service.queue
        return QueueReport(
            running=tuple(map(_queued, queue.running)),
            running_max=queue.tickets_max,
            waiting=tuple(map(_queued, queue.waiting)),
            waiting_max=queue.waiting_max,
            wait_s=round(queue.wait_s, 1),
        )


def _queued(ask: QueuedAsk) -> QueuedQuestion:
    question = ask.question
    text = question.turns[-1].text[:HEAD_CHARS_MAX]
    query_id = "" if ask.query_id is None else ask.query_id.hex()
    return QueuedQuestion(
        query_id, ask.since_ms, question.task, question.audience, ask.gold, text, held_until_ms=ask.held_until_ms
    )
