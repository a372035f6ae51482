"""What a sandbox promises its callers: endings, files, places, and that nothing is left of what is cancelled."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from node.sandbox.bubblewrap import open_bubblewrap
from node.sandbox.choosing import ProvenSandbox
from node.sandbox.ports import Ceilings, Command, Ending
from tests.support.hostile import LIMITS, MIB, Outside, descriptors, running, sandboxed_processes

SHELL = "/gate/sh"
"""The only program that every sandbox has."""


def shell(script: str, **more: object) -> Command:
    return Command((SHELL, "-c", script), **more)  # type: ignore[arg-type]


async def test_a_command_sees_its_input_files_and_environment_and_nothing_else(proven: ProvenSandbox) -> None:
    script = (
        'read -r line; read -r other <a.txt; echo "$line $other $HOME $TMPDIR $PATH $MORE"; echo kept >b.txt; exit 3'
    )
    command = shell(
        script,
        stdin=b"in\n",
        files={"a.txt": b"file\n"},
        environment={"MORE": "more"},
        collect={"b.txt": 5, "c.txt": 5},
    )

    finished = await proven.run(command, LIMITS)

    assert (finished.ending, finished.code) == (Ending.EXITED, 3)
    assert finished.stdout == b"in file /w /w /usr/bin more\n"
    assert finished.stderr == b""
    assert finished.files == {"b.txt": b"kept\n"}


async def test_a_collected_file_that_is_too_large_or_no_file_is_left_out(proven: ProvenSandbox) -> None:
    command = shell("echo 123456 >large; echo 12345 >small", collect={"large": 6, "small": 6, ".": 6, "missing": 6})
    with pytest.raises(ValueError, match="plain name"):
        await proven.run(command, LIMITS)
    command = shell("echo 123456 >large; echo 12345 >small", collect={"large": 6, "small": 6, "missing": 6})
    assert (await proven.run(command, LIMITS)).files == {"small": b"12345\n"}


async def test_a_signal_is_told_by_its_number(proven: ProvenSandbox) -> None:
    finished = await proven.run(shell("kill -SEGV $$"), LIMITS)
    assert (finished.ending, finished.code) == (Ending.SIGNALLED, signal.SIGSEGV)


async def test_output_is_kept_up_to_its_limit(proven: ProvenSandbox) -> None:
    exact = "x" * 10
    limits = LIMITS.__class__(1, 5, 256 * MIB, 8, MIB, 10)
    assert (await proven.run(shell(f"printf {exact}"), limits)).ending is Ending.EXITED
    finished = await proven.run(shell(f"printf {exact}y >&2"), limits)
    assert (finished.ending, finished.stderr) == (Ending.TOO_MUCH_OUTPUT, exact.encode())


async def test_what_cannot_start_is_told_to_the_owner_and_is_no_verdict(proven: ProvenSandbox) -> None:
    finished = await proven.run(Command(("/usr/bin/none",)), LIMITS)
    assert finished.ending is Ending.NOT_STARTED
    assert "/usr/bin/none" in finished.detail

    finished = await proven.run(shell("exit 0", readable={"/here": Path("/nowhere-at-all")}), LIMITS)
    assert finished.ending is Ending.NOT_STARTED
    assert "/nowhere-at-all" in finished.detail


async def test_a_folder_that_only_its_owner_enters_is_readable_where_it_is_named(
    proven: ProvenSandbox, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "tools").mkdir(parents=True)
    (home / "tools" / "file").write_text("tool")
    (home / "private").write_text("private")
    # Others may read what is named, whatever the umask.
    (home / "tools").chmod(0o755)
    (home / "tools" / "file").chmod(0o644)
    home.chmod(0o700)
    script = 'read -r a </tools/file; read -r b </tools/../private; echo "$a$b"; echo x >/tools/made'
    finished = await proven.run(shell(script, readable={"/tools": home / "tools"}), LIMITS)
    assert finished.stdout == b"tool\n"
    assert [each.name for each in (home / "tools").iterdir()] == ["file"]
    assert (home.stat().st_mode & 0o777) == 0o700


@pytest.mark.usefixtures("proven")
async def test_places_bound_what_runs_at_once() -> None:
    sandbox = open_bubblewrap(Ceilings(places=1, memory_bytes=256 * MIB, cpu_s=10))
    began: list[int] = []
    limits = LIMITS.__class__(5, 0.5, 256 * MIB, 8, MIB, 100)

    async def wait() -> None:
        finished = await sandbox.run(shell("while :; do :; done"), limits)
        assert finished.ending is Ending.OUT_OF_TIME
        # Only one has ever a process.
        began.append(len(sandboxed_processes()))

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(wait)
    assert 0 in began


@pytest.mark.usefixtures("proven")
async def test_the_owners_ceilings_hold_whatever_a_command_asks() -> None:
    sandbox = open_bubblewrap(Ceilings(places=1, memory_bytes=256 * MIB, cpu_s=0.2))
    finished = await sandbox.run(shell("while :; do :; done"), LIMITS)
    assert finished.ending is Ending.OUT_OF_TIME
    assert finished.cpu_s < LIMITS.cpu_s


@pytest.mark.parametrize("script", ["while :; do :; done", "while :; do (while :; do :; done) & wait; done"])
async def test_cancelling_leaves_nothing(proven: ProvenSandbox, around: Outside, script: str) -> None:
    before = descriptors()
    # At different moments: while it is set up, and while it runs.
    for seconds in (0.0, 0.001, 0.005, 0.01, 0.02, 0.3):
        with trio.move_on_after(seconds) as scope:
            await proven.run(shell(script), LIMITS)
        assert scope.cancelled_caught
        assert not sandboxed_processes()
    around.require_untouched()
    assert descriptors() == before


DYING = """
from dataclasses import replace
import trio
from node.sandbox.bubblewrap import open_bubblewrap
from node.sandbox.ports import Ceilings, Command
from tests.support.hostile import LIMITS, MIB, sandboxed_processes

async def main():
    sandbox = open_bubblewrap(Ceilings(1, 256 * MIB, 60))
    script = "while :; do :; done & while :; do read -r x </dev/zero; done"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sandbox.run, Command(("/gate/sh", "-c", script)), replace(LIMITS, wall_s=60, cpu_s=60))
        # The supervisor, the gate and two loops.
        while len(pids := sandboxed_processes()) < 4:
            await trio.sleep(0.01)
        print(" ".join(map(str, pids)), flush=True)

trio.run(main)
"""
"""A node that tells the processes of its sandbox once they are there, and then waits for its end."""


@pytest.mark.usefixtures("proven")
async def test_a_sandbox_dies_with_its_node() -> None:
    node = await trio.lowlevel.open_process(
        [sys.executable, "-P", "-c", DYING], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."}
    )
    assert node.stdout is not None
    async with node.stdout:
        with trio.fail_after(30):
            pids = (await node.stdout.receive_some(1_000)).split()
        held = [os.pidfd_open(int(pid)) for pid in pids]
        assert len(held) > 1
        node.kill()
        await node.wait()
        with trio.fail_after(10):
            for descriptor in held:
                await trio.lowlevel.wait_readable(descriptor)
                os.close(descriptor)


async def test_a_run_is_the_same_beside_others(proven: ProvenSandbox, honest: bytes) -> None:
    seen = []

    async def run() -> None:
        finished = await proven.run(running(honest, b"", {"out": 100}), LIMITS)
        seen.append((finished.ending, finished.code, finished.stdout, finished.stderr, finished.files))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(run)
    assert len(seen) == 8
    assert all(each == seen[0] for each in seen)
