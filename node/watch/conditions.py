"""What keeps a node from taking part, each with what to do about it: one place for the log, `strand status` and errors.

Pure: what the node sees comes in as a `View`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from node.overlay.types import Bootstrap, DialFault

SETTLE_MS: Final = 5_000
"""ms that a condition holds before it is told: at a start all are alone, and a peer that restarts is back by then."""

TELL_AGAIN_MS: Final = 600_000
"""ms between two lines about one condition: what comes and goes, at a stranger's wish even, must not fill the log."""

NO_WEIGHT_REMEDY: Final = (
    "set trust.default_weight (--default-weight 1 among friends, --friends where all nodes are yours), "
    "name keys under [trust.trusted], or give this node questions whose answers you know ([gold] file)"
)
_BOOTSTRAP: Final = "name another node with --bootstrap (overlay.bootstrap; its address stands in its `strand status`)"

# No other characters: what strangers say of themselves stands in commands that we recommend.
_TOPIC: Final = re.compile(r"/strand/([\w.-]{1,64})/([0-9a-f]{32})/([\w.+-]{1,64})/([0-9]{1,5})")


class ConditionKind(StrEnum):
    """What is wrong."""

    ALONE = "alone"
    BOOTSTRAP_DOWN = "bootstrap_down"
    BOOTSTRAP_FULL = "bootstrap_full"
    BOOTSTRAP_OTHER_ID = "bootstrap_other_id"
    OTHER_PARAMETERS = "other_parameters"
    OTHER_SUBMESH = "other_submesh"
    CLOCK_OFF = "clock_off"
    NO_WEIGHT = "no_weight"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is wrong: what, about whom (a bootstrap peer's address, else empty), in words, and what helps."""

    kind: ConditionKind
    text: str
    remedy: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.text}: {self.remedy}"


@dataclass(frozen=True, slots=True)
class View:
    """What a node sees of its place in the network.

    `topic` is its own; `topics` those of each connected peer, as it says. `clocks` of others were compared with ours,
    whose median is `offset_ms` ahead; `clocks_off` of them are surely off, and `ours_is_off` if that makes it ours.
    """

    topic: str
    bootstraps: tuple[Bootstrap, ...]
    topics: Mapping[bytes, frozenset[str]]
    clocks: int
    clocks_off: int
    offset_ms: int
    ours_is_off: bool
    has_weight: bool


def conditions(view: View) -> tuple[Condition, ...]:
    """All that is wrong, what matters most first."""
    found = [*_bootstraps(view.bootstraps), *_peers(view), *_clock(view)]
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


def _peers(view: View) -> Iterator[Condition]:
    """Peers that we cannot meet: of other parameters, and of other sub-meshes where there is nobody of ours."""
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
    """Topics of strand among a peer's."""
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
    """Says of each condition that it holds, once it has settled, and that it is over; at most so often."""

    def __init__(self) -> None:
        self._since_ms: dict[tuple[ConditionKind, str], int] = {}
        self._told: dict[tuple[ConditionKind, str], Condition] = {}
        self._told_ms: dict[tuple[ConditionKind, str], int] = {}
        """When each was last told; as many as there are kinds, times the bootstrap peers."""

    def news(self, found: Iterable[Condition], now_ms: int) -> tuple[list[Condition], list[Condition]]:
        """Take what holds now; return what is to be told of it, and what was told and is over."""
        held = {(each.kind, each.about): each for each in found}
        self._since_ms = {key: self._since_ms.get(key, now_ms) for key in held}
        over = [condition for key, condition in self._told.items() if key not in held]
        self._told = {key: condition for key, condition in self._told.items() if key in held}
        fresh = []
        for key, condition in held.items():
            told_ms = self._told_ms.get(key)
            rested = told_ms is None or now_ms - told_ms >= TELL_AGAIN_MS
            if key not in self._told and rested and now_ms - self._since_ms[key] >= SETTLE_MS:
                fresh.append(condition)
                self._told[key] = condition
                self._told_ms[key] = now_ms
        return fresh, over
