"""`strand local`: a council whose nodes keep their keys and what they learned, whatever ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.support.engine_server import StandIn
from tests.support.model_server import model_server
from tests.support.processes import PATIENCE_S, STRAND, Shell, assert_refused, children, wait_ended

GOLD = {"query": "What is six times seven?", "task": "final", "right": ["42"]}
SCRIPTED = ("--engine", "scripted", "--model", "one", "--model", "two", "--engine", "scripted", "--model", "three")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A user who has nothing yet."""
    return Shell(tmp_path)


@dataclass(frozen=True, slots=True)
class Running:
    """A council that is ready."""

    process: subprocess.Popen[str]
    told: dict[str, Any]
    signals: list[signal.Signals] = field(default_factory=list)
    """What it was sent."""

    def stop(self, number: signal.Signals) -> str:
        """Send a first signal; return the line that says what follows."""
        self.signals.append(number)
        self.process.send_signal(number)
        return self.line("ending all nodes")

    @property
    def keys(self) -> dict[str, str]:
        return {node["name"]: node["key"] for node in self.told["nodes"]}

    def line(self, *words: str) -> str:
        """Wait for a line on stderr."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if all(word in line for word in words):
                return line
        raise AssertionError(f"no line with {words}")


@contextmanager
def council(shell: Shell, *arguments: str | Path, **environment: str) -> Iterator[Running]:
    with subprocess.Popen(
        [STRAND, "local", "--json", "--bind", "127.0.0.1:0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=shell.environment() | environment,
    ) as process:
        watchdog = Timer(2 * PATIENCE_S, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None and process.stderr is not None
            printed = ""
            for line in process.stdout:
                printed += line
                if line == "}\n":
                    break
            assert printed, process.stderr.read()
            running = Running(process, json.loads(printed))
            nodes = [os.pidfd_open(pid) for pid in children(process.pid)]
            yield running
            if not running.signals:
                running.stop(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
            wait_ended(nodes)
        finally:
            watchdog.cancel()
            process.kill()


def ask(shell: Shell, running: Running) -> dict[str, Any]:
    asked = ("ask", "Sum a slice.", "--json", "--url", running.told["api"], "--out", shell.home / "asked.strand")
    ran = shell.strand(*asked, "--audience", "trusted")
    assert ran.code == 0, ran
    told: dict[str, Any] = ran.json
    return told


@pytest.mark.long
def test_keys_and_reputation_outlive_the_council(shell: Shell, tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text(json.dumps(GOLD) + "\n")
    with council(shell, *SCRIPTED, "--gold", gold) as first:
        assert first.told["openai"] == f"{first.told['api']}/v1"
        assert first.told["token"] is None
        asked = ask(shell, first)
        assert (asked["outcome"], asked["cosignatures"]) == ("decided", 3)
        ran = shell.strand("reputation", "gold", "--json", "--url", first.told["api"])
        assert ran.code == 0, ran
        learned = shell.strand("reputation", "export", "-", "--url", first.told["api"]).json
        assert set(learned["standings"]) >= set(first.keys.values()) - {first.keys["one"]}
    # Another order of the others, and one more, which the first does not know.
    more = ("--engine", "scripted", "--model", "one", "--model", "four", "--model", "three", "--model", "two")
    with council(shell, *more, "--gold", gold) as second:
        assert first.keys.items() <= second.keys.items()
        assert len(second.keys) == 4
        again = shell.strand("reputation", "export", "-", "--url", second.told["api"]).json
        assert again["standings"] == learned["standings"]


SLOW = '[[engine]]\nkind = "scripted"\nlatency_ms = {}\nmodels = ["one", "two", "three"]\n'


@contextmanager
def asking(shell: Shell, running: Running) -> Iterator[subprocess.Popen[str]]:
    """A question of which the asker has been told that its round is under way."""
    command = [STRAND, "ask", "Sum a slice.", "--watch", "--audience", "trusted", "--url", running.told["api"]]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=shell.environment(),
    ) as asker:
        assert asker.stderr is not None
        assert asker.stderr.readline(), "the round did not begin"
        yield asker


def test_a_council_that_is_stopped_finishes_its_round(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "council.toml"
    file.write_text(SLOW.format(1_000))
    with council(shell, "--file", file) as running, asking(shell, running) as asker:
        assert "within 30 s" in running.stop(signal.SIGTERM)
        printed, said = asker.communicate(timeout=PATIENCE_S)
        assert (asker.returncode, bool(printed)) == (0, True), said


def test_a_second_signal_ends_a_council_at_once(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "council.toml"
    file.write_text(SLOW.format(100_000))
    with council(shell, "--file", file, STRAND_NODE_STOP_MS="3600000") as running, asking(shell, running) as asker:
        assert "within 3600 s" in running.stop(signal.SIGTERM)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE_S) == 0
        asker.kill()


@pytest.mark.long
def test_a_killed_node_is_started_again_and_said_so(shell: Shell) -> None:
    with council(shell, *SCRIPTED) as running:
        for model in ("one", "three"):
            (pid,) = [pid for pid in children(running.process.pid) if _is(pid, model)]
            os.kill(pid, signal.SIGKILL)
            assert "starting it again in" in running.line(f"{model} ended (signal 9)")
            api = running.told["api"]
            _wait_offers(shell, api)
        assert shell.strand("status", "--json", "--url", api).json["key"] == running.keys["one"]


@pytest.mark.long
def test_one_key_and_two_models_of_a_server_are_nodes_beside_others(shell: Shell, tmp_path: Path) -> None:
    server = StandIn()
    server.models = [{"id": name, "max_model_len": StandIn.CONTEXT_TOKENS} for name in ("big", "small", "an-embed-one")]
    with model_server(server) as url:
        file = tmp_path / "council.toml"
        file.write_text(
            f'[[engine]]\nurl = "{url}"\nkey_env = "KEY_OF_MINE"\nmodels = ["small", "big"]\n\n'
            '[[engine]]\nkind = "scripted"\nseed = 7\n'
        )
        with council(shell, "--file", file, KEY_OF_MINE=StandIn.KEY) as running:
            assert set(running.keys) == {"small", "big", "scripted"}
            engine = shell.strand("engine", "--json", "--url", running.told["api"]).json
            assert engine["probe"]["model"] == "small"
            assert ask(shell, running)["members"] == 3
        found = [path for path in tmp_path.rglob("*") if path.is_file() and StandIn.KEY.encode() in path.read_bytes()]
        assert found == []
        # Without names, all models that write text.
        listed = ("--engine", url, "--key-env", "KEY_OF_MINE", "--engine", "scripted")
        with council(shell, *listed, KEY_OF_MINE=StandIn.KEY) as running:
            assert set(running.keys) == {"small", "big", "scripted"}


def test_a_council_that_cannot_start_leaves_no_node(shell: Shell, closed_url: str) -> None:
    ran = shell.strand("local", "--engine", "scripted", "--engine", closed_url, "--model", "x", "--bind", "127.0.0.1:0")
    assert ran.code == 1
    *_, line = ran.stderr.splitlines()
    assert line.startswith(f"strand: the node x did not start: engine at {closed_url} is not reachable")
    assert_refused(shell.strand("local", "--model", "x"), 2, "--model x belongs to the --engine before it")
    assert_refused(shell.strand("local", "--engine", closed_url), 4, closed_url, "not reachable")


def _is(pid: int, model: str) -> bool:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return any(f"/{model}-".encode() in argument for argument in command)


def _wait_offers(shell: Shell, api: str) -> None:
    """Wait until the first node answers again and knows all three."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        ran = shell.strand("status", "--json", "--url", api)
        if ran.code == 0 and ran.json["peers_connected"] == 2:
            return
    raise AssertionError(f"the nodes did not find each other again: {ran}")
