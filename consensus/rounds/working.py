"""A member's work, phase by phase: it gives an answer, its opening, a report, a ballot, or a decline.

`member` decides when; here stands what.
"""

from dataclasses import replace

from consensus.certificates.evidence import Slot, declining
from consensus.certificates.record import Phase, RoundRecord, check_content, check_decline, commit_to, is_void
from consensus.ranking.behaviour import agreement
from consensus.rounds.contributing import contribute, pull, repeat
from consensus.rounds.effects import Generate, Judge, RunTests, SlateAnswer
from consensus.rounds.membership import Member, MemberTransition
from protocol import codec
from protocol.errors import FaultReason
from protocol.hashing import testing_seed
from protocol.messages import Answer, Ballot, BallotEntry, Commit, Decline, Findings, Opening, Report
from protocol.types import DeclinedPhase, DeclineReason, Digest, FinishReason, Key, Kind, Role

TEXT_PULLS_MAX = 3
"""Pulls, in one stage of testing, of the texts that testers read. Each asks every member, one after the other."""

TEXT_PULL_PARTS = 8
"""The next pull follows after this part of the stage's budget. With all of them three eighths go by: what is then left
is enough for tests, whose budget counts on busy machines."""

# -- answering -----------------------------------------------------------------------------------------------------


def answer_query(state: Member, now_ms: int) -> MemberTransition:
    """R4: commit to a new answer of our model, or again to the one from before a restart (R12)."""
    if Role.ANSWER not in state.record.seats[state.key].roles:
        return MemberTransition(state)
    if state.restored.opening is not None:
        return commit(state, state.restored.opening)
    if (declined := state.restored.messages.get(_decline_slot(state, DeclinedPhase.ANSWERING, 0))) is not None:
        return repeat(state, declined)
    query = state.record.query
    deadline_ms = now_ms + state.budget_ms
    return MemberTransition(state, (Generate(state.record.id, state.turns, query.task, query.max_tokens, deadline_ms),))


def commit(state: Member, opening: Opening) -> MemberTransition:
    """R4: commit to an answer. One that comes after the closing, or would not count, is useless."""
    record = state.record
    if record.phase is not Phase.ANSWERING or state.opening is not None or _has_declined(state):
        return MemberTransition(state)
    if (fault := check_content(record, opening.content)) is not None:
        empty = fault.reason is FaultReason.EMPTY_ANSWER
        return decline(state, DeclinedPhase.ANSWERING, 0, DeclineReason.EMPTY if empty else DeclineReason.CAPACITY)
    body = Commit(
        author=state.key,
        query=record.id,
        on=record.head,
        commitment=commit_to(record, state.key, opening.content, opening.salt),
    )
    return contribute(replace(state, opening=opening), body, secret=codec.encode(opening))


def open_commitment(state: Member) -> MemberTransition:
    """R4: open only on a closing that names our own commitment."""
    record, opening = state.record, state.opening
    if opening is None or record.commitments.get(state.key) != commitment(state, opening):
        return MemberTransition(state)
    body = Answer(author=state.key, query=record.id, on=record.head, content=opening.content, salt=opening.salt)
    return contribute(state, body)


def commitment(state: Member, opening: Opening) -> Digest:
    """Return the commitment that binds us to this answer (R4)."""
    return commit_to(state.record, state.key, opening.content, opening.salt)


# -- testing -------------------------------------------------------------------------------------------------------


def run_tests(state: Member, now_ms: int) -> MemberTransition:
    """R17: have the assigned answers tested, once the texts that this takes are here.

    A text that does not come is pulled again, a few times. Then answers are tested without the asker's tests; without
    the conversation the stage is declined (R15).
    """
    record = state.record
    assigned, plan = record.testers.get(state.key), record.query.findings
    if record.phase is not Phase.TESTING or not assigned:
        return MemberTransition(state)
    for slot in (
        Slot(record.id, state.key, Kind.REPORT, record.stage),
        _decline_slot(state, DeclinedPhase.TESTING, record.stage),
    ):
        if (before := state.restored.messages.get(slot)) is not None:
            return repeat(state, before)
    if state.lacks_texts and state.text_pulls < TEXT_PULLS_MAX:
        due_ms = now_ms + max(1, state.budget_ms // TEXT_PULL_PARTS)
        state = replace(state, texts_due_ms=due_ms, text_pulls=state.text_pulls + 1)
        return MemberTransition(state, (pull(state, ()),))
    state = replace(state, texts_due_ms=None)
    if not state.turns:
        return decline(state, DeclinedPhase.TESTING, record.stage, DeclineReason.CAPACITY)
    votes = {answer.author: record.seats[Key(answer.author)].vote_weight for answer in record.answers}
    slate = tuple(
        SlateAnswer(content.text, votes[answer.author])
        for answer, content in zip(record.answers, record.contents.values(), strict=True)
    )
    run = RunTests(
        query=record.id,
        stage=record.stage,
        turns=state.turns,
        slate=slate,
        assigned=assigned,
        kinds=plan.kinds,
        tests=state.tests,
        seed=testing_seed(record.beacon, record.id),
        deadline_ms=state.phase_ends_ms,
    )
    return MemberTransition(state, (run,))


def report(state: Member, stage: int, findings: tuple[Findings, ...]) -> MemberTransition:
    """R17: report on exactly the assigned answers."""
    record = state.record
    if record.phase is not Phase.TESTING or stage != record.stage or _has_declined(state):
        return MemberTransition(state)
    if tuple(found.answer for found in findings) != record.testers.get(state.key):
        return MemberTransition(state)
    return contribute(state, Report(author=state.key, query=record.id, on=record.head, stage=stage, findings=findings))


# -- judging -------------------------------------------------------------------------------------------------------


def judge(state: Member, now_ms: int) -> MemberTransition:
    """R6: request the comparison of exactly the pairs that follow from the closing."""
    record = state.record
    pairs = record.assignment.get(state.key)
    if not pairs or not state.turns:
        return MemberTransition(state)
    ballot = Slot(record.id, state.key, Kind.BALLOT, record.wave)
    for slot in (ballot, _decline_slot(state, DeclinedPhase.JUDGING, record.wave)):
        if (before := state.restored.messages.get(slot)) is not None:
            return repeat(state, before)
    texts = [content.text for content in record.contents.values()]
    shown = tuple((texts[first], texts[second]) for first, second in pairs)
    cut = {content.text for content in record.contents.values() if content.finish is FinishReason.LENGTH}
    tested = pairs if record.findings else ()
    return MemberTransition(
        state,
        (
            Judge(
                query=record.id,
                wave=record.wave,
                turns=state.turns,
                pairs=shown,
                deadline_ms=now_ms + state.budget_ms,
                cut=frozenset(text for pair in shown for text in pair if text in cut),
                findings=tuple((record.found(first), record.found(second)) for first, second in tested),
                agreeing=tuple((_agreeing(record, first), _agreeing(record, second)) for first, second in tested),
            ),
        ),
    )


def _agreeing(record: RoundRecord, index: int) -> int:
    """Return the vote weight of the other answers that behave as this one does, as R18 counts it."""
    ours = record.found(index).behaviour
    alike = [
        (record.texts[other], record.seats[Key(answer.author)].vote_weight, record.found(other))
        for other, answer in enumerate(record.answers)
        if ours and record.found(other).behaviour == ours
    ]
    return agreement(alike)


def vote(state: Member, wave: int, preferences: tuple[int, ...]) -> MemberTransition:
    """R6: cast a ballot of exactly its pairs; decline instead of casting a void one."""
    record = state.record
    pairs = record.assignment.get(state.key, ())
    if record.phase is not Phase.JUDGING or wave != record.wave or len(preferences) != len(pairs) or not pairs:
        return MemberTransition(state)
    if _has_declined(state):
        return MemberTransition(state)
    judgements = tuple(
        BallotEntry(first=first, second=second, preference=preference)
        for (first, second), preference in zip(pairs, preferences, strict=True)
    )
    body = Ballot(author=state.key, query=record.id, on=record.head, wave=wave, judgements=judgements)
    if is_void(body):
        return decline(state, DeclinedPhase.JUDGING, wave, DeclineReason.ABSTAINS)
    return contribute(state, body)


# -- declining -----------------------------------------------------------------------------------------------------


def decline(state: Member, phase: DeclinedPhase, wave: int, reason: DeclineReason) -> MemberTransition:
    """R15: state at once, and finally, that nobody need wait for us in this phase."""
    record = state.record
    body = Decline(author=state.key, query=record.id, on=record.head, phase=phase, wave=wave, reason=reason)
    has_given = Slot(record.id, state.key, _GIVEN[phase], wave) in (state.sent.keys() | state.restored.messages.keys())
    if has_given or check_decline(record, body) is not None or _has_declined(state):
        return MemberTransition(state)
    return contribute(state, body)


_GIVEN = {
    DeclinedPhase.ANSWERING: Kind.COMMIT,
    DeclinedPhase.TESTING: Kind.REPORT,
    DeclinedPhase.JUDGING: Kind.BALLOT,
    DeclinedPhase.COSIGNING: Kind.COSIGN,
}
"""Kind of the contribution in each phase that a member may decline."""


def _decline_slot(state: Member, phase: DeclinedPhase, wave: int) -> Slot:
    return declining(state.record.id, state.key, phase, wave)


def _has_declined(state: Member) -> bool:
    """Whether we have declined the work of the present phase."""
    record = state.record
    return _decline_slot(state, DeclinedPhase(record.phase), record.repetition) in state.sent
