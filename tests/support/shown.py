"""A node in memory behind the HTTP interface: the protocols of `node.http.shown` and `node.facade.peers`, with values.

A test takes real facades over the parts that it is about, and these for the rest:

    app = app_of(shown(engine=EngineFacade(worker, config)))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec
import trio

from node.api import certificates as certificates_api
from node.api import engine as engine_api
from node.api import queue as queue_api
from node.api import replays as replays_api
from node.api import reputation as reputation_api
from node.api import rounds as rounds_api
from node.api import serving as serving_api
from node.api import status as status_api
from node.api.asking import Question
from node.api.common import CursorError, Readiness
from node.api.conversation import Audience, Turn
from node.api.events import Asked, BaseEvent
from node.config import ApiTable, LoadedConfig, NodeConfig
from node.facade.config import ConfigFacade
from node.http.guard import Guard
from node.http.shown import Shown
from node.overlay.types import ConnectionCounts, PeerInfo, Traffic
from node.rounds.asking.errors import AskError
from node.rounds.asking.service import RoundHandle
from node.rounds.following.hub import ROLES, Resumed, Subscription
from node.storage import RoundFilter
from protocol.errors import Fault, FaultReason
from protocol.types import Digest, Key, Outcome, OutcomeReason, TaskType, TurnRole
from tests.support.declared import declared
from tests.support.http_server import app_of, guarded
from tests.support.swarm import Swarm

KEY = "ab" * 32
QUERY = Digest(b"q" * 32)

ENGINE = engine_api.EngineReport(
    answers=False,
    server=None,
    trouble="it is switched off",
    kind="scripted",
    probe=None,
    tokens_per_second=0.0,
    concurrency=1,
    in_flight=0,
    working_on=0,
    asked=engine_api.RequestCounts(0, 0),
    abstentions=0,
    failures=0,
    last_failure=None,
    roles={"answer": engine_api.RoleReport(False, 0, 0, None)},
    judgement_ms=None,
    cache=None,
)

TRIAL = engine_api.TrialReport(
    works=False,
    error="it is switched off",
    probe=engine_api.AttemptReport(3, "", "it is switched off"),
    answer=None,
    judgement=None,
)

SERVING = serving_api.ServingReport(
    whom="everyone",
    serves_nobody=False,
    open=True,
    why_not=None,
    paused_for_ms=None,
    strangers=serving_api.Strangers(
        hour=serving_api.Cost(1, 20, 0.5),
        day=serving_api.Cost(2, 40, 1.0),
        left=serving_api.Allowance(None, 5, None, None, 899.5),
    ),
    requesters=(serving_api.Requester(KEY, True, 1, 20, 0.5), serving_api.Requester("others", False, 1, 20, 0.5)),
    refused={"busy": 1},
    ignored=0,
)

STATUS = status_api.Status(
    key=KEY,
    name="mine",
    addresses=("/ip4/127.0.0.1/tcp/4211",),
    network="minimal",
    params_digest="cd" * 32,
    specialty="rust",
    engine=status_api.EngineSummary("scripted", "scripted", 2048, 50.0),
    working_on=0,
    tools=status_api.ToolsReport("ready", "rustc 1.95.0 g1 x1", "", "", True),
    serving=SERVING,
    peers_connected=1,
    connections=status_api.Connections(1, 96, 0, {"handshake": 2}),
    clock=status_api.ClockComparison(1, -3, False, 0),
    nodes_offering=2,
    conditions=(status_api.Condition("alone", "this node is alone", "give it a peer", ""),),
    store="ok",
    certificates=None,
    store_size=status_api.StoreSize(4_096, 0),
    data_dir="/home/a/.local/share/strand",
    versions=status_api.Versions("0.1", 3, "hbt/3"),
)

PEERS = status_api.Peers(
    (
        status_api.Peer(
            key=KEY,
            peer_id="12D3Koo",
            addresses=("/ip4/127.0.0.1/tcp/4212",),
            connected=True,
            direction="inbound",
            round_trip_ms=0.4,
            clock_offset_ms=None,
            score=0.0,
            score_reason="",
            wires=(2,),
            offers=status_api.OfferSummary(("answer", "judge"), "SmolLM2", 40.5, 0),
        ),
    )
)

REPUTATION = reputation_api.ReputationReport(
    specialty="rust",
    rounds=1,
    renewal_rounds=20,
    gold_questions=1,
    in_force={
        TaskType.CODE: reputation_api.TaskPriors(
            gold_rounds=1,
            nodes=1,
            beta=0.7,
            tau_u=0.8,
            calibration=reputation_api.Calibration(0.0, 1.0, 0.0),
            findings=reputation_api.FindingStrengths(1.35, 1.0, 2.0, 0.3),
        )
    },
    nodes=(
        reputation_api.NodeReputation(
            rounds=1,
            gold_rounds=1,
            answering=reputation_api.Answering(2.0, 0.0, 0.75, 4.0),
            judging=reputation_api.Judging(0.7, 0.1, 0.1, 0.1),
            testing=reputation_api.Testing(9.0, 1.0, 0.07, tests=True),
            equivocations=0,
            key=KEY,
            weights={task: reputation_api.Weights(1.0, 1.0, 0.0) for task in TaskType},
            challenges=reputation_api.ChallengeRecord("passed", 9, 4, 0, 4, 1, 0),
        ),
    ),
)

NODE = reputation_api.NodeDetail(
    key=KEY,
    specialty="rust",
    reputation=REPUTATION.nodes[0],
    rounds=(
        reputation_api.NodeRound(
            query_id=QUERY.hex(),
            asked_ms=1_000,
            task=TaskType.CODE,
            ours=True,
            outcome=Outcome.DECIDED,
            answered=True,
            place=1,
            places=3,
            in_winning_group=True,
            right=None,
            unopened=False,
            comparisons=2,
            silent_judge=False,
            reports=0,
            declined={},
            removed=False,
        ),
    ),
    complete=True,
)

ROUND = rounds_api.RoundDetail(
    round=rounds_api.RoundSummary(
        query_id=QUERY.hex(),
        asked_ms=1_000,
        ended_ms=2_000,
        task=TaskType.CODE,
        audience=Audience.MEMBERS,
        gold=False,
        text="Sum a slice.",
        turns=1,
        ending="finished",
        outcome=Outcome.DECIDED,
        reason=OutcomeReason.NONE,
        why_not="",
        p_best=0.9,
        p_correct=None,
        author=KEY,
        answer="a.iter().sum()",
        certified=True,
    ),
    ours=True,
    conversation=(Turn(TurnRole.USER, "Sum a slice."),),
    answer="a.iter().sum()",
    members=(KEY,),
    received=(KEY,),
    refused={},
    declined={},
    own_engine="",
    timings_ms={"answering": 500, "to_answer": 900, "total": 1_000},
    certificate_url=f"/api/certificates/{QUERY.hex()}",
    certificate=None,
)


QUEUE = queue_api.QueueReport(
    running=(queue_api.QueuedQuestion(QUERY.hex(), 1_000, TaskType.CODE, None, False, "Sum a slice."),),
    running_max=2,
    waiting=(queue_api.QueuedQuestion("", 1_500, TaskType.FINAL, Audience.PUBLIC, True, "6 times 7?"),),
    waiting_max=32,
    wait_s=12.5,
)


@dataclass
class StillNetwork:
    """An overlay whose peers neither come nor go."""

    known: Sequence[PeerInfo] = ()
    counts: ConnectionCounts = field(default_factory=lambda: ConnectionCounts(0, 96, 0, {}))

    def peers(self) -> Sequence[PeerInfo]:
        return self.known

    def addresses(self) -> Sequence[str]:
        return ("/ip4/127.0.0.1/tcp/4211",)

    def connection_counts(self) -> ConnectionCounts:
        return self.counts

    def traffic(self) -> Traffic:
        return Traffic(sent_bytes=70, received_bytes=700)


class StillStatus:
    def readiness(self) -> Readiness:
        return Readiness(ready=False, engine=False, peers=True)

    async def report(self) -> status_api.Status:
        return STATUS


@dataclass
class StillPeers:
    offers: int = 2

    def report(self) -> status_api.Peers:
        return PEERS

    def offering(self) -> int:
        return self.offers

    async def wait_offering(self, nodes: int) -> None:
        if self.offers < nodes:
            await trio.sleep_forever()


@dataclass
class TellingRounds:
    """Each round tells these events and is over; `refusal`: why there is none."""

    events: Sequence[BaseEvent] = ()
    refusal: AskError | None = None
    asked: list[Question] = field(default_factory=list)
    cancelled: list[Digest] = field(default_factory=list)
    counted: int = 0
    detailed: int = 0

    def ask(
        self, question: Question, *, details: bool = False, counted: bool = True
    ) -> AbstractAsyncContextManager[RoundHandle]:
        self.counted += counted
        self.detailed += details
        return self._ask(question)

    @asynccontextmanager
    async def _ask(self, question: Question) -> AsyncIterator[RoundHandle]:
        self.asked.append(question)
        if self.refusal is not None:
            raise self.refusal
        yield begun(self.events)

    async def cancel(self, query_id: Digest) -> bool:
        self.cancelled.append(query_id)
        return True

    def queue(self) -> queue_api.QueueReport:
        return QUEUE


def begun(events: Sequence[BaseEvent], query_id: Digest = QUERY) -> RoundHandle:
    """A round of three whose events are all there."""
    subscription = Subscription(None, ROLES)
    for number, each in enumerate(events, 1):
        subscription.put(msgspec.structs.replace(each, seq=each.seq or number))
    subscription.end()
    return RoundHandle(query_id, Swarm("abc").query(), subscription)


@dataclass
class KeptHistory:
    """Rounds in memory, newest first, and certificates by query; it filters nothing, and notes what was wanted."""

    details: Sequence[rounds_api.RoundDetail] = (ROUND,)
    held: dict[Digest, bytes] = field(default_factory=dict)
    wanted: list[RoundFilter] = field(default_factory=list)

    async def rounds(self, wanted: RoundFilter, after: str, rows_max: int) -> rounds_api.RoundPage:
        self.wanted.append(wanted)
        begin = _place(after)
        page = tuple(each.round for each in self.details[begin : begin + rows_max])
        return rounds_api.RoundPage(page, str(begin + rows_max) if len(self.details) > begin + rows_max else None)

    async def round(self, query_id: Digest) -> rounds_api.RoundDetail | None:
        return next((each for each in self.details if each.round.query_id == query_id.hex()), None)

    async def certificates(self, after: str, rows_max: int) -> certificates_api.CertificatePage:
        begin = _place(after)
        held = (certificates_api.HeldCertificate(QUERY.hex(), Outcome.DECIDED, KEY, 7, 99, True),) * len(self.details)
        more = str(begin + rows_max) if len(held) > begin + rows_max else None
        return certificates_api.CertificatePage(held[begin : begin + rows_max], more)

    async def certificate(self, query_id: Digest) -> bytes | None:
        return self.held.get(query_id)

    async def verify(self, raw: bytes) -> certificates_api.Verification:
        return certificates_api.Verification(False, "malformed", "P2", f"{len(raw)} bytes", None)


REPLAY = replays_api.Replay(
    source=replays_api.ReplaySource.EVENTS,
    query_id=QUERY.hex(),
    events=(Asked(query_id=QUERY.hex(), seq=1, members=(KEY,)),),
    answers=(replays_api.AnswerText(0, "cd" * 32, KEY, "a.iter().sum()"),),
)


class KeptReplays:
    """The course of one round, and certificates of which only the empty one and b"broken" do not hold."""

    async def answers(self, query_id: Digest) -> replays_api.RoundAnswers | None:
        return replays_api.RoundAnswers(REPLAY.answers) if query_id == QUERY else None

    async def replay(self, query_id: Digest) -> replays_api.Replay | None:
        return REPLAY if query_id == QUERY else None

    async def replay_of(self, raw: bytes) -> replays_api.Replay | Fault:
        return Fault(FaultReason.MALFORMED, "P1", "truncated") if raw == b"broken" else REPLAY


def _place(after: str) -> int:
    """Return the number of the row with which a page begins. Raises CursorError."""
    if not after.isdigit() and after:
        raise CursorError("after is what an earlier page has as `next`")
    return int(after or "0")


@dataclass
class EndedEvents:
    """A stream of events that are all there, and an end; it notes what was resumed."""

    earlier: Sequence[BaseEvent] = ()
    missed: int | None = 0
    resumed: list[tuple[str, Digest | None]] = field(default_factory=list)

    @contextmanager
    def resume(self, last_id: str, query: Digest | None) -> Iterator[Resumed]:
        self.resumed.append((last_id, query))
        live = Subscription(None, ROLES)
        live.end()
        yield Resumed(self.earlier, self.missed, 7, live)

    def id_of(self, seq: int) -> str:
        return f"life-{seq}"


class StillEngine:
    def report(self) -> engine_api.EngineReport:
        return ENGINE

    async def trial(self) -> engine_api.TrialReport:
        return TRIAL


@dataclass
class PausableServing:
    pauses: list[int | None] = field(default_factory=list)

    def report(self) -> serving_api.ServingReport:
        return SERVING

    async def pause(self, for_ms: int | None) -> None:
        self.pauses.append(for_ms)

    async def resume(self) -> None:
        self.pauses.clear()


@dataclass
class StillReputation:
    specialty: str = "rust"
    refusal: AskError | None = None

    def report(self) -> reputation_api.ReputationReport:
        return REPUTATION

    async def detail(self, key: Key) -> reputation_api.NodeDetail:
        return NODE if key.hex() == KEY else reputation_api.NodeDetail(key.hex(), self.specialty, None, (), True)

    def export(self) -> reputation_api.Exported:
        return reputation_api.Exported(
            reputation_api.FORMAT, self.specialty, {KEY: reputation_api.ExportedStanding(rounds=1)}
        )

    async def take_over(self, exported: reputation_api.Exported) -> reputation_api.TakenOver:
        return reputation_api.TakenOver(len(exported.standings), 0)

    async def ask_gold(self) -> reputation_api.GoldResult:
        if self.refusal is not None:
            raise self.refusal
        return reputation_api.GoldResult(QUERY.hex(), Outcome.DECIDED, None)


class StillMetrics:
    async def render(self) -> bytes:
        return b"# HELP strand_up It is.\n# TYPE strand_up gauge\nstrand_up 1.0\n"


def shown(**facets: Any) -> Shown:
    """What a node in memory shows, with these facets of `Shown` in place of its own."""
    still: dict[str, Any] = {
        "status": StillStatus(),
        "peers": StillPeers(),
        "rounds": TellingRounds(),
        "history": KeptHistory(),
        "replays": KeptReplays(),
        "events": EndedEvents(),
        "engine": StillEngine(),
        "serving": PausableServing(),
        "reputation": StillReputation(),
        "metrics": StillMetrics(),
        "config": ConfigFacade(LoadedConfig(NodeConfig(), {"round.threshold": "flag"})),
    }
    return Shown(**{**still, **facets})


@asynccontextmanager
async def http_client(node: Shown, **api: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a node in memory, without a socket; each reply is checked against its declaration.

    `api`: settings of [api], such as the token.
    """
    app = guarded(declared(app_of(node)), Guard(ApiTable(**api)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:1") as client:
        yield client
