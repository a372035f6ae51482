"""Learned values as rows of the store: parts, versions, and upgrades of earlier versions.

A row is the JSON of one value together with its version. To change a part's type, append a step to its format and add a
fixture (tests/fixtures/learned/make.py). Rows of earlier versions pass through the steps when they are read, and are
written in the new form when the node next learns about their subject. Released steps never change.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog

from consensus.learning.challenge_weight import ChallengeRecord
from consensus.learning.experience import GoldRound, QueryPriors
from consensus.learning.reputation import NodeStats
from node.storage import Learned
from protocol.types import Key, TaskType

log = structlog.get_logger()

STANDING, IMPORTED, GOLD, PRIORS, CHALLENGES = "standing", "hearsay", "gold", "insight", "challenges"
"""Names of the parts in the store. "hearsay" holds statistics that were imported from another node."""

Step = Callable[[dict[str, Any]], dict[str, Any]]
"""Converts the JSON of one version's row to the next version."""

LEFT_ALONE_REMEDY: Final = (
    "install the strand that wrote them, or a later one; until then they count for nothing and stay as they are"
)


class StoredPriors(msgspec.Struct, frozen=True):
    """The weights and priors in force, as stored."""

    rounds: int
    insights: dict[TaskType, QueryPriors]


class StoredChallenges(msgspec.Struct, frozen=True):
    """Records of challenges as stored, the node that was challenged last at the end.

    One row for all: rows of keys that are forgotten would stay, and push out what was learned in rounds.
    """

    records: tuple[tuple[Key, ChallengeRecord], ...] = msgspec.field(name="standings")


@dataclass(frozen=True, slots=True)
class RowFormat:
    """Format of one part's rows. `steps[n - 1]` converts version n to version n + 1."""

    type: Any
    steps: tuple[Step, ...] = ()

    @property
    def version(self) -> int:
        """Return the version that is written."""
        return 1 + len(self.steps)


def _calibrated_by_findings(row: dict[str, Any]) -> dict[str, Any]:
    """Version 2 of priors (wire 3): P(correct) has a third figure, what findings are worth; nothing without them."""
    insights = {task: each | {"calibration": [*each["calibration"], 0]} for task, each in row["insights"].items()}
    return row | {"insights": insights}


def _with_reports(row: dict[str, Any]) -> dict[str, Any]:
    """Version 2 of statistics (wire 3): findings that were confirmed or refuted, of which there were none."""
    return row | {"reports": {"good": 0.0, "bad": 0.0}}


def _with_findings(row: dict[str, Any]) -> dict[str, Any]:
    """Version 2 of gold rounds (wire 3): what findings said of the answers; none had been tested."""
    return row | {"score": 0, "features": []}


FORMATS: Final[Mapping[str, RowFormat]] = {
    STANDING: RowFormat(NodeStats, (_with_reports,)),
    IMPORTED: RowFormat(NodeStats, (_with_reports,)),
    GOLD: RowFormat(GoldRound, (_with_findings,)),
    PRIORS: RowFormat(StoredPriors, (_calibrated_by_findings,)),
    CHALLENGES: RowFormat(StoredChallenges),
}
"""Present format of each part. A row without a version is of version 1: before 2026-11-28 rows had none."""


class _Marked(msgspec.Struct):
    """The part of a row that is read before its version is known."""

    version: int = 1


@dataclass(frozen=True, slots=True)
class StoredRows:
    """A specialty's rows, in the order of the store."""

    known: dict[str, dict[bytes, Learned]] = field(default_factory=dict)
    """Readable rows, by part, then name."""
    left_alone: frozenset[tuple[str, bytes]] = frozenset()
    """Parts and names of rows that a later strand wrote; no more than the store's table holds."""


def row_of(part: str, name: bytes, value: Any, formats: Mapping[str, RowFormat] = FORMATS) -> Learned:
    """Return the row that stores a value. An earlier strand ignores the version, which comes before the fields."""
    body = msgspec.json.encode(value)
    assert body.startswith(b'{"'), "a row is an object with fields"
    return Learned(part, name, b'{"version":%d,%b' % (formats[part].version, body[1:]))


def value_of(row: Learned, formats: Mapping[str, RowFormat] = FORMATS) -> Any:
    """Return the value of a readable row, upgraded to its part's present format."""
    version, form = _version(row), formats[row.part]
    if version == form.version:
        return msgspec.json.decode(row.body, type=form.type)
    plain = msgspec.json.decode(row.body)
    plain.pop("version", None)
    for step in form.steps[version - 1 :]:
        plain = step(plain)
    return msgspec.json.decode(msgspec.json.encode(plain), type=form.type)


def sort_rows(rows: Iterable[Learned], formats: Mapping[str, RowFormat] = FORMATS) -> StoredRows:
    """Sort rows by part, and log those of an unknown part or version, which are set apart."""
    known: dict[str, dict[bytes, Learned]] = {part: {} for part in formats}
    left_alone: dict[tuple[str, bytes], str] = {}
    for row in rows:
        version = _version(row)
        if row.part in formats and 1 <= version <= formats[row.part].version:
            known[row.part][row.name] = row
        else:
            left_alone[row.part, row.name] = f"{row.part} {version}"
    if left_alone:
        reason = f"rows of another version: {', '.join(sorted(set(left_alone.values()))[:8])}"
        log.warning("learned.left_alone", count=len(left_alone), reason=reason, remedy=LEFT_ALONE_REMEDY)
    return StoredRows(known, frozenset(left_alone))


def _version(row: Learned) -> int:
    """Return the row's version; 0 if it is not a number."""
    try:
        return msgspec.json.decode(row.body, type=_Marked).version
    except msgspec.ValidationError:
        return 0
