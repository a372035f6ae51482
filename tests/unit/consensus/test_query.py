"""The query that a requester signs, field by field."""

from dataclasses import replace

from consensus.certificates.record import query_ms, round_ms
from consensus.learning.experience import QueryPriors
from consensus.learning.finding_strengths import FindingStrengths
from consensus.learning.query import NO_FINDINGS, Budgets, QuerySubject, build_query
from consensus.ranking.bradley_terry import PriorParameters
from protocol.conversation import digest_of, single
from protocol.hashing import digest_of_tests
from protocol.messages import FindingsPlan, Query
from protocol.types import ONE, FindingKind, TaskType
from tests.support.swarm import START_MS, Swarm, keypair, params

SUBJECT = QuerySubject(
    keypair("a").public,
    "rust",
    3,
    TaskType.CODE,
    single("Which?"),
    findings=FindingKind.COMPILES | FindingKind.TESTS,
    tests="assert!(true);",
)
BUDGETS = Budgets(
    max_tokens=256, answer_ms=2_000, open_ms=1_000, judge_ms=2_100, cosign_ms=1_100, patience_ms=300, waves=(1, 2),
    test_ms=900, threshold=0.9, confidence_min=0.25, futility=0.5,
)  # fmt: skip
PRIORS = QueryPriors(
    {},
    PriorParameters(beta=0.7, tau_u=0.8, tau_v=0.4),
    calibration=(-7, 70_000, 9),
    strengths=FindingStrengths(agreement=1.0, compiles=0.5, tests=2.0, lint=0.25, agreed_share=0.75),
)
PLAN = FindingsPlan(
    kinds=FindingKind.COMPILES | FindingKind.TESTS,
    budget_ms=900,
    tests_digest=digest_of_tests("assert!(true);"),
    agreement=ONE,
    compiles=ONE // 2,
    tests=2 * ONE,
    lint=ONE // 4,
    agreed_share=3 * ONE // 4,
)


def test_every_field_of_a_query_comes_from_one_place() -> None:
    roster = Swarm("ab").query().roster
    assert build_query(SUBJECT, BUDGETS, PRIORS, list(roster), START_MS, b"n" * 32) == Query(
        author=keypair("a").public,
        specialty="rust",
        shard=3,
        task=TaskType.CODE,
        turns=single("Which?"),
        content_digest=digest_of(single("Which?")),
        max_tokens=256,
        answer_ms=2_000,
        open_ms=1_000,
        judge_ms=2_100,
        cosign_ms=1_100,
        patience_ms=300,
        waves=(1, 2),
        threshold=58_982,
        calibration_intercept=-7,
        calibration_slope=70_000,
        calibration_findings=9,
        confidence_min=16_384,
        beta=45_875,
        tau_u=52_429,
        tau_v=26_214,
        futility=32_768,
        findings=PLAN,
        sent_at_ms=START_MS,
        nonce=b"n" * 32,
        roster=roster,
    )


def test_a_private_query_holds_the_digest_of_its_text_alone() -> None:
    query = build_query(replace(SUBJECT, private=True), BUDGETS, PRIORS, (), START_MS, b"n" * 32)
    assert (query.turns, query.content_digest) == ((), digest_of(single("Which?")))


def test_budgets_are_cut_to_what_the_network_allows_and_no_further() -> None:
    network = params()
    assert BUDGETS.within(network) == BUDGETS
    most = replace(
        BUDGETS, max_tokens=10**9, answer_ms=10**9, open_ms=10**9, judge_ms=10**9, cosign_ms=10**9,
        patience_ms=10**9, test_ms=10**9, waves=(1, 10**6),
    ).within(network)  # fmt: skip
    assert most.max_tokens == network.answer_tokens_max
    assert {most.answer_ms, most.open_ms, most.test_ms, most.judge_ms, most.cosign_ms} == {network.phase_ms_max}
    assert (most.patience_ms, most.waves) == (network.patience_ms_max, (1, network.pairs_per_wave_max))


def test_a_round_is_as_long_as_its_phases_and_waves() -> None:
    assert round_ms(BUDGETS, 0) == 2_000 + 1_000 + 2 * 2_100 + 1_100
    query = build_query(SUBJECT, BUDGETS, PRIORS, (), START_MS, b"n" * 32)
    assert query_ms(query) == round_ms(BUDGETS, BUDGETS.test_ms) == round_ms(BUDGETS, 0) + 2 * 900
    without = build_query(replace(SUBJECT, findings=NO_FINDINGS), BUDGETS, PRIORS, (), START_MS, b"n" * 32)
    assert query_ms(without) == round_ms(BUDGETS, 0)
