"""The engine's abilities, load and failures."""

from dataclasses import asdict
from typing import overload

from node.api import engine as api
from node.api.status import EngineSummary, ToolsReport
from node.inference import EngineConfig
from node.inference.status import ServerStatus
from node.work.fitness import ROLES
from node.work.trial import Attempt, EngineTrial, try_engine
from node.work.worker import EngineWorker
from protocol.types import Role


class EngineFacade:
    """Reports on one node's engine and its means to test answers, and tries the engine."""

    def __init__(self, worker: EngineWorker, config: EngineConfig, challenges: bool = False) -> None:
        """Build a facade.

        `config`: its kind is reported even if the probe finds another. `challenges`: whether the node challenges
        newcomers as long as it can test answers.
        """
        self._worker = worker
        self._challenges = challenges
        self._config = config

    @property
    def answers(self) -> bool:
        """Whether the engine replied to its last probe."""
        return self._worker.info is not None

    @property
    def working_on(self) -> int:
        """Answers and ballots in progress."""
        return self._worker.queue

    def summary(self) -> EngineSummary | None:
        """Summarise the engine, its speed in tokens per second; None while it does not reply."""
        info = self._worker.info
        if info is None:
            return None
        return EngineSummary(info.kind, info.model, info.context_tokens, round(info.tokens_per_second, 1))

    def tools(self) -> ToolsReport:
        """Report whether the node can test answers, with which versions, or else why not and what helps."""
        box = self._worker.round_tester.node_tester
        return ToolsReport(box.state.value, box.tool_versions, box.why_off, box.remedy, self._challenges)

    def report(self) -> api.EngineReport:
        """Report the engine's abilities, load and failures.

        Speeds are in tokens per second, the time of a judgement is in milliseconds.
        """
        worker, engine = self._worker, self._worker.engine
        info, counts, cache, judgement_s = worker.info, engine.counts, engine.cache, engine.judgement_s
        return api.EngineReport(
            answers=info is not None,
            server=None if engine.server is None else _server(engine.server),
            trouble=worker.trouble or None,
            kind=self._config.kind,
            probe=None if info is None else api.Probe(**asdict(info)),
            tokens_per_second=round(engine.tokens_per_second, 1),
            concurrency=engine.concurrency,
            in_flight=counts.in_flight,
            working_on=worker.queue,
            asked=api.RequestCounts(counts.answers, counts.judgements),
            abstentions=counts.abstentions,
            failures=counts.failures,
            last_failure=counts.last_failure or None,
            roles={name: _role(worker, role) for role, name in ROLES.items()},
            judgement_ms=None if judgement_s is None else round(judgement_s * 1000, 1),
            cache=None if cache is None else api.CacheReport(cache.tokens, cache.hits, cache.hit_rate),
        )

    async def trial(self) -> api.TrialReport:
        """Let the engine give one real answer and one real judgement; what it fails in is part of the result.

        Each part takes two minutes at most. Raises nothing for an engine that fails.
        """
        return trial_report(await try_engine(self._worker.engine, self._config))


def trial_report(trial: EngineTrial) -> api.TrialReport:
    """Report a trial of an engine, that of a running node or another; each part has its time in milliseconds."""
    return api.TrialReport(
        trial.works, trial.error, _attempt(trial.probe), _attempt(trial.answer), _attempt(trial.judgement)
    )


@overload
def _attempt(part: Attempt) -> api.AttemptReport: ...


@overload
def _attempt(part: Attempt | None) -> api.AttemptReport | None: ...


def _attempt(part: Attempt | None) -> api.AttemptReport | None:
    return None if part is None else api.AttemptReport(part.ms, part.text, part.error)


def _server(status: ServerStatus) -> api.ServerReport:
    return api.ServerReport(
        name=status.name,
        stage=status.stage.value,
        progress=status.progress or None,
        seconds=round(status.stage_s, 1),
        restarts=status.restarts,
        pid=status.pid,
        trouble=status.trouble or None,
    )


def _role(worker: EngineWorker, role: Role) -> api.RoleReport:
    record = worker.fitness.records[role]
    return api.RoleReport(role in worker.roles, record.failed, record.in_a_row, record.reason or None)
