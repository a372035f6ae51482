"""The audit passes what real rounds make, and each rule is found broken where a certificate breaks it.

`Forge` signs whole certificates that break one rule: every signature is good, every reference follows what was signed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from consensus.certificates.certificate import verify_certificate
from consensus.certificates.evidence import accuse
from protocol import codec
from protocol.certificate import Certificate
from protocol.conversation import digest_of, single
from protocol.errors import Fault
from protocol.hashing import answer_digest, commitment
from protocol.limits import CERTIFICATE_BYTES_MAX, SLOT_MESSAGE_BYTES_MAX
from protocol.messages import (
    Answer,
    AnswerContent,
    Ballot,
    BallotEntry,
    CloseCommits,
    CloseSlate,
    CloseTally,
    CloseWave,
    Commit,
    Commitment,
    Cosign,
    Decline,
    Message,
    Turn,
)
from protocol.signing import VerifiedMessage, open_envelope, seal
from protocol.types import (
    ABSTAIN,
    ONE,
    DeclinedPhase,
    DeclineReason,
    FinishReason,
    Kind,
    Objection,
    Outcome,
    OutcomeReason,
    Role,
    StopReason,
    TurnRole,
)
from protocol.versions import WIRE
from simnet.audit import Audited, audit
from simnet.parsed_certificate import Finding
from tests.support.swarm import Swarm, answer_text, keypair, params
from tests.transcripts.test_rounds import drop
from tests.unit.consensus.test_certificate import APART, equivocate, make

NAMES = "abcde"
ANSWERED = (*single("Which?"), Turn(role=TurnRole.ASSISTANT, text="This."))
"""A conversation that asks nothing."""

KEYS = {keypair(name).public: keypair(name) for name in (*NAMES, "z")}


class Forge:
    """Two waves of five members, each message as a test's edit leaves it. Edits are by name: `slate`, `answer_b`..."""

    def __init__(self, **edits: Callable[[Any], Any]) -> None:
        self.edits = edits
        self.used: set[str] = set()
        self.network = params()
        self.query = self.seal("query", Swarm(NAMES, self.network).query(waves=(2, 2), threshold=ONE // 2))
        self.contents = {
            name: AnswerContent(text=answer_text(name), finish=FinishReason.STOP, prompt_tokens=1, answer_tokens=2)
            for name in NAMES
        }
        entries = [Commitment(member=keypair(name).public, commitment=self.commitment(name)) for name in NAMES]
        listed = {"commitments": tuple(sorted(entries, key=lambda e: e.member)), "declines": (), "ride_along": ()}
        self.commits = self.seal("commits", self.closing(CloseCommits, self.query, **listed))
        self.answers = self.sealed("answer", NAMES, self.answer)
        accusations: list[VerifiedMessage] = self.edit("accusations", [])
        self.slate = self.seal(
            "slate",
            self.closing(CloseSlate, self.commits, answers=ids(self.answers), evidence=ids(accusations), ride_along=()),
        )
        self.first_wave = self.sealed("ballot", NAMES, lambda name: self.ballot(name, self.slate, 0))
        listed_late: dict[str, tuple[Any, ...]] = {"declines": (), "evidence": (), "ride_along": ()}
        self.wave = self.seal(
            "wave",
            self.closing(CloseWave, self.slate, wave=0, ballots=ids(self.first_wave), **listed_late),
        )
        self.last_wave = self.sealed("last_ballot", NAMES, lambda name: self.ballot(name, self.wave, 1))
        late: list[VerifiedMessage] = self.edit("late_accusations", [])
        self.declines: list[VerifiedMessage] = self.edit("declines", [])
        claim = {
            "ballots": ids(self.last_wave),
            "declines": ids(self.declines),
            "evidence": ids(late),
            "outcome": Outcome.DECIDED,
            "reason": OutcomeReason.NONE,
            "stop": StopReason.SPENT,
            "winner": next(each.id for each in self.answers if each.author == keypair("b").public),
            "p_best": ONE,
            "ranking_digest": bytes(32),
            "ride_along": (),
        }
        self.tally = self.seal("tally", self.closing(CloseTally, self.wave, **claim))
        self.cosigns = self.sealed("cosign", NAMES, self.cosign)
        self.evidence = [*accusations, *late]

    def audit(self) -> Audited | tuple[Finding, ...]:
        certificate = Certificate(
            version=WIRE,
            params=self.network,
            query=self.query.envelope,
            turns=(),
            closings=tuple(each.envelope for each in (self.commits, self.slate, self.wave, self.tally)),
            answers=envelopes(self.answers),
            reports=(),
            ballots=envelopes([*self.first_wave, *self.last_wave]),
            declines=envelopes(self.declines),
            evidence=envelopes(self.evidence),
            cosigns=envelopes(self.cosigns),
        )
        raw = codec.encode(self.edit("certificate", certificate))
        assert self.used == self.edits.keys()
        return audit(raw)

    # -- what each says ----------------------------------------------------------------------------------------------

    def closing(self, schema: type[Any], before: VerifiedMessage, **fields: Any) -> Message:
        body: Message = schema(author=keypair("a").public, query=self.query.id, prev=before.id, **fields)
        return body

    def commitment(self, name: str) -> bytes:
        content = answer_digest(codec.encode(self.contents[name]))
        return commitment(self.network.digest, self.query.id, keypair(name).public, name.encode() * 32, content)

    def answer(self, name: str) -> Answer:
        return Answer(
            author=keypair(name).public,
            query=self.query.id,
            on=self.commits.id,
            content=self.contents[name],
            salt=name.encode() * 32,
        )

    def pairs(self, name: str) -> list[tuple[int, int]]:
        """Each answer but its own, once; of an odd number the first is shown again, beside the last."""
        others = [at for at, answer in enumerate(self.answers) if answer.author != keypair(name).public]
        return list(zip(others[::2], [*others[1::2], others[0]], strict=False))

    def ballot(self, name: str, on: VerifiedMessage, wave: int) -> Ballot:
        judgements = tuple(judgement(first, second) for first, second in self.pairs(name))
        author = keypair(name).public
        return Ballot(author=author, query=self.query.id, on=on.id, wave=wave, judgements=judgements)

    def cosign(self, name: str) -> Cosign:
        author = keypair(name).public
        return Cosign(author=author, query=self.query.id, on=self.tally.id, objection=Objection.NONE)

    # -- signing -----------------------------------------------------------------------------------------------------

    def edit(self, name: str, value: Any) -> Any:
        if name not in self.edits:
            return value
        self.used.add(name)
        return self.edits[name](value)

    def seal(self, name: str, body: Message) -> VerifiedMessage:
        edited: Message = self.edit(name, body)
        return seal(KEYS[edited.author], self.network.digest, edited)

    def sealed(self, kind: str, names: str, body: Callable[[str], Message]) -> list[VerifiedMessage]:
        """One of each, ascending by id; the edit `kind + "s"` changes the list."""
        messages = self.edit(kind + "s", [self.seal(f"{kind}_{name}", body(name)) for name in names])
        return sorted(messages, key=lambda message: message.id)


def ids(messages: list[VerifiedMessage]) -> tuple[bytes, ...]:
    return tuple(message.id for message in sorted(messages, key=lambda message: message.id))


def envelopes(messages: list[VerifiedMessage]) -> tuple[bytes, ...]:
    return tuple(message.envelope for message in sorted(messages, key=lambda message: message.id))


def judgement(first: int, second: int, preference: int = ONE) -> BallotEntry:
    return BallotEntry(first=first, second=second, preference=preference)


def change(**fields: Any) -> Callable[[Any], Any]:
    return lambda body: replace(body, **fields)


def rules(found: Audited | tuple[Finding, ...]) -> set[str]:
    return set() if isinstance(found, Audited) else {finding.rule for finding in found}


# -- what holds --------------------------------------------------------------------------------------------------------


def decided() -> Swarm:
    return asked(Swarm("abcd"))


def two_waves() -> Swarm:
    return asked(Swarm("abcde"), waves=(1, 2))


def unanimous() -> Swarm:
    swarm = Swarm("abcd")
    for node in swarm.nodes.values():
        node.text = answer_text("a")
    return asked(swarm)


def apart() -> Swarm:
    return asked(Swarm("abcd", APART))


def private() -> Swarm:
    return asked(Swarm("abcd"), turns=())


def degraded() -> Swarm:
    swarm = Swarm("abcd")
    swarm.interceptors["c"] = swarm.interceptors["d"] = drop(Kind.ANSWER)
    return asked(swarm)


def accused() -> Swarm:
    return make("abcde", APART, {"e": equivocate("a")}).swarm


def partial() -> Swarm:
    swarm = Swarm("abcd")
    swarm.interceptors["c"] = swarm.interceptors["d"] = drop(Kind.COSIGN)
    return asked(swarm)


def asked(swarm: Swarm, **changes: object) -> Swarm:
    swarm.ask(**changes)
    swarm.run()
    return swarm


@pytest.mark.parametrize("scene", [decided, two_waves, unanimous, apart, private, degraded, accused, partial])
def test_real_certificates_pass_and_both_readings_agree(scene: Callable[[], Swarm]) -> None:
    swarm = scene()
    assert swarm.certificate is not None
    audited, verified = audit(swarm.certificate), swarm.verified()
    assert isinstance(audited, Audited), audited
    assert (audited.query, audited.winner) == (verified.record.id, verified.ranking.winner)
    assert audited.counted == tuple(answer.author for answer in verified.record.answers)
    assert audited.unopened == verified.unopened
    assert (frozenset(audited.cosigners), audited.full) == (verified.cosigners, verified.full)
    assert audited.beacon == verified.record.beacon
    assert audited.removed == verified.record.removed


def test_what_it_tells() -> None:
    """By hand, so that it does not lean on the other reading."""
    audited = audit(partial().certificate or b"")
    assert isinstance(audited, Audited)
    assert (audited.text, audited.author) == (answer_text("a"), keypair("a").public)
    assert set(audited.cosigners) == {keypair("a").public, keypair("b").public} and not audited.full
    audited = audit(degraded().certificate or b"")
    assert isinstance(audited, Audited)
    assert audited.unopened == (keypair("c").public, keypair("d").public) and audited.full
    audited = audit(accused().certificate or b"")
    assert isinstance(audited, Audited)
    assert audited.removed == {keypair("e").public} and [len(each) for each in audited.accused] == [0, 1, 1]


def test_the_forge_makes_what_passes() -> None:
    """Or its broken certificates would prove nothing. (They are not for `consensus`: nobody fitted their rankings.)"""
    audited = Forge().audit()
    assert isinstance(audited, Audited), audited
    assert audited.author == keypair("b").public and audited.full and len(audited.counted) == 5


# -- what does not -----------------------------------------------------------------------------------------------------


def equivocation(author: str, **changes: Any) -> Callable[[list[VerifiedMessage]], list[VerifiedMessage]]:
    """Edit of a list of evidence: two commitments of this author, or of another round."""

    def accused_by_a(_: list[VerifiedMessage]) -> list[VerifiedMessage]:
        query = Forge().query.id
        pair = keypair(author)
        body = Commit(author=pair.public, query=query, on=query, commitment=b"1" * 32)
        one, other = (seal(pair, params().digest, replace(body, commitment=x * 32, **changes)) for x in (b"1", b"2"))
        return [accuse(keypair("a"), params().digest, one, other)]

    return accused_by_a


def alike(_: list[VerifiedMessage]) -> list[VerifiedMessage]:
    """Evidence of one message, shown twice."""
    (evidence,) = equivocation("e")([])
    return [seal(keypair("a"), params().digest, replace(evidence.body, second=evidence.body.first))]  # type: ignore[union-attr,call-arg]


def unsigned(_: list[VerifiedMessage]) -> list[VerifiedMessage]:
    (evidence,) = equivocation("e")([])
    body: Any = evidence.body
    forged = body.second[:1] + bytes(64) + body.second[65:]
    return [seal(keypair("a"), params().digest, replace(body, second=forged))]


def of_two_kinds(_: list[VerifiedMessage]) -> list[VerifiedMessage]:
    forge = Forge()
    theirs = [each for each in (*forge.answers, *forge.cosigns) if each.author == keypair("e").public]
    return [accuse(keypair("a"), params().digest, *theirs)]


def in_descending_order(_: list[VerifiedMessage]) -> list[VerifiedMessage]:
    (evidence,) = equivocation("e")([])
    body: Any = evidence.body
    return [seal(keypair("a"), params().digest, replace(body, first=body.second, second=body.first))]


def against_a_closing(_: list[VerifiedMessage]) -> list[VerifiedMessage]:
    other = Forge(commits=lambda body: replace(body, commitments=body.commitments[:-1])).commits
    return [accuse(keypair("a"), params().digest, Forge().commits, other)]


def by(name: str) -> Callable[[Any], Any]:
    return change(author=keypair(name).public)


def without(name: str) -> Callable[[list[VerifiedMessage]], list[VerifiedMessage]]:
    return lambda messages: [each for each in messages if each.author != keypair(name).public]


def seats(**fields: Any) -> Callable[[Any], Any]:
    return lambda query: replace(query, roster=tuple(replace(seat, **fields) for seat in query.roster))


def roles_of_b(roles: Role) -> Callable[[Any], Any]:
    def edit(query: Any) -> Any:
        b = keypair("b").public
        return replace(query, roster=tuple(replace(s, roles=roles) if s.member == b else s for s in query.roster))

    return edit


def judging(*pairs: tuple[int, int], preference: int = ONE) -> Callable[[Any], Any]:
    return change(judgements=tuple(judgement(first, second, preference) for first, second in pairs))


OWN = next(at for at, answer in enumerate(Forge().answers) if answer.author == keypair("c").public)
OTHERS = Forge().pairs("c")
STRANGE = b"s" * 32


@pytest.mark.parametrize(
    ("rule", "edits"),
    [
        ("R1", {"query": lambda body: replace(body, roster=body.roster[::-1])}),
        ("R1", {"query": lambda body: replace(body, roster=(body.roster[0], *body.roster))}),
        ("R2", {"commits": by("b")}),
        ("R2", {"commits": change(query=STRANGE)}),
        ("R2", {"commits": change(prev=STRANGE)}),
        ("R2", {"commits": lambda body: replace(body, commitments=body.commitments[::-1])}),
        ("R2", {"slate": change(prev=STRANGE)}),
        ("R2", {"slate": lambda body: replace(body, answers=body.answers[::-1])}),
        ("R2", {"wave": change(prev=STRANGE)}),
        ("R2", {"wave": change(wave=1)}),
        ("R2", {"tally": by("b")}),
        ("R2", {"tally": change(prev=STRANGE)}),
        ("R2", {"query": change(waves=(2,))}),
        ("R2", {"answer_c": change(on=STRANGE)}),
        ("R2", {"answer_c": change(query=STRANGE)}),
        ("R2", {"answer_c": by("z")}),
        ("R2", {"query": roles_of_b(Role.JUDGE)}),
        ("R2", {"query": roles_of_b(Role.ANSWER)}),
        ("R2", {"ballot_c": change(on=STRANGE)}),
        ("R2", {"ballot_c": by("z")}),
        ("R2", {"ballot_c": change(wave=1)}),
        ("R2", {"last_ballot_c": change(wave=0)}),
        ("R2", {"cosign_c": by("z")}),
        ("R2", {"cosign_c": change(on=STRANGE)}),
        ("R2", {"cosign_c": change(query=STRANGE)}),
        ("R3", {"answer_c": by("d")}),
        ("R3", {"ballot_c": by("d")}),
        ("R3", {"cosign_c": lambda body: replace(body, author=keypair("d").public, query=STRANGE)}),
        ("R3", {"accusations": equivocation("e")}),
        ("R3", {"late_accusations": equivocation("e")}),
        ("R4", {"answer_c": change(salt=b"x" * 32)}),
        ("R4", {"answer_c": change(content=Forge().contents["d"])}),
        ("R4", {"commits": lambda body: replace(body, commitments=body.commitments[1:])}),
        ("R4", {"query": roles_of_b(Role.JUDGE)}),
        ("R6", {"ballot_c": judging((OWN, OTHERS[0][0]))}),
        ("R6", {"last_ballot_c": judging((OTHERS[0][0], OWN))}),
        ("R6", {"ballot_c": judging(OTHERS[0], OTHERS[0])}),
        ("R6", {"ballot_c": judging(OTHERS[0], OTHERS[0][::-1])}),
        ("R6", {"ballot_c": judging((OTHERS[0][0], OTHERS[0][0]))}),
        ("R6", {"ballot_c": judging((OTHERS[0][0], 5))}),
        ("R6", {"query": change(waves=(1, 2))}),
        ("R6", {"query": change(waves=(2, 1))}),
        ("R6", {"ballot_c": judging(*OTHERS, preference=ABSTAIN)}),
        ("R8", {"tally": change(winner=STRANGE)}),
        ("R8", {"tally": change(winner=b"")}),
        ("R8", {"tally": change(stop=StopReason.CERTAIN, p_best=1)}),
        ("R8", {"tally": change(stop=StopReason.CERTAIN, reason=OutcomeReason.LOW_CONFIDENCE)}),
        ("R8", {"tally": change(stop=StopReason.CERTAIN, reason=OutcomeReason.TOO_FEW_JUDGES)}),
        ("R8", {"tally": change(stop=StopReason.CERTAIN), "ballots": lambda _: [], "last_ballots": lambda _: []}),
        ("R9", {"query": change(confidence_min=ONE)}),
        ("R9", {"query": change(confidence_min=ONE // 2, calibration_intercept=-8 * ONE)}),
        ("R9", {"query": change(confidence_min=ONE * 3 // 4, calibration_slope=0)}),
        ("R9", {"tally": change(outcome=Outcome.DEGRADED, reason=OutcomeReason.LOW_CONFIDENCE)}),
        ("R9", {"tally": change(outcome=Outcome.DEGRADED)}),
        ("R9", {"tally": change(outcome=Outcome.DECIDED, reason=OutcomeReason.TOO_FEW_JUDGES)}),
        ("R9", {"tally": change(outcome=Outcome.DEGRADED, reason=OutcomeReason.NO_WEIGHT)}),
        ("R9", {"query": seats(vote_weight=0)}),
        ("R9", {"query": seats(judge_weight=0)}),
        ("R9", {"late_accusations": lambda _: [*equivocation("c")(_), *equivocation("d")(_), *equivocation("e")(_)]}),
        ("C5", {"cosign_c": change(objection=Objection.CENSORED)}),
    ],
)  # fmt: skip
def test_a_broken_rule_is_found(rule: str, edits: dict[str, Callable[[Any], Any]]) -> None:
    assert rule in rules(Forge(**edits).audit())


@pytest.mark.parametrize(
    ("rule", "edits"),
    [
        ("R3", {"accusations": equivocation("e"), "answers": without("e"), "ballots": without("e"),
                "last_ballots": without("e")}),
        ("R3", {"accusations": equivocation("e"), "answers": without("e"), "ballots": without("e"),
                "cosigns": without("e")}),
        ("R3", {"accusations": equivocation("e"), "answers": without("e"), "last_ballots": without("e"),
                "cosigns": without("e")}),
        ("R3", {"accusations": equivocation("e"), "ballots": without("e"), "last_ballots": without("e"),
                "cosigns": without("e")}),
        ("R8", {"late_accusations": equivocation("b"), "last_ballots": without("b"), "cosigns": without("b")}),
    ],
    ids=["co-signs", "judges again", "judges", "answers", "wins"],
)  # fmt: skip
def test_nobody_counts_after_evidence(rule: str, edits: dict[str, Callable[[Any], Any]]) -> None:
    """Each is the only finding: without it the certificate would pass, as the last line shows."""
    found = Forge(**edits).audit()
    assert isinstance(found, tuple) and [finding.rule for finding in found] == [rule]
    late = {"late_accusations": equivocation("e"), "last_ballots": without("e"), "cosigns": without("e")}
    assert isinstance(Forge(**late).audit(), Audited)


def declining(name: str, **changes: Any) -> Callable[[Any], Any]:
    """The tally's list of declines, with one of this member in it."""
    forge = Forge()
    fields: dict[str, Any] = {
        "author": keypair(name).public,
        "query": forge.query.id,
        "on": forge.wave.id,
        "phase": DeclinedPhase.JUDGING,
        "wave": 1,
        "reason": DeclineReason.ENGINE,
    }
    return lambda _: [seal(keypair(name), forge.network.digest, Decline(**{**fields, **changes}))]


def test_a_judge_that_declines_may_be_named() -> None:
    assert isinstance(Forge(declines=declining("e"), last_ballots=without("e")).audit(), Audited)


@pytest.mark.parametrize(
    ("rule", "edits"),
    [
        ("R15", {"declines": declining("e")}),
        ("R15", {"declines": declining("e", wave=0), "last_ballots": without("e")}),
        ("R15", {"declines": declining("e", phase=DeclinedPhase.ANSWERING), "last_ballots": without("e")}),
        ("R15", {"declines": declining("z")}),
        ("R2", {"declines": declining("e", on=bytes(32)), "last_ballots": without("e")}),
        ("R3", {"declines": declining("e"), "late_accusations": equivocation("e"), "last_ballots": without("e"),
                "cosigns": without("e")}),
    ],
)  # fmt: skip
def test_declines_that_break_a_rule(rule: str, edits: dict[str, Callable[[Any], Any]]) -> None:
    found = Forge(**edits).audit()
    assert isinstance(found, tuple) and [finding.rule for finding in found] == [rule]


def test_who_declines_a_wave_has_no_part_in_later_ones() -> None:
    """R6, for ballots and for declines."""
    forge = Forge()
    (early,) = declining("e", wave=0, on=forge.slate.id)(None)
    named = {"wave": change(declines=(early.id,), ride_along=(early.envelope,)), "ballots": without("e")}
    assert "R6" in rules(Forge(**named).audit())


def silenced(name: str) -> dict[str, Callable[[Any], Any]]:
    """Edits after which nothing of this member counts."""
    return {kind: without(name) for kind in ("answers", "ballots", "last_ballots", "cosigns")}


@pytest.mark.parametrize(
    ("accusations", "accused"),
    [
        (alike, "e"),
        (unsigned, "e"),
        (of_two_kinds, "e"),
        (in_descending_order, "e"),
        (against_a_closing, "a"),
        (equivocation("z"), "z"),
        (equivocation("e", query=STRANGE), "e"),
    ],
)
def test_evidence_must_prove_something(accusations: Callable[[Any], Any], accused: str) -> None:
    """Whom it is about counts nowhere, so that the evidence itself is all that is wrong."""
    found = Forge(accusations=accusations, **silenced(accused)).audit()
    assert isinstance(found, tuple) and [finding.rule for finding in found] == ["R3"]
    assert isinstance(Forge(accusations=equivocation("e"), **silenced("e")).audit(), Audited)


def test_evidence_is_listed_once_for_a_member() -> None:
    twice = {"accusations": equivocation("e"), "late_accusations": equivocation("e", on=STRANGE)}
    found = Forge(**twice, **silenced("e")).audit()
    assert isinstance(found, tuple) and [finding.rule for finding in found] == ["R3"]


def swap_signatures(certificate: Any) -> Any:
    one, other, *rest = certificate.cosigns
    return replace(certificate, cosigns=(one[:1] + other[1:65] + one[65:], other, *rest))


def another_kind(certificate: Any) -> Any:
    """A ballot whose frame says that it is a co-signature."""
    ballot, *rest = certificate.ballots
    return replace(certificate, ballots=(bytes((Kind.COSIGN,)) + ballot[1:], *rest))


def riding_along_unnamed(body: Any) -> Any:
    return replace(body, ride_along=(Forge().answers[0].envelope,))


@pytest.mark.parametrize(
    ("rule", "edits"),
    [
        ("R1", {"certificate": swap_signatures}),
        ("R1", {"certificate": change(params=APART)}),
        ("P1", {"certificate": another_kind}),
        ("P3", {"certificate": lambda each: replace(each, query=b"\x63" + each.query[1:])}),
        ("C1", {"certificate": lambda each: replace(each, query=each.closings[0])}),
        ("C1", {"certificate": lambda each: replace(each, closings=each.closings[:-1])}),
        ("C1", {"certificate": lambda each: replace(each, closings=each.closings[1:])}),
        ("C1", {"certificate": lambda each: replace(each, closings=(each.closings[0], *each.closings))}),
        ("C1", {"certificate": lambda each: replace(each, closings=(*each.closings[:3], each.cosigns[0]))}),
        ("C2", {"certificate": lambda each: replace(each, answers=each.answers[::-1])}),
        ("C2", {"certificate": lambda each: replace(each, cosigns=each.cosigns[::-1])}),
        ("C3", {"certificate": lambda each: replace(each, answers=each.answers[1:])}),
        ("C3", {"certificate": lambda each: replace(each, ballots=each.ballots[1:])}),
        ("C3", {"certificate": lambda each: replace(each, answers=(each.answers[0], *each.answers))}),
        ("C3", {"certificate": lambda each: replace(each, answers=each.ballots)}),
        ("C3", {"slate": lambda body: replace(body, answers=body.answers[1:])}),
        ("C3", {"slate": riding_along_unnamed}),
        ("R13", {"wave": riding_along_unnamed}),
        ("C4", {"certificate": change(turns=single("Which?"))}),
        ("P7", {"query": change(turns=single("What?"))}),
        ("P7", {"query": change(turns=ANSWERED, content_digest=digest_of(ANSWERED))}),
        ("P7", {"query": change(turns=single("x" * 4_097), content_digest=digest_of(single("x" * 4_097)))}),
        ("C4", {"query": change(turns=(), content_digest=digest_of(ANSWERED)), "certificate": change(turns=ANSWERED)}),
        ("C4", {"query": change(turns=(), content_digest=digest_of(single("Which?"))),
                "certificate": change(turns=single("What?"))}),
        ("C5", {"certificate": lambda each: replace(each, cosigns=each.ballots)}),
    ],
)  # fmt: skip
def test_a_broken_certificate_is_found(rule: str, edits: dict[str, Callable[[Any], Any]]) -> None:
    assert rule in rules(Forge(**edits).audit())


def test_an_oversized_message_is_found() -> None:
    """Its slot could not be shown to be filled twice."""

    def swell(certificate: Any) -> Any:
        first, *rest = certificate.answers
        return replace(certificate, answers=(first.ljust(SLOT_MESSAGE_BYTES_MAX + 1, b"."), *rest))

    found = Forge(certificate=swell).audit()
    assert Finding("P1", f"ANSWER of {SLOT_MESSAGE_BYTES_MAX + 1} bytes") in (found if isinstance(found, tuple) else ())


def test_no_byte_of_a_real_certificate_is_free() -> None:
    """Whatever is changed, it is found, and never an exception."""
    raw = two_waves().certificate
    assert raw is not None
    for at in range(0, len(raw), 61):
        forged = raw[:at] + bytes((raw[at] ^ 0x01,)) + raw[at + 1 :]
        assert isinstance(audit(forged), tuple), f"byte {at}"
        assert isinstance(audit(raw[:at]), tuple)


@pytest.mark.parametrize(
    ("weights", "signed", "full"),
    [("11111", "abcd", True), ("11111", "abc", False), ("11100", "abde", False), ("11100", "abc", True),
     ("11110", "abc", True), ("11110", "abe", False)],
)  # fmt: skip
def test_full(weights: str, signed: str, full: bool) -> None:
    weight = {keypair(name).public: int(each) for name, each in zip(NAMES, weights, strict=True)}
    signers = {keypair(name).public for name in signed}

    def weigh(query: Any) -> Any:
        return replace(query, roster=tuple(replace(seat, vote_weight=weight[seat.member]) for seat in query.roster))

    audited = Forge(query=weigh, cosigns=lambda every: [each for each in every if each.author in signers]).audit()
    assert isinstance(audited, Audited), audited
    assert audited.full is full


def test_an_objection_in_a_real_certificate() -> None:
    """Where everything else is real, both readings find it, and the audit nothing else."""
    made = make("abcd", APART, {})
    certificate = codec.decode(Certificate, made.raw, bytes_max=CERTIFICATE_BYTES_MAX)
    assert isinstance(certificate, Certificate)
    first = open_envelope(certificate.cosigns[0], APART.digest)
    assert isinstance(first, VerifiedMessage)
    objecting = seal(KEYS[first.author], APART.digest, replace(first.body, objection=Objection.MISMATCH))  # type: ignore[call-arg]
    kept = [open_envelope(each, APART.digest) for each in certificate.cosigns[1:]]
    messages = [each for each in kept if isinstance(each, VerifiedMessage)]
    raw = codec.encode(replace(certificate, cosigns=envelopes([objecting, *messages])))
    assert isinstance(verify_certificate(raw), Fault) and rules(audit(raw)) == {"C5"}
