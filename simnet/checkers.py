"""Safety and liveness, checked from outside: the world reports events, and nothing here acts on it.

Promises to and by honest nodes are checked for honest nodes. Memory is bounded: a round is forgotten when it is closed,
or when `ROUNDS_MAX` others have begun since.

Certificates are recomputed twice: by `audit`, an independent reading of the rules, and by `verify_certificate`, which
is `consensus` itself; a difference between them is a violation. Shared with `consensus`, and so not checked here: which
slot a message fills and what proves equivocation (`certificates.evidence`), which pairs a wave assigns, and
the limits that `_holdings` names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.evidence import Slot, examine, slot_of
from consensus.rounds import member, offers, participant, validation
from consensus.rounds.participant import Participant
from protocol import codec
from protocol.errors import Fault
from protocol.limits import EVIDENCE_MAX, MEMBERS_MAX, STAGES_MAX, WAVES_MAX
from protocol.messages import (
    Cancel,
    CloseCommits,
    CloseReports,
    CloseSlate,
    CloseTally,
    CloseWave,
    Closing,
    Commit,
    Contribution,
    Cosign,
    EquivocationProof,
    Offer,
    PhaseClosing,
)
from protocol.params import NetworkParams
from protocol.recall import forgetting
from protocol.signing import VerifiedMessage
from protocol.streams import PullReply
from protocol.types import CLOSINGS, CONTRIBUTIONS, Digest, Key, Kind, Objection
from simnet.audit import Audited, audit
from simnet.plan import PlannedQuery
from simnet.readings import differences
from simnet.results import NO_OUTCOME, RoundResult, Violation

ROUNDS_MAX = 256
"""Rounds observed: the world closes some late, and never those that a flooder began."""

AUDITED_MAX = 1_024
"""Digests of audited certificates, so that each is audited once, however many nodes hold it."""

NO_ROUND = -1
"""The number of a round that the world did not plan."""

REPEATED_MAX = WAVES_MAX + STAGES_MAX
"""Waves and stages of a round."""

SLOTS_MAX = MEMBERS_MAX * (len(CONTRIBUTIONS) + 2 * REPEATED_MAX) + len(CLOSINGS) - 1 + REPEATED_MAX + 1
"""Slots of a round: each member's contributions, with a ballot for any wave and a report for any stage, and declines of
both phases without them and of any of them; closings, likewise; the notice."""

NAMED_MAX = MEMBERS_MAX * (2 + REPEATED_MAX) + EVIDENCE_MAX
"""Messages that all closings of a round name: they join the pool even if it is full."""

OWN_CONTRIBUTIONS_MAX = 3 + REPEATED_MAX
"""Contributions of one member to one round: they join its pool even if it is full."""


class Cast(Protocol):
    """The part of a plan that the checkers need."""

    @property
    def params(self) -> NetworkParams:
        """Parameters of the network."""
        ...

    @property
    def honest(self) -> frozenset[int]:
        """Numbers of the honest nodes."""
        ...

    @property
    def number_of(self) -> Mapping[Key, int]:
        """Number of each node, by key."""
        ...


@dataclass(slots=True)
class _Life:
    """An honest node's view of a round since its last start; a restart forgets it, as the node does."""

    slots: dict[Slot, Digest] = field(default_factory=dict)
    """The first message of each slot."""
    closings: dict[Digest, Closing] = field(default_factory=dict)
    """Closings by id."""
    accused: dict[Slot, int] = field(default_factory=dict)
    """Slots that it knows to be filled twice, and since when, ms."""
    came_ms: dict[Digest, int] = field(default_factory=dict)
    """Arrival of each closing, in ms."""
    delivered: dict[Slot, tuple[VerifiedMessage, int]] = field(default_factory=dict)
    """Its contributions that the requester, or the mesh, has, and since when, ms."""

    @property
    def is_void(self) -> bool:
        """Whether it knows of two different closings for one slot (R2), or of a cancel beside a closing (R16)."""
        return any(slot.kind in CLOSINGS for slot in self.accused)


@dataclass(slots=True)
class _Round:
    number: int = NO_ROUND
    signed: dict[Slot, Digest] = field(default_factory=dict)
    """Messages signed by honest nodes, over all restarts."""
    lives: dict[int, _Life] = field(default_factory=dict)
    closings: dict[Digest, Closing] = field(default_factory=dict)
    """Closings signed by an honest requester."""
    winner: Digest | None = None
    """Winner of the first full certificate."""


class Checkers:
    """All checkers of one world. Only the world calls them."""

    def __init__(self, plan: Cast) -> None:
        self.violations: list[Violation] = []
        """Safety violations: each is a bug."""
        self.late: list[Violation] = []
        """Liveness violations: rounds without an outcome."""
        self._params = plan.params
        self._honest = plan.honest
        self._number_of = plan.number_of
        self._rounds: dict[Digest, _Round] = {}
        self._offers: dict[int, tuple[int, Digest]] = {}
        self._audited: dict[bytes, None] = {}
        self.accused: set[Slot] = set()
        """Slots that evidence, made or accepted by an honest node, shows to be filled twice: a few for each round."""

    # -- a round's beginning and end -----------------------------------------------------------------------------------

    def open_round(self, asking: PlannedQuery, query: Digest) -> None:
        """Record the id of a planned query: findings of its round are reported under its number."""
        self._round(query).number = asking.number

    def round_over(self, asking: PlannedQuery, result: RoundResult) -> None:
        """Check liveness at the deadline."""
        if result.outcome == NO_OUTCOME:
            detail = f"node {asking.requester} has no outcome by the deadline"
            self.late.append(Violation("liveness", detail, asking.number))

    def close_round(self, query: Digest) -> None:
        """Forget a round of which nothing is under way any more."""
        self._rounds.pop(query, None)

    # -- messages of honest nodes
    # ---------------------------------------------------------------------------------------

    def signed(self, node: int, message: VerifiedMessage) -> None:
        """Check a message of its own that a node's participant journals or sends; call it for repetitions too.

        R3, R12: never two different messages for one slot. R2: no co-signature in a round that it knows to be void.
        R16: never a cancel beside another closing.
        """
        if node not in self._honest:
            return
        if isinstance(message.body, Offer):
            self._offered(node, message, message.body)
            return
        if isinstance(message.body, EquivocationProof):
            self._accused(node, message)
            return
        slot = slot_of(message)
        if slot is None:
            return
        known = self._round(Digest(slot.query))
        if isinstance(message.body, Closing):
            if _cancelled_beside(message.body, known.closings.values()):
                self._violated("R16", f"node {node} signed a cancel beside a closing", known.number)
            known.closings[message.id] = message.body
        before = known.signed.get(slot)
        if before is None:
            known.signed[slot] = message.id
            self._check_void(node, message, known)
        elif before != message.id:
            self._violated("R3", f"node {node} signed two different {_name(slot)}", known.number)

    def heard(self, node: int, message: VerifiedMessage, at_ms: int) -> None:
        """Record another node's message that a node's validator admitted. `at_ms` is of any clock.

        Messages that are only pulled need no call: R10 does not judge a closing that was never reported.
        """
        if node not in self._honest:
            return
        if isinstance(message.body, EquivocationProof):
            shown = self._accused(node, message)
            if shown is not None:
                self._life(node, Digest(shown.query)).accused.setdefault(shown, at_ms)
            return
        slot = slot_of(message)
        if slot is None or not isinstance(message.body, Closing | Contribution):
            return
        life = self._life(node, Digest(slot.query))
        if life.slots.setdefault(slot, message.id) != message.id:
            life.accused.setdefault(slot, at_ms)
        if isinstance(message.body, Closing):
            life.came_ms.setdefault(message.id, at_ms)
            if _cancelled_beside(message.body, life.closings.values()):
                life.accused.setdefault(slot, at_ms)
            life.closings[message.id] = message.body

    def served(self, node: int, query: Digest, reply: bytes) -> None:
        """Check what a node serves to a member that pulls. R13: no private tests before the commits are closed."""
        given, known = codec.decode(PullReply, reply), self._round(query)
        if node not in self._honest or not isinstance(given, PullReply) or not given.tests:
            return
        if not any(isinstance(closing, CloseCommits) for closing in known.closings.values()):
            self._violated("R13", f"node {node} served the asker's tests before the commits closing", known.number)

    def delivered(self, node: int, message: VerifiedMessage, at_ms: int) -> None:
        """Record a node's knowledge that its contribution was delivered: from now on an omission is censorship.

        `at_ms` is of the clock that `heard` uses.
        """
        slot = slot_of(message)
        if node in self._honest and slot is not None:
            self._life(node, Digest(slot.query)).delivered.setdefault(slot, (message, at_ms))

    def restarted(self, node: int) -> None:
        """Forget a restarted node's view: it cannot act on messages that it heard before and did not journal."""
        for known in self._rounds.values():
            known.lives.pop(node, None)

    def _accused(self, node: int, evidence: VerifiedMessage) -> Slot | None:
        """R3, R12: check that an honest node never looks like an equivocator."""
        shown = examine(evidence, self._params.digest)
        if not isinstance(shown, Slot):
            return None
        self.accused.add(shown)
        if self._number_of.get(shown.author) in self._honest:
            number = self._round(Digest(shown.query)).number
            self._violated("R3", f"node {node} holds evidence against an honest node's {_name(shown)}", number)
        return shown

    def _offered(self, node: int, message: VerifiedMessage, offer: Offer) -> None:
        """R3: an offer's slot is its sequence, which grows, so the last one is all there is to remember."""
        sequence, id = self._offers.get(node, (-1, message.id))
        if offer.sequence == sequence and message.id != id:
            self._violated("R3", f"node {node} signed two different OFFER messages for one slot", NO_ROUND)
        self._offers[node] = (offer.sequence, message.id)

    def _check_void(self, node: int, message: VerifiedMessage, known: _Round) -> None:
        if not isinstance(message.body, Cosign) or message.body.objection is not Objection.NONE:
            return
        life = known.lives.get(node)
        if life is not None and life.is_void:
            self._violated("R2", f"node {node} co-signed after it had seen two closings of one slot", known.number)

    # -- certificates --------------------------------------------------------------------------------------------------

    def certified(self, node: int, certificate: bytes) -> None:
        """Check a certificate that a node's participant made or an honest node accepted."""
        digest = blake2b(certificate, digest_size=32).digest()
        if digest in self._audited:
            return
        self._audited[digest] = None
        if len(self._audited) > AUDITED_MAX:
            del self._audited[next(iter(self._audited))]
        # Compute again, independently of the nodes' own results.
        with forgetting():
            audited, verified = audit(certificate), verify_certificate(certificate)
        if isinstance(verified, Fault):
            number = self._round(audited.query).number if isinstance(audited, Audited) else NO_ROUND
            self._violated(verified.rule, f"node {node}: a certificate does not verify: {verified}", number)
        if not isinstance(audited, Audited):
            number = NO_ROUND if isinstance(verified, Fault) else self._round(verified.record.id).number
            for finding in audited:
                self._violated(finding.rule, f"node {node}: a certificate with {finding.detail}", number)
            return
        known = self._round(audited.query)
        if isinstance(verified, VerifiedCertificate):
            for rule, what in differences(audited, verified):
                self._violated(rule, f"node {node}: audit and verification find different {what}", known.number)
        if audited.full:
            self._check_agreement(audited, known)
        for key in audited.cosigners:
            cosigner = self._number_of.get(key)
            life = known.lives.get(cosigner) if cosigner is not None else None
            if life is not None:
                for omission in _omissions(audited, key, life, self._params.grace_ms):
                    self._violated("R10", f"node {cosigner} co-signed although {omission}", known.number)

    def _check_agreement(self, audited: Audited, known: _Round) -> None:
        """R9: check for one winner per query, while less than a third of the members with weight is dishonest."""
        known.winner = known.winner or audited.winner
        dishonest = sum(self._number_of.get(key) not in self._honest for key in audited.weighty)
        if known.winner != audited.winner and 3 * dishonest < len(audited.weighty):
            self._violated("R9", "two full certificates with different winners", known.number)

    # -- limits --------------------------------------------------------------------------------------------------------

    def bounded(self, node: int, participant: Participant) -> None:
        """Check that an honest node's data stay within the documented limits."""
        if node not in self._honest:
            return
        for what, count, most in _holdings(participant, self._params):
            if count > most:
                self._violated("limits", f"node {node} holds {count} {what}, at most {most}", NO_ROUND)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _round(self, query: Digest) -> _Round:
        known = self._rounds.get(query)
        if known is None:
            known = self._rounds[query] = _Round()
            if len(self._rounds) > ROUNDS_MAX:
                del self._rounds[next(iter(self._rounds))]
        return known

    def _life(self, node: int, query: Digest) -> _Life:
        lives = self._round(query).lives
        life = lives.get(node)
        if life is None:
            life = lives[node] = _Life()
        return life

    def _violated(self, rule: str, detail: str, number: int) -> None:
        self.violations.append(Violation(rule, detail, number))


def _name(slot: Slot) -> str:
    return f"{slot.kind.name} messages for one slot"


def _cancelled_beside(closing: Closing, others: Iterable[Closing]) -> bool:
    """R16: whether one is a cancel and the other takes its place in the chain, or is the tally."""
    return any(
        isinstance(cancel, Cancel)
        and not isinstance(beside, Cancel)
        and (beside.prev == cancel.prev or isinstance(beside, CloseTally))
        for other in others
        for cancel, beside in ((closing, other), (other, closing))
    )


def _omissions(audited: Audited, key: Key, life: _Life, grace_ms: int) -> Iterator[str]:
    """R10: yield omissions of closings: messages that the co-signer had delivered, or held, `grace_ms` earlier."""
    waves = 0
    for (id, closing), removed in zip(audited.closings, audited.accused, strict=True):
        came_ms = life.came_ms.get(id)
        match closing:
            case CloseCommits():
                expected, wave = Kind.COMMIT, 0
            case CloseSlate():
                expected, wave = Kind.ANSWER, 0
            case CloseReports(stage=stage):
                expected, wave = Kind.REPORT, stage
            case CloseWave() | CloseTally():
                expected, wave = Kind.BALLOT, waves
                waves += 1
        if came_ms is None:
            continue
        message, since_ms = life.delivered.get(Slot(audited.query, key, expected, wave), (None, came_ms))
        if message is not None and came_ms - since_ms >= grace_ms and not _names(closing, message):
            yield f"its {expected.name}, delivered {came_ms - since_ms} ms before, is not in {closing.KIND.name}"
        if isinstance(closing, CloseCommits):
            continue
        for slot, since_ms in life.accused.items():
            is_listed = slot.kind not in CONTRIBUTIONS or slot.author in removed
            if not is_listed and came_ms - since_ms >= grace_ms:
                yield f"evidence that it held {came_ms - since_ms} ms before is not in {closing.KIND.name}"


def _names(closing: PhaseClosing, message: VerifiedMessage) -> bool:
    """Whether the closing counts the contribution, or need not because it acts upon another chain."""
    body = message.body
    assert isinstance(body, Contribution)
    if body.on != closing.prev:
        return True
    match closing:
        case CloseCommits(commitments=commitments):
            assert isinstance(body, Commit)
            return any(each.member == body.author and each.commitment == body.commitment for each in commitments)
        case (
            CloseSlate(answers=named)
            | CloseReports(reports=named)
            | CloseWave(ballots=named)
            | CloseTally(ballots=named)
        ):
            return message.id in named


def _holdings(holder: Participant, params: NetworkParams) -> Iterator[tuple[str, int, int]]:
    """Yield the name of each table, its size and its limit. Reads private state, so that no interface need offer it."""
    validator = holder.validator
    yield "rounds", len(holder._rounds), participant.ROUNDS_KEPT
    yield "admitted rounds", len(validator._rounds), validation.ROUNDS_MAX
    yield "guarded queries", len(validator._guard), validation.GUARD_MAX
    yield "offers", len(validator.offers._offers), offers.OFFERS_MAX
    open_of: dict[Key, int] = {}
    for known in validator._rounds.values():
        if not known.over and known.query.author != holder.keypair.public:
            open_of[known.query.author] = open_of.get(known.query.author, 0) + 1
        yield "slots of a round", len(known.slots), SLOTS_MAX
        yield "convicted slots", len(known.convicted), SLOTS_MAX
        yield "messages of a slot", _longest(known.slots), 2
    yield "open rounds", sum(open_of.values()), validation.OPEN_ROUNDS_MAX
    yield "open rounds of one key", max(open_of.values(), default=0), params.open_rounds_per_key_max
    for each in holder._rounds.values():
        if (at_member := each.as_member) is not None:
            yield "pooled messages", len(at_member.pool), member.POOL_MAX + OWN_CONTRIBUTIONS_MAX + NAMED_MAX
            yield "early closings", len(at_member.early), member.EARLY_MAX
            yield "accused members", len(at_member.accused), len(at_member.record.seats)
        if (at_requester := each.as_requester) is not None:
            yield "received contributions", len(at_requester.received), len(at_requester.record.seats)
            yield "declines", len(at_requester.declines), len(at_requester.record.seats)
            yield "accusations", len(at_requester.accusations), len(at_requester.record.seats)


def _longest(lists: Mapping[Slot, Sized]) -> int:
    return max(map(len, lists.values()), default=0)
