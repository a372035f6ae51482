"""Which roles our engine is offered for: what a probe saw to work, less what failed several rounds in a row since."""

from dataclasses import dataclass

import structlog
import trio

from consensus.rounds.backoff import Backoff
from node.inference import EngineInfo, JudgingMethod
from node.signals import Signal
from protocol.types import Role

FAILED_ROUNDS_MAX = 3
"""Rounds in a row without an answer, or without a ballot that counts, after which the role is offered no more. One may
be due to its query and two to chance; each costs all others the wait for us."""

RETRIALS_S = Backoff(30.0, 64 * 60.0)
"""Seconds until a role that was withdrawn is tried again by a probe: a server that is restarted or loads another model
takes half a minute, and a role that came and went faster would not be a role. About an hour at most while every retrial
ends in another withdrawal: a probe may find well what fails in rounds."""

ROLES = {Role.ANSWER: "answer", Role.JUDGE: "judge"}

log = structlog.get_logger()


@dataclass(slots=True)
class RoleRecord:
    """How the engine did in one role since the node's start."""

    failed: int = 0
    """Rounds without a result, though there was time."""
    in_a_row: int = 0
    reason: str = ""
    """Of the last one."""
    withdrawn_s: float | None = None
    """Since when it is not offered, by trio's clock; None: it is."""
    withdrawals: int = 0
    """Since the last round that had a result."""

    @property
    def retrial_s(self) -> float:
        """How long after its withdrawal it is tried again."""
        return RETRIALS_S.pause(self.withdrawals)

    @property
    def is_due(self) -> bool:
        """Whether it was withdrawn, for as long as that takes."""
        return self.withdrawn_s is not None and trio.current_time() - self.withdrawn_s >= self.retrial_s


class Fitness:
    """Watches what comes of rounds, role by role."""

    def __init__(self) -> None:
        self.records = {role: RoleRecord() for role in ROLES}
        self.withdrawn = Signal()
        """Fires after a role was withdrawn."""

    def succeeded(self, role: Role) -> None:
        """Note a round that had our answer or ballot."""
        self.records[role].in_a_row = self.records[role].withdrawals = 0

    def failed(self, role: Role, query_id: str, reason: str) -> None:
        """Note and log a round that the engine left without our answer or ballot."""
        record = self.records[role]
        record.failed += 1
        record.in_a_row += 1
        record.reason = reason
        log.warning("round.abstained", role=ROLES[role], query_id=query_id[:16], reason=reason)
        if record.in_a_row >= FAILED_ROUNDS_MAX and record.withdrawn_s is None:
            record.withdrawn_s = trio.current_time()
            record.withdrawals += 1
            log.warning("role.withdrawn", role=ROLES[role], failed_rounds=record.in_a_row, reason=reason)
            self.withdrawn.fire()

    @property
    def retrial_is_due(self) -> bool:
        """Whether the next probe decides on a role that was withdrawn: it must take nothing for known."""
        return any(record.is_due for record in self.records.values())

    def restore(self) -> None:
        """A probe that took nothing for known has passed: offer the roles again that were due."""
        for role, record in self.records.items():
            if record.is_due:
                log.info("role.restored", role=ROLES[role])
                record.withdrawn_s, record.in_a_row = None, 0

    def roles(self, info: EngineInfo | None) -> Role:
        """What can be offered of an engine; `info`: what its last probe found, None if it failed."""
        roles = Role(0)
        for role, record in self.records.items():
            can = info is not None and (role is not Role.JUDGE or info.judging is not JudgingMethod.NONE)
            if can and record.withdrawn_s is None:
                roles |= role
        return roles
