"""Which pictures a study gets, and the page that holds them. What they look like was looked at."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from simnet.page import page
from simnet.plots import PANELS_MAX, plots
from simnet.results import NO_OUTCOME, Cell, Study
from simnet.scenario import scenario_from
from tests.support.studies import (
    attack_study,
    calibration_study,
    learning_study,
    loss_study,
    made_cell,
    pairing_study,
    single_study,
    size_study,
    waves_study,
)

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("study", "names"),
    [
        (attack_study(), ["accuracy-attacks"]),
        (waves_study(), ["accuracy-comparisons"]),
        (size_study(), ["accuracy-size", "cost", "latency"]),
        (loss_study(), ["loss", "latency"]),
        (single_study(), ["latency"]),
        (pairing_study(), ["pairings"]),
        (calibration_study(), ["reliability"]),
        (learning_study(), ["learning"]),
        (Study("", "", [made_cell({"nodes": n}, nodes=n, network=False) for n in (5, 10)]), ["accuracy-size"]),
        (Study("", "", [made_cell({"nodes": n}, nodes=n, rounds=5) for n in (5, 10)]), ["cost", "latency"]),
        (Study("", "", [made_cell({"seed": n}) for n in range(9)]), []),
        (attack_study(tuple(f"kind-{n}" for n in range(PANELS_MAX + 1))), []),
        (Study("", "", [made_cell({"attack": "lazy", "share": 0.1}, network=False)]), []),
        (Study("", "", [Cell({}, replace(made_cell({}).run, rounds=[]))]), []),
    ],
    ids=[
        "attacks",
        "waves",
        "size",
        "loss",
        "single",
        "pairings",
        "calibration",
        "learning",
        "no messages",
        "few rounds",
        "many",
        "crowded",
        "point",
        "empty",
    ],
)
def test_each_picture_is_drawn_only_from_what_it_needs(study: Study, names: list[str]) -> None:
    drawn = list(plots(study))
    assert [plot.name for plot in drawn] == names
    for plot in drawn:
        assert plot.png.startswith(PNG)
        assert plot.title
        assert len(plot.alt) > 40


def test_a_round_that_nobody_answered_has_no_time_but_an_outcome() -> None:
    study = loss_study()
    study.cells[-1].run.rounds = [
        replace(each, outcome=NO_OUTCOME, answered_ms=None, phases_ms={}) for each in study.cells[-1].run.rounds
    ]
    loss, latency = plots(study)
    assert "0 % decided at 30 % loss" in loss.alt
    assert latency.png.startswith(PNG)


def test_phases_stand_in_the_order_of_a_round() -> None:
    """Whatever the first rounds had: most judge once or twice, and one that failed early has no phase of judging."""
    study = single_study()
    seen = (
        {"answering": 6_000},
        {"answering": 6_000, "opening": 900, "judging 2": 2_000, "cosigning": 800, "certified": 9},
        {"answering": 6_000, "opening": 900, "judging 10": 2_000, "judging 3": 2_000, "cosigning": 800},
        {"judging 1": 4_000},
    )
    rounds = study.cells[0].run.rounds
    study.cells[0].run.rounds = [
        replace(each, phases_ms=phases) for each, phases in zip(rounds, seen, strict=False)
    ]  # fmt: skip
    (plot,) = plots(study)
    told = plot.alt.partition(": ")[2].split(", ")
    assert [name.rsplit(" ", 2)[0] for name in told] == [
        "answering", "opening", "judging 1", "judging 2", "judging 3", "judging 10", "cosigning", "certified",
        "query to answer",
    ]  # fmt: skip


def test_equal_studies_give_equal_bytes() -> None:
    first, second = plots(size_study()), plots(size_study())
    assert [plot.png for plot in first] == [plot.png for plot in second]


def test_the_alternative_text_tells_the_figures() -> None:
    (plot,) = plots(attack_study(("lazy",)))
    start, end = re.findall(r"(\d+) % at", plot.alt)
    rounds = attack_study(("lazy",)).cells[0].run.rounds
    assert int(start) == round(100 * sum(each.verdicts.swarm for each in rounds) / len(rounds))
    assert int(end) < int(start)


def test_the_picture_of_pairings_tells_both_ends_of_each_line() -> None:
    study = pairing_study()
    (plot,) = plots(study)
    rankings = [each.verdicts.rankings for each in study.cells[-1].run.rounds]
    assert f"its judges' own rankings: {100 * sum(map(bool, rankings)) / len(rankings):.0f} % with 1e+02" in plot.alt
    for line in ("swarm, stops at P(best) 0.8", "swarm, stops at P(best) 1", "Swiss", "published client's list"):
        assert plot.alt.count(f"plain Bradley-Terry, {line}: ") == 1
    assert "random" not in plot.alt


def test_the_picture_of_reliability_tells_the_errors() -> None:
    (plot,) = plots(calibration_study())
    best, right = map(float, re.findall(r"calibration error (\d\.\d+)", plot.alt))
    assert best < 0.03 < 0.2 < right


class Reader(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_holds_table_pictures_settings_and_the_way_back() -> None:
    scenario = scenario_from({"name": "loss", "vary": {"links.loss": [0, 0.1]}, "rounds": 60})
    study = loss_study()
    drawn = list(plots(study))
    text = page(scenario, study, drawn)
    reader = Reader()
    reader.feed(text)
    assert [image["src"] for image in reader.images] == [
        "data:image/png;base64," + base64.b64encode(plot.png).decode() for plot in drawn
    ]
    assert [image["alt"] for image in reader.images] == [plot.alt for plot in drawn]
    assert reader.tags.count("tr") == 1 + len(study.cells) + 1 + 2
    assert "strand sim --rounds 60 --set 'vary.links.loss=[0, 0.1]'" in reader.text
    assert "No safety rule was broken." in reader.text
    assert "://" not in text, "it needs nothing from elsewhere"


def test_everything_on_the_page_is_escaped() -> None:
    evil = "<script>alert('&')</script>"
    study = single_study(violations=30)
    study = Study(evil, evil, [Cell({evil: evil}, study.cells[0].run), Cell({evil: "b"}, study.cells[0].run)])
    reader = Reader()
    reader.feed(page(scenario_from({"name": evil, "about": evil, "vary": {evil: [evil]}}), study, []))
    assert "script" not in reader.tags
    assert reader.text.count(evil) >= 6
    assert "Safety rules were broken 60 times" in reader.text
    assert reader.tags.count("li") == 20
