"""`strand --help` imports the package: it must not load an HTTP client."""

import subprocess
import sys


def test_importing_the_package_loads_no_http_client_and_no_model() -> None:
    code = "import sys, node.inference; print([m for m in ('httpx2', 'xllamacpp', 'libp2p') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"
