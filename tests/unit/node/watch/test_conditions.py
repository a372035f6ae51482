"""What is wrong with a node's place in the network: each with its line, its remedy, and when it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.overlay.types import Bootstrap, DialFault, FailedDial
from node.watch.conditions import SETTLE_MS, TELL_AGAIN_MS, Condition, ConditionKind, Teller, View, conditions

DIGEST, OTHER_DIGEST = "0" * 32, "f" * 32
TOPIC, OTHER_TOPIC = (f"/strand/devnet/{digest}/rust/0" for digest in (DIGEST, OTHER_DIGEST))
ADDRESS = "/ip4/198.51.100.7/tcp/4211/p2p/12D3KooWA"
PEER, SECOND = b"p" * 32, b"q" * 32
WELL = View(
    topic=TOPIC,
    bootstraps=(Bootstrap(ADDRESS, connected=True, failed=None),),
    topics={PEER: frozenset({TOPIC}), SECOND: frozenset({TOPIC})},
    protocols={PEER: frozenset({"/strand/contribute/3", "/strand/pull/3"})},
    clocks=2,
    clocks_off=0,
    offset_ms=3,
    ours_is_off=False,
    has_weight=True,
)


def failed(fault: DialFault, detail: str = "") -> tuple[Bootstrap, ...]:
    return (Bootstrap(ADDRESS, connected=False, failed=FailedDial(fault, detail)),)


def of_others(text: str) -> dict[bytes, frozenset[str]]:
    return {PEER: frozenset({text})}


@pytest.mark.parametrize(
    ("view", "kinds", "words"),
    [
        (WELL, [], []),
        (
            replace(WELL, bootstraps=failed(DialFault.DOWN, "Connection refused")),
            ["bootstrap_down"],
            [f"{ADDRESS} does not answer (Connection refused)", "start it", "--bootstrap"],
        ),
        (
            replace(WELL, bootstraps=failed(DialFault.UNRESOLVED, "node.example does not resolve: Name not known")),
            ["bootstrap_down"],
            ["node.example does not resolve", "correct the name"],
        ),
        (
            replace(WELL, bootstraps=failed(DialFault.TURNED_AWAY)),
            ["bootstrap_full"],
            ["it is full, or refuses us", "name another node with --bootstrap"],
        ),
        (
            replace(WELL, bootstraps=failed(DialFault.OTHER_NODE, "12D3KooWB")),
            ["bootstrap_other_id"],
            ["is another node", "write /ip4/198.51.100.7/tcp/4211/p2p/12D3KooWB;"],
        ),
        (replace(WELL, bootstraps=(), topics={}), ["alone"], ["give it a peer with --bootstrap"]),
        (
            replace(WELL, bootstraps=failed(DialFault.DOWN), topics={}),
            ["bootstrap_down", "alone"],
            ["1 of its 1 bootstrap peers cannot be reached"],
        ),
        (
            replace(WELL, topics={**WELL.topics, b"r" * 32: frozenset({f"/strand/devnet/{OTHER_DIGEST}/rust/0"})}),
            ["other_parameters"],
            ["1 of 3 peers", "devnet ffffffff, ours devnet 00000000", "--network"],
        ),
        (
            # One word for one thing: its topics have another digest for its version alone.
            replace(WELL, topics={**WELL.topics, **of_others(OTHER_TOPIC)}, protocols=of_others("/strand/pull/4")),
            ["other_version"],
            ["1 of 2 peers speak a newer version of the wire (4, this node 3)", "upgrade this node"],
        ),
        (
            replace(
                WELL,
                topics={**WELL.topics, **of_others(OTHER_TOPIC), b"r" * 32: frozenset({OTHER_TOPIC})},
                protocols=of_others("/strand/pull/4"),
            ),
            ["other_version", "other_parameters"],
            ["1 of 3 peers speak a newer", "1 of 2 peers have other network parameters"],
        ),
        (replace(WELL, protocols={PEER: frozenset({"/strand/pull/3", "/strand/pull/4"})}), [], []),
        (replace(WELL, protocols=of_others("/strand/pull/04")), [], []),
        (
            replace(WELL, topics=of_others(f"/strand/mainnet/{DIGEST}/rust/0")),
            ["other_parameters"],
            ["1 of 1 peers", "mainnet", "--network"],
        ),
        (
            replace(WELL, topics=of_others(f"/strand/devnet/{DIGEST}/rust/3")),
            ["other_submesh"],
            ["shard 3", "node.shard = 3"],
        ),
        (
            replace(WELL, topics=of_others(f"/strand/devnet/{DIGEST}/python/0")),
            ["other_submesh"],
            ["'python'", "--specialty python"],
        ),
        (replace(WELL, topics={**WELL.topics, b"r" * 32: frozenset({f"/strand/devnet/{DIGEST}/rust/3"})}), [], []),
        (replace(WELL, topics=of_others("/eth2/beacon_block")), [], []),
        (replace(WELL, topics=of_others(f"/strand/devnet/{DIGEST}/$(reboot)/0")), [], []),
        (
            replace(WELL, clocks=7, clocks_off=6, offset_ms=90_040, ours_is_off=True),
            ["clock_off"],
            ["behind by 90.0 s of most of 7 peers", "timedatectl"],
        ),
        (
            replace(WELL, clocks=1, clocks_off=1, offset_ms=-10_000),
            ["clock_off"],
            ["ahead by 10.0 s of its only peer", "set the clock that is wrong"],
        ),
        (replace(WELL, clocks=2, clocks_off=1), [], []),
        (replace(WELL, has_weight=False), ["no_weight"], ["degraded (no_weight)", "trust.default_weight"]),
    ],
)
def test_what_is_wrong_is_one_line_with_what_helps(view: View, kinds: list[str], words: list[str]) -> None:
    found = conditions(view)
    assert [each.kind for each in found] == kinds
    lines = "\n".join(map(str, found))
    assert lines.count("\n") == max(len(found) - 1, 0)
    assert [word for word in words if word not in lines] == [], lines


ALONE = Condition(ConditionKind.ALONE, "alone", "find a friend")


def test_what_does_not_last_is_not_told() -> None:
    teller = Teller()
    assert teller.news([ALONE], 0) == ([], [])
    assert teller.news([], SETTLE_MS - 1) == ([], [])
    assert teller.news([ALONE], SETTLE_MS) == ([], [])
    assert teller.news([ALONE], 2 * SETTLE_MS) == ([ALONE], [])
    assert teller.news([ALONE], 3 * SETTLE_MS) == ([], [])


def test_its_end_is_told_once_and_its_return_not_at_once() -> None:
    teller = Teller()
    teller.news([ALONE], 0)
    assert teller.news([ALONE], SETTLE_MS) == ([ALONE], [])
    assert teller.news([], SETTLE_MS) == ([], [ALONE])
    assert teller.news([], SETTLE_MS) == ([], [])
    for now_ms in range(SETTLE_MS, TELL_AGAIN_MS, SETTLE_MS):
        assert teller.news([ALONE], now_ms) == ([], [])
        assert teller.news([], now_ms) == ([], [])
    teller.news([ALONE], TELL_AGAIN_MS)
    assert teller.news([ALONE], TELL_AGAIN_MS + SETTLE_MS) == ([ALONE], [])


def test_peers_of_older_versions_have_a_remedy_of_their_own() -> None:
    """As a node sees it in a network that is being upgraded."""
    speak = {PEER: frozenset({"/strand/pull/2"}), SECOND: frozenset({"/strand/pull/4"})}
    newer, older = conditions(replace(WELL, protocols=speak))
    assert (newer.kind, newer.about, older.kind, older.about) == ("other_version", "newer", "other_version", "older")
    assert str(older).startswith("1 of 2 peers speak an older version of the wire (2, this node 3)")
    assert older.remedy == "have their owners upgrade them"


def test_another_version_is_told_once_a_day() -> None:
    """Whatever number of peers come, go, and claim whatever version."""
    teller, told = Teller(), []
    for minute in range(3 * 24 * 60):
        claimed = {bytes([n]) * 32: frozenset({f"/strand/pull/{3 + (minute + n) % 9_000}"}) for n in range(minute % 7)}
        view = replace(WELL, topics=dict.fromkeys(claimed, frozenset[str]()) or WELL.topics, protocols=claimed)
        told += teller.news(conditions(view), minute * 60_000)[0]
        told += teller.news(conditions(view), minute * 60_000 + SETTLE_MS)[0]
    assert [each.kind for each in told] == ["other_version"] * 3
