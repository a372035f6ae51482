"""The picture of `strand top`: what the node said, within the terminal, whatever strangers call their models."""

import io
from datetime import UTC, datetime

import pytest
from msgspec import structs
from rich.console import Console

from node.api.events import Ended, Progress
from node.api.rounds import RoundPage
from node.api.status import OfferSummary, Peers
from node.cli.top import PHASES_MAX, Phases, View, look, picture
from node.client import Client
from tests.support.shown import ENGINE, PEERS, QUEUE, ROUND, STATUS, http_client, shown

NOW = datetime(2026, 11, 29, 3, 7, 9, tzinfo=UTC)


def lines(view: View, width: int = 80, lines_max: int | None = None, trouble: str = "") -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    console.print(picture(view, "http://127.0.0.1:4210", NOW, console, lines_max=lines_max, trouble=trouble))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def view(peers: int = 1, model: str = "SmolLM2") -> View:
    offer = OfferSummary(("answer", "judge"), model, 40.5, 0)
    known = tuple(
        structs.replace(PEERS.peers[0], key=f"{number:02x}" * 32, offers=offer, connected=number % 2 == 0)
        for number in range(peers)
    )
    return View(STATUS, ENGINE, Peers(known), RoundPage((ROUND.round,) * 6, None), QUEUE)


async def test_a_look_asks_for_what_the_picture_shows() -> None:
    async with http_client(shown()) as http:
        found = await look(Client(http, "the node"))
    assert found == View(STATUS, ENGINE, PEERS, RoundPage((ROUND.round,), None), QUEUE)


def test_the_picture_holds_the_node_its_engine_rounds_and_peers() -> None:
    told = lines(view())
    assert STATUS.key in told
    text = "\n".join(told)
    for words in ("works for", "does not answer: it is switched off", "this node is alone", "Sum a slice.", "SmolLM2"):
        assert words in text
    assert max(map(len, told)) <= 80


@pytest.mark.parametrize("lines_max", [16, 24, 60])
def test_the_picture_has_no_more_lines_than_the_terminal(lines_max: int) -> None:
    told = lines(view(peers=200), lines_max=lines_max)
    # Of the smallest terminal the node itself fills all, and one peer is shown.
    assert len(told) <= max(lines_max, 24)
    assert told[-1].startswith("and ") and told[-1].endswith("more peers: `strand peers` lists all")
    shown_keys = [line.split()[0] for line in told if line.endswith("SmolLM2")]
    assert 200 - len(shown_keys) == int(told[-1].split()[1])
    assert shown_keys[0] == "00" * 6, "connected ones are first"


def test_a_long_model_name_is_not_cut_and_a_hostile_one_is_harmless() -> None:
    model = "a-very-long/" * 8 + "\x1b[2Jname"
    text = "".join(lines(view(model=model))).replace(" ", "")
    assert "a-very-long/" * 2 in text and text.count("a-very-long") == 8
    assert "\x1b" not in text and "[2Jname" in text


def test_a_node_that_went_away_is_told_above_what_was_known() -> None:
    told = lines(view(), trouble="no node answers at \x1b[31mhttp://127.0.0.1:4210")
    assert told[2].startswith("as of before: no node answers at") and "\x1b" not in told[2]


def progress(query_id: str) -> Progress:
    return Progress(
        query_id=query_id,
        phase="judging",
        wave=1,
        received=("ab" * 32,),
        expected=("ab" * 32, "cd" * 32),
        silent=(),
        refused={},
        declined={},
    )


def test_an_open_round_shows_its_phase_until_it_ends() -> None:
    phases, running = Phases(), structs.replace(ROUND.round, outcome=None, ending=None, p_best=None)
    assert phases.shown(running) == "open"
    phases.note(progress(running.query_id))
    assert phases.shown(running) == "judging 1/2"
    assert phases.shown(ROUND.round) == "decided", "the look at the rounds is the newer one"
    phases.note(Ended(query_id=running.query_id, role="member", ending="finished", outcome=None, fault=None))
    assert phases.latest
    phases.note(Ended(query_id=running.query_id, role="requester", ending="finished", outcome=None, fault=None))
    assert not phases.latest


def test_phases_of_rounds_that_never_end_are_forgotten() -> None:
    phases = Phases()
    for number in range(PHASES_MAX + 10):
        phases.note(progress(f"{number:064x}"))
    assert len(phases.latest) == PHASES_MAX


def test_words_of_the_node_itself_are_harmless() -> None:
    hostile = "[red]\x1b[2J\u202e"
    told = View(
        structs.replace(STATUS, network=hostile, specialty=hostile),
        ENGINE,
        Peers((structs.replace(PEERS.peers[0], direction=hostile),)),
        RoundPage((structs.replace(ROUND.round, outcome=None, ending=hostile),), None),
        QUEUE,
    )
    text = "\n".join(lines(told, width=200))
    assert "\x1b" not in text and "\u202e" not in text
    assert text.count("[red]") == 4
