"""The lexer against rustc: a program rebuilt from its tokens alone must still compile.

The programs (`rust/humanevalpack_rust.jsonl.gz`: HumanEvalPack, MIT) are no part of this project: they lie in the
folder that `STRAND_DATA` names, else in `../shared/data` beside the checkout.
"""

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from consensus.ranking.rust_tokens import rust_tokens
from tests.support.rust_required import needs_rust

SHARED = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("STRAND_DATA", SHARED)) / "rust" / "humanevalpack_rust.jsonl.gz"

pytestmark = [
    pytest.mark.skipif(not DATA.is_file(), reason="needs the HumanEvalPack programs: set STRAND_DATA"),
    needs_rust("" if shutil.which("rustc") else "needs rustc"),
]


def programs() -> list[str]:
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        return [row["declaration"] + row["canonical"] for row in map(json.loads, lines)]


def one_token_a_line(tokens: list[str]) -> str:
    """Rebuild source; `<` and `>` go back to what they were split from, as in `>=`."""
    rebuilt = ""
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        rebuilt += token if token in "<>" and following in {"<", ">", "="} else token + "\n"
    return rebuilt


def test_every_real_program_lexes_and_is_its_tokens() -> None:
    for source in programs():
        tokens = rust_tokens(source)
        assert tokens is not None
        assert rust_tokens(one_token_a_line(tokens)) == tokens


def test_a_program_rebuilt_from_its_tokens_compiles(tmp_path: Path) -> None:
    command = ["rustc", "--edition", "2021", "--crate-type", "lib", "--emit", "metadata", "-Awarnings", "program.rs"]
    for source in programs()[::16]:
        tokens = rust_tokens(source)
        assert tokens is not None
        (tmp_path / "program.rs").write_text(one_token_a_line(tokens))
        compiled = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert compiled.returncode == 0, compiled.stderr
