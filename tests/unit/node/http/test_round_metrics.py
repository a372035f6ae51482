"""The metrics of rounds, of real rounds in virtual time."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from node.facade.peers import PeersFacade
from node.facade.round_metrics import RoundMetrics
from node.rounds.following.meter import BOUNDS_S, Durations, RoundMeter
from node.rounds.following.timeline import PHASES
from protocol.types import CompileStatus, DeclineReason
from tests.support.findings import found, plan
from tests.support.observed import ObservedSwarm
from tests.support.shown import StillNetwork
from tests.support.swarm import keypair

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Metered(ObservedSwarm):
    """A swarm each of whose nodes has metrics."""

    def __init__(self, names: str, tool_versions: str = "") -> None:
        super().__init__(names, tool_versions)
        self.meters = {name: RoundMeter() for name in names}
        for name, meter in self.meters.items():
            self.timelines[name].follow(meter)

    def scrape(self, name: str) -> "Scraped":
        registry = CollectorRegistry()
        peers = PeersFacade(cast(Any, None), StillNetwork(), cast(Any, None), cast(Any, None))
        waits = cast(Any, SimpleNamespace(waiting=3, queue=SimpleNamespace(waiting=[None] * 3)))
        registry.register(RoundMetrics(self.meters[name], self.timelines[name], waits, waits, peers))
        return Scraped(generate_latest(registry).decode())


class Scraped:
    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self.samples: Samples = {
            (each.name, tuple(sorted(each.labels.items()))): each.value
            for family in self.families
            for each in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self.samples[name, tuple(sorted(labels.items()))]


def test_a_round_is_counted_at_its_requester_and_at_its_members() -> None:
    swarm = Metered("abcd")
    swarm.begin(waves=(2, 2))
    assert swarm.scrape("a").value("strand_rounds_open", role="requester") == 1
    began_ms = swarm.now_ms
    swarm.run()
    asker, member = swarm.scrape("a"), swarm.scrape("b")

    ballots = [message.body for message in swarm.verified().record.ballots]
    by_member = [len(each.judgements) for each in ballots if each.author == keypair("b").public]
    assert asker.value("strand_rounds_total", role="requester", ending="finished", outcome="decided") == 1
    assert member.value("strand_rounds_total", role="member", ending="finished", outcome="decided") == 1
    assert asker.value("strand_rounds_total", role="requester", ending="finished", outcome="failed") == 0
    assert {asker.value("strand_rounds_open", role=role) for role in ("requester", "member")} == {0}
    assert asker.value("strand_comparisons_total", role="requester") == sum(len(each.judgements) for each in ballots)
    assert member.value("strand_comparisons_total", role="member") == sum(by_member) > 0
    assert member.value("strand_comparisons_total", role="requester") == 0
    answer_s, round_s = (
        asker.value("strand_round_answer_seconds_sum"),
        asker.value("strand_round_seconds_sum", role="requester"),
    )
    assert 0 < answer_s < round_s <= (swarm.now_ms - began_ms) / 1000, "a user waits for no co-signature"
    assert asker.value("strand_round_answer_seconds_count") == 1
    waves = {phase: 2 if phase == "judging" else 1 for phase in ("answering", "opening", "judging", "cosigning")}
    for phase, count in waves.items():
        assert asker.value("strand_round_phase_seconds_count", role="requester", phase=phase) == count
    assert member.value("strand_round_phase_seconds_sum", role="member", phase="answering") == 0.1
    assert member.value("strand_round_phase_seconds_count", role="member", phase="judging") == 2


def test_the_phases_of_a_requester_fill_its_round() -> None:
    swarm = Metered("abc")
    swarm.begin()
    swarm.run()
    asker = swarm.scrape("a")
    phases = [
        asker.value("strand_round_phase_seconds_sum", role=role, phase=phase)
        for role, phase in PHASES
        if role == "requester"
    ]
    assert sum(phases) == pytest.approx(asker.value("strand_round_seconds_sum", role="requester"))


def test_declines_and_abstentions_are_counted_by_reason() -> None:
    swarm = Metered("abcd")
    swarm.nodes["b"].unable_to_answer = DeclineReason.ENGINE
    swarm.nodes["c"].unable_to_judge = DeclineReason.ABSTAINS
    swarm.begin()
    swarm.run()
    assert swarm.scrape("b").value("strand_phases_declined_total", phase="answering", reason="engine") == 1
    assert swarm.scrape("c").value("strand_phases_declined_total", phase="judging", reason="abstains") == 1
    assert swarm.scrape("d").value("strand_phases_declined_total", phase="judging", reason="abstains") == 0


def test_a_phase_that_went_on_without_this_node_is_counted() -> None:
    swarm = Metered("abcd")
    swarm.nodes["d"].generate_ms = 1_000_000
    swarm.begin()
    swarm.run()
    assert swarm.scrape("d").value("strand_phases_unfinished_total", phase="answering") == 1
    assert swarm.scrape("b").value("strand_phases_unfinished_total", phase="answering") == 0


def test_a_round_without_an_answer_is_a_failure_and_no_wait_for_one_is_lost() -> None:
    swarm = Metered("ab")
    for node in swarm.nodes.values():
        node.unable_to_answer = DeclineReason.ENGINE
    swarm.begin()
    swarm.run()
    asker = swarm.scrape("a")
    assert asker.value("strand_rounds_total", role="requester", ending="finished", outcome="failed") == 1
    assert asker.value("strand_rounds_open", role="requester") == 0


def test_labels_are_our_own_words_and_queues_and_bytes_are_told() -> None:
    scraped = Metered("a").scrape("a")
    assert scraped.value("strand_queries_waiting") == 3
    assert scraped.value("strand_inbox_events") == 3
    assert scraped.value("strand_overlay_bytes_total", direction="received") == 700
    for family in scraped.families:
        assert family.documentation.endswith(".")
        assert (family.type == "counter") == all(sample.name.endswith("_total") for sample in family.samples)


def test_a_duration_falls_into_the_first_bucket_that_holds_it() -> None:
    durations = Durations()
    for ms in (0, 50, 51, 600_000, 600_001, -5):
        durations.add(ms)
    assert durations.counts[:2] == [3, 1]
    assert durations.counts[-2:] == [1, 1]
    assert sum(durations.counts) == 6 and len(durations.counts) == len(BOUNDS_S) + 1


def test_what_a_node_tested_is_counted_by_what_it_found() -> None:
    swarm = Metered("abcd", "rustc 1.95.0 g1 x1")
    for node in swarm.nodes.values():
        node.finds = lambda answer, text: found(
            answer, status=CompileStatus.FAILS if "'b'" in text else CompileStatus.COMPILES
        )
    swarm.begin(waves=(2,), findings=plan())
    swarm.run()
    shares = [
        [swarm.scrape(name).value("strand_answers_tested_total", status=status) for status in CompileStatus]
        for name in "abcd"
    ]
    # Three testers for each of four answers, one of which does not compile.
    assert [sum(column) for column in zip(*shares, strict=True)] == [0, 9, 3]
    assert swarm.scrape("a").value("strand_round_phase_seconds_count", role="requester", phase="testing") == 1
    assert sum(
        swarm.scrape(name).value("strand_round_phase_seconds_count", role="member", phase="testing") for name in "abcd"
    ) == sum(bool(sum(share)) for share in shares)
