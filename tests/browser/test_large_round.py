"""A round as large as one may be, of the simulator, drawn and replayed; how smoothly is printed, not asserted."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor, certificate_file
from tests.support.browser import PATIENCE_MS, play
from tests.support.simulated_certificate import simulated_certificate

expect.set_options(timeout=PATIENCE_MS)

MEMBERS = 64

LADDER_SHOWN = 20
"""As `parts/round/ladder.js` has it."""


def test_a_round_of_sixty_four(visitor: Visitor, capsys: pytest.CaptureFixture[str]) -> None:
    page = visitor.go("verify")
    page.locator("input[type=file]").set_input_files(certificate_file(simulated_certificate(MEMBERS)))
    page.get_by_role("button", name="Replay the round").click()
    expect(page.get_by_text(f"{MEMBERS} answers, best first")).to_be_visible()
    rungs = page.locator(".ladder .rung")
    expect(rungs).to_have_count(LADDER_SHOWN)
    page.get_by_role("button", name=f"Show all {MEMBERS} places").click()
    expect(rungs).to_have_count(MEMBERS)
    page.get_by_role("button", name=f"Show the first {LADDER_SHOWN}").click()
    played = play(page)
    with capsys.disabled():
        print(f"\n{MEMBERS} members: {played}")
    assert played.events > MEMBERS
    visitor.assert_innocent()
