"""The engine of a simulated node: it does one job after the other, in virtual time."""

import math
from dataclasses import dataclass
from random import Random

from consensus.rounds import effects as fx
from consensus.rounds.events import AnswersTested, Generated, Judged, Unable
from protocol.types import DeclinedPhase, DeclineReason
from simnet import decision_model as mind
from simnet.plan import Plan


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted job: its result, and the ms until it is ready."""

    after_ms: int
    event: Generated | AnswersTested | Judged | Unable


class SimEngine:
    """One engine, first come first served. A job that would be late is not begun, but declined at once.

    `slowness` is the factor on the scenario's times. Times are those of the world, not of the node's own clock.
    """

    def __init__(self, plan: Plan, node: int, slowness: float, rng: Random) -> None:
        self._plan = plan
        self._node = node
        self._slowness = slowness
        self._rng = rng
        self._free_ms = 0

    def restart(self) -> None:
        """Forget jobs that are under way."""
        self._free_ms = 0

    def generate(self, effect: fx.Generate, life: int, now_ms: int, deadline_ms: int) -> Job | None:
        """Write an answer; None for no answer. `life` salts it, so that answers differ after a restart."""
        plan = self._plan
        question = plan.oracle.asked(effect.turns[-1].text)
        content = mind.write(plan, question, self._node)
        if content is None:
            return None
        event = Generated(content, plan.salt(question.number, self._node, life))
        return self._work(event, plan.scenario.engine.answer_ms, now_ms, deadline_ms)

    def judge(self, effect: fx.Judge, now_ms: int, deadline_ms: int) -> Job:
        """Compare pairs."""
        plan = self._plan
        question = plan.oracle.asked(effect.turns[-1].text)
        preferences = tuple(mind.prefer(plan, question, self._node, first, second) for first, second in effect.pairs)
        work_ms = plan.scenario.engine.judge_ms * len(preferences)
        return self._work(Judged(effect.wave, preferences), work_ms, now_ms, deadline_ms)

    def run_tests(self, effect: fx.RunTests, now_ms: int, deadline_ms: int) -> Job:
        """Test answers."""
        plan = self._plan
        question = plan.oracle.asked(effect.turns[-1].text)
        texts = [each.text for each in effect.slate]
        findings = mind.run_tests(plan, question, self._node, texts, effect.assigned, (effect.kinds, effect.seed))
        work_ms = plan.scenario.engine.test_ms * len(findings)
        return self._work(AnswersTested(effect.stage, findings), work_ms, now_ms, deadline_ms)

    def _work(self, event: Generated | AnswersTested | Judged, median_ms: int, now_ms: int, deadline_ms: int) -> Job:
        length = self._slowness * math.exp(self._plan.scenario.engine.spread * self._rng.gauss(0.0, 1.0))
        free_ms = max(self._free_ms, now_ms) + max(1, round(median_ms * length))
        if free_ms > deadline_ms:
            return Job(1, _unable(event))
        self._free_ms = free_ms
        return Job(free_ms - now_ms, event)


def _unable(event: Generated | AnswersTested | Judged) -> Unable:
    """Return what a node says that would have been late with this."""
    match event:
        case Generated():
            return Unable(DeclinedPhase.ANSWERING, 0, DeclineReason.CAPACITY)
        case AnswersTested(stage):
            return Unable(DeclinedPhase.TESTING, stage, DeclineReason.CAPACITY)
        case Judged(wave):
            return Unable(DeclinedPhase.JUDGING, wave, DeclineReason.CAPACITY)
