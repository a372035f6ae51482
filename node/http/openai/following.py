"""What a client of OpenAI's API sees of a round: its progress, its answer, or the reason why there is none."""

from dataclasses import dataclass
from typing import Final

from node.api import operations as ops
from node.api.events import BaseEvent, Decided, Progress
from node.api.following import RoundLog
from node.api.openai.chat import Finish
from node.api.openai.common import RankedAnswer, SetAsideAnswer, StrandReport, Usage
from node.findings.notes import note
from node.http.openai.requests import RoundRequest
from node.http.replies import ErrorContext, Refusal, refusal
from node.rounds.asking.service import RoundHandle
from protocol.types import FinishReason, Outcome, OutcomeReason

_LATE: Final = frozenset({OutcomeReason.NO_COMMITMENTS, OutcomeReason.NO_ANSWERS})
"""Reasons of a failure that mean that time ran out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The winning answer, as the client sees it."""

    text: str
    """As `stop` left it."""
    truncated: bool
    finish: Finish
    usage: Usage


class RoundView:
    """What the events of one round have shown so far."""

    def __init__(self, request: RoundRequest) -> None:
        self._request = request
        self._log = RoundLog()
        self.query_id = ""
        """The round's id; empty before it begins."""
        self.created_s = 0
        """Time of the query, s since 1970."""
        self.progress = ""
        """How far the round has come, in a few words; empty before it begins."""

    def begin(self, handle: RoundHandle) -> None:
        """Note that the round has begun."""
        self.query_id = handle.query_id.hex()
        self.created_s = handle.query.sent_at_ms // 1000
        self.progress = "asked"

    def note(self, event: BaseEvent) -> None:
        """Add one event."""
        self._log.note(event)
        if isinstance(event, Progress):
            count = f" {len(event.received)}/{len(event.expected)}" if event.expected else ""
            self.progress = event.phase + count

    def answer(self) -> Answer | None:
        """Return the answer; None while it is not decided, or if there is none that the client takes."""
        decided = self._log.decided
        if decided is None or decided.outcome is Outcome.FAILED or self._is_refused(decided):
            return None
        text = _before(decided.answer, self._request.stop)
        truncated = len(text) < len(decided.answer)
        finish: Finish = "length" if decided.finish is FinishReason.LENGTH and not truncated else "stop"
        total = decided.prompt_tokens + decided.answer_tokens
        return Answer(text, truncated, finish, Usage(decided.prompt_tokens, decided.answer_tokens, total))

    def failure(self) -> Refusal | None:
        """Return the reply of a round that is over and gave no answer that the client takes; None: it gave one."""
        decided = self._log.decided
        if decided is None:
            return refusal(502, self._log.why_not(), context=ErrorContext("round_lost"))
        if decided.outcome is Outcome.FAILED:
            late = decided.reason in _LATE
            context = ErrorContext("round_timed_out" if late else "round_failed", strand=self.report())
            return refusal(504 if late else 502, self._log.why_not(), context=context)
        if self._is_refused(decided):
            asked = self._request.question.confidence_min
            why = f"the swarm is less sure than strand.min_confidence, {asked:g}: {_certainty(decided)}"
            context = ErrorContext("low_confidence", "strand.min_confidence", strand=self.report())
            return refusal(422, why, context=context)
        return None

    def report(self) -> StrandReport | None:
        """Return what the swarm says of its answer; None while it is not decided."""
        decided, answer = self._log.decided, self.answer()
        if decided is None:
            return None
        truncated = answer is not None and answer.truncated
        return StrandReport(
            query_id=self.query_id,
            certificate=ops.CERTIFICATE.path.format(query_id=self.query_id) if self._log.certified else None,
            audience=self._request.audience,
            outcome=decided.outcome,
            reason=decided.reason,
            p_best=decided.p_best,
            p_correct=decided.p_correct,
            ranking=_ranking(decided),
            set_aside=_set_aside(decided),
            findings=decided.findings,
            testing=decided.testing,
            token_source=decided.token_source,
            truncated=truncated,
            signed_text=decided.answer if truncated else None,
            ignored=self._request.ignored,
        )

    def _is_refused(self, decided: Decided) -> bool:
        """Whether the client has said that it wants no guess like this one."""
        return self._request.question.confidence_min is not None and decided.reason is OutcomeReason.LOW_CONFIDENCE


def _ranking(decided: Decided) -> tuple[RankedAnswer, ...]:
    return tuple(
        RankedAnswer(
            answer_id=each.answer_id,
            author=each.author,
            p_best=each.p_best,
            strength=each.strength,
            cluster_size=each.cluster_size,
            findings=each.findings,
            note=note(each.findings, decided.testing),
        )
        for each in decided.ranking
    )


def _set_aside(decided: Decided) -> tuple[SetAsideAnswer, ...]:
    return tuple(
        SetAsideAnswer(each.answer_id, each.author, each.findings, note(each.findings, decided.testing))
        for each in decided.set_aside
    )


def _certainty(decided: Decided) -> str:
    """Return the figure that `min_confidence` is compared with, and where it comes from."""
    if decided.p_correct is None:
        return f"P(best) is {decided.p_best:.2f}, uncalibrated: P(correct) is learned from gold"
    return f"P(correct) is {decided.p_correct:.2f}, calibrated on the node's gold"


def _before(text: str, stops: tuple[str, ...]) -> str:
    """Return the text up to the first of these texts."""
    ends = [end for stop in stops if (end := text.find(stop)) >= 0]
    return text[: min(ends, default=len(text))]
