"""What a running node's /metrics tells of a round that it asked, over real sockets; and its probes."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import SWARM_NODES, RunningSwarm
from tests.support.processes import get_json, get_text


def scrape(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(get_text(f"{url}/metrics"))
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for of in families for each in of.samples}


def test_a_running_node_counts_its_rounds_its_phases_and_its_bytes(swarm: RunningSwarm) -> None:
    asker = scrape(swarm.url)
    rounds = {labels: value for (name, labels), value in asker.items() if name == "strand_rounds_total"}
    assert sum(value for labels, value in rounds.items() if ("role", "requester") in labels) >= 1
    for phase in ("answering", "opening", "judging", "cosigning"):
        labels = (("phase", phase), ("role", "requester"))
        assert asker["strand_round_phase_seconds_count", labels] >= 1
    assert asker["strand_comparisons_total", (("role", "requester"),)] >= SWARM_NODES
    for direction in ("sent", "received"):
        assert asker["strand_overlay_bytes_total", (("direction", direction),)] > 1_000
    assert asker["strand_queries_waiting", ()] == 0
    member = scrape(swarm.urls[1])
    assert member["strand_round_phase_seconds_count", (("phase", "answering"), ("role", "member"))] >= 1


def test_probes_are_where_orchestrators_expect_them(swarm: RunningSwarm) -> None:
    assert get_json(f"{swarm.url}/health/live") == {"live": True}
    assert get_json(f"{swarm.url}/health/ready") == {"ready": True, "engine": True, "peers": True, "stopping": False}
