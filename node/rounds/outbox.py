"""Outbound gossip: messages that rounds wait for, in order, and beside them evidence that this node found."""

from collections import deque
from typing import TYPE_CHECKING

import trio

from consensus.rounds.buckets import Bucket, Rate
from node.signals import Signal
from protocol.types import Digest

if TYPE_CHECKING:
    from node.overlay.host import Overlay

OUTBOX_MAX = 1024
"""Gossip messages that may wait to be sent; when it is full, the loop waits."""

EVIDENCE_RATE = Rate(0.5, 32.0)
"""Rate at which evidence that this node found is published: half of the useless messages that others accept from us
(AUTHOR_USELESS), since a node that found the same has no use for ours. Without it a few strangers who signed everything
twice filled the outbox for half a minute, and made honest nodes ban each other."""

EVIDENCE_MAX = 64
"""Pieces of evidence that may wait for that rate. The rest is not published: others find the same evidence, or learn of
it from the closing that lists it."""


class Outbox:
    """Publishes in the background.

    Evidence goes out one piece of each round in turn, so that a stranger's round in which everybody signs twice does
    not delay the evidence of others.
    """

    def __init__(self, overlay: "Overlay") -> None:
        self._overlay = overlay
        self._send, self._to_publish = trio.open_memory_channel[tuple[str, bytes]](OUTBOX_MAX)
        self._evidence: dict[Digest, deque[tuple[str, bytes]]] = {}
        """Evidence by round, in order of turn; no empty queues, EVIDENCE_MAX pieces in all."""
        self._waiting = trio.Semaphore(0)
        self._unpublished = 0
        """Messages that were queued and not yet published, evidence aside."""
        self._published = Signal()

    async def send(self, topic: str, envelope: bytes) -> None:
        """Queue a message, waiting for room."""
        self._unpublished += 1
        await self._send.send((topic, envelope))

    async def flush(self) -> None:
        """Wait until nothing but evidence waits."""
        await self._published.wait_until(lambda: not self._unpublished)

    def accuse(self, query: Digest, topic: str, envelope: bytes) -> None:
        """Queue evidence about a round; if there is no room, drop the newest piece of the round that has most."""
        self._evidence.setdefault(query, deque()).append((topic, envelope))
        if sum(map(len, self._evidence.values())) > EVIDENCE_MAX:
            most = max(self._evidence, key=lambda each: len(self._evidence[each]))
            self._evidence[most].pop()
            if not self._evidence[most]:
                del self._evidence[most]
        else:
            self._waiting.release()

    async def run(self) -> None:
        """Publish until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._publish_evidence)
            async for topic, envelope in self._to_publish:
                await self._overlay.publish(topic, envelope)
                self._unpublished -= 1
                self._published.fire()

    async def _publish_evidence(self) -> None:
        budget = Bucket(EVIDENCE_RATE)
        while True:
            await self._waiting.acquire()
            await trio.sleep(budget.spend(1, trio.current_time()))
            query = next(iter(self._evidence))
            pieces = self._evidence.pop(query)
            topic, envelope = pieces.popleft()
            if pieces:
                self._evidence[query] = pieces
            await self._overlay.publish(topic, envelope)
