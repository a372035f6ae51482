"""The times of this node's rounds and of their phases, taken from effects, for metrics and traces.

Each effect costs a few comparisons, whoever listens: nothing is built within a phase, only at its end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from consensus.certificates.record import Phase
from consensus.rounds import effects as fx
from consensus.rounds.effects import Ending
from consensus.rounds.participant import Participant
from node.clock import Clock
from node.rounds.following.hub import RoundRole
from node.rounds.queue import QueuedAsk
from node.signals import Signal
from protocol.messages import Ballot, Commit, Decline, Query, Report
from protocol.types import ABSTAIN, CompileStatus, DeclineReason, Digest, Outcome, TaskType

PHASES: Final[tuple[tuple[RoundRole, str], ...]] = (
    ("requester", "answering"),
    ("requester", "opening"),
    ("requester", "testing"),
    ("requester", "judging"),
    ("requester", "cosigning"),
    ("member", "answering"),
    ("member", "testing"),
    ("member", "judging"),
)
"""Role and name of each kind of phase. A requester's lasts until its closing, a member's until its contribution."""


class PhaseResult(StrEnum):
    """How a phase ended."""

    DONE = "done"
    """The requester closed it; the member contributed."""
    DECLINED = "declined"
    """The member declined."""
    UNFINISHED = "unfinished"
    """The round went on or ended before the member's contribution."""


@dataclass(frozen=True, slots=True)
class RoundBegan:
    """A round of ours has begun, in one role."""

    query: Digest
    role: RoundRole
    began_ms: int
    task: TaskType
    seats: int
    """Seats of its roster."""


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """A phase of an open round is over. Comparisons are those of ballots that count, or of our own ballot."""

    query: Digest
    role: RoundRole
    phase: str
    wave: int
    began_ms: int
    ended_ms: int
    result: PhaseResult
    reason: DeclineReason | None = None
    comparisons: int = 0
    abstentions: int = 0
    tested: tuple[CompileStatus, ...] = ()
    """What our own report says of each answer; empty for the requester."""


@dataclass(frozen=True, slots=True)
class RoundOver:
    """A round is over for one of our roles."""

    query: Digest
    role: RoundRole
    began_ms: int
    ended_ms: int
    ending: Ending
    outcome: Outcome | None
    """Outcome; None if this role does not learn it."""
    answered_ms: int | None
    """When the answer was decided; None if it was not, or for a member."""
    fault: str


class RoundListener(Protocol):
    """Port: follows the times of rounds. It is called by the driver's loop, so it returns at once."""

    def round_began(self, began: RoundBegan) -> None:
        """Take the beginning of a round."""
        ...

    def phase_ended(self, ended: PhaseEnded) -> None:
        """Take the end of a phase."""
        ...

    def round_over(self, over: RoundOver) -> None:
        """Take the end of a round."""
        ...


@dataclass(slots=True)
class _Open:
    """A round that is open in one role. `phase` is empty between two phases of a member."""

    began_ms: int
    phase: str = ""
    wave: int = 0
    phase_began_ms: int = 0
    answered_ms: int | None = None


class RoundTimeline:
    """Turns the driver's effects into the times of rounds, and passes them on to its listeners."""

    def __init__(self, participant: Participant, clock: Clock) -> None:
        self._participant = participant
        self._clock = clock
        self._listeners: list[RoundListener] = []
        self._open: dict[tuple[Digest, RoundRole], _Open] = {}
        """Rounds by query and role: as many as the participant has open."""
        self.ended = Signal()
        """Counts the ends of rounds, each role by itself."""

    def follow(self, *listeners: RoundListener) -> None:
        """Pass all rounds that begin from now on to these listeners, too."""
        self._listeners += listeners

    def open_rounds(self, role: RoundRole) -> tuple[Digest, ...]:
        """Return the rounds that are open in a role, oldest first."""
        return tuple(query for query, each in self._open if each == role)

    def asked(self, id: Digest, query: Query, _: QueuedAsk) -> None:
        """Take the beginning of a round of ours."""
        self._begin(id, "requester", query)

    def saw(self, effect: fx.Effect) -> None:
        """Take an effect that was performed, or whose performance has begun."""
        match effect:
            case fx.Progress(query, phase, wave):
                self._requester_phase(query, phase, wave)
            case fx.Decide(query):
                if (asked := self._open.get((query, "requester"))) is not None:
                    asked.answered_ms = self._clock.now_ms()
            case fx.Join(query):
                record = self._participant.record(query)
                assert record is not None, "a round that was joined has a record"
                self._begin(query, "member", record.query)
            case fx.Generate(query):
                self._start(query, "member", "answering", 0)
            case fx.RunTests(query, stage):
                self._start(query, "member", "testing", stage)
            case fx.Judge(query, wave):
                self._start(query, "member", "judging", wave)
            case fx.Journal(_, message):
                self._contributed(message.body)
            case fx.RoundEnded():
                self._over(effect)

    # -- phases --------------------------------------------------------------------------------------------------------

    def _requester_phase(self, query: Digest, phase: Phase, wave: int) -> None:
        asked = self._open.get((query, "requester"))
        if asked is not None and (asked.phase, asked.wave) != (str(phase), wave):
            # A round that failed is over: it waits for nothing.
            self._start(query, "requester", str(phase) if ("requester", str(phase)) in PHASES else "", wave)

    def _contributed(self, body: object) -> None:
        """Take a message of our member that is about to be sent."""
        match body:
            case Commit():
                self._end(Digest(body.query), "member", PhaseResult.DONE)
            case Report():
                tested = tuple(found.status for found in body.findings)
                self._end(Digest(body.query), "member", PhaseResult.DONE, tested=tested)
            case Ballot():
                abstentions = sum(each.preference == ABSTAIN for each in body.judgements)
                counted = (len(body.judgements), abstentions)
                self._end(Digest(body.query), "member", PhaseResult.DONE, counted=counted)
            case Decline():
                self._end(Digest(body.query), "member", PhaseResult.DECLINED, body.reason)

    def _start(self, query: Digest, role: RoundRole, phase: str, wave: int) -> None:
        """Begin a phase, which ends the one before."""
        self._end(query, role, PhaseResult.DONE if role == "requester" else PhaseResult.UNFINISHED)
        if (open_ := self._open.get((query, role))) is not None:
            open_.phase, open_.wave, open_.phase_began_ms = phase, wave, self._clock.now_ms()

    def _end(
        self,
        query: Digest,
        role: RoundRole,
        result: PhaseResult,
        reason: DeclineReason | None = None,
        counted: tuple[int, int] = (0, 0),
        tested: tuple[CompileStatus, ...] = (),
    ) -> None:
        """End the present phase, if there is one."""
        open_ = self._open.get((query, role))
        if open_ is None or not open_.phase:
            return
        if role == "requester" and open_.phase == "judging":
            counted = self._counted(query, open_.wave)
        ended = PhaseEnded(
            query=query,
            role=role,
            phase=open_.phase,
            wave=open_.wave,
            began_ms=open_.phase_began_ms,
            ended_ms=self._clock.now_ms(),
            result=result,
            reason=reason,
            comparisons=counted[0],
            abstentions=counted[1],
            tested=tested,
        )
        open_.phase = ""
        for each in self._listeners:
            each.phase_ended(ended)

    def _counted(self, query: Digest, wave: int) -> tuple[int, int]:
        """Return the comparisons of the wave's ballots that count, and the abstentions among them."""
        preferences = list(self._preferences(query, wave))
        return len(preferences), preferences.count(ABSTAIN)

    def _preferences(self, query: Digest, wave: int) -> Iterator[int]:
        record = self._participant.record(query)
        for message in () if record is None else record.ballots:
            if isinstance(message.body, Ballot) and message.body.wave == wave:
                yield from (each.preference for each in message.body.judgements)

    # -- rounds --------------------------------------------------------------------------------------------------------

    def _begin(self, id: Digest, role: RoundRole, query: Query) -> None:
        now_ms = self._clock.now_ms()
        self._open[id, role] = _Open(now_ms)
        began = RoundBegan(id, role, now_ms, query.task, len(query.roster))
        for each in self._listeners:
            each.round_began(began)

    def _over(self, effect: fx.RoundEnded) -> None:
        finished = effect.role == "requester" and effect.ending is Ending.FINISHED
        self._end(effect.query, effect.role, PhaseResult.DONE if finished else PhaseResult.UNFINISHED)
        open_ = self._open.pop((effect.query, effect.role), None)
        if open_ is None:
            return
        over = RoundOver(
            query=effect.query,
            role=effect.role,
            began_ms=open_.began_ms,
            ended_ms=self._clock.now_ms(),
            ending=effect.ending,
            outcome=effect.outcome,
            answered_ms=open_.answered_ms,
            fault=str(effect.fault) if effect.fault else "",
        )
        for each in self._listeners:
            each.round_over(over)
        self.ended.fire()
