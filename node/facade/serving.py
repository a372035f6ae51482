"""Requesters for whom the node works, their cost, and the owner's pause."""

from node.api import serving as api
from node.clock import Clock
from node.config import NodeConfig
from node.work.ledger import OTHERS, Spent
from node.work.serving import Serving
from protocol.limits import TIME_MS_MAX


class ServingFacade:
    """Reports one node's work for others, and pauses and resumes it."""

    def __init__(self, serving: Serving, config: NodeConfig, clock: Clock) -> None:
        """Build a facade. `config`: whom the node serves."""
        self._serving = serving
        self._config = config
        self._clock = clock

    @property
    def is_stopping(self) -> bool:
        """Whether the node is being stopped."""
        return self._serving.is_stopping

    async def pause(self, for_ms: int | None) -> None:
        """Join no new rounds of others for `for_ms` milliseconds, or until `resume` (None).

        Work in rounds that run goes on; the pause outlasts a restart. Raises StoreBlockedError.
        """
        await self._serving.pause(for_ms)

    async def resume(self) -> None:
        """Join rounds of others again, from now on. Raises StoreBlockedError."""
        await self._serving.resume()

    def report(self) -> api.ServingReport:
        """Report whom the node works for, the use and the allowance of strangers, and the most expensive requesters.

        Costs are rounds, tokens and seconds of the whole engine; requesters are those of the last day, by key.
        """
        serving, now_ms = self._serving, self._clock.now_ms()
        closed, until_ms = serving.closed(now_ms), serving.paused_until_ms
        return api.ServingReport(
            whom=self._config.serves,
            serves_nobody=self._config.serves_nobody,
            open=closed is None,
            why_not=closed,
            paused_for_ms=until_ms - now_ms if now_ms < until_ms < TIME_MS_MAX else None,
            strangers=api.Strangers(
                hour=_cost(serving.spent(1, now_ms)["strangers"]),
                day=_cost(serving.spent(24, now_ms)["strangers"]),
                left=self._left(now_ms),
            ),
            requesters=tuple(
                api.Requester(
                    key="others" if key == OTHERS else key.hex(),
                    known=serving.knows(key),
                    rounds=spent.rounds,
                    tokens=spent.tokens,
                    engine_s=_engine_s(spent),
                )
                for key, spent in serving.ledger.by_requester(now_ms)[: api.REQUESTERS_SHOWN]
            ),
            refused={reason.value: count for reason, count in serving.refused.items() if count},
            ignored=serving.ignored,
        )

    def _left(self, now_ms: int) -> api.Allowance:
        left = self._serving.left(now_ms)
        return api.Allowance(
            rounds_this_hour=left.rounds_hour,
            rounds_today=left.rounds_day,
            tokens_this_hour=left.tokens_hour,
            tokens_today=left.tokens_day,
            engine_s_this_hour=round(max(0, left.engine_ms_hour) / 1000, 1),
        )


def _cost(spent: Spent) -> api.Cost:
    return api.Cost(spent.rounds, spent.tokens, _engine_s(spent))


def _engine_s(spent: Spent) -> float:
    return round(spent.engine_ms / 1000, 1)
