"""The parts of the commands that are plain functions."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from rich.console import Console

from node.api.events import Asked, Decided, Progress, RoundEvent
from node.api.serving import Requester
from node.api.status import ClockComparison, Connections, Peer
from node.cli.ask.follow import PlainLines, _drawn, _View, _who, save_certificate
from node.cli.parts.certificates import certainty, outcome, print_report
from node.cli.parts.errors import CliError, Exit, user_error
from node.cli.parts.options import outside
from node.cli.parts.tables import print_rows
from node.cli.peers import _row
from node.cli.status import _requester, clock, connections
from node.config import ConfigError
from node.files import NoFileError, UnwritableError
from node.http.server import ApiBindError
from node.inference import EngineError
from node.inference.http_json import HttpRefused
from node.keys import KeyFileError
from node.models.hub import HubUnreachableError
from node.overlay.types import OverlayError
from node.rounds.asking.errors import NoQuorumError
from node.rounds.learning.gold_book import GoldFileError
from node.storage import StoreBlockedError
from protocol.types import Outcome, OutcomeReason

HOSTILE = "[/red] [bold]x[/bold] \x1b]0;owned\x07\x1b[2J \u202efdp.exe\r gone\ttab\nline"


def test_text_from_elsewhere_is_shown_as_text() -> None:
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=True).print(outside(HOSTILE), soft_wrap=True)
    shown = out.getvalue()
    assert "[/red] [bold]x[/bold]" in shown
    assert not set(shown) & {"\x1b", "\x07", "\u202e", "\r"}
    assert "line\n" in shown


def test_a_report_keeps_long_lines_of_code_whole() -> None:
    out = io.StringIO()
    code = "```rust\n" + "x" * 300 + HOSTILE + "\n```"
    print_report(_report(code), Console(file=out, width=80))
    shown = out.getvalue()
    assert "x" * 300 in shown
    assert "\x1b" not in shown
    assert "partial certificate, co-signed by 1 of 2 members" in " ".join(shown.split())
    assert f"unopened: {'cd' * 6}" in shown


def progress(phase: str = "answering", wave: int = 0, **changes: Any) -> Progress:
    nobody: dict[str, Any] = {"received": (), "expected": (), "silent": (), "refused": {}, "declined": {}, "at_ms": 0}
    return Progress(phase=phase, wave=wave, **{**nobody, **changes})


def test_progress_where_nothing_can_be_redrawn() -> None:
    """Given two answers, of which one never comes, and a wave of judging, then each has a line at its begin and end."""
    out = io.StringIO()
    lines = PlainLines(Console(file=out, width=40))
    ours, theirs = "ab" * 32, "cd" * 32
    events: list[RoundEvent] = [
        Asked(members=(ours, theirs)),
        progress("answering", 0, expected=(ours, theirs), at_ms=100),
        progress("answering", 0, received=(ours,), expected=(ours, theirs), at_ms=900),
        progress("answering", 0, received=(ours,), expected=(ours, theirs), silent=(theirs,), at_ms=6_000),
        progress("judging", 1, expected=(ours,), at_ms=6_100),
        progress("judging", 1, received=(ours,), expected=(ours,), at_ms=7_000),
        progress("judging", 2, at_ms=7_600),
        Decided(
            outcome=Outcome.DECIDED,
            reason=OutcomeReason.NONE,
            winner="34" * 32,
            p_best=0.9,
            p_correct=None,
            answer="fn f() {}",
            at_ms=7_700,
        ),
    ]
    for event in events:
        lines.show(event)
    assert out.getvalue().splitlines() == [
        "answering: 0 of 2",
        "answering: 1 of 2 after 6.0 s: ababab; silent: cdcdcd",
        "judging, wave 2: 0 of 1",
        "judging, wave 2: 1 of 1 after 1.5 s: ababab",
    ]


def test_a_second_wave_of_judging_hides_nothing_of_the_first() -> None:
    """The last picture of a decided round with three ballots was "judging 0/1"."""
    out = io.StringIO()
    three = tuple(digits * 32 for digits in ("ab", "cd", "ef"))
    with _drawn(Console(file=out, width=120, force_terminal=True, color_system=None)) as bars:
        view = _View(bars, None)
        view.show(progress("judging", 0, expected=three))
        view.show(progress("judging", 0, received=three, expected=three))
        view.show(progress("judging", 1))
        view.show(progress("judging", 2, received=three[:1], expected=three[:2]))
    # What follows the last return of the cursor.
    last = re.sub(r"\x1b\[\S*?[A-Za-z]", "", out.getvalue().split("\r")[-1])
    assert re.findall(r"(judging.*?\d) .* (\d/\d)", last) == [("judging, wave 1", "3/3"), ("judging, wave 3", "1/2")]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CliError("no", Exit.TIMEOUT), ("no", Exit.TIMEOUT)),
        (ConfigError("bad key"), ("bad key", Exit.USAGE)),
        (ExceptionGroup("", [ExceptionGroup("", [EngineError("away")])]), ("away", Exit.UNREACHABLE)),
        (HttpRefused("no such key", 401), ("no such key", Exit.UNREACHABLE)),
        (HubUnreachableError("away"), ("away", Exit.UNREACHABLE)),
        (GoldFileError("line 3"), ("line 3", Exit.USAGE)),
        (NoFileError("a.strand"), ("a.strand", Exit.USAGE)),
        (UnwritableError("full"), ("full", Exit.REFUSED)),
        (KeyFileError("of mode 0644"), ("of mode 0644", Exit.REFUSED)),
        (StoreBlockedError("full"), ("full", Exit.REFUSED)),
        (OverlayError("in use"), ("in use", Exit.REFUSED)),
        (ApiBindError("in use"), ("in use", Exit.REFUSED)),
        (NoQuorumError("nobody"), ("nobody", Exit.NO_QUORUM)),
        (ExceptionGroup("", [EngineError("away"), ZeroDivisionError()]), None),
        (ZeroDivisionError(), None),
    ],
)
def test_errors_that_are_meant_for_the_user(error: BaseException, expected: tuple[str, Exit] | None) -> None:
    """A bug beside a mistake of the user's is still a bug."""
    assert user_error(error) == expected


def test_a_certificate_appears_whole_in_folders_of_our_own(tmp_path: Path) -> None:
    """`strand ask` may come before `strand init`: the folder it makes must be one that a key may stand in."""
    path = tmp_path / "share" / "strand" / "certificates" / "one.strand"
    save_certificate(b"first", path)
    save_certificate(b"second", path)
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]
    assert [folder.stat().st_mode & 0o777 for folder in path.parents[:3]] == [0o700] * 3


def test_a_certificate_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnwritableError, match="cannot write"):
        save_certificate(b"", tmp_path / "file" / "one.strand")
    with pytest.raises(UnwritableError, match="cannot write"):
        save_certificate(b"", tmp_path / "folder")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


@pytest.mark.parametrize(
    ("p_correct", "said"),
    [
        (None, "abstains: P(best) 0.75 (uncalibrated) is less than the 0.80 asked for."),
        (
            0.5,
            "abstains: P(correct) 0.50 (calibrated on the asker's gold; P(best) 0.75) is less than the 0.80 asked for.",
        ),
    ],
)
def test_a_guess_is_announced_as_one(p_correct: float | None, said: str) -> None:
    """First that the swarm is not sure, then what it would have said."""
    out = io.StringIO()
    doubt = {"outcome": "degraded", "reason": "low_confidence", "p_correct": p_correct, "confidence_min": 0.8}
    print_report(_report("fn guess() {}") | doubt, Console(file=out, width=300))
    first, *rest = out.getvalue().splitlines()
    assert said in first and "--min-confidence" in first
    assert "fn guess() {}" in rest
    assert rest[-2].startswith("degraded (low_confidence), P(")


def test_an_outcome_without_weight_names_the_setting() -> None:
    out = io.StringIO()
    print_report(_report("") | {"outcome": "degraded", "reason": "no_weight"}, Console(file=out, width=80))
    (line,) = [line for line in out.getvalue().splitlines() if "trust.default_weight" in line]
    assert "--default-weight 1" in line and "[trust.trusted]" in line


def test_certainty_is_called_calibrated_only_where_it_is() -> None:
    report = _report("")
    assert certainty(report) == "P(best) 0.75 (uncalibrated)"
    assert certainty(report | {"p_correct": 0.6}).startswith("P(correct) 0.60 (calibrated")
    assert (outcome(report), outcome(report | {"reason": "no_weight"})) == ("decided", "decided (no_weight)")


def _report(text: str) -> dict[str, Any]:
    row = {"author": "ab" * 32, "strength": 0.5, "p_best": 0.75, "cluster_size": 1, "finish": "stop"}
    return {
        "winner": {"text": text},
        "ranking": [row],
        "full": False,
        "reason": "none",
        "outcome": "decided",
        "stop": "spent",
        "p_correct": None,
        "confidence_min": 0.0,
        "ballots": 2,
        "comparisons": 2,
        "abstentions": 0,
        "cosignatures": 1,
        "members": 2,
        "unopened": ["cd" * 32],
        "silent_judges": [],
        "removed": [],
        "declines": [],
    }


@pytest.mark.parametrize(
    ("peers", "offset_ms", "ours_is_off", "line"),
    [
        (0, 0, False, "compared with no peer yet"),
        (1, 40, False, "agrees with 1 of 1 peer"),
        (7, -90, False, "agrees with 7 of 7 peers"),
        (7, -90_040, True, "off by 90.0 s from most of 7 peers: set this machine's clock"),
    ],
)
def test_status_tells_whether_the_clock_is_right(peers: int, offset_ms: int, ours_is_off: bool, line: str) -> None:
    assert clock(ClockComparison(peers, offset_ms, ours_is_off, 0)) == line


def test_status_tells_of_connections() -> None:
    assert connections(Connections(3, 96, 0, {})) == "3 of 96 inbound"
    told = connections(Connections(3, 96, 2, {"full": 1, "banned key": 4}))
    assert told == "3 of 96 inbound, 2 half-open; refused since the start: banned key: 4, full: 1"


@pytest.mark.parametrize(
    ("each", "line"),
    [
        (Requester("ab" * 32, True, 0, 5, 1.0), f"{'ab' * 32} (this node): 0 rounds, 5 tokens, 1 s"),
        (Requester("cd" * 32, True, 1, 5, 1.0), f"{'cd' * 32}: 1 round, 5 tokens, 1 s"),
        (Requester("others", False, 2, 5, 1.0), "others: 2 rounds, 5 tokens, 1 s"),
    ],
)
def test_status_tells_who_asked_for_how_much(each: Requester, line: str) -> None:
    assert _requester(each, "ab" * 32) == line


def test_a_table_is_columns_where_it_fits_and_blocks_where_not() -> None:
    def shown(width: int) -> list[str]:
        out = io.StringIO()
        print_rows(
            ("key", "why", "address"), [("abc", "", "x" * 60), ("def", "late", "y")], Console(file=out, width=width)
        )
        return out.getvalue().splitlines()

    assert any("abc" in line and "x" * 60 in line for line in shown(100))
    narrow = shown(40)
    assert not any("\N{HORIZONTAL ELLIPSIS}" in line for line in narrow)
    assert sum(line.count("x") for line in narrow) == 60, "all of it, on several lines"
    assert sum("why" in line for line in narrow) == 1, "nothing is said of what is empty"


def test_a_phase_tells_who_is_in_who_is_silent_and_who_refused() -> None:
    received = ("ab" * 32, "cd" * 32)
    assert _who(progress(received=received)) == "ababab cdcdcd"
    gone: dict[str, Any] = {"silent": ("ef" * 32,), "refused": {"12" * 32: "busy", "34" * 32: "off_hours"}}
    told = "silent: efefef; refused: 121212 busy, 343434 off hours"
    assert _who(progress(received=received, **gone)) == f"ababab cdcdcd; {told}"
    assert _who(progress(**gone)) == told
    assert _who(progress(declined={"56" * 32: "engine"})) == "declined: 565656 engine"


def test_a_peer_was_seen_some_time_ago() -> None:
    peer = Peer("ab" * 32, "", (), False, None, None, None, 0.0, "", wires=(), offers=None)
    now_ms = 10 * 86_400_000
    seen = [None, now_ms + 5, now_ms - 150_000, now_ms - 3 * 3_600_000, 0]
    said = [str(_row(structs.replace(peer, last_seen_ms=each), now_ms)[3]) for each in seen]
    assert said == ["", "0 min ago", "2 min ago", "3 h ago", "10 d ago"]
    assert str(_row(structs.replace(peer, connected=True, last_seen_ms=0), now_ms)[3]) == "now"


def test_a_peer_of_another_wire_version_has_its_remedy_in_its_row() -> None:
    peer = Peer("ab" * 32, "", (), True, "inbound", 1.0, None, -1.0, "slow", wires=(), offers=None)
    said = [str(_row(structs.replace(peer, wires=wires), 0)[6]) for wires in ((), (3,), (3, 4), (4,), (2,))]
    assert said == [
        "slow",
        "slow",
        "slow",
        "slow, speaks wire 4, not 3: upgrade this node",
        "slow, speaks wire 2, not 3: upgrade it",
    ]
