"""What the query gives and the answer leaves out."""

from node.findings.reading.extraction import Source, extract
from protocol.messages import Turn
from protocol.types import TurnRole

QUERY = """Given

```rust
use std::collections::HashMap;
use std::rc::Rc;
use geometry::Shape;

/// A point.
#[derive(Debug, Clone)]
pub struct Point { x: i32, y: Unit }

pub struct Unit(i32);

struct Other;

impl Point {
    fn new() -> Point { helper() }
    fn old() {}
}

impl Default for Point {
    fn default() -> Point { Point::new() }
}

fn helper() -> Point { todo(HashMap::new()) }

fn todo(m: HashMap<i32, i32>) -> Point { loop {} }

fn norm(p: &Point) -> i32 { todo!() }

fn main() { norm(&Point::new()); }

#[cfg(test)]
mod tests { fn t() {} }
```

write `norm`.
"""


def completed(answer: str, query: str = QUERY) -> Source:
    source = extract(f"```rust\n{answer}\n```\n", [Turn(role=TurnRole.USER, text=query)])
    assert source is not None
    return source


def test_a_type_comes_with_what_it_needs() -> None:
    source = completed("fn norm(p: &Point) -> i32 { p.x }")
    assert [each.name for each in source.structures] == ["Point", "Unit"]
    assert [each.name for each in source.functions] == ["helper", "todo", "norm"]
    assert "/// A point.\n#[derive(Debug, Clone)]\npub struct Point" in source.text
    assert "use std::collections::HashMap;" in source.text
    assert "impl Default for Point" in source.text
    for absent in ("geometry", "Other", "main", "tests", "todo!", "Rc"):
        assert absent not in source.text
    assert source.self_contained


def test_the_answers_own_items_win() -> None:
    source = completed("impl Point { fn new() -> Point { loop {} } }\nfn norm(p: &Point) -> i32 { p.x }")
    assert source.text.count("fn new()") == 1
    assert "fn new() -> Point { loop {} }" in source.text
    assert "fn old()" in source.text


def test_an_answer_that_repeats_all_stays_as_it_is() -> None:
    answer = "struct Point { x: i32 }\nfn norm(p: &Point) -> i32 { p.x }"
    assert completed(answer).text == answer + "\n"


def test_an_answer_that_needs_nothing_stays_as_it_is() -> None:
    assert completed("fn norm(p: i32) -> i32 { p }").text == "fn norm(p: i32) -> i32 { p }\n"
    assert completed("fn norm(p: &Point) -> i32 { 1 }", "No code here.").text == "fn norm(p: &Point) -> i32 { 1 }\n"


def test_a_faulty_answer_stays_as_it_is() -> None:
    assert completed("fn norm(p: &Point -> i32 { 1 }").text == "fn norm(p: &Point -> i32 { 1 }\n"


def test_only_the_latest_turn_of_the_asker_with_code_gives() -> None:
    turns = [
        Turn(role=TurnRole.USER, text="```rust\nstruct A;\n```"),
        Turn(role=TurnRole.ASSISTANT, text="```rust\nstruct B;\n```"),
        Turn(role=TurnRole.USER, text="And now?"),
    ]
    source = extract("```rust\nfn f(a: A, b: B) {}\n```", turns)
    assert source is not None
    assert [each.name for each in source.structures] == ["A"]


def test_names_that_mean_something_already_are_not_taken_from_the_query() -> None:
    query = "```rust\ntype Result = u8;\nstruct Rc;\nconst x: u8 = 1;\nstruct Mine;\n```"
    answer = "use std::rc::Rc;\nfn f(x: Rc<u8>) -> Result<u8, u8> { let x = 1; Ok(x) }"
    assert completed(answer, query).text == answer + "\n"


def test_a_type_that_the_query_implements_and_nobody_defines_holds_nothing() -> None:
    stub = "impl Solution {\n    pub fn double(x: i32) -> i32 {\n    }\n}"
    answer = "impl Solution { pub fn double(x: i32) -> i32 { 2 * x } }"
    source = completed(answer, f"Complete:\n```rust\n{stub}\n```\n")
    assert source.text == f"pub struct Solution;\n\n{answer}\n"
    own = f"struct Solution;\n{answer}"
    assert completed(own, f"Complete:\n```rust\n{stub}\n```\n").text == own + "\n"
