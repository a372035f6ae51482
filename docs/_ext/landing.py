"""A front door for the built site: index.html in its root leads to the first page."""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={first}"><title>{title}</title></head>
<body><a href="{first}">{title}</a></body>
</html>
"""


def write_front_door(app: Sphinx, failure: Exception | None) -> None:
    """Write the redirecting page once the build has succeeded."""
    if failure is None and app.builder.name == "html":
        words = PAGE.format(first=f"{app.config.root_doc}.html", title=app.config.project)
        (Path(app.outdir) / "index.html").write_text(words, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's entry point."""
    app.connect("build-finished", write_front_door)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
