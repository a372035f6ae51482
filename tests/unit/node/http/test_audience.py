"""Which audience holds, of those that request, model id, API key and face name."""

import pytest

from node.api.asking import Audience
from node.config.tables import ApiKeyTable
from node.http.audience import resolve, split_model
from tests.support.asking import question_body
from tests.support.shown import TellingRounds, http_client, shown

TRUSTED, MEMBERS, PUBLIC = Audience


@pytest.mark.parametrize(
    ("requested", "model", "key", "resolved"),
    [
        (PUBLIC, MEMBERS, MEMBERS, PUBLIC),
        (None, MEMBERS, PUBLIC, MEMBERS),
        (None, None, PUBLIC, PUBLIC),
        (None, None, None, TRUSTED),
    ],
)
def test_the_request_decides_then_the_model_then_the_key_then_the_face(
    requested: Audience | None, model: Audience | None, key: Audience | None, resolved: Audience
) -> None:
    assert resolve(requested, model=model, key=key, default=TRUSTED) is resolved


@pytest.mark.parametrize(
    ("id", "name", "audience"),
    [
        ("strand-rust", "strand-rust", None),
        ("strand-rust:public", "strand-rust", PUBLIC),
        ("strand-rust:trusted", "strand-rust", TRUSTED),
        ("strand-rust:7b", "strand-rust:7b", None),
        ("strand-rust:", "strand-rust:", None),
        (":public", ":public", None),
        ("a:b:members", "a:b", MEMBERS),
    ],
)
def test_a_model_id_may_end_in_an_audience(id: str, name: str, audience: Audience | None) -> None:
    assert split_model(id) == (name, audience)


@pytest.mark.parametrize(
    ("token", "requested", "asked"),
    [
        ("editors", None, TRUSTED),
        ("editors", MEMBERS, MEMBERS),
        ("plain", None, None),
        ("plain", PUBLIC, PUBLIC),
    ],
)
async def test_a_question_has_the_audience_of_its_key_unless_it_names_one(
    token: str, requested: Audience | None, asked: Audience | None
) -> None:
    """None: the configuration's holds."""
    rounds, keys = TellingRounds(), {"plain": "plain", "editors": ApiKeyTable("editors", TRUSTED)}
    async with http_client(shown(rounds=rounds), keys=keys) as http:
        body = question_body("Sum a slice.", **({} if requested is None else {"audience": requested}))
        await http.post("/api/ask", json=body, headers={"Authorization": f"Bearer {token}"})
    assert [question.audience for question in rounds.asked] == [asked]
