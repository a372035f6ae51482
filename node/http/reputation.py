"""`/api/reputation` and `/api/challenge`: what this node learned of others, and gold on demand."""

import math
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from consensus.learning.experience import RENEWAL_ROUNDS, STANDINGS_MAX
from consensus.learning.reputation import PRIOR, NodeStats, Score, scale_of
from node.daemon import Node
from node.http.replies import Places, refusal, refused_ask
from node.rounds.service import AskError
from protocol.types import ONE, Key, TaskType

FORMAT = "strand-reputation/1"

CHALLENGES_MAX = 2
"""challenges at once: each holds a connection for a round's time, and a turn that users wait for."""

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 32)]
Evidence = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
"""Evidence fades, so that honest counts stay below GOLD / (1 − DECAY), some 70."""

Characters = tuple[Evidence, Evidence, Evidence, Evidence]


class ExportedScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See consensus.learning.reputation.Score."""

    good: Evidence = 0.0
    bad: Evidence = 0.0


class ExportedStanding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See consensus.learning.reputation.Standing; bounded, for it comes from outside."""

    rounds: Count = 0
    gold_rounds: Count = 0
    answers: ExportedScore = ExportedScore()
    agreed: ExportedScore = ExportedScore()
    judged: Characters = (0.0, 0.0, 0.0, 0.0)
    seemed: Characters = (0.0, 0.0, 0.0, 0.0)
    equivocations: Count = 0

    def standing(self) -> NodeStats:
        """What it says."""
        return NodeStats(
            self.rounds,
            self.gold_rounds,
            Score(self.answers.good, self.answers.bad),
            Score(self.agreed.good, self.agreed.bad),
            self.judged,
            self.seemed,
            self.equivocations,
        )


class Exported(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node's standings as a file. Its gold stays at home: whoever knows it would answer nothing else well."""

    format: Annotated[str, msgspec.Meta(pattern=f"^{FORMAT}$")]
    specialty: str
    standings: Annotated[
        dict[Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")], ExportedStanding],
        msgspec.Meta(max_length=STANDINGS_MAX),
    ]


def reputation_routes(node: Node) -> list[Route]:
    """The routes of this module."""
    api = _ReputationApi(node)
    return [
        Route("/api/reputation", api.show),
        Route("/api/reputation/export", api.export),
        Route("/api/reputation", api.take_over, methods=["POST"]),
        Route("/api/challenge", api.challenge, methods=["POST"]),
    ]


class _ReputationApi:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._challenges = Places(CHALLENGES_MAX)

    async def show(self, _: Request) -> Response:
        """Every node met, best known first, and what is in force."""
        reputation, specialty = self._node.reputation, self._node.config.node.specialty
        standings = reputation.experience.standings
        scale = scale_of(each for each in standings.values() if each.has_gold)
        nodes = [
            {**_row(standing, scale.typical), "key": key.hex(), "weights": self._weights(key)}
            for key, standing in standings.items()
        ]
        nodes.sort(key=lambda row: (-row["gold_rounds"], -row["rounds"], row["key"]))
        return JSONResponse(
            {
                "specialty": specialty,
                "rounds": reputation.experience.rounds,
                "renewal_rounds": RENEWAL_ROUNDS,
                "gold_questions": len(reputation.gold.questions),
                "in_force": {task: _force(insight) for task, insight in reputation.experience.insights.items()},
                "nodes": nodes,
            }
        )

    def _weights(self, key: Key) -> dict[str, Any]:
        """What a roster would say of the node now, by task."""
        merits = {task: self._node.reputation.trust(task).merit(key) for task in TaskType}
        return {
            task: {"vote": merit.vote / ONE, "judge": merit.judge / ONE, "author": merit.author / ONE}
            for task, merit in merits.items()
        }

    async def export(self, _: Request) -> Response:
        standings = self._node.reputation.experience.standings
        told = {key.hex(): msgspec.to_builtins(standing) for key, standing in standings.items()}
        return JSONResponse({"format": FORMAT, "specialty": self._node.config.node.specialty, "standings": told})

    async def take_over(self, request: Request) -> Response:
        try:
            exported = msgspec.json.decode(await request.body(), type=Exported)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return refusal(400, f"no exported reputation: {error}")
        specialty = self._node.config.node.specialty
        if exported.specialty != specialty:
            return refusal(400, f"it is of {exported.specialty!r}; this node's is {specialty!r}")
        standings = [(Key(bytes.fromhex(key)), each.standing()) for key, each in exported.standings.items()]
        taken = await self._node.reputation.take_over(standings)
        return JSONResponse({"taken": len(taken), "known_already": len(standings) - len(taken)})

    async def challenge(self, _: Request) -> Response:
        """Ask one gold question."""
        with self._challenges.take() as place:
            if not place:
                return refusal(503, f"{CHALLENGES_MAX} challenges run already; try again later", retry_after_s=1)
            try:
                done = await self._node.challenger.challenge()
            except AskError as error:
                return refused_ask(error)
        told = {"query_id": done.query_id.hex(), "outcome": done.outcome, "correct": done.correct}
        return JSONResponse(told)


def _row(standing: NodeStats, typical: float) -> dict[str, Any]:
    total = math.fsum(standing.judged) or 1.0
    names = ("honest", "inverse", "coin", "partisan")
    return {
        "rounds": standing.rounds,
        "gold_rounds": standing.gold_rounds,
        "answering": {
            "right": round(standing.answers.good, 2),
            "wrong": round(standing.answers.bad, 2),
            "accuracy": round(standing.answers.rate(typical), 3) if standing.answers.total else None,
            "prior": PRIOR,
        },
        "judging": {name: round(share / total, 3) for name, share in zip(names, standing.judged, strict=True)}
        if any(standing.judged)
        else None,
        "equivocations": standing.equivocations,
    }


def _force(insight: Any) -> dict[str, Any]:
    intercept, slope = insight.calibration
    return {
        "gold_rounds": insight.gold,
        "nodes": len(insight.merits),
        "beta": insight.model.beta,
        "tau_u": insight.model.tau_u,
        "calibration": {"intercept": intercept / ONE, "slope": slope / ONE},
    }
