"""Signs, repeats and sends a member's contributions, and pulls the messages that it lacks (rules R12, R13)."""

from dataclasses import replace

from consensus.certificates.evidence import Slot, slot_of
from consensus.rounds.effects import Contribute, Effect, Journal, Pull
from consensus.rounds.membership import Member, MemberTransition
from consensus.rounds.objections import Sent
from protocol.messages import Contribution
from protocol.signing import VerifiedMessage, seal
from protocol.types import Digest, Kind


def contribute(state: Member, body: Contribution, secret: bytes = b"") -> MemberTransition:
    """Sign a contribution and send it. `secret`: see `Journal`."""
    state, effects = signed(state, body, secret)
    return MemberTransition(state, effects)


def signed(state: Member, body: Contribution, secret: bytes = b"") -> tuple[Member, tuple[Effect, ...]]:
    """R12: journal, then send; a slot that was filled before a restart is repeated, never filled anew."""
    message = seal(state.keypair, state.record.params.digest, body)
    slot = slot_of(message)
    assert slot is not None
    before = state.restored.messages.get(slot)
    if before is not None:
        repeated = repeat(state, before)
        return repeated.state, repeated.effects
    state = remember(state, slot, message)
    return state, (Journal(slot, message, secret), _send(state, message))


def repeat(state: Member, before: VerifiedMessage) -> MemberTransition:
    """R12: repeat the bytes from before a restart if they act on this chain; else stay silent."""
    slot = slot_of(before)
    assert slot is not None and isinstance(before.body, Contribution)
    if before.body.on != state.record.head:
        return MemberTransition(state)
    state = remember(state, slot, before)
    return MemberTransition(state, (_send(state, before),))


def _send(state: Member, message: VerifiedMessage) -> Contribute:
    private = state.record.is_private and message.kind is Kind.ANSWER
    return Contribute(state.record.query.author, state.record.topic, message, private)


def remember(state: Member, slot: Slot, message: VerifiedMessage) -> Member:
    """Keep a sent message, for R10 and for closings that name it without carrying it."""
    sent = {**state.sent, slot: Sent(message)}
    return replace(state, sent=sent, pool={**state.pool, message.id: message})


def pull(state: Member, ids: tuple[Digest, ...]) -> Pull:
    """R13: ask the requester first, then other members in the roster's order after our own seat."""
    requester = state.record.query.author
    members = list(state.record.seats)
    ours = members.index(state.key)
    others = [key for key in (*members[ours + 1 :], *members[:ours]) if key != requester]
    return Pull(state.record.id, ids, (requester, *others))
