"""Renews what terminals show in the documentation, by running it: `make docs-recordings`.

A recording is a fenced block under a comment with its setting, and how many lines of each output it keeps:

    <!-- recording: swarm, 12 lines -->
    ```text
    $ strand ask "How do I sum a slice of integers?"
    ...
    ```

Its lines that begin with `$ ` are the commands; all else is replaced by what they print today. The blocks of one
setting run in one home, in the order of pages and lines. Settings: `alone` has no node; in `swarm` a `strand demo
--keep` of three nodes with the tiny model runs, and commands find its first node without `--url`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]

STRAND: Final = Path(sys.executable).with_name("strand")

COMMAND_S: Final = 900.0
"""Seconds for one command: a round of the tiny model takes minutes on a busy machine."""

COLUMNS: Final = 96
"""Columns of the terminal: a page's lines have at most 100."""

BLOCK: Final = re.compile(
    r"^<!-- recording: (?P<setting>alone|swarm)(?:, (?P<lines>\d+) lines)? -->\n"
    r"(?P<fence>`{3,})text\n(?P<body>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Recording:
    """A block of a page, which is filled by running its commands."""

    page: Path
    span: tuple[int, int]
    """Place of its body in the page's text."""
    setting: str
    fence: str
    """What encloses it: longer than any run of backticks in an output, which else would end it."""
    lines_max: int
    """Lines kept of each command's output; the rest becomes `...`."""
    commands: tuple[str, ...]


def pages() -> list[Path]:
    """Return the pages that may hold recordings."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def recordings(page: Path, text: str) -> list[Recording]:
    """Return the recordings of a page, in order."""
    return [
        Recording(
            page,
            found.span("body"),
            found["setting"],
            found["fence"],
            int(found["lines"] or 1_000),
            tuple(line.removeprefix("$ ") for line in found["body"].splitlines() if line.startswith("$ ")),
        )
        for found in BLOCK.finditer(text)
    ]


def cut(output: str, lines_max: int) -> str:
    """Return an output of at most `lines_max` lines, each ended; where lines are left out stands `...`."""
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    if len(lines) > lines_max:
        lines = [*lines[: lines_max - 1], "..."]
    return "".join(f"{line}\n" for line in lines)


def renewed(text: str, bodies: list[tuple[tuple[int, int], str]]) -> str:
    """Return a page's text with these bodies at these places."""
    for (begin, end), body in sorted(bodies, reverse=True):
        text = text[:begin] + body + text[end:]
    return text


def environment(home: Path) -> dict[str, str]:
    """Return the variables of a user with this home who has not configured anything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STRAND_", "XDG_", "PYTHON"))}
    path = f"{STRAND.parent}{os.pathsep}{kept.get('PATH', '')}"
    # rustup keeps the compiler in the user's own home.
    kept.setdefault("RUSTUP_HOME", str(Path.home() / ".rustup"))
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "PATH": path, "COLUMNS": str(COLUMNS)}


@contextmanager
def running(setting: str, home: Path) -> Iterator[dict[str, str]]:
    """Yield the variables of a setting's commands, and keep what the setting needs running."""
    variables = environment(home)
    if setting == "alone":
        yield variables
        return
    command = [STRAND, "demo", "--keep", "--json", "--nodes", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=variables, cwd=home, text=True) as demo:
        try:
            assert demo.stdout is not None
            report, _ = json.JSONDecoder().raw_decode("".join(_document(demo.stdout)))
            yield variables | {
                "STRAND_API_BIND": report["api"].removeprefix("http://"),
                "STRAND_API_TOKEN": report.get("token") or "",
            }
        finally:
            demo.terminate()
            demo.wait()


def _document(lines: Iterator[str]) -> Iterator[str]:
    """Yield the lines of one JSON document: the process goes on after it."""
    for line in lines:
        yield line
        if line.startswith("}"):
            return


def run(command: str, variables: dict[str, str], home: Path) -> str:
    """Run one command in a shell, and return what a terminal would show."""
    done = subprocess.run(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=variables,
        cwd=home,
        timeout=COMMAND_S,
        check=False,
    )
    return done.stdout.decode(errors="replace").replace(str(home), "~")


def main() -> None:
    """Renew all recordings, setting by setting; say on stderr what runs."""
    texts = {page: page.read_text(encoding="utf-8") for page in pages()}
    found = [each for page, text in texts.items() for each in recordings(page, text)]
    bodies: dict[Path, list[tuple[tuple[int, int], str]]] = {page: [] for page in texts}
    for setting in dict.fromkeys(each.setting for each in found):
        with (
            tempfile.TemporaryDirectory(prefix="strand-recordings-") as folder,
            running(setting, Path(folder)) as variables,
        ):
            for each in (each for each in found if each.setting == setting):
                body = ""
                for command in each.commands:
                    print(f"{each.page.relative_to(ROOT)}: {command}", file=sys.stderr)
                    body += f"$ {command}\n" + cut(run(command, variables, Path(folder)), each.lines_max)
                if each.fence in body:
                    sys.exit(f"{each.page}: an output holds {each.fence}; give the block a longer fence")
                bodies[each.page].append((each.span, body))
    for page, text in texts.items():
        if bodies[page]:
            page.write_text(renewed(text, bodies[page]), encoding="utf-8")


if __name__ == "__main__":
    main()
