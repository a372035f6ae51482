import shutil
from pathlib import Path

import pytest

from node.sandbox.toolchain import Toolchain, ToolchainMissing, find_toolchain
from tests.support.rust_required import needs_rust

RUSTC = """#!/bin/sh
case "$*" in
  "--print sysroot") echo {sysroot};;
  *) echo "rustc {version} (abc 2026-01-01)"; echo "commit-hash: 59807616e1fa2540724bfbac14d7976d7e4a3860"
     echo "host: x86_64-unknown-linux-gnu"; echo "release: {version}";;
esac
"""


def made(folder: Path, version: str = "1.90.0", *, clippy: bool = False) -> Path:
    """Make a toolchain that tells its version and does nothing else."""
    for part in ("bin", "lib", "lib/rustlib"):
        (folder / part).mkdir()
    # Others may read it, whatever the umask.
    for each in (folder, *folder.iterdir(), folder / "lib/rustlib"):
        each.chmod(0o755)
    for name in ("rustc", *(["clippy-driver"] if clippy else [])):
        program = folder / "bin" / name
        program.write_text(RUSTC.format(sysroot=folder, version=version))
        program.chmod(0o755)
    return folder / "bin" / "rustc"


needs_gcc = needs_rust("" if shutil.which("gcc") else "there is no gcc: apt-get install gcc")


@needs_gcc
def test_a_toolchain_of_its_own_folder_is_found_with_its_parts(tmp_path: Path) -> None:
    found = find_toolchain(made(tmp_path, clippy=True))
    assert isinstance(found, Toolchain)
    assert (found.rustc, found.clippy, found.version) == (
        "/toolchain/bin/rustc",
        "/toolchain/bin/clippy-driver",
        "1.90.0",
    )
    assert found.readable["/toolchain/lib"] == tmp_path / "lib"
    assert found.linker in found.readable, "by its real path, not through /etc/alternatives"


@needs_gcc
def test_a_proxy_leads_to_the_real_compiler(tmp_path: Path) -> None:
    real, proxy = tmp_path / "real", tmp_path / "proxy"
    real.mkdir()
    made(real, "1.97.0-nightly")
    proxy.write_text(RUSTC.format(sysroot=real, version="0.0.0"))
    proxy.chmod(0o755)
    found = find_toolchain(proxy)
    assert isinstance(found, Toolchain)
    assert (found.version, found.clippy) == ("1.97.0-nightly+59807616e", None)
    assert found.readable["/toolchain/bin"] == real / "bin"


def test_what_cannot_be_used_is_told_with_what_helps(tmp_path: Path) -> None:
    def reason(configured: Path) -> str:
        found = find_toolchain(configured)
        assert isinstance(found, ToolchainMissing)
        assert found.remedy
        return found.reason

    assert "there is no" in reason(tmp_path / "missing")
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert "does not start" in reason(broken)
    lying = tmp_path / "lying"
    lying.write_text(RUSTC.format(sysroot=tmp_path, version="1.90.0"))
    lying.chmod(0o755)
    assert "holds no compiler" in reason(lying)
    old = tmp_path / "old"
    old.mkdir()
    # Debian 12's.
    assert "version 1.63.0, older than 1.70" in reason(made(old, "1.63.0"))


def test_a_toolchain_that_others_may_not_read_is_refused(tmp_path: Path) -> None:
    rustc = made(tmp_path)
    (tmp_path / "lib").chmod(0o700)
    found = find_toolchain(rustc)
    assert isinstance(found, ToolchainMissing)
    assert f"may not read {tmp_path / 'lib'}" in found.reason
    assert f"chmod -R o+rX {tmp_path}" in found.remedy


@needs_gcc
def test_the_first_that_works_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    made(tmp_path / "first", "1.0.0")
    made(tmp_path / "second", "1.80.1")
    monkeypatch.setenv("PATH", f"relative:{tmp_path}/first/bin:{tmp_path}/second/bin:/usr/bin:/bin")
    found = find_toolchain(None)
    assert isinstance(found, Toolchain)
    assert found.version == "1.80.1"
