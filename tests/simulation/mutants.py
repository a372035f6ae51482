"""Broken variants of the machine, each with a rule that it breaks: what the checkers must find.

Most are one edit of a function's source. A mutant recomputes everything (`forgetting`), so that neither it nor the
machine meets results of the other.
"""

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from unittest.mock import patch

from consensus.certificates import certificate, closings, evidence, record, tally
from consensus.rounds import member, pulls, requester, validation
from protocol import signing
from protocol.recall import forgetting
from simnet import machine

NEVER_MS = 1 << 53


@contextmanager
def edited(owner: ModuleType | type, name: str, old: str, new: str) -> Iterator[None]:
    """Within it, this text of a function's source, which must occur once, reads otherwise."""
    function = inspect.getattr_static(owner, name)
    plain = function.fget if isinstance(function, property) else function
    source = textwrap.dedent(inspect.getsource(plain))
    assert source.count(old) == 1, f"the mutant of {name} must follow what has become of: {old}"
    made: dict[str, object] = {}
    exec(compile(source.replace(old, new), f"<mutant of {name}>", "exec"), vars(sys.modules[plain.__module__]), made)
    with patch.object(owner, name, made[name]), forgetting():
        yield


@contextmanager
def keeps_equivocators() -> Iterator[None]:
    """R3: evidence is listed, but its author still counts."""
    removes = "record.removed | state.accusations.keys()"
    with (
        edited(closings, "_list_evidence", "removed=frozenset(removed)", "removed=record.removed"),
        edited(requester, "_provisional", removes, "record.removed"),
    ):
        yield


def waits_for_everybody() -> AbstractContextManager[None]:
    """R11: a phase ends only when all contributions are in."""
    return _with(requester.Requester, "closes_at_ms", NEVER_MS)


def has_no_budgets() -> AbstractContextManager[None]:
    """R11: without a quorum a phase ends only when all contributions are in."""
    return edited(requester.Requester, "closes_at_ms", "return self.budget_ends_ms", f"return {NEVER_MS}")


def hides_the_unopened() -> AbstractContextManager[None]:
    """R4: who did not open its commitment is not named."""
    return edited(certificate.VerifiedCertificate, "unopened", "if key not in opened", "if ()")


def takes_any_opening() -> AbstractContextManager[None]:
    """R4: an opening counts if it fits the listed commitment, whoever that was made by."""
    return edited(
        record,
        "_check_answer",
        "if commit_to(record, answer.author, answer.content, answer.salt) != record.commitments[answer.author]:",
        "made = [commit_to(record, key, answer.content, answer.salt) for key in record.commitments]\n"
        "    if record.commitments[answer.author] not in made:",
    )


def forgets_its_journal() -> AbstractContextManager[None]:
    """R12: after a restart it begins anew what it had signed."""
    return edited(machine.Machine, "start", "Restored(messages, self._disk.openings.get(query))", "Restored()")


def joins_without_its_journal() -> AbstractContextManager[None]:
    """R12: with an empty disk it joins a round in which it may have spoken already."""
    return edited(validation.Validator, "_admit_query", "if query.sent_at_ms < self._joins_from_ms:", "if ():")


def believes_every_name() -> AbstractContextManager[None]:
    """R1: signatures are not checked."""
    # `open_envelope` is imported by name in many places; the library's class is looked up in one.
    return _with(signing, "VerifyKey", _Credulous)


def has_every_round_open() -> AbstractContextManager[None]:
    """V8: nobody's rounds are counted."""
    return edited(
        validation.Validator,
        "_admit_query",
        "if live.count(query.author) >= self._params.open_rounds_per_key_max or len(live) >= OPEN_ROUNDS_MAX:",
        "if ():",
    )


def keeps_all_of_a_slot() -> AbstractContextManager[None]:
    """R3: a third message for one slot is taken in, and so on."""
    return edited(
        validation.Validator, "_admit_in_round", "if len({message.id, *ids, *gossiped}) > PER_SLOT_MAX:", "if ():"
    )


def serves_tests_early() -> AbstractContextManager[None]:
    """R13: private tests are served to whoever pulls, whenever."""
    return edited(pulls, "_due", 'texts.tests if record.commitments else ""', "texts.tests")


def overlooks_censorship() -> AbstractContextManager[None]:
    """R10: it does not object when its work is left out."""
    return edited(member, "_unless_left_out", "if not leaves_out(", "if True or not leaves_out(")


def takes_missing_ballots_for_given() -> AbstractContextManager[None]:
    """R8, R19: a round is futile, or spent, although ballots are missing."""
    return edited(
        tally, "_all_in", "return judged | declined | record.removed >= record.assignment.keys()", "return True"
    )


def overlooks_its_ballot() -> AbstractContextManager[None]:
    """R10: it does not object when its ballot is left out of the tally."""
    counted = "kind, number, named = Kind.BALLOT, record.wave, record.ballots"
    return edited(member, "_unless_left_out", counted, "return state")


def overlooks_its_report() -> AbstractContextManager[None]:
    """R10: it does not object when its report is left out."""
    counted = "kind, number, named = Kind.REPORT, stage, record.reports"
    return edited(member, "_unless_left_out", counted, "return state")


def forgives_two_closings() -> AbstractContextManager[None]:
    """R2: it goes on in a round whose requester has signed two closings for one slot."""
    return edited(
        member,
        "_receive_evidence",
        "return _end(state, Ending.VOID, fault=equivocated(slot.kind))",
        "return MemberTransition(state)",
    )


@contextmanager
def forgives_a_cancel() -> Iterator[None]:
    """R16: a cancel beside a closing is no evidence, and members go on where they heard the closing first."""
    honest = "return closing.query == cancel.query and beside"
    with edited(evidence, "contradicts", honest, "return False") as _:
        lax = evidence.contradicts
        with patch.object(member, "contradicts", lax), patch.object(validation, "contradicts", lax):
            yield


def draws_no_salts() -> AbstractContextManager[None]:
    """R5: the beacon follows from what the requester alone can choose."""
    return edited(closings, "_close_slate", "record.head, salts)", "record.head, ())")


def pairs_by_slate() -> AbstractContextManager[None]:
    """R6: pairs follow from the closing's id, which its requester can choose, not from the beacon."""
    return edited(closings, "_assign", "beacon=record.beacon", "beacon=record.head")


class _Credulous:
    """Takes any bytes for a key, and for its signature."""

    def __init__(self, key: bytes) -> None:
        pass

    def verify(self, *_: bytes) -> None:
        pass


@contextmanager
def _with(owner: ModuleType | type, name: str, value: object) -> Iterator[None]:
    with patch.object(owner, name, value), forgetting():
        yield
