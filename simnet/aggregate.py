"""Answers, pairs, ballots and fit without a network: the requester's real machine, fed at once with contributions.

Each round has the ranking digest that it has in a network world without loss. Nobody co-signs, and there is no time:
results have no times, and no message is counted. The certificate of a round that is kept has no co-signature.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b

from consensus.certificates.record import Phase, RoundRecord, check_content, commit_to, is_void, open_record
from consensus.certificates.tally import Ranking, rank
from consensus.learning.experience import Experience
from consensus.learning.roster import choose_roster
from consensus.rounds import requester
from consensus.rounds.effects import Decide
from consensus.rounds.events import Received, Tick
from protocol.errors import Fault
from protocol.hashing import testing_seed
from protocol.messages import Answer, Ballot, Commit, Contribution, Opening, Report
from protocol.signing import VerifiedMessage, seal
from protocol.types import Key
from simnet.baselines import is_consensual, verdicts_of
from simnet.decision_model import judge, run_tests, write
from simnet.keeping import Keeper
from simnet.pairings import judged
from simnet.plan import SPECIALTY, Plan, PlannedQuery
from simnet.results import RoundResult, Run, round_result
from simnet.scenario import ScenarioError
from simnet.sim_learning import take_in, trust_of


def run_aggregate(plan: Plan, progress: Callable[[RoundResult], None] | None = None, keep: int = 0) -> Run:
    """Run every round of the plan, one after another, and keep so many whole.

    Raises ScenarioError for a query that the network would refuse.
    """
    experiences: dict[int, Experience] = {}
    run = Run(seed=plan.scenario.seed, nodes=plan.scenario.nodes)
    trace, keeper = blake2b(digest_size=32), Keeper(plan, keep)
    for number in range(plan.scenario.rounds):
        asking = plan.asking(number)
        result = _run_round(plan, asking, experiences.setdefault(asking.requester, Experience()), keeper)
        trace.update(len(result.ranking).to_bytes(1, "big") + result.ranking)
        run.rounds.append(result)
        if progress is not None:
            progress(result)
    run.trace_digest = trace.hexdigest()
    run.kept = keeper.kept
    return run


def _run_round(plan: Plan, asking: PlannedQuery, experience: Experience, keeper: Keeper) -> RoundResult:
    record, ranking = decide(plan, asking, experience)
    take_in(plan, experience, asking, record, ranking)
    result = round_result(asking, record, ranking, verdicts_of(plan, asking, record, ranking))
    if plan.scenario.reference:
        result = replace(result, consensual=is_consensual(plan, asking, record, ranking))
    keeper.take(asking, record, result, None)
    return result


def decide(plan: Plan, asking: PlannedQuery, experience: Experience) -> tuple[RoundRecord, Ranking]:
    """Drive the requester to its decision: give it each phase's contributions and, if some are missing, its end.

    If the scenario names another pairing than the swarm's, continue from the slate without the machine.
    """
    now_ms = asking.at_ms
    offers = [plan.offer(node, now_ms) for node in plan.shards[asking.shard]]
    draw = plan.draw(asking, [offer.author for offer in offers])
    roster = choose_roster(offers, SPECIALTY, trust_of(plan, experience, asking), plan.params.members_max, draw)
    query_priors = experience.query_priors(asking.question.task)
    keypair = plan.keypairs[asking.requester]
    opened = open_record(
        plan.params, seal(keypair, plan.params.digest, plan.query(asking, now_ms, roster, query_priors))
    )
    if isinstance(opened, Fault):
        raise ScenarioError(f"the network refuses such a query: {opened}")
    openings = _openings(plan, asking, opened)
    state = requester.start(opened, keypair, now_ms).state
    while True:
        if state.record.phase is Phase.JUDGING and plan.scenario.pairing != "swarm":
            record = judged(plan, asking, state.record)
            return record, rank(record)
        head = state.record.head
        for message in _contributions(plan, asking, state.record, openings):
            moved = requester.step(state, Received(message), now_ms)
            state = moved.state
        if state.record.head == head:
            moved = requester.step(state, Tick(), state.closes_at_ms)
            state = moved.state
        decided = next((effect for effect in moved.effects if isinstance(effect, Decide)), None)
        if decided is not None:
            return state.record, decided.ranking


def _openings(plan: Plan, asking: PlannedQuery, record: RoundRecord) -> dict[Key, Opening]:
    """Return the openings of the members that commit to an answer."""
    openings = {}
    for key in record.seats:
        node = plan.number_of[key]
        content = write(plan, asking.question, node)
        if content is not None and check_content(record, content) is None:
            openings[key] = Opening(content=content, salt=plan.salt(asking.number, node))
    return openings


def _contributions(
    plan: Plan, asking: PlannedQuery, record: RoundRecord, openings: Mapping[Key, Opening]
) -> Iterator[VerifiedMessage]:
    """Yield the contributions of the record's phase, as consensus/rounds/member.py builds them."""
    texts = [content.text for content in record.contents.values()]
    query, on = record.id, record.head
    for key in sorted(record.expected()):
        body: Contribution
        match record.phase:
            case Phase.ANSWERING if key in openings:
                promise = commit_to(record, key, openings[key].content, openings[key].salt)
                body = Commit(author=key, query=query, on=on, commitment=promise)
            case Phase.OPENING:
                body = Answer(author=key, query=query, on=on, content=openings[key].content, salt=openings[key].salt)
            case Phase.TESTING:
                node, asked = plan.number_of[key], (record.query.findings.kinds, testing_seed(record.beacon, query))
                findings = run_tests(plan, asking.question, node, texts, record.testers[key], asked)
                body = Report(author=key, query=query, on=on, stage=record.stage, findings=findings)
            case Phase.JUDGING:
                body = Ballot(
                    author=key,
                    query=query,
                    on=on,
                    wave=record.wave,
                    judgements=judge(plan, asking.question, plan.number_of[key], texts, record.assignment[key]),
                )
                if is_void(body):
                    continue
            case _:
                continue
        yield seal(plan.keypairs[plan.number_of[key]], plan.params.digest, body)
