"""`strand store`."""

import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, Source, print_json, print_line, stdout
from node.cli.parts.tables import print_rows
from node.hardening import keep_private
from node.keys import require_key
from node.local.council import pointing_to_council
from node.storage import upkeep

_UNITS: Final = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

_CONTENTS: Final = {
    "certificates": "certificates",
    "rounds": "rounds asked here",
    "round_events": "events of the last rounds asked",
    "journal": "messages signed",
    "learned": "what was learned of others",
    "served": "hours of work for others",
    "peers": "peers met",
    "open_rounds": "rounds taken part in now",
    "seen_queries": "queries seen",
}


def size(*, json: JsonFlag = False, source: Source = Source()) -> int:  # noqa: B008 - frozen
    """Show what the store holds and how large it is, also while the node runs."""
    config = source.load().config.node
    with pointing_to_council(config.data_dir):
        told = upkeep.size(config.data_dir)
    if json:
        tables = {name: asdict(each) for name, each in told.tables.items()}
        others = {name: value for name, value in asdict(told).items() if name not in ("tables", "owner")}
        print_json({"tables": tables, "owner": told.owner.hex(), "quota_bytes": config.store_bytes_max, **others})
        return 0
    rows = [
        (_CONTENTS.get(name, name), f"{each.rows}", f"{each.bytes / _UNITS['MiB']:.1f}" if each.bytes else "")
        for name, each in sorted(told.tables.items(), key=lambda item: -item[1].bytes)
    ]
    print_rows(("contents", "rows", "MiB"), rows, stdout())
    quota = f"of {_mib(config.store_bytes_max)}" if config.store_bytes_max else "without a quota (node.store_bytes_max)"
    print_line(f"{_mib(told.counted_bytes)} {quota}; on disk {_mib(told.file_bytes)}, {_mib(told.free_bytes)} unused")
    return 0


def prune(
    *,
    to: Annotated[
        str | None, Parameter(help="Greatest size, such as 500MB or 2GiB; default: node.store_bytes_max.")
    ] = None,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Delete the oldest history of a stopped node beyond a size, and give unused room back to the disk."""
    keep_private()
    config = source.load().config.node
    bytes_max = config.store_bytes_max or None if to is None else bytes_of(to)
    deleted, freed = upkeep.prune(config.data_dir, bytes_max)
    if json:
        print_json({"deleted_rows": deleted, "freed_bytes": freed})
    else:
        print_line(f"deleted {deleted} rows; the disk has {_mib(max(freed, 0))} more")
    return 0


def backup(
    file: Annotated[Path, Parameter(help="New file for the copy.")],
    *,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Copy certificates, asked rounds and what was learned to a new file, also while the node runs.

    The copy holds neither the key nor the journal: with an old journal a node could sign twice.
    """
    keep_private()
    config = source.load().config.node
    _tell_copied("copied", upkeep.back_up(config.data_dir, file), file, json)
    return 0


def restore(
    file: Annotated[Path, Parameter(help="A backup of this node's store.")],
    *,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Make the store of a node that has its key but no store, from a backup.

    The node then stays out of rounds that began before its next start.
    """
    keep_private()
    folder = source.load().config.node.data_dir
    owner = require_key(folder).keypair.public
    _tell_copied("restored", upkeep.restore(folder, file, owner, int(time.time() * 1000)), file, json)
    return 0


def bytes_of(text: str) -> int:
    """Return a size such as 500MB or 2GiB in bytes. Raises CliError, also for a number without a unit."""
    found = re.fullmatch(rf"(\d{{1,12}})\s*({'|'.join(_UNITS)})", text)
    if found is None:
        # A bare number is more often meant as MB than as bytes, and what is pruned is gone.
        raise CliError(f"a size has a unit, like 500MB or 2GiB (of {', '.join(_UNITS)}): not {text!r}", Exit.USAGE)
    return int(found[1]) * _UNITS[found[2]]


def _tell_copied(did: str, copied: upkeep.Copied, file: Path, json: bool) -> None:
    if json:
        print_json({"file": str(file), "rows": dict(copied)})
    else:
        told = f"{copied.get('certificates', 0)} certificates and {copied.get('rounds', 0)} asked rounds"
        print_line(f"{did} {told} ({file}), without the journal")


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _UNITS['MiB']:.1f} MiB"
