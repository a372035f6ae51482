"""Checks of `strand doctor` on what a running node reports of itself."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Final

from node.api.status import Condition, Peer, Status
from node.cli.doctor.checkup import CheckResult, fail, ok, warn, why_not_reached
from node.config import NOBODY_HELP
from node.overlay.addresses import Address, class_of, parse_address
from node.watch.conditions import ConditionKind

_CHECK_OF: Final[Mapping[str, str]] = {
    ConditionKind.CLOCK_OFF: "clock",
    ConditionKind.OTHER_VERSION: "versions",
    ConditionKind.OTHER_PARAMETERS: "versions",
    ConditionKind.NO_WEIGHT: "trust",
}
"""The check to which a condition belongs; the others are about peers."""

_FORWARD: Final = "forward its TCP port to this machine and tell peers by --announce /ip4/<outer address>/tcp/<port>"


def conditions(found: tuple[Condition, ...]) -> Iterator[CheckResult]:
    """Report what the node itself found to keep it from taking part."""
    for each in found:
        yield fail(_CHECK_OF.get(each.kind, "peers"), each.text, each.remedy)


def peers(told: Status) -> CheckResult | None:
    """Report how many peers are connected, and how many offer to work; None if a condition tells why none is."""
    if not told.peers_connected and any(_CHECK_OF.get(each.kind, "peers") == "peers" for each in told.conditions):
        return None
    text = f"{told.peers_connected} connected; {told.nodes_offering} nodes offer to work, this one included"
    if not told.peers_connected:
        return warn("peers", text, "wait for others, or name one by --bootstrap, as its `strand status` shows it")
    if told.nodes_offering < 2:
        return warn("peers", text, "wait for an offer, or start another node's engine: nobody can answer beside this")
    return ok("peers", text)


async def listening(told: Status) -> list[CheckResult]:
    """Connect to each address that the node tells its peers: from this machine, so that a firewall is not seen."""
    found: list[CheckResult] = []
    for address, why in (await why_not_reached(told.addresses)).items():
        if why is None:
            found.append(ok("ports", f"{address.text} accepts connections from this machine"))
        elif is_far(address):
            text = f"{address.text} accepts none from this machine ({why}); many routers do not loop back"
            found.append(warn("ports", text, "try it from elsewhere, as with `nc -vz HOST PORT`"))
        else:
            found.append(fail("ports", f"{address.text}: {why}", "open the port in this machine's firewall"))
    return found


def is_far(address: Address) -> bool:
    """Whether an address is of the internet at large, or a name, of which nothing is known."""
    try:
        ip = ipaddress.ip_address(address.host)
    except ValueError:
        return True
    return ip.is_global


def reachability(told: Status, known: tuple[Peer, ...]) -> CheckResult:
    """Report whether peers have opened connections to this node, and from how far.

    A node cannot know that it is reachable from where nobody has tried: it can only tell who came.
    """
    came = [peer for peer in known if peer.direction == "inbound"]
    from_far = [peer for peer in came if any(map(is_far, filter(None, map(parse_address, peer.addresses))))]
    if from_far:
        return ok("reachability", f"{len(came)} peers connected to this node, {len(from_far)} with public addresses")
    if came:
        text = f"{len(came)} peers connected to this node, all from this machine or its networks"
        own = [each for each in map(parse_address, told.addresses) if each is not None]
        if all(class_of(each.host) == "loopback" for each in own):
            return ok("reachability", f"{text}, where alone it listens")
        return warn("reachability", f"{text}; whether others could is not known", f"behind a router, {_FORWARD}")
    text = "no peer has connected to this node since it last had one; it works by the connections that it opened"
    return warn("reachability", text, f"nothing to do if it is new or alone; behind a router, {_FORWARD}")


def clock(told: Status) -> CheckResult | None:
    """Report the clock against peers' clocks; None if a condition tells it."""
    if any(each.kind == ConditionKind.CLOCK_OFF for each in told.conditions):
        return None
    if not told.clock.peers:
        return warn("clock", "compared with no peer yet", "run `timedatectl` to see whether it is kept in step")
    agree = told.clock.peers - told.clock.off
    return ok("clock", f"agrees with {agree} of {told.clock.peers} peers, offset {told.clock.offset_ms / 1000:+.3f} s")


def store(told: Status) -> CheckResult:
    """Report whether the node's store takes writes."""
    if told.store != "ok":
        return fail("disk", told.store, "the node takes no work until this is mended, and goes on by itself then")
    return ok("disk", f"the node's store in {told.data_dir} takes writes")


def serving(told: Status) -> CheckResult:
    """Report whether the node works for others."""
    if told.serving.serves_nobody:
        return warn("serving", "the node works for nobody", NOBODY_HELP)
    if told.serving.why_not == "paused":
        return warn("serving", "the node is paused: it works for nobody else", "`strand resume`")
    return ok("serving", f"the node works for {told.serving.whom}")
