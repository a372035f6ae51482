"""The audit reads testing as the rounds do, and finds each of its rules broken where a certificate breaks it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from consensus.certificates.record import bodies
from consensus.ranking.testers import assign_testers
from protocol import codec
from protocol.certificate import Certificate
from protocol.hashing import beacon
from protocol.messages import (
    CloseCommits,
    CloseReports,
    CloseSlate,
    CloseTally,
    Commitment,
    Decline,
    Findings,
    Report,
)
from protocol.signing import VerifiedMessage, seal
from protocol.types import (
    ONE,
    CompileStatus,
    DeclinedPhase,
    DeclineReason,
    Key,
    Kind,
    Outcome,
    OutcomeReason,
    StopReason,
)
from protocol.versions import WIRE
from simnet.audit import Audited, audit
from simnet.checkers import Checkers
from simnet.parsed_certificate import Finding
from tests.support.findings import NOTHING, found, plan
from tests.support.swarm import Swarm, answer_text, keypair, params
from tests.transcripts.test_rounds import drop
from tests.unit.simnet.test_audit import Forge, change, envelopes, ids, rules
from tests.unit.simnet.test_checkers import Cast

TOOLS = "rustc 1 g1 x1"
NAMES = "abcdefgh"


# -- what holds ----------------------------------------------------------------------------------------------------


def liar(status: CompileStatus) -> Callable[[int, str], Findings]:
    return lambda answer, _: found(answer, status=status)


def world(**says: Callable[[int, str], Findings]) -> Swarm:
    """Eight nodes whose answers behave in two ways, for each text one of them; some testers say what they want."""
    swarm = Swarm(NAMES, tool_versions=TOOLS)
    behaviours = {answer_text(name): "xy"[place % 2] for place, name in enumerate(NAMES)}
    for name, node in swarm.nodes.items():
        node.finds = says.get(name) or (lambda answer, text: found(answer, behaviours[text]))
    return swarm


def asked(swarm: Swarm, **changes: Any) -> Swarm:
    swarm.ask(findings=plan(**changes))
    swarm.run()
    return swarm


def agreeing() -> Swarm:
    swarm = world()
    for node in swarm.nodes.values():
        node.finds = lambda answer, _: found(answer, "same")
    return asked(swarm, agreed_share=ONE // 2)


def two_behaviours() -> Swarm:
    return asked(world())


def disputed() -> Swarm:
    """Three deny that anything compiles: some answers go to further testers."""
    return asked(world(**dict.fromkeys("fgh", liar(CompileStatus.FAILS))))


def unable() -> Swarm:
    swarm = world()
    swarm.interceptors["c"] = drop(Kind.REPORT)
    return asked(swarm)


def broken() -> Swarm:
    """What `a` wrote does not compile."""
    swarm = world()
    for node in swarm.nodes.values():
        own = node.finds
        node.finds = lambda answer, text, own=own: (
            found(answer, status=CompileStatus.FAILS) if text == answer_text("a") else own(answer, text)
        )
    return asked(swarm)


def two_toolchains() -> Swarm:
    swarm = world()
    for name in "gh":
        swarm.nodes[name].tool_versions = "another"
    return asked(swarm)


@pytest.mark.parametrize("scene", [agreeing, two_behaviours, disputed, unable, broken, two_toolchains])
def test_real_certificates_pass_and_both_readings_agree(scene: Callable[[], Swarm]) -> None:
    swarm = scene()
    assert swarm.certificate is not None
    audited, verified = audit(swarm.certificate), swarm.verified()
    assert isinstance(audited, Audited), audited
    assert audited.winner == verified.ranking.winner
    for place, read in enumerate(audited.tested):
        found_there = verified.record.found(place)
        assert read.status == found_there.status.value and read.behaviour == found_there.behaviour
        assert (read.failed, read.disputed) == (found_there.tests[1], found_there.open)
    watching = Checkers(
        Cast(frozenset(range(8)), params(), {keypair(name).public: at for at, name in enumerate(NAMES)})
    )
    watching.certified(0, swarm.certificate)
    assert watching.violations == []


def test_the_scenes_are_what_they_are_called() -> None:
    """Or the test above would prove less than it seems to."""
    assert agreeing().verified().ranking.stop in (StopReason.UNANIMOUS, StopReason.AGREED)
    two = two_behaviours().verified().record
    assert len(set(two.clusters)) == 2 < len(set(two.texts)) == 8
    further = disputed().verified().record
    assert {report.stage for report in bodies(further.reports, Report)} == {0, 1}
    assert len({report.author for report in unable().verified().record.reports}) == 7
    failing = broken().verified()
    assert [found.status for found in failing.record.findings].count(CompileStatus.FAILS) == 1
    assert len(failing.ranking.ranked) == 7
    tools = {seat.tool_versions for seat in two_toolchains().verified().record.seats.values()}
    assert tools == {TOOLS, "another"}


# -- what does not -------------------------------------------------------------------------------------------------


class ForgeWithReports(Forge):
    """One stage of testing and one wave of five members; edits are by name: `reports_closing`, `report_b`..."""

    def __init__(self, **edits: Callable[[Any], Any]) -> None:
        self.edits = edits
        self.used: set[str] = set()
        self.network = params()
        asked = Swarm("abcde", self.network, TOOLS).query(
            waves=(2, 2), findings=plan(agreed_share=ONE // 2), futility=ONE // 50
        )
        self.query = self.seal("query", asked)
        base = Forge()
        self.contents = base.contents
        self.commits = self._commits()
        self.answers = self.sealed("answer", "abcde", self.answer)
        slate = self.closing(CloseSlate, self.commits, answers=ids(self.answers), evidence=(), ride_along=())
        self.slate = self.seal("slate", slate)
        salts = [name.encode() * 32 for name in sorted("abcde", key=lambda name: keypair(name).public)]
        self.testers = assign_testers(
            beacon=beacon(self.query.id, self.commits.id, salts),
            stage=0,
            testers=[keypair(name).public for name in "abcde"],
            authors=[Key(answer.author) for answer in self.answers],
            answers=range(5),
            tested={},
        )
        testing = [name for name in "abcde" if keypair(name).public in self.testers]
        self.told = self.sealed("report", "".join(testing), self.report)
        self.declines: list[VerifiedMessage] = self.edit("declines", [])
        listed = {"declines": ids(self.declines), "evidence": (), "ride_along": ()}
        closed = self.closing(CloseReports, self.slate, stage=0, reports=ids(self.told), **listed)
        self.reports_closing = self.seal("reports_closing", closed)
        before = self.edit("before_judging", self.reports_closing)
        self.last_wave = self.sealed("ballot", "abcde", lambda name: self.ballot(name, before, 0))
        claim: dict[str, Any] = {
            "ballots": ids(self.last_wave),
            "declines": (),
            "evidence": (),
            "outcome": Outcome.DECIDED,
            "reason": OutcomeReason.NONE,
            "stop": StopReason.BUDGET,
            "winner": next(each.id for each in self.answers if each.author == keypair("b").public),
            "p_best": ONE,
            "ranking_digest": bytes(32),
            "ride_along": (),
        }
        self.tally = self.seal("tally", self.closing(CloseTally, before, **claim))
        self.cosigns = self.sealed("cosign", "abcde", self.cosign)

    def _commits(self) -> VerifiedMessage:
        entries = [Commitment(member=keypair(name).public, commitment=self.commitment(name)) for name in "abcde"]
        entries.sort(key=lambda entry: entry.member)
        fields = {"commitments": tuple(entries), "declines": (), "ride_along": ()}
        return self.seal("commits", self.closing(CloseCommits, self.query, **fields))

    def report(self, name: str) -> Report:
        key = keypair(name).public
        findings = tuple(found(answer, f"behaviour {answer}") for answer in self.testers[key])
        return Report(author=key, query=self.query.id, on=self.slate.id, stage=0, findings=findings)

    def audit(self) -> Audited | tuple[Finding, ...]:
        closings = [self.commits, self.slate, self.reports_closing, self.tally]
        if "before_judging" in self.edits:
            closings.remove(self.reports_closing)
        testing = self.reports_closing in closings
        certificate = Certificate(
            version=WIRE,
            params=self.network,
            query=self.query.envelope,
            turns=(),
            closings=tuple(each.envelope for each in closings),
            answers=envelopes(self.answers),
            reports=envelopes(self.told) if testing else (),
            ballots=envelopes(self.last_wave),
            declines=envelopes(self.declines),
            evidence=(),
            cosigns=envelopes(self.cosigns),
        )
        raw = codec.encode(self.edit("certificate", certificate))
        assert self.used == self.edits.keys()
        return audit(raw)

    def place(self, name: str) -> int:
        return next(at for at, answer in enumerate(self.answers) if answer.author == keypair(name).public)


def test_the_forge_makes_what_passes() -> None:
    audited = ForgeWithReports().audit()
    assert isinstance(audited, Audited), audited
    assert all(each.status == "compiles" and each.behaviour for each in audited.tested)


def all_reports(edit: Callable[[Report], Report]) -> dict[str, Callable[[Any], Any]]:
    return {f"report_{name}": edit for name in "abcde"}


def each_finding(**changes: Any) -> Callable[[Report], Report]:
    return lambda report: replace(report, findings=tuple(replace(each, **changes) for each in report.findings))


def fails(name: str) -> dict[str, Callable[[Any], Any]]:
    """All testers say that this node's answer does not compile."""
    place = ForgeWithReports().place(name)

    def edit(report: Report) -> Report:
        told = (
            replace(each, status=CompileStatus.FAILS, outcomes=b"") if each.answer == place else each
            for each in report.findings
        )
        return replace(report, findings=tuple(told))

    return all_reports(edit)


def one_differs(report: Report) -> Report:
    """Nobody agrees with it, and so everything that it tested is open."""
    return replace(report, findings=tuple(replace(each, source=b"?" * 16) for each in report.findings))


def decline_of(name: str) -> Callable[[Any], list[VerifiedMessage]]:
    def made(_: Any) -> list[VerifiedMessage]:
        forge = ForgeWithReports()
        body = Decline(
            author=keypair(name).public,
            query=forge.query.id,
            on=forge.slate.id,
            phase=DeclinedPhase.TESTING,
            wave=0,
            reason=DeclineReason.ENGINE,
        )
        return [seal(keypair(name), params().digest, body)]

    return made


def without_testing(forge: ForgeWithReports) -> VerifiedMessage:
    return forge.slate


BROKEN: dict[str, tuple[dict[str, Callable[[Any], Any]], str]] = {
    "a report on other answers": (
        {"report_b": lambda report: replace(report, findings=report.findings[:-1] or (found(4), found(3)))},
        "R17",
    ),
    "a report in another order": (
        {"report_b": lambda report: replace(report, findings=report.findings[::-1])}, "R17",
    ),
    "a part of an outcome": ({"report_b": each_finding(outcomes=b"12345")}, "R17"),
    "a report of another stage": ({"report_b": change(stage=1)}, "R2"),
    "a closing of another stage": ({"reports_closing": change(stage=1)}, "R2"),
    "a report on another closing": ({"report_b": change(on=b"?" * 32)}, "R2"),
    "a second stage is missing": ({"report_b": one_differs}, "R17"),
    "a stage too many": ({"query": lambda query: replace(query, findings=NOTHING)}, "R17"),
    "a decline beside a report": ({"declines": decline_of("b")}, "R15"),
    "a winner that fails": (fails("b"), "R18"),
    "agreement of nobody": ({"tally": change(stop=StopReason.AGREED)}, "R18"),
    "futility after the last wave": (
        {"query": lambda query: replace(query, waves=(2,)), "tally": change(stop=StopReason.FUTILE)}, "R19",
    ),
    "futility where it is disabled": (
        {"query": change(futility=0), "tally": change(stop=StopReason.FUTILE)}, "R19",
    ),
    "futility with too few judges": (
        {
            "tally": change(
                stop=StopReason.FUTILE, outcome=Outcome.DEGRADED, reason=OutcomeReason.TOO_FEW_JUDGES
            )
        },
        "R19",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_rule_of_testing_is_found(name: str) -> None:
    edits, rule = BROKEN[name]
    assert rule in rules(ForgeWithReports(**edits).audit())


def test_an_answer_that_fails_may_win_where_all_do() -> None:
    edits = all_reports(each_finding(status=CompileStatus.FAILS, outcomes=b""))
    assert isinstance(ForgeWithReports(**edits).audit(), Audited)


def test_agreement_and_futility_pass_where_they_may_hold() -> None:
    alike = all_reports(
        lambda report: replace(report, findings=tuple(found(each.answer, "same") for each in report.findings))
    )
    assert isinstance(ForgeWithReports(**alike, tally=change(stop=StopReason.AGREED)).audit(), Audited)
    assert isinstance(ForgeWithReports(tally=change(stop=StopReason.FUTILE)).audit(), Audited)
