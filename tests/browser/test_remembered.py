"""What a view remembers of the node's last replies: it says how old that is, and does not fetch what cannot change."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.support.browser import PATIENCE_MS
from tests.support.swarm_beside import QUESTION, SwarmBeside

expect.set_options(timeout=PATIENCE_MS)


def switch(page: Page, view: str) -> None:
    """Go to another view of the same page: what it remembers stays."""
    page.evaluate("(view) => (location.hash = `#/${view}`)", view)


@pytest.mark.parametrize("view", ["network", "node"])
def test_a_part_that_is_asked_for_by_itself_says_how_old_it_is(visitor: Visitor, swarm: SwarmBeside, view: str) -> None:
    """The peers are told, and the statistics are not."""
    address, part, shown = {
        "network": ("network", "Weights of votes", "table.sortable"),
        "node": (
            f"network/{swarm.swarm.nodes[1].key}",
            "Its record and its rounds",
            "h2:has-text('Its latest rounds')",
        ),
    }[view]
    page = visitor.go(address)
    expect(page.locator(shown)).to_be_visible()
    expect(page.get_by_text(part)).to_have_count(0)  # it came, and is fresh
    page.route("**/api/reputation**", lambda route: route.fulfill(status=503, json={"error": "its disk is full"}))
    switch(page, "machine")
    expect(page.get_by_role("heading", name="Engine", exact=True)).to_be_visible()
    switch(page, address)
    expect(page.get_by_text(f"{part}: its disk is full What stands here is of")).to_be_visible()
    expect(page.locator(shown)).to_be_visible()
    expect(page.locator(".freshness")).to_contain_text("as of")
    page.reload()
    expect(page.get_by_text(f"{part}: its disk is full")).to_be_visible()
    expect(page.get_by_text("What stands here is of")).to_have_count(0)


def test_a_round_that_is_over_is_fetched_once(visitor: Visitor) -> None:
    page = visitor.go("ask")
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    # Only the asker's last event has the time that a round took.
    expect(page.locator(".ask-answer .row").first).to_contain_text(" in ")
    page.get_by_role("link", name="How it was decided").click()
    expect(page.get_by_text("Stored events with their times")).to_be_visible()
    fetched = [url for url in visitor.told.urls if url.endswith("/replay")]
    back = page.url.partition("#/")[2]
    switch(page, "machine")
    expect(page.get_by_role("heading", name="Engine", exact=True)).to_be_visible()
    switch(page, back)
    page.get_by_label("Event", exact=True).fill("1")
    expect(page.locator(".playback .number")).to_contain_text("1 /")
    assert [url for url in visitor.told.urls if url.endswith("/replay")] == fetched
    visitor.assert_innocent()
