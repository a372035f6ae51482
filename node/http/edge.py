"""Where connections come in: how many there are, which give way, and that each failure stays its own.

A failed request ends its connection, a failed server is started again; neither ends the node, whose rounds go on.
"""

import errno
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio
from starlette.types import ASGIApp

from consensus.rounds.backoff import Backoff
from node.http.connection import Connection, Gate
from node.http.replies import refusal
from node.text import one_line

CONNECTIONS_MAX: Final = 512
"""connections at once where the system gives us descriptors in plenty: with a body of 128 KiB each, 64 MiB."""

CONNECTIONS_MIN: Final = 16
"""connections at once even where descriptors are few: a user's command takes one."""

DESCRIPTORS_SHARE: Final = 4
"""One in four descriptors may be a connection of the HTTP interface: peers, store and engine have the others."""

ACCEPT_PAUSE_S: Final = 0.1
"""seconds before we accept again, when the system has no descriptor for another connection."""

DESCRIBED_CHARS_MAX: Final = 200
"""characters of an exception in a log line: it may quote what the client sent."""

PAUSES_S: Final = Backoff(1.0, 60.0)
"""seconds before a new start of an API that failed; one that served for the longest of them begins with the first."""

_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})

log = structlog.get_logger()


def connections_max(descriptors: int) -> int:
    """Connections that may be open at once, by the number of descriptors that the process may have."""
    return max(CONNECTIONS_MIN, min(CONNECTIONS_MAX, descriptors // DESCRIPTORS_SHARE))


class Edge:
    """Serves every connection of a listener, at most `connections_max` at once.

    When there is no room, a connection that waits for its client gives way: one that has not sent its request, or does
    not read its reply. Of those it is the oldest of the sender that has most of them. So an honest request, which is
    whole within milliseconds, is served beside any number of half-open connections.
    """

    def __init__(self, app: ASGIApp, gate: Gate, connections_max: int) -> None:
        self._app = app
        self._gate = gate
        self._connections_max = connections_max
        self._connections: dict[Connection, trio.CancelScope] = {}

    async def run(self, listener: trio.abc.Listener[trio.SocketStream]) -> None:
        """Serve until cancelled. Raises what the listener raises when it is of no use any more."""
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
        """Serve one connection. Whatever goes wrong with it ends here.

        All exceptions are caught here, as at the overlay's edge: a request, which may come from anybody, must not end
        more than its own connection, whatever it finds wrong in our code or a library's.
        """
        async with stream:
            try:
                connection = Connection(stream, self._app, self._gate)
            except OSError:
                # The client was gone before it was let in.
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
        """End one connection that waits for its client; returns whether there was one."""
        waiting = [connection for connection in self._connections if connection.waits_for_client]
        if not waiting:
            return False
        crowd = Counter(connection.group for connection in waiting)
        # The first of equals, which is the oldest.
        self._connections.pop(max(waiting, key=lambda connection: crowd[connection.group])).cancel()
        return True


async def keep_serving(
    run: Callable[[trio.SocketListener], Awaitable[None]],
    listener: trio.SocketListener,
    listen_again: Callable[[], Awaitable[trio.SocketListener]],
) -> None:
    """Run `run` on `listener`, and on a new one whenever it failed, with growing pauses, until cancelled."""
    failures = 0
    open_listener: trio.SocketListener | None = listener
    while True:
        began_s = trio.current_time()
        try:
            if open_listener is None:
                open_listener = await listen_again()
            async with open_listener:
                await run(open_listener)
            reason = "it ended"
        except Exception as error:
            # The API is one face of the node: rounds, ours and others', do not end with it.
            reason = describe(error)
        open_listener = None
        failures = 1 if trio.current_time() - began_s >= PAUSES_S.longest else failures + 1
        pause_s = PAUSES_S.pause(failures)
        log.error("api.failed", reason=reason, pause_s=pause_s)
        await trio.sleep(pause_s)


def _log_failure(what: str, error: BaseException) -> None:
    """One line for each failure, without values of ours; `log_filters` bounds how many there are."""
    log.error("api.connection_failed", what=what, reason=describe(error))


def describe(error: BaseException) -> str:
    """An exception as its type, text and place, in one bounded line; of a group its first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    return one_line(f"{type(error).__name__}: {error}", DESCRIBED_CHARS_MAX) + where
