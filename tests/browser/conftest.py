"""One running swarm and one browser for all tests of the dashboard: they start in seconds of CPU each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page

from tests.support.browser import LACKS, REQUIRED, Told, noted, open_browser, open_context
from tests.support.payloads import PAYLOADS
from tests.support.swarm_beside import ANSWERS, QUESTION, SwarmBeside, scripted, swarm_beside

NODES: Final = 4

LATENCY_MS: Final = 500
"""Time of a scripted engine for an answer or a pair: short, and long enough for what is shown meanwhile to be drawn."""

HOSTILE_QUESTION: Final = "What would a hostile member answer?"

HOSTILE_NAME: Final = PAYLOADS[3]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if LACKS:
        if REQUIRED:
            pytest.fail(f"STRAND_REQUIRE_BROWSER is 1: {LACKS}", pytrace=False)
        pytest.skip(LACKS)
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="package")
def swarm(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmBeside]:  # noqa: ARG001 - it may skip
    folder = tmp_path_factory.mktemp("swarm")
    answers = {QUESTION: ANSWERS[:NODES], HOSTILE_QUESTION: [hostile_answer(node) for node in range(NODES)]}
    names = ["", "", "", HOSTILE_NAME]
    specs = [scripted(folder, node, answers, LATENCY_MS, **{"node.name": name}) for node, name in enumerate(names)]
    with swarm_beside(specs) as running:
        yield running


def hostile_answer(node: int) -> str:
    """A node's share of the texts that are short enough for an answer of a few kilobytes."""
    share = [each for number, each in enumerate(PAYLOADS) if number % NODES == node and len(each) < 1_000]
    return "\n".join(share)


def certificate_file(raw: bytes) -> FilePayload:
    """A file to choose in the view of verification."""
    return FilePayload(name="round.strand", mimeType="application/octet-stream", buffer=raw)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A page of a node, and what its pages did."""

    page: Page
    context: BrowserContext
    told: Told
    url: str

    def go(self, view: str) -> Page:
        """Open a view by its address, and wait until its page is live."""
        self.page.goto(f"{self.url}/#/{view}")
        self.page.locator(".bar .badge.good", has_text="live").wait_for()
        return self.page

    def assert_innocent(self) -> None:
        """Nothing went wrong in the page, it asked no other host, and its policy had nothing to refuse."""
        assert self.told.errors == []
        assert self.told.foreign(self.url) == []
        assert noted(self.page)["violations"] == []


@pytest.fixture
def visitor(browser: Browser, swarm: SwarmBeside) -> Iterator[Visitor]:
    with open_context(browser) as (context, told):
        yield Visitor(context.new_page(), context, told, swarm.url)
