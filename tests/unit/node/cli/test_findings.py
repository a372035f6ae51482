"""What is shown of findings, from certificates of rounds that tested, and of those that could not."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from node.cli.main import run
from node.cli.parts.findings import winner_fails, winner_unproven
from node.cli.show.loading import read_round
from node.facade.certificates import certificate_detail
from protocol.hashing import digest_of_tests
from protocol.types import CompileStatus
from tests.support.findings import found, plan
from tests.support.swarm import Node, Swarm

TOOLS = "rustc 1.95.0 g1 x1"
TESTS = "assert!(true);"


def held(
    path: Path, tools: str = TOOLS, tests: str = "", everybody: Mapping[str, object] | None = None
) -> tuple[Path, Swarm]:
    """The certificate of a round of five: `a` does not compile, `b` and `c` behave alike, others alone."""
    swarm = Swarm("abcde", tool_versions=tools)
    texts = {node.text: name for name, node in swarm.nodes.items()}

    def finds(answer: int, text: str) -> object:
        name = texts[text]
        told: dict[str, object] = {"a": {"status": CompileStatus.FAILS, "error": 308, "lints": b""}}.get(name, {})
        passed = (1, 0, 0) if name in "bc" else (0, 1, 0)
        behaviour = "" if name == "a" else "alike" if name in "bc" else name
        checks = {"tests": passed} if tests and name != "a" else {}
        return found(answer, behaviour, **{**told, **checks, **(everybody or {})})

    for node in swarm.nodes.values():
        node.finds = finds  # type: ignore[assignment]
    digest = digest_of_tests(tests) if tests else b""
    swarm.ask(tests, findings=plan(tests_digest=digest), waves=(2, 2))
    swarm.run()
    assert swarm.certificate is not None
    path.write_bytes(swarm.certificate)
    return path, swarm


def author(swarm: Swarm, name: str) -> str:
    node: Node = swarm.nodes[name]
    return node.participant.keypair.public.hex()


def test_a_round_that_tested_tells_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, swarm = held(tmp_path / "round.strand")
    assert run(["show", str(file)]) == 0
    told = capsys.readouterr().out
    lines = [line.split() for line in told.splitlines()]
    assert f"5 members can with {TOOLS}, 5 reports in 1 stage" in told
    for name, cell in (("a", ["E0308"]), ("b", ["compiles,", "like"]), ("d", ["compiles"])):
        (row,) = [line for line in lines if author(swarm, name) in line and "3" in line and cell[0] in line]
        assert ("like" in row) == ("like" in cell)
    assert any(line[:2] == ["set", "aside"] and author(swarm, "a") in line for line in lines)

    assert run(["verify", str(file)]) == 0
    assert TOOLS in capsys.readouterr().out


def test_json_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, swarm = held(tmp_path / "round.strand")
    assert run(["verify", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["author"] for each in told["set_aside"]] == [author(swarm, "a")]
    assert told["set_aside"][0]["findings"]["error"] == "E0308"
    by_author = {row["author"]: row for row in told["ranking"]}
    assert by_author[author(swarm, "b")]["findings"]["alike"] == [by_author[author(swarm, "c")]["answer_id"]]
    assert by_author[author(swarm, "d")]["findings"]["alike"] == []
    assert told["testing"]["contradicted"] == [] and told["testing"]["testers"] == 5


def test_the_facade_tells_it_of_answers_with_and_without_a_place(tmp_path: Path) -> None:
    _, swarm = held(tmp_path / "round.strand")
    detail = certificate_detail(swarm.verified())
    assert detail.testing is not None and detail.testing.tool_versions == TOOLS
    found_by = {each.author: each for each in detail.answers}
    aside = found_by[author(swarm, "a")]
    assert aside.place is None and aside.findings is not None and aside.findings.error == "E0308"
    assert {each.place for each in detail.answers if each is not aside} == {1, 2, 3, 4}


def test_an_answer_that_passes_the_askers_tests_has_no_mark(tmp_path: Path) -> None:
    file, swarm = held(tmp_path / "round.strand", tests=TESTS)
    report = read_round(file.read_bytes()).reading.description
    assert report["winner"]["author"] in (author(swarm, "b"), author(swarm, "c"))
    assert winner_fails(report) == winner_unproven(report) == ""
    assert {row["author"] for row in report["set_aside"]} == {author(swarm, name) for name in "ade"}


def test_an_answer_that_fails_them_is_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    everybody: dict[str, object] = {"status": CompileStatus.COMPILES, "error": 0, "tests": (1, 1, 0)}
    file, _ = held(tmp_path / "round.strand", TOOLS, TESTS, everybody)
    report = read_round(file.read_bytes()).reading.description
    assert (winner_fails(report), winner_unproven(report)) == ("fails 1 of your 2 tests", "")
    assert run(["show", str(file)]) == 0
    assert "This answer fails 1 of your 2 tests." in capsys.readouterr().out


def test_an_answer_whose_tests_came_to_no_result_is_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As many as passed say nothing of those that did not end."""
    everybody: dict[str, object] = {"status": CompileStatus.COMPILES, "error": 0, "tests": (2, 0, 1)}
    file, _ = held(tmp_path / "round.strand", TOOLS, TESTS, everybody)
    assert run(["show", str(file)]) == 0
    assert "This answer is not known to pass your tests: 1 of 3 came to no result." in capsys.readouterr().out


def test_where_nobody_can_test_it_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, _ = held(tmp_path / "round.strand", tools="")
    assert run(["show", str(file)]) == 0
    assert "no member could test" in capsys.readouterr().out
    report = read_round(file.read_bytes()).reading.description
    assert report["testing"]["tool_versions"] == "" and report["set_aside"] == []
    assert {row["findings"] for row in report["ranking"]} == {None}


def test_whose_report_was_contradicted_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swarm = Swarm("abcdefgh", tool_versions=TOOLS)
    liar = swarm.nodes["h"]
    liar.finds = lambda answer, text: found(answer, text, status=CompileStatus.FAILS)
    swarm.ask(findings=plan(), waves=(2,))
    swarm.run()
    assert swarm.certificate is not None
    (tmp_path / "round.strand").write_bytes(swarm.certificate)
    assert run(["show", str(tmp_path / "round.strand")]) == 0
    assert f"reports contradicted: {author(swarm, 'h')}" in capsys.readouterr().out


def test_an_answer_that_does_not_compile_passes_no_test(tmp_path: Path) -> None:
    """Where every answer fails, the best of them may be one that was never run."""
    nothing: dict[str, object] = {"status": CompileStatus.FAILS, "error": 425, "tests": (0, 0, 0)}
    file, _ = held(tmp_path / "round.strand", TOOLS, TESTS, nothing)
    told = winner_fails(read_round(file.read_bytes()).reading.description)
    assert told == "does not compile, so that it passes none of your tests"
