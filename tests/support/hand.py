"""One round built by hand: a test says who speaks, and in which order. What is signed is what nodes would sign."""

from dataclasses import replace
from typing import Any

from consensus.certificates.closings import Missing, extend
from consensus.certificates.evidence import accuse
from consensus.certificates.record import RoundRecord, commit_to, open_record
from consensus.certificates.tally import rank
from protocol.errors import Fault
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
    Findings,
    Message,
    Query,
    Report,
)
from protocol.params import NetworkParams
from protocol.signing import Keypair, VerifiedMessage, seal
from protocol.types import ONE, DeclinedPhase, DeclineReason, FinishReason, Key, Objection
from tests.support.findings import found
from tests.support.swarm import Swarm, answer_text, keypair, params


class Hand:
    """A round of named nodes; `a` asks. Contributions act on the head of `record`, closings make it grow."""

    def __init__(self, names: str = "abcd", network: NetworkParams | None = None, **changes: object) -> None:
        self.params = network or params()
        self.names = names
        query = Swarm(names, self.params).query(**changes)
        self.query = self.seal("a", query)
        opened = open_record(self.params, self.query)
        assert isinstance(opened, RoundRecord), opened
        self.record = opened

    # -- who speaks --------------------------------------------------------------------------------------------------

    def seal(self, name: str, body: Message) -> VerifiedMessage:
        """Sign as this node, whatever author the body names."""
        pair = self.pair(name)
        return seal(pair, self.params.digest, replace(body, author=pair.public))

    def pair(self, name: str) -> Keypair:
        """A node's key pair."""
        return keypair(name)

    def key(self, name: str) -> Key:
        """A node's key."""
        return keypair(name).public

    def name_of_key(self, key: bytes) -> str:
        """The node with this key."""
        return next(name for name in self.names if self.key(name) == key)

    def name_of(self, message: VerifiedMessage) -> str:
        """The node that signed this."""
        return self.name_of_key(message.author)

    def content(self, name: str) -> AnswerContent:
        """The answer of this node's model."""
        return AnswerContent(text=answer_text(name), finish=FinishReason.STOP, prompt_tokens=10, answer_tokens=20)

    # -- contributions -----------------------------------------------------------------------------------------------

    def commit(self, name: str, **changes: Any) -> VerifiedMessage:
        """This node's commitment."""
        key = self.key(name)
        bound = commit_to(self.record, key, self.content(name), name.encode() * 32)
        body = Commit(author=key, query=self.record.id, on=self.record.head, commitment=bound)
        return self.seal(name, replace(body, **changes))

    def answer(self, name: str, **changes: Any) -> VerifiedMessage:
        """This node's opening."""
        body = Answer(
            author=self.key(name),
            query=self.record.id,
            on=self.record.head,
            content=self.content(name),
            salt=name.encode() * 32,
        )
        return self.seal(name, replace(body, **changes))

    def report(self, name: str, *findings: Findings, **changes: Any) -> VerifiedMessage:
        """This node's report; by default that all its answers compile."""
        told = findings or tuple(found(index) for index in self.record.testers[self.key(name)])
        body = Report(
            author=self.key(name),
            query=self.record.id,
            on=self.record.head,
            stage=self.record.stage,
            findings=told,
        )
        return self.seal(name, replace(body, **changes))

    def ballot(self, name: str, preference: int = ONE // 2, **changes: Any) -> VerifiedMessage:
        """This node's ballot: the same preference for each of its pairs."""
        pairs = self.record.assignment[self.key(name)]
        body = Ballot(
            author=self.key(name),
            query=self.record.id,
            on=self.record.head,
            wave=self.record.wave,
            judgements=tuple(BallotEntry(first=i, second=j, preference=preference) for i, j in pairs),
        )
        return self.seal(name, replace(body, **changes))

    def cosign(self, name: str, objection: Objection = Objection.NONE, **changes: Any) -> VerifiedMessage:
        """This node's word on the tally."""
        body = Cosign(author=self.key(name), query=self.record.id, on=self.record.head, objection=objection)
        return self.seal(name, replace(body, **changes))

    def decline(self, name: str, reason: DeclineReason = DeclineReason.ENGINE, **changes: Any) -> VerifiedMessage:
        """This node gives nothing in the present phase."""
        record = self.record
        body = Decline(
            author=self.key(name),
            query=record.id,
            on=record.head,
            phase=changes.pop("phase", None) or DeclinedPhase(record.phase),
            wave=record.repetition,
            reason=reason,
        )
        return self.seal(name, replace(body, **changes))

    def evidence(self, finder: str, one: VerifiedMessage, other: VerifiedMessage) -> VerifiedMessage:
        """Evidence that `finder` tells of."""
        return accuse(self.pair(finder), self.params.digest, one, other)

    def equivocation(self, name: str) -> tuple[VerifiedMessage, VerifiedMessage]:
        """Two commitments of one member."""
        first, second = (self.commit(name, on=self.record.id, commitment=bytes((x,)) * 32) for x in b"xy")
        return first, second

    # -- closings ----------------------------------------------------------------------------------------------------

    def close_commits(self, names: str, **changes: Any) -> VerifiedMessage:
        """The closing that lists these nodes' commitments."""
        commits = [self.commit(name) for name in names]
        entries = [Commitment(member=each.author, commitment=each.body.commitment) for each in commits]  # type: ignore[union-attr]
        body = CloseCommits(
            author=self.key("a"),
            query=self.record.id,
            prev=self.record.head,
            commitments=tuple(sorted(entries, key=lambda entry: entry.member)),
            declines=(),
            ride_along=(),
        )
        return self.seal("a", replace(body, **changes))

    def close_slate(self, answers: list[VerifiedMessage], **changes: Any) -> VerifiedMessage:
        """The closing that counts these answers, all of them riding along."""
        return self.seal("a", replace(CloseSlate(answers=_ids(answers), **self._frame(answers)), **changes))

    def close_reports(self, reports: list[VerifiedMessage], **changes: Any) -> VerifiedMessage:
        """The closing of the present stage of testing."""
        body = CloseReports(stage=self.record.stage, reports=_ids(reports), declines=(), **self._frame(reports))
        return self.seal("a", replace(body, **changes))

    def close_wave(self, ballots: list[VerifiedMessage], **changes: Any) -> VerifiedMessage:
        """The closing of the present wave."""
        body = CloseWave(wave=self.record.wave, ballots=_ids(ballots), declines=(), **self._frame(ballots))
        return self.seal("a", replace(body, **changes))

    def close_tally(self, ballots: list[VerifiedMessage], **changes: Any) -> VerifiedMessage:
        """The tally of these last ballots, with what follows from them."""
        ordered = sorted(ballots, key=lambda message: message.id)
        ranking = rank(replace(self.record, ballots=(*self.record.ballots, *ordered)))
        body = CloseTally(
            ballots=_ids(ballots),
            declines=(),
            outcome=ranking.outcome,
            reason=ranking.reason,
            stop=ranking.stop,
            winner=ranking.winner,
            p_best=ranking.p_best,
            ranking_digest=ranking.digest,
            **self._frame(ballots),
        )
        return self.seal("a", replace(body, **changes))

    def cancel(self, **changes: Any) -> VerifiedMessage:
        """The round is cancelled in place of the next closing."""
        body = Cancel(author=self.key("a"), query=self.record.id, prev=self.record.head)
        return self.seal("a", replace(body, **changes))

    def _frame(self, contributions: list[VerifiedMessage]) -> dict[str, Any]:
        return {
            "author": self.key("a"),
            "query": self.record.id,
            "prev": self.record.head,
            "evidence": (),
            "ride_along": tuple(message.envelope for message in contributions),
        }

    # -- progress ----------------------------------------------------------------------------------------------------

    def extend(self, closing: VerifiedMessage, *pool: VerifiedMessage) -> RoundRecord | Missing | Fault:
        """Try a closing; the record grows if it stands."""
        extended = extend(self.record, closing, {message.id: message for message in pool})
        if isinstance(extended, RoundRecord):
            self.record = extended
        return extended

    def to_opening(self, names: str = "") -> "Hand":
        """Close the commitments of these nodes, or of all."""
        assert isinstance(self.extend(self.close_commits(names or self.names)), RoundRecord)
        return self

    def to_judging(self, names: str = "") -> "Hand":
        """Close the slate with these nodes' answers, or with all."""
        self.to_opening(names)
        closing = self.close_slate([self.answer(name) for name in names or self.names])
        assert isinstance(self.extend(closing), RoundRecord)
        return self

    def to_cosigning(self) -> "Hand":
        """Close the tally with a ballot of every judge."""
        self.to_judging()
        judges = [name for name in self.names if self.key(name) in self.record.assignment]
        closing = self.close_tally([self.ballot(name) for name in judges])
        assert isinstance(self.extend(closing), RoundRecord)
        return self


def changed_query(hand: Hand, **changes: Any) -> VerifiedMessage:
    """Another query of `a`."""
    assert isinstance(hand.query.body, Query)
    return hand.seal("a", replace(hand.query.body, **changes))


def _ids(messages: list[VerifiedMessage]) -> tuple[Any, ...]:
    return tuple(sorted(message.id for message in messages))
