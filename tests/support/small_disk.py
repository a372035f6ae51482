"""A swarm of three of which one has a small disk that fills up, is emptied, and becomes read-only.

Runs in a mount namespace of its own, `unshare --mount python -P -m tests.support.small_disk FOLDER`, and prints what
was found as JSON. The disk is a tmpfs of DISK_BYTES: nothing outside it can fill up, and it goes with the namespace.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import trio

from node.inference import EngineConfig
from node.local.nodes import Child, NodeSpec
from node.local.swarm import open_swarm
from tests.support.asking import question_body
from tests.support.processes import PATIENCE_S, POLL_S, STRAND, get_json

DISK_BYTES = 12 * 1024 * 1024


def fill(disk: Path) -> Path:
    """Write a file, and the node's own log, until there is no room for a byte; return the file."""
    filler = disk / "filler"
    for path, piece in ((filler, b"x" * 4096), (disk / "node.log", b"\n")):
        with path.open("ab", buffering=0) as file:
            try:
                for _ in range(DISK_BYTES):
                    file.write(piece)
            except OSError:
                continue
    return filler


def ask(url: str, question: str) -> dict[str, Any]:
    """Ask and return what was decided, or the refusal."""
    body = json.dumps(question_body(question, answer_ms=3_000, judge_ms=3_000)).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/api/ask", data=body), timeout=PATIENCE_S) as reply:
            events = [json.loads(line) for line in reply]
            return next(event for event in events if event["event"] == "decided")
    except urllib.error.HTTPError as error:
        return {"code": error.code, **json.loads(error.read())}


async def until_store(node: Child, state: str) -> dict[str, Any]:
    """Wait until the node's status says that of its store."""
    with trio.fail_after(PATIENCE_S):
        while True:
            status = dict(await trio.to_thread.run_sync(get_json, f"{node.url}/api/status"))
            if status["store"].startswith(state):
                return status
            await trio.sleep(POLL_S)


async def play(folder: Path) -> dict[str, Any]:
    """Return what was seen."""
    disk = folder / "disk"
    disk.mkdir()
    options = f"size={DISK_BYTES},mode=700"
    await trio.run_process(["mount", "-t", "tmpfs", "-o", options, "none", disk])
    folders = (folder / "asker", disk, folder / "other")
    specs = [NodeSpec(each, EngineConfig(kind="scripted"), seed=index) for index, each in enumerate(folders)]
    run = trio.to_thread.run_sync
    found: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        asker, small, _ = (await stack.enter_async_context(open_swarm(specs))).nodes
        await run(get_json, f"{asker.url}/api/wait?offers=3&timeout_ms=60000")
        found["before"] = await run(ask, asker.url, "Before?")
        filler = fill(disk)
        async with trio.open_nursery() as nursery:
            # Its member cannot join; or it has the certificate of before still to store.
            nursery.start_soon(partial(run, ask, asker.url, "Full?", abandon_on_cancel=True))
            found["full"] = await until_store(small, "full: ")
            found["refused"] = await run(ask, small.url, "May I?")
            # The asker waits out its budgets for the member that was silent.
            nursery.cancel_scope.cancel()
        found["alive"] = small.process.poll() is None
        filler.unlink()
        began = trio.current_time()
        await until_store(small, "ok")
        found["recovered_s"] = trio.current_time() - began
        await run(get_json, f"{small.url}/api/wait?offers=3&timeout_ms=60000")
        found["after"] = await run(ask, small.url, "After?")
        found["certificates"] = (await until_store(small, "ok"))["certificates"]
    await trio.run_process(["mount", "-o", "remount,ro", disk])
    command = [STRAND, "run", "--config", disk / "node.toml"]
    ran = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    found["read_only"] = {"code": ran.returncode, "stderr": ran.stderr.decode()}
    return found


def main() -> None:
    print(json.dumps(trio.run(play, Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
