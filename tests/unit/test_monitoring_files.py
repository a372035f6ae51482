"""The dashboard and the alert rules name only metrics that exist."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

import yaml

from tests.support.reference import reference_module

_SUFFIXES: Final = ("_bucket", "_sum", "_count")


def _named(expression: str) -> set[str]:
    """The metrics that an expression of PromQL names, without the suffixes of histograms."""
    found = set(re.findall(r"\bstrand_\w+", expression))
    return {next((name.removesuffix(each) for each in _SUFFIXES if name.endswith(each)), name) for name in found}


def _known() -> set[str]:
    """Every metric of the reference, which is made from the code."""
    return set(re.findall(r"`(strand_\w+)`", reference_module("metrics").metrics()))


def _expressions(panels: list[dict[str, Any]]) -> Iterator[str]:
    for panel in panels:
        yield from (target["expr"] for target in panel.get("targets", ()))
        yield from _expressions(panel.get("panels", []))


def test_the_dashboard_names_only_metrics_that_exist() -> None:
    dashboard = json.loads(files("configs").joinpath("grafana/strand.json").read_text(encoding="utf-8"))
    expressions = list(_expressions(dashboard["panels"]))
    named = set().union(*map(_named, expressions))
    assert len(expressions) > 12 and all(map(_named, expressions))
    assert named <= _known(), named - _known()
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in dashboard["panels"]]
    assert all(x >= 0 and x + w <= 24 for x, _, w, _ in places)
    covered = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(covered) == len(set(covered)), "no panel lies on another"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    inputs = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$(?!__)(\w+)|\$\{(\w+)\}", json.dumps(dashboard)))
    assert {a or b for a, b in used} <= inputs


def test_the_alerts_name_only_metrics_that_exist_and_say_what_helps() -> None:
    rules = yaml.safe_load(files("configs").joinpath("prometheus/alerts.yml").read_text(encoding="utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len(alerts) >= 8
    assert len({alert["alert"] for alert in alerts}) == len(alerts)
    for alert in alerts:
        assert alert.keys() == {"alert", "expr", "for", "labels", "annotations"}
        named = _named(alert["expr"])
        assert named <= _known() and (named or "up{" in alert["expr"]), alert["alert"]
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert re.fullmatch(r"\d+[smh]", alert["for"])
        assert alert["annotations"].keys() == {"summary", "remedy"}
        assert all(text.endswith(".") for text in alert["annotations"].values())
