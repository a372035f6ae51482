"""Why an answer won, and how it differs from others: read from a certificate, without a node."""

import io
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from rich.console import Console

from node.cli.diff import _folded, _paired
from node.cli.main import run
from node.cli.parts.options import Source
from node.cli.show import loading
from node.cli.show.explained import print_intervals, print_judging
from node.cli.show.loading import read_round
from node.client import Client
from node.errors import UserError
from tests.support.processes import assert_refusal_line
from tests.support.proofs import certificate
from tests.support.shown import QUERY, ROUND, KeptHistory, http_client, shown

FIXTURES = Path(__file__).parents[3] / "fixtures" / "certificates"

TEXTS = {
    "a": "```rust\nfn one() -> i32 {\n    1\n}\n```",
    "b": "```rust\nfn two() -> i32 {\n    2\n}\n```",
    "c": "```rust\nfn three() -> i32 {\n    \x1b[2J\u202e3\n}\n```",
    "d": "```rust\nfn four() -> i32 {\n    4\n}\n```",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return certificate(TEXTS, tmp_path / "round.strand")


def test_a_round_is_explained_in_words(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert run(["show", str(file)]) == 0
    told = capsys.readouterr().out
    for words in ("90% interval", "preference for the row's answer", "character", "the text is in"):
        assert words in told
    assert "\x1b" not in told and "\u202e" not in told
    assert told.count("place") >= 2


def test_the_explanation_is_json_beside_the_report(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert run(["show", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    why = told["explanation"]
    for row in told["ranking"]:
        low, high = why["intervals"][row["answer_id"]]
        assert low < row["strength"] < high
    assert len(why["judges"]) == len(why["certificate"]["seats"]) == 4
    assert {each["text"] for each in why["certificate"]["answers"]} == set(TEXTS.values())


def test_no_value_is_cut_at_80_columns(file: Path) -> None:
    told = read_round(file.read_bytes()).why
    assert told is not None
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None, soft_wrap=True)
    print_intervals(told, console)
    print_judging(told, console)
    lines = out.getvalue().splitlines()
    # Sentences are wrapped by the terminal; tables fit it.
    assert max(len(line) for line in lines if line[:1] in "┏┃┡│└") <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in out.getvalue()
    assert all(seat.member[:12] in out.getvalue() for seat in told.certificate.seats)


def test_agreement_counts_what_was_said_of_ranked_answers(file: Path) -> None:
    told = read_round(file.read_bytes()).why
    assert told is not None
    figures = [told.agreement(seat.member) for seat in told.certificate.seats]
    # Everybody said one half of each pair: given, and in favour of neither order.
    assert all(agrees == 0 and abstained == 0 for agrees, _, abstained in figures)
    assert sum(given for _, given, _ in figures) == sum(len(each.pairs) for each in told.certificate.ballots)


@pytest.mark.parametrize("suffix", ["svg", "png", "SVG"])
def test_a_picture_is_the_same_each_time(file: Path, tmp_path: Path, suffix: str) -> None:
    pictures = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.{suffix}"
        assert run(["show", str(file), "--plot", str(path)]) == 0
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1]
    if suffix == "svg":
        assert b"strength (log-odds), 90% interval" in pictures[0] and b"row preferred" in pictures[0]
    else:
        assert pictures[0].startswith((b"\x89PNG", b"<?xml"))


def test_a_picture_of_another_kind_is_refused(capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path) -> None:
    assert run(["show", str(file), "--plot", str(tmp_path / "p.pdf")]) == 2
    assert_refusal_line(capsys.readouterr().err, ".png or .svg", "p.pdf")


def test_a_picture_without_matplotlib_names_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, file: Path, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "node.cli.show.round_plot", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(["show", str(file), "--plot", str(tmp_path / "p.svg")]) == 1
    assert_refusal_line(capsys.readouterr().err, "matplotlib", "strand-swarm[sim]")
    assert not (tmp_path / "p.svg").exists()


def test_answers_are_compared_by_place(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert run(["diff", str(file)]) == 0
    first = capsys.readouterr().out.splitlines()
    assert first[0].startswith("--- ") and ":1 by " in first[0] and "P(best)" in first[0]
    assert first[1].startswith("+++ ") and ":2 by " in first[1]
    for arguments in ([f"{file}:3"], [f"{file}:1", f"{file}:3"], [str(file), "3"]):
        assert run(["diff", *arguments, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert {told["a"]["place"], told["b"]["place"]} == {1, 3}
        assert told["equal"] == (told["a"]["text"] == told["b"]["text"])


def test_equal_answers_are_told_so(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert run(["diff", f"{file}:2", "2"]) == 0
    assert "are the same text" in capsys.readouterr().out


def test_foreign_text_in_a_diff_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    told = ""
    for place in ("2", "3", "4"):
        assert run(["diff", str(file), place]) == 0
        told += capsys.readouterr().out
    assert "\x1b" not in told and "\u202e" not in told
    assert "\N{REPLACEMENT CHARACTER}[2J" in told


@pytest.mark.parametrize(
    ("more", "words"), [(["9"], "places 1 to 4, not 9"), ([":1"], ":1"), (["--side-by-side"], "terminal of 63 columns")]
)
def test_what_cannot_be_compared_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, file: Path, more: list[str], words: str
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert run(["diff", str(file), *more]) == 2
    assert_refusal_line(capsys.readouterr().err, words)


def test_answers_beside_each_other_fit_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for place in ("2", "3", "4"):
        assert run(["diff", str(file), place, "--side-by-side"]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_lines_beside_each_other_lose_nothing() -> None:
    one, other = ["a", "b", "c"], ["a", "x", "y", "c"]
    assert list(_paired(one, other)) == [(" ", "a", "a"), ("|", "b", "x"), (">", "", "y"), (" ", "c", "c")]
    wide = "x" * 25 + "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 5
    assert "".join(_folded(wide, 10)) == wide
    assert _folded("", 10) == [""]


def test_a_certificate_of_an_earlier_version_tells_its_report_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    earlier = FIXTURES / "wire-1-hbt-2-forms-1-draws-1" / "full.certificate"
    assert run(["show", str(earlier)]) == 0
    told = capsys.readouterr().out
    assert "of an earlier version" in told and "P(best)" in told
    for command in (["diff", str(earlier)], ["show", str(earlier), "--plot", str(tmp_path / "p.svg")]):
        assert run(command) == 1
        assert_refusal_line(capsys.readouterr().err, "earlier version")


def test_a_conversation_is_shown_turn_by_turn(capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = FIXTURES.glob("wire-2*/conversation.certificate")
    assert run(["show", str(file)]) == 0
    told = capsys.readouterr().out
    assert "user: " in told and "assistant: " in told and "query: " not in told


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ending": None}, f"round {QUERY.hex()[:16]} is still open"),
        ({"ending": "void", "why_not": "nobody answered"}, "ended without a certificate: nobody answered"),
        ({"ending": "finished", "why_not": ""}, "no such certificate"),
    ],
)
async def test_a_round_without_a_certificate_says_why(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    detail = structs.replace(ROUND, round=structs.replace(ROUND.round, query_id=QUERY.hex(), **changes))

    @asynccontextmanager
    async def client_of(_: Source, __: str | None) -> AsyncIterator[Client]:
        async with http_client(shown(history=KeptHistory([detail]))) as http:
            yield Client(http, "the node")

    monkeypatch.setattr(loading, "open_client", client_of)
    for named in (None, QUERY.hex(), QUERY.hex()[:16]):
        with pytest.raises(UserError, match=words):
            await loading.load(named, Source(), None)


@pytest.mark.parametrize("named", ["deadbeef", "ABCDEF0123456789", "f" * 65])
def test_digits_that_are_no_id_are_told_how_many_it_takes(capsys: pytest.CaptureFixture[str], named: str) -> None:
    assert run(["show", named]) == 2
    assert_refusal_line(capsys.readouterr().err, f"cannot read {named}", "16 to 64 digits, in lower case")
    for other in ("absent", "f" * 300):
        assert run(["show", other]) == 2
        assert_refusal_line(capsys.readouterr().err, f"cannot read {other}")
    assert run(["show", "absent"]) == 2
    assert "digits" not in capsys.readouterr().err
