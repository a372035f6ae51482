"""`strand run`."""

import json as json_module
import os
import signal
import sys
import time
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Annotated

import structlog
import trio
from cyclopts import Parameter

from consensus.rounds.participant import Participant
from node import logs
from node.cli.parts.options import JsonFlag, Source, any_case
from node.cli.parts.running import RunningNode, noted
from node.cli.parts.service_manager import ServiceManager
from node.cli.parts.signals import ENDING, on_signals
from node.config import NOBODY_HELP
from node.daemon import Node, run_node
from node.descriptors import raise_descriptor_limit
from node.files import UnwritableError
from node.hardening import forbid_dumps, keep_private, open_to_others
from node.inference.config import EngineKind
from node.rounds.recording import recording
from node.watch.shutdown import StopRequest


async def run(
    *,
    bind: Annotated[str | None, Parameter(help="Address of the HTTP interface, HOST:PORT.")] = None,
    listen: Annotated[str | None, Parameter(help="Multiaddrs to listen on, separated by commas.")] = None,
    announce: Annotated[
        str | None, Parameter(help="Multiaddrs to tell peers instead, behind a port forwarding.")
    ] = None,
    bootstrap: Annotated[str | None, Parameter(help="Multiaddrs of nodes to join, separated by commas.")] = None,
    network: Annotated[str | None, Parameter(help="Network parameters: a name or a file.")] = None,
    specialty: Annotated[str | None, Parameter(help="What the model is good at; nodes of one specialty meet.")] = None,
    default_weight: Annotated[float | None, Parameter(help="Vote of nodes without history; 1 among friends.")] = None,
    friends: Annotated[
        bool, Parameter(negative="", help="Trust every node of the network like one of yours: only if all of them are.")
    ] = False,
    engine: Annotated[EngineKind | None, Parameter(converter=any_case, help="Kind of engine.")] = None,
    engine_url: Annotated[str | None, Parameter(help="Base URL of an OpenAI-compatible engine.")] = None,
    record: Annotated[Path | None, Parameter(help="New file: what this node is told, to replay it.")] = None,
    json: JsonFlag = False,
    until_stdin_closes: Annotated[bool, Parameter(negative="", help="Stop when stdin is closed.")] = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Run a node until Ctrl-C, SIGTERM or SIGHUP: it finishes what it holds, within node.stop_ms; a second ends it."""
    keep_private()
    forbid_dumps()
    loaded = source.load(
        api__bind=bind,
        overlay__listen=listen,
        overlay__announce=announce,
        overlay__bootstrap=bootstrap,
        node__network=network,
        node__specialty=specialty,
        **trust_flags(default_weight, friends),
        engine__kind=engine,
        engine__url=engine_url,
    )
    config = loaded.config
    logs.configure(config.log.level, config.log.format, secrets=(*config.api.secrets, *config.engine.secrets))
    for file in loaded.files_of_secrets():
        if open_to_others(file):
            structlog.get_logger().warning("config.exposed", file=str(file), remedy=f"chmod 600 {file}")
    if config.serves_nobody:
        structlog.get_logger().warning("serving.nobody_named", whom=config.serves, remedy=NOBODY_HELP)
    raise_descriptor_limit()

    notes = ExitStack()
    stopping = _Stopping(config.node.stop_ms, ServiceManager(os.environ), quiet=json)

    def on_ready(node: Node, url: str) -> None:
        addresses = list(node.overlay.addresses())
        stopping.on_ready(f"ready: {url}")
        name = config.node.name or config.node.data_dir.name
        launcher = os.getppid() if until_stdin_closes else None
        # Without a home that takes files, as under a service manager, commands need --url.
        with suppress(UnwritableError):
            notes.enter_context(noted(RunningNode(url, name, int(time.time() * 1000), launcher)))
        if json:
            ready = {"url": url, "key": node.overlay.key.hex(), "addresses": addresses}
            print(json_module.dumps(ready), flush=True)
        else:
            server = node.worker.engine.server
            waits = f"; {server}, see `strand engine`" if server is not None and not server.ready else ""
            print(f"ready: {url}, reachable at {', '.join(addresses)}{waits}", file=sys.stderr, flush=True)

    with notes, nullcontext(Participant) if record is None else recording(record) as make_participant:
        async with trio.open_nursery() as nursery:
            stopping.scope = nursery.cancel_scope
            nursery.start_soon(on_signals, stopping.take, signal.SIGINT, *ENDING)
            nursery.start_soon(stopping.manager.run)
            if until_stdin_closes:
                nursery.start_soon(_stop_at_end_of_stdin, nursery.cancel_scope)
            await run_node(config, on_ready, make_participant, loaded.origins, stopping.request)
            nursery.cancel_scope.cancel()
    return stopping.exit_code


class _Stopping:
    """What signals do to a running node, and what the terminal and the service manager are told of it."""

    def __init__(self, stop_ms: int, manager: ServiceManager, *, quiet: bool) -> None:
        self.request = StopRequest()
        self.scope = trio.CancelScope()
        """Cancelled to end at once; that still closes the store."""
        self.exit_code = 0
        self.manager = manager
        self._stop_ms = stop_ms
        self._quiet = quiet
        self._is_ready = False

    def on_ready(self, status: str) -> None:
        """Take note that the node has started: from now on it has something to finish."""
        self._is_ready = True
        self.manager.ready(status)

    def take(self, number: signal.Signals) -> None:
        """Take a signal: the first stops the node in an orderly way, any other at once."""
        if self.request.reason:
            self.exit_code = 128 + number
            self.scope.cancel()
            return
        self.request.make(number.name)
        within_s = f"{self._stop_ms / 1000:g} s"
        self.manager.stopping(f"stopping within {within_s}")
        if not self._is_ready:
            self.scope.cancel()
        elif not self._quiet:
            print(f"stopping: it finishes what it holds, within {within_s}; again ends it at once", file=sys.stderr)


def trust_flags(default_weight: float | None, friends: bool) -> dict[str, str | None]:
    """Return the settings of [trust] for `Source.load`. Friends have a vote of 1 unless another weight is given."""
    weight = 1.0 if friends and default_weight is None else default_weight
    return {
        "trust__default_weight": None if weight is None else str(weight),
        "trust__friends": "true" if friends else None,
    }


async def _stop_at_end_of_stdin(scope: trio.CancelScope) -> None:
    async with trio.lowlevel.FdStream(_own_stdin()) as stdin:
        while await stdin.receive_some(4096):
            pass
    scope.cancel()


def _own_stdin() -> int:
    """Return a copy, because FdStream closes its descriptor."""
    return os.dup(sys.stdin.fileno())
