"""Slots and equivocation (rule R3): one message for each slot; two that differ are evidence against their author."""

from typing import NamedTuple

from consensus.certificates.frozen.wire_1_hbt_2_forms_1_draws_1.protocol.errors import Fault, FaultReason
from consensus.certificates.frozen.wire_1_hbt_2_forms_1_draws_1.protocol.limits import WAVES_MAX
from consensus.certificates.frozen.wire_1_hbt_2_forms_1_draws_1.protocol.messages import Ballot, CloseWave, Decline, EquivocationProof, Notice, Offer, Query
from consensus.certificates.frozen.wire_1_hbt_2_forms_1_draws_1.protocol.signing import Keypair, VerifiedMessage, open_envelope, seal
from consensus.certificates.frozen.wire_1_hbt_2_forms_1_draws_1.protocol.types import DeclinedPhase, Digest, Key, Kind


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


def accuse(keypair: Keypair, network: Digest, one: VerifiedMessage, other: VerifiedMessage) -> VerifiedMessage:
    """Seal evidence from two different messages of one slot."""
    first, second = sorted((one, other), key=lambda message: message.id)
    body = EquivocationProof(author=keypair.public, first=first.envelope, second=second.envelope)
    return seal(keypair, network, body)


def examine(message: VerifiedMessage, network: Digest) -> Slot | Fault:
    """Return the slot that a piece of evidence proves to be filled twice, or the fault WRONG_EVIDENCE."""
    if not isinstance(message.body, EquivocationProof):
        return Fault(FaultReason.WRONG_EVIDENCE, "R3", "not evidence")
    first = open_envelope(message.body.first, network)
    second = open_envelope(message.body.second, network)
    if isinstance(first, Fault) or isinstance(second, Fault):
        return Fault(FaultReason.WRONG_EVIDENCE, "R3", "holds a message that does not verify")
    slot = slot_of(first)
    if slot is None or slot != slot_of(second) or first.id >= second.id:
        return Fault(FaultReason.WRONG_EVIDENCE, "R3", "not two different messages of one slot, lower id first")
    if isinstance(first.body, Notice):
        return Fault(FaultReason.WRONG_EVIDENCE, "R3", "notices only inform")
    return slot
