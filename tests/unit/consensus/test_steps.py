"""Each step of a verification tells what it found, and a broken certificate fails at the step whose rule it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.reading import CertificateReading, reading_of
from consensus.certificates.steps import StepState, VerificationStep
from consensus.certificates.versions import READERS, read_any_version, verify_in_steps
from protocol import codec
from protocol.certificate import Certificate
from protocol.conversation import single
from protocol.errors import Fault
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.recall import forgetting
from protocol.signing import VerifiedMessage, open_envelope, seal
from protocol.types import Objection
from protocol.versions import CURRENT, WIRE
from tests.support.hand import Hand
from tests.support.swarm import keypair
from tests.vectors.certificates import FOLDER, folder_name

TODAY = FOLDER / folder_name(CURRENT)
FILES = sorted(TODAY.glob("*.certificate"))


@pytest.fixture(autouse=True)
def a_stranger() -> Iterator[None]:
    with forgetting():
        yield


def steps_to(raw: bytes) -> tuple[VerificationStep, ...]:
    """The steps, which end as `verify_certificate` does."""
    read, steps = verify_in_steps(raw)
    plain = read_any_version(raw)
    assert read == plain
    states = [each.state for each in steps]
    passed = states.count(StepState.PASSED)
    if isinstance(read, Fault):
        missed = [StepState.NOT_REACHED] * (len(states) - passed - 1)
        assert states == [StepState.PASSED] * passed + [StepState.FAILED] + missed
        failed = steps[passed]
        assert failed.rule == read.rule and read.detail in failed.text
    else:
        assert passed == len(steps)
    return steps


def failed(raw: bytes) -> tuple[int, str]:
    """Number, from 0, and rule of the step that fails."""
    return next((at, each.rule) for at, each in enumerate(steps_to(raw)) if each.state is StepState.FAILED)


def held(name: str) -> Certificate:
    certificate = codec.decode(
        Certificate, (TODAY / f"{name}.certificate").read_bytes(), bytes_max=CERTIFICATE_BYTES_MAX
    )
    assert isinstance(certificate, Certificate)
    return certificate


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_all_steps_of_what_holds_pass(path: Any) -> None:
    raw = path.read_bytes()
    steps = steps_to(raw)
    read = reading_of(raw)
    assert isinstance(read, CertificateReading)
    certificate = held(path.stem)
    assert len(steps) == 9 + len(certificate.closings)
    assert f"{len(raw):,} bytes" in steps[0].text
    assert f"{len(certificate.closings)} closings" in steps[1].text
    assert f"{len(read.cosigners)} of {read.description['members']} members" in steps[-3].text
    assert ("is full" in steps[-1].text) == read.full


def test_the_closings_tell_what_they_count() -> None:
    texts = [each.text for each in steps_to((TODAY / "evidence_apart.certificate").read_bytes())]
    assert texts[2] == (
        "beside the closings stand 4 answers, 4 ballots, 1 equivocation proof, all signed, in order, "
        "each in the list of its kind"
    )
    assert texts[4] == "5 commitments listed, all of answering seats of the roster"
    assert texts[5].startswith("4 of 5 commitments opened") and texts[5].endswith(
        "1 member removed for equivocation (R3)"
    )
    assert texts[6].startswith(
        "wave 1: ballots of 4 of 4 judges, each on exactly the pairs assigned to it; a recount of 12"
    )
    tested = [each.text for each in steps_to((TODAY / "disputed.certificate").read_bytes())]
    assert tested[6].startswith("stage 1: reports of 8 of 8 testers")


# -- one byte ----------------------------------------------------------------------------------------------------------


def flipped(raw: bytes, within: bytes) -> bytes:
    """The certificate with the last byte of this part of it changed."""
    at = raw.index(within) + len(within) - 1
    return raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]


@pytest.mark.parametrize(
    ("part", "step", "rules"),
    [
        (lambda held: held.query[:40], 1, {"R1"}),
        (lambda held: held.closings[0][:40], 1, {"R1"}),
        (lambda held: held.closings[-1][:40], 1, {"R1"}),
        (lambda held: held.params.network.encode(), 1, {"R1"}),
        (lambda held: held.answers[0][:40], 2, {"R1"}),
        (lambda held: held.ballots[-1][:40], 2, {"R1"}),
        (lambda held: held.evidence[0][:40], 2, {"R1"}),
        (lambda held: held.cosigns[0][:40], -3, {"R1"}),
        (lambda held: held.answers[0][:1], 2, {"P1", "P3"}),
        (lambda _: b"\xa7version", 0, {"P1"}),
    ],
    ids=[
        "query",
        "first closing",
        "tally",
        "parameters",
        "answer",
        "ballot",
        "evidence",
        "co-signature",
        "kind",
        "name",
    ],
)
def test_one_byte_fails_the_step_that_reads_it(
    part: Callable[[Certificate], bytes], step: int, rules: set[str]
) -> None:
    raw = (TODAY / "evidence_apart.certificate").read_bytes()
    steps = steps_to(forged := flipped(raw, part(held("evidence_apart"))))
    at, rule = failed(forged)
    assert (at, rule in rules) == (step % len(steps), True)


def test_one_byte_more_or_less_is_no_certificate() -> None:
    raw = (TODAY / "full.certificate").read_bytes()
    for broken in (raw[:-1], raw + b"\x00", b"", raw[1:]):
        assert failed(broken) == (0, "P1")


# -- forged by who holds a key -----------------------------------------------------------------------------------------


def opened(certificate: Certificate, envelope: bytes) -> Any:
    message = open_envelope(envelope, certificate.params.digest)
    assert isinstance(message, VerifiedMessage)
    return message


def resigned(certificate: Certificate, envelope: bytes, **changes: Any) -> bytes:
    """A message that its author signs anew with other fields."""
    body = replace(opened(certificate, envelope).body, **changes)
    pairs = {keypair(name).public: keypair(name) for name in "abcdefgh"}
    return seal(pairs[body.author], certificate.params.digest, body).envelope


def drop_answer(held: Certificate) -> dict[str, Any]:
    return {"answers": held.answers[1:]}


def reverse(held: Certificate) -> dict[str, Any]:
    return {"ballots": held.ballots[::-1]}


def other_tally(held: Certificate) -> dict[str, Any]:
    return {"closings": (*held.closings[:-1], resigned(held, held.closings[-1], p_best=1))}


def other_query(held: Certificate) -> dict[str, Any]:
    return {"query": resigned(held, held.query, threshold=1)}


def long_budget(held: Certificate) -> dict[str, Any]:
    return {"query": resigned(held, held.query, answer_ms=held.params.phase_ms_max + 1)}


def no_tally(held: Certificate) -> dict[str, Any]:
    return {"closings": held.closings[:-1]}


def surplus(held: Certificate) -> dict[str, Any]:
    other = resigned(held, held.answers[0], salt=b"z" * 32)
    held_too = sorted((*held.answers, other), key=lambda envelope: opened(held, envelope).id)
    return {"answers": tuple(held_too)}


def objection(held: Certificate) -> dict[str, Any]:
    changed = resigned(held, held.cosigns[0], objection=Objection.CENSORED)
    return {"cosigns": tuple(sorted((changed, *held.cosigns[1:]), key=lambda envelope: opened(held, envelope).id))}


def turns(_: Certificate) -> dict[str, Any]:
    return {"turns": single("What?")}


@pytest.mark.parametrize(
    ("forge", "step", "rule"),
    [
        (reverse, 2, "C2"),
        (long_budget, 3, "R11"),
        (other_query, 4, "R2"),
        (drop_answer, 5, "C3"),
        (other_tally, 6, "R8"),
        (no_tally, 6, "C1"),
        (surplus, 8, "C3"),
        (objection, 9, "C5"),
        (turns, 10, "C4"),
    ],
)
def test_a_forgery_fails_at_the_step_of_its_rule(
    forge: Callable[[Certificate], dict[str, Any]], step: int, rule: str
) -> None:
    certificate = held("declines_apart")
    assert failed(codec.encode(replace(certificate, **forge(certificate)))) == (step, rule)


def test_a_chain_that_ends_otherwise_fails_after_its_last_closing() -> None:
    """Cancelled, or failed: each closing holds, but there is no winner."""
    cancelled, failed_round = Hand(), Hand()
    for hand, closing in ((cancelled, cancelled.cancel()), (failed_round, failed_round.close_tally([]))):
        empty = dict.fromkeys(("answers", "reports", "ballots", "declines", "evidence", "cosigns", "turns"), ())
        whole = Certificate(
            version=WIRE, params=hand.params, query=hand.query.envelope, closings=(closing.envelope,), **empty
        )
        assert failed(codec.encode(whole)) == (5, "C1")


# -- former versions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [each for each in READERS if each != CURRENT], ids=folder_name)
def test_a_frozen_reader_answers_for_the_whole_in_one_step(version: Any) -> None:
    raw = (FOLDER / folder_name(version) / "full.certificate").read_bytes()
    (step,) = steps_to(raw)
    assert (step.rule, str(version) in step.text) == ("C6", True)
    (step,) = steps_to(flipped(raw, held_query(raw)))
    assert step.state is StepState.FAILED


def held_query(raw: bytes) -> bytes:
    """The beginning of a former certificate's query, within its signature."""
    at = raw.index(b"\xa5query")
    return raw[at : at + 40]


def test_a_version_without_a_reader_is_one_step() -> None:
    raw = (FOLDER / "wire-0-hbt-2-forms-1-draws-1" / "full.certificate").read_bytes()
    assert failed(raw) == (0, "C6")
    assert len(steps_to(raw)) == 1


def test_the_plain_verification_is_the_same() -> None:
    raw = (TODAY / "full.certificate").read_bytes()
    assert isinstance(verify_certificate(raw), VerifiedCertificate)
    assert isinstance(verify_certificate(raw, trusted=()), VerifiedCertificate)
