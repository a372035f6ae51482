"""Extraction: one program from an answer, in every form in which models write it."""

import os
import subprocess
import sys
from hashlib import blake2b
from importlib.metadata import version

import pytest

from node.findings.reading.extraction import EXTRACTOR_VERSION, extract
from node.findings.reading.grammar import BYTES_MAX
from tests.support.rust_answers import ADD, HOSTILE, SHAPES, Shape, rust

shapes = pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])


@shapes
def test_shapes(shape: Shape) -> None:
    source = extract(shape.text)
    if shape.functions is None:
        assert source is None
        return
    assert source is not None
    assert tuple(function.name for function in source.functions) == shape.functions
    for part in shape.holds:
        assert part in source.text
    for part in shape.lacks:
        assert part not in source.text


@shapes
def test_extracting_again_changes_nothing(shape: Shape) -> None:
    source = extract(shape.text)
    assert source is None or extract(source.text) == source


def test_a_source_names_its_digest() -> None:
    source = extract(rust(ADD))
    assert source is not None
    assert source.digest == blake2b(source.text.encode(), digest_size=16).digest()
    assert source.text == ADD


def test_what_a_source_tells() -> None:
    source = extract(
        rust(
            """
extern crate serde;
use rand::Rng;
mod shapes;
mod inner { pub fn hidden() {} }
struct P { x: i32 }
enum E { A(P), B }
unsafe fn raw() { unsafe { inner::hidden() } }
unsafe impl Send for P {}
fn helper() { rand::random() }
fn top() { helper() }
fn main() { top() }
#[tokio::main]
async fn other() {}
#[test]
fn works() {}
#[cfg(test)]
mod tests { mod deep { #[test] fn too() {} } #[test] #[ignore] fn also() {} fn not() {} }
type F = unsafe fn();
"""
        )
    )
    assert source is not None
    assert [function.name for function in source.functions] == ["raw", "helper", "top", "other"]
    assert source.helpers == {"helper"}
    assert [each.name for each in source.structures] == ["P"]
    assert [each.name for each in source.enumerations] == ["E"]
    assert source.tests == ("works", "tests::also", "tests::deep::too")
    assert source.unsafe_count == 3
    assert source.uses_crates == ("rand", "serde", "tokio")
    assert source.missing_modules == ("shapes",)
    assert not source.self_contained


@pytest.mark.parametrize(
    ("program", "path"),
    [
        ("fn f(x: &str) -> Rc<RefCell<i32>> { todo!() }", "std::rc::Rc"),
        ("fn f(x: &str) -> Rc<RefCell<i32>> { todo!() }", "std::cell::RefCell"),
        ('fn f() { println!("{:?}", BTreeMap::<u8, u8>::new()); }', "std::collections::BTreeMap"),
        ("fn f() -> i32 { let v = vec![VecDeque::from([1])]; 0 }", "std::collections::VecDeque"),
        (
            "struct S; impl fmt::Display for S { fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { todo!() } }",
            "std::fmt",
        ),
        ("struct S; impl Add for S { type Output = S; fn add(self, o: S) -> S { self } }", "std::ops::Add"),
        (
            "struct S; impl FromStr for S { type Err = (); fn from_str(s: &str) -> Result<S, ()> { Ok(S) } }",
            "std::str::FromStr",
        ),
        ("fn f(a: i32) -> i32 { max(a, 3) }", "std::cmp::max"),
        ("fn f(a: i32) -> bool { matches!(a.cmp(&3), Ordering::Less) }", "std::cmp::Ordering"),
        ("fn f(a: AtomicUsize) { a.load(Ordering::SeqCst); }", "std::sync::atomic::Ordering"),
        ("fn f() { thread::spawn(|| {}); }", "std::thread"),
        ("mod t { use super::*; fn f() -> HashSet<u8> { HashSet::new() } }", "std::collections::HashSet"),
    ],
)
def test_a_forgotten_import_is_added(program: str, path: str) -> None:
    source = extract(rust(program + "\n"))
    assert source is not None
    assert f"#[allow(unused_imports)] use {path};\n" in source.text
    assert program in source.text


@pytest.mark.parametrize(
    "program",
    [
        "struct HashMap; fn f() -> HashMap { HashMap }",
        "use my::HashMap; fn f(x: HashMap) {}",
        "fn f(x: std::collections::HashMap<u8, u8>) {}",
        "use std::collections; fn f(x: collections::HashMap<u8, u8>) {}",
        "use std::fmt::{self, Display}; fn f(x: fmt::Error, y: impl Display) {}",
        "#[derive(Debug, Hash)] struct S;",
        "enum Op { Add, Sub } use Op::*; fn f(o: Op) -> i32 { match o { Add => 1, Sub => 2 } }",
        "fn f<Add>(x: Add) {}",
        "fn f(x: i32) -> i32 { x.max(3) }",
        "mod m { use std::rc::Rc; fn f(x: Rc<u8>) {} }",
        "fn f(x: Error) -> Result<(), Error> { Ok(()) }",
        "use std::cmp::Ordering as O; fn f(x: O) {}",
    ],
)
def test_no_import_is_added_for_what_is_resolved_or_ambiguous(program: str) -> None:
    source = extract(rust(program + "\n"))
    assert source is not None
    assert source.text == program + "\n"


def test_own_modules_are_no_crates() -> None:
    source = extract(
        rust("mod shapes { pub fn a() {} }\nuse shapes::a;\nfn f() { shapes::a(); i32::max(1, 2); u8::MAX; a() }\n")
    )
    assert source is not None
    assert source.uses_crates == ()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_read_or_refused(name: str) -> None:
    for text in (HOSTILE[name], rust(HOSTILE[name][: BYTES_MAX - 20])):
        source = extract(text)
        assert source is None or len(source.text.encode()) <= BYTES_MAX


def test_aliases_that_double_each_other_stay_small() -> None:
    source = extract(HOSTILE["type aliases"])
    assert source is not None
    assert len(repr(source.functions)) < 100_000


_PROGRAM = """
import sys
from node.findings.checks.asker_tests import read_tests
from node.findings.checks.examples import checks_of
from node.findings.reading.extraction import extract
from node.findings.reading.literals import literal_pool
from node.findings.reading.signatures import choose_target
from node.findings.calling.wrappers import call_wrapper
from protocol.messages import Turn
from protocol.types import TurnRole
from tests.support.rust_answers import SHAPES
found = []
for first, second in zip(SHAPES, SHAPES[1:]):
    turns = [Turn(role=TurnRole.USER, text=first.text or "?")]
    sources = [extract(shape.text, turns) for shape in (first, second)]
    target = choose_target(turns, sources, [1, 2])
    found.append((target, literal_pool(turns, sources), checks_of(turns), read_tests(first.text)))
    for source in sources:
        if source is not None:
            function = target.find(source) if target is not None else None
            wrapper = None if function is None else call_wrapper(function, source)
            found.append((source.digest.hex(), source.tests, source.uses_crates, sorted(source.helpers), wrapper))
sys.stdout.buffer.write(repr(found).encode(errors="backslashreplace"))
"""

_PATH = os.pathsep.join(path for path in sys.path if path)


def test_the_same_bytes_under_every_hash_seed_and_locale() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-P", "-c", _PROGRAM],
            env={
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "PYTHONHASHSEED": seed,
                "LC_ALL": locale,
            },
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale in (("0", "C"), ("1", "C.UTF-8"), ("4711", "POSIX"))
    }
    assert len(outputs) == 1
    assert outputs != {b""}


def test_this_extractor_version_gives_these_bytes_with_this_grammar() -> None:
    """Testers of one version must extract alike: a change here, of ours or of a library, asks for a new version."""
    state = blake2b(digest_size=16)
    for shape in SHAPES:
        source = extract(shape.text)
        state.update(b"none" if source is None else source.digest)
    for name in HOSTILE:
        source = extract(rust(HOSTILE[name][:2000]))
        state.update(b"none" if source is None else source.digest)
    assert (EXTRACTOR_VERSION, version("tree-sitter"), version("tree-sitter-rust")) == (1, "0.26.1", "0.24.2")
    assert state.hexdigest() == "5569b3f2aa6dabb41622a69f8cc05e6d"
