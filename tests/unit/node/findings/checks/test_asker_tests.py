"""Files of tests that askers have."""

import pytest

from node.findings.checks.asker_tests import TESTS_MAX, AskerTest, AskerTests, UnusableTests, read_tests
from node.findings.reading.grammar import BYTES_MAX


def usable(text: str) -> AskerTests:
    tests = read_tests(text)
    assert isinstance(tests, AskerTests), tests
    return tests


def test_a_module_of_tests() -> None:
    tests = usable(
        "#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn adds() { assert_eq!(add(1, 2), 3); }\n\n"
        '    #[test]\n    #[ignore]\n    #[should_panic(expected = "too large")]\n    fn panics() { add(1, 2); }\n'
        "    fn helper() {}\n}\n"
    )
    assert tests.tests == (AskerTest("tests::adds"), AskerTest("tests::panics", '"too large"'))
    assert "cfg(test)" not in tests.text
    assert "#[test]" not in tests.text
    assert "should_panic" not in tests.text
    assert "pub(crate) mod tests {" in tests.text
    assert "pub(crate) fn adds()" in tests.text
    assert "    fn helper() {}" in tests.text
    assert tests.crates == ()


def test_a_file_beside_a_crate() -> None:
    tests = usable(
        "use anagram::*;\nuse std::rc::Rc;\n\nfn same() {}\n\n#[test]\npub fn one() { same(); }\n"
        "#[should_panic]\n#[test]\nfn two() {}\n"
    )
    assert tests.tests == (AskerTest("one"), AskerTest("two", '""'))
    assert tests.crates == ("anagram",)
    assert "pub(crate) pub" not in tests.text


def test_bare_assertions() -> None:
    tests = usable("assert_eq!(f(1), 1);\nassert!(g());\n")
    assert tests.tests == (AskerTest("line_1_1"), AskerTest("line_2_1"))
    assert "pub(crate) fn line_1_1() { assert_eq!(f(1), 1); }" in tests.text
    assert tests.text.count("assert_eq!") == 1


def test_bare_assertions_with_variables_are_one_test() -> None:
    tests = usable("use std::rc::Rc;\nlet s = f(1);\nassert_eq!(s, 1);\nassert!(g(s));\n")
    assert tests.tests == (AskerTest("line_2_1"),)
    assert "{ let s = f(1); assert_eq!(s, 1); assert!(g(s)); }" in tests.text


def test_a_stub_would_hide_the_answer() -> None:
    tests = usable("fn f(x: i32) -> i32 { todo!() }\nfn main() { f(1); }\n#[test]\nfn t() { f(1); }\n")
    assert tests.tests == (AskerTest("t"),)
    assert "todo" not in tests.text
    assert "main" not in tests.text


def test_crate_attributes_and_line_ends() -> None:
    tests = usable("\ufeff#![allow(dead_code)]\r\n#[test]\r\nfn t() {}\r\n")
    assert "#!" not in tests.text
    assert "\r" not in tests.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The tests hold no function with #[test] and no assertion: add one, as in: "),
        ("fn helper() { x(); }\n", "The tests hold no function with #[test] and no assertion: add one, as in: "),
        ("#[test]\nfn a() {}\n\n#[test]\nfn b( {\n", "The tests are not Rust: look at line "),
        ("#[test] fn a() {}\0", "The tests are too deeply nested, or hold a NUL: write them more simply."),
        (" " * (BYTES_MAX + 1), f"The tests have more than {BYTES_MAX} bytes: leave some out."),
        ("#[test] fn a() {" + "(" * 300 + ")" * 300 + "}", "The tests are too deeply nested, or hold a NUL"),
        ("mod shapes;\n#[test]\nfn a() {}\n", "The tests need a file of their own for `mod shapes;`: write the module"),
        ("#[tokio::test]\nasync fn a() {}\n", "The test a needs another crate (#[tokio::test]): only"),
        ("#[test]\nfn a(x: i32) {}\n", "The test a has parameters: a test has none."),
        ("#[test]\nfn a() {}\n" * (TESTS_MAX + 1), f"The tests are {TESTS_MAX + 1}, more than {TESTS_MAX}: leave"),
    ],
)  # fmt: skip
def test_unusable_files_are_explained_in_one_line(text: str, reason: str) -> None:
    tests = read_tests(text)
    assert isinstance(tests, UnusableTests)
    assert tests.reason.startswith(reason)
    assert "\n" not in tests.reason
