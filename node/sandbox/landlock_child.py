"""The program that runs one command under sandlock, as the user id that the node gave it (landlock.py).

It reads its task from stdin, and writes exit code and signal to the descriptor that the task names. What it runs can
neither signal nor trace it, and ends with it.
"""

import json
import os
import resource
import sys


def main() -> None:
    """Run the command of the task."""
    task = json.load(sys.stdin.buffer)
    os.dup2(os.open(task["input"], os.O_RDONLY), 0)
    for name, value in task["limits"].items():
        number = getattr(resource, f"RLIMIT_{name}")
        resource.setrlimit(number, (value, value + (name == "CPU")))
    # Imported late: the node reads this module's path alone.
    from sandlock import Sandbox  # type: ignore[import-untyped]

    box = Sandbox(
        fs_readable=task["readable"],
        fs_writable=[task["folder"], "/dev/null"],
        cwd=task["folder"],
        clean_env=True,
        env=task["environment"],
        extra_deny_syscalls=["memfd_create", "socketpair"],
    )
    result = box.popen(task["argv"]).wait()
    os.write(task["status"], f"{result.exit_code} {result.signal or 0}".encode())


if __name__ == "__main__":
    main()
