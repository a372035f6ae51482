"""The local model's work: answers and judgements as bounded, cancellable background tasks."""

import secrets
from collections import defaultdict

import structlog
import trio

from consensus.effects import Generate, Judge
from consensus.events import Generated, Judged
from node.clock import Clock
from node.inference import Engine, EngineConfig, EngineError, EngineInfo, Sampling
from node.inference.metered import Metered
from node.judging import judge, prompt_limits
from node.mailroom import Mailroom, Worked
from protocol.hashing import domain_digest
from protocol.limits import COUNT_MAX, TEXT_BYTES_MAX
from protocol.messages import AnswerContent
from protocol.types import ABSTAIN, Digest

log = structlog.get_logger()


class Workroom:
    """Performs Generate and Judge. A failure gives no result: the round goes on without us."""

    def __init__(self, engine: Engine, config: EngineConfig, mailroom: Mailroom, clock: Clock) -> None:
        self.engine = Metered(engine)
        self._config = config
        self._mailroom = mailroom
        self._clock = clock
        self._scopes: dict[Digest, set[trio.CancelScope]] = defaultdict(set)
        self.info: EngineInfo | None = None
        self.trouble = ""
        """Why the last probe failed; empty when it did not."""

    @property
    def queue(self) -> int:
        """Pieces of work in hand."""
        return sum(len(scopes) for scopes in self._scopes.values())

    async def probe(self) -> EngineInfo | None:
        """Ask the engine whether it is there; None, logged, if not."""
        try:
            self.info, self.trouble = await self.engine.probe(), ""
        except EngineError as error:
            log.warning("engine does not answer", why=str(error))
            self.info, self.trouble = None, str(error)
        return self.info

    async def generate(self, work: Generate) -> None:
        """Answer a query."""
        with self._scope(work.query, work.deadline_ms) as scope:
            try:
                await self._generate(work)
            except EngineError as error:
                log.warning("no answer", query_id=work.query.hex()[:16], why=str(error))
        self._leave(work.query, scope)

    async def judge(self, work: Judge) -> None:
        """Compare the pairs of a wave; what the engine cannot say is an abstention."""
        with self._scope(work.query, work.deadline_ms) as scope:
            info = self.info or await self.probe()
            if info is not None:
                await self._judge(work, info)
        self._leave(work.query, scope)

    def cancel(self, query: Digest) -> None:
        """The round is over: stop working for it."""
        for scope in self._scopes.pop(query, ()):
            scope.cancel()

    async def _generate(self, work: Generate) -> None:
        config = self._config
        # A seed of our own must not make all our answers alike, nor the same query's answer differ on a retry.
        seed = None if config.seed is None else _seed(config.seed, work.content)
        sampling = Sampling(config.temperature, config.top_p, seed, min(work.max_tokens, config.max_tokens))
        completion = await self.engine.answer(work.content, work.task, sampling)
        if len(completion.text.encode()) > TEXT_BYTES_MAX:
            raise EngineError(f"the answer is longer than {TEXT_BYTES_MAX} bytes")
        content = AnswerContent(
            text=completion.text,
            finish=completion.finish,
            # Counts that only inform, from a server that may say anything.
            prompt_tokens=min(max(completion.prompt_tokens, 0), COUNT_MAX),
            answer_tokens=min(max(completion.answer_tokens, 0), COUNT_MAX),
        )
        await self._mailroom.deliver(Worked(work.query, Generated(content, secrets.token_bytes(32))))

    async def _judge(self, work: Judge, info: EngineInfo) -> None:
        log.info("judging", event_kind="judging_started", query_id=work.query.hex(), pairs=len(work.pairs))
        preferences = [ABSTAIN] * len(work.pairs)
        try:
            limits = prompt_limits(info.context_tokens, self._config.judge_answer_bytes_max)
            nonce = secrets.token_bytes(16)
            async with judge(
                self.engine, work.content, work.pairs, nonce=nonce, limits=limits, cut=work.cut
            ) as judgements:
                async for judgement in judgements:
                    if judgement.preference is not None:
                        preferences[judgement.index] = judgement.preference
        except EngineError as error:
            log.warning("no ballot", query_id=work.query.hex()[:16], why=str(error))
            return
        await self._mailroom.deliver(Worked(work.query, Judged(work.wave, tuple(preferences))))

    def _scope(self, query: Digest, deadline_ms: int) -> trio.CancelScope:
        scope = trio.CancelScope(deadline=self._clock.trio_deadline(deadline_ms))
        self._scopes[query].add(scope)
        return scope

    def _leave(self, query: Digest, scope: trio.CancelScope) -> None:
        if query in self._scopes:
            self._scopes[query].discard(scope)
            if not self._scopes[query]:
                del self._scopes[query]


def _seed(seed: int, content: str) -> int:
    return int.from_bytes(
        domain_digest(b"strand/sampling/1", seed.to_bytes(16, "big", signed=True), content.encode())[:4], "big"
    )
