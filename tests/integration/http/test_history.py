"""The history of a whole node: a round that was asked over HTTP is listed, shown and found again after a restart."""

from __future__ import annotations

from pathlib import Path

import trio

from node.api.asking import Audience, Question
from node.client import connect
from node.client.rounds import follow
from tests.support.http_server import PATIENCE_S, open_api


async def test_a_round_is_listed_shown_and_found_after_a_restart(tmp_path: Path) -> None:
    with trio.fail_after(PATIENCE_S):
        async with open_api(tmp_path) as api, connect(api.url) as client:
            question = Question.single("Sum a slice.", audience=Audience.MEMBERS, answer_ms=2_000, judge_ms=2_000)
            await client.wait_offers(1, PATIENCE_S)
            followed = await follow(client, question)
        async with open_api(tmp_path) as api, connect(api.url) as client:
            (found,) = (await client.rounds(search="SUM A")).rounds
            assert (await client.rounds(search="product")).rounds == ()
            detail = await client.round(followed.query_id)
    assert (found.query_id, found.ending, found.certified) == (followed.query_id, "finished", True)
    assert (found.text, found.turns) == ("Sum a slice.", 1)
    assert detail.round == found and detail.ours
    assert detail.conversation == question.turns and detail.answer == followed.answer
    assert detail.received == detail.members, "the node itself is the only member"
    assert detail.timings_ms == followed.timings_ms
    assert detail.proof is not None and [each.text for each in detail.proof.answers] == [followed.answer]
