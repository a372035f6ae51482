"""One proven sandbox for all tests of this folder; they skip where there is none, and say what would help."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import trio

from node.sandbox.choosing import ProvenSandbox, SandboxOff, choose_sandbox
from node.sandbox.config import SandboxConfig
from tests.support.hostile import Outside, compiled, outside
from tests.support.rust_required import skip_without_rust

HONEST = b"""
fn main() {
    let squares: Vec<u64> = std::thread::scope(|scope| {
        let each: Vec<_> = (0..4u64).map(|n| scope.spawn(move || (0..1000).map(|k| n * k).sum())).collect();
        each.into_iter().map(|one| one.join().unwrap()).collect()
    });
    std::fs::write("out", format!("{squares:?}")).unwrap();
    println!("{squares:?}");
    std::process::exit(7);
}
"""
"""An ordinary program that computes, starts threads and writes a file."""


@lru_cache(maxsize=1)
def _chosen() -> ProvenSandbox | SandboxOff:
    # Chosen in a run of its own: it keeps nothing of trio's.
    return trio.run(choose_sandbox, SandboxConfig(places=4))


@pytest.fixture
def proven() -> ProvenSandbox:
    chosen = _chosen()
    if isinstance(chosen, SandboxOff):
        skip_without_rust(f"no sandbox: {chosen.reason}; {chosen.remedy}")
    return chosen


@lru_cache(maxsize=1)
def _honest() -> bytes:
    chosen = _chosen()
    assert isinstance(chosen, ProvenSandbox)
    return trio.run(compiled, chosen.sandbox, chosen.toolchain, HONEST).files["candidate"]


@pytest.fixture
def honest(proven: ProvenSandbox) -> bytes:
    """The compiled honest program."""
    assert proven.places > 1
    return _honest()


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Outside]:
    with outside(tmp_path) as made:
        yield made
