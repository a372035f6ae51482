"""The summary of a round's events so far, as its requester's owner needs it."""

from collections import Counter
from dataclasses import dataclass, field

from node.api.events import STOPPED, Asked, BaseEvent, Certified, Decided, Ended, Progress
from protocol.types import Outcome

PHASES = ("answering", "opening", "testing", "judging", "cosigning")
"""The phases of a round that take time, in order."""


@dataclass(slots=True)
class RoundLog:
    """Summary of one round's events so far."""

    query_id: str = ""
    phase_began_ms: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Reasons of members that do not work on the query, by key."""
    declined: dict[str, str] = field(default_factory=dict)
    """Reasons of members that contributed nothing to a phase, by key."""
    decided: Decided | None = None
    certified: bool = False
    ended: Ended | None = None
    """End of the requester's part, which ends the round; with details the member's part has an end of its own."""

    def note(self, event: BaseEvent) -> None:
        """Add one event; events of the node's own part as a member change nothing."""
        match event:
            case Asked():
                self.query_id = event.query_id
            case Progress() if event.phase in PHASES:
                self.phase_began_ms.setdefault(event.phase, event.at_ms)
                self.refused |= event.refused
                self.declined |= event.declined
            case Decided():
                self.decided = event
            case Certified():
                self.certified = True
            case Ended(role="requester"):
                self.ended = event

    def timings_ms(self) -> dict[str, int]:
        """Return the length of each phase, the time to the answer and the total, ms."""
        phases = list(self.phase_began_ms.items())
        total = self.ended.at_ms if self.ended else 0
        ends = [*(began for _, began in phases[1:]), total]
        # A round that is left at once has no phase, and so no end of one.
        timings = {phase: end - began for (phase, began), end in zip(phases, ends, strict=False)}
        return {**timings, "to_answer": self.decided.at_ms if self.decided else 0, "total": total}

    def why_not(self) -> str:
        """Return why there is no certificate, in one line."""
        if self.decided is not None and self.decided.outcome is Outcome.FAILED:
            told = [f"the round failed: {self.decided.reason}"]
            for kind, whys in (("refused", self.refused), ("declined", self.declined)):
                if whys:
                    counts = Counter(why.replace("_", " ") for why in whys.values()).most_common()
                    told.append(f"members {kind}: " + ", ".join(f"{why} ({count})" for why, count in counts))
            if self.decided.own_engine:
                told.append(f"this node's own engine: {self.decided.own_engine}")
            return "; ".join((*told, "see `strand peers` for who offers to answer"))
        if self.ended is not None and self.ended.ending == "cancelled":
            return "the round was cancelled by who asked, or because the node was stopped"
        if self.ended is not None and self.ended.fault == STOPPED:
            return STOPPED
        if self.ended is not None and self.ended.ending == "left":
            return "the node's disk took nothing any more, so it left the round: see `strand status`"
        if self.ended is not None and self.ended.fault:
            return f"the round is void: {self.ended.fault}"
        return "the node stopped before the round had a certificate"
