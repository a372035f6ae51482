"""The documentation site: `make docs` builds it strictly into dist/site; nothing in it reaches outside of the folder.

The checkout's root is the source folder, so that README.md, protocol/README.md and the like are pages where they lie,
and a relative link holds in the checkout, on a forge and in the site alike.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

project = "Strand Swarm"
author = "the Strand Swarm contributors"
copyright = "the Strand Swarm contributors; Apache-2.0"

extensions = ["myst_parser", "offline", "strand_reference"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "*.md", "*/README.md", "node/*/README.md"]
exclude_patterns = [".*", "dist", "tests"]

# A link to a heading is checked: the anchors are those that forges give, down to the third level.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
nitpicky = True
# "--json" stays two hyphens.
smartquotes = False

html_theme = "furo"
html_title = "Strand Swarm"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
# Excerpts are fetched, which browsers refuse under file://.
html_show_search_summary = False
html_last_updated_fmt = None
pygments_style = "friendly"
