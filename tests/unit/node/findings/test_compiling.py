"""What the compiler's diagnostics say."""

import json

from node.findings.compiling import error_lines, read_check, read_lint_groups
from node.sandbox.ports import Ending, Finished
from protocol.types import CompileStatus

HELP = """
                                          name  sub-lints
                                   clippy::all  clippy::len-zero, clippy::ptr-arg
                                  clippy::perf  clippy::map-entry, clippy::boxed-local
                                 clippy::style  clippy::len-zero, clippy::ptr-arg
"""


def finished(*messages: dict[str, object] | str, code: int = 1, ending: Ending = Ending.EXITED) -> Finished:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in messages]
    return Finished(ending, code, b"", "\n".join(lines).encode(), {}, 0.1, 0.1)


def message(level: str, code: str | None = None, **more: object) -> dict[str, object]:
    named = None if code is None else {"code": code, "explanation": None}
    return {"$message_type": "diagnostic", "level": level, "code": named, "message": "", **more}


def test_the_first_error_names_the_class() -> None:
    checked = read_check(
        finished(message("warning", "unused"), message("error", "E0308"), message("error", "E0001")), None
    )
    assert (checked.status, checked.error, checked.lints) == (CompileStatus.FAILS, 308, b"")


def test_an_error_without_a_code_is_class_0() -> None:
    assert read_check(finished(message("error"), message("error", "E0308")), None).error == 0
    assert read_check(finished(message("error", "overflowing_literals")), None).error == 0


def test_a_compiler_that_crashed_says_nothing() -> None:
    for done in (
        finished("thread 'rustc' panicked", code=101),
        finished(code=1),
        finished(code=0, ending=Ending.OUT_OF_TIME),
        finished(message("error", "E0308"), code=0, ending=Ending.OUT_OF_MEMORY),
        finished(code=11, ending=Ending.SIGNALLED),
        finished(code=0, ending=Ending.NOT_STARTED),
    ):
        assert read_check(done, None).status is CompileStatus.UNKNOWN


def test_output_that_was_cut_still_shows_an_error() -> None:
    cut = finished(message("error", "E0425"), '{"$message_type": "diag', code=0, ending=Ending.TOO_MUCH_OUTPUT)
    assert read_check(cut, None).error == 425
    assert read_check(finished(code=0, ending=Ending.TOO_MUCH_OUTPUT), None).status is CompileStatus.UNKNOWN


def test_warnings_count_by_class() -> None:
    groups = read_lint_groups(HELP)
    assert groups["clippy::len_zero"] == 5 and groups["clippy::boxed_local"] == 4
    codes = ["clippy::len_zero", "clippy::len_zero", "clippy::map_entry", "unused_variables", "dead_code", None]
    checked = read_check(finished(*(message("warning", code) for code in codes), code=0), groups)
    assert checked.lints == bytes([1, 0, 0, 0, 1, 2])
    many = read_check(finished(*[message("warning", "unused")] * 300, code=0), groups)
    assert many.lints[0] == 255


def test_lines_that_are_no_diagnostics_are_left_out() -> None:
    odd = [
        "[" * 5000,
        "{" * 5000,
        '{"level": 3, "code": []}',
        "null",
        '{"$message_type": "artifact", "level": "error"}',
    ]
    assert read_check(finished(*odd, message("error", "E12345")), None).error == 0


def test_errors_within_macros_are_about_the_line_that_called_them() -> None:
    inner = {"file_name": "/harness/lib.rs", "line_start": 3}
    span = {**inner, "expansion": {"span": {"file_name": "/w/answer.rs", "line_start": 17, "expansion": None}}}
    assert error_lines(finished(message("error", "E0425", spans=[span]))) == {17}
    assert error_lines(finished(message("warning", spans=[span]), message("error", spans=[3, {}]))) == frozenset()
