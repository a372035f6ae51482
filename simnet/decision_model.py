"""A node's decisions about a round's texts: its model according to the oracle, changed by its behaviour.

Both layers call these functions, so that they commit to the same bytes and count the same preferences.
"""

from collections.abc import Iterable, Sequence

from protocol.messages import AnswerContent, BallotEntry, Findings
from protocol.types import ABSTAIN, FindingKind
from simnet.oracle import SimQuestion, content_of
from simnet.plan import Plan


def write(plan: Plan, question: SimQuestion, node: int) -> AnswerContent | None:
    """Return the content to which the node commits; None: none."""
    chosen = plan.behaviours[node].answer(question, plan.oracle.answer(question, node))
    return None if chosen is None else content_of(chosen)


def prefer(plan: Plan, question: SimQuestion, node: int, first: str, second: str) -> int:
    """Return the node's preference for the first text, 0 to ONE; it abstains on texts that no model wrote."""
    oracle = plan.oracle
    one, other = oracle.candidate(question, first), oracle.candidate(question, second)
    if one is None or other is None:
        return ABSTAIN
    return plan.behaviours[node].prefer(question, one, other, oracle.preference(question, node, one, other))


def judge(
    plan: Plan, question: SimQuestion, node: int, texts: Sequence[str], pairs: Iterable[tuple[int, int]]
) -> tuple[BallotEntry, ...]:
    """Return the node's judgements of these pairs of texts."""
    return tuple(
        BallotEntry(
            first=first,
            second=second,
            preference=prefer(plan, question, node, texts[first], texts[second]),
        )
        for first, second in pairs
    )


def run_tests(
    plan: Plan,
    question: SimQuestion,
    node: int,
    texts: Sequence[str],
    assigned: Iterable[int],
    asked: tuple[FindingKind, bytes],
) -> tuple[Findings, ...]:
    """Return the node's findings about these answers.

    Args:
        plan: the world's.
        question: what was asked.
        node: the tester's number.
        texts: all answers, in the order of the slate.
        assigned: positions of the answers to report on.
        asked: the findings that the query asks for, and the round's seed.
    """
    testers = plan.oracle.honest_testers(question, *asked)
    found = []
    for answer in assigned:
        candidate = plan.oracle.candidate(question, texts[answer])
        own = testers.findings(node, answer, None if candidate is None else candidate.program)
        found.append(plan.behaviours[node].report(question, candidate, own))
    return tuple(found)
