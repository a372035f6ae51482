"""One example of every kind of message, its numbers of every width, for vectors and forgeries."""

from protocol.conversation import digest_of
from protocol.messages import (
    Answer,
    AnswerContent,
    Ballot,
    BallotEntry,
    Cancel,
    CloseCommits,
    CloseReports,
    CloseSlate,
    CloseTally,
    CloseWave,
    Commit,
    Commitment,
    Cosign,
    Decline,
    EquivocationProof,
    Message,
    Notice,
    Offer,
    Query,
    Report,
    Seat,
    Turn,
)
from protocol.signing import Keypair, seal
from protocol.types import (
    ABSTAIN,
    ONE,
    CompileStatus,
    DeclinedPhase,
    DeclineReason,
    Digest,
    FinishReason,
    Kind,
    Objection,
    Outcome,
    OutcomeReason,
    Role,
    StopReason,
    TaskType,
    TokenSource,
    TurnRole,
)
from tests.support.findings import found, plan

SEED = bytes(range(32))
NETWORK = Digest(b"\x4e" * 32)
"""Of no parameter set, so that the messages' vectors do not change with a figure in `configs`."""

KEYPAIR = Keypair(SEED)
OTHER = Keypair(SEED[::-1])

CONTENT = AnswerContent(
    text="Ünïcode: fn main() {}\n",
    finish=FinishReason.STOP,
    prompt_tokens=200,
    answer_tokens=70_000,
    token_source=TokenSource.ESTIMATE,
)


CONVERSATION = (
    Turn(role=TurnRole.SYSTEM, text="Be brief."),
    Turn(role=TurnRole.USER, text="Wie groß?"),
    Turn(role=TurnRole.ASSISTANT, text="Sehr."),
    Turn(role=TurnRole.USER, text="Which is longer?"),
)
"""A conversation with every role."""


def digest(letter: str) -> Digest:
    """A digest that is easy to find in a dump."""
    return Digest(letter.encode() * 32)


def samples() -> dict[Kind, Message]:
    """A body of each kind by `KEYPAIR`."""
    author = KEYPAIR.public
    on_query = {"author": author, "query": digest("q")}
    commits = [seal(KEYPAIR, NETWORK, Commit(**on_query, on=digest("q"), commitment=digest(letter))) for letter in "xy"]
    first, second = sorted(commits, key=lambda message: message.id)
    bodies: list[Message] = [
        _offer(),
        _query(),
        Commit(**on_query, on=digest("q"), commitment=digest("c")),
        CloseCommits(
            **on_query,
            prev=digest("q"),
            commitments=tuple(Commitment(member=key, commitment=digest("c")) for key in sorted((author, OTHER.public))),
            declines=(digest("d"),),
            ride_along=(),
        ),
        Answer(**on_query, on=digest("k"), content=CONTENT, salt=b"\x5a" * 32),
        CloseSlate(
            **on_query,
            prev=digest("k"),
            answers=(digest("1"), digest("2")),
            evidence=(digest("e"),),
            ride_along=(commits[0].envelope,),
        ),
        Ballot(
            **on_query,
            on=digest("s"),
            wave=1,
            judgements=(
                BallotEntry(first=0, second=1, preference=ONE),
                BallotEntry(first=2, second=0, preference=ABSTAIN),
            ),
        ),
        CloseWave(
            **on_query,
            prev=digest("s"),
            wave=1,
            ballots=(digest("b"),),
            declines=(),
            evidence=(digest("e"),),
            ride_along=(),
        ),
        CloseTally(
            **on_query,
            prev=digest("s"),
            ballots=(digest("b"),),
            declines=(digest("d"),),
            evidence=(),
            outcome=Outcome.DEGRADED,
            reason=OutcomeReason.TOO_FEW_JUDGES,
            stop=StopReason.BUDGET,
            winner=digest("1"),
            p_best=40_000,
            ranking_digest=digest("r"),
            ride_along=(),
        ),
        Cosign(**on_query, on=digest("t"), objection=Objection.CENSORED),
        Notice(**on_query, on=digest("t"), certificate_digest=digest("d"), certificate_bytes=123_456),
        EquivocationProof(author=author, first=first.envelope, second=second.envelope),
        Decline(**on_query, on=digest("s"), phase=DeclinedPhase.JUDGING, wave=1, reason=DeclineReason.ENGINE),
        Cancel(**on_query, prev=digest("s")),
        Report(
            **on_query,
            on=digest("s"),
            stage=0,
            findings=(
                found(0, "one"),
                found(2, "two", status=CompileStatus.FAILS, error=308, unsafe=1, tests=(0, 0, 255)),
            ),
        ),
        CloseReports(
            **on_query,
            prev=digest("s"),
            stage=1,
            reports=(digest("p"),),
            declines=(),
            evidence=(digest("e"),),
            ride_along=(),
        ),
    ]
    return {body.KIND: body for body in bodies}


def _offer() -> Offer:
    return Offer(
        author=KEYPAIR.public,
        sequence=1 << 53,
        sent_at_ms=1_800_000_000_000,
        roles=Role.ANSWER | Role.JUDGE,
        specialties=("rust", "öl"),
        model="strand-rust-coder-14b",
        context_tokens=32_768,
        milli_tokens_per_second=41_500,
        queue=3,
        tool_versions="rustc 1.95.0 g1 x1",
        addresses=("/ip4/127.0.0.1/tcp/4001",),
    )


def _query() -> Query:
    seats = [
        Seat(
            member=key,
            roles=role,
            vote_weight=ONE,
            judge_weight=-ONE // 2,
            author_weight=-1,
            honest=4 * ONE,
            inverse=19_660,
            coin=ONE,
            partisan=ONE // 2,
            tool_versions="" if role == Role.JUDGE else "rustc 1.95.0 g1 x1",
        )
        for key, role in ((KEYPAIR.public, Role.ANSWER | Role.JUDGE), (OTHER.public, Role.JUDGE))
    ]
    return Query(
        author=KEYPAIR.public,
        specialty="rust",
        shard=256,
        task=TaskType.CODE,
        turns=CONVERSATION,
        content_digest=digest_of(CONVERSATION),
        max_tokens=256,
        answer_ms=30_000,
        open_ms=2_000,
        judge_ms=70_000,
        cosign_ms=3_000,
        patience_ms=1_000,
        waves=(3, 2),
        threshold=58_982,
        calibration_intercept=-ONE // 4,
        calibration_slope=50_000,
        calibration_findings=ONE // 2,
        confidence_min=52_429,
        beta=45_875,
        tau_u=52_429,
        tau_v=26_214,
        futility=1_311,
        findings=plan(tests_digest=digest("t")),
        sent_at_ms=1_800_000_000_000,
        nonce=b"\x6e" * 32,
        roster=tuple(sorted(seats, key=lambda seat: seat.member)),
    )
