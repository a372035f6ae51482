"""Rounds of our own: begun one after the other, followed, cancelled."""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

import trio
from msgspec.structs import replace

from node.api.asking import Question
from node.api.conversation import Audience
from node.api.events import PLAIN_KEYS
from node.clock import Clock
from node.rounds.asking.asked_tests import with_shown_tests
from node.rounds.asking.errors import AskError, NoDiskError, StoppingError, TooBusyError, TooManyFollowedError
from node.rounds.asking.queries import QueryBuilder, texts_of
from node.rounds.following.hub import REQUESTER, RoundEvents, Subscription, TooManySubscribersError
from node.rounds.inbound import AskRequest, CancelRequest, InboundRouter
from node.rounds.queue import QueuedAsk, QueueFullError, RoundQueue
from node.signals import Signal
from protocol.errors import Fault, FaultReason
from protocol.messages import Query
from protocol.signing import body_id
from protocol.types import Digest, TurnRole

CANCEL_S: Final = 2.0
"""Longest wait in seconds for the driver to take a cancellation: it writes to disk first, and it may have ended before
the request whose client goes."""

STOPPING: Final = "this node is being stopped; ask another, or again when it is back"

RECENT_MAX = 16
"""Rounds of users whose audience is remembered: gold, at its default share, asks one question beside ten."""


@dataclass(frozen=True, slots=True)
class RoundHandle:
    """A round of ours and its events."""

    query_id: Digest
    query: Query
    events: Subscription
    """Events that the caller asked for; they end with the round, and always include its results."""


class RecentQuestion(NamedTuple):
    """What gold has in common with a user's question."""

    audience: Audience
    roles: tuple[TurnRole, ...]
    """Who spoke, turn by turn."""


class RoundService:
    """Turns questions into rounds, as many at once as the network allows."""

    def __init__(
        self, queries: QueryBuilder, queue: RoundQueue, inbound: InboundRouter, hub: RoundEvents, clock: Clock
    ) -> None:
        self._queries = queries
        self._inbound = inbound
        self._hub = hub
        self._clock = clock
        self.ended = Signal()
        """Counts our users' rounds that have ended or that the user has left."""
        self.recent: deque[RecentQuestion] = deque(maxlen=RECENT_MAX)
        """Our users' latest rounds: gold looks like one of these, because anything else would give it away."""
        self.followed = 0
        """Rounds that a user, or gold, follows now."""
        self._is_stopping = False
        self.queue = queue
        """Our questions that wait for a ticket, and those that have one."""

    @asynccontextmanager
    async def ask(
        self, question: Question, *, details: bool = False, counted: bool = True
    ) -> AsyncIterator[RoundHandle]:
        """Begin a round when it gets a ticket, and follow it; it goes on when the block is left.

        Args:
            question: the user's question.
            details: whether the handle's events are all that happens in the round, in both of our roles; else they
                are the asker's of PLAIN_KEYS.
            counted: whether the round counts in `ended`; gold rounds do not.

        Raises:
            AskError: the round cannot begin.
        """
        if self.queue.is_full:
            raise self._too_busy()
        # From here on the conversation is what is sent.
        question = with_shown_tests(question)
        self._queries.refuse_secrets(question)
        audience = self._queries.audience(question)
        # Whoever watches the round learns which audience it had.
        question = replace(question, audience=audience)
        await self._queries.check(question)
        # Refuse at once, not after the wait; the query that is sent gets a date and a roster of its own.
        self._build(question)
        ask = await self._take_ticket(question, gold=not counted)
        async with self._begin(ask, details) as handle:
            self.followed += 1
            try:
                yield handle
            finally:
                self.followed -= 1
                if counted:
                    self.recent.append(RecentQuestion(audience, tuple(turn.role for turn in question.turns)))
                self.ended.fire(int(counted))

    async def cancel(self, query_id: Digest) -> bool:
        """Cancel a round of ours (R16), also in a scope that is cancelled itself. False: nothing is left to cancel.

        Its members stop at once. It keeps its ticket until its budgets are over. False also if there is no driver any
        more, because the node ends.
        """
        tell, told = trio.open_memory_channel[bool](1)
        with trio.CancelScope(deadline=trio.current_time() + CANCEL_S, shield=True):
            await self._inbound.deliver(CancelRequest(query_id, tell))
            return await told.receive()
        return False

    async def _take_ticket(self, question: Question, *, gold: bool) -> QueuedAsk:
        """Wait for a ticket. Raises TooBusyError, or StoppingError if the node is stopped meanwhile."""
        try:
            ask = await self.queue.take_ticket(question, gold=gold, since_ms=self._clock.now_ms())
        except QueueFullError as error:
            raise self._too_busy() from error
        if ask is None:
            raise StoppingError(STOPPING)
        return ask

    def _too_busy(self) -> TooBusyError:
        waiting = len(self.queue.waiting)
        return TooBusyError(f"{waiting} queries wait already; try again later", self.queue.retry_after_s, waiting)

    def stop(self) -> None:
        """Begin no further round, and refuse the queries that wait for one."""
        self._is_stopping = True
        self.queue.close()

    async def wait_unfollowed(self) -> None:
        """Wait until nobody follows a round: its last event has been sent, or its user has gone."""
        await self.ended.wait_until(lambda: not self.followed)

    def _build(self, question: Question) -> Query:
        if self._is_stopping:
            raise StoppingError(STOPPING)
        return self._queries.build(question)

    @asynccontextmanager
    async def _begin(self, ask: QueuedAsk, details: bool) -> AsyncIterator[RoundHandle]:
        """Hand our ticket to the driver, which releases it when the round is over, and follow the round."""
        begun, began = trio.open_memory_channel[Digest | Fault](1)
        handed_over = False
        try:
            query = self._build(ask.question)
            id = body_id(self._queries.params.digest, query)
            with self._follow(id, details) as events:
                await self._inbound.deliver(AskRequest(query, texts_of(ask.question), begun, ask))
                handed_over = True
                answer = await began.receive()
                if isinstance(answer, Fault) and answer.reason is FaultReason.NOT_JOURNALLED:
                    raise NoDiskError(f"this node takes no new work: {answer.detail}")
                if isinstance(answer, Fault):
                    raise AskError(f"the network's parameters do not allow this query: {answer}")
                ask.query_id = answer
                yield RoundHandle(answer, query, events)
        finally:
            if not handed_over:
                ask.release()

    @contextmanager
    def _follow(self, id: Digest, details: bool) -> Iterator[Subscription]:
        try:
            with self._hub.subscribe(id) if details else self._hub.subscribe(id, PLAIN_KEYS, REQUESTER) as events:
                yield events
        except TooManySubscribersError as error:
            raise TooManyFollowedError(str(error), self.queue.retry_after_s) from error
