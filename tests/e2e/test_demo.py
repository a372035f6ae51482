"""`strand demo`: from the first command to a certificate that a stranger can check, and what its processes leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path
from threading import Timer

import pytest

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from tests.e2e.conftest import Demo
from tests.support.processes import PATIENCE_S, STRAND, Shell, assert_refusal_line, assert_refused, children, wait_ended

REPORT_KEYS = {
    "query_id", "turns", "requester", "network", "outcome", "reason", "stop", "p_correct",
    "confidence_min", "winner", "ranking", "ballots",
    "comparisons", "abstentions", "decisive_share", "cosignatures", "members", "full", "unopened", "removed",
    "silent_judges", "declines", "set_aside", "testing",
    "certificate", "timings_ms", "nodes", "engine",
}  # fmt: skip
TIMINGS = {"answering", "opening", "judging", "cosigning", "to_answer", "total"}


def test_the_demo_decides_and_reports_it_as_json(demo: Demo) -> None:
    assert demo.ran.code == 0, demo.ran.stderr
    report = demo.ran.json
    assert set(report) == REPORT_KEYS
    assert report["outcome"] == "decided"
    assert report["nodes"] == report["members"] == report["cosignatures"] == 5
    # Up to three waves of one pair each, until one answer is sure enough.
    assert report["ballots"] == report["comparisons"]
    assert report["ballots"] in (5, 10, 15)
    assert report["full"] is True
    assert report["abstentions"] == 0
    assert report["engine"] == "scripted: scripted"
    assert report["unopened"] == report["silent_judges"] == report["declines"] == report["removed"] == []
    assert set(report["timings_ms"]) == TIMINGS
    assert all(ms >= 0 for ms in report["timings_ms"].values())
    assert set(report["winner"]) == {"answer_id", "author", "text"}
    assert len(report["ranking"]) == 5
    for row in report["ranking"]:
        assert set(row) == {
            "answer_id",
            "author",
            "strength",
            "p_best",
            "cluster_size",
            "finish",
            "tokens",
            "token_source",
            "findings",
        }
        assert row["findings"] is None
    assert report["winner"]["answer_id"] == report["ranking"][0]["answer_id"]
    assert report["winner"]["text"].startswith("```rust\n")


def test_the_answers_of_the_demo_differ(demo: Demo) -> None:
    """Five equal answers would be unanimous: nothing would be judged."""
    assert {row["cluster_size"] for row in demo.ran.json["ranking"]} == {1}


def test_its_certificate_verifies_offline(shell: Shell, demo: Demo) -> None:
    assert Path(demo.ran.json["certificate"]) == demo.certificate
    ran = shell.strand("verify", demo.certificate)
    assert (ran.code, ran.stdout) == (0, "valid: decided, full, co-signed by 5 of 5 members\n")
    told = shell.strand("verify", demo.certificate, "--json").json
    assert told["valid"] is True
    assert told["trusted_cosigners"] is None
    shared = set(told) & REPORT_KEYS
    assert shared == REPORT_KEYS - {"certificate", "timings_ms", "nodes", "engine"}
    assert {key: told[key] for key in shared} == {key: demo.ran.json[key] for key in shared}


@pytest.mark.parametrize("tenth", range(10))
def test_a_flipped_bit_breaks_a_named_rule(shell: Shell, demo: Demo, tmp_path: Path, tenth: int) -> None:
    raw = bytearray(demo.certificate.read_bytes())
    raw[len(raw) * tenth // 10 + len(raw) // 20] ^= 1
    forged = tmp_path / "forged.strand"
    forged.write_bytes(raw)
    ran = shell.strand("verify", "--json", forged)
    assert ran.code == 1
    assert ran.json["valid"] is False
    assert ran.json["rule"]
    assert_refusal_line(ran.stderr, "certificate", f"rule {ran.json['rule']}")


def test_trust_counts_only_the_readers_keys(shell: Shell, demo: Demo, tmp_path: Path) -> None:
    verified = verify_certificate(demo.certificate.read_bytes())
    assert isinstance(verified, VerifiedCertificate)
    keys = sorted(key.hex() for key in verified.cosigners)
    listed = tmp_path / "keys"
    listed.write_text("\n".join(keys[:4]) + "\n")
    assert shell.strand("verify", demo.certificate, "--trust", ",".join(keys[:3])).code == 0
    told = shell.strand("verify", demo.certificate, "--trust", listed, "--json")
    assert (told.code, told.json["trusted_cosigners"]) == (0, 4)
    stranger = shell.strand("verify", demo.certificate, "--trust", "ab" * 32)
    assert stranger.code == 3
    assert_refusal_line(stranger.stderr, "R9")


def test_a_certificate_is_shown_in_words_and_as_json(shell: Shell, demo: Demo) -> None:
    report = demo.ran.json
    told = shell.strand("show", demo.certificate)
    assert told.code == 0
    assert report["turns"][0]["text"] in told.stdout
    assert report["winner"]["text"].strip() in told.stdout
    assert "co-signed by 5 of 5 members" in told.stdout
    shown = shell.strand("show", demo.certificate, "--json").json
    # What only the certificate tells is not in the demo's report.
    assert shown.pop("explanation")
    assert shown == {key: report[key] for key in shown}


def test_a_demo_that_cannot_write_says_so(shell: Shell) -> None:
    ran = shell.strand("demo", "--engine", "scripted", "--no-findings", "--nodes", "1", "--out", "/proc/certificate")
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr.splitlines()[-1].startswith("strand: cannot write /proc/certificate")


def test_a_demo_whose_engine_is_away_says_so(shell: Shell, closed_url: str) -> None:
    assert_refused(shell.strand("demo", "--engine", closed_url), 4, closed_url, "not reachable")


def test_a_kept_demo_tells_programs_how_to_reach_it_and_waits(shell: Shell, tmp_path: Path) -> None:
    with subprocess.Popen(
        [STRAND, "demo", "--keep", "--json", "--engine", "scripted", "--no-findings", "--nodes", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=shell.environment(),
    ) as process:
        watchdog = Timer(PATIENCE_S, process.kill)
        watchdog.start()
        assert process.stdout is not None and process.stderr is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if line == "}\n":
                break
        told = json.loads(printed)
        assert set(told) == {"api", "openai", "token", "ui", "nodes", "engine"}
        assert told["openai"] == f"{told['api']}/v1"
        assert told["ui"].startswith(f"{told['api']}/")
        assert len(told["nodes"]) == 3
        assert told["nodes"][0]["url"] == told["api"]
        assert_refused(shell.strand("status", "--url", told["api"]), 1, "a token is needed")
        request = urllib.request.Request(
            f"{told['api']}/api/status", headers={"Authorization": f"Bearer {told['token']}"}
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE_S) as reply:
            status = json.load(reply)
        assert status["key"] == told["nodes"][0]["key"]
        assert status["nodes_offering"] == 3
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == ""
        watchdog.cancel()
    assert process.returncode == 128 + signal.SIGTERM
    # Nothing was asked.
    assert list(tmp_path.iterdir()) == []


def test_a_demo_of_one_node_is_degraded_and_no_failure(shell: Shell, tmp_path: Path) -> None:
    command = ("demo", "--engine", "scripted", "--no-findings", "--nodes", "1", "--json", "--out", tmp_path / "one")
    ran = shell.strand(*command)
    assert (ran.code, ran.json["outcome"]) == (0, "degraded")
    assert shell.strand(*command, "--strict").code == 3


def test_no_node_outlives_a_killed_demo(tmp_path: Path) -> None:
    """Nobody can tidy up after SIGKILL: the nodes see that their stdin is closed. Before, `strand ui` finds them."""
    shell = Shell(tmp_path)  # in the home of all tests another swarm may run, and a configuration would be theirs, too
    with subprocess.Popen(
        [
            STRAND,
            "demo",
            "--keep",
            "--engine",
            "scripted",
            "--no-findings",
            "--nodes",
            "2",
            "--out",
            shell.home / "killed.strand",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=shell.environment(),
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("the swarm keeps running"):
                break
        first = next(process.stderr).split()[0]
        # The configured node does not run; nobody listens at this port.
        config = shell.home / ".config/strand/node.toml"
        config.parent.mkdir(parents=True)
        config.write_text('[api]\nbind = "127.0.0.1:1"\n')
        page = shell.strand("ui", "--no-open")
        nodes = [os.pidfd_open(pid) for pid in children(process.pid)]
        process.send_signal(signal.SIGKILL)
    assert len(nodes) == 2
    wait_ended(nodes)
    assert (page.code, page.stdout.strip()) == (0, f"{first}/")
