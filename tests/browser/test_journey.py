"""A user's way through the dashboard: from a question to its certificate, and through the loss of the node."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Route, expect

from node.cli.parts.certificates import file_name
from tests.browser.conftest import NODES, Visitor, certificate_file
from tests.support.browser import LACKS_AXE, PATIENCE_MS, findings_of_axe, noted
from tests.support.simulated_certificate import simulated_certificate
from tests.support.swarm_beside import QUESTION, SwarmBeside

expect.set_options(timeout=PATIENCE_MS)

MEMBERS = 12
"""Members of the simulated round that is looked at in the view of verification."""

PHASES = ("answering", "opening", "judging 1", "co-signing")


def test_a_question_its_round_its_certificate_and_the_loss_of_the_node(
    visitor: Visitor, swarm: SwarmBeside, tmp_path: Path
) -> None:
    page = visitor.page
    # How many waves a round has is partly by lot, and after a single one no ladder moves.
    assert any(ask_and_watch(visitor) >= 2 for _ in range(5))
    compare(page)
    replay(page)
    certificate = download(page, tmp_path)
    verify(page, certificate)
    visitor.assert_innocent()
    lose_the_node(visitor, swarm)
    visitor.assert_innocent()


def ask_and_watch(visitor: Visitor) -> int:
    """Phases as they begin, the ladder as it moves, and the outcome; return how many ladders were seen."""
    page = visitor.go("ask")
    page.evaluate("sessionStorage.clear()")
    page.reload()
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_role("link", name="Watch the round").click()
    expect(page.get_by_role("heading", name="Outcome")).to_be_visible()
    expect(page.locator(".playback")).to_be_visible()
    # How many phases were drawn depends on the machine's load; in `replay` each must be.
    told = noted(page)
    assert any(re.match("answering|opening|judging", phase) for phase in told["phases"]), "it was followed live"
    expect(page.get_by_role("button", name="Copy the answer", exact=True)).to_be_visible()
    steps = page.locator(".course .step").all_inner_texts()
    assert {words.strip()[0] for words in steps if "did not take place" not in words} == {"✓"}
    expect(page.locator(".answers > li")).to_have_count(NODES)
    expect(page.locator(".answers > li.wins")).to_have_count(1)
    return len(told["ladders"])


def test_what_a_reader_has_unfolded_stays_when_the_round_is_over(visitor: Visitor) -> None:
    """Its end, from where on it can be replayed, is held back until something is unfolded."""
    page = visitor.go("ask")
    page.get_by_label("Question", exact=True).fill(QUESTION)
    held: list[Route] = []
    page.route("**/api/rounds/*/replay", lambda route: held.append(route))
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_role("link", name="Watch the round").click()
    expect(page.get_by_role("heading", name="Outcome")).to_be_visible()
    expect(page.locator(".answers > li.wins")).to_have_count(1)
    expect(page.locator(".playback")).to_have_count(0)
    page.get_by_text("The ladder as a table").click()
    chosen = page.locator(".answers > li").nth(2).get_by_role("button", name="Compare")
    chosen.click()
    place = page.evaluate("scrollY")
    page.unroute("**/api/rounds/*/replay")
    for route in held:
        # Those that the page has given up are over.
        with suppress(PlaywrightError):
            route.continue_()
    expect(page.locator(".playback")).to_be_visible()
    expect(page.locator("details[open]", has_text="The ladder as a table")).to_have_count(1)
    expect(chosen).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("scrollY") == place
    event = page.get_by_label("Event", exact=True)
    end = event.get_attribute("max") or ""
    # At the begin there is no ladder.
    event.fill("0")
    expect(page.get_by_text("The ladder as a table")).to_have_count(0)
    event.fill(end)
    expect(page.locator("details[open]", has_text="The ladder as a table")).to_have_count(1)
    visitor.assert_innocent()


def test_a_node_without_a_record_and_the_weights_of_votes(visitor: Visitor) -> None:
    """That nothing is known is no error; the statistics of all nodes are not fetched whenever the peers are."""
    page = visitor.go("network")
    with page.expect_request("**/api/peers"):
        pass
    expect(page.locator("table.sortable")).to_contain_text("Vote")
    asked = [url.removeprefix(visitor.url) for url in visitor.told.urls]
    assert asked.count("/api/peers") == 2 and asked.count("/api/reputation") == 1
    visitor.go(f"network/{'ab' * 32}")
    expect(
        page.get_by_text("It has neither taken part in a round that was asked here, nor been challenged.")
    ).to_be_visible()
    visitor.assert_innocent()


def compare(page: Page) -> None:
    """Two answers side by side, with what differs."""
    page.locator(".answers > li").nth(2).get_by_role("button", name="Compare").click()
    diff = page.locator("#compare table.diff")
    expect(diff).to_be_visible()
    expect(diff.locator("td.removed").first).to_be_visible()
    expect(diff.locator("td.added").first).to_be_visible()
    page.get_by_role("button", name="Swap").click()
    expect(diff.locator("td.added").first).to_be_visible()


def replay(page: Page) -> None:
    """Step by step: each phase is the present one once, and the ladder is there after each wave."""
    expect(page.get_by_text("Stored events with their times")).to_be_visible()
    page.evaluate("__told.phases.length = __told.ladders.length = 0")
    page.get_by_label("Event", exact=True).fill("0")
    expect(page.get_by_text("Before the first event")).to_be_visible()
    forward = page.get_by_role("button", name="One step forward")
    while forward.is_enabled():
        forward.click()
    told = noted(page)
    assert [each for each in told["phases"] if not re.match(r"judging [2-9]", each)] == list(PHASES)
    assert len(set(told["ladders"])) >= 2


def download(page: Page, folder: Path) -> Path:
    """The certificate as a file of the user's."""
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    path = folder / started.value.suggested_filename
    assert path.name == file_name(page.url.rpartition("/")[2])
    started.value.save_as(path)
    return path


def verify(page: Page, certificate: Path) -> None:
    """The whole file holds, and replays without times; with one byte changed it is refused by a rule."""
    page.get_by_role("link", name="Verify", exact=True).click()
    page.locator("input[type=file]").set_input_files(certificate)
    expect(page.get_by_text("The certificate holds.")).to_be_visible()
    assert page.locator(".verification > li").count() == page.locator(".verification > li.passed").count() > 5
    page.get_by_role("button", name="Replay the round").click()
    expect(page.get_by_text("which holds no times")).to_be_visible()
    page.get_by_role("link", name="Back to the verification").click()

    raw = bytearray(certificate.read_bytes())
    place = raw.index(b"fn first_long")
    raw[place] ^= 1
    page.locator("input[type=file]").set_input_files(certificate_file(bytes(raw)))
    expect(page.get_by_text("The certificate does not hold.")).to_be_visible()
    failed = page.locator(".verification > li.failed")
    expect(failed).to_have_count(1)
    expect(failed.locator(".broken strong")).to_have_text(re.compile(r"^[A-Z]+\d+$"))


def lose_the_node(visitor: Visitor, swarm: SwarmBeside) -> None:
    """The page says that it is stale, finds the node when it is there again, and works with it without a reload."""
    page = visitor.page
    views = {"Machine": ".machine .panel", "Network": "table.sortable", "Rounds": ".history-list > li"}
    for name, shown in views.items():
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator(shown).first).to_be_visible()
    page.evaluate("window.__same = true")
    swarm.kill(0)
    expect(page.locator(".bar")).to_contain_text("stale since")
    # Its figures stay in every view that had them, and say how old they are.
    for name, shown in views.items():
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator(shown).first).to_be_visible()
        expect(page.get_by_text("What stands here is of").first).to_be_visible()
    swarm.restart(0)
    expect(page.locator(".bar .badge.good")).to_contain_text("live")
    # The list that is open is loaded anew by itself.
    expect(page.get_by_text("What stands here is of")).to_have_count(0)
    # That nothing could be loaded meanwhile is said by the browser, too.
    visitor.told.errors[:] = [each for each in visitor.told.errors if "net::ERR_" not in each]
    page.get_by_role("link", name="Ask", exact=True).click()
    page.get_by_role("button", name="New conversation").click()
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("link", name="How it was decided")).to_be_visible()
    assert page.evaluate("window.__same")


@pytest.mark.skipif(bool(LACKS_AXE), reason=LACKS_AXE)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_in_the_way_of_anybody(visitor: Visitor, swarm: SwarmBeside, scheme: str) -> None:
    page = visitor.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    found = {}
    for view, ready in views_of(visitor, swarm).items():
        visitor.go(view)
        expect(page.locator(ready).first).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        found[view] = findings_of_axe(page)
    raw = simulated_certificate(MEMBERS)
    for name, told in (("holds", raw), ("broken", raw[:-1])):
        page.locator("input[type=file]").set_input_files(certificate_file(told))
        expect(page.locator(f".verdict.{'good' if told is raw else 'bad'}")).to_be_visible()
        found[f"verify, {name}"] = findings_of_axe(page)
    page.locator("input[type=file]").set_input_files(certificate_file(raw))
    page.get_by_role("button", name="Replay the round").click()
    expect(page.locator(".answers > li").first).to_be_visible()
    found["replay"] = findings_of_axe(page)
    assert {view: told for view, told in found.items() if told} == {}


def views_of(visitor: Visitor, swarm: SwarmBeside) -> dict[str, str]:
    """Addresses of all views, each with something that is there once it is whole; a round is asked for them."""
    page = visitor.go("ask")
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    link = page.get_by_role("link", name="How it was decided")
    round_view = (link.get_attribute("href") or "").removeprefix("#/")
    return {
        "ask": ".ask-answer",
        "rounds": ".history-list > li",
        round_view: ".answers > li",
        "network": "table",
        f"network/{swarm.swarm.nodes[1].key}": "h2:has-text('Its latest rounds')",
        "machine": ".panel",
        "verify": ".drop",
    }


def test_a_list_is_narrowed_by_its_address_and_by_its_choices(visitor: Visitor) -> None:
    page = visitor.go("rounds?task=final")
    task = page.get_by_label("Task", exact=True)
    expect(task).to_have_value("final")
    task.select_option("Open text")
    expect(page).to_have_url(re.compile(r"task=open$"))
    expect(task).to_have_value("open")
    page.get_by_role("link", name="Show all", exact=True).click()
    expect(task).to_have_value("")
    visitor.assert_innocent()


def test_a_question_outlives_its_page(visitor: Visitor) -> None:
    """The stream of its round is lost with the page; the next page asks the node how it ended."""
    page = visitor.go("ask")
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_role("link", name="Watch the round").wait_for()
    page.reload()
    expect(page.get_by_role("link", name="How it was decided")).to_be_visible()
    visitor.assert_innocent()
