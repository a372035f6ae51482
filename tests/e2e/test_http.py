"""The guard of the HTTP interface, and hostile requests to a running node."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from email.message import Message
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from node.api.events import AnswerOpened, Asked, BallotCounted, Certified, Decided, Ended, Joined, RoundEvent, Strengths
from node.api.operations import BODY_BYTES_MAX
from node.inference import EngineConfig
from node.local.nodes import NodeSpec, start_node
from tests.e2e.conftest import SWARM_NODES, RunningSwarm
from tests.integration.http.test_hostile_requests import ENDS_THE_PROCESS_OF_044B2F0
from tests.support.asking import question_body
from tests.support.declared import check_reply
from tests.support.http_server import statuses
from tests.support.processes import PATIENCE_S, Shell, assert_refused


def ask(
    url: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, chunked: bool = False
) -> tuple[int, bytes]:
    """One request as it is given, whose reply is one that its operation declares."""
    status, told, answer = ask_raw(url, method, path, body, headers, chunked)
    check_reply(method, path.partition("?")[0], status, told["content-type"], answer)
    return status, answer


def ask_raw(
    url: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, chunked: bool = False
) -> tuple[int, Message, bytes]:
    """One request as it is given, with nothing that a well-meaning client would correct."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}), encode_chunked=chunked)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:80"}, 200),
        ({"Host": "[::1]:4210"}, 200),
        ({"Host": "rebound.example"}, 403),
        ({"Host": "127.0.0.1.example:4210"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "https://page.example"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_without_a_token_only_local_programs_are_served(
    swarm: RunningSwarm, headers: dict[str, str], status: int
) -> None:
    got, body = ask(swarm.url, "GET", "/api/status", headers=headers)
    assert got == status
    assert ("key" if status == 200 else "error") in json.loads(body)


async def test_with_a_token_every_request_needs_it(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRAND_API_TOKEN", "a secret of the test")
    async with AsyncExitStack() as stack:
        node = await start_node(NodeSpec(tmp_path / "node", EngineConfig(kind="scripted")), stack)
        get = partial(ask, node.url, "GET", "/api/status")
        for given, status in (
            ({}, 401),
            ({"Authorization": "Bearer another"}, 401),
            ({"Authorization": "Bearer "}, 401),
            ({"Authorization": "Bearer a secret of the test"}, 200),
            ({"Authorization": "Bearer a secret of the test", "Host": "node.example"}, 200),
        ):
            got, _ = await trio.to_thread.run_sync(partial(get, headers=given))
            assert got == status, given
        ran = await trio.to_thread.run_sync(partial(shell.strand, "status", "--url", node.url))
        assert_refused(ran, 1, "a token is needed")
        config = tmp_path / "client.toml"
        config.write_text('[api]\ntoken = "a secret of the test"\n')
        status_of = partial(shell.strand, "status", "--json", "--config", config, "--url", node.url)
        assert (await trio.to_thread.run_sync(status_of)).json["key"] == node.key
    assert "a secret of the test" not in node.log.read_text()


async def test_a_browser_is_let_in_by_a_link(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`strand ui` prints it and gives it to the browser; it names no token, and the node's log names no link."""
    monkeypatch.setenv("STRAND_API_KEYS", "laptop=a secret of the test")
    given, browser = tmp_path / "given", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {given}\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    config = tmp_path / "client.toml"
    config.write_text('[api.keys]\nlaptop = "a secret of the test"\n')
    async with AsyncExitStack() as stack:
        node = await start_node(NodeSpec(tmp_path / "node", EngineConfig(kind="scripted")), stack)
        ui = partial(shell.strand, "ui", "--config", config, "--url", node.url)
        ran = await trio.to_thread.run_sync(ui)
        link = ran.stdout.strip()
        assert (ran.code, ran.stderr, given.read_text()) == (0, "", link)
        assert link.startswith(f"{node.url}/?code=")
        opened = partial(ask_raw, node.url, "GET", link.removeprefix(node.url))
        status, headers, _ = await trio.to_thread.run_sync(opened)
        assert (status, headers["location"]) == (303, "/")
        assert (await trio.to_thread.run_sync(opened))[0] == 401
        cookie = {"Cookie": headers["set-cookie"].partition(";")[0]}
        settings = await trio.to_thread.run_sync(partial(ask, node.url, "GET", "/api/config", headers=cookie))
        assert json.loads(settings[1])["settings"]["api.keys"] == {
            "value": {"laptop": "(set)"},
            "origin": "environment STRAND_API_KEYS",
        }
        given.unlink()
        ran = await trio.to_thread.run_sync(partial(ui, "--no-open", "--json"))
        assert ran.json["valid_s"] == 60
        assert not given.exists()
    said = node.log.read_text()
    assert "a secret of the test" not in said and "code=" not in said


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"turns": 7}',
        b'{"turns": [{"role": "user", "text": "x"}], "surprise": 1}',
        b'{"turns": [{"role": "user", "text": "x"}], "task": "poem"}',
        b'{"turns": [{"role": "user", "text": "x"}], "max_tokens": 0}',
        b'{"turns": [{"role": "user", "text": "x"}], "max_tokens": -5}',
        b'{"turns": [{"role": "user", "text": "x"}], "max_tokens": 1e400}',
        b'{"turns": [{"role": "user", "text": "x"}], "pairs_per_judge": -1}',
        b'{"turns": [{"role": "user", "text": "x"}], "answer_ms": -1}',
        b'{"turns": [{"role": "user", "text": "x"}], "judge_ms": 0}',
        b'{"turns": [{"role": "user", "text": "x"}], "patience_ms": -1}',
        b'{"turns": [{"role": "user", "text": "x"}], "confidence_min": 1.01}',
        b'{"turns": [{"role": "user", "text": "x"}], "confidence_min": NaN}',
        b'{"turns": [{"role": "user", "text": "\\ud800"}]}',
        b'{"turns": [{"role": "user", "text": "\xff"}]}',
        b'{"turns": [{"role": "user", "text": "  "}]}',
        b"[" * 10_000,
    ],
)
def test_what_is_no_question_is_refused_and_harms_nobody(swarm: RunningSwarm, body: bytes) -> None:
    status, answer = ask(swarm.url, "POST", "/api/ask", body)
    assert status == 400
    assert json.loads(answer)["error"]
    assert ask(swarm.url, "GET", "/health/live")[0] == 200


def test_figures_over_the_networks_limits_are_cut_to_them(swarm: RunningSwarm) -> None:
    huge = dict.fromkeys(("max_tokens", "pairs_per_judge", "answer_ms", "judge_ms", "patience_ms"), 10**18)
    status, answer = ask(swarm.url, "POST", "/api/ask", json.dumps(question_body("Sum.", **huge)))
    events = [json.loads(line) for line in answer.splitlines()]
    assert status == 200
    assert [events[0]["event"], events[-1]["event"]] == ["asked", "ended"]
    assert [event["outcome"] for event in events if event["event"] == "decided"] == ["decided"]


def test_a_round_is_told_with_its_details_to_whoever_wants_them(swarm: RunningSwarm) -> None:
    status, answer = ask(
        swarm.url,
        "POST",
        "/api/ask?details=1",
        json.dumps(question_body("Sum, in detail.", task="open")),
    )
    events = [msgspec.json.decode(line, type=RoundEvent) for line in answer.splitlines()]
    assert status == 200
    assert (type(events[0]), type(events[-1])) == (Asked, Ended)
    assert {type(event) for event in events} >= {Joined, AnswerOpened, BallotCounted, Strengths, Decided, Certified}
    assert [event.role for event in events if isinstance(event, Ended)] == ["member", "requester"]


def test_a_body_over_the_limit_is_refused_by_its_header(swarm: RunningSwarm) -> None:
    status, _ = ask(swarm.url, "POST", "/api/ask", headers={"Content-Length": str(BODY_BYTES_MAX + 1)})
    assert status == 413


def test_a_body_over_the_limit_is_refused_while_it_comes(swarm: RunningSwarm) -> None:
    chunks = [b"x" * 1024] * (BODY_BYTES_MAX // 1024 + 1)
    status, _ = ask(swarm.url, "POST", "/api/ask", iter(chunks), {"Transfer-Encoding": "chunked"}, chunked=True)
    assert status == 413


@pytest.mark.parametrize("name", ENDS_THE_PROCESS_OF_044B2F0)
def test_no_request_ends_the_process(swarm: RunningSwarm, name: str) -> None:
    """At 044b2f0 each of these was the node's last."""
    raw, expected = ENDS_THE_PROCESS_OF_044B2F0[name]
    host, _, port = swarm.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert statuses(reply) == expected
    assert ask(swarm.url, "GET", "/health/live")[0] == 200
    assert swarm.process.poll() is None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/ui", 404),
        ("GET", "/assets/..%2f..%2fnode.key", 404),
        ("GET", "/api/ask", 405),
        ("DELETE", "/api/status", 405),
        ("GET", "/api/wait?offers=many", 400),
        ("GET", "/api/certificates/zz", 400),
        ("GET", f"/api/certificates/{'0' * 64}", 404),
        ("GET", "/api/certificates/00", 400),
        ("GET", "/api/certificates/..%2f..%2fnode.key", 404),
        ("GET", "/api/engine", 200),
        ("POST", "/api/engine", 405),
        ("GET", "/health/live", 200),
        ("GET", "/health/ready", 200),
    ],
)
def test_paths(swarm: RunningSwarm, method: str, path: str, status: int) -> None:
    assert ask(swarm.url, method, path)[0] == status


def test_metrics_are_read_by_prometheus_own_parser(swarm: RunningSwarm) -> None:
    status, body = ask(swarm.url, "GET", "/metrics")
    assert status == 200
    samples = {each.name: each for family in text_string_to_metric_families(body.decode()) for each in family.samples}
    assert samples["strand_engine_info"].labels["kind"] == "scripted"
    assert samples["strand_engine_up"].value == 1
    assert samples["strand_nodes_offering"].value == SWARM_NODES
    assert samples["strand_engine_answers_total"].value >= 1


def test_a_port_that_is_taken_is_told_before_the_engine_is_asked(shell: Shell, tmp_path: Path, closed_url: str) -> None:
    taken = closed_url.removeprefix("http://")
    ran = shell.strand("run", "--bind", taken, "--engine-url", closed_url, "--engine", "openai", "--data-dir", tmp_path)
    assert_refused(ran, 1, f"cannot serve HTTP on {taken}", "Address already in use", "--bind", "--profile")
    assert list(tmp_path.iterdir()) == []
