"""Mutants: what is changed, in which order, and that each differs in what a compiler sees."""

from collections import Counter
from random import Random

from consensus.ranking.rust_tokens import rust_tokens
from node.findings.reading.grammar import parse
from node.gold.corpus import corpus
from node.gold.mutation import MUTANTS_MAX, Operator, mutants

PROGRAM = """pub fn f(values: &[i32], limit: i32) -> i32 {
    let mut sum = 0;
    for place in 0..values.len() {
        if values[place] < limit && place != 7 {
            sum += values[place].min(limit);
        }
        if sum > 100 {
            return sum;
        }
    }
    match sum {
        1 if limit > 3 => g(sum, limit),
        2 => sum.saturating_add(1),
        _ => sum,
    }
}

fn g(a: i32, b: i32) -> i32 {
    a - b
}
"""

EXPECTED = {
    Operator.BOUNDARY: {"values[place] <= limit", "0..=values.len()", "sum >= 100", "1 if limit >= 3"},
    Operator.COMPARISON: {"values[place] > limit", "place == 7", "sum < 100", "1 if limit < 3"},
    Operator.ARITHMETIC: {"sum -= values", "a + b"},
    Operator.LOGIC: {"limit || place"},
    Operator.OFF_BY_ONE: {"1..values.len()", "place != 8", "place != 6", "sum > 101", "sum > 99", "limit > 4"},
    Operator.INITIAL_VALUE: {"let mut sum = 1;"},
    Operator.CONDITION: {"if !(values[place] < limit && place != 7)", "if sum <= 100", "1 if limit <= 3"},
    Operator.ARMS: {"1 if limit > 3 => sum.saturating_add(1)", "_ => sum.saturating_add(1)"},
    Operator.ARGUMENTS: {"g(limit, sum)"},
    Operator.METHOD: {".max(limit)", "wrapping_add(1)"},
    Operator.DROPPED_CALL: {"sum += values[place];"},
}


def test_each_operator_changes_what_it_says() -> None:
    texts: dict[Operator, list[str]] = {operator: [] for operator in Operator}
    for mutant in mutants(PROGRAM, Random(1)):
        texts[mutant.operator].append(mutant.program)
    for operator, changes in EXPECTED.items():
        missing = {change for change in changes if not any(change in text for text in texts[operator])}
        assert not missing, operator
    assert any("sum += values" not in text for text in texts[Operator.DROPPED_STATEMENT])
    dropped = texts[Operator.DROPPED_BRANCH]
    assert any("return sum" not in text for text in dropped) and any("1 if limit" not in text for text in dropped)


def test_a_dropped_line_leaves_no_gap() -> None:
    for mutant in mutants(PROGRAM, Random(1)):
        assert "\n\n" not in mutant.program.partition("\n}\n")[0], mutant


def test_every_mutant_is_another_program() -> None:
    for task in corpus():
        tokens = [tuple(rust_tokens(each.program) or ()) for each in mutants(task.program, Random(1))]
        assert len(set(tokens)) == len(tokens)
        assert tuple(rust_tokens(task.program) or ()) not in tokens
        assert 0 < len(tokens) < MUTANTS_MAX, task.name


def test_the_corpus_needs_every_operator() -> None:
    used = Counter(each.operator for task in corpus() for each in mutants(task.program, Random(1)))
    assert set(used) == set(Operator)


def test_one_seed_gives_one_order_in_which_the_first_ones_differ() -> None:
    drawn = mutants(PROGRAM, Random(3))
    assert drawn == mutants(PROGRAM, Random(3)) != mutants(PROGRAM, Random(4))
    kinds = len({each.operator for each in drawn})
    assert len({each.operator for each in drawn[:kinds]}) == kinds


def test_what_is_no_rust_has_no_mutants() -> None:
    assert mutants("fn f( {", Random(1)) == ()
    assert mutants("\0", Random(1)) == ()
    assert mutants("", Random(1)) == ()


def test_a_mutant_is_still_rust() -> None:
    for task in corpus():
        for mutant in mutants(task.program, Random(1)):
            tree = parse(mutant.program)
            assert tree is not None and not tree.faulty, (task.name, mutant)
