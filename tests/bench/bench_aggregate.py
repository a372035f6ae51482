"""Time and memory of `strand aggregate` on a made-up arena: `python -m tests.bench.bench_aggregate [SEED]`.

33,000 rows, 13,000 judges, 250 models, in the three forms in which tests.support.arena_data writes them.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.support.arena_data import arena_rows, judgement_rows, write_csv, write_lines


def main() -> None:
    rows = list(arena_rows(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = (
            write_lines(rows, folder / "arena.jsonl"),
            write_csv(rows, folder / "arena.csv"),
            write_lines(list(judgement_rows(rows)), folder / "judgements.jsonl"),
        )
        print(f"{'file':18}{'wall time (s)':>14}{'CPU time (s)':>14}{'peak memory (MiB)':>19}")
        for file in files:
            command = [sys.executable, "-m", "node", "aggregate", str(file), "--json"]
            begin = time.monotonic()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            to_nowhere = [(os.POSIX_SPAWN_DUP2, nowhere, 1), (os.POSIX_SPAWN_DUP2, nowhere, 2)]
            child = os.posix_spawn(sys.executable, command, os.environ, file_actions=to_nowhere)
            _, status, used = os.wait4(child, 0)
            os.close(nowhere)
            if os.waitstatus_to_exitcode(status):
                raise SystemExit(f"strand aggregate {file.name} failed")
            wall, cpu = time.monotonic() - begin, used.ru_utime + used.ru_stime
            print(f"{file.name:18}{wall:14.1f}{cpu:14.1f}{used.ru_maxrss / 1024:19.0f}")


if __name__ == "__main__":
    main()
