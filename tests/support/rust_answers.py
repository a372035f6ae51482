"""Answers in the forms in which models write them, with what the extractor must find in each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """One answer."""

    name: str
    text: str
    functions: tuple[str, ...] | None
    """Free functions found, in order; None: no program."""
    holds: tuple[str, ...] = ()
    """What the program's text must contain."""
    lacks: tuple[str, ...] = ()
    """What it must not contain."""


ADD = "fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n"
DOUBLE = "fn double(x: i32) -> i32 {\n    2 * x\n}\n"


def rust(*programs: str, label: str = "rust") -> str:
    """The programs as fenced blocks."""
    return "\n".join(f"```{label}\n{program}```\n" for program in programs)


SHAPES = (
    Shape("one block", f"Here you go:\n\n{rust(ADD)}\nIt adds.\n", ("add",), (ADD,), ("Here",)),
    Shape("capital label", rust(ADD, label="Rust"), ("add",)),
    Shape("short label", rust(ADD, label="rs"), ("add",)),
    Shape("label with attributes", rust(ADD, label="rust,ignore"), ("add",)),
    Shape("label with a path", rust(ADD, label="rust:src/lib.rs"), ("add",)),
    Shape("label in braces", rust(ADD, label="{.rust .numberLines}"), ("add",)),
    Shape("label with a title", rust(ADD, label='rust title="src/lib.rs"'), ("add",)),
    Shape("tildes", f"~~~rust\n{ADD}~~~\n", ("add",)),
    Shape("four backticks", f"````rust\n{ADD}````\n", ("add",)),
    Shape("unlabelled", rust(ADD, label=""), ("add",)),
    Shape("never closed", f"Sure.\n```rust\n{ADD}", ("add",)),
    Shape("name of a file as label", rust(ADD, label="src/lib.rs"), ("add",)),
    Shape("carriage returns", rust(ADD).replace("\n", "\r\n"), ("add",), (ADD,), ("\r",)),
    Shape("byte order mark", "\ufeff" + rust(ADD), ("add",), (), ("\ufeff",)),
    Shape(
        "in a list",
        "1. First:\n\n   ```rust\n   fn add(a: i32, b: i32) -> i32 {\n       a + b\n   }\n   ```\n\n2. Done.\n",
        ("add",),
        (ADD,),
    ),
    Shape("within Markdown", f"````markdown\n# Title\n\n{rust(ADD)}````\n", ("add",), (), ("Title",)),
    Shape("complementing blocks", rust(ADD, DOUBLE), ("add", "double"), (ADD, DOUBLE)),
    Shape("prose between", f"First\n{rust(ADD)}\nThen, don't forget:\n{rust(DOUBLE)}", ("add", "double")),
    Shape(
        "later block wins",
        rust("fn add(a: i32, b: i32) -> i32 { a - b }\n", ADD),
        ("add",),
        ("a + b",),
        ("a - b",),
    ),
    Shape(
        "whole program after its parts",
        rust("struct P { x: i32 }\n", ADD, f"struct P {{ x: i32 }}\n{ADD}fn main() {{ add(1, 2); }}\n"),
        ("add",),
        ("fn main",),
    ),
    Shape(
        "a sketch does not replace",
        rust(ADD, "fn add(a: i32, b: i32) -> i32 { ... }\n"),
        ("add",),
        ("a + b",),
        ("...",),
    ),
    Shape(
        "an empty body does not replace",
        rust(ADD, "fn add(a: i32, b: i32) -> i32 {\n    // as before\n}\n"),
        ("add",),
        ("a + b",),
        ("as before",),
    ),
    Shape(
        "methods complement",
        rust(
            "struct S;\nimpl S {\n    fn a(&self) -> i32 { 1 }\n    fn b(&self) -> i32 { 2 }\n}\n",
            "impl S {\n    /// Better.\n    fn b(&self) -> i32 { 3 }\n}\n",
        ),
        (),
        ("fn a(&self)", "{ 3 }"),
        ("{ 2 }",),
    ),
    Shape(
        "sketch of an implementation",
        rust(
            "struct S;\nimpl S {\n    fn a(&self) -> i32 { 1 }\n}\n",
            "impl S {\n    ...\n}\n",
            "impl S {\n    fn a(&self) -> i32 { ... }\n}\n",
        ),
        (),
        ("fn a(&self) -> i32 { 1 }",),
        ("...",),
    ),
    Shape(
        "trait implementation replaced",
        rust(
            "struct S;\nimpl Default for S { fn default() -> S { panic!() } }\n",
            "impl Default for S { fn default() -> S { S } }\n",
        ),
        (),
        ("{ S }",),
        ("panic",),
    ),
    Shape("only a name is not code", rust("add\n") + rust(ADD), ("add",), (ADD,)),
    Shape("usage", rust(ADD) + "Use it:\n" + rust('let x = add(1, 2);\nprintln!("{x}");\n'), ("add",), (), ("let x",)),
    Shape(
        "usage in main",
        rust(ADD, 'use my_crate::add;\nfn main() {\n    println!("{}", add(1, 2));\n}\n'),
        ("add",),
        (),
        ("main", "my_crate"),
    ),
    Shape("main beside", rust(ADD + "fn main() {}\n"), ("add",), ("fn main",)),
    Shape("only main", rust('fn main() { println!("hi"); }\n'), (), ("fn main",)),
    Shape("statements beside items", rust(f"{ADD}\nassert_eq!(add(1, 2), 3);\n"), ("add",), (ADD,), ("assert_eq",)),
    Shape("signature first", rust("fn add(a: i32, b: i32) -> i32;\n", ADD), ("add",), (ADD,), ("i32;",)),
    Shape("manifest beside", rust(ADD) + '```toml\n[dependencies]\nrand = "0.8"\n```\n', ("add",), (), ("rand",)),
    Shape("shell beside", "```bash\ncargo run\n```\n" + rust(ADD), ("add",), (), ("cargo",)),
    Shape("output beside", rust(ADD) + "```\n3\n4\n```\n", ("add",), (), ("\n3\n",)),
    Shape("Python beside", "```python\ndef add(a, b): return a + b\n```\n" + rust(ADD), ("add",), (), ("def",)),
    Shape("counter-example", rust("fn bad( {\n", label="rust,compile_fail") + rust(ADD), ("add",), (), ("bad",)),
    Shape(
        "tests in a block",
        rust(ADD, "#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn t() {}\n}\n"),
        ("add",),
        ("mod tests",),
    ),
    Shape("crate attributes", rust(f"#![allow(dead_code)]\n//! Adds.\n\n{ADD}"), ("add",), (ADD,), ("#!", "//!")),
    Shape("feature gate", rust(f"#![feature(test)]\n#![no_std]\n{ADD}"), ("add",), (ADD,), ("#!",)),
    Shape(
        "fences in documentation",
        rust(f"/// ```\n/// assert_eq!(add(1, 2), 3);\n/// ```\n{ADD}"),
        ("add",),
        ("/// ```",),
    ),
    Shape(
        "missing import",
        rust("fn count(words: &[String]) -> HashMap<String, usize> {\n    HashMap::new()\n}\n"),
        ("count",),
        ("use std::collections::HashMap;",),
    ),
    Shape(
        "import there",
        rust("use std::collections::HashMap;\nfn count() -> HashMap<String, usize> {\n    HashMap::new()\n}\n"),
        ("count",),
        (),
        ("allow(unused_imports)",),
    ),
    Shape(
        "imported twice",
        rust(
            "use std::collections::HashMap;\nfn a() -> HashMap<u8, u8> { HashMap::new() }\n",
            "use std::collections::{HashMap, HashSet};\nfn b() -> HashSet<u8> { HashSet::new() }\n",
        ),
        ("a", "b"),
        ("use std::collections::HashSet;",),
        ("{HashMap, HashSet}",),
    ),
    Shape("no fences", f"{ADD}\n{DOUBLE}", ("add", "double"), (ADD, DOUBLE)),
    Shape("no fences, prose around", f"Here is the code:\n\n{ADD}\nThis adds.\n", ("add",), (ADD,), ("Here", "This")),
    Shape("no fences, attributes", f"#[must_use]\npub {ADD}", ("add",), ("#[must_use]",)),
    Shape("faulty block", rust("fn add(a: i32, b: i32 -> i32 { a + b }\n"), ("add",), ("b: i32 ->",)),
    Shape("faulty and unlabelled", rust("fn add(a: i32) -> i32 {\n    a +\n}\n", label=""), ("add",)),
    Shape("reasoning first", f"Hmm, let me see: `fn x()`...\n\n{rust(ADD)}", ("add",), (), ("fn x",)),
    Shape(
        "alternatives",
        rust(ADD) + "Or, with a loop:\n" + rust("fn add_slow(a: i32) -> i32 { a }\n"),
        ("add", "add_slow"),
    ),
    Shape("prose only", "I cannot help with that.\n", None),
    Shape("prose with inline code", "Use `a + b` and `fn add()`.\n", None),
    Shape("other languages only", "```python\nprint(1)\n```\n", None),
    Shape("empty", "", None),
    Shape("empty block", "```rust\n```\n", None),
    Shape("only imports", rust("use std::fmt;\n"), None),
    Shape("NUL", rust("fn a() {}\0\n"), None),
    Shape("lone surrogate", rust("fn a() {} // \ud800\n"), None),
)


SIZE = 65_536

HOSTILE = {
    "parentheses": "fn f() {" + "(" * SIZE,
    "braces": "{" * SIZE,
    "brackets": "[" * SIZE,
    "balanced": "fn f() {" + "(" * (SIZE // 2 - 8) + ")" * (SIZE // 2 - 8) + "}",
    "angles": "fn f(x: " + "Vec<" * (SIZE // 4 - 4),
    "quotes": '"' * (SIZE // 4),
    "raw strings": 'r"' * (SIZE // 8),
    "hashes": "r#" * (SIZE // 2),
    "bytes": "b'" * (SIZE // 8),
    "comments": "/*" * (SIZE // 2),
    "sum": "fn f() { x" + "+x" * (SIZE // 2 - 8) + "}",
    "dots": "fn f() { x" + ".x" * (SIZE // 2 - 8) + "}",
    "functions": "fn f() {}\n" * (SIZE // 10),
    "nested functions": "fn f() {" * (SIZE // 8),
    "structs": "struct S { a: " * (SIZE // 14),
    "imports": "use " + "a::{" * (SIZE // 4 - 1),
    "flat import": "use a::{" + "b," * (SIZE // 2 - 6) + "};",
    "semicolons": ";" * SIZE,
    "questions": "?" * SIZE,
    "ranges": "fn f() {" + "a<b.." * (SIZE // 5 - 2),
    "macro": "a!{" * (SIZE // 3),
    "letters": "the quick brown fox doesn't " * (SIZE // 28),
    "fences": "```rust\nfn f() {}\n```\n" * (SIZE // 22),
    "unclosed fences": "```rust\n" * (SIZE // 8),
    "backticks": "`" * SIZE,
    "lines": "\n" * SIZE,
    "type aliases": "".join(f"type A{n} = (A{n + 1}, A{n + 1});\n" for n in range(60)) + "fn f(x: A0) {}\n",
    "parameters": "fn f(" + "a: u8, " * 9000 + ") {}",
    "generics": "fn f<" + "A, " * 20_000 + ">() {}",
    "variants": "enum E { " + "A, " * 20_000 + "}",
    "recursive types": "".join(f"struct S{n} {{ a: Vec<S{(n + 1) % 900}> }}\n" for n in range(900)) + "fn f(x: S0) {}",
    "surrogates": "\ud800" * 100,
    "NUL": "fn f() {}\0",
    "controls": "".join(map(chr, range(32))) * 100,
    "bidi": "fn f\u202e() {}\u2066",
    "wide": "𝔣" * (SIZE // 4),
    "unicode names": "fn é(ß: i32) -> i32 { ß }",
    "digits": "fn f() { " + "9" * 60_000 + "; }",
    "long line": "f(" + "1," * 30_000 + ") is 3",
    "calls": "f(1) is " * (SIZE // 8),
    "too long": "fn f() {}\n" * SIZE,
}
