"""The commands against running nodes: what they print, and how they say no."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trio

from node.config import load_params
from node.inference import EngineConfig
from node.local.nodes import NodeSpec, start_node
from protocol.limits import TEXT_BYTES_MAX
from protocol.versions import WIRE
from tests.e2e.conftest import SWARM_NODES, RunningSwarm
from tests.support.asking import question_body
from tests.support.processes import PATIENCE_S, Ran, Shell, assert_refusal_line, assert_refused, log_records

SCRIPTED = EngineConfig(kind="scripted")


def test_status_tells_what_the_node_does(shell: Shell, swarm: RunningSwarm) -> None:
    told = shell.strand("status", "--json", "--url", swarm.url).json
    assert told["nodes_offering"] == SWARM_NODES
    assert told["peers_connected"] >= SWARM_NODES - 1
    assert told["engine"]["kind"] == "scripted"
    assert told["network"] == swarm.report["network"]
    assert told["key"] == swarm.report["requester"]
    assert told["certificates"] >= 1
    assert told["store_size"]["bytes"] > 0 and told["store_size"]["bytes_max"] == 0
    assert told["versions"]["wire"] == WIRE
    assert told["connections"]["half_open"] == 0
    assert 0 <= told["connections"]["inbound"] < told["connections"]["inbound_max"]
    assert told["clock"]["ours_is_off"] is False
    words = shell.strand("status", "--url", swarm.url)
    assert words.code == 0
    assert f"of {told['connections']['inbound_max']} inbound" in words.stdout
    assert told["key"][:32] in words.stdout


def test_a_paused_node_takes_on_nothing_and_says_so(shell: Shell, swarm: RunningSwarm) -> None:
    """It withdraws its offer, others do without it, and it asks as before; then it works again."""
    paused, other = swarm.urls[-1], swarm.url
    ran = shell.strand("pause", "--for", "2h", "--url", paused)
    assert (ran.code, ran.stdout) == (0, "paused for 2h; your own questions are still asked\n")
    try:
        assert "nobody: paused for 120 min" in shell.strand("status", "--url", paused).stdout
        key = shell.strand("status", "--json", "--url", paused).json["key"]
        asked = shell.strand("ask", "Trim a string.", "--json", "--url", paused).json
        assert asked["members"] == SWARM_NODES - 1
        _until_offered(shell, other, key, roles=[])
    finally:
        resumed = shell.strand("resume", "--json", "--url", paused).json
    assert (resumed["open"], resumed["why_not"]) == (True, None)
    _until_offered(shell, other, key, roles=["answer", "judge"])
    assert_refused(shell.strand("pause", "--for", "soon", "--url", paused), 2, "a duration is like", "'soon'")


def _until_offered(shell: Shell, url: str, key: str, roles: list[str]) -> None:
    """Wait until a node has heard that another one offers these roles, and no others."""
    ends_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_s:
        peers = shell.strand("peers", "--json", "--url", url).json["peers"]
        if any(peer["key"] == key and peer["offers"] and peer["offers"]["roles"] == roles for peer in peers):
            return
    raise AssertionError(f"{key} was not heard to offer {roles}")


def test_status_shows_for_whom_the_node_works(shell: Shell, swarm: RunningSwarm) -> None:
    member = swarm.urls[1]
    asker = shell.strand("status", "--json", "--url", swarm.url).json["key"]
    told = shell.strand("status", "--json", "--url", member).json["serving"]
    (served,) = [each for each in told["requesters"] if each["key"] == asker]
    assert served["rounds"] >= 1 and served["tokens"] > 0 and served["known"], "friends are no strangers"
    words = shell.strand("status", "--url", member).stdout
    assert f"{asker}: " in words


def test_engine_tells_what_the_model_server_can_do(shell: Shell, swarm: RunningSwarm) -> None:
    told = shell.strand("engine", "--json", "--url", swarm.url).json
    assert told["answers"] is True
    assert told["probe"]["kind"] == "scripted"
    assert told["asked"]["judgements"] >= 1
    assert told["failures"] == 0
    words = shell.strand("engine", "--url", swarm.url)
    assert words.code == 0
    assert "by a script" in words.stdout


def test_peers_are_told_with_their_offers(shell: Shell, swarm: RunningSwarm) -> None:
    peers = shell.strand("peers", "--json", "--url", swarm.url).json["peers"]
    others = {row["author"] for row in swarm.report["ranking"]} - {swarm.report["requester"]}
    assert {peer["key"] for peer in peers if peer["connected"]} == others
    assert all(peer["offers"]["roles"] == ["answer", "judge"] for peer in peers)
    words = shell.strand("peers", "--url", swarm.url)
    assert words.code == 0
    assert all(key[:12] in words.stdout for key in others)


def test_a_question_is_answered_and_its_certificate_kept(shell: Shell, swarm: RunningSwarm) -> None:
    ran = shell.strand("ask", "Reverse a string.", "--strict", "--json", "--url", swarm.url)
    assert ran.code == 0, ran
    report = ran.json
    kept = Path(report["certificate"])
    assert kept.is_relative_to(shell.home)
    assert shell.strand("verify", kept).code == 0
    assert shell.strand("show", kept, "--json").json["turns"] == [{"role": "user", "text": "Reverse a string."}]
    shown = shell.strand("show", report["query_id"], "--json", "--url", swarm.url)
    beside = {"explanation", "audience", "received"}
    assert shown.json.keys() >= beside
    assert {key: told for key, told in shown.json.items() if key not in beside} == {
        key: report[key] for key in shown.json if key not in beside
    }


def test_a_swarm_that_is_not_sure_enough_abstains(shell: Shell, swarm: RunningSwarm, tmp_path: Path) -> None:
    asked = ("ask", "Rotate a slice.", "--min-confidence", "1", "--url", swarm.url)
    ran = shell.strand(*asked, "--strict", "--out", tmp_path / "guess.strand")
    assert ran.code == 3, ran
    assert ran.stdout.startswith("The swarm abstains: P(best) 0.") and "(uncalibrated)" in ran.stdout
    verified = shell.strand("verify", tmp_path / "guess.strand")
    assert (verified.code, verified.stdout.split(",")[0]) == (0, "valid: degraded (low_confidence)")
    report = shell.strand(*asked, "--json").json
    assert (report["outcome"], report["reason"]) == ("degraded", "low_confidence")
    assert (report["p_correct"], report["confidence_min"]) == (None, 1.0)


@pytest.mark.parametrize("confidence", ["-0.1", "1.5", "nan", "much"])
def test_a_confidence_is_a_probability(shell: Shell, confidence: str) -> None:
    assert_refused(shell.strand("ask", "x", f"--min-confidence={confidence}"), 2, "--min-confidence")


def test_a_private_question_from_stdin_is_pulled_by_the_members(shell: Shell, swarm: RunningSwarm) -> None:
    ran = shell.strand(
        "ask", "-", "--audience", "members", "--strict", "--json", "--url", swarm.url, stdin="Größe?\n".encode()
    )
    assert ran.code == 0, ran
    assert ran.json["turns"] == []
    assert ran.json["cosignatures"] == SWARM_NODES
    readers = next(line for line in ran.stderr.splitlines() if line.startswith("read by these nodes alone: "))
    assert len(readers.partition(": ")[2].split()) == SWARM_NODES


def test_a_question_for_trusted_nodes_needs_names(shell: Shell, swarm: RunningSwarm) -> None:
    ran = shell.strand("ask", "Sum a slice.", "--audience", "trusted", "--url", swarm.url)
    assert_refused(ran, 3, "under [trust.trusted], or ask with audience members")


def test_a_question_with_a_secret_is_forced_or_not_sent(shell: Shell, swarm: RunningSwarm) -> None:
    asked = ("ask", "Why is gh" + "p_" + "A1b2C3d4E5" * 4 + " refused?", "--url", swarm.url, "--json")
    refused = shell.strand(*asked)
    assert_refused(refused, 1, "the question looks like it holds a GitHub token")
    assert "A1b2C3d4E5" not in refused.stderr
    assert shell.strand(*asked, "--allow-secrets").json["outcome"] == "decided"


def test_words_go_to_stdout_whole(shell: Shell, swarm: RunningSwarm) -> None:
    ran = shell.strand("ask", "Max of a slice.", "--task", "final", "--url", swarm.url)
    assert ran.code == 0, ran
    assert "```rust\n" in ran.stdout
    assert "outcome" not in ran.stderr
    assert ran.stdout.splitlines()[-1].startswith(f"certificate: {shell.home}")


@pytest.mark.parametrize("question", ["", " \n"])
def test_an_empty_question_is_refused(shell: Shell, swarm: RunningSwarm, question: str) -> None:
    assert_refused(shell.strand("ask", question, "--url", swarm.url), 2, "empty")


@pytest.mark.parametrize("size", [40_000, TEXT_BYTES_MAX + 1])
def test_a_question_over_the_networks_limit_is_refused(shell: Shell, swarm: RunningSwarm, size: int) -> None:
    """The first is over the network's limit, the second over every network's."""
    ran = shell.strand("ask", "-", "--url", swarm.url, stdin=b"x" * size)
    assert_refused(ran, 2, "the query has", "bytes")


def test_a_certificate_that_the_node_has_not_is_refused(shell: Shell, swarm: RunningSwarm) -> None:
    assert_refused(shell.strand("show", "0" * 64, "--url", swarm.url), 1, "no such certificate")


def test_what_is_no_strand_node_is_told(shell: Shell) -> None:
    with _other_server() as url:
        assert_refused(shell.strand("status", "--url", url), 1, url, "is no strand node")


CANNOT_START = (
    ("--bind", "{bind}", ["cannot serve HTTP on {bind}", "in use", "--bind"]),
    ("--listen", "{listen}", ["cannot listen on {listen}", "in use"]),
    ("--data-dir", "{folder}", ["another strand uses {folder}"]),
)


def test_flags_are_checked_before_anything_starts(shell: Shell) -> None:
    """The others: unit/node/cli/test_main.py."""
    assert_refused(shell.strand("run", "--engine", "scripted", "--listen", "nonsense"), 2, "not a multiaddr")


async def test_a_node_that_cannot_start_says_why(shell: Shell, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text('[log]\nformat = "json"\n')
    free = {"--bind": "127.0.0.1:0", "--listen": "/ip4/127.0.0.1/tcp/0", "--data-dir": str(tmp_path / "other")}
    async with AsyncExitStack() as stack:
        node = await start_node(NodeSpec(tmp_path / "running", SCRIPTED), stack)
        taken = {
            "bind": node.url.removeprefix("http://"),
            "listen": node.addresses[0].partition("/p2p/")[0],
            "folder": str(node.log.parent),
        }
        for flag, value, words in CANNOT_START:
            flags = [part for pair in {**free, flag: value.format(**taken)}.items() for part in pair]
            run = partial(shell.strand, "run", "--engine", "scripted", "--config", config, *flags)
            ran = await trio.to_thread.run_sync(run)
            assert (ran.code, ran.stdout) == (1, ""), flags
            # Before it stands what the log has, JSON like all of it, the lines of libraries included.
            *before, last = ran.stderr.splitlines(keepends=True)
            assert_refusal_line(last, *(word.format(**taken) for word in words))
            assert all(json.loads(line)["level"] for line in before)


def test_a_node_whose_engine_is_away_says_so(shell: Shell, tmp_path: Path, closed_url: str) -> None:
    anywhere = ("--bind", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/tcp/0", "--data-dir", tmp_path / "node")
    ran = shell.strand("run", "--engine", "openai", "--engine-url", closed_url, *anywhere)
    made, line = ran.stderr.splitlines(keepends=True)
    assert "node.made" in made and str(tmp_path) in made
    assert_refused(Ran(ran.code, ran.stdout, line), 4, closed_url, "not reachable")


async def test_a_slow_node_times_out_is_busy_and_still_ends_in_order(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRAND_CAPACITY_WAITING_QUERIES_MAX", "0")
    monkeypatch.setenv("STRAND_NODE_STOP_MS", "500")
    async with AsyncExitStack() as stack:
        spec = NodeSpec(tmp_path / "slow", EngineConfig(kind="scripted", latency_ms=600_000))
        node = await start_node(spec, stack)
        ask = partial(shell.strand, "ask", "Take your time.", "--url", node.url)
        late = await trio.to_thread.run_sync(partial(ask, "--timeout", "0.2"))
        assert_refused(late, 5, "no word from", node.url)
        with ExitStack() as rounds:
            # The first question's round goes on although nobody waits for it.
            for _ in range(load_params("devnet").open_rounds_per_key_max - 1):
                rounds.enter_context(await trio.to_thread.run_sync(_begin_round, node.url))
            busy = await trio.to_thread.run_sync(ask)
        assert_refused(busy, 3, "wait already")
        node.process.terminate()
        with trio.fail_after(30):
            assert await node.process.wait() == 0
    assert [record for record in log_records(node.log) if record["level"] == "error"] == []


@pytest.mark.parametrize("ending", ["sigterm", "sigint", "stdin"])
async def test_a_node_ends_in_order(tmp_path: Path, ending: str) -> None:
    async with AsyncExitStack() as stack:
        node = await start_node(NodeSpec(tmp_path / "node", SCRIPTED), stack)
        match ending:
            case "sigterm":
                node.process.send_signal(15)
            case "sigint":
                node.process.send_signal(2)
            case _:
                assert node.process.stdin is not None
                await node.process.stdin.aclose()
        with trio.fail_after(30):
            assert await node.process.wait() == 0
    text = node.log.read_text()
    assert "Traceback" not in text
    # Whoever holds stdin open wants the node to go with it, at once.
    orderly = [] if ending == "stdin" else ["node.stopping", "node.stopped"]
    events = [record["event"] for record in log_records(node.log)]
    # When the node has looked for its sandbox is not the question here.
    assert [event for event in events if event != "testing.off"] == ["node.made", "node.started", *orderly]


def _begin_round(url: str) -> HTTPResponse:
    """A question that is being worked on: the response has begun, and lasts until it is closed."""
    body = json.dumps(question_body("Wait.")).encode()
    response = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/api/ask", body)
    assert json.loads(response.readline())["event"] == "asked"
    assert isinstance(response, HTTPResponse)
    return response


@contextmanager
def _other_server() -> Iterator[str]:
    """A web server of somebody else's."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Hello</html>")

        def log_message(self, *_: object) -> None:
            """stderr is the tests'."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
