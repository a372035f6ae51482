"""The local model's work: answers and judgements as bounded, cancellable background tasks."""

import secrets
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
import trio

from consensus.certificates.record import voids
from consensus.rounds.effects import Generate, Judge
from consensus.rounds.events import Generated, Judged, Unable, Worked
from node.clock import Clock
from node.findings.words import FACTS_BYTES_MAX, facts
from node.inference import Engine, EngineConfig, EngineError, EngineInfo, JudgingMethod, Sampling
from node.inference.metered import Charged, Metered
from node.rounds.inbound import InboundRouter, WorkDone
from node.work.capacity import Pace, QuerySize, answer_refusal, ballot_refusal, reserve_s
from node.work.fitness import Fitness
from node.work.judging import NONCE_BYTES, judge, prompt_bytes, prompt_limits, query_bytes
from node.work.node_tester import NO_TOOLS, NodeTester
from node.work.serving import Serving
from node.work.testing import RoundTester
from protocol.conversation import bytes_of, digest_of
from protocol.hashing import domain_digest
from protocol.limits import COUNT_MAX, TEXT_BYTES_MAX
from protocol.messages import AnswerContent, Turn
from protocol.types import ABSTAIN, DeclinedPhase, DeclineReason, Digest, Role

STOPPING = "the node is being stopped"
"""Why a node that is being stopped declines, for its owner; members read DeclineReason.ENGINE."""

DECLINED_MAX = 64
"""Rounds for which the reason of our decline is remembered: twice as many as are open at once."""

log = structlog.get_logger()

CANNOT_JUDGE = "in no way of asking do the letters A and B have most of the mass on a plain pair; it only answers"


@dataclass(slots=True)
class Job:
    """Work in hand, and the expected time of its end."""

    scope: trio.CancelScope
    engine: Engine
    wave: int | None
    """The wave to judge; None: an answer."""
    ends_s: float = 0.0

    @property
    def left_s(self) -> float:
        """Seconds until the expected end."""
        return max(self.ends_s - trio.current_time(), 0.0)


class EngineWorker:
    """Performs Generate and Judge. If the engine cannot, the round is informed at once and continues without us.

    A round requests one thing at a time: its next request means that the time of the one before is over.
    """

    def __init__(
        self,
        engine: Engine,
        config: EngineConfig,
        inbound: InboundRouter,
        clock: Clock,
        serving: Serving | None = None,
        node_tester: NodeTester | None = None,
    ) -> None:
        """Create a worker.

        `serving`: charges work to its requester; None: nobody pays. `node_tester`: tests answers; None: nothing does.
        """
        self.engine = Metered(engine)
        self.round_tester = RoundTester(node_tester or NodeTester(why_off=NO_TOOLS), inbound, clock, serving)
        self._serving = serving
        self._config = config
        self._inbound = inbound
        self._clock = clock
        self._jobs: dict[Digest, Job] = {}
        self._apart: dict[Digest, trio.MemorySendChannel[Worked]] = {}
        """Where results go that no round waits for; as many as `perform` has callers."""
        self._declined: OrderedDict[Digest, str] = OrderedDict()
        self.info: EngineInfo | None = None
        self._trouble = ""
        self._stopping = False
        self._mute = False
        """Whether it was logged that the engine cannot judge in any way."""
        self.fitness = Fitness()

    @property
    def roles(self) -> Role:
        """The roles that the engine can serve now."""
        return self.fitness.roles(self.info)

    @property
    def trouble(self) -> str:
        """Why the engine is unavailable, as of the last probe or of our own server's state; else empty."""
        server = self.engine.server
        return str(server) if server is not None and not server.ready else self._trouble

    @property
    def queue(self) -> int:
        """Number of jobs in hand."""
        return len(self._jobs)

    async def start(self) -> None:
        """Probe for the first time. Raises EngineError: a user's mistake is reported at once, later failures pass."""
        self.info = await self.engine.probe()

    def lose_engine(self) -> None:
        """Record that the engine has ended: its abilities are unknown until the next probe."""
        self.info = None

    async def probe(self) -> EngineInfo | None:
        """Probe the engine; None if it fails: logged, unless it is our own server, which reports by itself."""
        if (server := self.engine.server) is not None and not server.ready:
            self.info = None
            return None
        if retrial := self.fitness.retrial_is_due:
            self.engine.doubt()
        try:
            self.info, self._trouble = await self.engine.probe(), ""
        except EngineError as error:
            if self._trouble != str(error):
                # Offers probe every few seconds: one line for each reason.
                log.warning("engine.unreachable", reason=str(error))
            self.info, self._trouble = None, str(error)
            return None
        if retrial:
            self.fitness.restore()
        was_mute, self._mute = self._mute, self.info.judging is JudgingMethod.NONE
        if self._mute and not was_mute:
            log.warning("engine.judging_unavailable", model=self.info.model, reason=CANNOT_JUDGE)
        return self.info

    async def generate(self, work: Generate) -> None:
        """Answer a query, if the engine can in time."""
        if self._stopping:
            await self._decline(work.query, None, DeclineReason.ENGINE, STOPPING)
            return
        with self._job(work.query, None, work.deadline_ms) as job:
            info = self.info or await self.probe()
            if info is None:
                await self._decline(work.query, None, DeclineReason.ENGINE, self.trouble)
            else:
                await self._generate(work, info, job)

    async def judge(self, work: Judge) -> None:
        """Compare the pairs of a wave, if the engine can in time; unfinished pairs are abstentions."""
        if self._stopping:
            await self._decline(work.query, work.wave, DeclineReason.ENGINE, STOPPING)
            return
        with self._job(work.query, work.wave, work.deadline_ms) as job:
            info = self.info or await self.probe()
            if info is None:
                await self._decline(work.query, work.wave, DeclineReason.ENGINE, self.trouble)
            else:
                await self._judge(work, info, job)

    async def perform(self, work: Generate | Judge) -> Worked | None:
        """Do work as for a round, and return its result instead; None if its time was over.

        `work.query` is a fresh digest. Cancelling stops it.
        """
        # Two results: one that is done just as the node declines it.
        give, given = trio.open_memory_channel[Worked](2)
        self._apart[work.query] = give
        try:
            if isinstance(work, Generate):
                await self.generate(work)
            else:
                await self.judge(work)
        finally:
            del self._apart[work.query]
        return given.receive_nowait() if given.statistics().current_buffer_used else None

    def cancel(self, query: Digest) -> None:
        """Stop the work for a round that is over or has moved on.

        The engine's connection closes, which frees its slot.
        """
        self.round_tester.cancel(query)
        if (job := self._jobs.pop(query, None)) is not None:
            job.scope.cancel()

    async def stop(self) -> int:
        """Decline what is in hand, and whatever rounds still ask for; return how many jobs were in hand."""
        self._stopping = True
        jobs = {query: job.wave for query, job in self._jobs.items()}
        for query, wave in jobs.items():
            self.cancel(query)
            await self._decline(query, wave, DeclineReason.ENGINE, STOPPING)
        return len(jobs) + await self.round_tester.stop(STOPPING)

    async def _generate(self, work: Generate, info: EngineInfo, job: Job) -> None:
        config, pace, size = self._config, self._pace(info), QuerySize(bytes_of(work.turns), len(work.turns))
        max_tokens = min(work.max_tokens, config.max_tokens)
        # Thoughts take time and context, as the answer does.
        written = max_tokens + info.thinking_tokens
        refusal = answer_refusal(pace, size, written, self._budget_s(work.deadline_ms))
        if refusal is not None:
            self.engine.forget_pace()
            await self._decline(work.query, None, DeclineReason.CAPACITY, refusal)
            return
        job.ends_s = trio.current_time() + pace.answer_s(size.bytes, written)
        # A seed of our own must not make all our answers alike, nor the same query's answer differ on a retry.
        seed = None if config.seed is None else _seed(config.seed, work.turns)
        sampling = Sampling(config.temperature, config.top_p, seed, max_tokens)
        try:
            completion = await job.engine.answer(work.turns, work.task, sampling)
        except EngineError as error:
            if size.tokens_max + written > info.context_tokens:
                # It may have been refused for its length, which speaks against nobody's engine.
                await self._decline(work.query, None, DeclineReason.CAPACITY, str(error))
            else:
                await self._fail(work.query, None, DeclineReason.ENGINE, str(error))
            return
        if len(completion.text.encode()) > TEXT_BYTES_MAX:
            await self._fail(work.query, None, DeclineReason.CAPACITY, f"an answer of over {TEXT_BYTES_MAX} bytes")
            return
        self.fitness.succeeded(Role.ANSWER)
        content = AnswerContent(
            text=completion.text,
            finish=completion.finish,
            # Counts that only inform, from a server that may send anything.
            prompt_tokens=min(max(completion.prompt_tokens, 0), COUNT_MAX),
            answer_tokens=min(max(completion.answer_tokens, 0), COUNT_MAX),
            token_source=completion.token_source,
        )
        await self._give(work.query, Generated(content, secrets.token_bytes(32)))

    async def _judge(self, work: Judge, info: EngineInfo, job: Job) -> None:
        config, known = self._config, _facts(work)
        try:
            facts_bytes = FACTS_BYTES_MAX if known else 0
            room = prompt_limits(
                info.context_tokens, config.judge_answer_bytes_max, config.reasoning_tokens, facts_bytes
            )
        except EngineError as error:
            await self._fail(work.query, work.wave, DeclineReason.CAPACITY, str(error))
            return
        asked_bytes = query_bytes(work.turns, info.control_tokens)
        if (limits := room.beside(asked_bytes)) is None:
            why = f"a query of {asked_bytes} bytes leaves no room for answers in {info.context_tokens} tokens"
            await self._decline(work.query, work.wave, DeclineReason.CAPACITY, why)
            return
        pace, size = self._pace(info), prompt_bytes(asked_bytes, work.pairs, limits, known)
        budget_s = self._budget_s(work.deadline_ms)
        budget_s -= reserve_s(budget_s)
        written = limits.reasoning_tokens + info.judging_tokens
        refusal = ballot_refusal(pace, len(work.pairs), size, budget_s, written)
        if refusal is not None:
            self.engine.forget_pace()
            await self._decline(work.query, work.wave, DeclineReason.CAPACITY, refusal)
            return
        job.ends_s = trio.current_time() + pace.ballot_s(len(work.pairs), size, written)
        log.info("judging.started", query_id=work.query.hex(), pairs=len(work.pairs))
        preferences = [ABSTAIN] * len(work.pairs)
        abstained: list[str] = []
        nonce = secrets.token_bytes(NONCE_BYTES)
        with trio.move_on_after(max(budget_s, 0.0)) as in_time:
            async with judge(
                job.engine,
                work.turns,
                work.pairs,
                nonce=nonce,
                limits=limits,
                cut=work.cut,
                facts=known,
                told=info.control_tokens,
            ) as judgements:
                async for judgement in judgements:
                    if judgement.preference is None:
                        abstained.append(judgement.reason)
                    else:
                        preferences[judgement.index] = judgement.preference
        if in_time.cancelled_caught:
            log.info("ballot.shortened", query_id=work.query.hex()[:16], abstains=preferences.count(ABSTAIN))
        self._note_ballot(work.query, len(work.pairs), abstained, blames=limits.fits_surely)
        await self._give(work.query, Judged(work.wave, tuple(preferences)))

    async def _fail(self, query: Digest, wave: int | None, reason: DeclineReason, why: str) -> None:
        """Decline after a failure of the engine that had enough time, which counts against it in that role."""
        self.fitness.failed(Role.ANSWER if wave is None else Role.JUDGE, query.hex(), why)
        await self._decline(query, wave, reason, why)

    async def _decline(self, query: Digest, wave: int | None, reason: DeclineReason, why: str) -> None:
        """Decline, so that nobody waits for us; `why` stays here, for the owner."""
        self._note_declined(query, why)
        log.info("round.declined", query_id=query.hex()[:16], reason=str(reason), words=why)
        phase = DeclinedPhase.ANSWERING if wave is None else DeclinedPhase.JUDGING
        await self._give(query, Unable(phase, wave or 0, reason))

    async def _give(self, query: Digest, result: Worked) -> None:
        """Give a result to whoever waits for it apart from rounds, else to the round."""
        if (apart := self._apart.get(query)) is not None:
            apart.send_nowait(result)
        else:
            await self._inbound.deliver(WorkDone(query, result))

    def _note_declined(self, query: Digest, why: str) -> None:
        self._declined[query] = why
        if len(self._declined) > DECLINED_MAX:
            self._declined.popitem(last=False)

    def why_declined(self, query: Digest) -> str:
        """Return why our engine gave nothing to a round, for the owner; empty if it did or the reason is unknown."""
        return self._declined.get(query, "")

    def _note_ballot(self, query: Digest, pairs: int, abstained: Sequence[str], *, blames: bool) -> None:
        """Note what came of a ballot: would the engine's own abstentions void it, without what time has cut off?

        `blames`: whether that counts against the engine; it does not where prompts may have been too long for it.
        """
        if voids(len(abstained), pairs):
            why = f"{len(abstained)} of {pairs} pairs: {abstained[-1]}"
            self._note_declined(query, why)
            if blames:
                self.fitness.failed(Role.JUDGE, query.hex(), why)
            return
        if abstained:
            log.warning("ballot.abstained", query_id=query.hex()[:16], pairs=len(abstained), reason=abstained[-1])
        self.fitness.succeeded(Role.JUDGE)

    def _pace(self, info: EngineInfo) -> Pace:
        return Pace(
            context_tokens=info.context_tokens,
            tokens_per_second=self.engine.tokens_per_second,
            prompt_byte_s=self.engine.prompt_byte_s,
            concurrency=self.engine.concurrency,
            backlog_s=sum(job.left_s for job in self._jobs.values()),
        )

    def _budget_s(self, deadline_ms: int) -> float:
        return self._clock.trio_deadline(deadline_ms) - trio.current_time()

    @contextmanager
    def _job(self, query: Digest, wave: int | None, deadline_ms: int) -> Iterator[Job]:
        """Work on a query until its deadline or until it is cancelled."""
        self.cancel(query)
        with self._charged(query) as engine:
            job = Job(trio.CancelScope(deadline=self._clock.trio_deadline(deadline_ms)), engine, wave)
            self._jobs[query] = job
            try:
                with job.scope:
                    yield job
            finally:
                if self._jobs.get(query) is job:
                    del self._jobs[query]

    @contextmanager
    def _charged(self, query: Digest) -> Iterator[Engine]:
        """Provide the engine at the expense of the query's requester."""
        if self._serving is None:
            yield self.engine
        else:
            with self._serving.account(query) as account:
                yield Charged(self.engine, account)


def _facts(work: Judge) -> tuple[tuple[str, str], ...]:
    """Return what a judge is told about the two answers of each pair; nothing if no answer was tested."""
    return tuple(
        (facts(first, agree), facts(second, other_agree))
        for (first, second), (agree, other_agree) in zip(work.findings, work.agreeing, strict=True)
    )


def _seed(seed: int, turns: tuple[Turn, ...]) -> int:
    digest = domain_digest(b"strand/sampling/1", seed.to_bytes(16, "big", signed=True), digest_of(turns))
    return int.from_bytes(digest[:4], "big")
