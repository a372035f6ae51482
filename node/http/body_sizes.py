"""How large the body of a request may be, and room for those that are larger than others."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from node.api.operations import BODY_BYTES_MAX, OPERATIONS
from node.http.places import Places

LARGE_BODIES_MAX: Final = 2
"""Bodies above BODY_BYTES_MAX at once, up to 8 MiB each: one is verified while the next one comes."""

_LARGE: Final[Mapping[tuple[str, str], int]] = {
    (each.method, each.path): each.body.bytes_max
    for each in OPERATIONS
    if each.body is not None and each.body.bytes_max > BODY_BYTES_MAX
}


def body_bytes_max(scope: Scope) -> int:
    """Return the greatest size of a request's body in bytes, if its header says the size."""
    return _LARGE.get((scope["method"], scope["path"]), BODY_BYTES_MAX)


class BodyRoom:
    """Room for the bodies of all connections: many small ones, and LARGE_BODIES_MAX large ones."""

    def __init__(self) -> None:
        self._large = Places(LARGE_BODIES_MAX)

    @contextmanager
    def take(self, scope: Scope) -> Iterator[int]:
        """Hold room for a request's body while the block runs; yield its greatest size in bytes, 0 without room."""
        # h11 has checked that it is one number.
        if int(Headers(scope=scope).get("content-length", "0")) <= BODY_BYTES_MAX:
            yield BODY_BYTES_MAX
            return
        with self._large.take() as place:
            yield body_bytes_max(scope) if place else 0
