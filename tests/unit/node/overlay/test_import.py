"""The overlay's types cost no libp2p, which takes up to seconds to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_importing_the_overlay_does_not_import_libp2p() -> None:
    program = "import sys, node.overlay; sys.exit('libp2p' in sys.modules or 'trio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[4], check=False).returncode == 0
