"""What a certificate shows, and that no byte of it can be changed."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.rounds.effects import Contribute, Effect
from protocol import codec
from protocol.certificate import Certificate
from protocol.conversation import single
from protocol.errors import Fault, FaultReason
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.messages import Commit, Cosign
from protocol.params import NetworkParams
from protocol.recall import forgetting
from protocol.signing import VerifiedMessage, open_envelope, seal
from protocol.topics import topic
from protocol.types import ONE, Digest, Key, Kind, Objection, Outcome
from protocol.versions import WIRE
from tests.support.effort import cases
from tests.support.hand import Hand
from tests.support.swarm import Interceptor, Node, Swarm, keypair, params
from tests.transcripts.test_rounds import drop

APART = replace(params(), ride_along_bytes_max=0)
"""Nothing rides along, so that the certificate holds every contribution by itself."""


EVERY = CERTIFICATE_BYTES_MAX
"""bytes of a certificate, all of them"""


@pytest.fixture(autouse=True)
def a_stranger() -> Iterator[None]:
    """Certificates are read by who has nothing but their bytes: what their makers still hold must not help."""
    with forgetting():
        yield


@dataclass(frozen=True)
class Made:
    """A certificate of a round, and the swarm that made it."""

    swarm: Swarm
    raw: bytes
    certificate: Certificate

    def open(self, envelope: bytes) -> VerifiedMessage:
        message = open_envelope(envelope, self.certificate.params.digest)
        assert isinstance(message, VerifiedMessage)
        return message

    def verify(self, **changes: Any) -> VerifiedCertificate | Fault:
        return verify_certificate(codec.encode(replace(self.certificate, **changes)))

    def refused(self, **changes: Any) -> FaultReason:
        result = self.verify(**changes)
        assert isinstance(result, Fault), "a changed certificate was taken"
        return result.reason


def make(names: str, network: NetworkParams, interceptors: dict[str, Interceptor], **changes: object) -> Made:
    swarm = Swarm(names, network)
    swarm.interceptors.update(interceptors)
    swarm.ask(**changes)
    swarm.run()
    assert swarm.certificate is not None
    certificate = codec.decode(Certificate, swarm.certificate, bytes_max=CERTIFICATE_BYTES_MAX)
    assert isinstance(certificate, Certificate)
    return Made(swarm, swarm.certificate, certificate)


@pytest.fixture(scope="module")
def compact() -> Made:
    """Two waves of five members, all contributions in the closings."""
    return make("abcde", params(), {}, waves=(1, 2))


@pytest.fixture(scope="module")
def apart() -> Made:
    """Four members, all contributions beside the closings."""
    return make("abcd", APART, {})


@pytest.fixture(scope="module")
def accused() -> Made:
    """Five members, of which one sends two commitments; `a` finds them, and the evidence stands apart."""
    return make("abcde", APART, {"e": equivocate("a")})


def equivocate(listeners: str) -> Interceptor:
    """Two commitments of `e`, both told to these."""

    def intercept(world: Swarm, _node: Node, effect: Effect) -> list[Effect] | None:
        if not isinstance(effect, Contribute) or not isinstance(effect.message.body, Commit):
            return None
        second = seal(keypair("e"), world.params.digest, replace(effect.message.body, commitment=Digest(b"x" * 32)))
        for listener in listeners:
            for message in (effect.message, second):
                world.gossip(world.nodes[listener], topic(world.params, "rust", 0), message)
        return []

    return intercept


# -- what holds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", ["compact", "apart", "accused"])
def test_it_holds_and_is_canonical(made: str, request: pytest.FixtureRequest) -> None:
    each: Made = request.getfixturevalue(made)
    verified = verify_certificate(each.raw)
    assert isinstance(verified, VerifiedCertificate)
    assert verified.ranking.outcome is Outcome.DECIDED and verified.full
    assert verified.turns == single("Which?")
    assert codec.encode(each.certificate) == each.raw


def test_removed_members_are_shown(accused: Made) -> None:
    verified = verify_certificate(accused.raw)
    assert isinstance(verified, VerifiedCertificate)
    assert accused.swarm.names(verified.record.removed) == "e"
    assert accused.swarm.names(verified.cosigners) == "a b c d"
    assert keypair("e").public not in {each.author for each in verified.ranking.ranked}


def test_unopened_commitments_are_shown() -> None:
    made = make("abcde", params(), {"c": drop(Kind.ANSWER), "d": drop(Kind.ANSWER)})
    verified = verify_certificate(made.raw)
    assert isinstance(verified, VerifiedCertificate)
    assert made.swarm.names(verified.unopened) == "c d"
    assert made.swarm.names(each.author for each in verified.ranking.ranked) == "a b e"


def test_the_content_of_a_private_query() -> None:
    """Its holder may add the text; another text is refused, and so is a second copy of a public one."""
    made = make("abcd", params(), {}, turns=())
    for turns in ((), single("Which?")):
        verified = made.verify(turns=turns)
        assert isinstance(verified, VerifiedCertificate) and verified.turns == turns
    assert made.refused(turns=single("What?")) is FaultReason.SURPLUS


def test_content_beside_a_public_query(compact: Made) -> None:
    assert compact.refused(turns=single("Which?")) is FaultReason.SURPLUS


# -- every byte --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "count"), [("apart", cases(800, fast=200, soak=EVERY)), ("compact", cases(250, fast=100, soak=EVERY))]
)
def test_every_byte_matters(made: str, count: int, request: pytest.FixtureRequest) -> None:
    """Each byte changed in its lowest bit, and some in others: never taken, never an exception.

    `make test-soak` tries all bytes; other runs try evenly spaced ones, which are others each time.
    """
    raw = request.getfixturevalue(made).raw
    step = max(1, len(raw) // count)
    for at in range(secrets.randbelow(step), len(raw), step):
        for mask in (0x01,) if at % 5 else (0x01, 0x80, 0xFF):
            forged = raw[:at] + bytes((raw[at] ^ mask,)) + raw[at + 1 :]
            assert isinstance(verify_certificate(forged), Fault), f"byte {at} of {len(raw)} xor {mask:#x}"


def test_every_truncation_is_refused(compact: Made) -> None:
    for end in range(0, len(compact.raw), 7):
        assert isinstance(verify_certificate(compact.raw[:end]), Fault)
    assert isinstance(verify_certificate(compact.raw + b"\x00"), Fault)


# -- what is left out, altered, added ----------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["answers", "ballots"])
def test_a_contribution_dropped(apart: Made, field: str) -> None:
    held = getattr(apart.certificate, field)
    assert len(held) == 4
    for index in range(4):
        assert apart.refused(**{field: held[:index] + held[index + 1 :]}) is FaultReason.MISSING


def test_evidence_dropped(accused: Made) -> None:
    assert len(accused.certificate.evidence) == 1
    assert accused.refused(evidence=()) is FaultReason.MISSING


@pytest.mark.parametrize("field", ["answers", "ballots", "cosigns"])
def test_contributions_out_of_order_or_twice(apart: Made, field: str) -> None:
    held = getattr(apart.certificate, field)
    assert apart.refused(**{field: held[::-1]}) is FaultReason.UNSORTED
    assert apart.refused(**{field: (held[0], *held)}) is FaultReason.UNSORTED


def test_surplus(apart: Made) -> None:
    """A certificate carries nothing that its closings do not name, however true it is."""
    hand = Hand("abcd", APART)
    strangers = {
        "answers": hand.seal("b", replace(apart.open(apart.certificate.answers[0]).body, salt=b"z" * 32)),
        "ballots": hand.seal("b", replace(apart.open(apart.certificate.ballots[0]).body, wave=1)),
        "evidence": hand.evidence("b", *hand.equivocation("c")),
    }
    for field, stranger in strangers.items():
        held = (*getattr(apart.certificate, field), stranger.envelope)
        changed = tuple(sorted(held, key=lambda envelope: apart.open(envelope).id))
        assert apart.refused(**{field: changed}) is FaultReason.SURPLUS


@pytest.mark.parametrize(("field", "other"), [("answers", "ballots"), ("ballots", "answers"), ("answers", "evidence")])
def test_a_contribution_in_the_list_of_another_kind(apart: Made, field: str, other: str) -> None:
    """Found by fuzzing: it was taken, so that a round had several certificates that say the same."""
    held = getattr(apart.certificate, field)
    moved = sorted((*getattr(apart.certificate, other), held[0]), key=lambda envelope: apart.open(envelope).id)
    assert apart.refused(**{field: held[1:], other: tuple(moved)}) is FaultReason.SURPLUS


def test_what_rides_along_is_not_written_twice(compact: Made) -> None:
    """Nor may it be: a round has one certificate for each set of co-signatures."""
    assert compact.certificate.answers == compact.certificate.ballots == ()
    slate: Any = compact.open(compact.certificate.closings[1]).body
    assert compact.refused(answers=(slate.ride_along[0],)) is FaultReason.SURPLUS


def test_a_cosignature_that_names_another_query(apart: Made) -> None:
    """Its slot would be another than that of a member's objection."""
    held = [apart.open(envelope) for envelope in apart.certificate.cosigns]
    stray = seal(keypair("b"), APART.digest, replace(held[0].body, author=keypair("b").public, query=bytes(32)))
    kept = [message for message in held if message.author != stray.author]
    ordered = sorted((*kept, stray), key=lambda message: message.id)
    assert apart.refused(cosigns=tuple(message.envelope for message in ordered)) is FaultReason.WRONG_CHAIN


def test_a_contribution_of_another_round(apart: Made) -> None:
    """Swapped for one that says the same elsewhere: its id is not the one that the closing names."""
    other = make("abcd", APART, {}, nonce=b"o" * 32)
    ballots = other.certificate.ballots
    assert apart.refused(ballots=ballots) is FaultReason.MISSING


def test_a_query_of_another_round(apart: Made) -> None:
    """Any weight, seat or budget altered makes another query, on which this chain does not stand."""
    query: Any = apart.open(apart.certificate.query).body
    seats = (replace(query.roster[0], judge_weight=2 * ONE), *query.roster[1:])
    for changed in (replace(query, roster=seats), replace(query, threshold=1), replace(query, nonce=b"o" * 32)):
        envelope = seal(keypair("a"), APART.digest, changed).envelope
        assert apart.refused(query=envelope) is FaultReason.WRONG_CHAIN


def test_a_weight_altered_under_the_old_signature(apart: Made) -> None:
    query = apart.certificate.query
    weight = b"judge_weight\xce" + ONE.to_bytes(4, "big")
    assert query.count(weight) == 4
    forged = query.replace(weight, weight[:-4] + (2 * ONE).to_bytes(4, "big"), 1)
    assert apart.refused(query=forged) is FaultReason.BAD_SIGNATURE


def test_signatures_swapped(apart: Made) -> None:
    one, other, *rest = apart.certificate.cosigns
    swapped = one[:1] + other[1:65] + one[65:]
    assert apart.refused(cosigns=(swapped, other, *rest)) is FaultReason.BAD_SIGNATURE


def test_other_network_parameters(apart: Made) -> None:
    """They are under every signature."""
    assert apart.refused(params=replace(APART, judges_min=1)) is FaultReason.BAD_SIGNATURE


def test_a_version_that_we_do_not_know(apart: Made) -> None:
    raw = apart.raw.replace(b"\xa7version" + bytes((WIRE,)), b"\xa7version" + bytes((WIRE + 1,)))
    result = verify_certificate(raw)
    assert isinstance(result, Fault) and result.reason is FaultReason.MALFORMED


@pytest.mark.parametrize(
    ("pick", "reason"),
    [
        (lambda chain: chain[:1], FaultReason.UNFINISHED),
        (lambda chain: chain[:2], FaultReason.UNFINISHED),
        (lambda chain: chain[1:], FaultReason.WRONG_CHAIN),
        (lambda chain: (chain[0], chain[2]), FaultReason.WRONG_CHAIN),
        (lambda chain: (chain[0], chain[0]), FaultReason.WRONG_CHAIN),
        (lambda chain: (chain[1], chain[0], chain[2]), FaultReason.WRONG_CHAIN),
        (lambda chain: (*chain, chain[2]), FaultReason.WRONG_CHAIN),
    ],
    ids=["commits only", "no tally", "no commits", "no slate", "twice", "order", "two tallies"],
)
def test_the_chain(apart: Made, pick: Callable[[Any], Any], reason: FaultReason) -> None:
    assert apart.refused(closings=pick(apart.certificate.closings)) is reason


def test_a_chain_of_something_else(apart: Made) -> None:
    chain = apart.certificate.closings
    assert apart.refused(closings=(*chain[:2], apart.certificate.cosigns[0])) is FaultReason.WRONG_PHASE
    assert apart.refused(query=chain[0]) is FaultReason.WRONG_PHASE


def test_a_failed_round_has_no_certificate() -> None:
    hand = Hand()
    tally = hand.close_tally([])
    raw = codec.encode(_certificate(hand, (tally,)))
    result = verify_certificate(raw)
    assert isinstance(result, Fault) and result.reason is FaultReason.UNFINISHED


def _certificate(hand: Hand, closings: tuple[VerifiedMessage, ...], *cosigns: VerifiedMessage) -> Certificate:
    return Certificate(
        version=WIRE,
        params=hand.params,
        query=hand.query.envelope,
        turns=(),
        closings=tuple(closing.envelope for closing in closings),
        answers=(),
        reports=(),
        ballots=(),
        declines=(),
        evidence=(),
        cosigns=tuple(each.envelope for each in sorted(cosigns, key=lambda message: message.id)),
    )


# -- co-signatures -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tallied() -> Hand:
    return Hand("abcde").to_cosigning()


def cosigned(hand: Hand, *cosigns: VerifiedMessage, trusted: set[Key] | None = None) -> VerifiedCertificate | Fault:
    return verify_certificate(codec.encode(_certificate(hand, hand.record.closings, *cosigns)), trusted=trusted)


@pytest.mark.parametrize(
    ("make_cosign", "reason"),
    [
        (lambda hand: hand.cosign("z"), FaultReason.NOT_A_MEMBER),
        (lambda hand: hand.cosign("b", Objection.CENSORED), FaultReason.SURPLUS),
        (lambda hand: hand.cosign("b", Objection.MISMATCH), FaultReason.SURPLUS),
        (lambda hand: hand.cosign("b", on=hand.record.closings[0].id), FaultReason.WRONG_CHAIN),
        (lambda hand: hand.ballot("b"), FaultReason.WRONG_PHASE),
        (lambda hand: hand.query, FaultReason.WRONG_PHASE),
    ],
    ids=["no member", "censored", "mismatch", "another tally", "a ballot", "a query"],
)
def test_what_is_no_cosignature(tallied: Hand, make_cosign: Callable[[Hand], Any], reason: FaultReason) -> None:
    result = cosigned(tallied, tallied.cosign("a"), make_cosign(tallied))
    assert isinstance(result, Fault) and result.reason is reason, result


def test_two_cosignatures_of_one_member(tallied: Hand) -> None:
    """They differ in what else they say; one member is one voice."""
    twice = (tallied.cosign("b"), tallied.cosign("b", query=tallied.record.head))
    assert twice[0].id != twice[1].id
    result = cosigned(tallied, *twice)
    assert isinstance(result, Fault) and result.reason in (FaultReason.DUPLICATE, FaultReason.WRONG_CHAIN)


def test_a_removed_member_does_not_cosign(accused: Made) -> None:
    tally = accused.open(accused.certificate.closings[-1])
    body = Cosign(author=keypair("e").public, query=tally.body.query, on=tally.id, objection=Objection.NONE)  # type: ignore[union-attr]
    theirs = seal(keypair("e"), APART.digest, body)
    every = sorted(
        (*(accused.open(each) for each in accused.certificate.cosigns), theirs), key=lambda message: message.id
    )
    assert accused.refused(cosigns=tuple(each.envelope for each in every)) is FaultReason.REMOVED


@pytest.mark.parametrize(
    ("members", "signed", "full"),
    [
        ("abc", "abc", True),
        ("abc", "ab", False),
        ("abcd", "abc", True),
        ("abcd", "ab", False),
        ("abcde", "abcd", True),
        ("abcde", "abc", False),
        ("abcdef", "abcde", True),
        ("abcdef", "abcd", False),
        ("abcdef", "", False),
    ],
)
def test_full_is_more_than_two_thirds_or_all_of_three(members: str, signed: str, full: bool) -> None:
    hand = Hand(members).to_cosigning()
    verified = cosigned(hand, *(hand.cosign(name) for name in signed))
    assert isinstance(verified, VerifiedCertificate)
    assert verified.full is full
    assert verified.cosigners == {hand.key(name) for name in signed}


def test_members_without_weight_do_not_make_it_full() -> None:
    base = Hand("abcde")
    light = {base.key("d"), base.key("e")}
    seats = tuple(replace(seat, vote_weight=0 if seat.member in light else ONE) for seat in base.record.query.roster)
    hand = Hand("abcde", roster=seats).to_cosigning()
    for signed, full in (("abde", False), ("abc", True)):
        verified = cosigned(hand, *(hand.cosign(name) for name in signed))
        assert isinstance(verified, VerifiedCertificate) and verified.full is full


@pytest.mark.parametrize(
    ("trusted", "signed", "full"),
    [
        ("ab", "ab", True),
        ("ab", "acde", False),
        ("abc", "abc", True),
        ("abc", "abde", False),
        ("abcd", "abc", True),
        ("abcd", "abe", False),
        ("abcz", "abc", True),
        ("z", "abcde", False),
        ("", "abcde", False),
    ],
)
def test_only_the_readers_keys_count(tallied: Hand, trusted: str, signed: str, full: bool) -> None:
    """Whom to trust is the reader's choice, whatever weights the requester wrote into the roster."""
    keys = {tallied.key(name) for name in trusted}
    verified = cosigned(tallied, *(tallied.cosign(name) for name in signed), trusted=keys)
    assert isinstance(verified, VerifiedCertificate) and verified.full is full


def test_a_trusted_key_counts_without_weight_in_the_roster() -> None:
    base = Hand("abcd")
    seats = tuple(replace(seat, vote_weight=0) for seat in base.record.query.roster)
    hand = Hand("abcd", roster=seats).to_cosigning()
    cosigns = [hand.cosign(name) for name in "ab"]
    theirs, ours = cosigned(hand, *cosigns), cosigned(hand, *cosigns, trusted={hand.key("a"), hand.key("b")})
    assert isinstance(theirs, VerifiedCertificate) and not theirs.full
    assert isinstance(ours, VerifiedCertificate) and ours.full
