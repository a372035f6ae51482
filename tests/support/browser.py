"""A real browser: the system's Chromium, which playwright drives, and what a page does that it must not do.

Its own version of Chromium is not used: it would be fetched past the package index.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError, sync_playwright

CHROMIUM: Final = shutil.which("chromium") or ""

LACKS: Final = "" if CHROMIUM else "there is no Chromium; `apt-get install chromium` installs it (Debian)"
"""Why no page can be opened on this machine; empty if one can."""

REQUIRED: Final = os.environ.get("STRAND_REQUIRE_BROWSER") == "1"
"""`.ci/run` sets it where Chromium is found, so that no run passes because it opened nothing."""

AXE: Final = Path(__file__).parents[2] / ".venv-clients/npm/node_modules/axe-core/axe.min.js"

LACKS_AXE: Final = "" if AXE.exists() else "there is no axe-core; `make clients` fetches it (with npm)"

PATIENCE_MS: Final = 60_000
"""For what must come: long, because other work shares the machine; a test that passes never waits so long."""

DESK: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 360, "height": 780}
"""Sizes of a page, px."""

_OBSERVE: Final = """
window.__told = { phases: [], ladders: [], violations: [], frames: [] };
const note = (list, words) => words && list.at(-1) !== words && list.push(words);
addEventListener("securitypolicyviolation", (event) =>
  __told.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
new MutationObserver(() => {
  note(__told.phases, document.querySelector(".course [aria-current=step] .step-name")?.textContent.slice(2));
  note(__told.ladders, document.querySelector(".ladder")?.getAttribute("aria-label"));
}).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) __told.frames.push(each.duration);
}).observe({ type: "long-animation-frame", buffered: true });
"""
"""Runs before the page: notes what is drawn only for a moment, what the page's policy refused, and long frames."""


@dataclass
class Told:
    """What the pages of one context said and asked for. Playwright keeps handlers in attributes of their own."""

    errors: list[str] = field(default_factory=list)
    """Errors of the console, and exceptions that nobody caught."""
    urls: list[str] = field(default_factory=list)
    """Every address that was asked for."""

    def on_console(self, message: ConsoleMessage) -> None:
        """Keep a line of the console if it is an error."""
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def on_error(self, error: WebError) -> None:
        """Keep an exception."""
        self.errors.append(str(error.error))

    def on_request(self, request: Request) -> None:
        """Keep an address."""
        self.urls.append(request.url)

    def foreign(self, origin: str) -> list[str]:
        """Addresses beside those of one origin; what a page holds itself (data:, blob:) is nowhere else."""
        return [url for url in self.urls if not url.startswith((f"{origin}/", "data:", f"blob:{origin}/"))]


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium without a window. As root, as in a container, it has no sandbox of its own."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_context(browser: Browser, **options: Any) -> Iterator[tuple[BrowserContext, Told]]:
    """A visitor without a history, and what is told of all of its pages."""
    context = browser.new_context(**{"viewport": DESK, **options})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(_OBSERVE)
    told = Told()
    context.on("console", told.on_console)
    context.on("weberror", told.on_error)
    context.on("request", told.on_request)
    try:
        yield context, told
    finally:
        # A reply that a test would have changed may still be on its way.
        context.unroute_all(behavior="ignoreErrors")
        context.close()


def noted(page: Page) -> Mapping[str, list[Any]]:
    """What the page has noted of itself: `phases` and `ladders` drawn, `violations` of its policy, `frames` in ms."""
    told: Mapping[str, list[Any]] = page.evaluate("window.__told")
    return told


def findings_of_axe(page: Page) -> list[str]:
    """What axe finds serious or critical in the page as it stands, one line each."""
    # By the debugger, which the page's policy does not bind.
    page.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
    options = {"resultTypes": ["violations"]}
    result = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{found['id']} ({found['impact']}): {found['help']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


@dataclass(frozen=True, slots=True)
class Played:
    """How a replay went."""

    events: int
    frames: int
    """Frames that took more than 50 ms, by the browser's count of long animation frames."""
    longest_ms: float
    seconds: float

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"{self.events} events replayed in {self.seconds:.1f} s, {self.frames} frames of more than 50 ms, "
            f"the longest {self.longest_ms:.0f} ms"
        )


_UNTIL_PLAYED: Final = """
new Promise((done) => {
  const button = document.querySelector(".playback .primary");
  const look = () => (button.textContent.includes("Replay") ? done() : setTimeout(look, 100));
  look();
})
"""
"""Looks cheaply: a search by role walks through the whole page, within the frames that are counted."""


def play(page: Page, speed: str = "20") -> Played:
    """Replay the round of the view that is open from its begin to its end, at the greatest speed."""
    place = page.get_by_label("Event", exact=True)
    page.locator(".playback select").select_option(speed)
    place.fill("0")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate("__told.frames.length = 0")
    began_ms = page.evaluate("performance.now()")
    page.get_by_role("button", name="Play", exact=True).click()
    page.evaluate(_UNTIL_PLAYED)
    seconds = (page.evaluate("performance.now()") - began_ms) / 1000
    frames = noted(page)["frames"]
    return Played(int(place.get_attribute("max") or 0), len(frames), max(frames, default=0.0), seconds)
