"""The schema of a certificate, which is no message: it is unsigned, and never published by itself."""

from dataclasses import dataclass
from typing import Annotated

from protocol import limits
from protocol.messages import Turns
from protocol.params import NetworkParams
from protocol.schema import Count, Envelope, Range
from protocol.versions import WIRE


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A round's outcome with everything needed to recompute it offline. One canonical map, itself unsigned."""

    version: Annotated[int, Range(WIRE, WIRE)]
    params: NetworkParams
    query: Envelope
    turns: Turns
    """A private query's conversation if its holder chose to add it, else empty; its digest is in the query."""
    closings: Annotated[tuple[Envelope, ...], Count(1, limits.CLOSINGS_MAX)]
    answers: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX)]
    reports: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX * limits.STAGES_MAX)]
    ballots: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX * limits.WAVES_MAX)]
    declines: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX * (1 + limits.STAGES_MAX + limits.WAVES_MAX))]
    evidence: Annotated[tuple[Envelope, ...], Count(0, limits.EVIDENCE_MAX)]
    cosigns: Annotated[tuple[Envelope, ...], Count(0, limits.MEMBERS_MAX)]
    """Ascending by id, as are answers, reports, ballots, declines and evidence."""
