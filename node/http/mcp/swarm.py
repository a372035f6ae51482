"""The tools of a node: asking its swarm, and reading what came of it."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from node.api.asking import Question
from node.api.certificates import Verification
from node.api.conversation import Audience, Turn
from node.api.events import BaseEvent, Progress
from node.api.following import PHASES, RoundLog
from node.api.mcp import AskSwarm, NoArguments, OneCertificate, OneRound, SwarmAnswer
from node.api.rounds import RoundDetail
from node.http.audience import key_audience, resolve
from node.http.mcp.tool import Context, Tool, ToolError
from node.http.places import READS_MAX, RequestPlaces
from node.http.rounds import ask_or_cancel
from node.http.shown import Shown
from node.rounds.asking.errors import SecretTextError
from protocol.types import Digest, Outcome, TurnRole

CERTIFICATE_URI: Final = "strand://certificates/"
"""Beginning of a certificate's URI; the query's id follows."""

ANSWER_CHARS_MAX: Final = 2_000
"""Characters of one answer in an explanation: a round may have 64 answers of 64 KiB, and a model reads them all."""


class SwarmTools:
    """Tools over what a node shows."""

    def __init__(self, shown: Shown, places: RequestPlaces, audience: Audience) -> None:
        """Build the tools.

        Args:
            shown: the node.
            places: those of requests that take long.
            audience: of questions that name none, and come without a key that does.
        """
        self._shown = shown
        self._places = places
        self._audience = audience

    def tools(self) -> tuple[Tool, ...]:
        """Return all tools."""
        return (
            Tool(
                "ask_swarm",
                f"Ask a swarm of language models, specialists in {self._shown.reputation.specialty}, one question. Its "
                "nodes answer it, judge blind pairs of each other's answers, and return the best-ranked answer with a "
                "signed certificate. It takes from seconds to minutes; progress is reported for each phase.",
                AskSwarm,
                self.ask,
                result=SwarmAnswer,
                read_only=False,
            ),
            Tool(
                "explain_round",
                "Explain why an answer won: all answers with places and strengths, the comparisons of each pair, each "
                "member's weights, who received the question, and how long the phases took. Long answers are cut.",
                OneRound,
                self.explain,
                result=RoundDetail,
            ),
            Tool(
                "verify_certificate",
                "Verify a certificate by recomputing it: all signatures, who was to compare what, the ranking and the "
                "outcome. It shows who answered and judged what, not that the answer is right.",
                OneCertificate,
                self.verify,
                result=Verification,
            ),
            Tool(
                "swarm_status",
                "Tell whether this node takes part in its swarm: its engine, peers, nodes that offer to work, and "
                "conditions that hinder it, each with its remedy.",
                NoArguments,
                self.status,
            ),
        )

    async def status(self, _: NoArguments, __: Context) -> Mapping[str, Any]:
        """Report the node's status."""
        return _plain(await self._shown.status.report())

    async def explain(self, asked: OneRound, _: Context) -> Mapping[str, Any]:
        """Return everything that the node knows of a round. Raises ToolError."""
        with self._reading():
            found = await self._shown.history.round(Digest(bytes.fromhex(asked.query_id)))
        if found is None:
            raise ToolError("no such round here: this node neither asked it nor holds its certificate")
        return _plain(_shortened(found))

    async def verify(self, asked: OneCertificate, _: Context) -> Mapping[str, Any]:
        """Verify a certificate that the node holds, or one that the agent has. Raises ToolError."""
        if (asked.query_id is None) == (asked.certificate is None):
            raise ToolError("give either query_id or certificate")
        if asked.query_id is not None:
            raw = await self._shown.history.certificate(Digest(bytes.fromhex(asked.query_id)))
            if raw is None:
                raise ToolError("no such certificate here")
        else:
            raw = _decoded(asked.certificate or "")
        with self._reading():
            return _plain(await self._shown.history.verify(raw))

    async def ask(self, asked: AskSwarm, context: Context) -> Mapping[str, Any]:
        """Ask, report progress, and return the answer when the round has ended; a cancelled call cancels the round.

        Raises AskError and ToolError.
        """
        question = Question(
            (*asked.earlier_turns, Turn(TurnRole.USER, asked.question)),
            asked.task,
            audience=resolve(asked.audience, key=key_audience(context.request), default=self._audience),
            max_tokens=asked.max_tokens,
            pairs_per_judge=asked.pairs_per_judge,
            confidence_min=asked.min_confidence,
            tests=asked.tests,
            show_tests=asked.show_tests,
        )
        with self._places.followed.take() as place:
            if not place:
                raise ToolError("too many follow rounds; try again later")
            try:
                return _plain(await self._follow(question, context))
            except SecretTextError as error:
                # Agents have no way to force it, and are told of none: some would use a shell for it.
                raise ToolError(error.found) from error

    async def _follow(self, question: Question, context: Context) -> SwarmAnswer:
        """Ask, and report progress until the round has ended. Raises AskError and ToolError."""
        async with ask_or_cancel(self._shown.rounds, question, details=False) as begun:
            log, told = RoundLog(), _Told(context, len(begun.query.waves))
            async for event in begun.events:
                log.note(event)
                await told.note(event)
        return _answer(log, begun.query_id.hex(), len(begun.query.roster))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Hold a place of those who read or verify while the block runs. Raises ToolError."""
        with self._places.reads.take() as place:
            if not place:
                raise ToolError(f"{READS_MAX} requests read the history already; try again later")
            yield


def _shortened(found: RoundDetail) -> RoundDetail:
    """Return a round with the answers' texts cut, for a reader that has to read all of it."""
    if found.certificate is None:
        return found
    answers = tuple(replace(each, text=_cut(each.text)) for each in found.certificate.answers)
    return replace(found, certificate=replace(found.certificate, answers=answers))


def _cut(text: str) -> str:
    return text if len(text) <= ANSWER_CHARS_MAX else f"{text[:ANSWER_CHARS_MAX]}... ({len(text)} characters in all)"


def _decoded(certificate: str) -> bytes:
    """Return a certificate's bytes from base64. Raises ToolError."""
    try:
        return base64.b64decode(certificate, validate=True)
    except ValueError as error:
        raise ToolError("the certificate is not base64") from error


def _plain(result: msgspec.Struct) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(result)
    return plain


def _answer(log: RoundLog, query_id: str, members: int) -> SwarmAnswer:
    """Return the result of a round that has ended. Raises ToolError if it has no answer."""
    decided = log.decided
    if decided is None or decided.outcome is Outcome.FAILED:
        raise ToolError(log.why_not())
    return SwarmAnswer(
        answer=decided.answer,
        outcome=decided.outcome,
        reason=decided.reason,
        p_best=decided.p_best,
        p_correct=decided.p_correct,
        findings=decided.findings,
        finish=decided.finish,
        query_id=query_id,
        certificate=f"{CERTIFICATE_URI}{query_id}" if log.certified else None,
        members=members,
    )


class _Told:
    """Progress of one round as the protocol counts it: phases done, and the share of the present one; never less."""

    def __init__(self, context: Context, waves: int) -> None:
        self._context = context
        self._waves = waves
        self._last = -1.0

    async def note(self, event: BaseEvent) -> None:
        """Report an event's progress, if the client asked for progress and it is news."""
        if not isinstance(event, Progress) or event.phase not in PHASES:
            return
        expected = max(1, len(event.expected))
        share = len(event.received) / expected
        if event.phase == "judging":
            share = (event.wave + share) / self._waves
        done = PHASES.index(event.phase) + min(1.0, share)
        if done <= self._last:
            return
        self._last = done
        message = f"{event.phase}: {len(event.received)} of {len(event.expected)}"
        await self._context.session.report_progress(round(done, 3), len(PHASES), message)
