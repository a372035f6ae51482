"""The dashboard: its page, the files that the page loads, and the links that open it."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from node.api import operations as ops
from node.api.operations import Operation
from node.api.ui import UiLink
from node.config import ApiTable
from node.dashboard import dashboard
from node.http.origins import Origins
from node.http.replies import Handler, json_reply, read_parameters, refusal
from node.http.sessions import LINK_S, Sessions

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' '{map_hash}'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""What the page may do: load our own files, and speak with this node. Whatever text gets into it runs nothing, because
only files of ours and the import map are scripts, and no text becomes markup (Trusted Types)."""

KEPT: Final = "private, max-age=31536000, immutable"
"""How long a browser keeps a file: for good, because other contents have another name."""


class DashboardHandlers:
    """Handlers of the page, its files and its links."""

    def __init__(self, config: ApiTable, sessions: Sessions) -> None:
        self._origins = Origins(config)
        self._sessions = sessions
        self._files = dashboard()
        self._policy = POLICY.format(map_hash=self._files.map_hash)

    def handlers(self) -> Mapping[Operation[Any], Handler]:
        """Return the handlers by operation."""
        return {ops.PAGE: self._page, ops.ASSET: self._asset, ops.UI_LINK: self._link}

    async def _page(self, request: Request) -> Response:
        # The guard has read the code; here it says no more.
        read_parameters(request, ops.PAGE)
        return HTMLResponse(self._files.shell, headers={"Content-Security-Policy": self._policy})

    async def _asset(self, request: Request) -> Response:
        asset = self._files.assets.get(request.path_params["name"])
        if asset is None:
            return refusal(404, "no such file; the page names those of this version")
        return Response(asset.data, media_type=asset.media, headers={"Cache-Control": KEPT})

    async def _link(self, request: Request) -> Response:
        page = self._origins.base_url(request.headers.get("host", ""), request.scope["server"]) + ops.PAGE.path
        key = request.scope.get("state", {}).get("api_key")
        if key is None:
            return json_reply(UiLink(page, None))
        return json_reply(UiLink(f"{page}?code={self._sessions.links.issue(key)}", int(LINK_S)))
