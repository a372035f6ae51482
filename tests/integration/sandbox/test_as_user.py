"""The same tests as an ordinary user, where this run is root's: such a user has no user ids to give away.

`make test-long` tries one or more of each kind, `python -P -m tests.soak.sandbox_attacks` all.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from node.sandbox.choosing import ProvenSandbox
from node.sandbox.exposing import NotExposedError, expose, hidden_by
from node.sandbox.toolchain import Toolchain, find_toolchain
from tests.support.hostile import WHOLE

ROOT = Path(__file__).resolve().parents[3]
USER = 60_700
"""Nobody's, and none of those of sandboxes."""

SAMPLE = (
    *("read_outside", "write_outside", "include_secret", "links", "descriptors", "environment", "sockets"),
    *("become_root", "namespaces", "mounts", "kernel_doors", "proc_tricks", "trace", "kill_everything", "daemon"),
    *("fork_bomb", "fill_memory_together", "fill_disk", "flood_stdout", "raise_limits", "sleep", "foreign_crates"),
    *("test_a_folder_that_only_its_owner_enters", "test_the_owners_ceilings", "test_a_sandbox_dies_with_its_node"),
)
"""Attacks and promises, by their names, of every kind that a user's other rights could make succeed."""

SECONDS_MAX = 900
"""for all tests of this folder on a busy machine"""


@pytest.mark.long
def test_it_holds_for_an_ordinary_user(proven: ProvenSandbox, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("this run is an ordinary user's already")
    toolchain = find_toolchain(None)
    assert isinstance(toolchain, Toolchain)
    sysroot = proven.toolchain.readable.get("/toolchain/bin", Path("/usr/bin")).parent
    wanted = {path.resolve() for path in (sysroot, Path(sys.prefix), Path(sys.base_prefix), ROOT)}
    hidden = {path for path in wanted if hidden_by(path) is not None}
    outermost = [path for path in hidden if not any(path.is_relative_to(other) for other in hidden - {path})]
    try:
        entrance = expose(outermost)
    except NotExposedError as error:
        pytest.skip(f"no other user reaches the toolchain of root: {error}")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, USER, USER)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001 and folder.stat().st_uid == 0 and folder.name.startswith("p"):
            folder.chmod(folder.stat().st_mode | 0o001)
    become = (
        "setpriv",
        f"--reuid={USER}",
        f"--regid={USER}",
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
    )
    prefix = ("nsenter", f"--mount=/proc/{os.getpid()}/fd/{entrance}", f"--wd={ROOT}", *become)
    environment = {
        **{name: value for name, value in os.environ.items() if name not in {"CARGO_HOME", "RUSTUP_HOME"}},
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": f"{sysroot}/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    tests = [str(Path(__file__).with_name(name)) for name in ("test_sandbox.py", "test_hostile.py")]
    chosen = () if WHOLE else ("-k", " or ".join(SAMPLE))
    command = (sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *chosen, *tests)
    try:
        ran = subprocess.run(
            [*prefix, *command], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_MAX
        )
    finally:
        os.close(entrance)
    print(ran.stdout[-20_000:])
    if ran.returncode == 126 or "ModuleNotFoundError" in ran.stderr + ran.stdout:
        pytest.skip("no other user may read this working tree or its environment")
    assert ran.returncode == 0, ran.stdout[-4_000:] + ran.stderr[-2_000:]
    assert " passed" in ran.stdout
    assert " skipped" not in ran.stdout, ran.stdout[-2_000:]
