"""What a query may ask: every refusal is one line, before anything is sent."""

import pytest

from node.api.asking import Question
from node.api.conversation import Turn
from node.rounds.asking.errors import AskError
from protocol.conversation import digest_of
from protocol.limits import TURNS_MAX
from protocol.types import TurnRole
from tests.unit.node.rounds.asking.test_readers import builder

ASKS = Turn(TurnRole.USER, "Which?")
ANSWERS = Turn(TurnRole.ASSISTANT, "This.")
RULES = Turn(TurnRole.SYSTEM, "Be brief.")


@pytest.mark.parametrize(
    ("turns", "line"),
    [
        ((), "the query is empty"),
        ((Turn(TurnRole.USER, " \n"),), "the query is empty"),
        ((ASKS, Turn(TurnRole.ASSISTANT, ""), ASKS), "turn 2 is empty"),
        ((ASKS, ANSWERS), "the last turn must be the user's, which asks; here it is the assistant's"),
        ((ASKS, RULES), "the last turn must be the user's, which asks; here it is the system's"),
        ((ASKS,) * (TURNS_MAX + 1), f"the conversation has {TURNS_MAX + 1} turns; a query takes {TURNS_MAX}"),
        (
            (Turn(TurnRole.USER, "x" * 4_000), ANSWERS, Turn(TurnRole.USER, "x" * 92)),
            "the query has 4097 bytes; this network takes 4096",
        ),
    ],
)
async def test_what_a_query_may_not_ask(turns: tuple[Turn, ...], line: str) -> None:
    with pytest.raises(AskError) as refused:
        builder("a").build(Question(turns))
    assert str(refused.value) == line


async def test_a_query_carries_all_turns_in_their_order() -> None:
    query = builder("a").build(Question((RULES, ASKS, ANSWERS, ASKS)))
    assert [(turn.role, turn.text) for turn in query.turns] == [
        (turn.role, turn.text) for turn in (RULES, ASKS, ANSWERS, ASKS)
    ]
    assert query.content_digest == digest_of(query.turns)
