"""The history of a whole node: a round that was asked over HTTP is listed, shown and found again after a restart."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import trio

from consensus.certificates.steps import StepState
from node.api.asking import Question
from node.api.conversation import Audience
from node.api.events import Asked, Certified, Decided, Ended, EventsMissed, Joined, Progress, StreamedEvent
from node.api.replays import ReplaySource
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
            (held,) = (await client.certificates()).certificates
            verified = await client.verify(await client.certificate(followed.query_id))
            broken = await client.verify(followed.certificate[:-1])
            queue = await client.queue()
            replay = await client.replay(followed.query_id)
            answers = await client.answers(followed.query_id)
            rebuilt = await client.replay_certificate(followed.certificate)
            own = await client.node_reputation(detail.members[0])
    assert (found.query_id, found.ending, found.certified) == (followed.query_id, "finished", True)
    assert (found.text, found.turns) == ("Sum a slice.", 1)
    assert detail.round == found and detail.ours
    assert detail.conversation == question.turns and detail.answer == followed.answer
    assert detail.received == detail.members, "the node itself is the only member"
    assert detail.timings_ms == followed.timings_ms
    assert detail.certificate is not None and [each.text for each in detail.certificate.answers] == [followed.answer]
    assert (held.query_id, held.ours, held.bytes) == (found.query_id, True, len(followed.certificate))
    assert verified.valid and verified.report is not None
    assert verified.report.winner.text == followed.answer
    assert not broken.valid and broken.report is None and broken.reason
    assert (queue.running, queue.waiting) == ((), ())
    assert (replay.source, rebuilt.source) == (ReplaySource.EVENTS, ReplaySource.CERTIFICATE)
    assert isinstance(replay.events[0], Asked) and isinstance(replay.events[-1], Ended)
    assert replay.events[-1].at_ms == followed.timings_ms["total"]
    assert [each.text for each in answers.answers] == [followed.answer]
    assert replay.answers == rebuilt.answers == answers.answers
    assert {each.state for each in verified.steps} == {StepState.PASSED}
    assert [each.query_id for each in own.rounds] == [followed.query_id] and own.rounds[0].ours


async def test_a_round_is_followed_by_a_stream_that_breaks_and_goes_on(tmp_path: Path) -> None:
    """Given a reader whose connection breaks after each event, then it reads every event of the round once."""
    question = Question.single("Sum a slice.", answer_ms=2_000, judge_ms=2_000)
    told: list[StreamedEvent] = []
    last_id = ""
    with trio.fail_after(PATIENCE_S):
        async with open_api(tmp_path) as api, connect(api.url) as client, aclosing(client.events()) as first:
            await client.wait_offers(1, PATIENCE_S)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow, client, question)
                last_id, event = await anext(first)
                told.append(event)
                while not (isinstance(event, Ended) and event.role == "requester"):
                    async with aclosing(client.events(last_id=last_id)) as events:
                        last_id, event = await anext(events)
                        told.append(event)
            history = await client.rounds()
    assert isinstance(told[0], Asked) and told[0].turns == question.turns
    numbers = [event.seq for event in told if not isinstance(event, EventsMissed)]
    assert numbers == list(range(numbers[0], numbers[0] + len(told))), "nothing twice, nothing missed"
    assert {type(event) for event in told} >= {Asked, Joined, Progress, Decided, Certified, Ended}
    assert history.rounds[0].query_id == told[0].query_id
