"""Examples of a query as checks."""

import pytest

from node.findings.checks.examples import CHECKS_MAX, Check, checks_of, fitted
from node.findings.reading.extraction import extract
from node.findings.reading.rust_types import Function
from protocol.messages import Turn
from protocol.types import TurnRole

TEXT = "::std::string::String::from"
SOME = "::std::option::Option::Some"


def checks(text: str) -> tuple[Check, ...]:
    return checks_of([Turn(role=TurnRole.USER, text=text)])


def function(text: str) -> Function:
    source = extract(f"```rust\n{text} {{ todo!() }}\n```\n")
    assert source is not None
    return source.functions[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(2) is 4.", ("f(2)", "4")),
        ("For example, `f(2)` is `4`.", ("f(2)", "4")),
        ("f(2) -> 4", ("f(2)", "4")),
        ("f(2) → 4", ("f(2)", "4")),
        ("f(2) => 4;", ("f(2)", "4")),
        ("f(2) == 4", ("f(2)", "4")),
        ("f(2) = 4", ("f(2)", "4")),
        ("`f(2) == 4`", ("f(2)", "4")),
        ("f(2) // 4", ("f(2)", "4")),
        ("f(2); // => 4", ("f(2)", "4")),
        ("f(2) should return 4.", ("f(2)", "4")),
        ("f(2) should\nreturn 4 and f is total", ("f(2)", "4")),
        ("f(2) returns: 4", ("f(2)", "4")),
        ("f(2) evaluates to 4 because of reasons", ("f(2)", "4")),
        ("It returns 4 for f(2).", ("f(2)", "4")),
        ("Your function must return `4` for `f(2)`.", ("f(2)", "4")),
        (">>> f(2)\n4\n", ("f(2)", "4")),
        ('f("a, b)") is "x."', ('f("a, b)")', '"x."')),
        ("f([1, 2], 'c') == [true, false]", ("f([1, 2], 'c')", "[true, false]")),
        ("f(vec![1, 2]) == Some(-3)", ("f([1, 2])", "Some(-3)")),
        ("f((1, 2.5)) is None", ("f((1, 2.5))", "None")),
        ("f(True) is False", ("f(true)", "false")),
        ("f() is 1.5.", ("f()", "1.5")),
        ('f("x".to_string()) -> Ok(())', ('f("x")', "Ok(())")),
        ("```text\nf(2) -> 4\n```", ("f(2)", "4")),
        ("```rust\nf(2); // 4\n```", ("f(2)", "4")),
    ],
)
def test_plain_words(text: str, expected: tuple[str, str]) -> None:
    assert checks(text) == (Check(*expected, plain=True),)


@pytest.mark.parametrize(
    "text",
    [
        "f(2) is 4 times as large.",
        "f(x) is 4.",
        "f(2) is x.",
        "f(2) is prime.",
        "f(2) is between 1 and 3",
        "f('abc') is 4",
        "f(2, ) + 1 is 4 f",
        "a.f(2) is 4",
        "m::f(2) is 4",
        "f!(2) is 4",
        "f(g(2)) is 4",
        "f(2",
        'f(2) is "4',
        "My program is wrong: f(2) is 5.",
        "f(2) returns 5 instead of 4",
        "f(2) is 4. No: f(2) is 5.",
        "f(1..3) is 4",
        "f(&mut [1]) is 4",
        "f([1; 3]) is 4",
        "```python\nassert f(2) == x\n```",
        "Some(2) is 4",
    ],
)
def test_in_doubt_there_is_no_check(text: str) -> None:
    assert checks(text) == ()


def test_in_a_report_of_a_fault_only_what_should_be_counts() -> None:
    text = "There is a bug: f(2) returns 5, f(2) should return 4. f(3) is 3. f(4) must be 8."
    assert [(check.expression, check.expected) for check in checks(text)] == [("f(2)", "4"), ("f(4)", "8")]


def test_assertions() -> None:
    text = (
        '```rust\nassert_eq!(f(&[1, 2]), 3, "sum of {}", 1);\nassert!(g(7));\nassert_ne!(f(&[]), 1);\n'
        "assert_eq!(4, f(&[4]));\nassert_eq!(S::new(1).get(), 1);\n```\n"
    )
    assert [check.comparison for check in checks(text)] == [
        "(f(&[1, 2])) == (3)",
        "g(7)",
        "(f(&[])) != (1)",
        "(f(&[4])) == (4)",
        "(S::new(1).get()) == (1)",
    ]


def test_assertions_about_variables_are_one_check_with_what_binds_them() -> None:
    lines = (
        "use my_crate::S;",
        "use std::rc::Rc;",
        "let mut s = S::new();",
        "s.push(1);",
        "assert_eq!(s.pop(), Some(1));",
    )
    text = "\n".join(("```rust", *lines, "```"))
    (check,) = checks(text)
    assert (
        check.comparison == "{ use std::rc::Rc; let mut s = S::new(); s.push(1); assert_eq!(s.pop(), Some(1)); true }"
    )


def test_documentation_tests() -> None:
    text = """```rust
/// Adds.
///
/// ```
/// # use my_crate::add;
/// assert_eq!(add(1, 2), 3);
/// ```
///
/// ```should_panic
/// assert_eq!(add(1, 2), 4);
/// ```
///
/// ```text
/// assert_eq!(add(1, 2), 5);
/// ```
fn add(a: i32, b: i32) -> i32;
```"""
    assert checks(text) == (Check("add(1, 2)", "3"),)


def test_tests_and_main_of_a_block() -> None:
    text = """```rust
fn f(x: i32) -> i32 { assert!(x > 0); x }
fn main() { assert_eq!(f(1), 1); }
#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn t() { assert_eq!(f(2), 2); }
    fn helper() { assert_eq!(f(3), 4); }
}
```"""
    assert [check.expression for check in checks(text)] == ["f(1)", "f(2)"]


def test_only_the_last_turn_of_the_asker_counts() -> None:
    turns = [
        Turn(role=TurnRole.USER, text="f(1) is 1"),
        Turn(role=TurnRole.ASSISTANT, text="f(2) is 2"),
        Turn(role=TurnRole.USER, text="f(3) is 3"),
        Turn(role=TurnRole.ASSISTANT, text="f(4) is 4"),
    ]
    assert [check.expression for check in checks_of(turns)] == ["f(3)"]
    assert checks_of([]) == ()


def test_checks_are_bounded() -> None:
    assert len(checks("\n".join(f"f({number}) is {number}" for number in range(500)))) == CHECKS_MAX
    assert checks("```rust\nassert_eq!(f(" + "1+" * 4000 + "1), 3);\n```") == ()


@pytest.mark.parametrize(
    ("signature", "example", "comparison"),
    [
        ("fn f(x: i32) -> u8", ("f(2)", "4"), "(f(2)) == (4)"),
        ("fn f(x: Vec<i32>) -> i32", ("f([1, 2])", "3"), "(f(::std::vec![1, 2])) == (3)"),
        ("fn f(x: &[i32]) -> i32", ("f([1, 2])", "3"), "(f(&[1, 2])) == (3)"),
        ("fn f(x: &Vec<f64>) -> f64", ("f([1, -2])", "3"), "(f(&::std::vec![1.0, -2.0])) == (3.0)"),
        ("fn f(x: String, y: &str) -> char", ('f("a", "b")', "'c'"), f"(f({TEXT}(\"a\"), \"b\")) == ('c')"),
        ("fn f(x: [u8; 2]) -> Vec<String>", ("f([1, 2])", '["a"]'), f'(f([1, 2])) == (::std::vec![{TEXT}("a")])'),
        ("fn f(x: (i32, bool)) -> Option<&str>", ("f((1, true))", 'Some("a")'), f'(f((1, true, ))) == ({SOME}("a"))'),
        ("fn f() -> Result<(), String>", ("f()", "Ok(())"), "(f()) == (::std::result::Result::Ok(()))"),
        ("fn f() -> f64", ("f()", "1.25"), "(f()) == (1.25)"),
    ],
)  # fmt: skip
def test_fitting(signature: str, example: tuple[str, str], comparison: str) -> None:
    (check,) = fitted([Check(*example, plain=True)], function(signature))
    assert check.comparison == comparison


@pytest.mark.parametrize(
    ("signature", "example"),
    [
        ("fn g(x: i32) -> i32", ("f(2)", "4")),
        ("fn f(x: i32, y: i32) -> i32", ("f(2)", "4")),
        ("fn f(x: u8) -> i32", ("f(-2)", "4")),
        ("fn f(x: &str) -> i32", ("f(2)", "4")),
        ("fn f(x: i32) -> String", ("f(2)", "4")),
        ("fn f(x: i32) -> i32", ("f(2)", "4.5")),
        ("fn f(x: &mut i32) -> i32", ("f(2)", "4")),
        ("fn f(x: Point) -> i32", ("f((1, 2))", "4")),
        ("fn f() -> f64", ("f()", "0.333")),
        ("fn f() -> Option<i32>", ("f()", "4")),
        ("fn f() -> Vec<i32>", ("f()", "[]")),
    ],
)
def test_what_does_not_fit_is_left_out(signature: str, example: tuple[str, str]) -> None:
    assert fitted([Check(*example, plain=True)], function(signature)) == ()


def test_rust_stays_and_equal_checks_are_one() -> None:
    given = [Check("f(&[1])", "1"), Check("f([1])", "1", plain=True), Check("{ let a = 1; true }", "true")]
    assert fitted(given, function("fn f(x: &[i32]) -> i32")) == (Check("f(&[1])", "1"), given[2])
    assert fitted(given, None) == (given[0], given[2])
