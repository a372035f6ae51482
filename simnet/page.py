"""The report's page: one HTML file that contains its pictures and needs no other file."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from simnet.plots import Plot
from simnet.results import Study
from simnet.scenario import Scenario
from simnet.study import NOTES, changed, repeat_command, table, value_text

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; vertical-align: top }
th:first-child, td:first-child { text-align: left }
td { white-space: nowrap }
figure { margin: 1.5rem 0 } img { max-width: 100%; height: auto } figcaption, .note { color: #555; font-size: 14px }
pre { background: #f4f4f4; padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
.bad { color: #a30000; font-weight: bold }
"""

_SIMULATED = "The same command gives the same figures, to the last bit."
_REAL = "Real processes: the same questions, answers and worths, but other pairs and times each time."

VIOLATIONS_SHOWN = 20
"""Violations on the page: the first ones show the fault, and results.json counts them all."""


def page(scenario: Scenario, study: Study, plots: Sequence[Plot]) -> str:
    """Return the whole page. Every text from outside is escaped."""
    title = escape(f"{study.name}: simulated swarm")
    found = table(study)
    sections = [
        f"<h1>{title}</h1>",
        f"<p>{escape(study.about)}</p>",
        _violations(study),
        "<h2>What was found</h2>",
        _table(*found.shown()),
        _common(found.common),
        f'<p class="note">{escape(NOTES)}</p>',
        *map(_figure, plots),
        "<h2>Settings</h2>",
        "<p>All that differs from the defaults of <code>simnet/scenario.py</code>; worlds differ in what varies.</p>",
        _table(["setting", "value"], [[name, value_text(value)] for name, value in changed(scenario)]),
        "<h2>Repeat it</h2>",
        f"<p>{_REAL if study.real else _SIMULATED}</p>",
        f"<pre>{escape(repeat_command(scenario, real=study.real))}</pre>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n" + "\n".join(sections) + "\n</html>\n"
    )


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
