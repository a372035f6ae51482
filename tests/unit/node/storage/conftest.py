"""Lives that were killed: made once in processes of their own, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from node.storage import Synchronous
from tests.support.stores import live_and_be_killed


@pytest.fixture(scope="session")
def _killed_lives(tmp_path_factory: pytest.TempPathFactory) -> dict[Synchronous, Path]:
    lives: dict[Synchronous, Path] = {
        "normal": tmp_path_factory.mktemp("normal"),
        "full": tmp_path_factory.mktemp("full"),
    }
    for synchronous, folder in lives.items():
        live_and_be_killed(folder, synchronous)
    return lives


@pytest.fixture
def killed_life(tmp_path: Path, _killed_lives: dict[Synchronous, Path]) -> Callable[[Synchronous], None]:
    """Put what a killed life left into the test's folder: see tests.support.stores."""

    def copy(synchronous: Synchronous) -> None:
        shutil.copytree(_killed_lives[synchronous], tmp_path, dirs_exist_ok=True)

    return copy
