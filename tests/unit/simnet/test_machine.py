"""A simulated node does what the daemon does: with its disk, its engine, its clock and its killer."""

from collections.abc import Callable
from typing import Any

import pytest

from consensus.rounds.effects import ACKNOWLEDGE_MS
from protocol.messages import Answer
from protocol.types import Digest
from simnet.adversaries.behaviour import Accomplice, Frame
from simnet.disk import CERTIFICATES_KEPT, Disk
from simnet.network import Traffic
from simnet.plan import SETTLE_MS, START_MS
from simnet.scenario import ScenarioError, scenario_from
from tests.simulation.worlds import Watched

ASKED_MS = START_MS + SETTLE_MS
LINK_MS = 40
ANSWERED_MS = ASKED_MS + 2_000
"""Every engine needs two seconds for an answer; members commit a link's delay later, when the query has come."""


def world(rounds: int = 1, **round: Any) -> Watched:
    """Five nodes, all equally fast, behind links that take LINK_MS."""
    return Watched(
        scenario_from(
            {
                "nodes": 5,
                "rounds": rounds,
                "round": round,
                "engine": {"answer_ms": 2_000, "spread": 0.0},
                "links": {"latency_ms": LINK_MS, "spread": 0.0, "jitter_ms": 0},
            }
        )
    )


def member(watched: Watched) -> int:
    """A node that does not ask."""
    return next(node for node in range(5) if node != watched.plan.asking(0).requester)


def live(watched: Watched, at_ms: int, action: Callable[[], object]) -> None:
    """Simulate, with one thing more that happens."""
    watched.clock.at(at_ms, action)
    watched.simulate()


def answered(watched: Watched) -> set[int]:
    """Whose answers are in the certificate."""
    (certificate,) = watched.certificates
    answers = [message.body for message in certificate.record.answers]
    return {watched.plan.number_of[answer.author] for answer in answers if isinstance(answer, Answer)}


def heard(watched: Watched, at_ms: int) -> set[int]:
    """Who heard of a commitment then."""
    return {each.node for each in watched.notes("COMMIT") if each.at_ms == at_ms}


# -- contributions -----------------------------------------------------------------------------------------------------


def test_a_contribution_that_is_not_acknowledged_is_gossiped() -> None:
    watched = world()
    node = member(watched)
    watched.clock.at(ANSWERED_MS, watched.links.cut, {node})
    live(watched, ANSWERED_MS + 1_000, lambda: watched.links.heal(frozenset({node})))
    sent_ms = watched.notes("contribute", node)[0].at_ms
    assert heard(watched, sent_ms + ACKNOWLEDGE_MS + LINK_MS) == set(range(5)) - {node}
    assert answered(watched) == set(range(5))


def test_a_contribution_that_is_acknowledged_goes_to_the_requester_alone() -> None:
    watched = world()
    watched.simulate()
    sent_ms = watched.notes("contribute", member(watched))[0].at_ms
    assert heard(watched, sent_ms + LINK_MS) == {watched.plan.asking(0).requester}
    assert len(watched.notes("COMMIT")) == 4


# -- life and death ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("effects", "sent_before"), [(1, 0), (2, 1)])
def test_who_dies_between_two_effects_says_after_it_what_it_wrote_before(effects: int, sent_before: int) -> None:
    watched = world()
    machine = watched.machines[member(watched)]
    watched.clock.at(ANSWERED_MS, machine.doom, effects)
    live(watched, ANSWERED_MS + 1_000, lambda: machine.start(disk_lost=False))
    (killed,) = watched.notes("killed", machine.node)
    commits = [each for each in watched.notes("contribute", machine.node) if each.at_ms < killed.at_ms + 1_000]
    # The journal is the first effect, the contribution the second.
    assert len(commits) == sent_before
    assert machine.node in answered(watched)
    assert not watched.findings


def test_who_starts_with_its_disk_repeats_its_commitment_and_opens_it() -> None:
    watched = world(futility=0.0)
    machine = watched.machines[member(watched)]
    watched.clock.at(ANSWERED_MS + LINK_MS + 5, machine.kill)
    live(watched, ANSWERED_MS + LINK_MS + 20, lambda: machine.start(disk_lost=False))
    sent = [each.about for each in watched.notes("contribute", machine.node)]
    assert sent[0] == sent[1]
    assert len(set(sent)) == 6  # commitment, opening, a ballot for each of three waves, co-signature
    assert machine.node in answered(watched)


def test_who_starts_again_while_answers_are_tested_tests_anew_and_reports() -> None:
    watched = Watched(
        scenario_from(
            {
                "preset": "code-testable",
                "nodes": 5,
                "rounds": 1,
                "engine": {"answer_ms": 2_000, "test_ms": 1_000, "spread": 0.0},
                "links": {"latency_ms": LINK_MS, "spread": 0.0, "jitter_ms": 0},
            }
        )
    )
    machine = watched.machines[member(watched)]
    at_ms = ANSWERED_MS + 1_000
    watched.clock.at(at_ms, machine.kill)
    live(watched, at_ms + 100, lambda: machine.start(disk_lost=False))
    assert not watched.findings, watched.complaint
    (certificate,) = watched.certificates
    assert len(certificate.record.reports) == 5
    (report,) = [each for each in certificate.record.reports if each.author == machine.keypair.public]
    (sent,) = [each.at_ms for each in watched.notes("contribute", machine.node) if each.about == report.id]
    assert sent > at_ms + 2_000, "the work was lost with its memory"


def test_who_starts_with_an_empty_disk_is_silent_in_rounds_that_it_may_have_spoken_in() -> None:
    watched = world()
    machine = watched.machines[member(watched)]
    watched.clock.at(ANSWERED_MS + LINK_MS + 5, machine.kill)
    live(watched, ANSWERED_MS + LINK_MS + 20, lambda: machine.start(disk_lost=True))
    assert len(watched.notes("contribute", machine.node)) == 1
    (certificate,) = watched.certificates
    assert certificate.unopened == (machine.keypair.public,)


def test_who_lost_its_disk_stays_silent_in_such_rounds_when_it_starts_once_more() -> None:
    watched = world()
    machine = watched.machines[member(watched)]
    for after_ms, disk_lost in ((5, True), (20, False)):
        watched.clock.at(ANSWERED_MS + LINK_MS + after_ms, machine.kill)
        watched.clock.at(ANSWERED_MS + LINK_MS + after_ms + 10, lambda lost=disk_lost: machine.start(disk_lost=lost))
    watched.simulate()
    assert len(watched.notes("contribute", machine.node)) == 1
    assert machine.node not in answered(watched)


def test_nobody_makes_the_dead_act() -> None:
    watched = world()
    accomplice = watched.machines[1]
    frame = Frame("/topic", accomplice.keypair.public, b"data")
    accomplice.kill()
    watched.machines[0]._act(Accomplice(1, frame))
    assert watched.network.of_rounds == Traffic()
    accomplice.start(disk_lost=False)
    watched.machines[0]._act(Accomplice(1, frame))
    assert watched.network.of_rounds.messages == 4


def test_who_is_down_neither_hears_nor_works() -> None:
    watched = world()
    machine = watched.machines[member(watched)]
    live(watched, ANSWERED_MS - 100, machine.kill)
    assert not watched.notes("contribute", machine.node)
    assert max(each.at_ms for each in watched.trace.notes if each.node == machine.node) == ANSWERED_MS - 100
    assert answered(watched) == set(range(5)) - {machine.node}


def test_a_second_kill_changes_nothing() -> None:
    watched = world()
    machine = watched.machines[0]
    machine.kill()
    machine.kill()
    assert len(watched.notes("killed")) == 1


# -- engine and clock --------------------------------------------------------------------------------------------------


def test_an_engine_works_on_one_thing_after_the_other() -> None:
    watched = world(rounds=2, interval_ms=1)
    watched.simulate()
    node = next(node for node in range(5) if node not in {watched.plan.asking(number).requester for number in (0, 1)})
    first, second = (each.at_ms for each in watched.notes("contribute", node)[:2])
    assert (first, second) == (ANSWERED_MS + LINK_MS, ANSWERED_MS + LINK_MS + 2_000)


def test_an_engine_does_not_begin_what_would_be_late() -> None:
    watched = world(rounds=2, interval_ms=1, answer_ms=3_000)
    watched.simulate()
    # Time is enough for one answer: who asks for the second one begins with that.
    assert [result.answers for result in watched.run.rounds] == [4, 1]


def test_clocks_are_wrong_by_up_to_the_skew() -> None:
    watched = Watched(scenario_from({"nodes": 40, "faults": {"clock_skew_ms": 2_000}}))
    skews_ms = {machine.now_ms - watched.clock.now_ms for machine in watched.machines}
    assert len(skews_ms) > 30
    assert -2_000 <= min(skews_ms) < -1_000 < 1_000 < max(skews_ms) <= 2_000


# -- disk --------------------------------------------------------------------------------------------------------------


def test_a_disk_keeps_the_newest_certificates() -> None:
    disk = Disk()
    ids = [Digest(bytes([number]) * 32) for number in range(CERTIFICATES_KEPT + 2)]
    for id in ids:
        disk.keep(id, b"certificate")
    assert list(disk.certificates) == ids[2:]


def test_a_disk_forgets_what_it_wrote_for_rounds_that_are_over() -> None:
    watched = world(rounds=6)
    watched.simulate()
    for machine in watched.machines:
        disk = machine._disk
        # Rounds are dropped where the next one is joined.
        assert len({slot.query for slot in disk.journal}) <= 1
        assert len(disk.openings) <= 1
        assert not disk.rounds


# -- the network's rules -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round", [{"waves": [9]}, {"answer_ms": 3_600_000}])
def test_a_query_that_the_network_refuses_is_the_scenarios_fault(round: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match="the network refuses such a query"):
        world(**round).simulate()
