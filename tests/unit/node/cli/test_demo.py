"""What `strand demo` tells at its end."""

from node.cli.demo import took


def test_times_are_told_in_words() -> None:
    told = took({"answering": 1_240, "to_answer": 2_000, "total": 3_000})
    assert told == "took answering 1.2 s, until the answer 2.0 s, in all 3.0 s"
