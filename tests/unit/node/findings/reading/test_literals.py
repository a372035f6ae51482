"""The pool of literals."""

from node.findings.reading.extraction import extract
from node.findings.reading.literals import QUERY_LITERALS_MAX, SHARED_LITERALS_MAX, literal_pool
from protocol.messages import Turn
from protocol.types import TurnRole


def ask(text: str) -> list[Turn]:
    return [Turn(role=TurnRole.USER, text=text)]


def test_numbers_and_texts_of_the_query() -> None:
    pool = literal_pool(
        ask("Given 42 or -7, return \"yes\", 'no' or `maybe`; `fn f(x)` and v1.2 are none. (It's.)"), []
    )
    assert pool.integers == (42, -7)
    assert pool.texts == ("yes", "no", "maybe", "()")


def test_literals_that_two_answers_use() -> None:
    first = extract('fn f() { a(1_000u64, 0xff, "ab", \'c\', "x\\ny", 1, "{}", r"raw"); }')
    second = extract('fn g() { b(1000, 255, "ab", \'c\', "x\\ny", 1, "{}", r"raw", "alone", 77); }')
    pool = literal_pool(ask("?"), [first, None, second])
    assert pool.integers == (255, 1000)
    assert pool.texts == ("ab", "c", "raw", "x\ny")


def test_the_pool_as_the_harness_reads_it() -> None:
    pool = literal_pool(ask('5 "a\\b" "c"'), [])
    assert pool.text == "i 5\ns a\\\\b\ns c\n"


def test_the_pool_is_bounded() -> None:
    many = " ".join(f'{number} "{number}x"' for number in range(1000, 3000))
    source = extract("fn f() { " + " ".join(f"a({number});" for number in range(5000, 7000)) + " }")
    pool = literal_pool(ask(many), [source, source])
    assert len(pool.integers) <= QUERY_LITERALS_MAX + SHARED_LITERALS_MAX
    assert len(pool.texts) <= QUERY_LITERALS_MAX + SHARED_LITERALS_MAX + 1
