"""Ctrl-C ends a simulation, also where Python would drop the interrupt."""

import os
import signal
import subprocess
import sys


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
