"""The generators of reference pages in docs/_ext, without Sphinx."""

import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

EXTENSIONS = Path(__file__).parents[2] / "docs" / "_ext"


def reference_module(name: str) -> ModuleType:
    """A module of the generators, which leaves nothing in sys.modules."""
    package = ModuleType("strand_reference")
    package.__path__ = [str(EXTENSIONS / "strand_reference")]
    with patch.dict(sys.modules, {"strand_reference": package}):
        __import__(f"strand_reference.{name}")
        return sys.modules[f"strand_reference.{name}"]
