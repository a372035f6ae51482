"""Findings about Rust answers: facts that testers state after compiling, checking and running them."""

import msgspec

from node.api.common import Count, DigestHex, KeyHex
from protocol.types import CompileStatus


class Checks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Results of tests or examples."""

    passed: Count
    """Those that passed."""
    failed: Count
    """Those that failed."""
    not_run: Count
    """Those that could not be run."""

    @property
    def all(self) -> int:
        """Return their number."""
        return self.passed + self.failed + self.not_run


class AnswerFindings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Findings about one answer: settled by several testers' reports, or stated by one of them."""

    reports: Count
    """Reports about the answer."""
    status: CompileStatus
    """Whether it compiles; `unknown` also where testers differ."""
    error: str
    """Code of the compiler's first error, such as E0308; empty: none, or one without a code. With the status `unknown`
    why it was not compiled: E0463, it needs a crate, or E0583, a file."""
    lints: dict[str, Count] | None
    """Warnings by class: `rustc`, and clippy's `correctness`, `suspicious`, `complexity`, `perf` and `style`; null: not
    looked for, or not settled."""
    unsafe: Count | None
    """Number of `unsafe` blocks, functions and implementations; null: not settled."""
    panics: Count | None
    """Inputs on which it panicked; null: not run, or not settled."""
    tests: Checks | None
    """The asker's tests; null: none, or not settled."""
    examples: Checks | None
    """Checks made of examples in the question; null: none, or not settled."""
    inputs: Count
    """Drawn inputs on which its outcome is known."""
    alike: tuple[DigestHex, ...] = ()
    """Ids of the other answers whose outcome is the same on every input."""

    @property
    def warnings(self) -> int | None:
        """Return the number of warnings; None if it is not known."""
        return None if self.lints is None else sum(self.lints.values())


class SetAside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer that cannot win, because testers found that it does not compile or fails a test."""

    answer_id: DigestHex
    """Id of the message that opened it."""
    author: KeyHex
    """Public key of its author."""
    findings: AnswerFindings
    """Settled findings about the answer."""


class RoundTesting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The testing phase of a round."""

    findings: tuple[str, ...]
    """Kinds of findings that the query asks for: `compiles`, `lint`, `tests`, `examples` and `behaviour`."""
    tests_digest: str
    """Digest of the asker's tests, hexadecimal; empty: there were none."""
    tool_versions: str
    """Versions of compiler, input generator and extractor that the testers share; empty: no member could test."""
    testers: Count
    """Members that can test with these versions."""
    stages: Count
    """Stages of testing that took place, at most 2: the second settles what the first left open."""
    reports: Count
    """Reports that count."""
    contradicted: tuple[KeyHex, ...]
    """Members with a report that states something else than what was settled."""
