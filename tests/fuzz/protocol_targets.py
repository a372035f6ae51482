"""Messages and certificates: bytes as they come, and bodies that their authors did sign."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache

import msgpack
from hypothesis import strategies as st

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.steps import StepState
from consensus.certificates.versions import verify_in_steps
from consensus.rounds.participant import Participant
from protocol import codec
from protocol.certificate import Certificate
from protocol.errors import REJECTED, Fault, FaultReason
from protocol.hashing import message_id, message_preimage
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.messages import MESSAGE_TYPES, Query
from protocol.signing import VerifiedMessage, open_envelope, seal
from protocol.topics import topic
from protocol.types import Digest, Kind
from simnet.audit import Audited, audit
from tests.fuzz.target import One, Target
from tests.support.samples import KEYPAIR, samples
from tests.support.schemas import instances
from tests.support.swarm import Swarm, keypair, params

PARAMS = params("devnet")
SIGNED = 0x00
"""A first byte that is no kind: what follows is a kind and a body, which the harness signs as the samples' author."""

OF_BYTES = frozenset(
    {
        FaultReason.TOO_LARGE,
        FaultReason.MALFORMED,
        FaultReason.NOT_CANONICAL,
        FaultReason.UNKNOWN_KIND,
        FaultReason.BAD_SIGNATURE,
    }
)


# -- envelopes ---------------------------------------------------------------------------------------------------------


def signed(kind: int, body: bytes) -> bytes:
    """An envelope of these bytes by the samples' author, whether they are a message or not."""
    kind = 1 + (kind - 1) % len(MESSAGE_TYPES)
    signature = KEYPAIR.sign(message_preimage(PARAMS.digest, Kind(kind), body))
    return bytes((kind,)) + signature + body


@asynccontextmanager
async def open_admission() -> AsyncIterator[One]:
    """Open an envelope, and give what opens to a node: validator and round machines."""
    participant = Participant(keypair("a"), PARAMS)
    query = samples()[Kind.QUERY]
    assert isinstance(query, Query)
    on, now_ms = topic(PARAMS, query.specialty, query.shard), query.sent_at_ms

    async def one(data: bytes) -> None:
        envelope = signed(data[1], data[2:]) if len(data) > 2 and data[0] == SIGNED else data
        opened = open_envelope(envelope, PARAMS.digest)
        if isinstance(opened, Fault):
            assert opened.reason in OF_BYTES and opened.reason in REJECTED, opened
            source = KEYPAIR.public
        else:
            assert isinstance(opened, VerifiedMessage) and codec.encode(opened.body) == envelope[65:]
            source = opened.author
        for admitted in (
            participant.validator.admit_gossip(on, source, envelope, now_ms),
            participant.validator.admit_stream(source, envelope, now_ms),
        ):
            assert not (isinstance(opened, Fault) and admitted != opened)
            if not isinstance(admitted, Fault):
                participant.on_admitted(admitted, now_ms)
        participant.tick(now_ms)

    yield one


def envelope_seeds() -> Sequence[bytes]:
    """Each kind as its author signs it, and as a body that the harness signs anew."""
    bodies = [replace(body) for body in samples().values()]
    envelopes = [seal(KEYPAIR, PARAMS.digest, body).envelope for body in bodies]
    return [*envelopes, *(bytes((SIGNED, envelope[0])) + envelope[65:] for envelope in envelopes)]


FIELDS = sorted({name for body in samples().values() for name in msgpack.unpackb(codec.encode(body))})
MSGPACK = [bytes((first,)) for first in (0x80, 0x90, 0xA0, 0xC0, 0xC4, 0xC5, 0xC6, 0xCF, 0xD3, 0xDC, 0xDD, 0xDE, 0xDF)]

envelopes = st.one_of(
    *(
        instances(schema).map(
            lambda body, kind=kind: bytes((SIGNED, kind)) + codec.encode(replace(body, author=KEYPAIR.public))
        )
        for kind, schema in MESSAGE_TYPES.items()
    )
)

ENVELOPE = Target(
    name="envelope",
    open=open_admission,
    seeds=envelope_seeds,
    tokens=[*MSGPACK, *(codec_name.encode() for codec_name in FIELDS), KEYPAIR.public, b"\xff" * 32],
    structured=envelopes,
)


# -- certificates ------------------------------------------------------------------------------------------------------

LISTS = ("closings", "answers", "ballots", "evidence", "cosigns")
NAMES = "abc"
STEPS_MAX = 12
"""steps of one program: more of them only undo each other."""


@cache
def certificates() -> tuple[bytes, ...]:
    """Rounds of one swarm: with riders, with all contributions apart, and another query of the same members."""
    made = []
    for network, nonce in ((params(), b"n"), (replace(params(), ride_along_bytes_max=0), b"n"), (params(), b"o")):
        swarm = Swarm(NAMES, network)
        swarm.ask(nonce=nonce * 32)
        swarm.run()
        assert swarm.certificate is not None
        made.append(swarm.certificate)
    return tuple(made)


@asynccontextmanager
async def open_verifier() -> AsyncIterator[One]:
    """Verify. What is taken must be a round's own bytes, or hold in the independent reading too."""
    own = frozenset(certificates())
    bases = [_decoded(raw) for raw in certificates()]
    held = [verify_certificate(raw) for raw in certificates()]  # so that what is as in them need not be computed anew
    assert all(isinstance(each, VerifiedCertificate) for each in held)

    async def one(data: bytes) -> None:
        program = data[:1] != b"" and data[0] < len(bases)
        raw = _recomposed(bases, data[0], data[1:]) if program else data
        verified = verify_certificate(raw)
        read, steps = verify_in_steps(raw)
        assert isinstance(read, Fault) is isinstance(verified, Fault), f"verified: {verified}, read: {read}"
        is_broken = any(each.state is StepState.FAILED for each in steps)
        assert is_broken is isinstance(verified, Fault), f"verified: {verified}, steps: {steps}"
        if isinstance(verified, Fault):
            return
        assert isinstance(verified, VerifiedCertificate)
        assert program or raw in own, "a changed certificate was taken"
        audited = audit(raw)
        assert isinstance(audited, Audited), f"taken, but {audited}"
        assert audited.winner == verified.ranking.ranked[0].answer

    yield one


def _decoded(raw: bytes) -> Certificate:
    certificate = codec.decode(Certificate, raw, bytes_max=CERTIFICATE_BYTES_MAX)
    assert isinstance(certificate, Certificate)
    return certificate


def _recomposed(bases: Sequence[Certificate], base: int, program: bytes) -> bytes:
    """A certificate whose parts were dropped, repeated, moved, borrowed, or changed and signed anew: 4 bytes a step."""
    lists = {name: list(getattr(bases[base], name)) for name in LISTS}
    network = bases[base].params.digest
    for at in range(0, min(len(program) - 3, 4 * STEPS_MAX), 4):
        what, which, index, value = program[at : at + 4]
        held = lists[LISTS[which % len(LISTS)]]
        match what % 6:
            case 0 if held:
                del held[index % len(held)]
            case 1 if held:
                held.insert(value % (len(held) + 1), held[index % len(held)])
            case 2:
                lender = getattr(bases[value % len(bases)], LISTS[(which // len(LISTS)) % len(LISTS)])
                held.extend(lender[index % len(lender) : index % len(lender) + 1] if lender else ())
            case 3 if held:
                held[index % len(held)] = _signed_anew(held[index % len(held)], value, program[at:], network)
            case 4:
                held.sort()
            case _:
                held.sort(key=lambda envelope: _id(envelope, network))
    changed = {name: tuple(held[:500]) for name, held in lists.items()}
    try:
        return codec.encode(replace(bases[base], **changed))
    except codec.EncodingError:
        return b""  # more parts than the schema has room for


def _id(envelope: bytes, network: Digest) -> bytes:
    return message_id(message_preimage(network, Kind(envelope[0]), envelope[65:]))


def _signed_anew(envelope: bytes, at: int, noise: bytes, network: Digest) -> bytes:
    """The message with one byte of its body changed, under a signature of its author, who is a node of the swarm."""
    body = bytearray(envelope[65:])
    body[(at * 7 + len(noise)) % len(body)] ^= 1 << noise[0] % 8
    for name in NAMES:
        if keypair(name).public in envelope:
            preimage = message_preimage(network, Kind(envelope[0]), bytes(body))
            return envelope[:1] + keypair(name).sign(preimage) + bytes(body)
    return envelope[:65] + bytes(body)


def certificate_seeds() -> Sequence[bytes]:
    """The certificates, and programs that change them."""
    return [
        *certificates(),
        b"\x00",
        b"\x01\x00\x04\x00\x00",
        b"\x01\x03\x00\x03\x09\x05\x00\x00\x00",
        b"\x02\x02\x07\x01\x00",
    ]


steps = st.tuples(*(st.integers(0, 255) for _ in range(4))).map(bytes)

CERTIFICATE = Target(
    name="certificate",
    open=open_verifier,
    seeds=certificate_seeds,
    tokens=[*MSGPACK, *(name.encode() for name in (*LISTS, "query", "params", "turns", "role", "text", "version"))],
    structured=st.tuples(st.integers(0, 2), st.lists(steps, max_size=6)).map(lambda p: bytes((p[0],)) + b"".join(p[1])),
)
