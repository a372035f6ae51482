"""Four nodes that know each other, and strangers that flood them with queries: what becomes of honest rounds.

`PYTHONPATH=. python -P -m tests.soak.query_flood [--rounds N] [--cases one-key,many-keys,...]` prints one line of JSON
a case: median seconds of an honest round, how many decided, and a node's share of a core. Nodes run on one CPU and the
attacker on another where there are two. Bounded: four nodes with scripted engines and one attacker, some minutes.
"""

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import trio

from consensus.ranking.judges import FRESH
from node.config import load_params
from node.inference import EngineConfig
from node.keys import load_or_create_key
from node.local.nodes import Child, NodeSpec
from node.local.swarm import open_swarm
from node.overlay import OverlayConfig, open_overlay
from node.rounds.inbound import PROTOCOLS
from protocol.conversation import digest_of, single
from protocol.errors import Verdict
from protocol.messages import Query, Seat
from protocol.signing import Keypair, seal
from protocol.topics import topic
from protocol.types import ONE, Key, Role, TaskType
from tests.support.asking import question_body
from tests.support.findings import NOTHING

NODES = 4
LATENCY_MS = 100
"""of one call of an engine: a round of four takes a second or two."""

CASES: dict[str, dict[str, Any]] = {
    "one-key": {"per_s": 50, "keys": 1},
    "many-keys": {"per_s": 50, "keys": 50},
    "large": {"per_s": 50, "keys": 50, "content_bytes": 32_000, "seats": 64},
    "place-fill": {"per_s": 16, "keys": 4, "volley": 16},
}
"""Queries a second, keys that sign them in turn, bytes of their text, seats of their rosters (5 kB for 64), and how
many are sent in all."""

ROUND_S = 60.0
"""seconds after which an honest round counts as lost."""

WARM_S = 5.0
"""seconds of flood before the first honest round that is measured."""


class Sink:
    """The attacker's handlers: takes everything, acknowledges every contribution, answers nothing."""

    def on_gossip(self, _topic: str, _source: bytes, _data: bytes) -> Verdict:
        return Verdict.IGNORE

    def on_peer(self, _peer: bytes, _connected: bool) -> None:
        pass

    async def on_request(self, _protocol: str, _source: bytes, _payload: bytes) -> bytes:
        return b""


async def attack(addresses: list[str], victims: list[Key], case: dict[str, Any], seconds: float) -> None:
    """Flood. Frames are signed by the keys of their queries, whoever's connection they come over."""
    from libp2p.crypto.ed25519 import create_new_key_pair
    from libp2p.peer.id import ID
    from libp2p.pubsub.pb import rpc_pb2
    from libp2p.pubsub.validators import PUBSUB_SIGNING_PREFIX

    params = load_params("devnet")
    on = topic(params, "rust", 0)
    seeds = [secrets.token_bytes(32) for _ in range(case["keys"])]
    pairs = [(Keypair(seed), create_new_key_pair(seed)) for seed in seeds]
    config = OverlayConfig(listen=("/ip4/127.0.0.1/tcp/0",), bootstrap=tuple(addresses), protocols=PROTOCOLS)
    async with open_overlay(seeds[0], config, Sink()) as overlay:
        await overlay.subscribe(on)
        with trio.fail_after(30):
            while sum(peer.connected for peer in overlay.peers()) < len(addresses):  # noqa: ASYNC110 - no event says so
                await trio.sleep(0.1)
        await trio.sleep(2)
        began_s, sent, pubsub = trio.current_time(), 0, overlay._pubsub
        print("flooding", flush=True)
        while trio.current_time() - began_s < seconds and sent < case.get("volley", 1 << 30):
            keypair, libp2p_pair = pairs[sent % len(pairs)]
            query = query_of(keypair, victims, case)
            message = rpc_pb2.Message(
                data=seal(keypair, params.digest, query).envelope,
                topicIDs=[on],
                from_id=ID.from_pubkey(libp2p_pair.public_key).to_bytes(),
                seqno=secrets.token_bytes(8),
            )
            message.signature = libp2p_pair.private_key.sign(
                PUBSUB_SIGNING_PREFIX.encode() + message.SerializeToString()
            )
            message.key = libp2p_pair.public_key.serialize()
            await pubsub.push_msg(pubsub.my_id, message)
            sent += 1
            await trio.sleep_until(began_s + sent / case["per_s"])
        await trio.sleep(max(0.0, began_s + seconds - trio.current_time()))


def query_of(keypair: Keypair, victims: list[Key], case: dict[str, Any]) -> Query:
    """A query that seats every victim, with budgets as long as the network allows."""
    text = secrets.token_hex(16) + "x" * case.get("content_bytes", 100)
    honest, inverse, coin, partisan = FRESH
    fillers = [Key(number.to_bytes(32, "big")) for number in range(case.get("seats", 0) - len(victims))]
    seats = [
        Seat(
            member=key,
            roles=Role.ANSWER | Role.JUDGE,
            vote_weight=ONE,
            judge_weight=ONE,
            author_weight=0,
            honest=honest,
            inverse=inverse,
            coin=coin,
            tool_versions="",
            partisan=partisan,
        )
        for key in sorted([*victims, *fillers])
    ]
    return Query(
        author=keypair.public,
        specialty="rust",
        shard=0,
        task=TaskType.CODE,
        turns=single(text),
        content_digest=digest_of(single(text)),
        max_tokens=4_096,
        answer_ms=600_000,
        open_ms=600_000,
        judge_ms=600_000,
        cosign_ms=600_000,
        patience_ms=30_000,
        waves=(3,),
        threshold=ONE,
        calibration_intercept=0,
        calibration_slope=ONE,
        calibration_findings=0,
        confidence_min=0,
        beta=ONE // 2,
        tau_u=ONE,
        tau_v=ONE // 2,
        futility=0,
        findings=NOTHING,
        sent_at_ms=round(time.time() * 1000),
        nonce=secrets.token_bytes(32),
        roster=tuple(seats),
    )


@contextmanager
def attacker(swarm: list[Child], case: dict[str, Any], seconds: float) -> Iterator[None]:
    """A process of its own that floods."""
    told = {"addresses": [child.addresses[0] for child in swarm], "victims": [child.key for child in swarm]}
    command = [sys.executable, "-P", "-m", "tests.soak.query_flood", "--attack"]
    command += [json.dumps({**told, "case": case, "seconds": seconds})]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        _pin(process.pid, 1)
        assert process.stdout is not None
        assert process.stdout.readline() == b"flooding\n"
        try:
            yield
        finally:
            process.kill()


async def ask(url: str) -> tuple[str, float]:
    """One honest round: its outcome, and seconds until it was told."""
    began_s = time.monotonic()
    body = question_body(f"Reverse a list. {secrets.token_hex(8)}")
    timeout = httpx2.Timeout(ROUND_S)
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        with trio.move_on_after(ROUND_S):
            async with http.stream("POST", "/api/ask", json=body, timeout=timeout) as response:
                async for line in response.aiter_lines():
                    event = msgspec.json.decode(line)
                    if event["event"] == "decided":
                        return event["outcome"], time.monotonic() - began_s
                    if "error" in event:
                        return event["error"], time.monotonic() - began_s
    return "none", time.monotonic() - began_s


async def measure(swarm: list[Child], rounds: int) -> dict[str, Any]:
    """Rounds one after the other, and what the nodes spend meanwhile."""
    before, began_s = [_cpu_s(child.process.pid) for child in swarm], time.monotonic()
    waited_before = sum(_waited_s(child.process.pid) for child in swarm)
    asked = []
    for number in range(rounds):
        asked.append(await ask(swarm[number % len(swarm)].url))
        await trio.sleep(0.2)
    spent_s = time.monotonic() - began_s
    after = [_cpu_s(child.process.pid) for child in swarm]
    waited_s = sum(_waited_s(child.process.pid) for child in swarm) - waited_before
    return {
        "decided": sum(outcome == "decided" for outcome, _ in asked),
        "rounds": rounds,
        "median_s": round(statistics.median(seconds for _, seconds in asked), 2),
        "worst_s": round(max(seconds for _, seconds in asked), 2),
        "node_cpu_share": round(sum(b - a for a, b in zip(before, after, strict=True)) / spent_s / len(swarm), 3),
        # Above some hundredths the machine has too little CPU for the figures to say anything about the flood alone.
        "node_cpu_wait_share": round(waited_s / spent_s / len(swarm), 3),
    }


async def main(rounds: int, cases: list[str], friends: bool) -> None:
    """Every case beside the same swarm in peace."""
    engine = EngineConfig(kind="scripted", latency_ms=LATENCY_MS)
    for name in cases:
        with tempfile.TemporaryDirectory(prefix="strand-flood-") as folder:
            specs = [
                NodeSpec(Path(folder) / str(number), engine, seed=number, friends=False) for number in range(NODES)
            ]
            keys = [load_or_create_key(spec.folder).keypair.public.hex() for spec in specs]
            os.environ["STRAND_TRUST_TRUSTED"] = ",".join(f"{key}=1.0" for key in keys) if friends else ""
            async with AsyncExitStack() as stack:
                swarm = (await stack.enter_async_context(open_swarm([replace(spec) for spec in specs]))).nodes
                for child in swarm:
                    _pin(child.process.pid, 0)
                    async with httpx2.AsyncClient(base_url=child.url, trust_env=False) as http:
                        await http.get("/api/wait", params={"offers": NODES, "timeout_ms": 60_000}, timeout=70)
                # Their keys are older than their journals: for as long they join no round (R12).
                await trio.sleep(load_params("devnet").clock_skew_ms / 1000 + 1)
                peace = await measure(swarm, rounds)
                with attacker(swarm, CASES[name], seconds=600):
                    await trio.sleep(WARM_S)
                    attacked = await measure(swarm, rounds)
            ratio = round(attacked["median_s"] / peace["median_s"], 2)
            print(json.dumps({"case": name, "ratio": ratio, "peace": peace, "attacked": attacked}), flush=True)


def _pin(pid: int, cpu: int) -> None:
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {cpu})


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _waited_s(pid: int) -> float:
    """Seconds that the process was ready to run and had no CPU."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--strangers", action="store_true", help="honest nodes do not know each other either")
    parser.add_argument("--attack", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.attack:
        told = json.loads(given.attack)
        victims = [Key(bytes.fromhex(key)) for key in told["victims"]]
        trio.run(attack, told["addresses"], victims, told["case"], told["seconds"])
    else:
        trio.run(main, given.rounds, given.cases.split(","), not given.strangers)
