"""Commands of the compiler, and what its diagnostics say: whether a program compiles, and its warnings by class."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from consensus.certificates.reading import LINT_NAMES
from node.sandbox.ports import Command, Ending, Finished, Limits
from node.sandbox.toolchain import Toolchain
from protocol.limits import ERROR_CODE_MAX, LINT_CLASSES
from protocol.types import CompileStatus

_MIB: Final = 1024 * 1024

CHECK_LIMITS: Final = Limits(
    cpu_s=10, wall_s=30, memory_bytes=2048 * _MIB, processes=64, file_bytes=64 * _MIB, output_bytes=_MIB
)
"""Honest answers take .1 s and 100 MB; compilers that loop or grow are stopped. 1 MiB holds some 500 warnings."""

BUILD_LIMITS: Final = Limits(
    cpu_s=15, wall_s=45, memory_bytes=2048 * _MIB, processes=64, file_bytes=128 * _MIB, output_bytes=_MIB
)

MISSING_CRATE: Final = 463
MISSING_FILE: Final = 583
"""Numbers of the compiler's codes for a crate, and for a module's file, that cannot be found. A report states them
without a status for a program that needs one: nobody compiles it here, which does not say that it fails to compile."""

LIBRARY_BYTES_MAX: Final = 32 * _MIB
"""Bytes of an answer's library. Stripped ones have .4 MB; a constant table may make it larger."""

LIBRARY: Final = "answer.so"
HARNESS_LIBRARY: Final = "libstrand_harness.rlib"
HARNESS_RUNNER: Final = "runner"
HARNESS_PATH: Final = "/harness"
"""Folder of the harness inside the sandbox (`harness_build.py`)."""

EDITION: Final = "2021"
"""Edition of Rust in which answers are compiled. Models write it; 2024 refuses some of it."""

HARNESS_FLAGS: Final = ("--edition=2021", "-Copt-level=0", "-Coverflow-checks=no", "-Cpanic=unwind", "-Cdebuginfo=0")
"""Compiler flags of the harness itself. Optimised it takes 13 s of CPU to build instead of 2, and runs no faster."""

_LINT_GROUPS: Final = LINT_NAMES[1:]
"""Clippy's groups, in the order of a report's classes after the compiler's own."""

_FORCED: Final = ("unused", "nonstandard_style", *(f"clippy::{group}" for group in _LINT_GROUPS))
"""Lints that an answer cannot silence, and which never count as errors: some of clippy's are by default."""

_EXPANSIONS_MAX: Final = 16
"""Macros within macros that are followed to the line that called them."""

_IGNORED: Final = frozenset({"dead_code"})
"""Nobody calls what an answer defines."""

_SAME_EVERYWHERE: Final = (
    "-Copt-level=0", "-Cdebuginfo=0", "-Coverflow-checks=yes", "-Cdebug-assertions=yes", "-Cpanic=unwind",
    "-Flong_running_const_eval",
)  # fmt: skip
"""Measured: of 36 programs 32 behaved the same without overflow checks. The lint stops constants that never end, and
an answer must not allow it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of checking a program with a compiler."""

    status: CompileStatus
    error: int = 0
    """Number of the first error's code; 0: none, or an error without a code."""
    lints: bytes = b""
    """Warnings of each class; empty: not looked for."""


UNCHECKED: Final = Checked(CompileStatus.UNKNOWN)


def check_command(toolchain: Toolchain, source: str, *, lint: bool, edition: str = EDITION) -> Command:
    """Return the command that checks a program; `lint` takes clippy, which the toolchain must have."""
    program = toolchain.clippy if lint else toolchain.rustc
    assert program is not None
    levels = [f"--force-warn={group}" for group in _FORCED] if lint else ["-Awarnings"]
    return _compiler(
        toolchain, program, edition, {"answer.rs": source.encode()},
        "--crate-type=lib", "--crate-name=answer", "--emit=metadata", "--error-format=json", *levels, "--out-dir=/w",
        "/w/answer.rs",
    )  # fmt: skip


def build_command(toolchain: Toolchain, assembled: str, harness: Path, *, edition: str = EDITION) -> Command:
    """Return the command that makes the library of an assembled crate, and returns it as `LIBRARY`."""
    command = _compiler(
        toolchain, toolchain.rustc, edition, {"answer.rs": assembled.encode()},
        "--crate-type=cdylib", "--crate-name=answer", "--error-format=json", "-Awarnings", "-Cstrip=symbols",
        # The library's own `getrandom` and `clock_gettime` come before the C library's.
        "-Clink-arg=-Wl,-Bsymbolic", f"--extern=strand_harness={HARNESS_PATH}/{HARNESS_LIBRARY}", f"-o/w/{LIBRARY}",
        "/w/answer.rs",
    )  # fmt: skip
    return replace(command, readable={**command.readable, HARNESS_PATH: harness}, collect={LIBRARY: LIBRARY_BYTES_MAX})


def harness_command(toolchain: Toolchain, files: Mapping[str, bytes], *, library: bool) -> Command:
    """Return the command that makes the library or the runner of the harness from its sources, and returns it."""
    kind = ("--crate-type=rlib", "--crate-name=strand_harness", "/w/lib.rs") if library else ("/w/runner.rs",)
    name = HARNESS_LIBRARY if library else HARNESS_RUNNER
    command = Command(
        argv=(toolchain.rustc, f"-Clinker={toolchain.linker}", *HARNESS_FLAGS, *kind, f"-o/w/{name}"),
        files=files, readable=toolchain.readable, environment=toolchain.environment,
    )  # fmt: skip
    return replace(command, collect={name: LIBRARY_BYTES_MAX})


def lint_help_command(toolchain: Toolchain) -> Command:
    """Return the command that lists clippy's lints by group."""
    assert toolchain.clippy is not None
    return _compiler(toolchain, toolchain.clippy, EDITION, {}, "-Whelp")


def _compiler(toolchain: Toolchain, program: str, edition: str, files: Mapping[str, bytes], *arguments: str) -> Command:
    return Command(
        argv=(program, *_SAME_EVERYWHERE, f"--edition={edition}", f"-Clinker={toolchain.linker}", *arguments),
        files=files,
        readable=toolchain.readable,
        environment=toolchain.environment,
    )


def read_check(finished: Finished, groups: Mapping[str, int] | None) -> Checked:
    """Return what a check found out. `groups`: class of each lint (`read_lint_groups`); None: warnings do not count.

    A compiler that crashed, or was stopped before its first error, says nothing about the program.
    """
    if finished.ending is Ending.EXITED and finished.code == 0:
        lints = _lints(finished.stderr, groups) if groups is not None else b""
        return Checked(CompileStatus.COMPILES, lints=lints)
    stopped_by_output = finished.ending is Ending.TOO_MUCH_OUTPUT
    if not stopped_by_output and not (finished.ending is Ending.EXITED and finished.code == 1):
        return UNCHECKED
    for diagnostic in _diagnostics(finished.stderr):
        if diagnostic.get("level") == "error":
            return Checked(CompileStatus.FAILS, error=_code_number(_code(diagnostic)))
    return UNCHECKED


def error_lines(finished: Finished) -> frozenset[int]:
    """Return the lines of the crate that the compiler's errors are about, those that a macro stands in included."""
    lines: set[int] = set()
    for diagnostic in _diagnostics(finished.stderr):
        if diagnostic.get("level") == "error":
            spans = diagnostic.get("spans")
            for span in spans if isinstance(spans, list) else ():
                lines.update(_lines_of(span))
    return frozenset(lines)


def _lines_of(span: object) -> Iterator[int]:
    """The line of a span, and those from which its macros were called."""
    for _ in range(_EXPANSIONS_MAX):
        if not isinstance(span, dict):
            return
        line = span.get("line_start")
        if span.get("file_name") == "/w/answer.rs" and isinstance(line, int):
            yield line
        expansion = span.get("expansion")
        span = expansion.get("span") if isinstance(expansion, dict) else None


def read_lint_groups(help_text: str) -> dict[str, int]:
    """Return each lint's class in a report, by its code as diagnostics spell it, from `clippy-driver -W help`.

    What is in no group of clippy's is the compiler's own, class 0.
    """
    classes = {}
    for line in help_text.splitlines():
        name, _, members = line.strip().partition("  ")
        group = name.removeprefix("clippy::")
        if name.startswith("clippy::") and group in _LINT_GROUPS:
            for lint in members.split(","):
                classes[lint.strip().replace("-", "_")] = _LINT_GROUPS.index(group) + 1
    return classes


def _lints(stderr: bytes, groups: Mapping[str, int]) -> bytes:
    counts = [0] * LINT_CLASSES
    for diagnostic in _diagnostics(stderr):
        code = _code(diagnostic)
        if diagnostic.get("level") == "warning" and code and code not in _IGNORED:
            lint_class = groups.get(code, 0)
            counts[lint_class] = min(counts[lint_class] + 1, 255)
    return bytes(counts)


def _diagnostics(stderr: bytes) -> Iterator[dict[str, object]]:
    """The compiler's messages, a line each, in its order. Output that was cut ends in a line that is none."""
    for line in stderr.splitlines():
        if not line.startswith(b"{"):
            continue
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict) and message.get("$message_type", "diagnostic") == "diagnostic":
            yield message


def _code(diagnostic: Mapping[str, object]) -> str:
    code = diagnostic.get("code")
    text = code.get("code") if isinstance(code, dict) else None
    return text if isinstance(text, str) else ""


def _code_number(code: str) -> int:
    """308 of "E0308"; 0 for a lint that is an error."""
    digits = code.removeprefix("E")
    if code == digits or not digits.isascii() or not digits.isdigit() or len(digits) > 4:
        return 0
    return min(int(digits), ERROR_CODE_MAX)
