"""From a user's question to a query: what may be asked, of whom, under which budgets."""

import secrets
from collections.abc import Sequence

import trio

from consensus.learning.query import Budgets, QuerySubject, build_query
from consensus.learning.roster import Draw, Trust, choose_roster
from consensus.learning.waves import wave_plan
from consensus.rounds.participant import Participant
from consensus.rounds.pulls import LeftOut
from node.api.asking import Question
from node.api.conversation import Audience
from node.clock import Clock
from node.config import NodeConfig
from node.overlay import Overlay
from node.rounds.asking.asked_tests import check_tests, findings_of
from node.rounds.asking.errors import AskError, NobodyNamedError, NoQuorumError, SecretTextError, TooLongError
from node.rounds.asking.readers import NOBODY_NAMED, allowed_offers, lacks_named, secret_line
from node.rounds.learning.reputation import Reputation
from protocol.conversation import bytes_of
from protocol.limits import TURNS_MAX
from protocol.messages import Query, Seat, Turn
from protocol.types import ONE, Key, TurnRole


class QueryBuilder:
    """Builds queries under the node's configuration, from the offers in force and what it knows of their nodes."""

    def __init__(
        self, participant: Participant, overlay: Overlay, reputation: Reputation, config: NodeConfig, clock: Clock
    ) -> None:
        self.params = participant.params
        self._participant = participant
        self._overlay = overlay
        self._reputation = reputation
        self._config = config
        self._clock = clock
        self._readers = trio.CapacityLimiter(1)

    def audience(self, question: Question) -> Audience:
        """Return the nodes that may read a question: those that it names, else those of the configuration."""
        return question.audience or self._config.round.audience

    def refuse_secrets(self, question: Question) -> None:
        """Raise SecretTextError if a question looks like it holds a secret, unless that is allowed."""
        if not (question.allow_secrets or self._config.round.allow_secrets) and (
            why := secret_line(question.turns, question.tests)
        ):
            raise SecretTextError(why)

    async def check(self, question: Question) -> None:
        """Read the question's tests. Raises AskError if no query takes them.

        In a thread, one question at a time: the worst tests of 32 KiB take a second of the CPU.
        """
        if question.tests:
            await trio.to_thread.run_sync(check_tests, question, limiter=self._readers)
        else:
            check_tests(question)

    def build(self, question: Question) -> Query:
        """Build the query of a question, with today's date and a roster of its own. Raises AskError.

        Its tests are taken as they are: see `check`.
        """
        params, config = self.params, self._config
        turns = turns_of(question)
        if (size := bytes_of(turns)) > params.query_bytes_max:
            raise TooLongError(f"the query has {size} bytes; this network takes {params.query_bytes_max}")
        now_ms = self._clock.now_ms()
        audience = self.audience(question)
        roster = self._roster(question, audience, now_ms)
        subject = QuerySubject(
            author=self._participant.keypair.public,
            specialty=config.node.specialty,
            shard=config.node.shard,
            task=question.task,
            turns=turns,
            private=audience is not Audience.PUBLIC,
            findings=findings_of(question, config.round.findings),
            tests=question.tests,
        )
        priors, budgets = self._reputation.query_priors(question.task), self._budgets(question).within(params)
        return build_query(subject, budgets, priors, roster, now_ms, secrets.token_bytes(32))

    def _roster(self, question: Question, audience: Audience, now_ms: int) -> tuple[Seat, ...]:
        """Choose the members among the nodes that may read the question. Raises NoQuorumError."""
        own, specialty = self._participant.keypair.public, self._config.node.specialty
        trust = self._reputation.trust(question.task)
        offers = self._participant.validator.offers.valid(now_ms)
        allowed = allowed_offers(offers, audience, trust, own)
        if lacks_named(offers, allowed, specialty, own):
            raise NobodyNamedError(NOBODY_NAMED.format(specialty=specialty))
        draw = self._draw([offer.author for offer in allowed], now_ms)
        roster = choose_roster(allowed, specialty, trust, self.params.members_max, draw)
        if not roster:
            raise NoQuorumError(
                f"no node offers {specialty!r} now, nor does this one: see `strand status`, `strand peers`"
            )
        return roster

    def _budgets(self, question: Question) -> Budgets:
        """Return the question's settings; where it has none, those of our configuration."""
        table, waves_max = self._config.round, self.params.waves_max
        confidence_min, patience_ms = question.confidence_min, question.patience_ms
        return Budgets(
            max_tokens=question.max_tokens or table.max_tokens,
            answer_ms=question.answer_ms or table.answer_ms,
            open_ms=table.open_ms,
            judge_ms=question.judge_ms or table.judge_ms,
            cosign_ms=table.cosign_ms,
            test_ms=question.test_ms or table.test_ms,
            patience_ms=table.patience_ms if patience_ms is None else patience_ms,
            waves=wave_plan(question.task, question.pairs_per_judge or table.pairs_per_judge, waves_max),
            threshold=table.threshold,
            confidence_min=table.confidence_min if confidence_min is None else confidence_min,
        )

    def _draw(self, offering: Sequence[Key], now_ms: int) -> Draw:
        """Return the inputs of a roster's draw apart from offers and trust."""
        participant = self._participant
        seatable = participant.presence.seatable(offering, now_ms, participant.params.offer_valid_ms)
        groups = {Key(peer.key): peer.group for peer in self._overlay.peers()}
        return Draw(participant.keypair.public, secrets.token_bytes(32), seatable, groups)


def turns_of(question: Question) -> tuple[Turn, ...]:
    """Return the conversation of a question as it is sent. Raises AskError if a query may not hold it (P7).

    This is stricter than P7: blank texts are refused, too.
    """
    if not question.turns:
        raise AskError("the query is empty")
    if len(question.turns) > TURNS_MAX:
        raise AskError(f"the conversation has {len(question.turns)} turns; a query takes {TURNS_MAX}")
    for number, turn in enumerate(question.turns, start=1):
        if not turn.text.strip():
            raise AskError("the query is empty" if len(question.turns) == 1 else f"turn {number} is empty")
    if (last := question.turns[-1].role) is not TurnRole.USER:
        raise AskError(f"the last turn must be the user's, which asks; here it is the {last}'s")
    return tuple(Turn(role=turn.role, text=turn.text) for turn in question.turns)


def texts_of(question: Question) -> LeftOut:
    """Return the texts of a question as its members get them. Raises AskError, as `turns_of` does."""
    return LeftOut(turns_of(question), question.tests)


def trust(config: NodeConfig) -> Trust:
    """Return the `[trust]` table in the form that the roster takes."""
    weights = {Key(bytes.fromhex(key)): round(weight * ONE) for key, weight in config.trust.trusted.items()}
    return Trust(round(config.trust.default_weight * ONE), weights, friends=config.trust.friends)
