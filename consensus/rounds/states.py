"""One node's state of a round, in either role or both, and which of its machines an event concerns."""

from dataclasses import dataclass, field

from consensus.certificates.record import RoundRecord
from consensus.rounds import requester
from consensus.rounds.events import Alive, Event, Received, Replied, Tick
from consensus.rounds.membership import Member, Restored
from consensus.rounds.pulls import LeftOut, PullLedger
from consensus.rounds.validation import LINGER_MS
from protocol.types import CLOSINGS, Key, Kind


@dataclass(slots=True)
class RoundAtNode:
    """A round of ours, in either role or both."""

    budgets_end_ms: int
    """When all its budgets are over, counted from its start here."""
    texts: LeftOut
    as_requester: requester.Requester | None = None
    as_member: Member | None = None
    served: PullLedger = field(default_factory=PullLedger)
    keeps_place: bool = False
    """Whether it was cancelled, and keeps its place until its budgets are over (R16)."""

    @property
    def expires_ms(self) -> int:
        """When it serves pulls no longer."""
        return self.budgets_end_ms + LINGER_MS

    @property
    def record(self) -> RoundRecord:
        """What counts so far: the requester's record where we are it, else the member's."""
        machine = self.as_requester or self.as_member
        assert machine is not None
        return machine.record

    @property
    def over(self) -> bool:
        """Whether no machine of ours has anything left to do."""
        return all(machine.over for machine in (self.as_requester, self.as_member) if machine is not None)

    @property
    def has_working_place(self) -> bool:
        """Whether our member works in it, or it was cancelled and keeps the place (R16)."""
        return self.as_member is not None and (not self.as_member.over or self.keeps_place)

    def is_untaken(self, now_ms: int) -> bool:
        """Whether others may have the working place, because the requester takes nothing of ours."""
        return self.as_member is not None and not self.as_member.over and self.as_member.is_untaken(now_ms)

    @property
    def wake_at_ms(self) -> int:
        """Next time at which a machine is due, or the place of a cancelled round is free; it must be open here."""
        if self.over and self.keeps_place:
            return self.budgets_end_ms
        machines = (self.as_requester, self.as_member)
        return min(machine.wake_at_ms for machine in machines if machine is not None and not machine.over)


@dataclass(slots=True)
class Recovering:
    """A round from before a restart. Its requester may be unreachable at first, so it is asked again and again."""

    asked_by: Key
    restored: Restored
    deadline_ms: int
    wake_at_ms: int = 0


def concerns_requester(event: Event) -> bool:
    """Whether the event is one for the requester's machine."""
    match event:
        case Received(message):
            return message.kind not in CLOSINGS
        case Tick() | Replied() | Alive():
            return True
        case _:
            return False


def concerns_member(event: Event) -> bool:
    """Whether the event is one for the member's machine."""
    match event:
        case Received(message):
            return message.kind not in (Kind.COMMIT, Kind.COSIGN)
        case Replied() | Alive():
            return False
        case _:
            return True
