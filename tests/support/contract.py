"""Requests that schemathesis makes up from a running node's OpenAPI document, and whether the replies keep to it.

Each operation of the document gets requests that fit it, where something can be wrong also requests that do not, and
methods that it does not serve. Afterwards the node is as it was, apart from its rounds and what it was told of others:
a pause is ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from node.api.operations import EVENT_STREAM, EVENTS, JSON
from tests.support.declared import check_reply

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    allow_header_conformance,
]
"""Those of schemathesis; that there is no 5xx but 503 and those of failed rounds is checked here."""

REPLY_S = 60.0
"""seconds for a reply that ends by itself; a round of small budgets takes one or two"""

FOLLOWED_S = 0.2
"""seconds of silence after which the stream of all events is left, which does not end by itself"""

WAIT_MS_MAX = 50
"""A made-up request waits for no longer in the node: most times that fit are minutes, and tell no more."""


@dataclass
class Explored:
    """What was sent and what came back."""

    cases: int = 0
    replies: Counter[tuple[str, int]] = field(default_factory=Counter)
    """by operation and status"""
    faults: dict[tuple[str, str], str] = field(default_factory=dict)
    """the first of each kind of an operation"""

    def lines(self) -> list[str]:
        """One line an operation, and the faults."""
        told: dict[str, list[str]] = {}
        for (operation, status), count in sorted(self.replies.items()):
            told.setdefault(operation, []).append(f"{status}: {count}")
        return [
            *(f"{operation}: {', '.join(counts)}" for operation, counts in told.items()),
            f"{self.cases} cases, {len(self.faults)} faults",
            *self.faults.values(),
        ]


class Explorer:
    """Sends cases to one node."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._seed = seed
        self._http = requests.Session()
        # Proxies of the environment are for other hosts.
        self._http.trust_env = False
        self.explored = Explored()

    def explore(self, cases: int) -> None:
        """Send about `cases` requests: edges of values, as many of each operation, then what chance makes up."""
        # Loaded from its address it would leave out the operation that serves it.
        told = self._http.get(f"{self._url}/api/openapi.json", timeout=REPLY_S).json()
        document = schemathesis.openapi.from_dict(told)
        # A text above its limit can make the body too large, which is refused before the text is looked at.
        rejection = document.config.checks.negative_data_rejection
        rejection.expected_statuses = [*rejection.expected_statuses, "413"]
        operations = [each.ok() for each in document.get_all_operations()]
        for operation in operations:
            generation = document.config.generation_for(operation=operation)
            edges = list(
                document.iter_coverage_cases(
                    operation, generation_modes=list(GenerationMode), generation_config=generation
                )
            )
            share = min(cases // len(operations), len(edges))
            for case in Random(self._seed).sample(edges, share):
                self._send(case)
            self._resume()
        self._send_known(operations, told)
        varied = [(each, mode) for each in operations if _takes_input(each) for mode in GenerationMode]
        for left, (operation, mode) in zip(range(len(varied), 0, -1), varied, strict=True):
            try:
                self._draw(operation.as_strategy(mode), max(1, (cases - self.explored.cases) // left))
            except Unsatisfiable:
                # Whatever a client sends fits, such as any text as a part of the path.
                if mode is GenerationMode.POSITIVE:
                    raise
            self._resume()

    def _draw(self, strategy: Any, cases: int) -> None:
        @hypothesis.seed(self._seed)
        @hypothesis.settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=strategy)
        def send(case: Case) -> None:
            self._send(case)

        send()

    def _send_known(self, operations: list[Any], document: Any) -> None:
        """Send the document's example bodies, then paths that name something which is there by now."""
        for operation in operations:
            content = document["paths"][operation.path][operation.method].get("requestBody", {}).get("content", {})
            if "example" in (told := content.get(JSON, {})):
                self._draw(operation.as_strategy(body=told["example"], media_type=JSON), 1)
        rounds = self._http.get(f"{self._url}/api/rounds", timeout=REPLY_S).json()["rounds"]
        models = self._http.get(f"{self._url}/v1/models", timeout=REPLY_S).json()["data"]
        known = {"query_id": rounds[-1]["query_id"], "model": models[0]["id"]}
        for operation in operations:
            parts = {name: known[name] for name in known if f"{{{name}}}" in operation.path}
            if parts:
                self._draw(operation.as_strategy(path_parameters=parts), 1)

    def _resume(self) -> None:
        self._http.post(f"{self._url}/api/resume", timeout=REPLY_S).raise_for_status()

    def _send(self, case: Case) -> None:
        """Send one case and judge its reply."""
        wanted = case.as_transport_kwargs(base_url=self._url)
        if str((wanted.get("params") or {}).get("timeout_ms", "")).isdecimal():
            wanted["params"]["timeout_ms"] = min(int(wanted["params"]["timeout_ms"]), WAIT_MS_MAX)
        self.explored.cases += 1
        with self._http.request(**wanted, timeout=REPLY_S, stream=True) as response:
            if case.operation.path == EVENTS.path and response.headers.get("content-type") == EVENT_STREAM:
                content = b"".join(_heard(response))
                response._content, response._content_consumed = content, True  # type: ignore[attr-defined]
            label, status = case.operation.label, response.status_code
            self.explored.replies[label, status] += 1
            self._judge(case, response, status)

    def _judge(self, case: Case, response: requests.Response, status: int) -> None:
        try:
            if status >= 500 and status != 503 and not _is_failed_round(status, response):
                raise AssertionError(f"{status}: {response.text[:300]}")
            case.validate_response(response, checks=CHECKS)
            check_reply(
                str(response.request.method),
                response.url.removeprefix(self._url).partition("?")[0],
                status,
                response.headers.get("content-type", ""),
                response.content,
            )
        except (AssertionError, FailureGroup) as fault:
            for each in fault.exceptions if isinstance(fault, FailureGroup) else [fault]:
                kind = each.title if isinstance(each, Failure) else type(each).__name__
                words = f"{case.operation.label}: {kind}: {each}\n  {case.as_curl_command()}"
                self.explored.faults.setdefault((case.operation.label, kind), words)


def explore(url: str, cases: int, seed: int = 1) -> Explored:
    """Explore the node at this URL with about so many cases, the same for each seed and document."""
    explorer = Explorer(url, seed)
    explorer.explore(cases)
    return explorer.explored


def _is_failed_round(status: int, response: requests.Response) -> bool:
    """Whether this says that a round was asked, and failed: one token is too little for an answer."""
    return status in {502, 504} and response.json()["error"]["strand"]["outcome"] == "failed"


def _takes_input(operation: Any) -> bool:
    return bool(operation.query or operation.path_parameters or operation.headers or operation.body)


def _heard(response: requests.Response) -> Iterator[bytes]:
    """What comes of a stream within FOLLOWED_S."""
    try:
        response.raw._fp.fp.raw._sock.settimeout(FOLLOWED_S)
        yield from response.iter_content(None)
    except (requests.exceptions.ConnectionError, TimeoutError):
        return
