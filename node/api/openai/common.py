"""What all requests and replies of OpenAI's API share: models, errors, and the objects named `strand`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec

from node.api.asking import Findings
from node.api.common import Count, DigestHex, KeyHex, Positive, Share
from node.api.conversation import Audience
from node.api.findings import AnswerFindings, RoundTesting
from protocol.limits import TESTS_BYTES_MAX
from protocol.types import Outcome, OutcomeReason, TaskType, TokenSource

STOPS_MAX: Final = 4
"""Most texts of `stop`; as many as OpenAI takes."""

Stop = Annotated[str, msgspec.Meta(min_length=1)]
Stops = Annotated[tuple[Stop, ...], msgspec.Meta(max_length=STOPS_MAX)]


@dataclass(frozen=True, slots=True)
class FieldRules:
    """What becomes of the fields of a request that are no fields of its type."""

    refused: Mapping[str, tuple[Any, ...]]
    """Fields that are refused by name, with the values that ask for nothing and pass; null always passes."""
    ignored: frozenset[str]
    """OpenAI's fields that change nothing. Unknown ones are ignored, too; the reply names all that it got."""


class StrandOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request may ask of the round; null: as the node is configured."""

    task: TaskType = TaskType.CODE
    """Kind of task, which decides how equal answers are recognised."""
    audience: Audience | None = None
    """Nodes that may read the text; else the model id, the API key or the node's configuration says it."""
    min_confidence: Share | None = None
    """P(correct) below which the request fails with 422 instead of returning the best guess. Until the
    node has learned from gold, it is compared with the uncalibrated P(best)."""
    pairs_per_judge: Positive | None = None
    """Pairs that each judge compares, over all waves."""
    allow_secrets: bool = False
    """Whether a text that looks like it holds a secret, such as a private key, is sent all the same."""
    tests: Annotated[str, msgspec.Meta(max_length=TESTS_BYTES_MAX)] = ""
    """Rust tests that the answer must pass: functions with `#[test]`, or plain assertions. Empty: none."""
    show_tests: bool = False
    """Whether the tests also follow the last turn, so that the answers' authors see them."""
    findings: Findings | None = None
    """What is found out about the answers to a task `code`, beside the tests, which are always run; none of them: no
    answer is tested."""


class RankedAnswer(msgspec.Struct, frozen=True):
    """One answer of the round."""

    answer_id: DigestHex
    """Id of the message that opened it."""
    author: KeyHex
    """Public key of the member that wrote it."""
    p_best: Share
    """Probability that no other cluster is better than this answer's."""
    strength: float
    """Bradley-Terry log-parameter. Only differences within the round mean something: findings shift all of them."""
    cluster_size: Count
    """Number of equal answers, this one included."""
    findings: AnswerFindings | None
    """What testers settled about it; `alike` names the answers that behave like it. null if nothing was tested."""
    note: str
    """What to know before using it, as the rest of a sentence: that it fails tests, does not compile, or was not tested
    and why. Empty: nothing speaks against it."""


class SetAsideAnswer(msgspec.Struct, frozen=True):
    """One answer that cannot win, because testers found that it does not compile or fails a test."""

    answer_id: DigestHex
    """Id of the message that opened it."""
    author: KeyHex
    """Public key of the member that wrote it."""
    findings: AnswerFindings
    """What testers settled about it."""
    note: str
    """Reason why it cannot win, as the rest of a sentence."""


class StrandReport(msgspec.Struct, frozen=True):
    """What the swarm says of its answer."""

    query_id: DigestHex
    """The round's id."""
    certificate: str | None
    """Path of the certificate on this node; null if the round has none."""
    audience: Audience
    """Nodes that could read the text."""
    outcome: Outcome
    """`decided`, `degraded` (the best guess) or `failed`."""
    reason: OutcomeReason
    """Reason why the outcome is not `decided`; else `none`."""
    p_best: Share
    """Probability that no other answer is better."""
    p_correct: Share | None
    """Probability that the answer is right; null if it is not calibrated on the node's gold."""
    ranking: tuple[RankedAnswer, ...]
    """All answers that can win, best first."""
    set_aside: tuple[SetAsideAnswer, ...]
    """Answers that cannot win because they do not compile or fail a test."""
    findings: AnswerFindings | None
    """What testers settled about the answer; null if nothing was tested, or the round failed."""
    testing: RoundTesting | None
    """The testing phase; null if the question asked for none, or the round failed."""
    token_source: TokenSource | None
    """Source of the counts in `usage`; null if the round failed."""
    truncated: bool
    """Whether `stop` shortened the text that the client sees; `usage` is that of the whole text."""
    signed_text: str | None
    """The whole text, which the certificate proves, if `truncated`."""
    ignored: tuple[str, ...]
    """Fields of the request that changed nothing, such as `temperature`: each member chooses its own."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens of the winning answer, as its author signed them; the work of the other members is not counted."""

    prompt_tokens: Count
    """Tokens of the author's prompt."""
    completion_tokens: Count
    """Tokens of its answer."""
    total_tokens: Count
    """Their sum."""


class StreamOptions(msgspec.Struct, frozen=True):
    """Settings of a stream; unknown ones are ignored."""

    include_usage: bool | None = None
    """Whether the stream ends with a piece that has no choices, and `usage`."""


class ErrorDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """Reason why a request was refused or failed."""

    message: str
    """One line for the user, at most 300 characters."""
    type: str
    """OpenAI's kind of error, such as `invalid_request_error`."""
    param: str | None
    """Field of the request that the error is about; null if it is not about one."""
    code: str | None
    """Word for programs, such as `unsupported_parameter`; null if the status says it all."""
    queue_position: Positive | None = None
    """Position in the queue for a round that the request would have had, if the queue is full."""
    strand: StrandReport | None = None
    """The round that was asked and gave no answer, or none that is sure enough."""


class Problem(msgspec.Struct, frozen=True):
    """Error in OpenAI's form: the body of every refusal below `/v1`."""

    error: ErrorDetail
    """The reason."""


class ModelStrand(msgspec.Struct, frozen=True):
    """What a model id stands for."""

    specialty: str
    """Specialty of the nodes that are asked."""
    audience: Audience
    """Nodes that may read the text of a request to this model."""


class Model(msgspec.Struct, frozen=True):
    """A model id: the swarm of one specialty, asked with one audience."""

    id: str
    """The id, such as `strand-rust:trusted`."""
    strand: ModelStrand
    """What it stands for."""
    created: Count = 0
    """Always 0: a swarm has no date."""
    object: Literal["model"] = "model"
    """Always `model`."""
    owned_by: str = "strand"
    """Always `strand`."""


class Models(msgspec.Struct, frozen=True):
    """The model ids of this node."""

    data: tuple[Model, ...]
    """The ids."""
    object: Literal["list"] = "list"
    """Always `list`."""
