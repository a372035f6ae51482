"""Learning about other nodes from the rounds that this node asks for, as they are certified; kept in the store.

The work on one round takes up to one second, in a thread; where tests grade gold, some seconds more, in the sandbox.
The result changes only in the loop, where it is read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import structlog
import trio

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.learning.challenge_weight import ChallengeRecord
from consensus.learning.experience import GOLD_KEPT, STANDINGS_MAX, Experience, GoldRound, QueryPriors, round_update
from consensus.learning.reputation import NodeStats
from consensus.learning.roster import Trust
from node.gold.grading import AnswerGrader
from node.rounds.learning.challenge_records import ChallengeRecords
from node.rounds.learning.gold_book import GoldBook
from node.rounds.learning.learned import (
    CHALLENGES,
    GOLD,
    IMPORTED,
    PRIORS,
    STANDING,
    StoredChallenges,
    StoredPriors,
    StoredRows,
    row_of,
    sort_rows,
    value_of,
)
from node.storage import Store
from protocol.types import Key, TaskType

WAITING_MAX = 16
"""Certificates that may wait to be learned from, up to 8 MiB each: more than a node's own open rounds. Beyond that,
they are not learned from."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Round:
    certificate: bytes
    done: trio.Event


class Reputation:
    """The node's experience of its specialty."""

    def __init__(
        self,
        experience: Experience,
        gold: GoldBook,
        trust: Trust,
        store: Store,
        specialty: str,
        left_alone: frozenset[tuple[str, bytes]] = frozenset(),
        grader: AnswerGrader | None = None,
    ) -> None:
        """Build on loaded experience.

        Args:
            experience: What was learned so far.
            gold: Questions whose answers are known.
            trust: Weights of nodes without history.
            store: Keeps what is learned.
            specialty: What it is about.
            left_alone: Parts and names of a later strand's rows, which must not be replaced.
            grader: Grades answers to gold by tests; without one, questions with tests are not gold.
        """
        self.experience = experience
        self._grader = grader
        self.challenges = ChallengeRecords()
        """Records of the nodes that were challenged."""
        self._left_alone = left_alone
        self.gold = gold
        self._trust = trust
        self._store = store
        self._specialty = specialty
        self._turn = trio.Lock()
        self._last = trio.Event()
        self._last.set()
        self._send, self._rounds = trio.open_memory_channel[_Round](WAITING_MAX)

    @property
    def can_test(self) -> bool:
        """Whether answers to gold can be graded by tests now."""
        return self._grader is not None and self._grader.is_ready

    def trust(self, task: TaskType) -> Trust:
        """Return how rosters of this task weigh nodes: as configured, else as earned, else as challenges have shown."""
        priors = self.experience.query_priors(task)
        challenged = self.challenges.weights(self.experience.rounds, self.experience.standings)
        return replace(self._trust, merits=priors.merits, refuted=priors.refuted, challenged=challenged)

    def query_priors(self, task: TaskType) -> QueryPriors:
        """Return the priors that queries of this task carry: the model's parameters and the calibration."""
        return self.experience.query_priors(task)

    def finished(self, certificate: bytes) -> None:
        """Queue the certificate of a round of ours to be learned from."""
        round_ = _Round(certificate, trio.Event())
        try:
            self._send.send_nowait(round_)
        except trio.WouldBlock:
            log.warning("learning.skipped", waiting=WAITING_MAX)
        else:
            self._last = round_.done

    async def settled(self) -> None:
        """Wait until every certificate queued so far is learned from."""
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
        truth = await self.gold.truth(verified.record, self._grader)
        update = await trio.to_thread.run_sync(round_update, verified.record, verified.ranking, truth)
        self.experience.learn(update)
        if self.experience.is_due:
            await self._renew()
        await self._keep(update.observations, [update.gold] if update.gold else [])

    async def take_over(self, standings: Iterable[tuple[Key, NodeStats]]) -> list[Key]:
        """Import another node's statistics of nodes that we have none of; they count at once."""
        async with self._turn:
            taken = self.experience.take_over(standings)
            if taken:
                await self._renew()
                await self._keep(taken, [], part=IMPORTED)
        return taken

    async def challenged(self, key: Key, record: ChallengeRecord) -> None:
        """Remember what a node has shown in challenges. Raises StoreBlockedError; it counts even so until a restart."""
        self.challenges.put(key, record)
        if (CHALLENGES, b"") not in self._left_alone:
            stored = StoredChallenges(tuple(self.challenges.records.items()))
            await self._store.put_learned(self._specialty, [row_of(CHALLENGES, b"", stored)])

    async def _renew(self) -> None:
        self.experience.renew(await trio.to_thread.run_sync(self.experience.renewed))

    async def _keep(self, keys: Iterable[Key], gold: Iterable[GoldRound], *, part: str = STANDING) -> None:
        force = StoredPriors(self.experience.rounds, dict(self.experience.priors))
        rows = [row_of(part, key, self.experience.standings[key]) for key in keys]
        rows += [row_of(GOLD, each.query, each) for each in gold]
        rows.append(row_of(PRIORS, b"", force))
        ours = [row for row in rows if (row.part, row.name) not in self._left_alone]
        await self._store.put_learned(self._specialty, ours)


async def open_reputation(
    store: Store, book: GoldBook, trust: Trust, specialty: str, grader: AnswerGrader | None = None
) -> Reputation:
    """Load what the store holds of this specialty."""
    stored = sort_rows(await store.learned(specialty))
    experience = _experience(stored)
    reputation = Reputation(experience, book, trust, store, specialty, stored.left_alone, grader)
    if (row := stored.known[CHALLENGES].get(b"")) is not None:
        for key, record in value_of(row).records:
            reputation.challenges.put(key, record)
    return reputation


def _experience(stored: StoredRows) -> Experience:
    met, heard = stored.known[STANDING], stored.known[IMPORTED]
    rows = [*(row for name, row in heard.items() if name not in met), *met.values()]
    standings = [(Key(row.name), value_of(row)) for row in rows[-STANDINGS_MAX:]]
    gold = [value_of(row) for row in list(stored.known[GOLD].values())[-GOLD_KEPT:]]
    priors = stored.known[PRIORS].get(b"")
    force = StoredPriors(0, {}) if priors is None else value_of(priors)
    return Experience(standings, gold, force.rounds, force.insights)
