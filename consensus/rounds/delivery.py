"""Rules for handing over a round's messages by stream, on any transport (R10, R12, R13).

The daemon, the simulator and the tests' swarm differ in transport, disk and time. The rules are here, once: the meaning
of a reply, the next source to ask, the queries to work on, and the call of a participant that takes a reply.
"""

from dataclasses import dataclass
from typing import Final

from consensus.rounds import effects as fx
from consensus.rounds.backoff import Backoff
from consensus.rounds.events import Delivered
from consensus.rounds.participant import Participant
from consensus.rounds.validation import Admitted, guarded_until_ms
from protocol import codec
from protocol.certificate import Certificate
from protocol.errors import Fault, FaultReason
from protocol.hashing import certificate_digest
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.messages import Contribution, Query
from protocol.params import NetworkParams
from protocol.signing import VerifiedMessage, open_envelope
from protocol.streams import PullRequest
from protocol.types import Digest, Key

NO_ROOM: Final = FaultReason.BUSY.encode()
"""Reply to a contribution or a query that was not checked or could not be queued: try another way, or again."""

STREAM_TRIES_MAX: Final = 4
"""Times that a private contribution is sent: with pauses and ACKNOWLEDGE_MS each, the ten seconds that members
usually have to open their answers."""

STREAM_PAUSES_MS: Final = Backoff(250, 1_000)
"""Milliseconds before it is sent again: a requester that has no room, or that redials, needs some hundred."""

# -- contributions (R10) -----------------------------------------------------------------------------------------------


def reply_to_contribution(admitted: Admitted | Fault) -> bytes:
    """Return a requester's reply to a contribution: empty if it has it, now or from before, else the reason."""
    if isinstance(admitted, Fault) and admitted.reason is not FaultReason.DUPLICATE:
        return str(admitted.reason).encode()
    return b""


@dataclass(frozen=True, slots=True)
class Handover:
    """The consequences of a requester's reply to a contribution, or of its silence."""

    query: Digest
    gossip: bool
    """Whether to gossip the contribution instead: its requester was not reached, or had no room."""
    delivered: Delivered | None
    """The event for the member's round. None: the requester refused it, and would again, or was not reached."""
    again_ms: int | None = None
    """Milliseconds after which to send it by stream again; None: it is not."""


def hand_over(sent: fx.Contribute, reply: bytes | None, tries: int = 1) -> Handover:
    """Read a requester's reply to a contribution that was sent so often. None: no reply came within ACKNOWLEDGE_MS.

    What is private is not gossiped. So nobody can prove later that the requester could have had it, and it counts
    as delivered only when it is acknowledged (R10).
    """
    message = sent.message
    assert isinstance(message.body, Contribution)
    missed = reply is None or reply == NO_ROOM
    if missed and sent.private:
        again_ms = STREAM_PAUSES_MS.pause(tries) if tries < STREAM_TRIES_MAX else None
        return Handover(message.body.query, gossip=False, delivered=None, again_ms=again_ms)
    taken = missed or not reply
    return Handover(message.body.query, missed, Delivered(message.id, acknowledged=not missed) if taken else None)


# -- pulls and certificates (R13) --------------------------------------------------------------------------------------


def pull_request(pull: fx.Pull) -> bytes:
    """Return the request that each source of a pull gets."""
    return codec.encode(PullRequest(query=pull.query, ids=pull.ids))


def pull_sources(pull: fx.Pull, own: Key) -> tuple[Key, ...]:
    """Return the sources to ask, in this order, each for PULL_SOURCE_MS: all except ourselves.

    Ask the next one if a source gives no reply, or one that is a Fault to `Participant.on_pull_reply`. After the last
    do nothing more: the round's machine asks again in time.
    """
    return tuple(source for source in pull.sources if source != own)


def is_announced(fetch: fx.FetchCertificate, raw: bytes) -> bool:
    """Whether a source served the announced certificate; if not, ask the next one."""
    return len(raw) <= fetch.bytes_max and certificate_digest(raw) == fetch.digest


def may_fetch(query: Query, source: Key) -> bool:
    """Whether a node may have a round's certificate: that of a private query is for its asker and members alone.

    It holds the answers, which may quote the query. The round's id, by which it is asked for, is known to everybody.
    """
    return bool(query.turns) or source == query.author or any(seat.member == source for seat in query.roster)


def query_of(certificate: bytes) -> Query | None:
    """Return the query in a stored certificate, unverified; None: it has none that we can read."""
    decoded = codec.decode(Certificate, certificate, bytes_max=CERTIFICATE_BYTES_MAX)
    message = None if isinstance(decoded, Fault) else open_envelope(decoded.query, decoded.params.digest)
    return message.body if isinstance(message, VerifiedMessage) and isinstance(message.body, Query) else None


# -- queries (V6, R12) -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sighting:
    """A query that the node sees for the first time since its start; it may have seen it before a restart."""

    query: Digest
    expires_ms: int
    """Time until which it must be remembered."""


def sighting(params: NetworkParams, admitted: Admitted, now_ms: int) -> Sighting | None:
    """Return the record to store, before acting on the message, where it survives a restart.

    None: the message is no query. If the query is stored there already, or cannot be stored, do not work on it: call
    `pass_over` instead of `Participant.on_admitted`.
    """
    if not isinstance(admitted.message.body, Query):
        return None
    return Sighting(admitted.message.id, guarded_until_ms(params, now_ms))


def pass_over(participant: Participant, query: Digest) -> None:
    """Refuse to work on an admitted query: replies to it say so, and its messages are for others."""
    participant.validator.close(query)


# -- probes (R11) ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProbeReply:
    """A seat's reply to a Probe, with its time by our clock, ms."""

    probe: fx.Probe
    reply: bytes
    sent_ms: int
    came_ms: int


def on_probe_reply(participant: Participant, replied: ProbeReply, now_ms: int) -> list[fx.Effect]:
    """Give a participant a seat's reply: a pong if the probe was a ping, otherwise a reply to the query."""
    probe = replied.probe
    if probe.message is None:
        return participant.on_pong(probe.query, probe.member, replied.reply, replied.sent_ms, replied.came_ms)
    return participant.on_query_reply(probe.query, probe.member, replied.reply, now_ms)
