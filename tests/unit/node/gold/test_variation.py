"""Fresh exercises: one seed gives one, another seed another, and all of them hold."""

import re
from pathlib import Path
from random import Random

from consensus.ranking.rust_tokens import rust_tokens
from node.findings.reading.grammar import parse
from node.gold.corpus import CodeTask, corpus
from node.gold.variation import Exercise, plain, signature, varied
from tests.support.bare_rust import build_and_test, needs_rustc
from tests.support.effort import cases

SEEDS = range(cases(2, fast=1, soak=24))


def task(name: str) -> CodeTask:
    return next(each for each in corpus() if each.name == name)


def texts(exercise: Exercise) -> tuple[str, str, str]:
    return exercise.prompt, exercise.program, exercise.tests


def test_one_seed_gives_one_exercise() -> None:
    for each in corpus():
        assert varied(each, Random(7)) == varied(each, Random(7))


def test_other_seeds_give_other_texts() -> None:
    """A program cannot be found by its tokens, nor a prompt by its words; few programs have few variable names."""
    for each in corpus():
        drawn = [varied(each, Random(seed)) for seed in range(16)]
        programs = {tuple(rust_tokens(exercise.program) or ()) for exercise in drawn}
        assert len(programs) >= 5, each.name
        assert len({exercise.prompt for exercise in drawn}) >= 10, each.name


@needs_rustc
def test_every_variation_is_right(tmp_path: Path) -> None:
    modules = []
    for seed in SEEDS:
        for each in corpus():
            exercise = varied(each, Random(f"{seed} {each.name}"))
            body = "\n".join((exercise.program, exercise.driver, exercise.tests))
            modules.append(f"pub mod {each.name}_{seed} {{\n{body}}}\n")
    told = build_and_test(tmp_path, "".join(modules))
    assert f"{len(SEEDS) * sum(each.tests.count('#[test]') for each in corpus())} passed; 0 failed" in told


def test_a_constant_is_the_same_everywhere() -> None:
    for seed in range(12):
        exercise = varied(task("mask_digits"), Random(seed))
        values = re.findall(r"const KEPT: usize = (\d+);", exercise.program + exercise.tests)
        assert len(values) == 2 and len(set(values)) == 1
        assert f"the last {values[0]} digits" in exercise.prompt


def test_public_names_change_everywhere_at_once() -> None:
    bank = task("bank_account")
    for seed in range(12):
        exercise = varied(bank, Random(seed))
        for name, others in bank.names.items():
            (used,) = {one for one in (name, *others) if re.search(rf"\b{one}\b", exercise.program)}
            assert all(re.search(rf"\b{used}\b", text) for text in (*texts(exercise), exercise.driver))


def test_parameters_are_named_alike_in_prompt_and_program() -> None:
    """Whatever a prompt says in code, the program has."""
    for seed in range(12):
        exercise = varied(task("caesar"), Random(seed))
        tree = parse(exercise.program)
        assert tree is not None
        (name,) = re.findall(r"(\w+): i32", signature(tree))
        assert f"`{name}` places" in exercise.prompt and f"`{name}` may be negative" in exercise.prompt


def test_a_block_of_code_and_a_list_keep_their_lines() -> None:
    exercise = plain(task("linked_reverse"))
    assert "```rust\n#[derive(Debug)]\npub struct Link {\n" in exercise.prompt
    listed = plain(task("lru_cache")).prompt
    assert listed.count("\n- `") == 4 and "  " not in listed


def test_words_after_a_prompt_do_not_join_its_code() -> None:
    for seed in range(24):
        prompt = varied(task("linked_reverse"), Random(seed)).prompt
        assert re.search(r"```(\n\n|$)", prompt.partition("pub fn")[2])


def test_the_signature_is_of_the_public_function() -> None:
    tree = parse(
        "fn helper() {}\n\npub fn long(\n    one: &[(u8, u8)],\n    two: u8,\n) -> Option<u8> {\n    None\n}\n"
    )
    assert tree is not None
    assert signature(tree) == "fn long(one: &[(u8, u8)], two: u8) -> Option<u8>"
    empty = parse("struct A;")
    assert empty is not None and signature(empty) == ""
