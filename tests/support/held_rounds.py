"""Rounds in memory that begin, tell and end when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import trio

from node.api.asking import Question
from node.api.events import BaseEvent
from node.api.queue import QueueReport
from node.rounds.asking.errors import AskError
from node.rounds.asking.service import RoundHandle
from node.rounds.following.hub import ROLES, Subscription
from protocol.types import Digest
from tests.support.shown import QUERY, QUEUE
from tests.support.swarm import Swarm


@dataclass
class HeldRounds:
    """One round: it begins when `turn` is set, and tells what `tell` is given."""

    turn: trio.Event = field(default_factory=trio.Event)
    refusal: AskError | None = None
    """Why the round does not begin when it is its turn."""
    asked: list[Question] = field(default_factory=list)
    cancelled: list[Digest] = field(default_factory=list)
    events: Subscription = field(default_factory=lambda: Subscription(None, ROLES))
    told: int = 0

    def tell(self, *events: BaseEvent) -> None:
        """Tell these events."""
        for each in events:
            self.told += 1
            self.events.put(msgspec.structs.replace(each, seq=self.told))

    @asynccontextmanager
    async def ask(
        self,
        question: Question,
        *,
        details: bool = False,  # noqa: ARG002 - the protocol's
    ) -> AsyncIterator[RoundHandle]:
        self.asked.append(question)
        await self.turn.wait()
        if self.refusal is not None:
            raise self.refusal
        yield RoundHandle(QUERY, Swarm("abc").query(), self.events)

    async def cancel(self, query_id: Digest) -> bool:
        self.cancelled.append(query_id)
        return True

    def queue(self) -> QueueReport:
        return QUEUE

    async def certificate(self, query_id: Digest) -> bytes | None:  # noqa: ARG002 - the protocol's
        return None
