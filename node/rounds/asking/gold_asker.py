"""Gold rounds: questions with known answers, asked as any other, so that members cannot recognise them."""

import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import structlog
import trio

from node.api.asking import Question
from node.api.conversation import Turn
from node.api.events import Ended
from node.rounds.asking.errors import AskError, TooBusyError
from node.rounds.asking.service import RecentQuestion, RoundHandle
from node.rounds.learning.reputation import Reputation
from node.signals import Signal
from protocol.types import Digest, Outcome, TurnRole

DELAY_MS_MAX = 60_000
"""Greatest delay (ms) of gold after a user's round: if it followed at once, its time would give it away."""

PENDING_MAX = 64
"""Gold rounds that may be pending at once; beyond that, users' rounds are counted and gold follows later."""

log = structlog.get_logger()


class Asking(Protocol):
    """Port: asks the swarm. The node's RoundService implements it."""

    ended: Signal
    """Fires when one of our users' rounds has ended or the user has left it."""

    @property
    def recent(self) -> Sequence[RecentQuestion]:
        """Our users' latest rounds."""
        ...

    def ask(self, question: Question, *, counted: bool = True) -> AbstractAsyncContextManager[RoundHandle]:
        """Begin a round and follow it; `counted`: whether it counts in `ended`. Raises AskError."""
        ...


class NoGoldError(AskError):
    """This node has no gold questions to ask."""


@dataclass(frozen=True, slots=True)
class GoldResult:
    """Result of one gold round."""

    query_id: Digest
    outcome: Outcome | None
    """Outcome of the round; None if it ended without one."""
    correct: bool | None
    """Whether the swarm's answer was right; None if the round was not certified."""


class GoldAsker:
    """Asks gold questions, on request and after a share of users' rounds."""

    def __init__(self, service: Asking, reputation: Reputation, share: float) -> None:
        self._service = service
        self._reputation = reputation
        self._share = share
        self._random = random.SystemRandom()

    async def run(self) -> None:
        """Ask gold after a share of our users' rounds, until cancelled."""
        if not self._reputation.gold.questions:
            return
        pending = trio.Semaphore(PENDING_MAX)
        seen = self._service.ended.count
        async with trio.open_nursery() as nursery:
            while True:
                await self._service.ended.wait(seen)
                seen += 1
                if self._random.random() < self._share:
                    await pending.acquire()
                    nursery.start_soon(self._ask_later, pending)

    async def _ask_later(self, pending: trio.Semaphore) -> None:
        """Ask one gold question after a random delay up to DELAY_MS_MAX; retry while users' questions leave no room."""
        while True:
            await trio.sleep(self._random.uniform(0, DELAY_MS_MAX / 1000))
            try:
                await self.ask_gold()
            except TooBusyError:
                continue
            except AskError as error:
                log.info("gold.skipped", reason=str(error))
            pending.release()
            return

    async def ask_gold(self) -> GoldResult:
        """Ask one gold question and learn from the round. Raises AskError."""
        book, recent = self._reputation.gold, self._service.recent
        if not book.questions:
            raise NoGoldError("no gold: name a file of questions and right answers in [gold] file")
        # What no user's question has would give it away: gold is as often a follow-up, and for the same audience.
        audience, roles = self._random.choice(recent) if recent else (None, (TurnRole.USER,))
        gold = book.choose(roles, self._random, can_test=self._reputation.can_test)
        if gold is None:
            raise NoGoldError("all gold has tests, which need rustc and a safe sandbox here: see strand doctor")
        question = Question(tuple(Turn(turn.role, turn.text) for turn in gold.turns), gold.task, audience=audience)
        outcome = None
        async with self._service.ask(question, counted=False) as begun:
            async for event in begun.events:
                if isinstance(event, Ended):
                    outcome = event.outcome
        await self._reputation.settled()
        known = next((each for each in self._reputation.experience.gold if each.query == begun.query_id), None)
        return GoldResult(begun.query_id, outcome, None if known is None else known.correct)
