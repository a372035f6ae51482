"""The history of a running swarm: who got a text that is not published, and the round as a member knows it."""

from __future__ import annotations

import trio

from node.api.asking import Audience, Question
from node.api.rounds import RoundDetail
from node.client import RefusedError, connect, follow
from tests.e2e.conftest import RunningSwarm
from tests.support.processes import PATIENCE_S


async def test_a_round_says_who_got_its_text_and_why_its_answer_won(swarm: RunningSwarm) -> None:
    question = Question.single("Reverse a string without another one.", audience=Audience.MEMBERS)
    with trio.fail_after(PATIENCE_S):
        async with connect(swarm.url) as client:
            followed = await follow(client, question)
            detail = await client.round(followed.query_id)
            page = await client.rounds(search="reverse a STRING")
    assert detail.ours and detail.round in page.rounds
    assert detail.conversation == question.turns
    assert detail.received == tuple(sorted(detail.members)), "all work with it, so all have it"
    certificate = detail.certificate
    assert certificate is not None and certificate.answers[0].text == followed.answer
    assert {pair.judge for pair in certificate.ballots} <= set(detail.members)
    assert [seat.member for seat in certificate.seats] == list(detail.members)


async def test_a_member_shows_the_round_of_another_from_its_certificate(swarm: RunningSwarm) -> None:
    """As soon as it has fetched it; the text of a private query is not in it."""
    question = Question.single("Sort three numbers.", audience=Audience.MEMBERS)
    with trio.fail_after(PATIENCE_S):
        async with connect(swarm.url) as client, connect(swarm.urls[1]) as member:
            followed = await follow(client, question)
            shown = await client.round(followed.query_id)
            known: RoundDetail | None = None
            while known is None:
                try:
                    known = await member.round(followed.query_id)
                except RefusedError:
                    await trio.lowlevel.checkpoint()
            (held,) = [
                each for each in (await member.certificates()).certificates if each.query_id == followed.query_id
            ]
    assert not known.ours and known.conversation == () and not held.ours
    assert (known.certificate, known.answer) == (shown.certificate, shown.answer)
