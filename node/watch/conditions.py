"""Conditions that keep a node from taking part, each with its remedy.

One source for the log, `strand status` and errors. Pure: the node's observations come in as a `View`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from node.overlay.types import Bootstrap, DialFault
from protocol.versions import WIRE, wires_of

SETTLE_MS: Final = 5_000
"""Milliseconds that a condition holds before it is reported: at a start all nodes are alone, and a restarting peer is
back."""

TELL_AGAIN_MS: Final = 600_000
"""Milliseconds between two lines about one condition: one that comes and goes, even at a stranger's wish, must not fill
the log."""

TELL_VERSIONS_AGAIN_MS: Final = 86_400_000
"""Milliseconds between two lines about peers of another wire version, at most one for newer and one for older ones: a
day, because an upgrade takes one, and peers of a network under upgrade come and go."""

NO_WEIGHT_REMEDY: Final = (
    "set trust.default_weight (--default-weight 1 among friends, --friends where all nodes are yours), "
    "name keys under [trust.trusted], or give this node questions whose answers you know ([gold] file)"
)
_BOOTSTRAP: Final = "name another node with --bootstrap (overlay.bootstrap; its address stands in its `strand status`)"

# No other characters, because strangers' topics stand in commands that we recommend.
_TOPIC: Final = re.compile(r"/strand/([\w.-]{1,64})/([0-9a-f]{32})/([\w.+-]{1,64})/([0-9]{1,5})")


class ConditionKind(StrEnum):
    """Kind of a condition."""

    ALONE = "alone"
    BOOTSTRAP_DOWN = "bootstrap_down"
    BOOTSTRAP_FULL = "bootstrap_full"
    BOOTSTRAP_OTHER_ID = "bootstrap_other_id"
    OTHER_VERSION = "other_version"
    OTHER_PARAMETERS = "other_parameters"
    OTHER_SUBMESH = "other_submesh"
    CLOCK_OFF = "clock_off"
    NO_WEIGHT = "no_weight"


@dataclass(frozen=True, slots=True)
class Condition:
    """One fault: its kind, its subject (a bootstrap peer's address, or which peers), its text and its remedy."""

    kind: ConditionKind
    text: str
    remedy: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.text}: {self.remedy}"


@dataclass(frozen=True, slots=True)
class View:
    """A node's observations of its place in the network.

    `topic` is its own; `topics` are those that each connected peer names, and `protocols` strand's stream protocols
    that the peer serves, empty until it has named them. `clocks` of others were compared with ours, which they lead by
    `offset_ms` (median); `clocks_off` of them certainly differ, and `ours_is_off` if ours is the wrong one.
    """

    topic: str
    bootstraps: tuple[Bootstrap, ...]
    topics: Mapping[bytes, frozenset[str]]
    protocols: Mapping[bytes, frozenset[str]]
    clocks: int
    clocks_off: int
    offset_ms: int
    ours_is_off: bool
    has_weight: bool


def conditions(view: View) -> tuple[Condition, ...]:
    """Return all conditions, the most important first."""
    foreign = _foreign(view)
    # A peer of another version has other parameters' digest in its topics, whatever its parameters are.
    spoken_to = replace(view, topics={peer: each for peer, each in view.topics.items() if peer not in foreign})
    found = [*_bootstraps(view.bootstraps), *_versions(view, foreign), *_peers(spoken_to), *_clock(view)]
    if not view.topics:
        found.append(_alone(view.bootstraps))
    if not view.has_weight:
        text = "no node has a voting weight here, so that each round of this node's ends degraded (no_weight)"
        found.append(Condition(ConditionKind.NO_WEIGHT, text, NO_WEIGHT_REMEDY))
    return tuple(found)


def _bootstraps(bootstraps: Iterable[Bootstrap]) -> Iterator[Condition]:
    for each in bootstraps:
        if each.connected or each.failed is None:
            continue
        detail = f" ({each.failed.detail})" if each.failed.detail else ""
        match each.failed.fault:
            case DialFault.OTHER_NODE:
                kind, text = (
                    ConditionKind.BOOTSTRAP_OTHER_ID,
                    f"at the bootstrap address {each.address} is another node",
                )
                place = each.address.rpartition("/")[0]
                told = f"if it is meant, write {place}/{each.failed.detail}; else " if each.failed.detail else ""
                remedy = told + _BOOTSTRAP
            case DialFault.TURNED_AWAY:
                kind = ConditionKind.BOOTSTRAP_FULL
                text = f"the bootstrap peer {each.address} closes our connections{detail}: it is full, or refuses us"
                remedy = f"{_BOOTSTRAP}; its own tells whom it refused and why"
            case DialFault.UNRESOLVED:
                kind, text = ConditionKind.BOOTSTRAP_DOWN, f"the bootstrap address {each.address} has no place{detail}"
                remedy = f"correct the name, or {_BOOTSTRAP}"
            case DialFault.DOWN:
                kind, text = ConditionKind.BOOTSTRAP_DOWN, f"the bootstrap peer {each.address} does not answer{detail}"
                remedy = f"start it, or open its port, or {_BOOTSTRAP}"
        yield Condition(kind, text, remedy, each.address)


def _alone(bootstraps: tuple[Bootstrap, ...]) -> Condition:
    text = "this node is alone: no peer is connected"
    if not bootstraps:
        remedy = "give it a peer with --bootstrap (overlay.bootstrap), an address that another's `strand status` shows"
    elif any(each.failed is not None for each in bootstraps):
        failed = sum(each.failed is not None for each in bootstraps)
        remedy = f"{failed} of its {len(bootstraps)} bootstrap peers cannot be reached; {_BOOTSTRAP}"
    else:
        remedy = f"its bootstrap peers are being dialled; if this stays so, {_BOOTSTRAP}"
    return Condition(ConditionKind.ALONE, text, remedy)


def _foreign(view: View) -> dict[bytes, int]:
    """Return the connected peers that share no version of the wire with us, with the newest of each."""
    spoken = {peer: wires_of(view.protocols.get(peer, ())) for peer in view.topics}
    return {peer: wires[-1] for peer, wires in spoken.items() if wires and WIRE not in wires}


def _versions(view: View, foreign: Mapping[bytes, int]) -> Iterator[Condition]:
    """Yield at most two conditions: on peers of newer versions, and on those of older ones."""
    remedies = {"newer": "upgrade this node", "older": "have their owners upgrade them"}
    for which, wires in (
        ("newer", [wire for wire in foreign.values() if wire > WIRE]),
        ("older", [wire for wire in foreign.values() if wire < WIRE]),
    ):
        if wires:
            text = (
                f"{len(wires)} of {len(view.topics)} peers speak {'an' if which == 'older' else 'a'} {which} version "
                f"of the wire ({max(wires)}, this node {WIRE}), so that no message passes between them and us"
            )
            yield Condition(ConditionKind.OTHER_VERSION, text, remedies[which], which)


def _peers(view: View) -> Iterator[Condition]:
    """Yield conditions about peers that we cannot meet: other parameters, or other sub-meshes with none in ours."""
    own = _TOPIC.fullmatch(view.topic)
    if own is None or any(view.topic in topics for topics in view.topics.values()):
        own_network = None if own is None else own.group(1, 2)
    else:
        own_network = own.group(1, 2)
        yield from _other_submesh(view, own)
    others: Counter[tuple[str, ...]] = Counter()
    for topics in view.topics.values():
        networks = {match.group(1, 2) for match in _ours(topics)}
        if networks and own_network not in networks:
            others[min(networks)] += 1
    if others and own_network is not None:
        (name, digest), _ = others.most_common(1)[0]
        text = (
            f"{others.total()} of {len(view.topics)} peers have other network parameters "
            f"({name} {digest[:8]}, ours {own_network[0]} {own_network[1][:8]}), so that nothing of theirs counts here"
        )
        remedy = "give all nodes the same parameters and version: --network NAME or FILE (node.network)"
        yield Condition(ConditionKind.OTHER_PARAMETERS, text, remedy)


def _other_submesh(view: View, own: re.Match[str]) -> Iterator[Condition]:
    others: Counter[tuple[str, ...]] = Counter()
    for topics in view.topics.values():
        others.update({match.group(3, 4) for match in _ours(topics) if match.group(1, 2) == own.group(1, 2)})
    if not others:
        return
    (specialty, shard), count = others.most_common(1)[0]
    text = (
        f"no peer works on {own[3]!r} in shard {own[4]} as this node does, but {count} of {len(view.topics)} on "
        f"{specialty!r} in shard {shard}"
    )
    remedy = (
        f"set --specialty {specialty} (node.specialty) and node.shard = {shard}, or give this node a peer of its own "
        "kind with --bootstrap"
    )
    yield Condition(ConditionKind.OTHER_SUBMESH, text, remedy)


def _ours(topics: Iterable[str]) -> Iterator[re.Match[str]]:
    """Yield the strand topics among a peer's."""
    for topic in topics:
        if (match := _TOPIC.fullmatch(topic)) is not None:
            yield match


def _clock(view: View) -> Iterator[Condition]:
    off_s = abs(view.offset_ms) / 1000
    whose = "this machine's clock is " + ("behind" if view.offset_ms > 0 else "ahead")
    if view.ours_is_off:
        text = f"{whose} by {off_s:.1f} s of most of {view.clocks} peers, so that nothing of it counts there"
        yield Condition(ConditionKind.CLOCK_OFF, text, "set this machine's clock (timedatectl set-ntp true)")
    elif view.clocks and view.clocks == view.clocks_off:
        text = f"{whose} by {off_s:.1f} s of {'its only peer' if view.clocks == 1 else f'all {view.clocks} peers'}"
        yield Condition(ConditionKind.CLOCK_OFF, text, "set the clock that is wrong (timedatectl set-ntp true)")


class Teller:
    """Decides when to report a condition: once it has settled, again when it is over, and not too often."""

    def __init__(self) -> None:
        self._since_ms: dict[tuple[ConditionKind, str], int] = {}
        self._told: dict[tuple[ConditionKind, str], Condition] = {}
        self._told_ms: dict[tuple[ConditionKind, str], int] = {}
        """Time of the last report of each; as many as there are kinds, times the bootstrap peers, and one more."""

    def news(self, found: Iterable[Condition], now_ms: int) -> tuple[list[Condition], list[Condition]]:
        """Take the present conditions. Returns those to report, and reported ones that are over."""
        held = {(each.kind, each.about): each for each in found}
        self._since_ms = {key: self._since_ms.get(key, now_ms) for key in held}
        over = [condition for key, condition in self._told.items() if key not in held]
        self._told = {key: condition for key, condition in self._told.items() if key in held}
        fresh = []
        for key, condition in held.items():
            told_ms = self._told_ms.get(key)
            again_ms = TELL_VERSIONS_AGAIN_MS if condition.kind is ConditionKind.OTHER_VERSION else TELL_AGAIN_MS
            rested = told_ms is None or now_ms - told_ms >= again_ms
            if key not in self._told and rested and now_ms - self._since_ms[key] >= SETTLE_MS:
                fresh.append(condition)
                self._told[key] = condition
                self._told_ms[key] = now_ms
        return fresh, over
