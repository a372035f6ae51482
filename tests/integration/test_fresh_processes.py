"""What only a process of its own shows: what an import loads, what a process may be asked, what a hash seed changes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simnet.aggregate import run_aggregate
from tests.support.processes import assert_refusal_line
from tests.support.simulated import plan_of

NO_DUMPS = """
import ctypes, resource
from node.hardening import forbid_dumps
libc = ctypes.CDLL(None)
def state(): return libc.prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE)  # PR_GET_DUMPABLE
assert state()[0] == 1
forbid_dumps()
assert state() == (0, (0, 0)), state()
"""


def test_a_process_leaves_no_dump_and_cannot_be_attached_to() -> None:
    done = subprocess.run([sys.executable, "-c", NO_DUMPS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_help_loads_nothing_heavy() -> None:
    heavy = ["libp2p", "numpy", "xllamacpp", "httpx2", "h11", "starlette", "trio", "nacl", "structlog"]
    program = (
        f"import sys; from node.cli.main import run; run(['--help']); print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_importing_the_overlay_loads_neither_libp2p_nor_trio() -> None:
    """libp2p takes up to seconds to import."""
    program = "import sys, node.overlay; sys.exit('libp2p' in sys.modules or 'trio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_importing_the_inference_loads_no_http_client_and_no_model() -> None:
    """`strand --help` imports it."""
    code = "import sys, node.inference; print([m for m in ('httpx2', 'xllamacpp', 'libp2p') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"


def test_without_the_hubs_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulling from the hub says what is missing; everything else works, and never asks for it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    hidden = "import sys; sys.modules['huggingface_hub'] = None"
    program = f"{hidden}; from node.cli.main import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-P", "-c", program, "model"]
    listing = subprocess.run([*command, "list"], capture_output=True, text=True, check=False)
    assert listing.returncode == 0 and listing.stderr == ""
    pulling = subprocess.run([*command, "pull", "strand/tiny"], capture_output=True, text=True, check=False)
    assert pulling.returncode == 1 and pulling.stdout == ""
    assert_refusal_line(pulling.stderr, "pip install 'strand-swarm[hub]'")
    assert list(tmp_path.iterdir()) == []


TRACE_DIGEST = """
from simnet.aggregate import run_aggregate
from tests.support.simulated import plan_of
cast = {"inverse": 0.2, "copier": 0.2, "collude-split": 0.3}
print(run_aggregate(plan_of(nodes=8, rounds=2, byzantine=cast)).trace_digest)
"""


def test_the_seed_alone_decides_also_in_other_processes() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", TRACE_DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    one, other = (run_aggregate(plan_of(nodes=8, rounds=2, seed=seed)).trace_digest for seed in (1, 2))
    assert one != other
