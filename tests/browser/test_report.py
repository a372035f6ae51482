"""A simulator's report in a browser, from the disk: rounds are opened, replayed and left, and nobody is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from node.cli.parts import round_pages
from simnet.aggregate import run_aggregate
from simnet.page import page as page_of
from simnet.page_rounds import Viewer
from simnet.results import Cell, Study
from simnet.scenario import Scenario
from tests.support.browser import LACKS_AXE, PHONE, findings_of_axe, noted, open_context
from tests.support.payloads import PAYLOADS
from tests.support.simulated import plan_of

ROUNDS: Final = 3

PHASES: Final = ["answering", "opening", "judging 1", "co-signing"]

HEIGHTS: Final = """[...document.querySelectorAll(".answer")].map((card) => card.getBoundingClientRect().height)"""
"""Heights in px of the answers' cards: one text is short."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose answers are hostile."""
    plan = plan_of(nodes=6, rounds=ROUNDS, round={"waves": [2]})
    study = Study("small", "", [Cell({}, run_aggregate(plan, keep=ROUNDS))])
    viewer = Viewer(round_pages.styles(), round_pages.modules(), round_pages.start_name(), hostile_replay)
    path = tmp_path_factory.mktemp("report") / "index.html"
    path.write_text(page_of(Scenario(), study, [], viewer), encoding="utf-8")
    return path


def hostile_replay(certificate: bytes) -> Mapping[str, Any] | None:
    replay = round_pages.replay_data(certificate)
    assert replay is not None
    evil = "\n".join(each for each in PAYLOADS if len(each) < 1_000)
    first, *others = replay["answers"]
    told = [{**each, "text": f"</script>{evil}"} for each in others]
    return {**replay, "answers": [{**first, "text": "short</script>"}, *told]}


def test_a_round_is_opened_replayed_and_left(browser: Browser, report: Path) -> None:
    with open_context(browser) as (context, told):
        page = context.new_page()
        page.goto(report.as_uri())
        expect(page.get_by_role("heading", name="Rounds to open")).to_be_visible()
        page.get_by_role("link", name="Round 1", exact=True).click()
        expect(page.get_by_role("heading", name="Round 1", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name="Rounds to open")).to_be_hidden()
        expect(page.locator(".answers > li")).to_have_count(6)
        head = page.locator("section", has=page.get_by_role("heading", name="Question"))
        expect(head).to_contain_text(re.compile("simulated.*asked .* after the start", re.DOTALL))
        expect(head).not_to_contain_text(re.compile("public|20\\d\\d-"))
        expect(page.locator(".answers")).to_contain_text("</script>")
        heights = page.evaluate(HEIGHTS)
        assert min(heights) < max(heights) / 2, "each card is as high as its text"
        replay(page)
        page.get_by_role("link", name="Next round").click()
        expect(page.get_by_role("heading", name="Round 2", exact=True)).to_be_visible()
        page.get_by_role("link", name="Back to the report").click()
        expect(page.get_by_role("link", name="Round 2", exact=True)).to_be_focused()
        assert told.errors == []
        assert noted(page)["violations"] == []
        assert [url for url in told.urls if not url.startswith("data:")] == [report.as_uri()]


def test_a_key_is_copied_where_a_page_has_no_clipboard(browser: Browser, report: Path) -> None:
    """As in a page that comes over plain HTTP from another machine."""
    with open_context(browser) as (context, told):
        page = context.new_page()
        page.add_init_script("delete Navigator.prototype.clipboard")
        page.goto(f"{report.as_uri()}#/round/0")
        page.locator(".members button.key").first.click()
        expect(page.locator(".members button.key").first).to_contain_text("Copied")
        assert told.errors == []


def test_two_answers_are_chosen_and_swapped(browser: Browser, report: Path) -> None:
    with open_context(browser) as (context, told):
        page = context.new_page()
        page.goto(f"{report.as_uri()}#/round/0")
        page.get_by_label("Left", exact=True).select_option("4")
        page.get_by_label("Right", exact=True).select_option("5")
        page.get_by_role("button", name="Swap").click()
        expect(page.locator("#compare")).to_contain_text("Both texts are equal.")
        chosen = [page.get_by_label(side, exact=True) for side in ("Left", "Right")]
        expect(chosen[0]).to_have_value("5")
        expect(chosen[1]).to_have_value("4")
        assert told.errors == []


def replay(page: Page) -> None:
    """Step by step: each phase is the present one once."""
    expect(page.get_by_text("Steps of the certificate's chain")).to_be_visible()
    page.evaluate("__told.phases.length = 0")
    page.keyboard.press("Home")
    expect(page.get_by_text("Before the first event")).to_be_visible()
    forward = page.get_by_role("button", name="One step forward")
    while forward.is_enabled():
        forward.click()
    assert noted(page)["phases"] == PHASES


@pytest.mark.parametrize("address", ["", "#/round/0"])
def test_a_report_fits_a_phone(browser: Browser, report: Path, address: str) -> None:
    with open_context(browser, viewport=PHONE, color_scheme="dark") as (context, told):
        page = context.new_page()
        page.goto(report.as_uri() + address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        bar = page.locator(".playback")
        if address:
            # A tenth of the screen, so that the round has the rest; what is written within it is not cut off.
            assert (bar.bounding_box() or {"height": PHONE["height"]})["height"] <= PHONE["height"] / 8
            assert bar.evaluate("(bar) => bar.scrollWidth <= bar.clientWidth")
            expect(page.get_by_role("button", name="Replay", exact=True)).to_be_visible()
        assert told.errors == []


@pytest.mark.skipif(bool(LACKS_AXE), reason=LACKS_AXE)
@pytest.mark.parametrize("address", ["", "#/round/0"])
def test_axe_finds_nothing_in_a_report(browser: Browser, report: Path, address: str) -> None:
    with open_context(browser) as (context, _):
        page = context.new_page()
        page.goto(report.as_uri() + address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert findings_of_axe(page) == []
