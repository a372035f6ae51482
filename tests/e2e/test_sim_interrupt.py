"""How a simulation ends: by Ctrl-C, also where Python would drop it, and with all of its processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import trio

from tests.integration.overlay.world import until


def test_an_interrupt_ends_the_command() -> None:
    command = [sys.executable, "-P", "-c", SCRIPT, "sim", "--nodes", "5", "--rounds", "100000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.communicate()


async def test_no_process_outlives_the_command() -> None:
    """Whoever killed it waited for worlds of minutes that nobody would see."""
    settings = ["--rounds", "100000", "--jobs", "2", "--set", "vary.seed=[1,2]"]
    command = [sys.executable, "-P", "-m", "node", "sim", *settings]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        # multiprocessing's tracker and the two that simulate.
        await until(lambda: len(children.read_text().split()) >= 3)
    finally:
        process.kill()
    # All of them have our pipe as their standard output: it ends with the last of them.
    with trio.fail_after(60):
        async with process.stdout:
            assert await process.stdout.receive_some() == b""
        await process.wait()


# The command itself, but it says when its first round is over: nothing else tells that it is in the midst of work.
SCRIPT = """
import sys
from node.cli.main import run
from simnet import study
inner = study.run_study
def told(*args, on_round, **kwargs):
    def first(result):
        print("running", flush=True)
        on_round(result)
    return inner(*args, on_round=first, **kwargs)
study.run_study = told
sys.exit(run(sys.argv[1:]))
"""
