"""The one hub through which askers, HTTP and the log follow rounds. Publishing never waits for them."""

import secrets
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal, Self

import msgspec
import trio

from node.api.events import BaseEvent
from node.rounds.following.ring import EventRing
from node.signals import Signal
from protocol.types import Digest

EVENTS_MAX: Final = 256
"""Events that may wait for one subscriber, some KB each: twice what a round of 64 members in four waves publishes
within a few seconds. Beyond that, the oldest is lost."""

SUBSCRIBERS_MAX: Final = 512
"""Subscribers at once: as many as the HTTP interface has connections at most (`node.http.edge`)."""

LIFE_BYTES: Final = 8
"""Bytes of the mark of a node's life: two lives do not share one by chance."""

SEQ_DIGITS_MAX: Final = 16
"""Digits of an event's number: more than a node ever publishes."""

RoundRole = Literal["requester", "member"]
"""Role of this node in a round: requester, member, or both if it works on its own query."""

REQUESTER: Final[frozenset[RoundRole]] = frozenset({"requester"})
ROLES: Final[frozenset[RoundRole]] = frozenset({"requester", "member"})

Kind = type[BaseEvent]


class TooManySubscribersError(Exception):
    """SUBSCRIBERS_MAX subscribers follow rounds already."""


class Subscription:
    """One subscriber's events, in the order of their numbers: iterate, or receive them one by one.

    A slow subscriber loses the oldest events that are not `kept`, and kept ones only if no others wait. The next event
    that it gets counts those `missed`. So a subscriber to one round gets all of the round's results, however slow it
    is.
    """

    def __init__(self, kinds: Collection[Kind] | None, roles: Collection[RoundRole]) -> None:
        """Build a subscription.

        `kinds`: kinds of events, None for all; `roles`: the node's roles in which they occur.
        """
        self._kinds = None if kinds is None else frozenset(kinds)
        self._roles = frozenset(roles)
        self._kept: deque[BaseEvent] = deque()
        self._others: deque[BaseEvent] = deque()
        self._missed = 0
        self._is_over = False
        self._changed = Signal()

    def wants(self, role: RoundRole, kind: Kind) -> bool:
        """Whether this subscriber gets events of this kind and role."""
        return role in self._roles and (self._kinds is None or kind in self._kinds)

    def put(self, event: BaseEvent) -> None:
        """Queue an event; called by the hub."""
        if len(self._kept) + len(self._others) >= EVENTS_MAX:
            (self._others or self._kept).popleft()
            self._missed += 1
        (self._kept if event.kept else self._others).append(event)
        self._changed.fire()

    def end(self) -> None:
        """End the subscription after the events that wait; called by the hub."""
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
        """Wait for the next event and return it. Raises trio.EndOfChannel if none will come."""
        await self._changed.wait_until(lambda: bool(self._kept or self._others) or self._is_over)
        return self.receive_nowait()

    async def receive_waiting(self) -> list[BaseEvent]:
        """Wait for an event and return it with those that wait behind it; nothing if none will come.

        Who sends them on sends one piece: each costs the node time for which a round's members wait.
        """
        events: list[BaseEvent] = []
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            events.append(await self.receive())
            while True:
                events.append(self.receive_nowait())
        return events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BaseEvent:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


@dataclass(frozen=True, slots=True)
class Resumed:
    """A stream of events that goes on after an earlier one."""

    earlier: Sequence[BaseEvent]
    """Events since then."""
    missed: int | None
    """How many are lost, at least; None: they are of another life of the node, so that nobody knows."""
    floor: int
    """Number up to which events may be lost."""
    live: Subscription
    """Events from now on."""


class UnknownRoundError(Exception):
    """No such round is open, nor has any event that could be resumed with."""


class RoundEvents:
    """Numbers the events of rounds, and publishes them to all subscribers."""

    def __init__(self) -> None:
        self.life = secrets.token_hex(LIFE_BYTES)
        """Marks this life of the node: numbers of events begin anew with each start."""
        self._ring = EventRing()
        self._open: set[Digest] = set()
        self._subscriptions: dict[Digest | None, list[Subscription]] = {}
        """Subscriptions by the round that they follow; None: all rounds. No empty lists."""
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

        A subscription to one round ends with it: if the query is this node's own, with the requester's part.
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

    def id_of(self, seq: int) -> str:
        """Return the name of an event by which a stream is resumed after it."""
        return f"{self.life}-{seq}"

    @contextmanager
    def resume(self, last_id: str = "", query: Digest | None = None) -> Iterator[Resumed]:
        """Follow all events of one round or all (None) after the event with this id; empty: from now on.

        While anybody does, and for a while after (EventRing), all events are kept. Raises UnknownRoundError,
        TooManySubscribersError.
        """
        if query is not None and query not in self._open and not self._of_round(self._since(last_id)[0], query):
            raise UnknownRoundError
        if not self._ring.is_on:
            # A gap: nobody knows what was not even built until now.
            self._seq += 1
        with self._ring.held(self._seq), self.subscribe(query) as live:
            earlier, missed = self._since(last_id)
            if query is not None:
                earlier = self._of_round(earlier, query)
                if query not in self._open:
                    live.end()
            yield Resumed(earlier, missed, self._ring.floor, live)

    @staticmethod
    def _of_round(found: Sequence[BaseEvent], query: Digest) -> Sequence[BaseEvent]:
        name = query.hex()
        return [each for each in found if each.query_id == name]

    def _since(self, last_id: str) -> tuple[Sequence[BaseEvent], int | None]:
        """Return the events after the one with this id, and how many of them are lost."""
        if not last_id or not self._ring.is_on:
            return (), 0
        life, _, number = last_id.partition("-")
        seq = int(number) if number.isascii() and number.isdecimal() and len(number) <= SEQ_DIGITS_MAX else -1
        if life != self.life or not 0 <= seq <= self._seq:
            return self._ring.after(0), None
        return self._ring.after(seq), max(0, self._ring.floor - seq)

    def begin(self, query: Digest) -> None:
        """Note that a round is open."""
        self._open.add(query)

    def wants(self, query: Digest, role: RoundRole, *kinds: Kind) -> bool:
        """Whether a subscriber gets one of these kinds in this round."""
        if self._ring.is_on:
            return True
        for each in self._listeners(query):
            for kind in kinds:
                if each.wants(role, kind):
                    return True
        return False

    def publish(self, query: Digest, role: RoundRole, kind: Kind, build: Callable[[int], BaseEvent]) -> None:
        """Publish an event of this kind.

        `build` makes it with its number, and is called only if a subscriber gets it, or could resume with it.
        """
        is_kept = self._ring.is_on
        if not self._count and not is_kept:
            return
        listeners = [each for each in self._listeners(query) if each.wants(role, kind)]
        if not listeners and not is_kept:
            return
        self._seq += 1
        event = build(self._seq)
        if is_kept:
            self._ring.put(event)
        for each in listeners:
            each.put(event)

    def end(self, query: Digest) -> None:
        """End the subscriptions to a round that is over."""
        self._open.discard(query)
        for each in self._subscriptions.get(query, ()):
            each.end()

    def _listeners(self, query: Digest) -> Sequence[Subscription]:
        of_round, of_all = self._subscriptions.get(query, ()), self._subscriptions.get(None, ())
        return (*of_round, *of_all) if of_round and of_all else of_round or of_all
