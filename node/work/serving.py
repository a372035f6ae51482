"""The requesters that this node works for, and limits on their cost: `[serve]`, pauses, hours, quotas, turns."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import structlog
import trio

from consensus.rounds.admission import Admission, QueryBudget, Refusal, Shares, WorkingPlace
from node.clock import Clock
from node.config import NodeConfig
from node.inference.metered import Account
from node.inference.ports import BYTES_PER_TOKEN
from node.rounds.learning.reputation import Reputation
from node.sandbox.ports import Urgency
from node.signals import Signal
from node.storage import ServedHour, Store
from node.work.ledger import HOUR_MS, HOURS_KEPT, OTHERS, Ledger, Row, Spent
from protocol.conversation import bytes_of
from protocol.limits import DURATION_MS_MAX, TIME_MS_MAX
from protocol.messages import Query, Turn
from protocol.streams import Challenge
from protocol.types import ONE, Digest, Key, TaskType

ROUNDS_MAX = 256
"""Rounds whose requesters are remembered, to charge work to them: as many as the validator admits messages for
(consensus.rounds.validation.ROUNDS_MAX)."""

FLUSH_S = 10.0
"""Seconds of the ledger that a kill -9 may lose: hardly noticeable in a minute's quota."""

_REASONS = (
    Refusal.BUSY,
    Refusal.PAUSED,
    Refusal.NOT_SERVED,
    Refusal.OVER_QUOTA,
    Refusal.OVER_BUDGET,
    Refusal.OFF_HOURS,
    Refusal.STOPPING,
)
"""Reasons given here; the others come from the validator and the requester."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StrangersAllowance:
    """Remaining allowance of strangers in the sliding hour and day; None: no limit."""

    rounds_hour: int | None
    rounds_day: int | None
    tokens_hour: int | None
    tokens_day: int | None
    engine_ms_hour: int


class Serving(Admission):
    """The owner's rules on the requesters that the node serves, and the account of their costs.

    Strangers' limits hold for all strangers together: a limit for each key would be useless, because keys are free.
    """

    def __init__(
        self, own: Key, config: NodeConfig, reputation: Reputation, store: Store, clock: Clock, ledger: Ledger
    ) -> None:
        self._own = own
        self._serve = config.serve
        self._whom = config.serves
        self._shares = Shares(config.capacity.open_rounds_max)
        self._named = frozenset(Key(bytes.fromhex(key)) for key in config.serve.keys)
        self._denied = frozenset(Key(bytes.fromhex(key)) for key in config.serve.deny)
        self._weights = {Key(bytes.fromhex(key)): weight for key, weight in config.trust.trusted.items()}
        self._friends = config.trust.friends and config.trust.default_weight > 0
        self._reputation = reputation
        self._store = store
        self._clock = clock
        self.ledger = ledger
        self.paused_until_ms = 0
        """End of the owner's pause; TIME_MS_MAX: until it is resumed."""
        self.is_stopping = False
        """Whether the node takes no new rounds until the end of its process."""
        self.turned = Signal()
        """Fires after the owner has paused, resumed or stopped the node."""
        self.refused: dict[Refusal, int] = dict.fromkeys(_REASONS, 0)
        """Refused queries that named us in their roster, since the node's start."""
        self.ignored = 0
        """Queries that were not looked at, because more came than the query budgets allow."""
        self._requesters: OrderedDict[Digest, Key] = OrderedDict()
        self._budget = QueryBudget(self.knows)
        self._turns = _Turns(config.serve.stranger_share)

    # -- known and strangers ----------------------------------------------------------------------------------------

    def knows(self, key: Key) -> bool:
        """Whether the key is no stranger: named here, weighted under [trust], a friend, or of enough reputation."""
        if key in self._denied:
            return False
        if key == self._own or key in self._named:
            return True
        if (weight := self._weights.get(key)) is not None:
            return weight > 0
        return self._friends or self._earned(key)

    def _earned(self, key: Key) -> bool:
        least = round(self._serve.reputation_min * ONE)
        merits = (self._reputation.query_priors(task).merits.get(key) for task in TaskType)
        return any(seat_weights is not None and seat_weights.vote >= least for seat_weights in merits)

    def _is_stranger(self, key: Key) -> bool:
        return key == OTHERS or not self.knows(key)

    # -- Admission -------------------------------------------------------------------------------------------------

    def refusal(self, id: Digest, query: Query, places: Sequence[WorkingPlace], now_ms: int) -> Refusal | None:
        """Return why the node does not work on a query, and log it; None if it does."""
        refusal = self._refusal(query, places, now_ms)
        if refusal is not None:
            self.refused[refusal] += 1
            log.info("query.refused", reason=str(refusal), query_id=id.hex()[:16], requester=query.author.hex()[:16])
        return refusal

    def _refusal(self, query: Query, places: Sequence[WorkingPlace], now_ms: int) -> Refusal | None:
        key = query.author
        if (closed := self.closed(now_ms)) is not None:
            return closed
        if key in self._denied or not self._serves(key):
            return Refusal.NOT_SERVED
        if not self._shares.is_free(key, places, self.knows):
            return Refusal.BUSY
        return None if self.knows(key) else self._over(_tokens(query.max_tokens, query.turns), now_ms)

    def challenge_refusal(self, requester: Key, challenge: Challenge, now_ms: int) -> Refusal | None:
        """Return why the node does not work on a challenge (R20); None if it does. Working places are not counted."""
        if (closed := self.closed(now_ms)) is not None:
            return closed
        if requester in self._denied or not self._serves(requester):
            return Refusal.NOT_SERVED
        if self.knows(requester):
            return None
        answers = sum(len(text.encode()) for text in challenge.answers)
        return self._over(_tokens(challenge.max_tokens, challenge.turns) + answers // BYTES_PER_TOKEN, now_ms)

    def _serves(self, key: Key) -> bool:
        match self._whom:
            case "everyone":
                return True
            case "reputation":
                return self.knows(key)
            case "named":
                return key in self._named

    def _over(self, tokens: int, now_ms: int) -> Refusal | None:
        """Return the strangers' limit that leaves no room for a round of this cost, if there is one."""
        left = self.left(now_ms)
        costs = ((left.rounds_hour, 1), (left.rounds_day, 1), (left.tokens_hour, tokens), (left.tokens_day, tokens))
        if any(room is not None and room < cost for room, cost in costs):
            return Refusal.OVER_QUOTA
        return Refusal.OVER_BUDGET if left.engine_ms_hour <= 0 else None

    def phase_ms_max(self, id: Digest, requester: Key) -> int:
        """Return the configured limit for strangers; known requesters have none below the protocol's."""
        return DURATION_MS_MAX if self.knows(requester) else self._serve.stranger_phase_ms

    def joined(self, id: Digest, query: Query, now_ms: int, *, again: bool) -> None:
        """Remember the requester of a round, and charge for it unless it began before a restart."""
        if query.author != self._own:  # whoever is not remembered is the owner
            self._remember(id, query.author)
        if not again:
            self.ledger.add(query.author, Spent(rounds=1), now_ms)

    @contextmanager
    def challenged(self, id: Digest, requester: Key, now_ms: int) -> Iterator[None]:
        """Charge for a challenge, which counts as a round, and for the work that the block does under this id."""
        self._remember(id, requester)
        self.ledger.add(requester, Spent(rounds=1), now_ms)
        try:
            yield
        finally:
            self._requesters.pop(id, None)  # else challenges would push out the rounds that are still charged

    def _remember(self, id: Digest, requester: Key) -> None:
        self._requesters[id] = requester
        if len(self._requesters) > ROUNDS_MAX:
            self._requesters.popitem(last=False)

    def admits_query(self, requester: Key, size_bytes: int, now_ms: int) -> bool:
        """Whether to check a query at all: before its signature, its bounds, its disk."""
        if self._budget.admits(requester, size_bytes, now_ms):
            return True
        self.ignored += 1
        log.info("query.refused", reason="too_fast", requester=requester.hex()[:16])
        return False

    # -- limits ----------------------------------------------------------------------------------------------------

    def closed(self, now_ms: int) -> Refusal | None:
        """Return why the node takes nobody's work now; None if it does."""
        if self.is_stopping:
            return Refusal.STOPPING
        if now_ms < self.paused_until_ms:
            return Refusal.PAUSED
        at = datetime.fromtimestamp(now_ms / 1000)
        return None if self._serve.is_open(60 * at.hour + at.minute) else Refusal.OFF_HOURS

    def is_open(self) -> bool:
        """Return whether the node works for others now."""
        return self.closed(self._clock.now_ms()) is None

    def left(self, now_ms: int) -> StrangersAllowance:
        """Return the remaining allowance of strangers."""
        serve = self._serve
        hour = self.ledger.lately(1, now_ms, self._is_stranger)
        day = self.ledger.lately(24, now_ms, self._is_stranger)
        return StrangersAllowance(
            rounds_hour=_room(serve.rounds_per_hour, hour.rounds),
            rounds_day=_room(serve.rounds_per_day, day.rounds),
            tokens_hour=_room(serve.tokens_per_hour, hour.tokens),
            tokens_day=_room(serve.tokens_per_day, day.tokens),
            engine_ms_hour=round(serve.stranger_share * HOUR_MS) - hour.engine_ms,
        )

    def spent(self, hours: int, now_ms: int) -> dict[str, Spent]:
        """Return the costs of ourselves, known requesters and strangers in the last `hours`."""
        return {
            "own": self.ledger.lately(hours, now_ms, lambda key: key == self._own),
            "known": self.ledger.lately(hours, now_ms, lambda key: key != self._own and not self._is_stranger(key)),
            "strangers": self.ledger.lately(hours, now_ms, self._is_stranger),
        }

    # -- the owner's pause -------------------------------------------------------------------------------------------

    async def pause(self, for_ms: int | None) -> None:
        """Take no new rounds for this long, or until `resume`; begun work is finished. Survives a restart."""
        until_ms = TIME_MS_MAX if for_ms is None else self._clock.now_ms() + for_ms
        await self._store.put_pause(until_ms)
        self.paused_until_ms = until_ms
        self.turned.fire()
        log.info("node.paused", for_ms=for_ms)

    async def resume(self) -> None:
        """Take new rounds again."""
        await self._store.put_pause(0)
        self.paused_until_ms = 0
        self.turned.fire()
        log.info("node.resumed")

    def stop(self) -> None:
        """Take no new rounds until the end of the process."""
        self.is_stopping = True
        self.turned.fire()

    # -- the engine ------------------------------------------------------------------------------------------------

    @contextmanager
    def account(self, query: Digest) -> Iterator[Account]:
        """Yield the payer of a round's work, which counts as waiting for the engine until the block ends.

        A round that nobody has joined is our own.
        """
        requester = self._requesters.get(query, self._own)
        known = self.knows(requester)
        with self._turns.waiting(known):
            yield _Payer(self, requester, known, self._turns)

    def urgency(self, query: Digest) -> Urgency:
        """Return for whom the work of a round is; the owner's own rounds go first, strangers' last."""
        requester = self._requesters.get(query, self._own)
        if requester == self._own:
            return Urgency.OWN
        return Urgency.KNOWN if self.knows(requester) else Urgency.STRANGER

    def charge(self, requester: Key, tokens: int, engine_ms: int) -> None:
        """Record the cost of a request to the engine."""
        self.ledger.add(requester, Spent(tokens=tokens, engine_ms=engine_ms), self._clock.now_ms())

    async def run(self) -> None:
        """Store the ledger regularly until cancelled, and once more at the end."""
        try:
            while True:
                await trio.sleep(FLUSH_S)
                await self._flush()
        finally:
            with trio.CancelScope(shield=True):
                await self._flush()

    async def _flush(self) -> None:
        for hour, rows in self.ledger.take_changed():
            served = [
                ServedHour(hour, row.requester, row.spent.rounds, row.spent.tokens, row.spent.engine_ms) for row in rows
            ]
            await self._store.put_served(hour, served)


@dataclass(slots=True)
class _Turns:
    """Turns at the engine: while a known requester waits for it, strangers have their share of its slots.

    If no known one waits, strangers may use all of it, until their share of the hour is over (`Serving.left`).
    """

    share: float
    known: int = 0
    """Jobs in hand for known requesters."""
    strangers: int = 0
    """Strangers' requests that the engine works on."""
    changed: Signal = field(default_factory=Signal)
    """Fires after either number has fallen."""

    @contextmanager
    def waiting(self, known: bool) -> Iterator[None]:
        """Count a job while it is in hand."""
        self.known += known
        try:
            yield
        finally:
            self.known -= known
            self.changed.fire()

    @asynccontextmanager
    async def slot(self, known: bool, concurrency: int) -> AsyncIterator[None]:
        """Wait for a turn and hold it for one request."""
        if known:
            yield
            return
        await self.changed.wait_until(lambda: not self.known or self.strangers < int(self.share * concurrency))
        self.strangers += 1
        try:
            yield
        finally:
            self.strangers -= 1
            self.changed.fire()


@dataclass(frozen=True, slots=True)
class _Payer(Account):
    """A requester whose work is in hand."""

    serving: Serving
    requester: Key
    known: bool
    turns: _Turns

    def slot(self, concurrency: int) -> AbstractAsyncContextManager[None]:
        """Wait for the requester's turn at the engine."""
        return self.turns.slot(self.known, concurrency)

    def charge(self, tokens: int, engine_ms: int) -> None:
        """Record the cost of a request."""
        self.serving.charge(self.requester, tokens, engine_ms)


def _tokens(max_tokens: int, turns: Sequence[Turn]) -> int:
    """Return the tokens that a question takes at most."""
    return max_tokens + bytes_of(turns) // BYTES_PER_TOKEN


def _room(most: int, spent: int) -> int | None:
    """Return what is left of a limit; None without a limit (0)."""
    return max(0, most - spent) if most else None


async def open_serving(own: Key, config: NodeConfig, reputation: Reputation, store: Store, clock: Clock) -> Serving:
    """Load the account and the pause from before the restart."""
    oldest = clock.now_ms() // HOUR_MS - HOURS_KEPT
    rows = [
        Row(each.hour, Key(each.requester), Spent(each.rounds, each.tokens, each.engine_ms))
        for each in await store.served(oldest)
    ]
    serving = Serving(own, config, reputation, store, clock, Ledger(rows))
    serving.paused_until_ms = await store.pause()
    return serving
