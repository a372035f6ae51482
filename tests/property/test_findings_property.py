"""Reading answers: no text makes it fail, and the same text always gives the same program."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.findings.calling.wrappers import call_wrapper
from node.findings.checks.asker_tests import AskerTests, read_tests
from node.findings.checks.examples import CHECKS_MAX, checks_of, fitted
from node.findings.reading.extraction import extract
from node.findings.reading.grammar import BYTES_MAX, parse
from node.findings.reading.literals import literal_pool
from node.findings.reading.rust_types import Function
from node.findings.reading.signatures import choose_target
from protocol.messages import Turn
from protocol.types import TurnRole
from tests.support.rust_answers import SHAPES

TOKENS = (
    "fn", "f", "g", "(", ")", "{", "}", "[", "]", "<", ">", "->", "=>", ":", "::", ";", ",", "&", "mut", "'a", "'x'",
    "\"s\"", "struct", "S", "enum", "E", "impl", "for", "trait", "T", "where", "use", "std", "mod", "tests", "#", "!",
    "self", "let", "=", "1", "2.5", "u8", "Vec", "Option", "Box", "dyn", "Fn", "#[test]", "assert_eq!", "assert!",
    "macro_rules!", "unsafe", "async", "pub", "type", "const", "static", "//", "/*", "*/", "///", "\n", "\n```\n",
    "\n```rust\n", "```", "~~~", " is ", "returns", "HashMap", "Ordering", ">>> ", "|", "..", "r#\"", "\\", "\t",
    "\u00e9", "\u202e", "\r", "`",
)  # fmt: skip

tokens = st.lists(st.sampled_from(TOKENS), max_size=80).map(" ".join)
glued = st.lists(st.sampled_from(TOKENS), max_size=80).map("".join)
answers = st.sampled_from([shape.text for shape in SHAPES])


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """An answer with a stretch cut out and tokens put in."""
    text = draw(answers)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 30)))
    return text[:start] + draw(st.lists(st.sampled_from(TOKENS), max_size=4).map(" ".join)) + text[end:]


texts = st.one_of(tokens, glued, damaged(), st.text(max_size=200), tokens.map(lambda text: f"```rust\n{text}\n```\n"))
relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(texts)
def test_any_text_is_extracted_or_not_and_always_alike(text: str) -> None:
    source = extract(text)
    assert extract(text) == source
    if source is None:
        return
    assert len(source.text.encode()) <= BYTES_MAX
    assert source.text.strip()
    tree = parse(source.text)
    assert tree is not None
    if not tree.faulty:
        again = extract(source.text)
        assert again is not None
        assert again.text == source.text


@relaxed
@given(texts, texts, texts)
def test_what_follows_from_any_answers_never_fails(query: str, first: str, second: str) -> None:
    turns = [Turn(role=TurnRole.USER, text=query)]
    sources = [extract(first, turns), extract(second, turns)]
    assert extract(first, turns) == sources[0]
    target = choose_target(turns, sources, [1, 2])
    assert choose_target(turns, sources, [1, 2]) == target
    checks = checks_of(turns)
    assert len(checks) <= CHECKS_MAX
    pool = literal_pool(turns, sources)
    assert pool.text.count("\n") == len(pool.integers) + len(pool.texts)
    for source in sources:
        found = target.find(source) if target is not None and source is not None else None
        if found is not None and source is not None:
            assert call_wrapper(found, source) == call_wrapper(found, source)
            assert len(fitted(checks, found if isinstance(found, Function) else None)) <= CHECKS_MAX


@relaxed
@given(texts)
def test_any_file_of_tests_is_read_or_explained(text: str) -> None:
    tests = read_tests(text)
    if isinstance(tests, AskerTests):
        tree = parse(tests.text)
        assert tree is not None
        assert not tree.faulty
        assert tests.tests
    else:
        assert "\n" not in tests.reason
        assert tests.reason.isprintable()
