"""The page for people, and the links that open it."""

from collections.abc import Mapping
from html import escape
from importlib.metadata import version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from node.api import operations as ops
from node.api.operations import Operation
from node.api.ui import UiLink
from node.config import ApiTable
from node.http.origins import Origins
from node.http.replies import Handler, json_reply, read_parameters
from node.http.sessions import LINK_S, UI_PATH, Sessions

PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Strand node</title>
</head>
<body>
<h1>Strand node</h1>
<p>This is the HTTP interface of a node of Strand Swarm, version {escape(version("strand-swarm"))}: language models that
answer questions together and rank each other's answers.</p>
<ul>
<li><a href="/api/status">What the node does now</a> (JSON)</li>
<li><a href="/api/openapi.json">What the interface can do</a> (OpenAPI 3.1)</li>
</ul>
</body>
</html>
"""
"""It loads nothing and runs nothing, so that the policy of every reply (`default-src 'none'`) holds for it as well."""


class UiHandlers:
    """Handlers of the page and of its links."""

    def __init__(self, config: ApiTable, sessions: Sessions) -> None:
        self._origins = Origins(config)
        self._sessions = sessions

    def handlers(self) -> Mapping[Operation[Any], Handler]:
        """Return the handlers by operation."""
        return {ops.PAGE: self._page, ops.UI_LINK: self._link}

    async def _page(self, request: Request) -> Response:
        # The guard has read the code; here it says no more.
        read_parameters(request, ops.PAGE)
        return HTMLResponse(PAGE)

    async def _link(self, request: Request) -> Response:
        page = self._origins.base_url(request.headers.get("host", ""), request.scope["server"]) + UI_PATH
        key = request.scope.get("state", {}).get("api_key")
        if key is None:
            return json_reply(UiLink(page, None))
        return json_reply(UiLink(f"{page}?code={self._sessions.links.issue(key)}", int(LINK_S)))
