"""Texts of strangers in every place where the page shows some: they are seen, and do nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, repeat
from typing import Any, Final

import httpx2
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import HOSTILE_NAME, HOSTILE_QUESTION, NODES, Visitor
from tests.support.browser import PATIENCE_MS
from tests.support.payloads import PAYLOADS
from tests.support.swarm_beside import SwarmBeside

expect.set_options(timeout=PATIENCE_MS)

OURS: Final = re.compile(
    r"html|head|meta|title|link|script|body|div|header|main|nav|section|article|footer|span|a|p|h[1-4]|button|form|label"
    r"|textarea|input|select|option|optgroup|fieldset|legend|details|summary|ul|ol|li|dl|dt|dd|table|caption|thead|tbody"
    r"|tr|th|td|code|pre|kbd|strong|em|del|ins|time|figure|figcaption|noscript|svg|g|line|circle|rect|path|text|title"
    r"|polyline|polygon|ellipse|defs|marker"
)
"""Elements that the page is made of. What a stranger would make has `data-x` beside, or is a name that is not here."""

_LOOK: Final = """() => ({
  ran: window.__x !== undefined,
  names: [...new Set([...document.querySelectorAll("*")].map((each) => each.localName))],
  marked: document.querySelectorAll("[data-x]").length,
  handlers: [...document.querySelectorAll("*")].flatMap((each) => each.getAttributeNames())
    .filter((name) => name.startsWith("on")),
  links: [...document.querySelectorAll("[href], [src], [action]")].flatMap((each) =>
    ["href", "src", "action", "xlink:href"].map((name) => each.getAttribute(name)).filter(Boolean)),
  text: document.body.textContent + [...document.body.querySelectorAll("*")].flatMap((each) =>
    each.getAttributeNames().map((name) => each.getAttribute(name))).join(" "),
})"""

DECEIVING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\u00ad]")

OWN_LINKS: Final = re.compile(r"#main|#/[a-z0-9/?&=.-]*|/assets/[\w.@-]+|/api/certificates/[0-9a-f]{64}")


def assert_shown_as_text(page: Page, visitor: Visitor) -> str:
    """Nothing of the page came of a stranger's text, or was run by it; return all that it says, attributes included."""
    looked = page.evaluate(_LOOK)
    assert not looked["ran"]
    assert [name for name in looked["names"] if not OURS.fullmatch(name)] == []
    assert (looked["marked"], looked["handlers"]) == (0, [])
    assert [link for link in looked["links"] if not OWN_LINKS.fullmatch(link)] == []
    assert DECEIVING.findall(looked["text"]) == []
    visitor.assert_innocent()
    return str(looked["text"])


def test_there_are_forty() -> None:
    assert len(set(PAYLOADS)) == 40


def test_the_policy_allows_no_script_of_a_text(swarm: SwarmBeside) -> None:
    policy = httpx2.get(swarm.url).headers["content-security-policy"]
    assert "unsafe" not in policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert re.fullmatch(r"'self' 'sha256-[\w+/=]+'", rules["script-src"])
    assert (rules["require-trusted-types-for"], rules["trusted-types"]) == ("'script'", "'none'")


def test_answers_and_the_name_of_real_nodes(visitor: Visitor, swarm: SwarmBeside) -> None:
    """Each member answers with a quarter of the texts."""
    page = visitor.go("ask")
    page.get_by_label("Question", exact=True).fill(HOSTILE_QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_role("link", name="How it was decided").click()
    cards = page.locator(".answers > li")
    expect(cards).to_have_count(NODES)
    # It is drawn anew once it can be replayed.
    expect(page.locator(".playback")).to_be_visible()
    more = page.get_by_role("button", name=re.compile("^Show all"))
    # The texts come by a request of their own, all at once.
    expect(more).not_to_have_count(0)
    while more.count():
        more.first.click()
    shown = assert_shown_as_text(page, visitor)
    short = [each for each in PAYLOADS if len(each) < 1_000]
    assert [each for each in short if not is_shown(each, shown)] == []
    page.goto(f"{swarm.swarm.nodes[-1].url}/#/machine")
    expect(page.locator(".bar")).to_contain_text(HOSTILE_NAME[:20])
    visitor.told.urls.clear()
    assert_shown_as_text(page, visitor)


def is_shown(payload: str, shown: str) -> bool:
    """Whether each line of a text stands in the page, but for fences and for what is made visible."""
    lines = [line for line in payload.splitlines() if not re.match("```|~~~", line) and not DECEIVING.search(line)]
    return all(line.strip("`") in shown for line in lines)


class Hostile:
    """Stands between a page and its node, and replaces the texts in replies by those of a stranger, in turn."""

    KEPT: Final = re.compile(r"[0-9a-f]{32,}|[a-z_]{0,24}|v?[0-9.]+")
    """Values of an enumeration, keys, digests and versions: the page's own node makes them, and checks a peer's."""

    FREE: Final = frozenset(
        {"name", "model", "text", "answer", "error", "detail", "fault", "host", "note", "own_engine"}
    )
    """Fields whose values are texts, however they look: a scripted engine's model is a word like an enumeration's."""

    def __init__(self) -> None:
        self.used: Counter[str] = Counter()
        self.texts: Iterator[str] = iter(())

    def handle(self, route: Route) -> None:
        """Let the node reply, and change what it said."""
        reply = route.fetch()
        changed = json.dumps(self._changed(reply.json()))
        route.fulfill(response=reply, body=changed)

    def _changed(self, value: Any, is_free: bool = False) -> Any:
        match value:
            case dict():
                return {name: self._changed(each, name in self.FREE) for name, each in value.items()}
            case list():
                return [self._changed(each) for each in value]
            case str() if is_free or not self.KEPT.fullmatch(value):
                text = next(self.texts)
                self.used[text] += 1
                return text
            case _:
                return value


VIEWS: Final = {
    "rounds": ".history-list > li",
    "round": ".answers > li",
    "network": "table",
    "node": "h2:has-text('Its latest rounds')",
    "machine": ".panel",
    "verify": ".verdict",
}
"""Views, each with something that is there once its data are."""


@pytest.fixture(scope="module")
def round_id(swarm: SwarmBeside) -> Iterator[str]:
    """A round of the hostile question, asked by a program."""
    body = {"turns": [{"role": "user", "text": HOSTILE_QUESTION}]}
    reply = httpx2.post(f"{swarm.url}/api/ask", json=body, timeout=PATIENCE_MS / 1000)
    reply.raise_for_status()
    yield re.findall(r'"query_id": ?"([0-9a-f]{64})"', reply.text)[0]


@pytest.mark.parametrize("view", VIEWS)
def test_every_text_of_every_reply(visitor: Visitor, swarm: SwarmBeside, round_id: str, view: str) -> None:
    """All forty are put in place of names, models, addresses, reasons and errors, in every view."""
    hostile = Hostile()
    visitor.context.route(re.compile(r"/api/(?!events)"), hostile.handle)
    page = visitor.page
    deceiving, rest = [each for each in PAYLOADS if DECEIVING.search(each)], cycle(PAYLOADS)
    address = {"round": f"rounds/{round_id}", "node": f"network/{swarm.swarm.nodes[1].key}"}.get(view, view)
    while len(hostile.used) < len(PAYLOADS):
        before = hostile.used.total()
        # What only deceives the reader stands in each place once: a script would be found by its deeds in any.
        hostile.texts = repeat(deceiving.pop()) if deceiving else rest
        page.goto("about:blank")
        visitor.go(address)
        if view == "verify":
            certificate = httpx2.get(f"{swarm.url}/api/certificates/{round_id}").content
            page.locator("input[type=file]").set_input_files(
                {"name": PAYLOADS[3], "mimeType": "application/octet-stream", "buffer": certificate}
            )
        expect(page.locator(VIEWS[view]).first).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        assert_shown_as_text(page, visitor)
        assert hostile.used.total() > before


def test_a_refusal_with_a_hostile_reason(visitor: Visitor) -> None:
    """What is said in place of an answer, for each of the texts."""
    replies = cycle(PAYLOADS)

    def refuse(route: Route) -> None:
        route.fulfill(status=503, content_type="application/json", body=json.dumps({"error": next(replies)}))

    visitor.context.route(re.compile(r"/api/ask"), refuse)
    page = visitor.go("ask")
    page.get_by_label("Question", exact=True).fill("Sum a slice.")
    page.get_by_role("button", name="Ask", exact=True).click()
    for _ in PAYLOADS:
        expect(page.get_by_role("alert")).to_be_visible()
        # That the node refused is said by the browser, too.
        visitor.told.errors[:] = [each for each in visitor.told.errors if "503" not in each]
        assert_shown_as_text(page, visitor)
        page.get_by_role("button", name="Try again").click()
