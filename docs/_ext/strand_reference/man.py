"""Manual pages, section 1: one of `strand`, and one of each command, from the same source as `--help`.

    PYTHONPATH=.:docs/_ext python -P -m strand_reference.man dist/man

Pages use the macros of man(7) that every formatter knows.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from cyclopts import App, Group
from cyclopts.help import HelpEntry, create_parameter_help_panel

from node.cli.main import build_app
from strand_reference.code import assigned, class_of

SECTION = "1"

ENVIRONMENT = (
    "Each setting of the configuration is also a variable, STRAND_<TABLE>_<KEY>, such as STRAND_API_BIND. An option is "
    "stronger than a variable, and a variable is stronger than the configuration file."
)


def pages() -> dict[str, str]:
    """Return the text of each page by the name of its file."""
    app = build_app()
    leaves = dict(_leaves(app, ()))
    written = {f"strand.{SECTION}": _page_of_all(app, leaves)}
    for path, command in leaves.items():
        written[f"{_name(path)}.{SECTION}"] = _page(path, command)
    return written


def _leaves(app: App, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command that can be called, with its words after `strand`."""
    for name in app:
        if name.startswith("-"):
            continue
        command = app[name]
        if command.default_command is not None:
            yield (*path, name), command
        yield from _leaves(command, (*path, name)) if command.default_command is None else ()


def _name(path: Sequence[str]) -> str:
    return "-".join(("strand", *path))


def _page_of_all(app: App, leaves: dict[tuple[str, ...], App]) -> str:
    lines = [*_head("strand", app.help or ""), ".SH SYNOPSIS", bold("strand") + " " + italic("COMMAND") + " [...]"]
    lines += [".SH COMMANDS"]
    for path, command in leaves.items():
        lines += [".TP", bold(f"{_name(path)}({SECTION})"), *text(_summary(command))]
    return "\n".join((*lines, *_foot([]))) + "\n"


def _page(path: Sequence[str], command: App) -> str:
    function = command.default_command
    entries = create_parameter_help_panel(Group("Options"), command.assemble_argument_collection(), "plaintext").entries
    positional = [entry for entry in entries if entry.positional_label]
    words = [bold(" ".join(("strand", *path)))]
    words += [italic(e.positional_label) if e.required else f"[{italic(e.positional_label)}]" for e in positional]
    lines = [*_head(_name(path), _summary(command)), ".SH SYNOPSIS", " ".join([*words, f"[{italic('OPTION')} ...]"])]
    lines += [".SH DESCRIPTION", *text(_prose(inspect.getdoc(function) or ""))]
    lines += [".SH OPTIONS"]
    for entry in entries:
        lines += [".TP", ", ".join(_labels(entry)), *text(_explained(entry))]
    if epilogue := command.help_epilogue:
        lines += [".SH NOTES", *_marked(epilogue)]
    return "\n".join((*lines, *_foot(["strand"]))) + "\n"


def _head(name: str, summary: str) -> list[str]:
    heading = f'.TH "{escaped(name.upper())}" "{SECTION}" "" "strand {escaped(version("strand-swarm"))}" "Strand Swarm"'
    return [heading, ".SH NAME", f"{escaped(name)} \\- {escaped(summary).rstrip('.')}"]


def _foot(see: Sequence[str]) -> list[str]:
    lines = [".SH EXIT STATUS"]
    words = {each.name: each.words for each in assigned(class_of("node.errors", "Exit").body)}
    for each in assigned(class_of("node.errors", "Exit").body):
        lines += [".TP", bold(each.value), *text(words[each.name])]
    lines += [".SH ENVIRONMENT", *text(ENVIRONMENT), ".SH FILES"]
    lines += [".TP", bold("~/.config/strand/node.toml"), "The configuration."]
    lines += [".TP", bold("~/.local/share/strand"), "Key, store and certificates."]
    lines += [".TP", bold("~/.local/state/strand/running"), "Addresses of nodes that run, for \\fBstrand ui\\fR."]
    if see:
        lines += [".SH SEE ALSO", ", ".join(f"{bold(name)}({SECTION})" for name in see)]
    return lines


def _labels(entry: HelpEntry) -> list[str]:
    """The names of an argument, and what its value is."""
    if entry.positional_label:
        return [italic(entry.positional_label), *(bold(name) for name in entry.all_options)]
    *rest, last = [*entry.positive_names, *entry.positive_shorts]
    value = f" {italic(entry.metavar)}" if entry.metavar else ""
    return [*map(bold, rest), bold(last) + value, *map(bold, entry.negative_names)]


def _explained(entry: HelpEntry) -> str:
    """The help of an argument with its choices and its default."""
    parts = [str(getattr(entry.description, "primary_renderable", "")).strip()]
    if not parts[0]:
        raise LookupError(f"{entry.display_labels} has no help")
    if entry.choices:
        parts.append(f"One of: {', '.join(entry.choices)}.")
    if entry.default is not None and entry.metavar:
        parts.append(f"Default: {entry.default}.")
    return " ".join(parts)


def _summary(command: App) -> str:
    return (command.help or "").strip().split("\n\n")[0]


def _prose(words: str) -> str:
    """A docstring's paragraphs, without Google's sections, which are for programmers."""
    return re.split(r"\n\n(?:Args|Raises|Returns|Yields):\n", words)[0]


def _marked(markdown: str) -> Iterator[str]:
    """Lines for the little Markdown that helps are written in: paragraphs, lists, bold and code."""
    for block in re.split(r"\n\s*\n", markdown.strip()):
        items = re.split(r"(?:^|\n)- ", block)
        if items[0].strip():
            yield from (".PP", *text(items[0]))
        for item in items[1:]:
            yield from (".IP \\(bu 2", *text(item))


def text(words: str) -> list[str]:
    """Lines of running text, one for each paragraph; a line that begins with a dot is no macro."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", words.strip()):
        joined = " ".join(paragraph.split())
        parts = re.split(r"(`[^`]*`|\*\*[^*]*\*\*)", joined)
        line = "".join(bold(part.strip("`*")) if part[:1] in ("`", "*") else escaped(part) for part in parts)
        lines += [".PP"] * bool(lines) + [f"\\&{line}" if line[:1] in (".", "'") else line]
    return lines


def bold(words: str) -> str:
    """Words to type as they are."""
    return f"\\fB{escaped(words)}\\fR"


def italic(words: str | None) -> str:
    """A word that stands for a user's own."""
    return f"\\fI{escaped(words or '')}\\fR"


def escaped(words: str) -> str:
    """Text with roff's escapes: a hyphen stays the character that users type and search for."""
    return words.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")


def main() -> None:
    """Write all pages into a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (folder / name).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
