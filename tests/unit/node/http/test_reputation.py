"""`/api/reputation` and `/api/gold` without a network: what is shown, taken over and refused."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import trio

from consensus.learning.experience import RENEWAL_ROUNDS, STANDINGS_MAX
from consensus.learning.reputation import VOTE_MIN
from consensus.learning.roster import Trust
from node.api.operations import BODY_BYTES_MAX
from node.api.reputation import FORMAT, ReputationReport
from node.cli.reputation import print_reputation
from node.facade.node_rounds import NodeRounds
from node.facade.reputation import ReputationFacade
from node.rounds.asking.errors import AskError, NoQuorumError
from node.rounds.asking.gold_asker import GoldAsker
from node.rounds.learning.gold_book import GoldBook, GoldQuestion
from node.rounds.learning.reputation import Reputation, open_reputation
from node.signals import Signal
from node.storage import CertificateSummary, open_store
from protocol.conversation import single
from protocol.messages import Findings
from protocol.types import CompileStatus, Outcome, TaskType
from tests.support.findings import found
from tests.support.shown import TellingRounds, http_client, shown
from tests.support.swarm import answer_text
from tests.support.updates import key, told

BOOK = GoldBook((GoldQuestion(single("Which?"), (answer_text("A"),), TaskType.CODE),))
GOOD = {"gold_rounds": 9, "answers": {"good": 18.0, "bad": 0.0}}


class Refusing(TellingRounds):
    """A swarm that refuses to be asked, once it has a reason."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = Signal()
        self.recent = ()


@dataclass
class Interface:
    """A node's reputation behind its HTTP interface, and the swarm that it asks."""

    http: httpx2.AsyncClient
    reputation: Reputation
    swarm: Refusing

    async def post(self, body: Any) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await self.http.post("/api/reputation", content=raw)
        return response.status_code, response.json()


@asynccontextmanager
async def interface(folder: Path, gold: GoldBook = BOOK) -> AsyncIterator[Interface]:
    async with (
        open_store(folder, public_key=b"o" * 32, fresh_key=True, now_ms=0) as store,
        trio.open_nursery() as nursery,
    ):
        reputation = await open_reputation(store, gold, Trust(0, {}), "rust")
        nursery.start_soon(reputation.run)

        swarm = Refusing()
        facade = ReputationFacade(
            reputation, GoldAsker(swarm, reputation, 0.0), NodeRounds(store, trio.CapacityLimiter(1)), "rust"
        )
        async with http_client(shown(reputation=facade)) as http:
            yield Interface(http, reputation, swarm)
        nursery.cancel_scope.cancel()


def exported(standings: Any = None, **changes: Any) -> dict[str, Any]:
    return {"format": FORMAT, "specialty": "rust", "standings": standings or {}, **changes}


async def test_everybody_met_is_shown_with_what_a_roster_would_say(tmp_path: Path) -> None:
    async with interface(tmp_path) as here:
        for number in range(RENEWAL_ROUNDS):
            here.reputation.finished(told({"a": "A", "b": "B", "c": "A"}, nonce=number.to_bytes(32, "big")).certificate)
            await here.reputation.settled()
        shown = (await here.http.get("/api/reputation")).json()
    assert (shown["specialty"], shown["rounds"], shown["gold_questions"]) == ("rust", RENEWAL_ROUNDS, 1)
    assert shown["in_force"]["code"]["gold_rounds"] == RENEWAL_ROUNDS
    nodes = {row["key"]: row for row in shown["nodes"]}
    good, bad = nodes[key("a").hex()], nodes[key("b").hex()]
    assert good["gold_rounds"] == bad["gold_rounds"] == RENEWAL_ROUNDS
    assert good["answering"]["accuracy"] > 0.8 > 0.2 > bad["answering"]["accuracy"]
    assert good["weights"]["code"]["vote"] >= 1.0
    assert bad["weights"]["code"]["vote"] == VOTE_MIN
    assert sum(good["judging"].values()) == pytest.approx(1.0, abs=0.01)


async def test_one_node_is_shown_with_its_rounds(tmp_path: Path) -> None:
    """Given a gold round, then what it says of a node stands beside the node's statistics."""
    round_ = told({"a": "A", "b": "B", "c": "A"})
    async with interface(tmp_path) as here:
        unknown = await here.http.get(f"/api/reputation/{key('a').hex()}")
        nothing = {"key": key("a").hex(), "specialty": "rust", "reputation": None, "rounds": [], "complete": True}
        assert (unknown.status_code, unknown.json()) == (200, nothing), "that nothing is known is an answer"
        here.reputation.finished(round_.certificate)
        await here.reputation.settled()
        summary = CertificateSummary(round_.record.id, Outcome.DECIDED, key("a"), 7)
        await here.reputation._store.put_certificate(summary, round_.certificate)
        found = (await here.http.get(f"/api/reputation/{key('b').hex()}")).json()
        everybody = (await here.http.get("/api/reputation")).json()
    assert found["reputation"] == next(row for row in everybody["nodes"] if row["key"] == found["key"])
    assert (found["complete"], [each["right"] for each in found["rounds"]]) == (True, [False])


async def test_the_terminal_says_whose_weights_it_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Gold of a task shows in weights only from the next renewal on; until then they are the same for every task."""

    async def shown(here: Interface, *, alike: bool) -> str:
        table = (await here.http.get("/api/reputation")).json()
        weights = [row["weights"] for row in table["nodes"]]
        assert all(len({tuple(each.items()) for each in of.values()}) == 1 for of in weights) == alike
        print_reputation(msgspec.convert(table, ReputationReport))
        return " ".join(capsys.readouterr().out.split())

    final = GoldQuestion(single("Which?"), (answer_text("A"),), TaskType.FINAL)
    async with interface(tmp_path / "gold", GoldBook((final,))) as here:
        assert "Weights are the configured ones, the same for every task" in await shown(here, alike=True)
        for number in range(RENEWAL_ROUNDS):
            query = {"nonce": number.to_bytes(32, "big"), "task": TaskType.FINAL}
            here.reputation.finished(told({"a": "A", "b": "B", "c": "A"}, **query).certificate)
            await here.reputation.settled()
            if number == 0:
                assert "Weights are the configured ones, the same for every task" in await shown(here, alike=True)
        assert "Weights are those for final tasks. final: from 20 gold rounds" in await shown(here, alike=False)
    async with interface(tmp_path / "hearsay") as here:
        await here.post(exported({NAME: GOOD}))
        assert "Weights are the same for every task: none has learned from gold yet." in await shown(here, alike=True)


async def test_reports_are_shown_and_what_findings_weigh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here `c` says of everything that it does not compile."""

    def finds(tester: str, letter: str) -> Findings:
        return found(status=CompileStatus.FAILS if tester == "c" else CompileStatus.COMPILES, behaviour=letter)

    async with interface(tmp_path) as here:
        for number in range(RENEWAL_ROUNDS):
            nonce = number.to_bytes(32, "big")
            answers = {"a": "A", "b": "B", "c": "A", "d": "A", "e": "A", "f": "A"}
            here.reputation.finished(told(answers, finds=finds, nonce=nonce).certificate)
            await here.reputation.settled()
        shown = (await here.http.get("/api/reputation")).json()
        assert here.reputation.trust(TaskType.CODE).refuted == {key("c")}
    testing = {row["key"]: row["testing"] for row in shown["nodes"]}
    assert testing[key("a").hex()]["refuted"] == 0.0 < testing[key("a").hex()]["confirmed"]
    assert testing[key("a").hex()]["tests"] and not testing[key("c").hex()]["tests"]
    assert shown["in_force"]["code"]["findings"]["agreement"] > 0.0
    print_reputation(msgspec.convert(shown, ReputationReport))
    printed = " ".join(capsys.readouterr().out.split())
    assert "refuted" in printed and f"{testing[key('c').hex()]['share_refuted']:.0%}" in printed
    assert "code: findings weigh" in printed


async def test_an_export_of_before_reports_is_taken_over(tmp_path: Path) -> None:
    async with interface(tmp_path) as here:
        assert (await here.post(exported({NAME: GOOD}, format="strand-reputation/1")))[0] == 200


async def test_nobody_met_is_shown_too(tmp_path: Path) -> None:
    async with interface(tmp_path) as here:
        shown = (await here.http.get("/api/reputation")).json()
        told_of = (await here.http.get("/api/reputation/export")).json()
    assert (shown["nodes"], shown["in_force"]) == ([], {})
    assert told_of == exported()


async def test_what_is_exported_can_be_taken_over_bit_by_bit(tmp_path: Path) -> None:
    async with interface(tmp_path / "one") as here:
        here.reputation.finished(told({"a": "A", "b": "B", "c": "A"}).certificate)
        await here.reputation.settled()
        raw = (await here.http.get("/api/reputation/export")).content
        standings = dict(here.reputation.experience.standings)
        assert "Which?" not in raw.decode(), "gold stays at home"
    async with interface(tmp_path / "other") as here:
        assert await here.post(raw) == (200, {"taken": 3, "known_already": 0})
        assert dict(here.reputation.experience.standings) == standings
        assert await here.post(raw) == (200, {"taken": 0, "known_already": 3})


NAME = "ab" * 32

REFUSED: list[tuple[Any, str]] = [
    (b"", "no exported reputation"),
    (b"{", "no exported reputation"),
    (b"\xff", "no exported reputation"),
    (b"[]", "Expected `object`"),
    (b"[" * 100_000, "Expected `object`"),
    (b'{"standings": ' + b"[" * 100_000, "Expected `object`"),
    ({"specialty": "rust", "standings": {}}, "format"),
    (exported(format="strand-reputation/3"), "format"),
    (exported(specialty="go"), "it is of 'go'; this node's is 'rust'"),
    (exported(specialty=7), "specialty"),
    (exported(gold=["Which?"]), "unknown field `gold`"),
    (exported({"AB" * 32: {}}), "matching regex"),
    (exported({"ab" * 31: {}}), "matching regex"),
    (exported({NAME: {"surprise": 1}}), "unknown field `surprise`"),
    (exported({NAME: {"answers": {"good": 1.0, "great": 1.0}}}), "unknown field `great`"),
    (exported({NAME: {"rounds": -1}}), ">= 0"),
    (exported({NAME: {"rounds": 1 << 33}}), "<= 4294967296"),
    (exported({NAME: {"rounds": 0.5}}), "Expected `int`"),
    (exported({NAME: {"equivocations": True}}), "Expected `int`"),
    (exported({NAME: {"answers": {"good": -0.1}}}), ">= 0"),
    (exported({NAME: {"answers": {"bad": 1e7}}}), "<= 1000000"),
    (exported({NAME: {"answers": {"good": "1"}}}), "Expected `float`"),
    (exported({NAME: {"answers": {"good": float("nan")}}}), "no exported reputation"),
    (exported({NAME: {"answers": {"good": float("inf")}}}), "no exported reputation"),
    (json.dumps(exported({NAME: {"answers": {"good": 1.0}}})).replace("1.0", "1e999").encode(), "out of range"),
    (exported({NAME: {"judged": [1.0, 1.0, 1.0]}}), "length 4"),
    (exported({NAME: {"judged": [1.0, 1.0, 1.0, -1.0]}}), ">= 0"),
]


@pytest.mark.parametrize(("body", "words"), REFUSED, ids=[words for _, words in REFUSED])
async def test_what_is_no_export_of_this_specialty_changes_nothing(tmp_path: Path, body: Any, words: str) -> None:
    async with interface(tmp_path) as here:
        status, answer = await here.post(body)
        assert status == 400
        assert words in answer["error"]
        assert not here.reputation.experience.standings


async def test_one_bad_standing_refuses_the_whole_body(tmp_path: Path) -> None:
    async with interface(tmp_path) as here:
        status, _ = await here.post(exported({NAME: GOOD, "cd" * 32: {"rounds": -1}}))
        assert status == 400
        assert not here.reputation.experience.standings
        assert (await here.post(exported({NAME: GOOD})))[0] == 200


async def test_a_body_is_bounded_by_the_length_that_it_says(tmp_path: Path) -> None:
    """Fewer than STANDINGS_MAX fit in."""
    standings = {number.to_bytes(32, "big").hex(): {} for number in range(BODY_BYTES_MAX // 64)}
    assert len(standings) < STANDINGS_MAX
    async with interface(tmp_path) as here:
        assert (await here.post(exported(standings)))[0] == 413
        assert not here.reputation.experience.standings


async def test_asking_gold_needs_gold_and_somebody_to_ask(tmp_path: Path) -> None:
    async with interface(tmp_path / "none", GoldBook()) as here:
        response = await here.http.post("/api/gold")
        assert (response.status_code, response.json()["error"][:7]) == (400, "no gold")
    async with interface(tmp_path / "some") as here:
        for error, status in ((NoQuorumError("nobody"), 503), (AskError("too long"), 400)):
            here.swarm.refusal = error
            response = await here.http.post("/api/gold")
            assert (response.status_code, response.json()) == (status, {"error": str(error)})
