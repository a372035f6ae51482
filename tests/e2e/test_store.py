"""`strand id`, `strand store` and `strand reset` on real folders, beside real nodes."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from threading import Timer

import pytest
import trio

from node.local.nodes import NodeSpec, start_node
from node.local.swarm import SCRIPTED
from node.rounds.inbound import CONTRIBUTE, QUERY
from protocol.messages import Commit
from tests.support.processes import PATIENCE_S, STRAND, Ran, Shell, assert_refused
from tests.support.requester import Requester, kill, kill_after_its_commit, overlay_of


@pytest.fixture
def folder(shell: Shell, tmp_path: Path) -> Path:
    """A node's folder with key and store."""
    assert shell.strand("init", "--data-dir", tmp_path / "node", "--no-write-config").code == 0
    return tmp_path / "node"


def at_terminal(shell: Shell, typed: str, *arguments: str | Path) -> tuple[int, str]:
    """Run a command at a terminal, type a line, and return its exit code and what the terminal shows."""
    outer, inner = pty.openpty()
    with subprocess.Popen(
        [STRAND, *arguments], stdin=inner, stdout=inner, stderr=inner, env=shell.environment(), cwd=shell.home
    ) as process:
        os.close(inner)
        watchdog = Timer(PATIENCE_S, process.kill)
        watchdog.start()
        os.write(outer, typed.encode() + b"\n")
        shown = b""
        try:
            while piece := os.read(outer, 4096):
                shown += piece
        except OSError:
            pass  # the terminal's other side is closed
        process.wait()
        watchdog.cancel()
    os.close(outer)
    return process.returncode, shown.decode()


def test_who_this_node_is(shell: Shell, folder: Path) -> None:
    told = shell.strand("id", "--json", "--data-dir", folder).json
    assert told["data_dir"] == str(folder)
    assert told["addresses"] == [f"/ip4/0.0.0.0/tcp/4211/p2p/{told['peer_id']}"]
    plain = shell.strand("id", "--data-dir", folder).stdout
    assert told["key"] in plain and told["peer_id"] in plain


def test_a_folder_without_a_key_is_one_line(shell: Shell, tmp_path: Path) -> None:
    assert_refused(shell.strand("id", "--data-dir", tmp_path / "none"), 1, "there is no key", "strand init")
    assert not (tmp_path / "none").exists(), "looking makes nothing"
    assert_refused(shell.strand("store", "size", "--data-dir", tmp_path / "none"), 1, "there is no store")


def test_a_store_is_measured_backed_up_pruned_removed_and_restored(shell: Shell, folder: Path, tmp_path: Path) -> None:
    run = partial(_with_folder, shell, folder)
    assert run("store", "size", "--json").json["tables"]["certificates"] == {"rows": 0, "bytes": 0}
    backup = tmp_path / "backup.db"
    assert run("store", "backup", backup, "--json").json["rows"]["certificates"] == 0
    assert_refused(run("store", "restore", backup), 1, "there is a store", "strand reset")
    assert run("store", "prune", "--to", "1GiB", "--json").json["deleted_rows"] == 0
    assert_refused(run("store", "prune", "--to", "much"), 2, "a size has a unit, like 500MB")
    assert_refused(run("store", "prune", "--to", "1"), 2, "a size has a unit")
    assert run("reset", "--yes", "--json").json["removed"] == ["store"]
    assert run("reset", "--yes").stdout == f"nothing to remove in {folder}\n"
    assert "without the journal" in run("store", "restore", backup).stdout
    assert run("reset", "--key", "--yes", "--json").json["removed"] == ["store", "key"]
    assert_refused(run("store", "restore", backup), 1, "there is no key")


def test_a_reset_says_what_is_lost_and_wants_the_keys_digits(shell: Shell, folder: Path) -> None:
    run = partial(_with_folder, shell, folder)
    key = run("id", "--json").json["key"]
    assert_refused(run("reset"), 2, "confirm with --yes")
    code, shown = at_terminal(shell, "yes", "reset", "--key", "--data-dir", folder)
    assert code == 1 and "nothing was removed" in shown
    assert f"the key {key}" in shown and "asked rounds" in shown
    assert run("id", "--json").json["key"] == key
    code, shown = at_terminal(shell, key[:8], "reset", "--data-dir", folder)
    assert code == 0 and f"removed store from {folder}" in shown
    assert (folder / "node.key").exists()


async def test_a_restored_node_signs_nothing_in_rounds_of_before(shell: Shell, tmp_path: Path) -> None:
    """R3, R12. The backup is made while the node is in a round; nothing of that round may be signed anew."""
    requester = Requester()
    async with overlay_of(requester) as overlay, AsyncExitStack() as stack:
        spec = NodeSpec(tmp_path / "node", SCRIPTED, overlay.addresses()[:1])
        member = await start_node(spec, stack)
        run = partial(_with_folder, shell, spec.folder)
        backup = tmp_path / "backup.db"
        assert (await trio.to_thread.run_sync(partial(run, "store", "backup", backup))).code == 0
        assert_refused(await trio.to_thread.run_sync(partial(run, "reset", "--yes")), 1, "another strand uses")
        old, commit, raw = await kill_after_its_commit(member, overlay, requester)

        assert (await trio.to_thread.run_sync(partial(run, "reset", "--yes"))).code == 0
        assert (await trio.to_thread.run_sync(partial(run, "store", "restore", backup))).code == 0
        again = await start_node(spec, stack)
        assert again.key == member.key
        await requester.wait(lambda: requester.peers[-1] == (bytes.fromhex(again.key), True))
        reply = await overlay.request(bytes.fromhex(again.key), QUERY, old.envelope, timeout_ms=10_000)
        assert reply, "it works on the query again"
        await kill(again)
        assert requester.commits_to(old.id) == 1
        signed = {each for protocol, _, each in requester.requests if protocol == CONTRIBUTE}
        assert signed == {raw} and isinstance(commit, Commit)


def _with_folder(shell: Shell, folder: Path, *arguments: str | Path) -> Ran:
    return shell.strand(*arguments, "--data-dir", folder)
