"""The built site works from the file system: a front door in its root, and nothing that is loaded from elsewhere."""

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={first}"><title>{title}</title></head>
<body><a href="{first}">{title}</a></body>
</html>
"""

PICTURES = "docs/images/dashboard"

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["'](?:https?:)?//"""
    r"""|<link\b(?![^>]*rel=["']canonical)[^>]*\bhref=["'](?:https?:)?//"""
    r"""|(?:@import\s+|url\()["']?(?:https?:)?//"""
)
"""What makes a browser ask another machine; a link that a reader follows is none of it."""

PICTURE = re.compile(r"""(?:srcset|src)="([^":]*\.png)\"""")


def finish(app: Sphinx, failure: Exception | None) -> None:
    """Write the redirecting page, and refuse a site that would load anything from outside."""
    if failure is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    words = PAGE.format(first=f"{app.config.root_doc}.html", title=app.config.project)
    (folder / "index.html").write_text(words, encoding="utf-8")
    # Pictures for light and for dark need markup of their own, which Sphinx passes on without looking for their files.
    shutil.copytree(app.srcdir / PICTURES, folder / PICTURES, dirs_exist_ok=True)
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".html", ".css"} and (found := LOADED.search(file.read_text(encoding="utf-8"))):
            raise ExtensionError(f"{file} loads from outside: {found[0]}")
    _check_pictures(folder)


def _check_pictures(folder: Path) -> None:
    """Refuse a page whose markup shows a picture that is not there."""
    for page in sorted(folder.rglob("*.html")):
        for name in PICTURE.findall(page.read_text(encoding="utf-8")):
            if not (page.parent / name).exists():
                raise ExtensionError(f"{page} shows {name}, which is not there")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the check with Sphinx, after the site is built."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
