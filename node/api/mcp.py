"""Arguments and results of the tools for agents, as structs: their JSON schemas are what an agent reads."""

from typing import Annotated, Final

import msgspec

from node.api.common import DigestHex, Positive, Share
from node.api.conversation import Audience, Turn
from node.api.findings import AnswerFindings
from protocol.limits import TESTS_BYTES_MAX, TURNS_MAX
from protocol.types import FinishReason, Outcome, OutcomeReason, TaskType

EARLIER_TURNS_MAX: Final = TURNS_MAX - 1
"""Earlier turns of a conversation: with the question, as many as a query has."""

CERTIFICATE_CHARS_MAX: Final = 120 * 1024
"""Characters of a certificate in base64: what a request's body holds. A larger one is verified by its query's id."""


class AskSwarm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `ask_swarm`."""

    question: Annotated[str, msgspec.Meta(min_length=1)]
    """The question in full, with all code that it is about. The nodes see nothing else."""
    earlier_turns: Annotated[tuple[Turn, ...], msgspec.Meta(max_length=EARLIER_TURNS_MAX)] = ()
    """Earlier turns of the conversation, oldest first, if the question refers to them."""
    task: TaskType = TaskType.CODE
    """`code`: the answer is a program; `final`: it ends with one short result; `open`: prose."""
    audience: Audience | None = None
    """Nodes that may read the question; if left out, those that the node's owner allows to agents."""
    min_confidence: Share | None = None
    """Probability of being right below which the swarm abstains."""
    max_tokens: Positive | None = None
    """Greatest length of one answer in tokens."""
    pairs_per_judge: Positive | None = None
    """Pairs that each judge compares: more takes longer and ranks better."""
    tests: Annotated[str, msgspec.Meta(max_length=TESTS_BYTES_MAX)] = ""
    """Rust tests that the answer must pass, for `code`: functions with `#[test]`, or plain assertions. Members run them
    in sandboxes after they have committed to their answers."""
    show_tests: bool = False
    """Whether the tests also follow the question, so that the answers' authors see them."""


class SwarmAnswer(msgspec.Struct, frozen=True):
    """Result of `ask_swarm`."""

    answer: str
    """The winning answer; of a degraded round, its best guess."""
    outcome: Outcome
    """`decided`, or `degraded` if too few took part or the swarm is not sure enough."""
    reason: OutcomeReason
    """Reason why the outcome is not `decided`."""
    p_best: Share
    """Probability that no other answer of this round is better."""
    p_correct: Share | None
    """Probability that the answer is right; null if the node has no gold to calibrate it on."""
    findings: AnswerFindings | None
    """What testers settled about the answer: whether it compiles, and how it does with the tests; null: not tested."""
    finish: FinishReason | None
    """Reason why the winner's model stopped; `length`: the answer is cut."""
    query_id: DigestHex
    """Id of the round, for `explain_round` and `verify_certificate`."""
    certificate: str | None
    """URI of the certificate as a resource; null if the members did not co-sign in time."""
    members: int
    """Number of nodes that were asked."""


class OneRound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `explain_round`."""

    query_id: DigestHex
    """Id of a round that this node asked or took part in."""


class OneCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `verify_certificate`: one of both."""

    query_id: DigestHex | None = None
    """Id of a round whose certificate this node holds."""
    certificate: Annotated[str, msgspec.Meta(max_length=CERTIFICATE_CHARS_MAX)] | None = None
    """A certificate's bytes in base64, from anywhere."""


class NoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of a tool without any."""
