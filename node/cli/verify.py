"""`strand verify`."""

from collections.abc import Sequence
from dataclasses import asdict
from os.path import exists, isfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from consensus.certificates.report import CertificateReading
from consensus.certificates.steps import StepState, VerificationStep
from consensus.certificates.versions import verify_in_steps
from node.cli.parts.certificates import outcome, read_certificate, refused
from node.cli.parts.errors import CliError, Exit
from node.cli.parts.findings import told_testing
from node.cli.parts.options import JsonFlag, outside, print_json, stdout
from node.files import FileError, read_text
from node.text import one_line
from protocol.errors import Fault
from protocol.limits import KEY_BYTES
from protocol.types import Key

KEYS_BYTES_MAX = 1024 * 1024
"""Largest file of keys in bytes: a certificate has far fewer members than fit."""

_WORDS = {StepState.PASSED: "passed", StepState.FAILED: "FAILED", StepState.NOT_REACHED: "not reached"}
"""Words of what became of a step."""

SHOWN_CHARS_MAX = 200
"""Characters of what was given in place of keys, in the line that refuses it."""


def verify(
    file: Annotated[Path, Parameter(help="A certificate.")],
    *,
    trust: Annotated[
        str | None,
        Parameter(
            help="Count only these co-signers: hexadecimal keys separated by commas, or a file with one on each line."
        ),
    ] = None,
    steps: Annotated[bool, Parameter(help="Show each step of the verification, with its rule and counts.")] = False,
    json: JsonFlag = False,
) -> int:
    """Verify a certificate from its bytes alone: every signature, the chain, the pairs, the fit, the outcome.

    With --trust the certificate must be full by your keys alone: co-signed by more than two thirds of those among them
    that are members, by all if they are three or fewer.
    """
    trusted = None if trust is None else read_keys(trust)
    read, made = verify_in_steps(read_certificate(file), trusted=trusted)
    told = {"steps": [asdict(each) for each in made]} if steps else {}
    if steps and not json:
        _print_steps(made)
    if isinstance(read, Fault):
        if json:
            print_json({"valid": False, "reason": read.reason, "rule": read.rule, "detail": read.detail, **told})
        raise refused(read)
    report = read.report
    if json:
        print_json({"valid": True, "trusted_cosigners": _trusted_cosigners(read, trusted), **report, **told})
    else:
        kind = "full" if read.full else "partial"
        print(f"valid: {outcome(report)}, {kind}, co-signed by {len(read.cosigners)} of {report['members']} members")
        if tested := told_testing(report):
            stdout().print(outside(tested), soft_wrap=True, highlight=False)
    if trusted is not None and not read.full:
        raise CliError("valid, but not co-signed by enough of the keys that you trust (rule R9)", Exit.NO_QUORUM)
    return 0


def _print_steps(made: Sequence[VerificationStep]) -> None:
    width = max(len(each.rule) for each in made)
    for each in made:
        line = f"{_WORDS[each.state]:<11}  {each.rule:<{width}}  {each.text}"
        stdout().print(outside(line), soft_wrap=True, highlight=False)


def _trusted_cosigners(read: CertificateReading, trusted: frozenset[Key] | None) -> int | None:
    return None if trusted is None else len(trusted & read.cosigners)


def read_keys(text: str) -> frozenset[Key]:
    """Read keys from a comma-separated list or a file. Raises CliError."""
    try:
        # `Path.is_file` raises an error for a list that is longer than a file's name.
        from_file = isfile(text)  # noqa: PTH113
        lines = read_text(Path(text), KEYS_BYTES_MAX).split() if from_file else text.split(",")
        keys = frozenset(Key(bytes.fromhex(line.strip())) for line in lines if line.strip())
    except FileError as error:
        raise CliError(f"--trust: {error}", Exit.USAGE) from error
    except ValueError:
        keys = frozenset()
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        wanted = "--trust wants keys of 64 hexadecimal digits"
        if exists(text) or not text.strip():  # noqa: PTH110 - as above
            raise CliError(wanted, Exit.USAGE)
        raise CliError(f"{wanted}, or a file of them; there is no file {one_line(text, SHOWN_CHARS_MAX)}", Exit.USAGE)
    return keys
