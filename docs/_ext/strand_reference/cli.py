"""The commands of `strand`, as cyclopts knows them."""

import re

from node.cli.main import build_app


def commands() -> str:
    """Every command with its options, defaults and help."""
    written: str = build_app().generate_docs(output_format="markdown", heading_level=1)
    # The page has a title and the site a table of contents of its own.
    body = written[written.index("**Commands**") :]
    return re.sub(r"^\*\*(Commands|Parameters)\*\*:$", "", body, flags=re.MULTILINE)
