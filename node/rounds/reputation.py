"""What this node learns of others from the rounds that it asks for, taken in as they are certified, kept in the store.

The work on one round takes up to a second, in a thread; what is known changes only in the loop, where it is read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec
import structlog
import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.learning.experience import GOLD_KEPT, STANDINGS_MAX, Experience, GoldRound, QueryPriors, lesson_of
from consensus.learning.reputation import NodeStats
from consensus.learning.roster import Trust
from node.rounds.gold import GoldBook
from node.storage import Learned, Store
from protocol.types import Key, TaskType

WAITING_MAX = 16
"""certificates waiting to be learned from, up to 8 MiB each: more than a node's own open rounds; what comes beyond is
not learned."""

log = structlog.get_logger()

STANDING, IMPORTED, GOLD, INSIGHT = "standing", "hearsay", "gold", "insight"
"""Parts of what is learned, as the store names them. Hearsay are standings of others' that were taken over."""


class StoredPriors(msgspec.Struct, frozen=True):
    """The weights in force, as stored."""

    rounds: int
    insights: dict[TaskType, QueryPriors]


@dataclass(frozen=True, slots=True)
class _Round:
    certificate: bytes
    done: trio.Event


class Reputation:
    """The node's experience of its specialty."""

    def __init__(self, experience: Experience, gold: GoldBook, trust: Trust, store: Store, specialty: str) -> None:
        self.experience = experience
        self.gold = gold
        self._trust = trust
        self._store = store
        self._specialty = specialty
        self._turn = trio.Lock()
        self._last = trio.Event()
        self._last.set()
        self._send, self._rounds = trio.open_memory_channel[_Round](WAITING_MAX)

    def trust(self, task: TaskType) -> Trust:
        """How rosters of this task weigh nodes: as configured, else as earned."""
        merits = self.experience.insight(task).merits
        return replace(self._trust, merits=merits)

    def insight(self, task: TaskType) -> QueryPriors:
        """What queries of this task say of votes and certainty."""
        return self.experience.insight(task)

    def finished(self, certificate: bytes) -> None:
        """A round of ours was certified: learn from it soon."""
        round_ = _Round(certificate, trio.Event())
        try:
            self._send.send_nowait(round_)
        except trio.WouldBlock:
            log.warning("learning.skipped", waiting=WAITING_MAX)
        else:
            self._last = round_.done

    async def settled(self) -> None:
        """Return when all that was finished so far is learned from."""
        await self._last.wait()

    async def run(self) -> None:
        """Learn until cancelled."""
        async for round_ in self._rounds:
            async with self._turn:
                await self._learn(round_.certificate)
            round_.done.set()

    async def _learn(self, certificate: bytes) -> None:
        verified = await trio.to_thread.run_sync(verify_certificate, certificate)
        assert isinstance(verified, VerifiedCertificate), "our own round's certificate does not verify"
        truth = self.gold.truth(verified.record)
        lesson = await trio.to_thread.run_sync(lesson_of, verified.record, verified.ranking, truth)
        self.experience.learn(lesson)
        if self.experience.is_due:
            await self._renew()
        await self._keep(lesson.conducts, [lesson.gold] if lesson.gold else [])

    async def take_over(self, standings: Iterable[tuple[Key, NodeStats]]) -> list[Key]:
        """Believe somebody else's standings of nodes that we do not know; they count at once."""
        async with self._turn:
            taken = self.experience.take_over(standings)
            if taken:
                await self._renew()
                await self._keep(taken, [], part=IMPORTED)
        return taken

    async def _renew(self) -> None:
        self.experience.renew(await trio.to_thread.run_sync(self.experience.renewed))

    async def _keep(self, keys: Iterable[Key], gold: Iterable[GoldRound], *, part: str = STANDING) -> None:
        force = StoredPriors(self.experience.rounds, dict(self.experience.insights))
        rows = [Learned(part, key, msgspec.json.encode(self.experience.standings[key])) for key in keys]
        rows += [Learned(GOLD, each.query, msgspec.json.encode(each)) for each in gold]
        rows.append(Learned(INSIGHT, b"", msgspec.json.encode(force)))
        await self._store.put_learned(self._specialty, rows)


async def open_reputation(store: Store, book: GoldBook, trust: Trust, specialty: str) -> Reputation:
    """What the store holds of this specialty."""
    parts: dict[str, dict[bytes, bytes]] = {STANDING: {}, IMPORTED: {}, GOLD: {}, INSIGHT: {}}
    for row in await store.learned(specialty):
        parts[row.part][row.name] = row.body
    met, heard = parts[STANDING], parts[IMPORTED]
    bodies = [*((key, body) for key, body in heard.items() if key not in met), *met.items()]
    standings = [(Key(key), msgspec.json.decode(body, type=NodeStats)) for key, body in bodies[-STANDINGS_MAX:]]
    gold = [msgspec.json.decode(body, type=GoldRound) for body in list(parts[GOLD].values())[-GOLD_KEPT:]]
    force = msgspec.json.decode(parts[INSIGHT][b""], type=StoredPriors) if parts[INSIGHT] else StoredPriors(0, {})
    experience = Experience(standings, gold, force.rounds, force.insights)
    return Reputation(experience, book, trust, store, specialty)
