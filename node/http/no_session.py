"""The page for a browser without a session: what to type for a link that lets it in."""

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response

from node.http.sessions import LINK_S, SESSION_S

_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Strand: no session</title>
</head>
<body>
<main>
<h1>This browser is not let in yet</h1>
<p>This node's dashboard opens by a link that lets one browser in. On the node's machine, type:</p>
<pre>strand ui</pre>
<p>It prints the link and opens it. A link is valid once, and for {LINK_S:.0f} seconds.</p>
<p>If you were in before: a session ends after {SESSION_S / 3_600:.0f} hours, and when the node is started again.</p>
</main>
</body>
</html>
"""
"""It is one text, which holds nothing of the request, and loads nothing: the policy of every reply allows nothing."""


def accepts_page(headers: Headers) -> bool:
    """Whether a request is one of a browser that opens an address: programs seldom ask for HTML."""
    return "text/html" in headers.get("accept", "").lower()


def no_session_page() -> Response:
    """Build the refusal in plain words."""
    return HTMLResponse(_PAGE, 401)
