import os
import subprocess
import sys

from node.sandbox.measuring import can_measure, out_of_memory_kills, usage

GROWING = """
import os, sys
if os.fork() == 0:
    held = b"x" * (64 << 20)
    sum(range(2_000_000))
    os.write(1, b"ready\\n")
    sys.stdin.read()
    os._exit(0)
os.wait()
"""


def test_a_process_is_measured_with_its_descendants() -> None:
    assert can_measure()
    with subprocess.Popen([sys.executable, "-c", GROWING], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        used = usage(parent.pid)
        assert used.memory_bytes > 64 << 20
        assert used.cpu_s > 0
    assert usage(parent.pid).memory_bytes == 0, "one that has ended uses nothing"


def test_own_usage_and_kills_are_numbers() -> None:
    assert usage(os.getpid()).memory_bytes > 1 << 20
    assert out_of_memory_kills() >= 0
