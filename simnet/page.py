"""The report's page: one HTML file that contains its pictures and needs no other file."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from simnet.page_rounds import PageRound, Viewer, rounds_of, section
from simnet.plots import Plot
from simnet.results import Study
from simnet.scenario import Scenario
from simnet.study import NOTES, changed, repeat_command, table, value_text

_STYLE = """
[hidden] { display: none !important }
body { margin: 0 }
#report { display: block; font: 16px/1.5 system-ui, sans-serif; max-width: 74rem; margin: 0 auto; padding: 1rem }
#report h1, #report h2 { line-height: 1.2; font-size: 1.7rem } #report h2 { margin: 2.5rem 0 .75rem; font-size: 1.3rem }
#report p { margin: .75rem 0 }
#report .wide { overflow-x: auto }
#report table { width: auto; border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
#report th, #report td { padding: .25rem .6rem; text-align: right; white-space: nowrap; vertical-align: top;
  border-bottom: 1px solid var(--border, #ddd) }
#report th:first-child, #report td:first-child { text-align: left }
#report .words { text-align: left }
#report figure { margin: 1.5rem 0 } #report img { max-width: 100%; height: auto; background: #fff }
#report figcaption, #report .note { color: var(--muted, #555); font-size: 14px }
#report pre { background: var(--raised, #f4f4f4); padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
#report p.bad { color: var(--bad, #a30000); font-weight: bold }
"""

_SIMULATED = "The same command gives the same figures, to the last bit."
_REAL = "Real processes: the same questions, answers and worths, but other pairs and times each time."

VIOLATIONS_SHOWN = 20
"""Violations on the page: the first ones show the fault, and results.json counts them all."""


POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'nonce-{nonce}'",
        "style-src 'nonce-{nonce}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""What the page may do: run its own scripts, and ask nobody for anything. Modules get the nonce of what imports them,
so that data: URLs in general are no scripts."""

_NONCE_CHARS = 32
"""Hexadecimal digits of the nonce: 128 bits, as the specification of policies wants it."""


def page(scenario: Scenario, study: Study, plots: Sequence[Plot], viewer: Viewer | None = None) -> str:
    """Return the whole page. Every text from outside is escaped. Without a viewer there are no rounds to open."""
    title = escape(f"{study.name}: simulated swarm")
    rounds = [] if viewer is None else rounds_of(study, viewer)
    opened = "" if viewer is None else section(study, rounds)
    report = "\n".join(_sections(scenario, study, plots, opened))
    # No text can hold the digest of the page that holds it, so what a stranger wrote is no script, wherever it lands.
    content = "\0".join((report, *(each.data for each in rounds)))
    nonce = hashlib.sha256(content.encode()).hexdigest()[:_NONCE_CHARS]
    styles = _STYLE if viewer is None else viewer.styles + _STYLE
    scripts = _scripts(viewer, rounds, nonce) if viewer is not None and rounds else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY.format(nonce=nonce)}">\n'
        '<meta name="viewport" content="width=device-width">\n<link rel="icon" href="data:,">\n'
        f'<title>{title}</title>\n<style nonce="{nonce}">{styles}</style>\n</head>\n<body>\n'
        f'<main id="report" tabindex="-1">\n{report}\n</main>\n{scripts}</body>\n</html>\n'
    )


def _scripts(viewer: Viewer, rounds: Sequence[PageRound], nonce: str) -> str:
    """Return the place of an opened round, the replays, and what draws them."""
    replays = "\n".join(
        f'<script type="application/json" id="round-{number}">{each.data}</script>'
        for number, each in enumerate(rounds)
    )
    return (
        f'<main id="opened" tabindex="-1" hidden></main>\n{replays}\n'
        f'<script type="importmap" nonce="{nonce}">{viewer.import_map}</script>\n'
        f'<script type="module" nonce="{nonce}">import "{viewer.start}";</script>\n'
    )


def _sections(scenario: Scenario, study: Study, plots: Sequence[Plot], opened: str) -> Sequence[str]:
    """Return the report's parts as markup; `opened`: the part about its rounds."""
    found = table(study)
    return [
        f"<h1>{escape(study.name)}: simulated swarm</h1>",
        f"<p>{escape(study.about)}</p>",
        _violations(study),
        "<h2>What was found</h2>",
        _table(*found.shown()),
        _common(found.common),
        f'<p class="note">{escape(NOTES)}</p>',
        *map(_figure, plots),
        opened,
        "<h2>Settings</h2>",
        "<p>All that differs from the defaults of <code>simnet/scenario.py</code>; worlds differ in what varies.</p>",
        _table(["setting", "value"], [[name, value_text(value)] for name, value in changed(scenario)]),
        "<h2>Repeat it</h2>",
        f"<p>{_REAL if study.real else _SIMULATED}</p>",
        f"<pre>{escape(repeat_command(scenario, real=study.real))}</pre>",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head if any(head))
    lines = "\n".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table>\n<tr>{cells}</tr>\n{lines}\n</table></div>'


def _common(common: Mapping[str, str]) -> str:
    told = ", ".join(f"{name} {text}" for name, text in common.items())
    return f"<p>The same in all worlds: {escape(told)}.</p>" if common else ""


def _figure(plot: Plot) -> str:
    data = base64.b64encode(plot.png).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(plot.alt)}">'
        f"<figcaption>{escape(plot.alt)}</figcaption></figure>"
    )


def _violations(study: Study) -> str:
    found = [each for cell in study for each in cell.run.violations]
    if not found:
        return "<p>No safety rule was broken.</p>"
    lines = "".join(
        f"<li>{escape(each.rule)}, round {each.round}: {escape(each.detail)}</li>" for each in found[:VIOLATIONS_SHOWN]
    )
    return f'<p class="bad">Safety rules were broken {len(found)} times; the first:</p><ul>{lines}</ul>'
