"""Which audience holds, of those that request, model id, API key and face name."""

import pytest

from node.api.asking import Audience
from node.http.audience import resolve, split_model

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
