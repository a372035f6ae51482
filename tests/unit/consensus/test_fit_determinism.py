"""The bits of fits are pinned, and so are the operations that make them. In other processes: integration."""

import ast
import re
from pathlib import Path

from consensus.ranking import bradley_terry, certainty, exact_math, judges
from tests.support.fit_digests import PINNED_DIGEST, digest_of_many_fits


def test_digest_is_the_pinned_one():
    assert digest_of_many_fits() == PINNED_DIGEST


def test_float_code_uses_only_operations_with_fixed_bits():
    """A new numpy function in the aggregator needs a reason why its bits are fixed; then it joins this list."""
    element_wise = {"abs", "clip", "copysign", "frexp", "maximum", "minimum", "rint", "sqrt"}  # IEEE 754 defines them
    choose_or_move = {
        "any",
        "argmax",
        "array",
        "concatenate",
        "diagonal",
        "fill_diagonal",
        "frombuffer",
        "max",
        "sort",
        "where",
    }
    ordered_or_integer = {"add.accumulate", "add.at", "bincount", "zeros"}
    types = {"float64", "int64", "uint64"}
    used = set()
    for module in (exact_math, bradley_terry, judges, certainty):
        source = Path(str(module.__file__)).read_text()
        used |= {
            name.removeprefix("np.") for name in re.findall(r"\b(?:np|math)\.[a-z0-9_.]+[a-z0-9]", code_of(source))
        }
        assert not any(isinstance(node, ast.MatMult) for node in ast.walk(ast.parse(source)))
    assert used == element_wise | choose_or_move | ordered_or_integer | types | {"math.sqrt"}


def code_of(source: str) -> str:
    """The source without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None
    return ast.unparse(tree)
