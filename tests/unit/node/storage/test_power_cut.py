"""R12 after a power cut: what the kernel had not written may be gone, and a node that cannot know stays silent."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from node.boot import boot_id
from node.storage import DATABASE_NAME, Synchronous
from tests.support.stores import (
    BOOT,
    JOINED,
    LATER_MS,
    MESSAGES,
    NOW_MS,
    entry,
    live_and_be_killed,
    opened,
    query,
)

KilledLife = Callable[[Synchronous], None]
"""See conftest."""


@pytest.mark.parametrize(
    ("synchronous", "boot", "whole"),
    [
        ("normal", BOOT, True),
        ("normal", "another boot", False),
        ("normal", "", False),
        ("full", "another boot", True),
        ("full", "", True),
    ],
)
async def test_after_an_unclean_end(
    tmp_path: Path, killed_life: KilledLife, synchronous: Synchronous, boot: str, whole: bool
) -> None:
    """Given a life that was killed, then a start in the same boot repeats it; in another one it stays out of it, for
    the last message may be missing, unless each commit was waited for."""
    killed_life(synchronous)
    async with opened(tmp_path, now_ms=LATER_MS, boot_id=boot) as store:
        assert await store.journal(query(1)) == [entry(1)]
        assert await store.rounds_to_recover(LATER_MS) == ([JOINED] if whole else [])
        assert store.journal_began_ms == (0 if whole else LATER_MS)


@pytest.mark.parametrize("boot", [BOOT, "another boot", ""])
async def test_after_a_clean_end_all_is_there(tmp_path: Path, boot: str) -> None:
    async with opened(tmp_path, fresh_key=True) as store:
        await store.write_journal([entry(1)])
        await store.put_round(JOINED)
    assert not (tmp_path / f"{DATABASE_NAME}-wal").exists()
    async with opened(tmp_path, now_ms=LATER_MS, boot_id=boot) as store:
        assert store.journal_is_complete
        assert await store.rounds_to_recover(LATER_MS) == [JOINED]


async def test_a_loss_is_remembered_and_a_clock_set_back_does_not_hide_it(
    tmp_path: Path, killed_life: KilledLife
) -> None:
    """Given a power cut after which the clock is behind, then what is dated before our last message is refused."""
    killed_life("normal")
    began_ms = entry(MESSAGES).created_ms + 1
    async with opened(tmp_path, now_ms=NOW_MS - 500, boot_id="another boot") as store:
        assert store.journal_began_ms == began_ms
    async with opened(tmp_path, now_ms=LATER_MS) as store:
        assert store.journal_began_ms == began_ms


async def test_two_kills_and_then_a_power_cut(tmp_path: Path) -> None:
    """A start that finds all of a killed life waits for the disk to hold it, but not for what it writes itself."""
    await trio.to_thread.run_sync(live_and_be_killed, tmp_path, "normal")
    await trio.to_thread.run_sync(live_and_be_killed, tmp_path, "normal")
    async with opened(tmp_path, now_ms=LATER_MS, boot_id="another boot") as store:
        assert store.journal_began_ms == LATER_MS


def test_the_kernel_names_its_boot(tmp_path: Path) -> None:
    assert boot_id() == boot_id()
    assert boot_id(tmp_path / "absent") == ""
    (tmp_path / "strange").write_bytes(b"\xff" * 100)
    assert boot_id(tmp_path / "strange") == ""
