"""Gold among normal work: questions whose answers we know, asked as any other, so that members cannot tell."""

import random
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import structlog
import trio

from consensus.rounds import effects as fx
from node.api.asking import Question
from node.rounds.reputation import Reputation
from node.rounds.service import AskError, RoundHandle
from protocol.types import Digest, Outcome

DELAY_MS_MAX = 60_000
"""ms within which gold follows a user's round: at once it would be known by its time."""

log = structlog.get_logger()


class Asking(Protocol):
    """Whatever asks the swarm: the node's RoundService."""

    ended: trio.Event
    """Set when a round that somebody followed is over; replaced each time."""

    def ask(self, question: Question) -> AbstractAsyncContextManager[RoundHandle]:
        """Begin a round and follow it. Raises AskError."""
        ...


class NoGoldError(AskError):
    """There is nothing to ask."""


@dataclass(frozen=True, slots=True)
class Challenged:
    """One gold round."""

    query_id: Digest
    outcome: Outcome | None
    """None if the round ended without one."""
    correct: bool | None
    """Whether the swarm's answer was right; None if the round was not certified."""


class Challenger:
    """Asks gold questions, when told to and now and then."""

    def __init__(self, asker: Asking, reputation: Reputation, share: float) -> None:
        self._asker = asker
        self._reputation = reputation
        self._share = share
        self._random = random.SystemRandom()

    async def run(self) -> None:
        """After a share of our users' rounds, until cancelled."""
        if not self._reputation.gold.questions:
            return
        while True:
            await self._asker.ended.wait()
            if self._random.random() >= self._share:
                continue
            await trio.sleep(self._random.uniform(0, DELAY_MS_MAX / 1000))
            try:
                await self.challenge()
            except AskError as error:
                log.info("gold not asked", why=str(error))

    async def challenge(self) -> Challenged:
        """Ask one gold question and learn from the round. Raises AskError."""
        questions = self._reputation.gold.questions
        if not questions:
            raise NoGoldError("no gold: name a file of questions and right answers in [gold] file")
        gold = self._random.choice(questions)
        outcome = None
        async with self._asker.ask(Question(gold.query, gold.task)) as begun:
            async for watched in begun.events:
                if isinstance(watched.effect, fx.RoundEnded):
                    outcome = watched.effect.outcome
        await self._reputation.settled()
        known = next((each for each in self._reputation.experience.gold if each.query == begun.query_id), None)
        return Challenged(begun.query_id, outcome, None if known is None else known.correct)
