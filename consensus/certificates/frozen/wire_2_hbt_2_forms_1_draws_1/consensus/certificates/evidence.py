"""Slots and equivocation (R3): one message for each slot, one for each place in a chain; two are evidence."""

from typing import NamedTuple

from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.errors import Fault, FaultReason
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.limits import WAVES_MAX
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.messages import (
    Ballot,
    Cancel,
    CloseTally,
    CloseWave,
    Closing,
    Decline,
    EquivocationProof,
    Notice,
    Offer,
    Query,
)
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.signing import Keypair, VerifiedMessage, open_envelope, seal
from consensus.certificates.frozen.wire_2_hbt_2_forms_1_draws_1.protocol.types import DeclinedPhase, Digest, Key, Kind


class Slot(NamedTuple):
    """A place that one author may fill once. `query` is empty for offers, whose `number` is their sequence."""

    query: bytes
    author: Key
    kind: Kind
    number: int


def slot_of(message: VerifiedMessage) -> Slot | None:
    """Return the slot that a message fills; None for evidence and for queries (each begins a round of its own)."""
    match message.body:
        case Query() | EquivocationProof():
            return None
        case Offer(sequence=sequence):
            return Slot(b"", message.author, message.kind, sequence)
        case Ballot(wave=wave) | CloseWave(wave=wave):
            return Slot(message.body.query, message.author, message.kind, wave)
        case Decline(phase=phase, wave=wave):
            return declining(message.body.query, message.author, phase, wave)
        case other:
            return Slot(other.query, message.author, message.kind, 0)


def declining(query: bytes, author: Key, phase: DeclinedPhase, wave: int) -> Slot:
    """Return the slot of a decline: its number encodes phase and wave."""
    return Slot(query, author, Kind.DECLINE, list(DeclinedPhase).index(phase) * WAVES_MAX + wave)


def contradicts(one: VerifiedMessage, other: VerifiedMessage) -> bool:
    """Whether no honest node signs both: two different messages of one slot, or a cancel beside a closing (R3, R16).

    A cancel contradicts a closing with the same `prev`, and any tally of its round.
    """
    if one.author != other.author or one.id == other.id:
        return False
    if (slot := slot_of(one)) is not None and slot == slot_of(other):
        return True
    match one.body, other.body:
        case (Cancel() as cancel, closing) | (closing, Cancel() as cancel) if isinstance(closing, Closing):
            beside = closing.prev == cancel.prev or isinstance(closing, CloseTally)
            return closing.query == cancel.query and beside
        case _:
            return False


def equivocated(kind: Kind) -> Fault:
    """Return the fault of a requester that is convicted of two messages for its slot of this kind: it voids a round."""
    return Fault(FaultReason.EQUIVOCATION, "R16" if kind is Kind.CANCEL else "R2", kind.name)


def accuse(keypair: Keypair, network: Digest, one: VerifiedMessage, other: VerifiedMessage) -> VerifiedMessage:
    """Seal evidence from two messages that contradict each other."""
    first, second = sorted((one, other), key=lambda message: message.id)
    body = EquivocationProof(author=keypair.public, first=first.envelope, second=second.envelope)
    return seal(keypair, network, body)


def examine(message: VerifiedMessage, network: Digest) -> Slot | Fault:
    """Return the slot that a piece of evidence proves to be filled twice, or the fault WRONG_EVIDENCE.

    For a cancel beside a closing it is the cancel's.
    """
    if not isinstance(message.body, EquivocationProof):
        return Fault(FaultReason.WRONG_EVIDENCE, "R3", "not evidence")
    first = open_envelope(message.body.first, network)
    second = open_envelope(message.body.second, network)
    if isinstance(first, Fault) or isinstance(second, Fault):
        return Fault(FaultReason.WRONG_EVIDENCE, "R3", "holds a message that does not verify")
    if not contradicts(first, second) or first.id >= second.id:
        return Fault(FaultReason.WRONG_EVIDENCE, "R3", "not two messages that contradict each other, lower id first")
    slot = slot_of(second if isinstance(second.body, Cancel) else first)
    assert slot is not None, "what contradicts another message fills a slot"
    if isinstance(first.body, Notice):
        return Fault(FaultReason.WRONG_EVIDENCE, "R3", "notices only inform")
    return slot
