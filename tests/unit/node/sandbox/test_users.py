import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.sandbox.users import UIDS, NoUserError, is_somebodys, sandbox_user


def test_each_sandbox_has_a_user_of_its_own_and_gives_it_back(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    with sandbox_user(locks) as first, sandbox_user(locks) as second:
        assert {first, second} <= set(UIDS)
        assert first != second
    with sandbox_user(locks) as again:
        assert again == first
    assert locks.stat().st_mode & 0o777 == 0o700


def test_without_a_free_user_nothing_runs(tmp_path: Path) -> None:
    with ExitStack() as held:
        taken = [held.enter_context(sandbox_user(tmp_path)) for _ in UIDS]
        assert len(set(taken)) == len(UIDS)
        with pytest.raises(NoUserError, match="in use"):
            held.enter_context(sandbox_user(tmp_path))
    assert not [each for each in Path("/proc/self/fd").iterdir() if str(tmp_path) in os.path.realpath(each)]


def test_a_folder_for_locks_that_cannot_be_made_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoUserError, match="cannot lock"), sandbox_user(tmp_path / "file" / "locks"):
        pass


def test_a_number_of_a_user_or_group_is_somebodys() -> None:
    assert is_somebodys(0)
    assert not is_somebodys(UIDS[0])
