"""The function by which answers are compared."""

import pytest

from node.findings.reading.abstract_types import abstract_signature
from node.findings.reading.extraction import Source, extract
from node.findings.reading.rust_types import Function, Implementation
from node.findings.reading.signatures import Target, choose_target
from protocol.messages import Turn
from protocol.types import TurnRole


def program(text: str) -> Source:
    source = extract(f"```rust\n{text}\n```\n")
    assert source is not None
    return source


def ask(*texts: str) -> list[Turn]:
    return [Turn(role=TurnRole.USER, text=text) for text in texts]


@pytest.mark.parametrize(
    ("signature", "abstract"),
    [
        ("f()", "()->()"),
        ("f(a: i32) -> u8", "(i32)->u8"),
        ("f(a: &str, b: String) -> &'static str", "(str,str)->str"),
        ("f(a: &[i32], b: Vec<i32>, c: [i32; 3], d: &Vec<i32>)", "(list<i32>,list<i32>,list<i32>,list<i32>)->()"),
        ("f(a: &mut Vec<u8>)", "(list<u8>!)->()"),
        ("f(a: Box<T2>, b: Rc<str>, c: Arc<Vec<u8>>)", "(T2,str,list<u8>)->()"),
        ("f(a: std::collections::HashMap<String, u8>, b: BTreeMap<&str, u8>)", "(map<str,u8>,map<str,u8>)->()"),
        ("f(a: Cow<'_, str>) -> Cow<'static, str>", "(str)->str"),
        ("f<T: Ord>(a: T) -> Option<T>", "(T)->Option<T>"),
        ("f<F: Fn(i32) -> i32>(a: F)", "(impl fn(i32)->i32)->()"),
        ("f<F>(a: F) where F: FnMut(i32) -> i32", "(impl fn(i32)->i32)->()"),
        ("f(a: impl FnOnce(i32) -> i32)", "(impl fn(i32)->i32)->()"),
        ("f(a: fn(i32) -> i32)", "(impl fn(i32)->i32)->()"),
        ("f(a: &dyn Fn(i32) -> i32)", "(impl fn(i32)->i32)->()"),
        ("f<I: Iterator<Item = u8>>(a: I)", "(impl Iterator<Item=u8>)->()"),
        ("f() -> impl Iterator<Item = u8> + '_", "()->impl Iterator<Item=u8>"),
        ("f(a: (i32, &str)) -> Result<(), String>", "((i32,str))->Result<(),str>"),
        ("f(a: *const u8) -> !", "(pointer_type *const u8)->never_type !"),
        ("f<'a, const N: usize>(a: &'a [u8; N])", "(list<u8>)->()"),
    ],
)
def test_abstract_signatures(signature: str, abstract: str) -> None:
    (function,) = program(f"fn {signature} {{ todo!() }}").functions
    assert abstract_signature(function) == abstract


def test_aliases_are_put_in() -> None:
    source = program(
        "type Grid = Vec<Row>;\ntype Row = Vec<u8>;\ntype Res<T> = Result<T, String>;\n"
        "fn f(g: &Grid) -> Res<u8> { Ok(1) }"
    )
    assert abstract_signature(source.functions[0]) == "(list<list<u8>>)->Result<u8,str>"


@pytest.mark.parametrize(
    "text",
    [
        "Write `fn add(a: i32, b: i32) -> i32`.",
        "Write a Rust function `add(a:i32, mut b:i32) -> i32` that adds.",
        "Write fn add(a: i32, b: i32) -> i32 that adds.",
        "Please implement pub fn add(x: i32, y: i32) -> i32.",
        "```rust\nfn add(a: i32, b: i32) -> i32 {\n    todo!()\n}\n```\n",
        "```\nfn add(a: i32, b: i32) -> i32;\n```\n",
        "Given `fn helper(x: i32) -> i32`, write `fn add(a: i32, b: i32) -> i32`.",
    ],
)
def test_what_the_query_declares_is_the_target(text: str) -> None:
    source = program("fn helper(x: i32) -> i32 { x }\nfn add(a: i32, b: i32) -> i32 { helper(a) + b }")
    other = program("fn add(a: i32, b: i32) -> i32 { a + b }")
    target = choose_target(ask(text), [source, None, other], [1, 1, 1])
    assert target == Target("add", "(i32,i32)->i32")
    found = target.find(source)
    assert isinstance(found, Function)
    assert found.name == "add"


def test_a_declaration_that_no_answer_has_is_no_target() -> None:
    source = program("fn sum(a: &[i32]) -> i32 { 0 }")
    target = choose_target(ask("Write `fn total(a: i32) -> i32`."), [source], [1])
    assert target == Target("sum", "(list<i32>)->i32")


def test_the_latest_turn_declares_first() -> None:
    source = program("fn a(x: i32) -> i32 { x }\nfn b(x: u8) -> u8 { x }")
    target = choose_target(ask("Write `fn a(x: i32) -> i32`.", "Now `fn b(x: u8) -> u8`."), [source], [1])
    assert target == Target("b", "(u8)->u8")


def test_weight_decides_and_not_heads() -> None:
    lists = program("fn f(a: Vec<i32>) -> i32 { 0 }")
    slices = program("fn g(a: &[i32]) -> i32 { 0 }")
    texts = program("fn h(a: &str) -> i32 { 0 }")
    assert choose_target(ask("?"), [lists, slices, texts], [1, 1, 1]) == Target("f", "(list<i32>)->i32")
    assert choose_target(ask("?"), [lists, slices, texts], [1, 1, 3]) == Target("h", "(str)->i32")


def test_ties_go_to_the_name_in_the_query_then_to_what_is_not_called() -> None:
    source = program("fn is_prime(n: u64) -> bool { true }\nfn sum(n: u64) -> u64 { is_prime(n); n }")
    assert choose_target(ask("Sum the primes below n."), [source], [1]) == Target("sum", "(u64)->u64")
    assert choose_target(ask("Write is_prime."), [source], [1]) == Target("is_prime", "(u64)->bool")


def test_a_target_is_found_by_its_signature_where_its_name_differs() -> None:
    target = Target("f", "(list<i32>)->i32")
    found = target.find(program("fn first(a: &[i32]) -> i32 { 0 }\nfn second(a: Vec<i32>) -> i32 { first(&a) }"))
    assert isinstance(found, Function)
    assert found.name == "second"
    assert target.find(program("fn f(a: &str) -> i32 { 0 }")) is None


def test_implementations_of_traits() -> None:
    source = program(
        "struct Rgb(u8);\nimpl std::str::FromStr for Rgb {\n"
        "    type Err = (); fn from_str(s: &str) -> Result<Rgb, ()> { Err(()) }\n}"
    )
    target = choose_target(ask("Write `impl FromStr for Rgb`."), [source], [1])
    assert target == Target("Rgb", "impl FromStr")
    assert isinstance(target.find(source), Implementation)


def test_nothing_in_common() -> None:
    assert choose_target(ask("?"), [None, None], [1, 1]) is None
    assert choose_target(ask("?"), [], []) is None
    assert choose_target(ask("?"), [program("struct S;\nimpl S { fn f(&self) {} }")], [1]) is None


def test_only_the_latest_turns_of_a_long_query_are_read() -> None:
    source = program("fn a(x: i32) -> i32 { x }\nfn b(x: u8) -> u8 { x }")
    turns = ask("Write `fn b(x: u8) -> u8`.", *("x" * 32_000 for _ in range(3)))
    assert choose_target(turns, [source], [1]) == Target("a", "(i32)->i32")
    assert choose_target(turns[:1], [source], [1]) == Target("b", "(u8)->u8")


ASSOCIATED = """
struct Solution;
impl Solution {
    fn new() -> Self { Solution }
    pub fn double(x: i32) -> i32 { 2 * x }
    fn like(other: &Self) -> Self { Solution }
    fn method(&self, x: i32) -> i32 { x }
}
"""


def test_associated_functions_where_the_query_declares_them() -> None:
    source = program(ASSOCIATED + "fn helper(x: u8) -> u8 { x }")
    stub = "```rust\nimpl Solution {\n    pub fn double(x: i32) -> i32 {\n    }\n}\n```"
    target = choose_target(ask(stub), [source], [1])
    assert target == Target("Solution::double", "(i32)->i32")
    found = target.find(source)
    assert isinstance(found, Function)
    assert found.name == "Solution::double"


def test_associated_functions_where_there_are_no_free_ones() -> None:
    assert choose_target(ask("double"), [program(ASSOCIATED)], [1]) == Target("Solution::double", "(i32)->i32")
    assert choose_target(ask("like"), [program(ASSOCIATED)], [1]) == Target("Solution::like", "(Solution)->Solution")
    both = program(ASSOCIATED + "fn helper(x: u8) -> u8 { x }")
    assert choose_target(ask("double"), [both], [1]) == Target("helper", "(u8)->u8")
