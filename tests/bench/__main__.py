"""All benchmarks, one after another, and one table of their aims: `make bench`, or `python -P -m tests.bench`.

Each runs in a process of its own. What they print is on the terminal; the table comes last, and is written where
`--json` and `--markdown` say. The exit code is 1 if one of them failed; a missed aim is a result.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.bench import harness

TITLES = {
    "fit": "The aggregator beside two libraries",
    "wire": "The wire beside the libraries under it",
    "aggregate": "`strand aggregate` on a made-up arena",
    "http": "The HTTP interface beside one with an empty handler",
    "dashboard": "The dashboard in a browser, and what watching costs the node",
    "round": "A round of seven processes beside an empty one",
    "sim": "Simulated swarms of growing size",
    "judging": "Judging beside one prompt at a time and a full server",
    "injection": "Attacks on a judge",
    "sandbox": "Compiling in the sandbox beside bare rustc",
}
"""Names of the benchmarks in the order in which they run."""

SECONDS_MAX = 600
"""for one of them: the whole is to take less than 15 minutes on two cores that have nothing else to do"""


def run(name: str, folder: Path) -> harness.BenchReport | None:
    """Run one whole; None if it failed."""
    print(f"\n== {TITLES[name]}\n", flush=True)
    file = folder / f"{name}.json"
    command = [sys.executable, "-P", "-m", f"tests.bench.bench_{name}", "--json", str(file)]
    try:
        subprocess.run(command, check=True, timeout=SECONDS_MAX)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"failed: {error}", flush=True)
        return None
    return msgspec.json.decode(file.read_bytes(), type=harness.BenchReport)


def main() -> int:
    """Run all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TITLES)}; none: all")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    chosen = parser.parse_args()
    names = chosen.names or list(TITLES)
    if unknown := set(names) - TITLES.keys():
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(TITLES)}")
    with tempfile.TemporaryDirectory(prefix="strand-bench-") as folder:
        ran = {name: run(name, Path(folder)) for name in names}
    report = harness.new_report([each for each in ran.values() if each], [name for name in names if not ran[name]])
    told = harness.markdown(report)
    print(f"\n== All figures\n\n{told}")
    for path, text in ((chosen.json, msgspec.json.encode(report).decode() + "\n"), (chosen.markdown, told)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return int(bool(report.failed))


if __name__ == "__main__":
    sys.exit(main())
