"""Rounds in which Rust decides: real node processes, scripted authors, and the real compiler in the real sandbox.

The judges of these rounds prefer the wrong answers: what wins, wins by what was found out.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from consensus.certificates.reading import describe
from node.api.events import Decided, FindingsSettled, Progress, ReportCounted, RoundEvent
from node.client import FollowedRound, Question, follow
from node.inference import EngineConfig
from node.local import LocalSwarm, NodeSpec, open_swarm
from node.local.nodes import plain_environment
from node.sandbox.choosing import SandboxOff, choose_sandbox
from node.sandbox.config import SandboxConfig
from node.work.node_tester import find_tester
from tests.support.processes import STRAND
from tests.support.rust_required import skip_without_rust

ASKED = "Write `fn double(n: i32) -> i32` that doubles a number."
RIGHT = (
    "```rust\nfn double(n: i32) -> i32 {\n    n * 2\n}\n```",
    "Adding does it:\n\n```rust\npub fn double(n: i32) -> i32 {\n    n + n\n}\n```",
)
SQUARE = "```rust\nfn double(n: i32) -> i32 {\n    n * n\n}\n```"
BROKEN = "```rust\nfn double(n: i32) -> i32 {\n    n.twice()\n}\n```"
ZERO = "```rust\nfn double(_: i32) -> i32 {\n    0\n}\n```"
ANSWERS = (RIGHT[0], SQUARE, RIGHT[1], BROKEN, ZERO)
QUALITY = {RIGHT[0]: 0.45, RIGHT[1]: 0.45, SQUARE: 0.5, BROKEN: 0.9, ZERO: 0.5}
TESTS = """\
#[test]
fn doubles() {
    assert_eq!(double(3), 6);
}

#[test]
fn keeps_nothing() {
    assert_eq!(double(0), 0);
}
"""
WRONG_TESTS = "assert_eq!(double(1), 100);\nassert_eq!(double(0), 0);\n"
PATIENCE_S = 180.0


@pytest.fixture(scope="module")
def needs_sandbox() -> None:
    found = trio.run(choose_sandbox, SandboxConfig())
    if isinstance(found, SandboxOff):
        skip_without_rust(f"no sandbox with a Rust compiler: {found.reason}; {found.remedy}")
    # Built once: the five nodes would do it at the same time.
    trio.run(find_tester, SandboxConfig())


def spec(folder: Path, number: int) -> NodeSpec:
    """A node whose author gives one answer, and whose judge knows the qualities of all."""
    own = ANSWERS[number]
    answers: list[dict[str, Any]] = [{"text": own, "quality": QUALITY[own], "query": ASKED}]
    answers += [{"text": text, "quality": quality} for text, quality in QUALITY.items() if text != own]
    script = folder / f"script-{number}.json"
    script.write_text(json.dumps({"answers": answers}), encoding="utf-8")
    engine = EngineConfig(kind="scripted", script=str(script))
    return NodeSpec(folder / f"node-{number}", engine, seed=number, environment=plain_environment())


@dataclass(frozen=True, slots=True)
class Asked:
    """A round that ended, and all that was told of it."""

    followed: FollowedRound
    events: list[RoundEvent]

    @property
    def report(self) -> dict[str, Any]:
        return describe(self.followed.verified)

    @property
    def aside(self) -> set[str]:
        """The texts that were set aside."""
        told = self.report
        record = self.followed.verified.record
        texts = {id.hex(): content.text for id, content in record.contents.items()}
        return {texts[each["answer_id"]] for each in told["set_aside"]}


async def ask(swarm: LocalSwarm, **question: Any) -> Asked:
    told: list[RoundEvent] = []
    async with swarm.connect() as client:
        # The machine may be busy: what is not tested in time is not known, which is no failure.
        asked = Question.single(ASKED, test_ms=120_000, **question)
        followed = await follow(client, asked, silence_s=PATIENCE_S, on_event=told.append, details=True)
    return Asked(followed, told)


async def command(swarm: LocalSwarm, folder: Path, tests: str, *more: str) -> subprocess.CompletedProcess[bytes]:
    """Run `strand ask --tests`, as a user does whose node is the first one."""
    file = folder / "tests.rs"
    file.write_text(tests, encoding="utf-8")
    told = ("--tests", str(file), "--url", swarm.nodes[0].url, "--out", str(folder / "round.strand"), *more)
    return await trio.run_process(
        [STRAND, "ask", ASKED, *told],
        stdin=b"",
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=plain_environment() | {"HOME": str(folder)},
    )


@pytest.mark.usefixtures("needs_sandbox")
async def test_what_is_found_decides_against_the_judges(tmp_path: Path) -> None:
    async with open_swarm([spec(tmp_path, number) for number in range(len(ANSWERS))]) as swarm:
        await swarm.meet()
        async with swarm.connect() as client:
            status, peers = await client.status(), await client.peers()
        assert status.tools.state == "ready"
        assert {peer.offers.tool_versions for peer in peers.peers if peer.offers} == {status.tools.versions}

        # Without tests: what does not compile cannot win, and the right ones behave alike.
        plain = await ask(swarm)
        assert plain.aside == {BROKEN}
        assert plain.report["winner"]["text"] in RIGHT
        best, second = plain.report["ranking"][:2]
        assert best["findings"]["alike"] == [second["answer_id"]]
        phases = {event.phase for event in plain.events if isinstance(event, Progress)}
        assert "testing" in phases
        assert sum(isinstance(event, ReportCounted) for event in plain.events) >= 3
        assert any(isinstance(event, FindingsSettled) for event in plain.events)

        # With private tests: what fails one cannot win; the certificate binds them, and does not hold them.
        tested = await ask(swarm, tests=TESTS)
        assert tested.aside == {BROKEN, SQUARE, ZERO}
        assert tested.report["winner"]["text"] in RIGHT
        assert tested.report["ranking"][0]["findings"]["tests"] == {"passed": 2, "failed": 0, "not_run": 0}
        assert b"fn doubles" not in tested.followed.certificate
        assert tested.followed.verified.record.query.turns[0].text == ASKED
        (decided,) = [event for event in tested.events if isinstance(event, Decided)]
        told = {"ranking": decided.ranking, "set_aside": decided.set_aside, "testing": decided.testing}
        stated = {key: tested.report[key] for key in told}
        assert json.loads(msgspec.json.encode(told)) == json.loads(msgspec.json.encode(stated)), "as the certificate"

        await check_command(swarm, tmp_path)


async def check_command(swarm: LocalSwarm, folder: Path) -> None:
    """An answer that fails is marked; `--strict` prints none and says so in one line."""
    passed = await command(swarm, folder, TESTS, "--strict")
    assert passed.returncode == 0, passed.stderr
    assert b"tests 2/2" in passed.stdout and b"set aside: " in passed.stdout
    marked = await command(swarm, folder, WRONG_TESTS)
    assert marked.returncode == 0, marked.stderr
    assert b"This answer fails 1 of your 2 tests." in marked.stdout
    refused = await command(swarm, folder, WRONG_TESTS, "--strict")
    assert refused.returncode == 3
    assert b"fn double" not in refused.stdout
    last = refused.stderr.decode().strip().splitlines()[-1]
    assert "--strict takes no such answer; `strand show " in last


@pytest.mark.long
@pytest.mark.usefixtures("needs_sandbox")
async def test_without_means_to_test_a_round_goes_as_before_and_says_so_in_one_line(tmp_path: Path) -> None:
    specs = [spec(tmp_path, number) for number in range(3)]
    off = [NodeSpec(each.folder, each.engine, seed=1, settings={"sandbox.enabled": "off"}) for each in specs]
    async with open_swarm(off) as swarm:
        await swarm.meet()
        async with swarm.connect() as client:
            tools = (await client.status()).tools
        assert (tools.state, tools.why_off) == ("off", "sandbox.enabled is off")
        done = await command(swarm, tmp_path, TESTS)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(b"The answers were not tested: no member has a sandbox") == 1
        assert b"testing" not in done.stderr
