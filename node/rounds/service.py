"""From a user's question to a signed query and its round."""

import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

import trio
from msgspec.structs import replace

from consensus.learning.query import Budgets, QuerySubject, build_query
from consensus.learning.roster import Draw, Trust, choose_roster
from consensus.learning.waves import wave_plan
from consensus.rounds.participant import Participant
from node.api.asking import Audience, Question
from node.api.events import PLAIN_KEYS
from node.clock import Clock
from node.config import NodeConfig
from node.errors import Exit, UserError
from node.overlay import Overlay
from node.rounds.hub import REQUESTER, RoundEvents, Subscription, TooManySubscribersError
from node.rounds.inbound import AskRequest, CancelRequest, InboundRouter
from node.rounds.queue import QueuedAsk, QueueFullError, RoundQueue
from node.rounds.readers import NOBODY_NAMED, allowed_offers, lacks_named, secret_line
from node.rounds.reputation import Reputation
from node.signals import Signal
from protocol.conversation import bytes_of
from protocol.errors import Fault, FaultReason
from protocol.limits import TURNS_MAX
from protocol.messages import Query, Seat, Turn
from protocol.signing import body_id
from protocol.types import ONE, Digest, Key, TurnRole

CANCEL_S: Final = 2.0
"""Longest wait in seconds for the driver to take a cancellation: it writes to disk first, and it may have ended before
the request whose client goes."""

STOPPING: Final = "this node is being stopped; ask another, or again when it is back"

RECENT_MAX = 16
"""Rounds of users whose audience is remembered: gold, at its default share, asks one question beside ten."""


class AskError(UserError):
    """The swarm cannot be asked this; the message is one line for the user."""


class TooLongError(AskError):
    """The text is longer than the network takes."""


class NoQuorumError(AskError):
    """No node offers to work on such a query now."""

    code = Exit.NO_QUORUM


class SecretTextError(AskError):
    """The question looks like it holds a secret, and nobody forced it."""


class NoDiskError(AskError):
    """The node's disk refuses writes: the node could not keep what it would sign."""


class TooBusyError(AskError):
    """As many of our users wait for a round as the configuration allows."""

    def __init__(self, message: str, retry_after_s: int = 1, waiting: int = 0) -> None:
        """Build the error. `retry_after_s`: when there may be room again; `waiting`: questions that wait."""
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.waiting = waiting


class StoppingError(NoQuorumError):
    """The node is being stopped, and begins no round."""


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
    """Turns questions into rounds."""

    def __init__(
        self,
        participant: Participant,
        overlay: Overlay,
        inbound: InboundRouter,
        hub: RoundEvents,
        reputation: Reputation,
        config: NodeConfig,
        clock: Clock,
    ) -> None:
        self._participant = participant
        self._overlay = overlay
        self._inbound = inbound
        self._hub = hub
        self._config = config
        self._clock = clock
        self._reputation = reputation
        self.ended = Signal()
        """Counts our users' rounds that have ended or that the user has left."""
        self.recent: deque[RecentQuestion] = deque(maxlen=RECENT_MAX)
        """Our users' latest rounds: gold looks like one of these, because anything else would give it away."""
        self.followed = 0
        """Rounds that a user, or gold, follows now."""
        self._is_stopping = False
        # Members refuse more open rounds of one key, so these would end without answers.
        self.queue = RoundQueue(participant.params.open_rounds_per_key_max, config.capacity.waiting_queries_max)
        """Our questions that wait for a turn, and those that have one."""

    @property
    def waiting(self) -> int:
        """Queries of our users that wait for a turn."""
        return len(self.queue.waiting)

    @asynccontextmanager
    async def ask(
        self, question: Question, *, details: bool = False, counted: bool = True
    ) -> AsyncIterator[RoundHandle]:
        """Begin a round in its turn and follow it; it goes on when the block is left.

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
        if not (question.allow_secrets or self._config.round.allow_secrets) and (why := secret_line(question.turns)):
            raise SecretTextError(why)
        audience = question.audience or self._config.round.audience
        # Whoever watches the round learns which audience it had.
        question = replace(question, audience=audience)
        # Refuse at once, not after the wait; the query that is sent gets a date and a roster of its own.
        self.query(question)
        turn = await self._take_turn(question, gold=not counted)
        async with self._begin(turn, details) as handle:
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

        Its members stop at once. It keeps one of our turns until its budgets are over. False also if there is no driver
        any more, because the node ends.
        """
        tell, told = trio.open_memory_channel[bool](1)
        with trio.CancelScope(deadline=trio.current_time() + CANCEL_S, shield=True):
            await self._inbound.deliver(CancelRequest(query_id, tell))
            return await told.receive()
        return False

    async def _take_turn(self, question: Question, *, gold: bool) -> QueuedAsk:
        """Wait for a turn. Raises TooBusyError, or StoppingError if the node is stopped meanwhile."""
        try:
            turn = await self.queue.take_turn(question, gold=gold, since_ms=self._clock.now_ms())
        except QueueFullError as error:
            raise self._too_busy() from error
        if turn is None:
            raise StoppingError(STOPPING)
        return turn

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

    def _refuse_when_stopping(self) -> None:
        if self._is_stopping:
            raise StoppingError(STOPPING)

    @asynccontextmanager
    async def _begin(self, turn: QueuedAsk, details: bool) -> AsyncIterator[RoundHandle]:
        """Hand our turn to the driver, which releases it when the round is over, and follow the round."""
        question = turn.question
        begun, began = trio.open_memory_channel[Digest | Fault](1)
        handed_over = False
        try:
            query = self.query(question)
            id = body_id(self._participant.params.digest, query)
            with self._follow(id, details) as events:
                await self._inbound.deliver(AskRequest(query, turns_of(question), begun, turn, question, turn.gold))
                handed_over = True
                answer = await began.receive()
                if isinstance(answer, Fault) and answer.reason is FaultReason.NOT_JOURNALLED:
                    raise NoDiskError(f"this node takes no new work: {answer.detail}")
                if isinstance(answer, Fault):
                    raise AskError(f"the network's parameters do not allow this query: {answer}")
                turn.query_id = answer.hex()
                yield RoundHandle(answer, query, events)
        finally:
            if not handed_over:
                turn.release()

    @contextmanager
    def _follow(self, id: Digest, details: bool) -> Iterator[Subscription]:
        try:
            with self._hub.subscribe(id) if details else self._hub.subscribe(id, PLAIN_KEYS, REQUESTER) as events:
                yield events
        except TooManySubscribersError as error:
            raise TooBusyError(str(error), self.queue.retry_after_s) from error

    def query(self, question: Question) -> Query:
        """Build the query of a question under our configuration. Raises AskError."""
        self._refuse_when_stopping()
        params, config = self._participant.params, self._config
        turns = turns_of(question)
        if (size := bytes_of(turns)) > params.query_bytes_max:
            raise TooLongError(f"the query has {size} bytes; this network takes {params.query_bytes_max}")
        now_ms = self._clock.now_ms()
        audience = question.audience or config.round.audience
        roster = self._roster(question, audience, now_ms)
        subject = QuerySubject(
            author=self._participant.keypair.public,
            specialty=config.node.specialty,
            shard=config.node.shard,
            task=question.task,
            turns=turns,
            private=audience is not Audience.PUBLIC,
        )
        priors, budgets = self._reputation.query_priors(question.task), self._budgets(question).within(params)
        return build_query(subject, budgets, priors, roster, now_ms, secrets.token_bytes(32))

    def _roster(self, question: Question, audience: Audience, now_ms: int) -> tuple[Seat, ...]:
        """Choose the members among the nodes that may read the question. Raises NoQuorumError."""
        own, specialty = self._participant.keypair.public, self._config.node.specialty
        trust = self._reputation.trust(question.task)
        offers = self._participant.validator.offers.valid(now_ms)
        allowed = allowed_offers(offers, audience, trust, own)
        if lacks_named(offers, allowed, specialty, own):
            raise NoQuorumError(NOBODY_NAMED.format(specialty=specialty))
        draw = self._draw([offer.author for offer in allowed], now_ms)
        roster = choose_roster(allowed, specialty, trust, self._participant.params.members_max, draw)
        if not roster:
            raise NoQuorumError(
                f"no node offers {specialty!r} now, nor does this one: see `strand status`, `strand peers`"
            )
        return roster

    def _budgets(self, question: Question) -> Budgets:
        """Return the question's settings; where it has none, those of our configuration."""
        table, waves_max = self._config.round, self._participant.params.waves_max
        confidence_min, patience_ms = question.confidence_min, question.patience_ms
        return Budgets(
            max_tokens=question.max_tokens or table.max_tokens,
            answer_ms=question.answer_ms or table.answer_ms,
            open_ms=table.open_ms,
            judge_ms=question.judge_ms or table.judge_ms,
            cosign_ms=table.cosign_ms,
            patience_ms=table.patience_ms if patience_ms is None else patience_ms,
            waves=wave_plan(question.task, question.pairs_per_judge or table.pairs_per_judge, waves_max),
            threshold=table.threshold,
            confidence_min=table.confidence_min if confidence_min is None else confidence_min,
        )

    def _draw(self, offering: Sequence[Key], now_ms: int) -> Draw:
        """Return the inputs of a roster's draw apart from offers and trust."""
        participant = self._participant
        seatable = participant.presence.seatable(offering, now_ms, participant.params.offer_valid_ms)
        groups = {Key(peer.key): peer.group for peer in self._overlay.peers()}
        return Draw(participant.keypair.public, secrets.token_bytes(32), seatable, groups)


def turns_of(question: Question) -> tuple[Turn, ...]:
    """Return the conversation of a question as it is sent. Raises AskError if a query may not hold it (P7)."""
    if not question.turns:
        raise AskError("the query is empty")
    if len(question.turns) > TURNS_MAX:
        raise AskError(f"the conversation has {len(question.turns)} turns; a query takes {TURNS_MAX}")
    for number, turn in enumerate(question.turns, start=1):
        if not turn.text.strip():
            raise AskError("the query is empty" if len(question.turns) == 1 else f"turn {number} is empty")
    if (last := question.turns[-1].role) is not TurnRole.USER:
        raise AskError(f"the last turn must be the user's, which asks; here it is the {last}'s")
    return tuple(Turn(role=turn.role, text=turn.text) for turn in question.turns)


def trust(config: NodeConfig) -> Trust:
    """Return the `[trust]` table in the form that the roster takes."""
    weights = {Key(bytes.fromhex(key)): round(weight * ONE) for key, weight in config.trust.trusted.items()}
    return Trust(round(config.trust.default_weight * ONE), weights, friends=config.trust.friends)
