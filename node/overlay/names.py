"""Resolution of host names by the system: /etc/hosts, and any other configured source.

libp2p asks DNS servers only, with a resolver of its own.
"""

from __future__ import annotations

import functools
import socket
from typing import Final

import trio

from node.overlay.addresses import Address, canonical_host, parse_ip

RESOLVE_S: Final = 5.0
"""Seconds for one name: the system asks its second DNS server after five."""
RESOLVED_MAX: Final = 4
"""Addresses of one name that are dialled, in the order that the system recommends."""
RESOLVING_MAX: Final = 4
"""Names resolved at once, as many as dials. The system cannot be interrupted: a hanging one keeps its place until it
ends."""

_FAMILIES: Final = {"dns": socket.AF_UNSPEC, "dns4": socket.AF_INET, "dns6": socket.AF_INET6}


class NameFault(Exception):
    """A name has no address now; the text gives the reason."""


class Names:
    """Resolves the names of one host's peers."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(RESOLVING_MAX)

    async def addresses(self, address: Address) -> tuple[str, ...]:
        """Return the multiaddrs to dial for an address: itself, or those of its name. Raises NameFault."""
        family = _FAMILIES.get(address.text.split("/")[1])
        if family is None:
            return (address.text,)
        # As bytes: Python would refuse names with an underscore, which containers have.
        ask = functools.partial(socket.getaddrinfo, address.host.encode(), address.port, family, socket.SOCK_STREAM)
        try:
            with trio.fail_after(RESOLVE_S):
                found = await trio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=self._limiter)  # type: ignore[call-arg]
        except trio.TooSlowError:
            raise NameFault(f"{address.host} was not resolved within {RESOLVE_S:.0f} s") from None
        except (OSError, ValueError) as fault:
            raise NameFault(f"{address.host} does not resolve: {getattr(fault, 'strerror', None) or fault}") from None
        hosts = dict.fromkeys(canonical_host(str(where[0])) for *_, where in found)
        return tuple(_multiaddr(host, address.port) for host in list(hosts)[:RESOLVED_MAX])


def _multiaddr(host: str, port: int) -> str:
    ip = parse_ip(host)
    return f"/ip{4 if ip is None else ip.version}/{host}/tcp/{port}"
