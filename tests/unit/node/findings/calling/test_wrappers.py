"""The Rust text that calls an answer's function."""

import pytest

from node.findings.calling.wrappers import Unsupported, Wrapper, call_wrapper
from node.findings.reading.declarations import associated_functions
from node.findings.reading.extraction import Source, extract

OWN = """
#[derive(Debug, Clone)]
struct Point { x: i32, y: f64 }
struct Unit;
struct Pair(u8, String);
struct Borrowed<'a> { text: &'a str }
struct Stack<T: Clone> { items: Vec<T> }
enum Shape { Circle(f64), Square { side: f64 }, Empty }
enum Expr { Number(i64), Sum(Box<Expr>, Box<Expr>) }
struct Node { value: i32, next: Option<Box<Node>>, children: Vec<Node> }
struct Endless { next: Box<Endless> }
enum Never {}
struct Raw { pointer: *const u8 }
struct HoldsRaw { raw: Raw }
"""


def program(text: str) -> Source:
    source = extract(f"```rust\n{OWN}\n{text}\n```\n")
    assert source is not None
    return source


def wrapped(signature: str) -> Wrapper | Unsupported:
    source = program(f"{signature} {{ todo!() }}")
    return call_wrapper(source.functions[-1], source)


def call(signature: str) -> str:
    wrapper = wrapped(signature)
    assert isinstance(wrapper, Wrapper), wrapper
    return wrapper.call


@pytest.mark.parametrize(
    ("signature", "parts"),
    [
        ("fn f()", ("let out = f();", "show!(out)")),
        ("fn f(a: i32, b: &str) -> u8", ("let mut a0: i32 =", "let mut a1: &'static str =", "f(a0, a1)")),
        ("fn f(a: &[u8])", ("&'static [u8]",)),
        ("fn f(a: Vec<Vec<String>>)", ("::std::vec::Vec<::std::vec::Vec<::std::string::String>>",)),
        ("fn f(a: std::collections::HashMap<String, (u8, bool)>)", ("HashMap<::std::string::String, (u8, bool, )>",)),
        ("fn f(a: &mut Vec<i32>)", ("let p0 = a0 as *mut _;", "unsafe { &mut *p0 }", "show!(unsafe { &*p0 })")),
        ("fn f(a: &std::cell::RefCell<i32>)", ("shown.push_str(&::strand_harness::show!(a0))",)),
        ("fn f<T: Ord + Copy>(a: &[T]) -> T", ("f::<i32>(a0)", "&'static [i32]")),
        ("fn f<const N: usize>(a: [u8; N])", ("f::<3>(a0)", "[u8; 3]")),
        ("fn f<S: AsRef<str>>(a: S)", ("f::<&'static str>(a0)",)),
        ("fn f(a: impl Into<String>)", ("let mut a0: &'static str",)),
        (
            "fn f<F: Fn(i32, &str) -> bool>(a: F)",
            ("f::<_>(move |q0: i32, q1: &str| ::strand_harness::fun::<bool>(c0,",),
        ),
        ("fn f(a: Box<dyn Fn(i32) -> i32>)", ("::std::boxed::Box::new(move |q0: i32|",)),
        ("fn f(a: &dyn Fn(&[u8]) -> u8)", ("&move |q0: &[u8]|",)),
        ("fn f(a: fn(u8) -> u8)", ("f(|q0: u8| ::strand_harness::fun::<u8>(7u64,",)),
        ("fn f(a: impl Iterator<Item = u8>)", ("let c0: ::std::vec::Vec<u8>", "c0.clone().into_iter()")),
        ("fn f() -> impl Iterator<Item = u8>", (".take(500).collect::<::std::vec::Vec<_>>()",)),
        ("fn f(a: std::borrow::Cow<'_, str>)", ("::std::borrow::Cow::Borrowed(a0)",)),
        ("unsafe fn f(a: u8)", ("unsafe { f(a0) }",)),
        ("fn f(a: Point, b: Unit, c: Pair, d: Shape)", ("let mut a0: Point =", "let mut a3: Shape =")),
        ("fn f(a: Borrowed)", ("let mut a0: Borrowed<'static>",)),
        ("fn f(a: &Stack<u8>)", ("&'static Stack<u8>",)),
        ("fn f(a: Expr, b: Option<Box<Node>>)", ("Expr", "::std::option::Option<::std::boxed::Box<Node>>")),
    ],
)
def test_supported(signature: str, parts: tuple[str, ...]) -> None:
    text = call(signature)
    assert "pub fn __call(g: &mut ::strand_harness::G) -> ::std::string::String" in text
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("async fn f()", "async"),
        ("fn f(a: *const u8)", "pointer type"),
        ("fn f() -> *const u8", "result pointer type"),
        ("fn f() -> !", "result never type"),
        ("fn f() -> impl Fn(u8) -> u8", "result closure"),
        ("fn f() -> fn(u8) -> u8", "result function pointer"),
        ("fn f(a: Unknown)", "type Unknown"),
        ("fn f(a: Endless)", "type Endless"),
        ("fn f(a: Never)", "type Never"),
        ("fn f(a: HoldsRaw)", "type HoldsRaw"),
        ("fn f<T: Draw>(a: T)", "bound Draw"),
        ("fn f(a: &dyn Draw)", "dyn Draw"),
        ("fn f(a: &mut std::path::Path)", "type Path"),
        ("fn f(a: (u8, u8, u8, u8, u8, u8, u8))", "tuple of 7"),
    ],
)
def test_unsupported(signature: str, reason: str) -> None:
    assert wrapped(signature) == Unsupported(reason)


def test_own_types_are_drawn() -> None:
    wrapper = wrapped("fn f(a: Point)")
    assert isinstance(wrapper, Wrapper)
    text = wrapper.text
    assert "impl ::strand_harness::Arb for Point" in text
    assert "Point { x: ::strand_harness::arb(g), y: ::strand_harness::arb(g) }" in text
    assert "-> Self { Unit }" in text
    assert "impl ::strand_harness::Arb for Borrowed<'static>" in text
    assert "impl<T: ::strand_harness::Arb + 'static + Clone> ::strand_harness::Arb for Stack<T>" in text
    assert "1 => Shape::Square { side: ::strand_harness::arb(g) }, _ => Shape::Empty" in text
    assert all(f"Arb for {name}" not in text for name in ("Endless", "Never", "Raw", "HoldsRaw"))


def test_recursive_types_end() -> None:
    wrapper = wrapped("fn f(a: Node, b: Expr)")
    assert isinstance(wrapper, Wrapper)
    node = next(text for text in wrapper.implementations if "Arb for Node" in text)
    assert "if depth >= 3 { Node { value: ::strand_harness::arb(g), next: ::std::option::Option::None" in node
    assert "children: ::std::vec::Vec::new() } }" in node
    expression = next(text for text in wrapper.implementations if "Arb for Expr" in text)
    assert "if depth >= 3 { match g.below(1) { _ => Expr::Number(" in expression


def test_a_type_of_the_answer_hides_that_of_std() -> None:
    source = program("struct Vec { a: u8 }\nfn f(a: Vec) {}")
    wrapper = call_wrapper(source.functions[0], source)
    assert isinstance(wrapper, Wrapper)
    assert "let mut a0: Vec = " in wrapper.call
    source = program("struct HashMap<K, V> { a: *const K, b: V }\nfn f(a: HashMap<u8, u8>) {}")
    assert call_wrapper(source.functions[0], source) == Unsupported("type HashMap")


@pytest.mark.parametrize(
    ("head", "part"),
    [
        ("std::fmt::Display for Point", '::std::format!("{}|{:>12}|", a, a)'),
        ("From<u8> for Point", "show!(<Point>::from(a))"),
        ("FromStr for Point", "show!(a.parse::<Point>())"),
        ("std::ops::Add for Point", "show!(a + b)"),
        ("std::ops::Mul<f64> for Point", "let mut b: f64"),
        ("PartialOrd for Point", "show!(a.partial_cmp(&b))"),
        ("Iterator for Point", "a.by_ref().take(300)"),
        ("std::ops::Index<usize> for Point", "show!(a[b])"),
        ("std::hash::Hash for Point", "digest(&a) == digest(&b)"),
    ],
)
def test_implementations_of_traits(head: str, part: str) -> None:
    source = program(f"impl {head} {{}}")
    wrapper = call_wrapper(source.implementations[-1], source)
    assert isinstance(wrapper, Wrapper)
    assert part in wrapper.call


@pytest.mark.parametrize(
    ("head", "reason"),
    [("Drop for Point", "trait Drop"), ("Point", "inherent implementation"), ("Default for Raw", "type Raw")],
)
def test_implementations_that_cannot_be_called(head: str, reason: str) -> None:
    source = program(f"impl {head} {{}}")
    assert call_wrapper(source.implementations[-1], source) == Unsupported(reason)


def test_associated_functions_are_called_by_their_path() -> None:
    source = program("impl Unit { fn f(a: u8) -> u8 { a } }")
    (function,) = associated_functions(source.implementations[-1])
    wrapper = call_wrapper(function, source)
    assert isinstance(wrapper, Wrapper)
    assert "let out = Unit::f(a0);" in wrapper.call
