"""What each version covers, by digest: a change of it lands with its version's number, never by itself.

`STRAND_UPDATE=1 pytest tests/vectors/test_versions.py` writes the digest of a version that has none yet into
versions.json. A digest that is there is never replaced.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import pytest

from consensus.ranking.clusters import canonical_form
from consensus.ranking.exact_math import normal_draws
from consensus.rounds import recording
from node.api import reputation
from node.rounds.inbound import PROTOCOLS
from node.rounds.learning.learned import FORMATS
from node.storage import schema
from protocol import hashing, limits, versions
from protocol.certificate import Certificate
from protocol.messages import MESSAGE_TYPES, Opening
from protocol.params import NetworkParams
from protocol.schema import Range
from protocol.streams import Challenge, ChallengeReply, Pong, PullReply, PullRequest
from protocol.topics import topic
from protocol.types import TaskType
from tests.support.fit_digests import PINNED_DIGEST
from tests.support.shapes import digest, shape
from tests.support.swarm import params

HERE = Path(__file__).parent
PINS = HERE / "versions.json"

TEXTS = (
    "",
    "Answer: 42",
    "So it is.\n\n**Answer:** 42.0 ",
    "Answer: ½, that is 0.5",
    "Grüße, ＡＢＣ\u00a0 and\ttabs",
    '```rust\nfn main() { /* a */ println!("{}", 1_000); }\n```',
    "```python\nprint( 1 )  # one\n```\nor\n```rust\nfn f<'a>(x: &'a str) -> u8 { b'\\n' }\n```",
    "no code, but r#\"raw\"# and 'c' // a comment",
)
"""Texts whose canonical forms stand for all."""

REMEDIES = {
    "wire": "the wire has changed: raise protocol.versions.WIRE, and freeze the verifier of the wire before",
    "aggregator": "the fit has changed: name a new AGGREGATOR in protocol.versions and in configs/params, and freeze "
    "the verifier of the one before",
    "canonical_form": "forms have changed: name a new CANONICAL_FORM in protocol.versions and in configs/params, and "
    "freeze the verifier of the one before",
    "draws": "the draw table has changed: name a new DRAWS in protocol.versions and in configs/params, and freeze the "
    "verifier of the one before",
    "recording": "the form of recordings has changed: raise the version of consensus.rounds.recording.Beginning",
    "export": "exported reputations have changed: raise node.api.reputation.FORMAT, and read the one before, too",
    "store": "a step of the store's schema that was released has changed: undo that, and append a step to "
    "node.storage.schema.STEPS",
    "learned": "rows of what is learned have changed: append a step to the part's format in "
    "node.rounds.learning.learned.FORMATS",
}
"""What to do, by the first word of a subject. protocol/README.md, "Versions", says how a verifier is frozen."""


@dataclass(frozen=True)
class Covered:
    """One version and the digest of everything that it covers."""

    subject: str
    version: str
    digest: str


def covered() -> Iterator[Covered]:
    """Today's versions, and all steps of the store's schema."""
    yield Covered("wire", str(versions.WIRE), digest_of_wire())
    yield Covered("aggregator", versions.AGGREGATOR, digest(PINNED_DIGEST))
    forms = [canonical_form(task, text).hex() for task in TaskType for text in TEXTS]
    yield Covered("canonical_form", versions.CANONICAL_FORM, digest(forms))
    yield Covered("draws", versions.DRAWS, digest(normal_draws(8).tobytes().hex()))
    inputs = [shape(each) for each in recording._KINDS]
    yield Covered("recording", str(_only(recording.Beginning, "version")), digest(inputs, recording.LENGTH_BYTES))
    yield Covered("export", reputation.FORMAT, digest(shape(reputation.Exported)))
    for number, step in enumerate(schema.STEPS, 1):
        yield Covered("store", str(number), digest(step))
    for part, form in FORMATS.items():
        yield Covered(f"learned {part}", str(form.version), digest(shape(form.type)))


def digest_of_wire() -> str:
    """Over schemas, bounds, domains, protocols, topics and the codec's vectors."""
    schemas = [[int(kind), shape(each)] for kind, each in MESSAGE_TYPES.items()]
    records = (Opening, Certificate, PullRequest, PullReply, Pong, Challenge, ChallengeReply, NetworkParams)
    beside = [shape(each) for each in records]
    bounds = {name: value for name, value in vars(limits).items() if name.isupper()}
    domains = [value.decode() for name, value in sorted(vars(hashing).items()) if name.endswith("_TAG")]
    network = params()
    place = topic(network, "rust", 7).replace(network.digest.hex()[:32], "<digest>")
    golden = json.loads((HERE / "digests.json").read_text(encoding="utf-8"))
    derived = {name: golden[name] for name in ("content", "answer", "commitment", "beacon")}
    messages = json.loads((HERE / "messages.json").read_text(encoding="utf-8"))
    return digest(schemas, beside, bounds, domains, PROTOCOLS, place, derived, messages)


def _only(record: type[Any], field: str) -> int:
    """The one value that a field may have."""
    (bound,) = get_type_hints(record, include_extras=True)[field].__metadata__
    assert isinstance(bound, Range) and bound.least == bound.most
    return bound.most


def objection(pinned: dict[str, dict[str, str]], found: Covered) -> str | None:
    """Why this may not land, and what to do; None where the version covers what it always has."""
    expected = pinned.get(found.subject, {}).get(found.version)
    if expected is None:
        return f"{found.subject} {found.version} is new: pin it with STRAND_UPDATE=1 pytest {PINS.parent.name}"
    if expected != found.digest:
        return f"still {found.subject} {found.version}, but {REMEDIES[found.subject.split()[0]]}"
    return None


def pins() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = json.loads(PINS.read_text(encoding="utf-8"))
    return loaded


def test_no_change_lands_without_its_version() -> None:
    pinned = pins() if PINS.exists() else {}
    if os.environ.get("STRAND_UPDATE"):
        for each in covered():
            pinned.setdefault(each.subject, {}).setdefault(each.version, each.digest)
        PINS.write_text(json.dumps(pinned, indent=1) + "\n", encoding="utf-8")
    assert [why for each in covered() if (why := objection(pinned, each)) is not None] == []


@pytest.mark.parametrize(
    "subject", ["wire", "aggregator", "canonical_form", "draws", "recording", "export", "learned gold"]
)
def test_a_change_names_what_to_do(subject: str) -> None:
    *_, version = pins()[subject]
    assert objection(pins(), Covered(subject, version, "0" * 32)) == (
        f"still {subject} {version}, but {REMEDIES[subject.split()[0]]}"
    )
    assert "STRAND_UPDATE=1" in (objection(pins(), Covered(subject, "later", "0" * 32)) or "")


def test_bounds_and_domains_are_of_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_of_wire()
    for module, name, value in ((limits, "DEPTH_MAX", 6), (hashing, "COMMIT_TAG", b"strand/other/1")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, value)
            assert digest_of_wire() != before
    assert digest_of_wire() == before


def test_a_shape_is_of_fields_and_bounds_and_not_of_names() -> None:
    @dataclass
    class One:
        first: Annotated[int, Range(0, 1)]

    @dataclass
    class Same:
        first: Annotated[int, Range(0, 1)]

    @dataclass
    class Wider:
        first: Annotated[int, Range(0, 2)]

    @dataclass
    class More:
        first: Annotated[int, Range(0, 1)]
        second: tuple[TaskType, ...]

    assert shape(One) == shape(Same)
    assert len({digest(shape(each)) for each in (One, Wider, More)}) == 3
