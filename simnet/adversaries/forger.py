"""Forger: sends messages in other nodes' names."""

from collections.abc import Sequence
from hashlib import blake2b

from protocol import codec
from protocol.hashing import message_id, message_preimage
from protocol.limits import SIGNATURE_BYTES
from protocol.messages import CloseCommits, CloseSlate, Commit, Cosign, EquivocationProof, Message, Query
from protocol.params import NetworkParams
from protocol.signing import Keypair, VerifiedMessage
from protocol.topics import topic
from protocol.types import Digest, Key, Objection
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour, Frame, Stream

VICTIMS = 5
"""Members of each round in whose name it sends: forging for all would be the flooder's part."""


class Forger(Behaviour):
    """Contributions of its victims under its own signature, and evidence that they equivocated."""

    KIND = "forger"
    query: Query | None = None

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """Forge a phase's messages when the phase begins."""
        match message.body:
            case Query() as query:
                self.query = query
                return [
                    Stream(query.author, forge(context, _commit(victim, message.id, "one")))
                    for victim in _victims(query, context.keypair)
                ]
            case CloseCommits() as closing if self.query is not None:
                return [
                    self._accuse(context, self.query, victim, closing)
                    for victim in _victims(self.query, context.keypair)
                ]
            case CloseSlate() as closing if self.query is not None:
                forged = (
                    Cosign(author=victim, query=closing.query, on=message.id, objection=Objection.MISMATCH)
                    for victim in _victims(self.query, context.keypair)
                )
                on = _topic(context.params, self.query)
                return [Frame(on, context.keypair.public, forge(context, each)) for each in forged]
            case _:
                return ()

    def _accuse(self, context: AdversaryContext, query: Query, victim: Key, closing: CloseCommits) -> Frame:
        """Forge evidence from two commitments of the victim, both made here."""
        bodies = [_commit(victim, closing.query, word) for word in ("one", "other")]
        forged = sorted((forge(context, body) for body in bodies), key=lambda each: _id(context.params, each))
        evidence = EquivocationProof(author=context.keypair.public, first=forged[0], second=forged[1])
        sealed = codec.encode(evidence)
        signature = context.keypair.sign(message_preimage(context.params.digest, EquivocationProof.KIND, sealed))
        data = bytes((EquivocationProof.KIND,)) + signature + sealed
        return Frame(_topic(context.params, query), context.keypair.public, data)


def forge(context: AdversaryContext, body: Message) -> bytes:
    """Return an envelope that names another author, signed with the forger's key."""
    raw = codec.encode(body)
    signature = context.keypair.sign(message_preimage(context.params.digest, body.KIND, raw))
    return bytes((body.KIND,)) + signature + raw


def _victims(query: Query, own: Keypair) -> list[Key]:
    """Return the first members of the roster."""
    return [seat.member for seat in query.roster if seat.member not in (own.public, query.author)][:VICTIMS]


def _commit(victim: Key, query: Digest, word: str) -> Commit:
    commitment = Digest(blake2b(word.encode(), digest_size=32).digest())
    return Commit(author=victim, query=query, on=query, commitment=commitment)


def _id(params: NetworkParams, envelope: bytes) -> Digest:
    return message_id(message_preimage(params.digest, Commit.KIND, envelope[1 + SIGNATURE_BYTES :]))


def _topic(params: NetworkParams, query: Query) -> str:
    return topic(params, query.specialty, query.shard)
