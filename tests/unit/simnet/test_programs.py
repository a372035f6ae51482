"""Simulated programs behave as real ones were measured to, and honest testers find the same about them."""

import tomllib
from collections import Counter
from importlib import resources
from statistics import mean

import msgspec
import pytest

from consensus.ranking.clusters import canonical_form
from consensus.ranking.settling import is_informative, outcomes_of
from protocol.limits import OUTCOMES_MAX
from protocol.messages import Findings
from protocol.types import CompileStatus, FindingKind, TaskType
from simnet.oracle import Candidate, Oracle
from simnet.preset import Preset, presets_from
from simnet.programs import RIGHT, Program

NODES = 14
ALL = FindingKind.COMPILES | FindingKind.LINT | FindingKind.BEHAVIOUR
SEED, OTHER_SEED = bytes(32), b"1" * 32


def preset(name: str = "code-testable", **changes: float) -> Preset:
    shipped = presets_from(tomllib.loads(resources.files("configs").joinpath("presets.toml").read_text()))
    return msgspec.structs.replace(shipped[name], **changes)


def oracle(**changes: float) -> Oracle:
    return Oracle(preset(**changes), seed=1, nodes=NODES)


def answers(world: Oracle, number: int) -> list[Candidate]:
    question = world.question(number)
    return [world.answer(question, node) for node in range(NODES)]


def found(world: Oracle, candidate: Candidate, *, tester: int = 0, number: int = 0, key: bytes = SEED) -> Findings:
    testers = world.honest_testers(world.question(number), ALL, key)
    return testers.findings(tester, 3, candidate.program)


def program(candidate: Candidate) -> Program:
    assert candidate.program is not None
    return candidate.program


# -- what is written -----------------------------------------------------------------------------------------------


def test_a_text_gives_back_its_program_and_usual_texts_alone_are_equal() -> None:
    world = oracle()
    forms: dict[bytes, set[tuple[int, bool]]] = {}
    shared = 0
    for number in range(40):
        question, forms = world.question(number), {}
        written = answers(world, number)
        for answer in written:
            assert world.candidate(question, answer.text) == answer
            form = canonical_form(TaskType.CODE, answer.text)
            forms.setdefault(form, set()).add((program(answer).option, program(answer).compiles))
        assert len({answer.text for answer in written}) == NODES
        assert all(len(each) == 1 for each in forms.values()), "equal texts are equal programs"
        shared += NODES - len(forms)
    assert shared > 20


def test_no_texts_are_equal_without_usual_ones() -> None:
    world = oracle(idiom=0.0)
    for number in range(20):
        assert len({canonical_form(TaskType.CODE, answer.text) for answer in answers(world, number)}) == NODES


def test_what_does_not_compile_is_never_right_and_what_behaves_as_the_right_ones_is() -> None:
    world = oracle()
    seen: Counter[tuple[bool, bool]] = Counter()
    for number in range(100):
        for answer in answers(world, number):
            meant = program(answer).option in (RIGHT, world.preset.options)
            assert answer.right == (meant and program(answer).compiles)
            seen[answer.right, program(answer).compiles] += 1
    assert not seen[True, False]
    assert all(seen[key] > 50 for key in ((True, True), (False, True), (False, False)))


def test_accomplices_write_one_program_in_words_of_their_own() -> None:
    world = oracle()
    for number in range(20):
        question = world.question(number)
        ring = [world.wrong(question, label) for label in ("ring", "ring.1", "ring.2")]
        assert len({program(each).option for each in ring}) == 1
        assert len({canonical_form(TaskType.CODE, each.text) for each in ring}) == 3
        assert not any(each.right for each in ring) and all(program(each).compiles for each in ring)
        assert [world.candidate(question, each.text) for each in ring] == ring


def test_the_models_are_as_good_as_those_that_were_measured() -> None:
    """shared/facts/behaviour.md: of one question's answers .684 are right, of those that compile .854."""
    right, compiling, solvable = [], [], []
    for seed in range(3):
        world = Oracle(preset(), seed=seed, nodes=NODES)
        for number in range(300):
            written = answers(world, number)
            able = [answer.right for answer in written if program(answer).compiles]
            right.append(sum(answer.right for answer in written) / NODES)
            compiling.append(sum(able) / len(able) if able else 0.0)
            solvable.append(any(able))
    assert mean(right) == pytest.approx(0.684, abs=0.03)
    assert mean(compiling) == pytest.approx(0.854, abs=0.03)
    assert mean(solvable) == pytest.approx(0.908, abs=0.03)


# -- what is found -------------------------------------------------------------------------------------------------


def test_honest_testers_agree_bit_for_bit_and_differ_from_round_to_round() -> None:
    world = oracle(flake=0.0, testable=1.0)
    for number in range(10):
        for answer in answers(world, number):
            first = found(world, answer, number=number)
            assert all(found(world, answer, tester=tester, number=number) == first for tester in range(1, 5))
            other = found(world, answer, number=number, key=OTHER_SEED)
            assert (other == first) == (not first.outcomes)


def test_programs_of_one_option_behave_alike_and_those_of_two_differ_somewhere() -> None:
    world = oracle(flake=0.0, testable=1.0)
    testers = world.honest_testers(world.question(0), ALL, SEED)
    vectors = [testers.outcomes(option) for option in range(12)]
    assert len(set(vectors)) == 12
    for outcomes in vectors:
        assert len(outcomes_of(outcomes)) == OUTCOMES_MAX and is_informative(outcomes)
    apart = [sum(one != other for one, other in zip(outcomes_of(vectors[0]), outcomes_of(each), strict=True))
             for each in vectors[1:]]  # fmt: skip
    assert min(apart) >= 1 and max(apart) < OUTCOMES_MAX


def test_findings_are_what_the_query_asks_for() -> None:
    world = oracle(flake=0.0, testable=1.0)
    works = next(each for each in answers(world, 0) if program(each).compiles)
    nothing = world.honest_testers(world.question(0), FindingKind(0), SEED).findings(0, 3, works.program)
    assert (nothing.status, nothing.outcomes, nothing.lints) == (CompileStatus.UNKNOWN, b"", b"")
    status = world.honest_testers(world.question(0), FindingKind.COMPILES, SEED).findings(0, 3, works.program)
    assert (status.status, status.outcomes, status.lints) == (CompileStatus.COMPILES, b"", b"")
    whole = found(world, works)
    assert whole.answer == 3 and whole.outcomes and whole.lints


def test_a_text_without_a_program_a_broken_one_and_a_flake_bring_no_outcomes() -> None:
    world = oracle(flake=0.0, testable=1.0)
    strange = world.honest_testers(world.question(0), ALL, SEED).findings(0, 3, None)
    assert (strange.source, strange.status) == (b"", CompileStatus.UNKNOWN)
    broken = next(each for number in range(20) for each in answers(world, number) if not program(each).compiles)
    told = found(world, broken)
    assert (told.status, told.outcomes, bool(told.error)) == (CompileStatus.FAILS, b"", True)
    flaky = oracle(flake=1.0)
    assert found(flaky, answers(flaky, 0)[0]).status is CompileStatus.UNKNOWN


def test_questions_that_cannot_be_tested_have_no_outcomes() -> None:
    world = oracle(flake=0.0, testable=0.0)
    works = next(each for each in answers(world, 0) if program(each).compiles)
    assert found(world, works).status is CompileStatus.COMPILES and not found(world, works).outcomes
    partly = Oracle(preset("code-partly"), seed=1, nodes=NODES)
    assert sum(partly.question(number).testable for number in range(200)) == pytest.approx(100, abs=25)
