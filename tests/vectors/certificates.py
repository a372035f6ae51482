"""Certificates of today's version as fixtures: rounds of every kind, and what a reader must find in each.

`STRAND_UPDATE=1 python -P -m tests.vectors.certificates` writes those that are not there yet; what is there is never
written again, since software of any later version must read it as it is.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from consensus.certificates.reading import CertificateReading, reading_of
from consensus.rounds import effects as fx
from protocol import codec
from protocol.certificate import Certificate
from protocol.conversation import digest_of, single
from protocol.hashing import digest_of_tests
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.messages import Commit
from protocol.signing import seal
from protocol.topics import topic
from protocol.types import ONE, CompileStatus, DeclineReason, Digest, Kind, TaskType
from protocol.versions import CURRENT, RoundVersion
from tests.support.findings import found, plan
from tests.support.samples import CONVERSATION
from tests.support.swarm import Interceptor, Node, Swarm, answer_text, keypair, params

FOLDER = Path(__file__).parents[1] / "fixtures" / "certificates"


def folder_name(version: RoundVersion) -> str:
    """The folder of one version's certificates: "wire-1-hbt-2-forms-1-draws-1"."""
    names = (f"wire/{version.wire}", version.aggregator, version.canonical_form, version.draws)
    return "-".join(name.replace("/", "-") for name in names)


def withhold(kind: Kind) -> Interceptor:
    """A member that keeps its contributions of one kind to itself."""

    def intercept(_swarm: Swarm, _node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        return [] if isinstance(effect, fx.Contribute) and effect.message.kind is kind else None

    return intercept


def commit_twice(swarm: Swarm, node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
    """A member that tells everybody two different commitments."""
    if not isinstance(effect, fx.Contribute) or not isinstance(effect.message.body, Commit):
        return None
    other = replace(effect.message.body, commitment=Digest(b"x" * 32))
    second = seal(keypair(node.name), swarm.params.digest, other)
    for listener in swarm.nodes.values():
        for message in (effect.message, second):
            if listener is not node:
                swarm.gossip(listener, topic(swarm.params, "rust", 0), message)
    return []


def _unopened(swarm: Swarm) -> None:
    swarm.interceptors["d"] = withhold(Kind.ANSWER)


def _too_few(swarm: Swarm) -> None:
    swarm.interceptors["c"] = swarm.interceptors["d"] = withhold(Kind.ANSWER)


def _partial(swarm: Swarm) -> None:
    swarm.interceptors["c"] = swarm.interceptors["d"] = withhold(Kind.COSIGN)


def _declines(swarm: Swarm) -> None:
    swarm.nodes["d"].unable_to_answer = DeclineReason.CAPACITY
    swarm.nodes["e"].unable_to_judge = DeclineReason.ABSTAINS


def _evidence(swarm: Swarm) -> None:
    swarm.interceptors["e"] = commit_twice


def _unanimous(swarm: Swarm) -> None:
    for node in swarm.nodes.values():
        node.text = answer_text("a").replace("{", "{ // so says " + node.name + "\n")


def _final(swarm: Swarm) -> None:
    texts = ("Answer: 42", "I think so.\nAnswer: 42.0", "Answer: 41", "Answer: 42", "Nobody knows.\nAnswer: Ω")
    for node, text in zip(swarm.nodes.values(), texts, strict=True):
        node.text = text


def _open(swarm: Swarm) -> None:
    for name, node in swarm.nodes.items():
        node.text = f"Grüße, says {name}.  It depends on\n\nthe weather."


def _tested(swarm: Swarm) -> None:
    """All but one can test. `e` does not compile, `d` fails a test, `a` and `b` behave alike."""
    fates: dict[str, dict[str, Any]] = {
        swarm.nodes["a"].text: {"behaviour": "alike", "tests": (2, 0, 0)},
        swarm.nodes["b"].text: {"behaviour": "alike", "tests": (2, 0, 0), "lints": b"\1\0\0\0\0\2"},
        swarm.nodes["c"].text: {"behaviour": "other", "tests": (2, 0, 0), "unsafe": 1, "panics": 3},
        swarm.nodes["d"].text: {"behaviour": "another", "tests": (1, 1, 0)},
        swarm.nodes["e"].text: {"status": CompileStatus.FAILS, "error": 308},
    }
    for node in swarm.nodes.values():
        node.finds = lambda answer, text: found(answer, **fates.get(text, {"behaviour": text}))
    swarm.nodes["f"].tool_versions = ""


def _disputed(swarm: Swarm) -> None:
    swarm.nodes["b"].finds = lambda answer, _: found(answer, status=CompileStatus.FAILS, error=1)


def _agreed(swarm: Swarm) -> None:
    odd = swarm.nodes["e"].text
    for node in swarm.nodes.values():
        node.finds = lambda answer, text: found(answer, "odd" if text == odd else "alike")


def _honest(_swarm: Swarm) -> None:
    pass


TESTS = "#[test]\nfn two() { assert_eq!(f(1), 2); }\n"
"""The asker's tests in `tested`."""

TOOL_VERSIONS = "rustc 1.95.0 g1 x1"

SCENARIOS: dict[str, tuple[str, Callable[[Swarm], None], dict[str, Any]]] = {
    "full": ("abcd", _honest, {}),
    "partial": ("abcd", _partial, {}),
    "degraded": ("abcd", _too_few, {}),
    "abstained": ("abcde", _honest, {"waves": (1, 1), "threshold": 1, "confidence_min": ONE}),
    "calibrated": ("abcde", _honest, {"calibration_intercept": -ONE // 4, "calibration_slope": ONE // 2}),
    "waves": ("abcde", _honest, {"waves": (1, 2)}),
    "private": ("abcd", _honest, {"turns": ()}),
    "conversation": ("abcd", _honest, {"turns": CONVERSATION, "content_digest": digest_of(CONVERSATION)}),
    "unopened": ("abcd", _unopened, {}),
    "declines": ("abcde", _declines, {"answer_ms": 10_000, "judge_ms": 10_000}),
    "evidence": ("abcde", _evidence, {}),
    "unanimous": ("abcd", _unanimous, {}),
    "final": ("abcde", _final, {"task": TaskType.FINAL}),
    "open": ("abcd", _open, {"task": TaskType.OPEN}),
    "tested": ("abcdefg", _tested, {"findings": plan(tests_digest=digest_of_tests(TESTS))}),
    "disputed": ("abcdefgh", _disputed, {"findings": plan()}),
    "agreed": ("abcde", _agreed, {"findings": plan(agreed_share=ONE // 2)}),
    "futile": ("abcde", _honest, {"waves": (3, 3), "futility": 4 * ONE}),
}
"""Members, their misbehaviour, and what their query says: by the name of the file."""

APART = ("evidence", "declines", "disputed")
"""Scenarios that are made once more in a network where nothing rides along in closings: every list is in use."""

REVEALED = "private"
"""The scenario whose certificate is made once more with the query's text, which its holder may add."""


def make(name: str, *, apart: bool = False) -> bytes:
    """Hold one scenario's round and return its certificate."""
    members, prepare, query = SCENARIOS[name]
    network = replace(params(), ride_along_bytes_max=0) if apart else params()
    swarm = Swarm(members, network, TOOL_VERSIONS)
    prepare(swarm)
    swarm.ask(**query)
    swarm.run()
    assert swarm.certificate is not None, name
    return swarm.certificate


def certificates() -> dict[str, bytes]:
    """Return every certificate by the name of its file."""
    made = {name: make(name) for name in SCENARIOS}
    made |= {f"{name}_apart": make(name, apart=True) for name in APART}
    private = codec.decode(Certificate, made[REVEALED], bytes_max=CERTIFICATE_BYTES_MAX)
    assert isinstance(private, Certificate)
    made[f"{REVEALED}_revealed"] = codec.encode(replace(private, turns=single("Which?")))
    return made


def reading(read: CertificateReading) -> dict[str, Any]:
    """What a certificate shows, for a file: a reader that was frozen must find the same, to the last bit."""
    return {
        "ranking_digest": read.ranking_digest.hex(),
        "full": read.full,
        "turns": [list(turn) for turn in read.turns],
        "cosigners": sorted(key.hex() for key in read.cosigners),
        "report": read.description,
    }


def dump(found: dict[str, Any]) -> str:
    """The text of a file with a reading."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the fixtures of today's version that are missing."""
    folder = FOLDER / folder_name(CURRENT)
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in certificates().items():
        path = folder / f"{name}.certificate"
        if not path.exists():
            path.write_bytes(raw)
        if not path.with_suffix(".json").exists():
            read = reading_of(path.read_bytes())
            assert isinstance(read, CertificateReading), (name, read)
            path.with_suffix(".json").write_text(dump(reading(read)), encoding="utf-8")
            print(path)


if __name__ == "__main__":
    if not os.environ.get("STRAND_UPDATE"):
        raise SystemExit("set STRAND_UPDATE=1 to write fixtures")
    main()
