"""The roles offered for our engine: those that a probe saw working, without those that failed in rounds since."""

from dataclasses import dataclass

import structlog
import trio

from consensus.rounds.backoff import Backoff
from node.inference import EngineInfo, JudgingMethod
from node.signals import Signal
from protocol.types import Role

FAILED_ROUNDS_MAX = 3
"""Consecutive rounds without an answer, or without a ballot that counts, after which the role is withdrawn. One may be
due to its query and two to chance; each costs all others the wait for us."""

RETRIALS_S = Backoff(30.0, 64 * 60.0)
"""Seconds until a withdrawn role is tried again by a probe. A server that restarts or loads another model takes half a
minute, and a role should not change faster. At most about an hour while every retrial ends in another withdrawal: a
probe may well pass where rounds fail."""

ROLES = {Role.ANSWER: "answer", Role.JUDGE: "judge"}

log = structlog.get_logger()


@dataclass(slots=True)
class RoleRecord:
    """The engine's record in one role since the node's start."""

    failed: int = 0
    """Rounds without a result although there was time."""
    in_a_row: int = 0
    reason: str = ""
    """Reason of the last failure."""
    withdrawn_s: float | None = None
    """Time of its withdrawal, by trio's clock; None: the role is offered."""
    withdrawals: int = 0
    """Withdrawals since the last round with a result."""

    @property
    def retrial_s(self) -> float:
        """Seconds from its withdrawal to the next retrial."""
        return RETRIALS_S.pause(self.withdrawals)

    @property
    def is_due(self) -> bool:
        """Whether it is withdrawn and its retrial is due."""
        return self.withdrawn_s is not None and trio.current_time() - self.withdrawn_s >= self.retrial_s


class Fitness:
    """Records the results of rounds, role by role."""

    def __init__(self) -> None:
        self.records = {role: RoleRecord() for role in ROLES}
        self.withdrawn = Signal()
        """Fires after a role was withdrawn."""

    def succeeded(self, role: Role) -> None:
        """Record a round that had our answer or ballot."""
        self.records[role].in_a_row = self.records[role].withdrawals = 0

    def failed(self, role: Role, query_id: str, reason: str) -> None:
        """Record and log a round without our answer or ballot because of the engine."""
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
        """Whether the next probe decides on a withdrawn role: it must forget known abilities."""
        return any(record.is_due for record in self.records.values())

    def restore(self) -> None:
        """Offer due roles again after a full probe has passed."""
        for role, record in self.records.items():
            if record.is_due:
                log.info("role.restored", role=ROLES[role])
                record.withdrawn_s, record.in_a_row = None, 0

    def roles(self, info: EngineInfo | None) -> Role:
        """Return the roles to offer; `info`: the result of the last probe, None if it failed."""
        roles = Role(0)
        for role, record in self.records.items():
            can = info is not None and (role is not Role.JUDGE or info.judging is not JudgingMethod.NONE)
            if can and record.withdrawn_s is None:
                roles |= role
        return roles
