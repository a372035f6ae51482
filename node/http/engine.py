"""`/api/engine`: what the engine can do, how it does, and what went wrong."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.daemon import Node
from node.inference.status import ServerStatus
from node.work.fitness import ROLES
from node.work.worker import EngineWorker
from protocol.types import Role


def _server(status: ServerStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "stage": status.stage.value,
        "progress": status.progress or None,
        "seconds": round(status.stage_s, 1),
        "restarts": status.restarts,
        "pid": status.pid,
        "trouble": status.trouble or None,
    }


def _role(worker: EngineWorker, role: Role) -> dict[str, object]:
    record = worker.fitness.records[role]
    return {
        "offered": role in worker.roles,
        "rounds_failed": record.failed,
        "in_a_row": record.in_a_row,
        "reason": record.reason or None,
    }


def engine_routes(node: Node) -> list[Route]:
    """The routes of this module."""

    async def show(_: Request) -> Response:
        worker = node.worker
        info, counts, cache = worker.info, worker.engine.counts, worker.engine.cache
        judgement_s = worker.engine.judgement_s
        return JSONResponse(
            {
                "answers": info is not None,
                "server": None if worker.engine.server is None else _server(worker.engine.server),
                "trouble": worker.trouble or None,
                "kind": node.config.engine.kind,
                "probe": None if info is None else asdict(info),
                "tokens_per_second": round(worker.engine.tokens_per_second, 1),
                "concurrency": worker.engine.concurrency,
                "in_flight": counts.in_flight,
                "working_on": worker.queue,
                "asked": {"answers": counts.answers, "judgements": counts.judgements},
                "abstentions": counts.abstentions,
                "failures": counts.failures,
                "last_failure": counts.last_failure or None,
                "roles": {ROLES[role]: _role(worker, role) for role in ROLES},
                "judgement_ms": None if judgement_s is None else round(judgement_s * 1000, 1),
                "cache": None if cache is None else {**asdict(cache), "hit_rate": cache.hit_rate},
            }
        )

    return [Route("/api/engine", show)]
