"""The rounds of a report: what stands in the file, that it is data and no markup, and that there is not too much."""

import base64
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest

from node.cli.parts import round_pages
from simnet import page_rounds
from simnet.aggregate import run_aggregate
from simnet.page import page
from simnet.page_rounds import Viewer, in_script
from simnet.results import Cell, Study
from simnet.scenario import Scenario
from simnet.world import run_world
from tests.support.simulated import plan_of
from tests.support.studies import attack_study

EVIL = "</script><script>alert(1)</script><!--<script>&amp;\u2028\"'"


class Elements(HTMLParser):
    """Elements of a page with their attributes, as a browser would find them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(text: str) -> Elements:
    found = Elements()
    found.feed(text)
    found.close()
    return found


def viewer(replay: Mapping[str, Any] | None = None) -> Viewer:
    """The dashboard's parts; with a replay, it is each round's."""
    replay_of = round_pages.replay_data if replay is None else lambda _: replay
    return Viewer(round_pages.styles(), round_pages.modules(), round_pages.start_name(), replay_of)


@pytest.fixture(scope="module")
def study() -> Study:
    plans = {share: plan_of(nodes=7, rounds=6, byzantine={"lazy": share}) for share in (0.0, 0.3)}
    cells = [Cell({"byzantine.lazy": share}, run_aggregate(plan, keep=3)) for share, plan in plans.items()]
    return Study("small", "", cells)


def replays_of(text: str) -> list[dict[str, Any]]:
    return [
        json.loads(each) for each in re.findall(r'<script type="application/json" id="round-\d+">(.*?)</script>', text)
    ]


def test_each_kept_round_is_listed_and_can_be_replayed(study: Study) -> None:
    text = page(Scenario(), study, [], viewer())
    found = replays_of(text)
    kept = [each for run in study.runs for each in run.kept]
    assert len(found) == len(kept) == 6
    for number, (data, each) in enumerate(zip(found, kept, strict=True)):
        assert data["title"] == f"Round {each.result.number}"
        assert f'<a href="#/round/{number}">Round {each.result.number}</a>' in text
        events = data["replay"]["events"]
        assert [events[0]["event"], events[-1]["event"]] == ["asked", "certified"]
        assert 0 <= events[0]["asked_ms"] - data["start_ms"] < 3_600_000, "virtual time begins with the world"
        assert len(data["replay"]["answers"]) == each.result.answers
        assert ["Co-signatures", "none, because the aggregate layer has no messages"] in data["facts"]
    assert "6 of 12 rounds, from 2 of 2 worlds, are in this file" in text
    assert "no member has co-signed it" in text


def test_a_round_of_the_network_layer_says_who_signed() -> None:
    run = run_world(plan_of(nodes=5, rounds=1, layer="network"), keep=1)
    text = page(Scenario(), Study("one", "", [Cell({}, run)]), [], viewer())
    (data,) = replays_of(text)
    cosigning = [each for each in data["replay"]["events"] if each.get("phase") == "cosigning"]
    assert len(cosigning[-1]["received"]) > 2
    assert "aggregate" not in text
    assert ">world<" not in text, "a single world has no name"


def test_hostile_texts_end_no_script_and_begin_none(study: Study) -> None:
    replay = {"events": [], "answers": [{"number": 0, "text": EVIL}], "note": EVIL}
    honest, hostile = page(Scenario(), study, [], viewer()), page(Scenario(), study, [], viewer(replay))
    tags = [[tag for tag, _ in elements(text).found] for text in (honest, hostile)]
    assert tags[0] == tags[1]
    assert all(each["replay"] == replay for each in replays_of(hostile))
    assert "<" not in in_script(EVIL) and json.loads(in_script(EVIL)) == EVIL


def test_the_page_asks_nobody_for_anything(study: Study) -> None:
    text = page(Scenario(), study, [], viewer())
    assert "://" not in text
    found = elements(text).found
    links = [value for _, attributes in found for name, value in attributes.items() if name in ("src", "href")]
    assert links and all(re.match(r"#/round/\d+$|data:", link or "") for link in links)
    (policy,) = [each["content"] or "" for tag, each in found if tag == "meta" and "http-equiv" in each]
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    assert "require-trusted-types-for 'script'" in policy
    (nonce,) = set(re.findall(r"nonce-([0-9a-f]{32})", policy))
    # What runs has the nonce, which no text of the page can hold; replays are data and have none.
    runs = [each for tag, each in found if tag in ("script", "style") and each.get("type") != "application/json"]
    assert len(runs) == 3 and all(each["nonce"] == nonce for each in runs)
    assert nonce not in "".join(json.dumps(each) for each in replays_of(text))


def test_the_same_study_gives_the_same_page_and_another_one_another_nonce(study: Study) -> None:
    first, again = page(Scenario(), study, [], viewer()), page(Scenario(), study, [], viewer())
    other = page(Scenario(), study, [], viewer({"events": [], "answers": []}))
    assert first == again
    assert re.findall("nonce-[0-9a-f]+", first)[0] not in other


def test_modules_and_styles_are_in_the_page(study: Study) -> None:
    text = page(Scenario(), study, [], viewer())
    (told,) = re.findall(r'<script type="importmap"[^>]*>(.*?)</script>', text)
    imports = json.loads(told)["imports"]
    assert base64.b64decode(imports["strand/parts/round/replay.js"].split(",")[1]).startswith(b"/**")
    assert f'import "{round_pages.start_name()}";' in text and round_pages.start_name() in imports
    assert "--accent:" in text


def test_worlds_share_the_room_for_replays(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [len(json.dumps(each)) for each in replays_of(page(Scenario(), study, [], viewer()))]
    monkeypatch.setattr(page_rounds, "REPLAYS_BYTES_MAX", 2 * max(sizes) + 1_000)
    text = page(Scenario(), study, [], viewer())
    worlds = [dict(each["facts"])["World"] for each in replays_of(text)]
    assert worlds == ["byzantine.lazy 0.0", "byzantine.lazy 0.3"]
    assert "2 of 12 rounds" in text


def test_without_rounds_the_page_says_why() -> None:
    text = page(Scenario(), attack_study(), [], viewer())
    assert "No round can be opened: none was kept." in text
    assert "<script" not in text
    lost = Study("", "", [Cell({}, run_aggregate(plan_of(mute=range(5), nodes=5, rounds=1), keep=1))])
    assert "No round has an answer" in page(Scenario(), lost, [], viewer())


def test_a_certificate_that_does_not_hold_has_no_replay() -> None:
    assert round_pages.replay_data(b"no certificate") is None
