"""Asking and watching: one round from the question to a verified certificate, shown live on stderr."""

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from consensus.certificates.certificate import VerifiedCertificate, verify_certificate
from consensus.certificates.report import describe
from node.cli.client import Client
from node.cli.errors import CliError, Exit
from node.cli.options import outside

_PHASES = {
    "answering": "answering",
    "opening": "opening commitments",
    "judging": "judging",
    "cosigning": "co-signing",
}


_KEY_DIGITS = 6
"""digits of a key, which tell the members of one round apart on one line."""


@dataclass(slots=True)
class Followed:
    """A finished round, as its asker saw it."""

    query_id: str
    verified: VerifiedCertificate
    certificate: bytes
    timings_ms: dict[str, int]

    def report(self, certificate: Path) -> dict[str, Any]:
        """What `ask --json` and `demo --json` print."""
        return {**describe(self.verified), "certificate": str(certificate), "timings_ms": self.timings_ms}


@dataclass(slots=True)
class PlainLines:
    """A round where nothing can be redrawn, as in a file or a pipe: a line when a phase begins, and one as it ends."""

    console: Console
    begun: dict[str, Any] | None = None
    """The last event of the phase, or wave of judging, that is not over."""
    began_ms: int = 0

    def show(self, event: dict[str, Any]) -> None:
        """Print what an event adds."""
        # Nobody is expected in a wave in which no pair is left.
        is_progress = event["event"] == "progress" and event["phase"] in _PHASES and event["expected"]
        if self.begun is not None and not (is_progress and _place(event) == _place(self.begun)):
            took_s = (event["at_ms"] - self.began_ms) / 1000
            self._print(self.begun, f" after {took_s:.1f} s: {_who(self.begun) or 'nobody'}")
            self.begun = None
        if is_progress:
            if self.begun is None:
                self.began_ms = event["at_ms"]
                self._print(event, "")
            self.begun = event

    def _print(self, event: dict[str, Any], more: str) -> None:
        wave = f", wave {event['wave'] + 1}" if event["phase"] == "judging" else ""
        counts = f"{len(event['received'])} of {len(event['expected'])}"
        self.console.print(outside(f"{_PHASES[event['phase']]}{wave}: {counts}{more}"), soft_wrap=True, highlight=False)


def _place(event: dict[str, Any]) -> tuple[str, int]:
    return event["phase"], event["wave"]


@dataclass(slots=True)
class _View:
    """The live picture: one line for each phase, with names of who is in."""

    progress: Progress
    lines: PlainLines | None
    tasks: dict[str, TaskID] = field(default_factory=dict)
    phase_began_ms: dict[str, int] = field(default_factory=dict)
    decided_ms: int | None = None
    ended_ms: int | None = None
    refused: dict[str, str] = field(default_factory=dict)
    """Why members do not work on the query, by key."""
    declined: dict[str, str] = field(default_factory=dict)
    """Why members gave nothing to a phase, by key."""

    def show(self, event: dict[str, Any]) -> None:
        if self.lines is not None:
            self.lines.show(event)
        match event["event"]:
            case "progress" if event["phase"] in _PHASES:
                self._show_phase(event)
            case "decided":
                self.decided_ms = event["at_ms"]
            case "ended":
                self.ended_ms = event["at_ms"]

    def _show_phase(self, event: dict[str, Any]) -> None:
        phase, received, expected = event["phase"], event["received"], event["expected"]
        self.phase_began_ms.setdefault(phase, event["at_ms"])
        if phase not in self.tasks:
            self.tasks[phase] = self.progress.add_task(_PHASES[phase], total=len(expected), who="")
        self.refused |= event["refused"]
        self.declined |= event["declined"]
        self.progress.update(self.tasks[phase], completed=len(received), total=max(len(expected), 1), who=_who(event))

    def timings_ms(self) -> dict[str, int]:
        """How long each phase took, when the answer was there, and the whole."""
        phases = list(self.phase_began_ms.items())
        ends = [began for _, began in phases[1:]] + [self.ended_ms or 0]
        timings = {phase: end - began for (phase, began), end in zip(phases, ends, strict=True)}
        return {**timings, "to_answer": self.decided_ms or 0, "total": self.ended_ms or 0}


async def follow(
    client: Client, question: dict[str, Any], timeout_s: float, console: Console, lines: PlainLines | None = None
) -> Followed:
    """Ask, watch, fetch the certificate and verify it. Raises CliError where there is none.

    The live picture is drawn on a terminal only; `lines` are printed anywhere.
    """
    columns = (TextColumn("{task.description:<20}"), BarColumn(20), TextColumn("{task.completed}/{task.total}"),
               TimeElapsedColumn(), TextColumn("{task.fields[who]}"))  # fmt: skip
    query_id, certified = "", False
    decided: dict[str, Any] = {}
    ended: dict[str, Any] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        view = _View(progress, lines)
        async for event in client.ask(question, timeout_s):
            view.show(event)
            match event["event"]:
                case "asked":
                    query_id = event["query_id"]
                case "decided":
                    decided = event
                case "certified":
                    certified = True
                case "ended" if not ended:
                    ended = event
    if not certified:
        raise CliError(_why_not(decided, ended, view.refused, view.declined), Exit.NO_QUORUM)
    certificate = await client.certificate(query_id)
    verified = verify_certificate(certificate)
    if not isinstance(verified, VerifiedCertificate):
        raise CliError(f"the node served a certificate that does not hold: {verified}")
    return Followed(query_id, verified, certificate, view.timings_ms())


def _who(event: dict[str, Any]) -> str:
    """Short keys of who is in, and of who will not come and why."""
    parts = [" ".join(key[:_KEY_DIGITS] for key in event["received"])]
    if event["silent"]:
        parts.append("silent: " + " ".join(key[:_KEY_DIGITS] for key in event["silent"]))
    for kind in ("refused", "declined"):
        if event[kind]:
            told = ", ".join(f"{key[:_KEY_DIGITS]} {_words(why)}" for key, why in event[kind].items())
            parts.append(f"{kind}: {told}")
    return "; ".join(part for part in parts if part)


def _why_not(decided: dict[str, Any], ended: dict[str, Any], refused: dict[str, str], declined: dict[str, str]) -> str:
    """Say why there is no certificate. `refused` and `declined` are members' reasons by key."""
    if decided.get("outcome") == "failed":
        told = [f"the round failed: {decided['reason']}"]
        for kind, whys in (("refused", refused), ("declined", declined)):
            if whys:
                counts = Counter(map(_words, whys.values())).most_common()
                told.append(f"members {kind}: " + ", ".join(f"{why} ({count})" for why, count in counts))
        if decided["own_engine"]:
            told.append(f"this node's own engine: {decided['own_engine']}")
        return "; ".join((*told, "see `strand peers` for who offers to answer"))
    if ended.get("ending") == "left":
        return "the node's disk took nothing any more, so it left the round: see `strand status`"
    if ended.get("fault"):
        return f"the round is void: {ended['fault']}"
    return "the node stopped before the round had a certificate"


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def save_certificate(certificate: bytes, path: Path) -> None:
    """Write a certificate so that it appears whole or not at all. Raises CliError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Ours alone: a folder that is made here may be the one that later holds the node's key.
        for folder in reversed([folder for folder in path.parents if not folder.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        draft.write_bytes(certificate)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise CliError(f"cannot write {path}: {error.strerror}") from error
