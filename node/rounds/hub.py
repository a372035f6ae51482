"""The one place through which everybody follows rounds: askers, HTTP, the log. Publishing never waits for them."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal, Self

import msgspec
import trio

from node.api.events import BaseEvent
from node.signals import Signal
from protocol.types import Digest

EVENTS_MAX: Final = 256
"""events that wait for one subscriber: twice what a round of 64 members in four waves publishes within a few seconds,
some KB each. Beyond, the oldest is lost."""

SUBSCRIBERS_MAX: Final = 512
"""subscribers at once: as many as the HTTP interface has connections at most (`node.http.edge`)."""

RoundRole = Literal["requester", "member"]
"""As whom this node takes part in a round: it asked the query, or works on it; both, where it works on its own."""

REQUESTER: Final[frozenset[RoundRole]] = frozenset({"requester"})
ROLES: Final[frozenset[RoundRole]] = frozenset({"requester", "member"})

Kind = type[BaseEvent]


class TooManySubscribersError(Exception):
    """SUBSCRIBERS_MAX follow rounds already."""


class Subscription:
    """One subscriber's events, in the order of their numbers: iterate, or receive one by one.

    A slow subscriber loses the oldest events of those that are not `kept`, and the kept ones only where nothing else
    waits. The next event that it gets says how many it has `missed`. So a subscriber to one round has all of the
    round's results, however slow it is.
    """

    def __init__(self, kinds: Collection[Kind] | None, roles: Collection[RoundRole]) -> None:
        """`kinds`, `roles`: what the subscriber wants, and as whom the node sees it; None: every kind."""
        self._kinds = None if kinds is None else frozenset(kinds)
        self._roles = frozenset(roles)
        self._kept: deque[BaseEvent] = deque()
        self._others: deque[BaseEvent] = deque()
        self._missed = 0
        self._is_over = False
        self._changed = Signal()

    def wants(self, role: RoundRole, kind: Kind) -> bool:
        """Whether events of this kind, seen in this role, are for this subscriber."""
        return role in self._roles and (self._kinds is None or kind in self._kinds)

    def put(self, event: BaseEvent) -> None:
        """Queue an event; for the hub."""
        if len(self._kept) + len(self._others) >= EVENTS_MAX:
            (self._others or self._kept).popleft()
            self._missed += 1
        (self._kept if event.kept else self._others).append(event)
        self._changed.fire()

    def end(self) -> None:
        """Let the subscriber read what waits, and no more; for the hub."""
        self._is_over = True
        self._changed.fire()

    def receive_nowait(self) -> BaseEvent:
        """Return the next event. Raises trio.WouldBlock if none waits, trio.EndOfChannel if none will come."""
        queues = [queue for queue in (self._kept, self._others) if queue]
        if not queues:
            raise trio.EndOfChannel if self._is_over else trio.WouldBlock
        event = min(queues, key=lambda queue: queue[0].seq).popleft()
        if self._missed:
            event, self._missed = msgspec.structs.replace(event, missed=self._missed), 0
        return event

    async def receive(self) -> BaseEvent:
        """Return the next event, as soon as there is one. Raises trio.EndOfChannel if none will come."""
        await self._changed.wait_until(lambda: bool(self._kept or self._others) or self._is_over)
        return self.receive_nowait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BaseEvent:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


class RoundEvents:
    """Publishes what happens in rounds to whoever has subscribed, and numbers it."""

    def __init__(self) -> None:
        self._subscriptions: dict[Digest | None, list[Subscription]] = {}
        """By the round that they follow; None: all rounds. No empty lists."""
        self._count = 0
        self._seq = 0

    @contextmanager
    def subscribe(
        self,
        query: Digest | None = None,
        kinds: Collection[Kind] | None = None,
        roles: Collection[RoundRole] = ROLES,
    ) -> Iterator[Subscription]:
        """Follow one round, or all (None), from now on until the block is left. Raises TooManySubscribersError.

        What follows one round ends with it: with the requester's part, where the query is this node's own.
        """
        if self._count >= SUBSCRIBERS_MAX:
            raise TooManySubscribersError(f"{self._count} follow rounds already; try again later")
        subscription = Subscription(kinds, roles)
        self._subscriptions.setdefault(query, []).append(subscription)
        self._count += 1
        try:
            yield subscription
        finally:
            self._count -= 1
            self._subscriptions[query].remove(subscription)
            if not self._subscriptions[query]:
                del self._subscriptions[query]

    def wants(self, query: Digest, role: RoundRole, *kinds: Kind) -> bool:
        """Whether anybody listens to one of these kinds in this round."""
        return any(each.wants(role, kind) for each in self._listeners(query) for kind in kinds)

    def publish(self, query: Digest, role: RoundRole, kind: Kind, build: Callable[[int], BaseEvent]) -> None:
        """Publish an event of this kind. `build` makes it with its number, and is called only if somebody listens."""
        listeners = [each for each in self._listeners(query) if each.wants(role, kind)]
        if not listeners:
            return
        self._seq += 1
        event = build(self._seq)
        for each in listeners:
            each.put(event)

    def end(self, query: Digest) -> None:
        """Note that a round is over: nothing more of it will be published."""
        for each in self._subscriptions.get(query, ()):
            each.end()

    def _listeners(self, query: Digest) -> Sequence[Subscription]:
        of_round, of_all = self._subscriptions.get(query, ()), self._subscriptions.get(None, ())
        return (*of_round, *of_all)
