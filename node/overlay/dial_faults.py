"""The reason of a failed dial, from libp2p's error: a group of wrapped errors whose innermost one holds it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

from libp2p.exceptions import MultiError
from libp2p.security.noise.exceptions import PeerIDMismatchesPubkey
from libp2p.transport.exceptions import OpenConnectionError, UpgradeFailure

from node.overlay.types import DialFault, FailedDial

_CHAIN_MAX: Final = 32
"""Errors of one dial that are examined; libp2p wraps one some eight times."""
_OTHER_ID: Final = re.compile(r"remote_peer_id_from_pubkey=(\w{1,64})")


def failed_dial(fault: BaseException) -> FailedDial:
    """Find the reason in an error of `host.connect`."""
    errors = list(_chain(fault))
    for error in errors:
        if isinstance(error, PeerIDMismatchesPubkey):
            other = _OTHER_ID.search(str(error))
            return FailedDial(DialFault.OTHER_NODE, other[1] if other else "")
    numbers = [error.errno for error in errors if isinstance(error, OSError) and error.errno]
    words = os.strerror(numbers[-1]) if numbers else ""
    if any(isinstance(error, OpenConnectionError) for error in errors):
        return FailedDial(DialFault.DOWN, words)
    if any(isinstance(error, UpgradeFailure | OSError) for error in errors):
        return FailedDial(DialFault.TURNED_AWAY, words)
    return FailedDial(DialFault.DOWN, str(errors[-1])[:200])


def _chain(fault: BaseException) -> Iterator[BaseException]:
    """Yield the error, its causes and the members of groups, outermost first."""
    waiting, seen = [fault], 0
    while waiting and seen < _CHAIN_MAX:
        error = waiting.pop(0)
        seen += 1
        yield error
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(error.exceptions)
        elif isinstance(error, MultiError):
            waiting.extend(error.errors)
        cause = error.__cause__ or error.__context__
        if cause is not None:
            waiting.append(cause)
