"""Challenges newcomers over direct streams (rule R20), and remembers what they show.

A newcomer offers work and is a stranger to this node. A few of them get the same fresh item at the same time, so that
none can learn from another's reply, and none waits for the next one longer than others. Which ones is drawn by address
group, because keys are free. Their replies are scored in this node's own sandbox; a sequential test says when a record
is enough (`node.gold.newcomer`).

What this does not prevent: a newcomer may recognise a challenge and try harder than it does in rounds, relay it to a
better node, or do well until it has weight. So the weight is small and fades (`consensus.learning.challenge_weight`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Final, Protocol

import structlog
import trio

from consensus.learning.challenge_weight import ChallengeRecord, challenge_weights
from consensus.rounds.admission import KEYS_MAX
from consensus.rounds.buckets import Bucket, Buckets, Rate
from node.clock import Clock
from node.config import ChallengeTable
from node.gold.challenges import AnswerItem, ChallengeItem, ItemKind, ItemVerdict
from node.gold.newcomer import NewcomerStatus, next_kind, status_of, with_item
from node.overlay.types import PeerUnreachable, RequestRefused
from node.rounds.inbound import CHALLENGE
from node.rounds.learning.reputation import Reputation
from node.storage import StoreBlockedError
from node.work.challenge_server import BUDGET_MS_MAX
from protocol import codec
from protocol.conversation import single
from protocol.errors import Fault
from protocol.limits import CHALLENGE_REPLY_BYTES_MAX
from protocol.messages import Offer
from protocol.streams import Challenge, ChallengeReply
from protocol.types import ABSTAIN, Key, Role, TaskType

RETRY_MS: Final = 7 * 24 * 3_600_000
"""Milliseconds from the end of a node's record to its next one: its owner may have given it a better model. With every
record a guessing engine gets another chance of 1 in 100,000."""

PAUSE_MS: Final = 24 * 3_600_000
"""Milliseconds from the end of a record by refusals to the node's next one, which begins anew: it may have been busy,
or strangers may have used up what it has for them."""

REFUSALS_MAX: Final = 8
"""Void items after which a refusal ends the record. A busy node is not to blame, so a refusal never counts as a
failure, but one that has read an item could refuse whatever it would fail."""

REFUSED: Final = "refused"
"""Our word for a refusal of the stream, which has none."""

ANSWER_TOKENS: Final = 512
"""Tokens of an answer at least: the longest right program of the corpus takes some 400."""

GRACE_MS: Final = 5_000
"""Milliseconds for a reply's way beyond the budget."""

HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0

log = structlog.get_logger()


class Streams(Protocol):
    """Port: sends requests. The overlay implements it."""

    async def request(self, peer: bytes, protocol: str, payload: bytes, *, timeout_ms: int) -> bytes:
        """Return the response to one request. Raises PeerUnreachable."""
        ...


class Items(Protocol):
    """Port: makes and scores items. `node.gold.item_maker.ItemMaker` implements it."""

    @property
    def is_ready(self) -> bool:
        """Whether items can be made and scored now."""
        ...

    async def make(self, kind: ItemKind) -> ChallengeItem | None:
        """Make a fresh item; None if that failed this time."""
        ...

    async def score(self, item: ChallengeItem, text: str | None, preference: int | None) -> ItemVerdict:
        """Score a reply by its text or its preference, whichever the item asks for; None: there was none."""
        ...


class Challenger:
    """Challenges the strangers among the nodes that offer work."""

    def __init__(
        self,
        offering: Callable[[], Sequence[Offer]],
        streams: Streams,
        items: Items,
        reputation: Reputation,
        table: ChallengeTable,
        random: Random,
        clock: Clock,
    ) -> None:
        """Build a challenger.

        Args:
            offering: connected nodes that offer work of our specialty now, in an order drawn by lot.
            streams: sends requests.
            items: makes and scores items.
            reputation: knows who is a stranger, and keeps the records.
            table: intervals and quotas.
            random: must be unpredictable to peers.
            clock: dates records.
        """
        self._offering = offering
        self._streams = streams
        self._items = items
        self._reputation = reputation
        self._table = table
        self._random = random
        self._clock = clock
        self._each = Buckets[Key](Rate(table.items_per_hour / HOUR_S, table.items_per_hour), KEYS_MAX)
        self._all = Bucket(Rate(table.items_per_day / DAY_S, table.items_per_day))

    async def run(self) -> None:
        """Challenge newcomers at random intervals until cancelled."""
        while True:
            await trio.sleep(self._table.interval_s * self._random.uniform(0.5, 1.5))
            await self.challenge()

    async def challenge(self) -> int:
        """Give one item to newcomers, if there are any, and learn from their replies. Returns to how many."""
        if not self._items.is_ready:
            return 0
        kind, batch = self._batch()
        item = await self._items.make(kind) if batch else None
        if item is None:
            return 0
        now_s = self._clock.now_ms() / 1000
        for offer in batch:
            self._each.take(offer.author, 1, now_s)
            self._all.take(1, now_s)
        replies: dict[Key, ChallengeReply | None] = {}
        async with trio.open_nursery() as nursery:
            for offer in batch:
                nursery.start_soon(self._ask, offer.author, item, replies)
        for key, reply in replies.items():
            await self._learn(key, item, reply)
        return len(batch)

    # -- whom to challenge -------------------------------------------------------------------------------------------

    def _batch(self) -> tuple[ItemKind, list[Offer]]:
        """Return what to ask, and whom: those who are due for it, records that have begun first."""
        now_ms = self._clock.now_ms()
        room = min(self._table.newcomers, int(self._all.level(now_ms / 1000)))
        due = [offer for offer in self._offering() if self._is_due(offer.author, now_ms)]
        due.sort(key=lambda offer: not self.record(offer.author, now_ms).items)
        wanting: dict[ItemKind, list[Offer]] = {kind: [] for kind in ItemKind}
        for offer in due[:room]:
            roles = Role(offer.roles)
            record = self.record(offer.author, now_ms)
            kind = next_kind(record, answers=bool(roles & Role.ANSWER), judges=bool(roles & Role.JUDGE))
            wanting[kind].append(offer)
        # A lot in proportion to their number: who wants a rare kind must not wait until nobody wants the other.
        kind = (
            self._random.choices(list(wanting), [len(each) for each in wanting.values()])[0]
            if due[:room]
            else ItemKind.ANSWER
        )
        return kind, wanting[kind]

    def _is_due(self, key: Key, now_ms: int) -> bool:
        """Whether a node may be challenged now.

        Only weights in force say who is a stranger. Gold that is not in force yet must not end challenges, because that
        would show which question was gold.
        """
        if self._reputation.trust(TaskType.CODE).knows(key) or self._each.level(key, now_ms / 1000) < 1:
            return False
        record = self._reputation.challenges.records.get(key)
        if record is not None and not record.is_open and not self._may_repeat(record, now_ms):
            return False
        return status_of(self.record(key, now_ms)) is NewcomerStatus.OPEN

    def record(self, key: Key, now_ms: int) -> ChallengeRecord:
        """Return a node's record; an empty one if it has none, or one that is over and may be repeated."""
        record = self._reputation.challenges.records.get(key)
        return ChallengeRecord() if record is None or self._may_repeat(record, now_ms) else record

    def _may_repeat(self, record: ChallengeRecord, now_ms: int) -> bool:
        if record.is_open:
            return False
        # Its items would leave a record open that was closed by refusals.
        was_paused = status_of(record) is NewcomerStatus.OPEN
        if now_ms - record.closed_ms < (PAUSE_MS if was_paused else RETRY_MS):
            return False
        return challenge_weights(record, self._reputation.experience.rounds) is None

    # -- what comes of it --------------------------------------------------------------------------------------------

    async def _ask(self, key: Key, item: ChallengeItem, replies: dict[Key, ChallengeReply | None]) -> None:
        """Give an item to one node. Its reply is None if there was none in time that can be read."""
        replies[key] = None
        payload = codec.encode(_challenge(item))
        try:
            raw = await self._streams.request(key, CHALLENGE, payload, timeout_ms=BUDGET_MS_MAX + GRACE_MS)
        except RequestRefused:
            replies[key] = ChallengeReply(refusal=REFUSED, text="", preference=ABSTAIN)
            return
        except PeerUnreachable:
            return
        reply = codec.decode(ChallengeReply, raw, bytes_max=CHALLENGE_REPLY_BYTES_MAX)
        replies[key] = None if isinstance(reply, Fault) else reply

    async def _learn(self, key: Key, item: ChallengeItem, reply: ChallengeReply | None) -> None:
        now_ms = self._clock.now_ms()
        record = self.record(key, now_ms)
        if reply is not None and reply.refusal:
            # It has too much to do: it is not asked again before its next item is due.
            self._each.take(key, self._each.level(key, now_ms / 1000), now_ms / 1000)
            verdict = ItemVerdict.VOID
        else:
            text, preference = (None, None) if reply is None else (reply.text, reply.preference)
            verdict = await self._items.score(item, text, preference)
        record = with_item(record, item, verdict)
        kind = ItemKind.ANSWER if isinstance(item, AnswerItem) else ItemKind.JUDGE
        log.info("newcomer.challenged", peer=key.hex()[:16], item=str(kind), verdict=str(verdict), items=record.items)
        if reply is not None and reply.refusal and record.void >= REFUSALS_MAX:
            record = replace(record, closed_ms=max(1, now_ms))
            log.info("newcomer.paused", peer=key.hex()[:16], items=record.items)
        status = status_of(record)
        if status is not NewcomerStatus.OPEN:
            earned_at = self._reputation.experience.rounds if status is NewcomerStatus.EARNED else None
            record = replace(record, closed_ms=max(1, now_ms), earned_at=earned_at)
        try:
            await self._reputation.challenged(key, record)
        except StoreBlockedError as error:
            log.warning("newcomer.not_kept", peer=key.hex()[:16], reason=str(error))
        if status is not NewcomerStatus.OPEN:
            # After it has taken effect: whoever follows the log finds the weight.
            log.info("newcomer.decided", peer=key.hex()[:16], outcome=str(status), items=record.items)


def _challenge(item: ChallengeItem) -> Challenge:
    """Return an item as it is sent: nothing in it says what is right."""
    answers = () if isinstance(item, AnswerItem) else (item.first, item.second)
    return Challenge(
        turns=single(item.prompt),
        task=TaskType.CODE,
        answers=answers,
        max_tokens=ANSWER_TOKENS,
        budget_ms=BUDGET_MS_MAX,
    )
