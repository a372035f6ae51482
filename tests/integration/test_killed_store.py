"""What a store has acknowledged survives its process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import trio

from tests.support.stores import opened, query

WRITER = """
import sys, trio
from pathlib import Path
from node.storage import JournalEntry
from protocol.types import Kind
from tests.support.stores import opened

async def main():
    async with opened(Path(sys.argv[1]), fresh_key=True) as store:
        for number in range(10**9):
            envelope = number.to_bytes(4, "big") * 256
            await store.write_journal([JournalEntry(number.to_bytes(32, "big"), Kind.COMMIT, 0, envelope, b"", number)])
            print(number, flush=True)

trio.run(main)
"""


def numbers_written_until_killed(folder: Path) -> list[int]:
    """Run a process that tells each number after writing it; kill it after 200 and return all that it told."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(200)]
        os.kill(child.pid, signal.SIGKILL)
        told += [line for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL
    return [int(line) for line in told]


async def test_acknowledged_writes_survive_sigkill(tmp_path: Path) -> None:
    """Given a process that writes and tells, when it is killed amid writing, then all that it told of is there."""
    numbers = await trio.to_thread.run_sync(numbers_written_until_killed, tmp_path)
    async with opened(tmp_path) as store:
        assert store.journal_is_complete
        for number in numbers:
            (written,) = await store.journal(query(number))
            assert written.envelope == number.to_bytes(4, "big") * 256
