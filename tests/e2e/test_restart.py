"""What a node still knows after SIGKILL (R12). The test's own peer asks, so that it sees every byte."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import trio

from consensus.certificates.record import RoundRecord, commit_to, open_record
from node.local.nodes import NodeSpec, start_node
from node.local.swarm import SCRIPTED
from protocol.messages import Answer, CloseCommits, Commit, Commitment
from protocol.signing import seal
from tests.integration.overlay.world import subscribers, until
from tests.support.processes import Shell
from tests.support.requester import ME, PARAMS, TOPIC, Requester, kill, kill_after_its_commit, overlay_of, query_to


async def test_a_killed_daemon_keeps_its_key_and_its_certificates(shell: Shell, tmp_path: Path) -> None:
    spec = NodeSpec(tmp_path / "node", SCRIPTED)
    async with AsyncExitStack() as stack:
        before = await start_node(spec, stack)
        # Alone it can decide nothing, but what it finds is certified.
        ask = partial(shell.strand, "ask", "Alone?", "--json", "--url", before.url, "--out", tmp_path / "alone.strand")
        asked = await trio.to_thread.run_sync(ask)
        assert (asked.code, asked.json["outcome"]) == (0, "degraded")
        await kill(before)
        after = await start_node(spec, stack)
        assert after.key == before.key
        show = partial(shell.strand, "show", asked.json["query_id"], "--json", "--url", after.url)
        shown = await trio.to_thread.run_sync(show)
        assert shown.code == 0
        both = asked.json.keys() & shown.json.keys()
        assert {key: shown.json[key] for key in both} == {key: asked.json[key] for key in both}
        assert "winner" in both


async def test_a_member_killed_after_its_commit_repeats_it_and_opens(tmp_path: Path) -> None:
    requester = Requester()
    async with overlay_of(requester) as overlay, AsyncExitStack() as stack:
        spec = NodeSpec(tmp_path / "node", SCRIPTED, overlay.addresses()[:1])
        before = await start_node(spec, stack)
        query, commit, raw = await kill_after_its_commit(before, overlay, requester)

        requester.chain = (query,)
        after = await start_node(spec, stack)
        assert after.key == before.key
        assert await requester.contribution(Commit, 1) == (commit, raw)

        await until(lambda: bytes.fromhex(after.key) in subscribers(overlay, TOPIC))
        listed = Commitment(member=commit.author, commitment=commit.commitment)
        closing = CloseCommits(
            author=ME.public, query=query.id, prev=query.id, commitments=(listed,), declines=(), ride_along=()
        )
        await overlay.publish(TOPIC, seal(ME, PARAMS.digest, closing).envelope)
        answer, _ = await requester.contribution(Answer)
        record = open_record(PARAMS, query)
        assert isinstance(record, RoundRecord)
        assert commit_to(record, answer.author, answer.content, answer.salt) == commit.commitment


async def test_a_query_replayed_after_a_restart_is_refused(tmp_path: Path) -> None:
    requester = Requester()
    async with overlay_of(requester) as overlay, AsyncExitStack() as stack:
        spec = NodeSpec(tmp_path / "node", SCRIPTED, overlay.addresses()[:1])
        before = await start_node(spec, stack)
        old, _, _ = await kill_after_its_commit(before, overlay, requester)

        # It asks for the chain of the round it was in; it gets none, so it can only stay silent.
        await start_node(spec, stack)
        await requester.pull()
        new = await query_to(overlay, requester, before)
        await overlay.publish(TOPIC, old.envelope)
        await overlay.publish(TOPIC, new.envelope)
        commit, _ = await requester.contribution(Commit, 1)
        # Messages of one author come in order: the replayed query was looked at before the new one.
        assert commit.query == new.id
        assert requester.commits_to(old.id) == 1
