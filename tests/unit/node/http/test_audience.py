"""Which audience holds, of those that request, model id, API key and face name."""

import pytest

from node.api.conversation import Audience
from node.config.tables import ApiKeyTable
from node.http.audience import resolve
from node.http.openai.models import model, named_audience
from node.http.replies import RefusedError
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


@pytest.mark.parametrize("audience", [None, *Audience])
def test_a_model_id_may_end_in_an_audience(audience: Audience | None) -> None:
    id = "strand-c:++" if audience is None else f"strand-c:++:{audience}"
    assert named_audience(id, "c:++") is audience
    assert model(id, "c:++", MEMBERS).strand.audience is (audience or MEMBERS)


@pytest.mark.parametrize("id", ["", "strand-rust:7b", "strand-rust:", ":public", "strand-go:public"])
def test_another_id_is_no_model(id: str) -> None:
    with pytest.raises(RefusedError, match="this node has strand-rust, strand-rust:trusted"):
        named_audience(id, "rust")


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
