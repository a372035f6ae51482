"""`strand reset`."""

import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from node.cli.parts.errors import CliError, Exit
from node.cli.parts.options import JsonFlag, Source, print_json, print_line
from node.keys import KEY_NAME, require_key
from node.local.council import FOLDER_NAME, council_hint
from node.storage import DATABASE_NAME, StoreError, only_process, upkeep

CERTIFICATES_NAME: Final = "certificates"
"""Folder in which `strand ask` keeps certificates, as files."""

CONFIRM_DIGITS: Final = 8
"""Digits of the key that are typed to confirm: enough to be of one node, and no habit."""

CONFIRM_CHARS_MAX: Final = 128
"""Characters of the typed line that are read."""


def reset(
    *,
    key: Annotated[bool, Parameter(negative="", help="Remove the key, too: the node's identity.")] = False,
    yes: Annotated[bool, Parameter(negative="", help="Do not ask, for scripts.")] = False,
    json: JsonFlag = False,
    source: Source = Source(),  # noqa: B008 - frozen
) -> int:
    """Remove the store of a stopped node, with --key its key, too; what is lost is said first.

    The configuration stays, and so do certificates in files, in which the questions stand, and the nodes of `strand
    local`; it says where they are.
    """
    folder = source.load().config.node.data_dir
    store = folder / DATABASE_NAME
    has_key = (folder / KEY_NAME).exists()
    if not store.exists() and not (key and has_key):
        return _tell([], folder, json)
    with only_process(folder):
        # A node that runs here is noticed before anything is asked.
        pass
    own = require_key(folder).keypair.public.hex() if has_key else ""
    if not yes:
        _confirm(_losses(folder, own if key else ""), own[:CONFIRM_DIGITS] or "reset")
    upkeep.remove(folder, *([KEY_NAME] if key else []))
    removed = [name for name, was in (("store", True), ("key", key and has_key)) if was]
    return _tell(removed, folder, json)


def _losses(folder: Path, key: str) -> list[str]:
    """Return what is lost, in lines; `key` is empty if it stays."""
    lines = [f"This removes from {folder}:"]
    try:
        tables = upkeep.size(folder).tables
        counts = {name: tables[name].rows for name in ("certificates", "rounds") if name in tables}
        lines.append(f"- {counts.get('certificates', 0)} certificates and {counts.get('rounds', 0)} asked rounds;")
    except StoreError as error:
        lines.append(f"- the store, which cannot be read ({error});")
    lines.append("- what it has learned of other nodes, and whom it has served;")
    lines.append("- its journal: it will stay out of rounds that began before its next start.")
    if key:
        lines.append(f"- the key {key}: its identity, and the weight that others give it. Nobody can bring it back.")
    lines += [f"It leaves {each}." for each in _left(folder)]
    lines.append("`strand store backup FILE` keeps a copy of the first two.")
    return lines


def _confirm(losses: list[str], word: str) -> None:
    """Say what is lost, and let the user type a word. Raises CliError if it is another, or if nobody can be asked."""
    if not sys.stdin.isatty():
        raise CliError("nothing was removed: confirm with --yes where there is no terminal", Exit.USAGE)
    print(*losses, sep="\n", file=sys.stderr)
    print(f"Type {word} to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline(CONFIRM_CHARS_MAX).strip() != word:
        raise CliError("nothing was removed")


def _tell(removed: list[str], folder: Path, json: bool) -> int:
    if json:
        print_json({"removed": removed, "data_dir": str(folder), "left": _left_folders(folder)})
        return 0
    print_line(f"removed {' and '.join(removed)} from {folder}" if removed else f"nothing to remove in {folder}")
    for each in _left(folder):
        print_line(f"left: {each}")
    return 0


def _left_folders(folder: Path) -> list[str]:
    """Return the folders with files of the user that this command never removes."""
    found = {CERTIFICATES_NAME: "*.strand", FOLDER_NAME: f"*/{KEY_NAME}"}
    return [str(folder / name) for name, files in found.items() if any((folder / name).glob(files))]


def _left(folder: Path) -> list[str]:
    """Return what this command never removes, each in words."""
    left = []
    for each in _left_folders(folder):
        if each == str(folder / CERTIFICATES_NAME):
            left.append(f"the certificates in {each}, with their questions and answers: delete them by hand")
        else:
            left.append(council_hint(folder))
    return left
