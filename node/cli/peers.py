"""`strand peers`."""

import time
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from msgspec import to_builtins
from rich.text import Text

from node.api.status import Peer
from node.cli.parts.client import open_client
from node.cli.parts.options import JsonFlag, Source, outside, print_json, stdout
from node.cli.parts.tables import print_rows
from protocol.versions import WIRE


async def peers(
    *,
    url: Annotated[str | None, Parameter(help="The node's HTTP interface.")] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Show the local node's peers and their offers."""
    async with open_client(source, url) as client:
        told = await client.peers()
    now_ms = time.time_ns() // 1_000_000
    if json:
        print_json(to_builtins(told))
        return 0
    who = ("key", "connected", "ms", "seen", "clock", "score", "why")
    names = (*who, "offers", "model", "tok/s", "queue", "tests with", "addresses")
    print_rows(names, [_row(peer, now_ms) for peer in told.peers], stdout())
    return 0


def _row(peer: Peer, now_ms: int) -> list[str | Text]:
    offers, trip = peer.offers, peer.round_trip_ms
    return [
        peer.key,
        peer.direction or ("yes" if peer.connected else "no"),
        f"{trip:.1f}" if trip is not None else "",
        _seen(peer, now_ms),
        _clock(peer.clock_offset_ms),
        f"{peer.score:.1f}" if peer.connected or peer.score else "",
        outside(", ".join(filter(None, (peer.score_reason, _version(peer.wires))))),
        " ".join(offers.roles) if offers else "",
        outside(offers.model if offers else ""),
        f"{offers.tokens_per_second:.0f}" if offers else "",
        str(offers.queue) if offers else "",
        outside(offers.tool_versions if offers else ""),
        # In the form that `--bootstrap` takes.
        outside(" ".join(f"{address}/p2p/{peer.peer_id}" for address in peer.addresses)),
    ]


def _seen(peer: Peer, now_ms: int) -> str:
    """Return how long ago the peer was connected; `now` while it is, empty if it never was."""
    if peer.connected or peer.last_seen_ms is None:
        return "now" if peer.connected else ""
    minutes = max(0, now_ms - peer.last_seen_ms) // 60_000
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} d ago"


def _version(wires: Sequence[int]) -> str:
    """Return the problem and remedy for a peer with another version of the wire; empty for one with ours."""
    if not wires or WIRE in wires:
        return ""
    return f"speaks wire {wires[-1]}, not {WIRE}: upgrade {'this node' if wires[-1] > WIRE else 'it'}"


def _clock(offset_ms: int | None) -> str:
    """Return the offset of the peer's clock from ours in seconds; empty if it was not compared."""
    return "" if offset_ms is None else f"{offset_ms / 1000:+.1f} s"
