"""How nodes hand each other a round's messages over streams, whatever carries them (R10, R12, R13).

The daemon, the simulator and the tests' swarm differ in transport, disk and time. What a reply means, who is asked
next, which query is worked on and which call of a participant takes a reply are decided here, once.
"""

from dataclasses import dataclass
from typing import Final

from consensus.rounds import effects as fx
from consensus.rounds.events import Delivered
from consensus.rounds.participant import Participant
from consensus.rounds.validation import Admitted, guarded_until_ms
from protocol import codec
from protocol.errors import Fault, FaultReason
from protocol.hashing import certificate_digest
from protocol.messages import Contribution, PullRequest, Query
from protocol.params import NetworkParams
from protocol.signing import VerifiedMessage
from protocol.types import Digest, Key

NO_ROOM: Final = FaultReason.BUSY.encode()
"""Reply to a contribution or a query that was not looked at, or could not be queued: try another way, or again."""

# -- contributions (R10) -----------------------------------------------------------------------------------------------


def reply_to_contribution(admitted: Admitted | Fault) -> bytes:
    """Return what a requester replies to a contribution: empty if it has it, now or from before, else why not."""
    if isinstance(admitted, Fault) and admitted.reason is not FaultReason.DUPLICATE:
        return str(admitted.reason).encode()
    return b""


@dataclass(frozen=True, slots=True)
class Handover:
    """What follows from a requester's reply to a contribution, or from its silence."""

    query: Digest
    gossip: bool
    """Whether the contribution is to be gossiped instead: its requester was not reached, or had no room."""
    delivered: Delivered | None
    """What the member's round is told. None: the requester refused it, and would again."""


def hand_over(message: VerifiedMessage, reply: bytes | None) -> Handover:
    """Read a requester's reply to this contribution. None: no reply came within ACKNOWLEDGE_MS."""
    assert isinstance(message.body, Contribution)
    gossip = reply is None or reply == NO_ROOM
    taken = gossip or not reply
    return Handover(message.body.query, gossip, Delivered(message.id, acknowledged=not gossip) if taken else None)


# -- pulls and certificates (R13) --------------------------------------------------------------------------------------


def pull_request(pull: fx.Pull) -> bytes:
    """Return the request that each source of a pull gets."""
    return codec.encode(PullRequest(query=pull.query, ids=pull.ids))


def pull_sources(pull: fx.Pull, own: Key) -> tuple[Key, ...]:
    """Return whom to ask, in this order, each for PULL_SOURCE_MS: all sources but ourselves.

    The next is asked where one gives no reply, or one that `Participant.on_pull_reply` finds to be a Fault. After the
    last nothing more is done: the round's machine asks again in time.
    """
    return tuple(source for source in pull.sources if source != own)


def is_announced(fetch: fx.FetchCertificate, raw: bytes) -> bool:
    """Whether a source served the certificate that was announced; if not, the next one is asked."""
    return len(raw) <= fetch.bytes_max and certificate_digest(raw) == fetch.digest


# -- queries (V6, R12) -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sighting:
    """A query that this life of the node sees for the first time: an earlier life may have seen it."""

    query: Digest
    expires_ms: int
    """Until when it must be remembered."""


def sighting(params: NetworkParams, admitted: Admitted, now_ms: int) -> Sighting | None:
    """Return what must be written down, before the message is acted upon, in what survives a restart.

    None: the message is no query. If the query is written there already, or cannot be, it must not be worked on:
    `pass_over` it instead of giving it to `Participant.on_admitted`.
    """
    if not isinstance(admitted.message.body, Query):
        return None
    return Sighting(admitted.message.id, guarded_until_ms(params, now_ms))


def pass_over(participant: Participant, query: Digest) -> None:
    """Do not work on a query that was let in: its replies say that we do not, its messages are for others."""
    participant.validator.close(query)


# -- probes (R11) ------------------------------------------------------------------------------------------------------


def on_probe_reply(
    participant: Participant, probe: fx.Probe, reply: bytes, sent_ms: int, now_ms: int
) -> list[fx.Effect]:
    """Give a participant what a seat replied to its Probe: a pong where it was a ping, else a word about the query."""
    if probe.message is None:
        return participant.on_pong(probe.query, probe.member, reply, sent_ms, now_ms)
    return participant.on_query_reply(probe.query, probe.member, reply, now_ms)
