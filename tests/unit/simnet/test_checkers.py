"""Each checker finds what it is for, and nothing in rounds where all is well."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from consensus.certificates.certificate import VerifiedCertificate, build_certificate, verify_certificate
from consensus.certificates.evidence import Slot, accuse
from consensus.certificates.record import RoundRecord
from consensus.certificates.tally import rank
from consensus.rounds import effects as fx
from consensus.rounds.member import EARLY_MAX, POOL_MAX
from consensus.rounds.membership import Early
from consensus.rounds.offers import OFFERS_MAX
from consensus.rounds.participant import ROUNDS_KEPT, Participant
from consensus.rounds.validation import GUARD_MAX, OPEN_ROUNDS_MAX, Admitted
from consensus.rounds.validation import ROUNDS_MAX as VALIDATED_ROUNDS_MAX
from protocol import codec
from protocol.errors import Fault
from protocol.messages import Commit, Offer
from protocol.params import NetworkParams
from protocol.signing import VerifiedMessage, seal
from protocol.topics import topic
from protocol.types import Key, Kind, Objection, Role, TaskType
from simnet import checkers as checkers_module
from simnet.checkers import (
    AUDITED_MAX,
    NAMED_MAX,
    NO_ROUND,
    OWN_CONTRIBUTIONS_MAX,
    ROUNDS_MAX,
    SLOTS_MAX,
    Checkers,
)
from simnet.oracle import SimQuestion
from simnet.plan import PlannedQuery
from simnet.results import RoundResult, Verdicts, Violation
from tests.support.hand import Hand
from tests.support.swarm import START_MS, Node, Swarm, keypair, params
from tests.transcripts.test_rounds import drop
from tests.unit.consensus.test_certificate import APART, equivocate
from tests.unit.simnet.test_audit import Forge

NAMES = "abcde"
GRACE_MS = params().grace_ms


@dataclass(frozen=True)
class Cast:
    """Nodes a to e, numbered from 0; those in `honest` are."""

    honest: frozenset[int]
    params: NetworkParams
    number_of: Mapping[Key, int]


def checkers(honest: str = NAMES, network: NetworkParams | None = None) -> Checkers:
    number_of = {keypair(name).public: number(name) for name in NAMES}
    return Checkers(Cast(frozenset(map(number, honest)), network or params(), number_of))


def number(name: str) -> int:
    return NAMES.index(name)


def rules(found: list[Violation]) -> list[str]:
    return [violation.rule for violation in found]


# -- whole rounds ------------------------------------------------------------------------------------------------------


class Watched(Swarm):
    """A swarm that tells checkers what a world would."""

    def __init__(self, names: str, honest: str, network: NetworkParams | None = None) -> None:
        super().__init__(names, network)
        self.checkers = checkers(honest, network)

    def _perform(self, node: Node, effect: fx.Effect) -> None:
        match effect:
            case fx.Journal(message=message) | fx.Publish(message=message) | fx.Contribute(message=message):
                self.checkers.signed(number(node.name), message)
            case fx.Certify(certificate=certificate):
                self.checkers.certified(number(node.name), certificate)
            case _:
                pass
        super()._perform(node, effect)

    def _admit(self, node: Node, message: VerifiedMessage, admitted: Admitted | Fault) -> None:
        if isinstance(admitted, Admitted):
            self.checkers.heard(number(node.name), message, self.now_ms)
        super()._admit(node, message, admitted)

    def _stream(self, node: Node, other: Node, effect: fx.Contribute) -> None:
        if node.up and other.up:
            self.checkers.delivered(number(node.name), effect.message, self.now_ms)
        super()._stream(node, other, effect)

    def restart(self, name: str) -> None:
        self.checkers.restarted(number(name))
        super().restart(name)


def happy() -> Watched:
    return asked(Watched("abcd", "abcd"))


def two_waves() -> Watched:
    return asked(Watched("abcde", "abcde"), waves=(1, 2))


def equivocating_member() -> Watched:
    swarm = Watched("abcde", "abcd", APART)
    swarm.interceptors["e"] = equivocate("abcd")
    return asked(swarm)


def censored_member() -> Watched:
    """It objects, so nobody who co-signs was left out."""
    swarm = Watched("abcd", "bcd")
    swarm.nodes["d"].generate_ms = 50
    for name in "abc":
        swarm.nodes[name].generate_ms = 400
    swarm.deaf["a"] = lambda message: swarm.name(message.author) == "d" and message.kind is Kind.COMMIT
    return asked(swarm)


def lost_closing() -> Watched:
    swarm = Watched("abcd", "abcd")
    swarm.deaf["c"] = lambda message: message.kind is Kind.CLOSE_SLATE
    return asked(swarm)


def restarted_member() -> Watched:
    swarm = Watched("abcd", "abcd")
    swarm.at(160, lambda: swarm.kill("c"))
    swarm.at(190, lambda: swarm.restart("c"))
    return asked(swarm, patience_ms=1_000)


def unopened() -> Watched:
    swarm = Watched("abcd", "abc")
    swarm.interceptors["d"] = drop(Kind.ANSWER)
    return asked(swarm)


def asked(swarm: Watched, **changes: object) -> Watched:
    swarm.ask(**changes)
    swarm.run()
    return swarm


@pytest.mark.parametrize(
    "scene", [happy, two_waves, equivocating_member, censored_member, lost_closing, restarted_member, unopened]
)
def test_nothing_is_found_where_all_is_well(scene: Callable[[], Watched]) -> None:
    swarm = scene()
    for node in swarm.nodes.values():
        swarm.checkers.bounded(number(node.name), node.participant)
    assert swarm.certificate is not None and swarm.checkers.violations == []


def test_a_member_that_does_not_object_is_found() -> None:
    """The member is broken on purpose: what it says of its objection it takes back."""
    swarm = Watched("abcd", "bcd")
    swarm.nodes["d"].generate_ms = 50
    for name in "abc":
        swarm.nodes[name].generate_ms = 400
    swarm.deaf["a"] = lambda message: swarm.name(message.author) == "d" and message.kind is Kind.COMMIT

    def agree(world: Swarm, _node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        match effect:
            case fx.Journal(message=message) if message.kind is Kind.COSIGN:
                return []
            case fx.Contribute(message=message) if message.kind is Kind.COSIGN:
                body: Any = replace(message.body, objection=Objection.NONE)  # type: ignore[call-arg]
                return [replace(effect, message=seal(keypair("d"), world.params.digest, body))]
            case _:
                return None

    swarm.interceptors["d"] = agree
    asked(swarm)
    assert rules(swarm.checkers.violations) == ["R10"]


# -- slots (R3, R12) ---------------------------------------------------------------------------------------------------


def test_two_messages_of_one_slot() -> None:
    hand, found = Hand(NAMES), checkers()
    one, other = hand.equivocation("b")
    found.signed(1, one)
    found.signed(1, one)
    found.signed(2, hand.commit("c"))
    assert found.violations == []
    found.restarted(1)
    found.signed(1, other)
    assert rules(found.violations) == ["R3"]


def test_a_dishonest_node_may_do_what_it_likes() -> None:
    hand, found = Hand(NAMES), checkers("acde")
    for message in hand.equivocation("b"):
        found.signed(1, message)
    assert found.violations == []


def test_ballots_of_two_waves_are_no_equivocation() -> None:
    hand, found = Hand(NAMES, waves=(1, 1)).to_judging(), checkers()
    ballot = hand.ballot("b")
    found.signed(1, ballot)
    found.signed(1, hand.seal("b", replace(ballot.body, wave=1)))  # type: ignore[call-arg]
    assert found.violations == []


def test_rounds_have_slots_of_their_own() -> None:
    found = checkers()
    found.signed(1, Hand(NAMES).commit("b"))
    found.signed(1, Hand(NAMES, nonce=b"o" * 32).commit("b"))
    assert found.violations == []


def test_a_closed_round_is_forgotten() -> None:
    hand, found = Hand(NAMES), checkers()
    one, other = hand.equivocation("b")
    found.signed(1, one)
    found.close_round(hand.record.id)
    found.signed(1, other)
    assert found.violations == []


def offer(sequence: int, queue: int = 0) -> VerifiedMessage:
    body = Offer(
        author=keypair("b").public,
        sequence=sequence,
        sent_at_ms=START_MS,
        roles=Role.ANSWER,
        specialties=("rust",),
        model="m",
        context_tokens=1,
        milli_tokens_per_second=1,
        queue=queue,
        tool_versions="",
        addresses=(),
    )
    return seal(keypair("b"), params().digest, body)


def test_offers() -> None:
    found = checkers()
    for message in (offer(1), offer(1), offer(2, queue=1)):
        found.signed(1, message)
    assert found.violations == []
    found.signed(1, offer(2, queue=2))
    assert rules(found.violations) == ["R3"]


def test_rounds_are_told_by_their_number() -> None:
    hand, found = Hand(NAMES), checkers()
    for message in hand.equivocation("b"):
        found.signed(1, message)
    found.close_round(hand.record.id)
    found.open_round(asking(7), hand.record.id)
    for message in hand.equivocation("b"):
        found.signed(1, message)
    assert [violation.round for violation in found.violations] == [NO_ROUND, 7]


# -- void rounds (R2) --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tallied() -> Hand:
    return Hand(NAMES).to_cosigning()


def rival(closing: VerifiedMessage) -> VerifiedMessage:
    """Another closing of the requester for the same slot."""
    return seal(keypair("a"), params().digest, replace(closing.body, prev=b"p" * 32))  # type: ignore[call-arg]


def test_a_cosignature_in_a_void_round(tallied: Hand) -> None:
    found = checkers()
    for closing in (*tallied.record.closings, rival(tallied.record.closings[1])):
        found.heard(1, closing, 0)
    found.signed(1, tallied.cosign("b"))
    found.signed(1, tallied.cosign("b"))
    found.signed(2, tallied.cosign("c"))
    assert rules(found.violations) == ["R2"]


def test_evidence_voids_a_round_too(tallied: Hand) -> None:
    found, closing = checkers("bcde"), tallied.record.closings[0]
    found.heard(1, accuse(keypair("c"), params().digest, closing, rival(closing)), 0)
    found.signed(1, tallied.cosign("b"))
    assert rules(found.violations) == ["R2"]


def hear_both(found: Checkers, hand: Hand) -> None:
    for closing in (hand.record.closings[0], rival(hand.record.closings[0])):
        found.heard(1, closing, 0)


def test_what_is_no_cosignature_in_a_void_round(tallied: Hand) -> None:
    """One signed before and repeated; an objection; one after a restart; a dishonest one."""
    found = checkers()
    for closing in (*tallied.record.closings, *tallied.record.closings):
        found.heard(1, closing, 0)
    found.signed(1, tallied.cosign("b"))
    hear_both(found, tallied)
    found.signed(1, tallied.cosign("b"))
    assert found.violations == []

    hear_both(found := checkers(), tallied)
    found.signed(1, tallied.cosign("b", Objection.MISMATCH))
    assert found.violations == []

    hear_both(found := checkers(), tallied)
    found.restarted(1)
    found.signed(1, tallied.cosign("b"))
    assert found.violations == []

    hear_both(found := checkers("acde"), tallied)
    found.signed(1, tallied.cosign("b"))
    assert found.violations == []


def test_a_members_equivocation_voids_nothing(tallied: Hand) -> None:
    found = checkers()
    for message in tallied.equivocation("c"):
        found.heard(1, message, 0)
    found.signed(1, tallied.cosign("b"))
    assert found.violations == []


# -- certificates ------------------------------------------------------------------------------------------------------


def certificate(hand: Hand, cosigners: str = NAMES) -> bytes:
    return codec.encode(build_certificate(hand.record, [hand.cosign(name) for name in cosigners]))


def test_a_certificate_that_the_audit_passes_and_verification_does_not() -> None:
    """Nobody assigned the forge's pairs."""
    raw: list[bytes] = []
    Forge(certificate=lambda each: (raw.append(codec.encode(each)), each)[1]).audit()
    found = checkers()
    found.certified(0, raw[0])
    assert rules(found.violations) == ["R6"]


def test_a_certificate_that_both_refuse_and_once_only(tallied: Hand) -> None:
    made = build_certificate(tallied.record, [tallied.cosign("a"), tallied.cosign("b", Objection.CENSORED)])
    found = checkers()
    for node in range(3):
        found.certified(node, codec.encode(made))
    assert rules(found.violations) == ["C5", "C5"]
    found.certified(0, b"no certificate")
    assert rules(found.violations[2:]) == ["P1", "P1"]


@pytest.mark.parametrize(
    ("rule", "breaks"),
    [
        ("R3", lambda each: replace(each, record=replace(each.record, answers=each.record.answers[::-1]))),
        ("R3", lambda each: replace(each, record=replace(each.record, removed=frozenset({b"x"})))),
        ("R4", lambda each: replace(each, record=replace(each.record, commitments={b"x": b"y"}))),
        ("R5", lambda each: replace(each, record=replace(each.record, beacon=bytes(32)))),
        ("R8", lambda each: replace(each, ranking=replace(each.ranking, ranked=each.ranking.ranked[::-1]))),
        ("R9", lambda each: replace(each, full=False)),
        ("R9", lambda each: replace(each, cosigners=frozenset())),
    ],
)
def test_two_readings_that_differ(
    rule: str,
    breaks: Callable[[VerifiedCertificate], VerifiedCertificate],
    tallied: Hand,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A verification that is broken on purpose."""

    def broken(raw: bytes) -> VerifiedCertificate:
        verified = verify_certificate(raw)
        assert isinstance(verified, VerifiedCertificate)
        return breaks(verified)

    raw, found = certificate(tallied), checkers()
    found.certified(0, raw)
    assert found.violations == []
    monkeypatch.setattr(checkers_module, "verify_certificate", broken)
    (found := checkers()).certified(0, raw)
    assert rules(found.violations) == [rule]


def test_an_audit_that_finds_more_than_verification(tallied: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verification that takes everything for the certificate that it saw first."""
    good = verify_certificate(certificate(tallied))
    monkeypatch.setattr(checkers_module, "verify_certificate", lambda _raw: good)
    found = checkers()
    found.open_round(asking(7), tallied.record.id)
    made = build_certificate(tallied.record, [tallied.cosign("b", Objection.CENSORED)])
    found.certified(0, codec.encode(made))
    assert [(each.rule, each.round) for each in found.violations] == [("C5", 7)]


def outcomes() -> tuple[Hand, Hand]:
    """Two chains of one query, each sound by itself, with different winners."""
    hands = Hand(NAMES).to_judging(), Hand(NAMES).to_judging("abcd")
    for hand in hands:
        judges = [name for name in NAMES if hand.key(name) in hand.record.assignment]
        assert isinstance(hand.extend(hand.close_tally([hand.ballot(name) for name in judges])), RoundRecord)
    one, other = hands
    assert one.record.id == other.record.id and rank(one.record).winner != rank(other.record).winner
    return one, other


@pytest.mark.parametrize(
    ("honest", "second", "found_rules"),
    [
        ("abcde", "abcde", ["R9"]),
        ("bcde", "abcde", ["R9"]),
        ("bcd", "abcde", []),
        ("abcde", "abc", []),
    ],
    ids=["none is dishonest", "one of five", "two of five", "the second is not full"],
)
def test_two_winners(honest: str, second: str, found_rules: list[str]) -> None:
    one, other = outcomes()
    found = checkers(honest)
    found.certified(0, certificate(one))
    found.certified(0, certificate(one, "abcd"))
    assert found.violations == []
    found.certified(1, certificate(other, second))
    assert rules(found.violations) == found_rules


# -- censorship (R10) --------------------------------------------------------------------------------------------------


def left_out(kind: Kind, wave: int = 0) -> tuple[Hand, VerifiedMessage, VerifiedMessage]:
    """A round that leaves out e's contribution of this kind; the contribution, and the closing that omits it."""
    hand = Hand(NAMES, waves=(1, 1))
    said = {Kind.COMMIT: hand.commit("e")}
    hand.to_opening("abcd" if kind is Kind.COMMIT else NAMES)
    if kind is not Kind.COMMIT:
        said[Kind.ANSWER] = hand.answer("e")
    answerers = NAMES if kind is Kind.BALLOT else "abcd"
    assert isinstance(hand.extend(hand.close_slate([hand.answer(name) for name in answerers])), RoundRecord)
    for present in (0, 1):
        if kind is Kind.BALLOT and present == wave:
            said[kind] = hand.ballot("e")
        judges = "abcd" if kind is Kind.BALLOT and present == wave else NAMES
        ballots = [hand.ballot(name) for name in judges if hand.key(name) in hand.record.assignment]
        closing = hand.close_wave(ballots) if present == 0 else hand.close_tally(ballots)
        assert isinstance(hand.extend(closing), RoundRecord)
    at = {Kind.COMMIT: 0, Kind.ANSWER: 1, Kind.BALLOT: 2 + wave}[kind]
    return hand, said[kind], hand.record.closings[at]


OMISSIONS = pytest.mark.parametrize(
    ("kind", "wave"), [(Kind.COMMIT, 0), (Kind.ANSWER, 0), (Kind.BALLOT, 0), (Kind.BALLOT, 1)]
)


@OMISSIONS
@pytest.mark.parametrize(("since_ms", "found_rules"), [(0, ["R10"]), (1, [])])
def test_a_cosigner_whose_contribution_was_left_out(
    kind: Kind, wave: int, since_ms: int, found_rules: list[str]
) -> None:
    hand, contribution, closing = left_out(kind, wave)
    found = checkers()
    found.delivered(4, contribution, since_ms)
    found.heard(4, closing, GRACE_MS)
    found.heard(4, closing, GRACE_MS + 1)
    found.certified(0, certificate(hand))
    assert rules(found.violations) == found_rules


@OMISSIONS
def test_what_is_no_censorship(kind: Kind, wave: int) -> None:
    """It does not co-sign; never heard the closing; sent it in an earlier life, or on another chain; is dishonest."""
    hand, contribution, closing = left_out(kind, wave)
    elsewhere = hand.seal("e", replace(contribution.body, on=b"o" * 32))  # type: ignore[call-arg]

    def after(honest: str, cosigners: str, delivered: VerifiedMessage, hears: bool, restarts: bool) -> list[Violation]:
        found = checkers(honest)
        found.delivered(4, delivered, 0)
        if restarts:
            found.restarted(4)
        if hears:
            found.heard(4, closing, GRACE_MS)
        found.certified(0, certificate(hand, cosigners))
        return found.violations

    assert after(NAMES, "abcd", contribution, True, False) == []
    assert after(NAMES, NAMES, contribution, False, False) == []
    assert after(NAMES, NAMES, contribution, True, True) == []
    assert after(NAMES, NAMES, elsewhere, True, False) == []
    assert after("abcd", NAMES, contribution, True, False) == []
    assert after(NAMES, NAMES, contribution, True, False) != []


def test_contributions_that_are_named(tallied: Hand) -> None:
    found, record = checkers(), tallied.record
    for message in (*record.answers, *record.ballots):
        found.delivered(number(name_of(message)), message, 0)
    commits = {name: Hand(NAMES).commit(name) for name in NAMES}
    for name, commit in commits.items():
        found.delivered(number(name), commit, 0)
    for node in range(5):
        for closing in record.closings:
            found.heard(node, closing, 10 * GRACE_MS)
    found.certified(0, certificate(tallied))
    assert found.violations == []


def name_of(message: VerifiedMessage) -> str:
    return next(name for name in NAMES if keypair(name).public == message.author)


def test_a_replaced_commitment_is_censorship() -> None:
    """The closing names the member, but not what it had sent."""
    hand, found = Hand(NAMES).to_cosigning(), checkers()
    sent = Hand(NAMES).commit("e", commitment=b"c" * 32)
    found.delivered(4, sent, 0)
    found.heard(4, hand.record.closings[0], GRACE_MS)
    found.certified(0, certificate(hand))
    assert rules(found.violations) == ["R10"]


@pytest.mark.parametrize(
    ("honest", "since_ms", "found_rules"), [("abce", 0, ["R10", "R10"]), ("abce", 1, []), ("ace", 0, [])]
)
def test_a_cosigner_that_held_evidence(tallied: Hand, honest: str, since_ms: int, found_rules: list[str]) -> None:
    """Neither the slate nor the tally lists it; the commits closing need not."""
    found = checkers(honest)
    found.heard(1, tallied.evidence("c", *tallied.equivocation("d")), since_ms)
    for closing in tallied.record.closings:
        found.heard(1, closing, GRACE_MS)
    found.certified(0, certificate(tallied))
    assert rules(found.violations) == found_rules


def test_evidence_that_is_listed() -> None:
    hand, found = Hand(NAMES).to_opening(), checkers("abcd")
    evidence = hand.evidence("c", *hand.equivocation("e"))
    closing = hand.close_slate([hand.answer(name) for name in "abcd"], evidence=(evidence.id,))
    assert isinstance(hand.extend(closing, evidence), RoundRecord)
    judges = [name for name in "abcd" if hand.key(name) in hand.record.assignment]
    assert isinstance(hand.extend(hand.close_tally([hand.ballot(name) for name in judges])), RoundRecord)
    found.heard(1, evidence, 0)
    for closing in hand.record.closings:
        found.heard(1, closing, GRACE_MS)
    found.certified(0, certificate(hand, "abcd"))
    assert found.violations == []


def test_evidence_against_an_honest_node(tallied: Hand) -> None:
    """Heard or made: two of its lives must not contradict each other. Forged evidence shows nothing."""
    evidence = tallied.evidence("c", *tallied.equivocation("d"))
    for tell in (lambda found: found.heard(1, evidence, 0), lambda found: found.signed(2, evidence)):
        found = checkers()
        tell(found)
        assert rules(found.violations) == ["R3"]
        assert {slot.author for slot in found.accused} == {tallied.key("d")}
        found = checkers("abce")
        tell(found)
        assert found.violations == [] and len(found.accused) == 1
    found = checkers()
    found.heard(1, tallied.evidence("c", tallied.commit("d"), tallied.commit("e")), 0)
    assert found.violations == [] and not found.accused


# -- liveness ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "late"), [("none", [3]), ("failed", []), ("degraded", []), ("decided", [])])
def test_liveness_is_told_apart_from_safety(outcome: str, late: list[int]) -> None:
    found = checkers()
    found.round_over(asking(3), RoundResult(**RESULT, outcome=outcome))
    assert [violation.round for violation in found.late] == late and found.violations == []


def asking(at: int) -> PlannedQuery:
    return PlannedQuery(at, 0, 0, START_MS, SimQuestion(at, TaskType.CODE, "Which?"))


RESULT: dict[str, Any] = {
    "number": 3, "shard": 0, "requester": 0, "reason": "", "stop": "", "full": False, "answered_ms": None,
    "phases_ms": {}, "members": 5, "answers": 0, "comparisons": 0, "tests": 0, "ranking": b"",
    "verdicts": Verdicts(False, False, False, False, False),
}  # fmt: skip


# -- limits ------------------------------------------------------------------------------------------------------------


def flooded(name: str) -> Participant:
    """A node in the middle of a round, after e has sent it all that e can."""
    swarm = Swarm(NAMES)
    swarm.ask()
    swarm.run(until_ms=50)
    participant, pair, on = swarm.nodes[name].participant, keypair("e"), topic(swarm.params, "rust", 0)
    (query,) = participant._rounds

    def say(body: Any) -> None:
        envelope = seal(pair, swarm.params.digest, body).envelope
        admitted = participant.validator.admit_gossip(on, pair.public, envelope, swarm.now_ms)
        if isinstance(admitted, Admitted):
            participant.on_admitted(admitted, swarm.now_ms)

    for at in range(40):
        content = at.to_bytes(32, "big")
        say(Commit(author=pair.public, query=query, on=query, commitment=content))
        say(replace(swarm.query(), author=pair.public, nonce=content))
    return participant


def test_what_is_flooded_does_not_grow() -> None:
    found = checkers()
    for name in "ab":
        found.bounded(number(name), flooded(name))
    assert found.violations == []


def fill_slot(held: Participant) -> None:
    slots = next(known.slots for known in held.validator._rounds.values() if known.slots)
    messages = next(iter(slots.values()))
    messages += messages * 2


def fill_slots(held: Participant) -> None:
    slots = next(known.slots for known in held.validator._rounds.values() if known.slots)
    slots.update({Slot(b"", key(at), Kind.COMMIT, 0): [] for at in range(SLOTS_MAX + 1)})


def fill_convicted(held: Participant) -> None:
    next(iter(held.validator._rounds.values())).convicted.update(
        {Slot(b"", key(at), Kind.COMMIT, 0) for at in range(SLOTS_MAX + 1)}
    )


def fill_rounds(held: Participant) -> None:
    known = next(iter(held._rounds.values()))
    held._rounds.update({key(at): known for at in range(ROUNDS_KEPT)})


def open_rounds(held: Participant) -> None:
    """One more of an author who has as many as are allowed; those that were turned away are held as over."""
    known = [each for each in held.validator._rounds.values() if not each.over][-1]
    held.validator._rounds[key(0)] = known


def open_rounds_of_many(held: Participant) -> None:
    known = next(iter(held.validator._rounds.values()))
    for at in range(OPEN_ROUNDS_MAX):
        held.validator._rounds[key(at)] = replace(known, query=replace(known.query, author=key(at)))


def fill_admitted_rounds(held: Participant) -> None:
    over = replace(next(iter(held.validator._rounds.values())), over=True)
    held.validator._rounds.update({key(at): over for at in range(VALIDATED_ROUNDS_MAX)})


def fill_offers(held: Participant) -> None:
    held.validator.offers._offers.update(dict.fromkeys(map(key, range(OFFERS_MAX + 1)), offer(1).body))  # type: ignore[arg-type]


def fill_guard(held: Participant) -> None:
    held.validator._guard.update(dict.fromkeys(map(key, range(GUARD_MAX)), 0))


def fill_member(**changes: Any) -> Callable[[Participant], None]:
    def fill(held: Participant) -> None:
        known = next(iter(held._rounds.values()))
        assert known.as_member is not None
        known.as_member = replace(known.as_member, **changes)

    return fill


def fill_requester(**changes: Any) -> Callable[[Participant], None]:
    def fill(held: Participant) -> None:
        known = next(iter(held._rounds.values()))
        assert known.as_requester is not None
        known.as_requester = replace(known.as_requester, **changes)

    return fill


def key(at: int) -> Any:
    return at.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("name", "what", "fill"),
    [
        ("b", "messages of a slot", fill_slot),
        ("b", "slots of a round", fill_slots),
        ("b", "convicted slots", fill_convicted),
        ("b", "rounds", fill_rounds),
        ("b", "open rounds of one key", open_rounds),
        ("b", "open rounds", open_rounds_of_many),
        ("b", "admitted rounds", fill_admitted_rounds),
        ("b", "offers", fill_offers),
        ("b", "guarded queries", fill_guard),
        (
            "b",
            "pooled messages",
            fill_member(pool=dict.fromkeys(map(key, range(POOL_MAX + OWN_CONTRIBUTIONS_MAX + NAMED_MAX + 1)))),
        ),
        ("b", "early closings", fill_member(early=(Early(offer(1), 0),) * (EARLY_MAX + 1))),
        ("b", "accused members", fill_member(accused=dict.fromkeys(map(key, range(6)), 0))),
        ("a", "received contributions", fill_requester(received=dict.fromkeys(map(key, range(6))))),
        ("a", "declines", fill_requester(declines=dict.fromkeys(map(key, range(6))))),
        ("a", "accusations", fill_requester(accusations=dict.fromkeys(map(key, range(6))))),
    ],
)
def test_what_grows_is_found(name: str, what: str, fill: Callable[[Participant], None]) -> None:
    """A participant that is broken on purpose."""
    held, node = flooded(name), number(name)
    fill(held)
    found = checkers()
    found.bounded(node, held)
    assert [f" {what}, at most" in violation.detail for violation in found.violations] == [True]
    assert rules(found.violations) == ["limits"]
    (found := checkers(NAMES.replace(name, ""))).bounded(node, held)
    assert found.violations == []


def test_the_checkers_own_memory_is_bounded() -> None:
    found = checkers()
    commit = Hand(NAMES).commit("b")
    for at in range(ROUNDS_MAX + 10):
        found.heard(1, seal(keypair("b"), params().digest, replace(commit.body, query=key(at))), 0)  # type: ignore[call-arg]
    for at in range(AUDITED_MAX + 10):
        found.certified(1, key(at))
    assert (len(found._rounds), len(found._audited)) == (ROUNDS_MAX, AUDITED_MAX)
