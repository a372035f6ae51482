"""From a user's question to a signed query, and the rounds that come of it."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from consensus.learning.roster import Draw, Trust, choose_roster
from consensus.learning.waves import wave_plan
from consensus.rounds.participant import Participant
from node.api.asking import Question
from node.clock import Clock
from node.config import NodeConfig
from node.overlay import Overlay
from node.rounds.inbound import WATCHED_MAX, AskRequest, InboundRouter, Watched
from node.rounds.reputation import Reputation
from node.signals import Signal
from protocol.errors import Fault, FaultReason
from protocol.hashing import content_digest
from protocol.messages import Query
from protocol.types import ONE, Digest, Key


class AskError(Exception):
    """The swarm cannot be asked this; the message is one line for the user."""


class NoQuorumError(AskError):
    """No node offers to work on such a query now."""


class NoDiskError(AskError):
    """The node's disk takes nothing: it could not keep what it would sign."""


class TooBusyError(AskError):
    """As many of our users wait for a round as the configuration allows."""


@dataclass(frozen=True, slots=True)
class RoundHandle:
    """A round of ours, and what happens in it."""

    query_id: Digest
    query: Query
    events: trio.MemoryReceiveChannel[Watched]


class RoundService:
    """Turns questions into rounds."""

    def __init__(
        self,
        participant: Participant,
        overlay: Overlay,
        inbound: InboundRouter,
        reputation: Reputation,
        config: NodeConfig,
        clock: Clock,
    ) -> None:
        self._participant = participant
        self._overlay = overlay
        self._inbound = inbound
        self._config = config
        self._clock = clock
        self._reputation = reputation
        self.ended = Signal()
        """Rounds of our users that they followed to the end, or left."""
        # More than members let one key have open would end without their answers.
        self._turns = trio.Semaphore(participant.params.open_rounds_per_key_max)

    @asynccontextmanager
    async def ask(self, question: Question, *, counted: bool = True) -> AsyncIterator[RoundHandle]:
        """Begin a round, when it is its turn, and follow it; it goes on when the block is left. Raises AskError.

        `ended` counts it unless it is our own, for gold.
        """
        waiting = self._turns.statistics().tasks_waiting
        if self._turns.value == 0 and waiting >= self._config.capacity.waiting_queries_max:
            raise TooBusyError(f"{waiting} queries wait already; try again later")
        # Refused at once, not after the wait; what is asked then has a date and a roster of its own.
        self.query(question)
        await self._turns.acquire()
        watch, events = trio.open_memory_channel[Watched](WATCHED_MAX)
        begun, began = trio.open_memory_channel[Digest | Fault](1)
        handed_over = False
        try:
            query = self.query(question)
            await self._inbound.deliver(AskRequest(query, question.content, watch, begun, self._turns))
            handed_over = True
        finally:
            if not handed_over:
                self._turns.release()
        # From here on the driver releases the turn.
        answer = await began.receive()
        if isinstance(answer, Fault) and answer.reason is FaultReason.NOT_JOURNALLED:
            raise NoDiskError(f"this node takes no new work: {answer.detail}")
        if isinstance(answer, Fault):
            raise AskError(f"the network's parameters do not allow this query: {answer}")
        try:
            async with events:
                yield RoundHandle(answer, query, events)
        finally:
            if counted:
                self.ended.fire()

    def query(self, question: Question) -> Query:
        """The query that our configuration makes of a question. Raises AskError."""
        params, config = self._participant.params, self._config
        size = len(question.content.encode())
        if not question.content.strip():
            raise AskError("the query is empty")
        if size > params.query_bytes_max:
            raise AskError(f"the query has {size} bytes; this network takes {params.query_bytes_max}")
        now_ms = self._clock.now_ms()
        offers = self._participant.validator.offers.valid(now_ms)
        trust = self._reputation.trust(question.task)
        draw = self._draw([offer.author for offer in offers], now_ms)
        roster = choose_roster(offers, config.node.specialty, trust, params.members_max, draw)
        if not roster:
            raise NoQuorumError(
                f"no node offers {config.node.specialty!r} now, nor does this one: see `strand status`, `strand peers`"
            )
        pairs = question.pairs_per_judge or config.round.pairs_per_judge
        insight, plan = self._reputation.insight(question.task), wave_plan(question.task, pairs, params.waves_max)
        confidence_min = config.round.confidence_min if question.confidence_min is None else question.confidence_min
        return Query(
            author=self._participant.keypair.public,
            specialty=config.node.specialty,
            shard=config.node.shard,
            task=question.task,
            content="" if question.private else question.content,
            content_digest=content_digest(question.content),
            max_tokens=min(question.max_tokens or config.round.max_tokens, params.answer_tokens_max),
            answer_ms=min(question.answer_ms or config.round.answer_ms, params.phase_ms_max),
            open_ms=min(config.round.open_ms, params.phase_ms_max),
            judge_ms=min(question.judge_ms or config.round.judge_ms, params.phase_ms_max),
            cosign_ms=min(config.round.cosign_ms, params.phase_ms_max),
            patience_ms=min(
                config.round.patience_ms if question.patience_ms is None else question.patience_ms,
                params.patience_ms_max,
            ),
            waves=tuple(min(wave, params.pairs_per_wave_max) for wave in plan),
            threshold=round(config.round.threshold * ONE),
            calibration_intercept=insight.calibration[0],
            calibration_slope=insight.calibration[1],
            confidence_min=round(confidence_min * ONE),
            beta=round(insight.model.beta * ONE),
            tau_u=round(insight.model.tau_u * ONE),
            tau_v=round(insight.model.tau_v * ONE),
            sent_at_ms=now_ms,
            nonce=secrets.token_bytes(32),
            roster=roster,
        )

    def _draw(self, offering: Sequence[Key], now_ms: int) -> Draw:
        """What a roster is drawn from, beside offers and trust."""
        participant = self._participant
        seatable = participant.presence.seatable(offering, now_ms, participant.params.offer_valid_ms)
        groups = {Key(peer.key): peer.group for peer in self._overlay.peers()}
        return Draw(participant.keypair.public, secrets.token_bytes(32), seatable, groups)


def trust(config: NodeConfig) -> Trust:
    """The `[trust]` table as the roster reads it."""
    weights = {Key(bytes.fromhex(key)): round(weight * ONE) for key, weight in config.trust.trusted.items()}
    return Trust(round(config.trust.default_weight * ONE), weights, friends=config.trust.friends)
