"""Overlays of different processes: real kills, real freezes."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from nacl.signing import SigningKey

from tests.integration.overlay.world import ECHO, TOPIC, Recorder, node, seed, subscribers, until

_ROOT = Path(__file__).parents[3]
_PROGRAM = Path(__file__).with_name("child.py")
_START_S = 30
CHILD_SEED = 9
CHILD_KEY = bytes(SigningKey(seed(CHILD_SEED)).verify_key)


@asynccontextmanager
async def child(port: int, *bootstrap: str) -> AsyncIterator[tuple[trio.Process, str]]:
    """A running child and its address. It is killed at the end where it has not ended by itself."""
    run = functools.partial(
        trio.run_process,
        [sys.executable, "-P", _PROGRAM, str(CHILD_SEED), str(port), *bootstrap],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        check=False,
    )
    async with trio.open_nursery() as nursery:
        process = await nursery.start(run)
        address = b""
        with trio.fail_after(_START_S):
            while not address.endswith(b"\n"):
                address += await process.stdout.receive_some(1_000)
        yield process, address.decode().strip()
        nursery.cancel_scope.cancel()


async def test_two_processes_gossip_and_ask() -> None:
    recorder = Recorder()
    async with node(1, recorder) as overlay:
        await overlay.subscribe(TOPIC)
        async with child(0, *overlay.addresses()):
            await until(lambda: CHILD_KEY in subscribers(overlay))
            for number in range(10):
                payload = b"message %d" % number
                assert await overlay.request(CHILD_KEY, ECHO, payload, timeout_ms=5_000) == payload
            await recorder.wait(lambda: len(recorder.gossip) == 10)
            assert {source for _, source, _ in recorder.gossip} == {CHILD_KEY}


async def test_a_killed_process_is_missed_redialled_and_heard_again() -> None:
    recorder = Recorder()
    async with node(1, recorder) as overlay:
        await overlay.subscribe(TOPIC)

        async def live_and_die(life: int, process: trio.Process) -> None:
            await recorder.wait(lambda: recorder.peers[-1:] == [(CHILD_KEY, True)])
            await until(lambda: CHILD_KEY in subscribers(overlay))
            for number in range(10):
                await overlay.request(CHILD_KEY, ECHO, b"%d %d" % (life, number), timeout_ms=5_000)
            await recorder.wait(lambda: len(recorder.gossip) == 10 * (life + 1))
            process.send_signal(signal.SIGKILL)
            await recorder.wait(lambda: recorder.peers[-1] == (CHILD_KEY, False))

        async with child(0, *overlay.addresses()) as (process, address):
            await live_and_die(0, process)
        async with child(int(address.split("/")[4])) as (process, _):  # it knows nobody: it must be redialled
            await live_and_die(1, process)
        assert sorted(recorder.data()) == sorted(b"%d %d" % (life, n) for life in range(2) for n in range(10))


async def test_a_frozen_process_is_disconnected_and_taken_back() -> None:
    recorder = Recorder()
    async with (
        node(1, recorder, ping_ms=50, ping_timeout_ms=200, pings_missed_max=1) as overlay,
        child(0, *overlay.addresses()) as (
            process,
            _,
        ),
    ):
        await recorder.wait(lambda: recorder.peers == [(CHILD_KEY, True)])
        process.send_signal(signal.SIGSTOP)
        await recorder.wait(lambda: recorder.peers[-1] == (CHILD_KEY, False))
        process.send_signal(signal.SIGCONT)
        await recorder.wait(lambda: recorder.peers[-1] == (CHILD_KEY, True))
