"""NetworkParams: the settings that all nodes of a network share. Their digest is in every topic and signature."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Annotated, Any, Self

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol import codec, limits
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.hashing import domain_digest
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.schema import DurationMs, Name, Range
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import Digest
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.versions import domain


class ParamsError(ValueError):
    """A parameter set that no network may use; the message names the key and the fault."""


@dataclass(frozen=True)
class NetworkParams:
    """The parameters of one network. Integers carry their unit in the name.

    The aggregator, the canonical forms and the draw table are named by version. A node without that version cannot take
    part, because it could not recompute a tally (rule R8).
    """

    network: Name
    """Name of the network; also the first part of its topics."""
    aggregator: Name
    canonical_form: Name
    draws: Name
    members_max: Annotated[int, Range(1, limits.MEMBERS_MAX)]
    """Seats in a roster."""
    answers_min: Annotated[int, Range(1, limits.MEMBERS_MAX)]
    """Openings that a `decided` outcome needs: with fewer than three a ranking by peers says nothing (R9)."""
    judges_min: Annotated[int, Range(1, limits.MEMBERS_MAX)]
    """Judges with weight that must have compared the best answer of each of the two best clusters (R9)."""
    query_bytes_max: Annotated[int, Range(1, limits.TEXT_BYTES_MAX)]
    answer_bytes_max: Annotated[int, Range(1, limits.TEXT_BYTES_MAX)]
    answer_tokens_max: Annotated[int, Range(1, limits.TOKENS_MAX)]
    waves_max: Annotated[int, Range(1, limits.WAVES_MAX)]
    pairs_per_wave_max: Annotated[int, Range(1, limits.PAIRS_MAX)]
    phase_ms_max: DurationMs
    """Longest budget that a query may give to one phase: it bounds how long a round can hold a member's memory."""
    patience_ms_max: DurationMs
    """Longest wait for stragglers after a quorum."""
    grace_ms: DurationMs
    """Time that a contribution must be sent before a closing for its omission to be censorship (R10). At least three
    gossip delays."""
    clock_skew_ms: DurationMs
    """Largest difference between the date of a query or offer and the local clock."""
    offer_interval_ms: DurationMs
    offer_valid_ms: DurationMs
    open_rounds_per_key_max: Annotated[int, Range(1, 64)]
    """Rounds that one requester may have open at one member."""
    ride_along_bytes_max: Annotated[int, Range(0, limits.MESSAGE_BYTES_MAX)]
    """Bytes of contributions that travel inside a closing; members pull the rest (R13)."""
    pull_bytes_max: Annotated[int, Range(1, limits.CERTIFICATE_BYTES_MAX)]
    """Bytes that one member may pull in one round."""

    def __post_init__(self) -> None:
        """Check types and bounds, then the relations between settings. Raises ParamsError."""
        try:
            codec.encode(self)
        except codec.EncodingError as error:
            raise ParamsError(f"network parameter out of bounds: {error}") from error
        if self.answers_min > self.members_max or self.judges_min > self.members_max:
            raise ParamsError("answers_min and judges_min must not exceed members_max")
        if self.patience_ms_max > self.phase_ms_max:
            raise ParamsError("patience_ms_max must not exceed phase_ms_max")
        if self.offer_valid_ms < 2 * self.offer_interval_ms:
            raise ParamsError("offer_valid_ms must be at least twice offer_interval_ms, or one lost offer hides a node")
        room = limits.SLOT_MESSAGE_BYTES_MAX - 32 * 1024
        if self.ride_along_bytes_max > room:
            raise ParamsError(f"ride_along_bytes_max must leave 32 KiB of a message for the closing: at most {room}")

    @cached_property
    def digest(self) -> Digest:
        """BLAKE2b-256 of the domain tag and the canonical encoding (rule P5)."""
        return domain_digest(domain("params"), codec.encode(self))

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> Self:
        """Build parameters from a parsed file.

        Raises ParamsError for unknown, missing, mistyped or unbounded values.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(table) - known):
            raise ParamsError(f"unknown network parameter: {', '.join(unknown)}")
        if missing := sorted(known - set(table)):
            raise ParamsError(f"missing network parameter: {', '.join(missing)}")
        return cls(**table)
