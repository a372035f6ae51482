"""Tests the answers that a round assigns to this node: reads, checks, builds and runs them in the sandbox."""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Final

import trio

from node.findings.assembly import Assembled, Example, assemble
from node.findings.calling.wrappers import Wrapper, call_wrapper
from node.findings.checks.asker_tests import AskerTests, read_tests
from node.findings.checks.examples import checks_of
from node.findings.checks.shown_tests import without_tests
from node.findings.compiling import MISSING_CRATE, MISSING_FILE, UNCHECKED, Checked
from node.findings.expected import examples_of
from node.findings.harness_build import ready_harness
from node.findings.outcomes import digests, stable
from node.findings.ports import Assignment
from node.findings.reading.extraction import EXTRACTOR_VERSION, Source, extract
from node.findings.reading.literals import literal_pool
from node.findings.reading.signatures import Target, choose_target
from node.findings.running import Order, Work
from node.findings.rust_sandbox import RustSandbox
from node.findings.verdicts import (
    WITHOUT_VERDICT,
    Counts,
    all_failed,
    count_examples,
    count_panics,
    count_tests,
    none_run,
    with_missing,
)
from node.sandbox.ports import Sandbox
from node.sandbox.toolchain import Toolchain
from protocol.limits import NAME_BYTES_MAX, OUTCOMES_MAX
from protocol.messages import Findings
from protocol.types import CompileStatus, FindingKind

GENERATOR_VERSION: Final = 1
"""The harness's (lib.rs), which states the same number: a test compares them."""

ASSIGNMENT_S: Final = 120.0
"""Seconds for a whole assignment where the caller sets no deadline. Three answers take 3 s on a busy machine."""

MARGIN_S: Final = 0.5
"""Seconds before the caller's deadline at which testing stops, so that what was found by then is reported."""

TESTED_MAX: Final = 4
"""Answers that are tested at a time, whose libraries are in memory, if the sandbox has as many places."""

PLACES: Final = 2
"""Places that a sandbox has unless the caller says otherwise."""

_RUN: Final = FindingKind.TESTS | FindingKind.EXAMPLES | FindingKind.BEHAVIOUR
"""Findings for which programs are run."""


@dataclass(slots=True)
class _Subject:
    """One program under test, and what was found out about it so far. Equal programs are tested once."""

    source: Source
    wrapper: Wrapper | None = None
    examples: tuple[Example, ...] = ()
    checked: Checked = UNCHECKED
    outcomes: bytes = b""
    panics: int = 0
    tests: Counts | None = None
    example_counts: Counts | None = None


@dataclass(slots=True)
class _Round:
    """Facts that all answers of an assignment share."""

    rust: RustSandbox
    kinds: FindingKind
    seed: bytes
    tests: AskerTests | None
    target: Target | None = None
    pool: str = ""
    subjects: dict[bytes, _Subject] = field(default_factory=dict)
    """Programs under test, by their source's digest."""
    prepared: trio.Event = field(default_factory=trio.Event)
    """Whether it is known how to run the programs, which depends on all answers of the slate."""

    def add_subjects(self, sources: Iterable[Source | None]) -> None:
        """Add the programs that can be tested."""
        for source in sources:
            if source is not None and source.self_contained:
                self.subjects.setdefault(source.digest, _Subject(source))


class RustTester:
    """Tests Rust answers with one toolchain in one sandbox. Implements `AnswerTester`."""

    def __init__(self, rust: RustSandbox, places: int = PLACES) -> None:
        """Create a tester. `places`: commands that the sandbox runs at a time."""
        self._rust = rust
        self._places = min(places, TESTED_MAX)

    @property
    def tool_versions(self) -> str:
        """Versions that compared reports must share: "rustc 1.95.0 clippy x86_64 g1 x1"."""
        clippy = "" if self._rust.toolchain.clippy is None else " clippy"
        rustc = f"rustc {self._rust.toolchain.version}{clippy} {platform.machine()}"
        return fitted_versions(f"{rustc} g{GENERATOR_VERSION} x{EXTRACTOR_VERSION}")

    async def test(self, assignment: Assignment) -> Sequence[Findings]:
        """Return the findings about the assigned answers, in their order. Never raises for what an answer contains.

        Stops `MARGIN_S` before the deadline of the caller's scope: what is not done by then is "not run". Cancelling
        stops it at once and leaves nothing behind.
        """
        assignment = replace(assignment, turns=without_tests(assignment.turns, assignment.tests))
        sources: list[Source | None] = [None] * len(assignment.slate)
        round_ = None
        ends_at = min(trio.current_effective_deadline() - MARGIN_S, trio.current_time() + ASSIGNMENT_S)
        with trio.move_on_at(ends_at):
            round_ = await trio.to_thread.run_sync(_begin, assignment, self._rust)
            # The assigned ones first: they are checked while the others are read.
            await _extract(assignment, assignment.assigned, sources)
            round_.add_subjects(sources[position] for position in assignment.assigned)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._test_all, round_, ends_at)
                others = set(range(len(sources))).difference(assignment.assigned)
                await _extract(assignment, sorted(others), sources)
                await trio.to_thread.run_sync(_prepare, round_, assignment, sources)
                round_.prepared.set()
        return [_findings(position, sources[position], round_, assignment.kinds) for position in assignment.assigned]

    async def _test_all(self, round_: _Round, ends_at: float) -> None:
        """Test each program within its share of the time, so that one that takes all it gets leaves the others theirs.

        No more at a time than the sandbox has places: the time of a share is not spent on waiting for one.
        """
        places = trio.Semaphore(self._places)
        async with trio.open_nursery() as nursery:
            for waiting, subject in zip(range(len(round_.subjects), 0, -1), round_.subjects.values(), strict=True):
                await places.acquire()
                left_s = ends_at - trio.current_time()
                share_s = left_s * min(1.0, self._places / waiting)
                nursery.start_soon(self._test_one, subject, round_, share_s, places)

    async def _test_one(self, subject: _Subject, round_: _Round, share_s: float, places: trio.Semaphore) -> None:
        try:
            with trio.move_on_after(max(0.0, share_s)):
                lint = FindingKind.LINT in round_.kinds
                subject.checked = await round_.rust.check(subject.source.text, lint=lint)
                if subject.checked.status is CompileStatus.COMPILES and round_.kinds & _RUN:
                    await round_.prepared.wait()
                    await self._build_and_run(subject, round_)
        finally:
            places.release()

    async def _build_and_run(self, subject: _Subject, round_: _Round) -> None:
        source, call = subject.source.text, "" if subject.wrapper is None else subject.wrapper.text
        whole = assemble(source, call=call, examples=subject.examples, tests=round_.tests)
        if not whole.runs_something or await self._try(subject, round_, whole) is not CompileStatus.FAILS:
            return
        # What is ours and what is the asker's may not fit this answer: each alone may still do.
        await self._try(subject, round_, assemble(source, call=call))
        await self._try_examples(subject, round_)
        with_tests = assemble(source, tests=round_.tests)
        if await self._try(subject, round_, with_tests) is CompileStatus.FAILS:
            subject.tests = all_failed(with_tests.test_count)

    async def _try_examples(self, subject: _Subject, round_: _Round) -> None:
        """Run the examples that compile with the answer; the others say nothing about it."""
        assembled = assemble(subject.source.text, examples=subject.examples)
        built = await round_.rust.build(assembled)
        if built.library is None and built.status is CompileStatus.FAILS:
            unfit = assembled.examples_at(built.error_lines)
            fit = [example for example in subject.examples if example not in unfit]
            await self._try(subject, round_, assemble(subject.source.text, examples=fit if unfit else ()))

    async def _try(self, subject: _Subject, round_: _Round, assembled: Assembled) -> CompileStatus:
        """Build and run a crate, and note what came of it. Returns whether it compiled."""
        if not assembled.runs_something:
            return CompileStatus.UNKNOWN
        built = await round_.rust.build(assembled)
        if built.library is not None:
            await self._run(subject, round_, assembled, built.library)
        return built.status

    async def _run(self, subject: _Subject, round_: _Round, assembled: Assembled, library: bytes) -> None:
        """Two runs, whose hash seeds and addresses differ: what differs between them is no information."""
        numbers = {
            Work.INPUTS: OUTCOMES_MAX if assembled.has_call else 0,
            Work.EXAMPLES: len(assembled.examples),
            Work.TESTS: assembled.test_count,
        }
        orders = [Order(work, count) for work, count in numbers.items() if count]
        seed, pool = round_.seed, round_.pool
        first = await round_.rust.run(library, orders, seed=seed, pool=pool)
        # Checks that ran out of time once would only do so again.
        late = any(each.kind in WITHOUT_VERDICT for work in (Work.EXAMPLES, Work.TESTS) for each in first.get(work, ()))
        orders = [order for order in orders if order.work is Work.INPUTS or not late]
        again = {**first, **await round_.rust.run(library, orders, seed=seed, pool=pool, second=True)}
        if assembled.has_call and round_.target is not None:
            seen = stable(first[Work.INPUTS], again[Work.INPUTS])
            subject.outcomes = digests(seen, seed=round_.seed, target=round_.target.signature)
            subject.panics = count_panics(first[Work.INPUTS], again[Work.INPUTS])
        if assembled.examples:
            expected = [example.expected for example in assembled.examples]
            counts = count_examples(expected, first[Work.EXAMPLES], again[Work.EXAMPLES])
            subject.example_counts = with_missing(counts, len(subject.examples))
        if assembled.test_count:
            subject.tests = count_tests(first[Work.TESTS], again[Work.TESTS])


async def open_tester(sandbox: Sandbox, toolchain: Toolchain, cache: Path, places: int) -> RustTester:
    """Return a tester whose harness is built. `cache`: the node's own folder for it. Raises HarnessError."""
    return RustTester(RustSandbox(sandbox, toolchain, await ready_harness(sandbox, toolchain, cache)), places)


def fitted_versions(told: str) -> str:
    """Return versions as an offer has room for them: a digest stands for longer ones, so that others never equal it."""
    if len(told.encode()) <= NAME_BYTES_MAX:
        return told
    return f"rustc {blake2b(told.encode(), digest_size=16).hexdigest()}"


async def _extract(assignment: Assignment, positions: Iterable[int], sources: list[Source | None]) -> None:
    for position in positions:
        text = assignment.slate[position].text
        sources[position] = await trio.to_thread.run_sync(extract, text, assignment.turns)


def _begin(assignment: Assignment, rust: RustSandbox) -> _Round:
    rust = replace(rust, urgency=assignment.urgency)
    return _Round(rust=rust, kinds=assignment.kinds, seed=assignment.seed, tests=_tests(assignment))


def _prepare(round_: _Round, assignment: Assignment, sources: Sequence[Source | None]) -> None:
    kinds, target = round_.kinds, None
    if kinds & (FindingKind.BEHAVIOUR | FindingKind.EXAMPLES):
        target = choose_target(assignment.turns, sources, [candidate.vote_weight for candidate in assignment.slate])
    round_.target = target
    round_.pool = "" if target is None else literal_pool(assignment.turns, sources).text
    checks = checks_of(assignment.turns) if FindingKind.EXAMPLES in kinds else ()
    for subject in round_.subjects.values():
        found = None if target is None else target.find(subject.source)
        if found is not None and FindingKind.BEHAVIOUR in kinds:
            wrapper = call_wrapper(found, subject.source)
            subject.wrapper = wrapper if isinstance(wrapper, Wrapper) else None
        subject.examples = examples_of(checks, found)


def _tests(assignment: Assignment) -> AskerTests | None:
    """The asker's tests. Of what stands against them its own node has told it."""
    if FindingKind.TESTS not in assignment.kinds or not assignment.tests:
        return None
    tests = read_tests(assignment.tests)
    return tests if isinstance(tests, AskerTests) else None


def _needed(source: Source | None) -> int:
    """The number of the code that says why a program is not compiled: what it needs is not here; 0: nothing is."""
    if source is None or source.self_contained:
        return 0
    return MISSING_CRATE if source.uses_crates else MISSING_FILE


def _findings(position: int, source: Source | None, round_: _Round | None, kinds: FindingKind) -> Findings:
    subject = None if source is None or round_ is None else round_.subjects.get(source.digest)
    test_count = 0 if round_ is None or round_.tests is None else len(round_.tests.tests)
    example_count = 0 if subject is None else len(subject.examples)
    checked = UNCHECKED if subject is None else subject.checked
    lints = FindingKind.LINT in kinds
    return Findings(
        answer=position,
        source=b"" if source is None else source.digest,
        status=checked.status,
        error=checked.error or _needed(source),
        lints=checked.lints if lints else b"",
        unsafe=min(source.unsafe_count, 255) if source is not None and lints else 0,
        panics=0 if subject is None else subject.panics,
        tests=(subject.tests if subject is not None else None) or none_run(test_count),
        examples=(subject.example_counts if subject is not None else None) or none_run(example_count),
        outcomes=b"" if subject is None else subject.outcomes,
    )
