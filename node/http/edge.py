"""Accepts connections: limits their number, decides which give way, and contains each failure.

A failed request ends its connection; a failed server is started again. Neither ends the node, whose rounds go on.
"""

import errno
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio
from starlette.types import ASGIApp

from consensus.rounds.backoff import Backoff, Restarts
from node.http.body_sizes import BodyRoom
from node.http.connection import Connection, Gate
from node.http.replies import refusal
from node.text import one_line

CONNECTIONS_MAX: Final = 512
"""Connections at once if descriptors are plentiful: 64 MiB with a body of 128 KiB each. Large ones are few
(`body_sizes`).
"""

CONNECTIONS_MIN: Final = 16
"""Connections at once even if descriptors are few: a user's command takes one."""

DESCRIPTORS_SHARE: Final = 4
"""Divisor: one in four descriptors may be a connection of the HTTP interface; the rest is for peers, store and engine.
"""

ACCEPT_PAUSE_S: Final = 0.1
"""Seconds before we accept again when the system has no descriptor for another connection."""

DESCRIBED_CHARS_MAX: Final = 200
"""Characters of an exception in a log line: it may quote the client's input."""

PAUSES_S: Final = Backoff(1.0, 60.0)
"""Seconds before a restart of the failed API; after the longest of them without a failure, the pauses start afresh."""

_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})

log = structlog.get_logger()


def connections_max(descriptors: int) -> int:
    """Return the number of connections that may be open at once in a process with so many descriptors."""
    return max(CONNECTIONS_MIN, min(CONNECTIONS_MAX, descriptors // DESCRIPTORS_SHARE))


class Edge:
    """Serves every connection of a listener, at most `connections_max` at once.

    Without room, a connection that waits for its client gives way: one that has not sent its request, or does not read
    its reply. It is the oldest one of the sender that has most of them. So an honest request, which is complete within
    milliseconds, is served beside any number of half-open connections.
    """

    def __init__(self, app: ASGIApp, gate: Gate, connections_max: int) -> None:
        self._app = app
        self._gate = gate
        self._room = BodyRoom()
        self._connections_max = connections_max
        self._connections: dict[Connection, trio.CancelScope] = {}

    async def run(self, listener: trio.abc.Listener[trio.SocketStream]) -> None:
        """Serve until cancelled. Raises the listener's error when it can accept no more."""
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    if error.errno not in _NO_ROOM:
                        raise
                    _log_failure("no descriptor for another connection", error)
                    self._make_room()
                    await trio.sleep(ACCEPT_PAUSE_S)
                    continue
                nursery.start_soon(self._serve, stream)

    async def _serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection, and contain every failure.

        All exceptions are caught here, as at the overlay's edge: a request, which anybody may send, must not end more
        than its own connection, whatever fault it finds in our code or in a library.
        """
        async with stream:
            try:
                connection = Connection(stream, self._app, self._gate, self._room)
            except OSError:
                # The client had gone before it was accepted.
                return
            if len(self._connections) >= self._connections_max and not self._make_room():
                await connection.reply(refusal(503, "too many connections; try again later", retry_after_s=1))
                return
            with trio.CancelScope() as scope:
                self._connections[connection] = scope
                try:
                    await connection.serve()
                except Exception as error:
                    _log_failure("a request failed", error)
                    await connection.reply(refusal(500, "internal error; the node's log has a line about it"))
                finally:
                    self._connections.pop(connection, None)

    def _make_room(self) -> bool:
        """End one connection that waits for its client; return whether there was one."""
        waiting = [connection for connection in self._connections if connection.waits_for_client]
        if not waiting:
            return False
        crowd = Counter(connection.group for connection in waiting)
        # Of equals, the first, which is the oldest.
        self._connections.pop(max(waiting, key=lambda connection: crowd[connection.group])).cancel()
        return True


async def keep_serving(
    run: Callable[[trio.SocketListener], Awaitable[None]],
    listener: trio.SocketListener,
    listen_again: Callable[[], Awaitable[trio.SocketListener]],
) -> None:
    """Run `run` on `listener`, and after each failure on a new one, with growing pauses, until cancelled."""
    listeners = [listener]

    async def serve() -> None:
        async with listeners.pop() if listeners else await listen_again() as open_listener:
            await run(open_listener)

    await keep_running("the server", serve)


async def keep_running(what: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a part of the API, and again after each failure, with growing pauses, until cancelled.

    The API is one face of the node: its own and others' rounds do not end with it. `what` names the part in the log.
    """
    restarts = Restarts(PAUSES_S, PAUSES_S.longest)
    while True:
        began_s = trio.current_time()
        try:
            await run()
            reason = "it ended"
        except Exception as error:
            reason = describe(error)
        pause_s = restarts.ended(trio.current_time() - began_s)
        log.error("api.failed", what=what, reason=reason, pause_s=pause_s)
        await trio.sleep(pause_s)


def _log_failure(what: str, error: BaseException) -> None:
    """Log one failure without our values; `log_filters` limits how many lines there are."""
    log.error("api.connection_failed", what=what, reason=describe(error))


def describe(error: BaseException) -> str:
    """Describe an exception by its type, text and place in one bounded line; a group by its first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    return one_line(f"{type(error).__name__}: {error}", DESCRIBED_CHARS_MAX) + where
