"""Newcomers whose engines are known by what they are able to do, and items of which the truth is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from consensus.learning.experience import Experience
from consensus.learning.roster import Trust
from node.clock import Clock
from node.config import ChallengeTable
from node.gold.challenges import AnswerItem, ChallengeItem, ItemKind, ItemVerdict, JudgeItem, score_judgement
from node.gold.ports import Visibility
from node.overlay.types import PeerUnreachable
from node.rounds.inbound import CHALLENGE
from node.rounds.learning.gold_book import GoldBook
from node.rounds.learning.reputation import Reputation
from node.rounds.newcomers.challenger import Challenger
from protocol import codec
from protocol.errors import Fault
from protocol.messages import Offer
from protocol.streams import Challenge, ChallengeReply
from protocol.types import ABSTAIN, ONE, Key, Role
from tests.support.updates import key

BOTH = Role.ANSWER | Role.JUDGE
OFTEN = ChallengeTable(newcomers=16, items_per_hour=120, items_per_day=100_000)
"""As many items at once as a record takes."""

VISIBILITIES = (Visibility.EASY, Visibility.MEDIUM, Visibility.HARD)
SHARES = (0.5, 0.3, 0.2)
"""How often the wrong program of a judge item is how hard to tell."""


class KnownItems:
    """Items without any machine: an answer is right if it is the right text."""

    is_ready = True

    def __init__(self, random: Random) -> None:
        self._random = random
        self.made: dict[str, ChallengeItem] = {}
        """By prompt."""

    async def make(self, kind: ItemKind) -> ChallengeItem | None:
        number = len(self.made)
        prompt, right, wrong = f"Task {number}.", f"right {number}", f"wrong {number}"
        item: ChallengeItem = AnswerItem(prompt, "tests", right)
        if kind is ItemKind.JUDGE:
            (visibility,) = self._random.choices(VISIBILITIES, SHARES)
            is_first = self._random.random() < 0.5
            first, second = (right, wrong) if is_first else (wrong, right)
            item = JudgeItem(prompt, first, second, is_first, visibility)
        self.made[prompt] = item
        return item

    async def score(self, item: ChallengeItem, text: str | None, preference: int | None) -> ItemVerdict:
        if isinstance(item, JudgeItem):
            return score_judgement(item, preference)
        return ItemVerdict.PASSED if text == item.right else ItemVerdict.FAILED


Engine = Callable[[ChallengeItem], ChallengeReply]
"""What a newcomer replies to an item, whose truth it may use as far as it is able to see it."""


def reply(text: str = "", preference: int = ABSTAIN, refusal: str = "") -> ChallengeReply:
    return ChallengeReply(refusal=refusal, text=text, preference=preference)


def able(random: Random, answers: float, judgements: Mapping[Visibility, float]) -> Engine:
    """An engine that passes this share of answer items, and of judge items."""

    def engine(item: ChallengeItem) -> ChallengeReply:
        if isinstance(item, AnswerItem):
            return reply(item.right if random.random() < answers else "wrong")
        sees = random.random() < judgements[item.visibility]
        return reply(preference=ONE if sees == item.first_is_right else 0)

    return engine


def guessing(random: Random, answers: float = 0.0) -> Engine:
    """An engine that judges by a coin; its answers are right by chance as often."""
    return able(random, answers, dict.fromkeys(Visibility, 0.5))


def perfect(item: ChallengeItem) -> ChallengeReply:
    """What the truth itself replies."""
    if isinstance(item, AnswerItem):
        return reply(item.right)
    return reply(preference=ONE if item.first_is_right else 0)


@dataclass
class Peers:
    """Stands for the nodes at the other ends of the streams."""

    items: KnownItems
    engines: Mapping[Key, Engine]
    roles: Role = BOTH
    raw: dict[Key, bytes | None] = field(default_factory=dict)
    """Bytes that a peer replies instead; None: silence."""
    asked: list[tuple[Key, Challenge]] = field(default_factory=list)

    def offering(self) -> Sequence[Offer]:
        return [offer(author, self.roles) for author in self.engines]

    async def request(self, peer: bytes, protocol: str, payload: bytes, *, timeout_ms: int) -> bytes:
        assert protocol == CHALLENGE and timeout_ms > 0
        challenge = codec.decode(Challenge, payload)
        assert not isinstance(challenge, Fault)
        self.asked.append((Key(peer), challenge))
        if Key(peer) in self.raw:
            raw = self.raw[Key(peer)]
            if raw is None:
                raise PeerUnreachable("no response")
            return raw
        return codec.encode(self.engines[Key(peer)](self.items.made[challenge.turns[-1].text]))


def offer(author: Key, roles: Role = BOTH) -> Offer:
    return Offer(
        author=author,
        sequence=1,
        sent_at_ms=1,
        roles=roles,
        specialties=("rust",),
        model="",
        context_tokens=4096,
        milli_tokens_per_second=1,
        queue=0,
        tool_versions="",
        addresses=(),
    )


class Nowhere:
    """A store that keeps nothing, for thousands of records."""

    async def put_learned(self, *_: Any) -> None:
        """Do nothing."""


@dataclass
class World:
    """A challenger, and the newcomers that it challenges."""

    challenger: Challenger
    reputation: Reputation
    peers: Peers


def world(
    engines: Sequence[Engine],
    seed: int,
    *,
    roles: Role = BOTH,
    table: ChallengeTable = OFTEN,
    trust: Trust | None = None,
    reputation: Reputation | None = None,
    clock: Clock | None = None,
) -> World:
    """Newcomers with these engines; their keys are `key("0")` and so on."""
    items = KnownItems(Random(seed))
    peers = Peers(items, {key(str(number)): engine for number, engine in enumerate(engines)}, roles)
    known = reputation or Reputation(Experience(), GoldBook(), trust or Trust(0, {}), cast("Any", Nowhere()), "rust")
    challenger = Challenger(peers.offering, peers, items, known, table, Random(seed), clock or Clock())
    return World(challenger, known, peers)
