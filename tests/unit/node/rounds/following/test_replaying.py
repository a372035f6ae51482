"""What a certificate alone tells of a round's course, and what was told live."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
import pytest

from node.api import events
from node.api.events import BaseEvent, RoundEvent
from node.rounds.following.history import KINDS
from node.rounds.following.hub import REQUESTER
from node.rounds.following.replaying import replayed, texts_of, with_counted
from protocol.recall import forgetting
from protocol.types import Kind, TaskType
from tests.support.findings import plan
from tests.support.observed import ObservedSwarm
from tests.transcripts.test_rounds import drop
from tests.unit.node.rounds.following.test_observer import heard

REBUILT: Final = (
    events.Asked,
    events.AnswerOpened,
    events.ReportCounted,
    events.FindingsSettled,
    events.BallotCounted,
    events.Strengths,
    events.Decided,
    events.Certified,
)
"""Kinds of which a certificate tells all that was told live."""


def course(swarm: ObservedSwarm, **changes: Any) -> tuple[list[BaseEvent], tuple[RoundEvent, ...]]:
    """The events of a round as they were told, and as its certificate tells them to a stranger."""
    with swarm.hub.subscribe(roles=REQUESTER) as live:
        swarm.begin(**changes)
        swarm.run()
        told = heard(live)
    with forgetting():
        verified = swarm.verified()
        assert swarm.certificate is not None
        return told, replayed(verified, len(swarm.certificate))


def bare(found: Any) -> list[BaseEvent]:
    """Events of the kinds that are rebuilt, without their times and numbers."""
    return [msgspec.structs.replace(each, at_ms=0, seq=0) for each in found if isinstance(each, REBUILT)]


@pytest.fixture(params=["two waves", "final", "tested", "unanimous"])
def scenario(request: pytest.FixtureRequest) -> tuple[ObservedSwarm, dict[str, Any]]:
    """A swarm, and what its asker asks for."""
    swarm = ObservedSwarm("abcde", "rustc 1" if request.param == "tested" else "")
    if request.param == "unanimous":
        for node in swarm.nodes.values():
            node.text = "alike"
    changes: dict[str, dict[str, Any]] = {
        "two waves": {"waves": (2, 2)},
        "final": {"task": TaskType.FINAL},
        "tested": {"findings": plan()},
    }
    return swarm, changes.get(request.param, {})


@pytest.fixture
def swarm(scenario: tuple[ObservedSwarm, dict[str, Any]]) -> ObservedSwarm:
    return scenario[0]


@pytest.fixture
def changes(scenario: tuple[ObservedSwarm, dict[str, Any]]) -> dict[str, Any]:
    return scenario[1]


def test_a_certificate_tells_what_was_told_live(swarm: ObservedSwarm, changes: dict[str, Any]) -> None:
    told, rebuilt = course(swarm, **changes)
    assert bare(rebuilt) == bare(told)
    assert [each.seq for each in rebuilt] == list(range(1, len(rebuilt) + 1))
    assert {(each.query_id, each.at_ms) for each in rebuilt} == {(told[0].query_id, 0)}
    if "findings" in changes:
        assert any(isinstance(each, events.ReportCounted) for each in rebuilt), "nothing was tested"


def test_noted_events_and_a_certificate_give_the_live_course(swarm: ObservedSwarm, changes: dict[str, Any]) -> None:
    """In the same order, and with the times at which closings counted."""
    told, _ = course(swarm, **changes)
    noted = [each for each in told if isinstance(each, KINDS)]
    merged = with_counted(cast(Any, noted), swarm.verified().record)
    assert len(merged) > len(noted)
    assert [unnumbered(each) for each in merged] == [unnumbered(each) for each in told]
    assert [each.seq for each in merged] == sorted(each.seq for each in merged)
    assert {each.seq for each in merged} == {each.seq for each in noted}


def test_of_an_open_round_nothing_is_told_beyond_what_was_noted(swarm: ObservedSwarm, changes: dict[str, Any]) -> None:
    """What is missing comes live, with greater numbers."""
    told, _ = course(swarm, **changes)
    noted = [each for each in told if isinstance(each, KINDS)]
    record = swarm.verified().record
    for end in range(len(noted) + 1):
        merged = with_counted(cast(Any, noted[:end]), record)
        last = noted[end - 1].seq if end else 0
        assert [unnumbered(each) for each in merged] == [unnumbered(each) for each in told if each.seq <= last]


def test_events_that_were_lost_do_not_hide_what_was_counted() -> None:
    """Given a slow history that lost all progress, then everything comes before the decision."""
    swarm = ObservedSwarm("abcd")
    told, _ = course(swarm, waves=(2, 2))
    noted = [each for each in told if isinstance(each, events.Asked | events.Decided | events.Ended)]
    merged = with_counted(cast(Any, noted), swarm.verified().record)
    counted = [unnumbered(each) for each in told if not isinstance(each, KINDS)]
    assert [msgspec.structs.replace(unnumbered(each), at_ms=0) for each in merged[1:-2]] == [
        msgspec.structs.replace(each, at_ms=0) for each in counted
    ]
    assert isinstance(merged[-2], events.Decided)


def unnumbered(event: BaseEvent) -> BaseEvent:
    return msgspec.structs.replace(event, seq=0)


def test_of_a_private_round_it_tells_neither_text_nor_readers() -> None:
    told, rebuilt = course(ObservedSwarm("abc"), turns=())
    assert bare(rebuilt)[1:] == bare(told)[1:]
    asked = rebuilt[0]
    assert isinstance(asked, events.Asked) and (asked.turns, asked.audience) == ((), None)


def phases(found: Any) -> list[tuple[str, int, tuple[str, ...]]]:
    """Phase, number and contributions of the last progress of each phase."""
    told = [each for each in found if isinstance(each, events.Progress)]
    last = {(each.phase, each.wave): each.received for each in told}
    return [(*key, received) for key, received in last.items()]


def test_each_phase_ends_with_those_that_count() -> None:
    """A decline is told with its reason, and a member that opens nothing is missing."""
    swarm = ObservedSwarm("abcde")
    swarm.interceptors["d"] = drop(Kind.ANSWER)
    told, rebuilt = course(swarm, waves=(2, 2))
    assert phases(rebuilt) == phases(told)
    opening = [each for each in rebuilt if isinstance(each, events.Progress) and each.phase == "opening"]
    assert [len(each.received) for each in opening] == [0, 4]
    assert len(opening[1].expected) == 5


def test_the_texts_are_those_of_the_slate() -> None:
    swarm = ObservedSwarm("abc")
    swarm.begin()
    swarm.run()
    record = swarm.verified().record
    texts = texts_of(record)
    assert [(each.number, each.answer_id, each.author) for each in texts] == [
        (number, message.id.hex(), message.author.hex()) for number, message in enumerate(record.answers)
    ]
    assert {each.text for each in texts} == {swarm.nodes[name].text for name in "abc"}
