"""Decides whether a program passes: its tests alone do not, because they run in the program's own process.

A program with unsafe code can read the nonce of the harness from its own memory and state that all tests passed. It
cannot state what the right program does on inputs drawn afterwards without computing it.
"""

import re
from enum import StrEnum
from typing import Final

from consensus.ranking.settling import is_informative
from node.gold.ports import ProgramFindings
from protocol.conversation import single
from protocol.types import CompileStatus

_UNSAFE: Final = re.compile(
    r"\b(?:unsafe|extern|asm|global_asm|naked_asm|no_mangle|export_name|link|link_name|link_section|link_args"
    r"|global_allocator|process|fs|os|net|env|arch|ptr|intrinsics|transmute|transmute_copy|MaybeUninit|ManuallyDrop"
    r"|alloc|ffi|libc|backtrace|include|include_str|include_bytes|macro_rules|from_raw|from_raw_parts|r#\w+)\b"
    r"|\\u\{|[^\x00-\x7f]|&\s*'static\s*&\s*'"
)
"""Words with which Rust leaves its memory rules or reaches the system, and that programs for our tasks can do without.
Conservative: a comment with one of them counts as well, since a program that counts for nothing does no harm. `&'static
&'a` is how the known hole in the borrow checker begins; other characters than ASCII could look like something else."""


class Passed(StrEnum):
    """Whether a program passes, as far as a right one beside it shows."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """It passes, but could have forged that."""


def passed(prompt: str, text: str, right: ProgramFindings, seen: ProgramFindings) -> Passed:
    """Return whether an answer passes, compared with the right program of the same test, one with behaviour.

    Where the right program's behaviour tells it from others, the answer must behave like it wherever it gives
    information, and give enough of it unless it cannot have forged the tests. Elsewhere the tests decide, for programs
    that cannot have forged them.

    Args:
        prompt: The question.
        text: The answer, of at most the length of an answer.
        right: What was seen of the right program, which passes.
        seen: What was seen of the answer.
    """
    if seen.status is not CompileStatus.COMPILES or not seen.is_right or seen.passed != right.passed:
        return Passed.NO
    # Only where the grammar is installed are programs tested at all.
    from node.findings.reading.extraction import extract

    source = extract(text, single(prompt))
    cannot_forge = source is not None and _UNSAFE.search(source.text) is None
    if not _tells(right.outcomes) or len(seen.outcomes) != len(right.outcomes):
        return Passed.YES if cannot_forge else Passed.UNKNOWN
    shared = [(one, other) for one, other in zip(right.outcomes, seen.outcomes, strict=True) if other]
    if any(one != other for one, other in shared):
        return Passed.NO
    # A busy machine leaves out inputs; a program that could forge its tests may also have kept silent.
    return Passed.YES if cannot_forge or _tells(tuple(one for one, _ in shared)) else Passed.NO


def _tells(outcomes: tuple[bytes, ...]) -> bool:
    return all(outcomes) and is_informative(b"".join(outcomes))
