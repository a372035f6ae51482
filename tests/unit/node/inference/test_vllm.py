"""vLLM's metrics, as text that anybody may have written."""

import pytest

from node.inference.ports import CacheCounts
from node.inference.vllm.dialect import prefix_cache

SEEN = """# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="strand"} 12345.0
# TYPE vllm:prefix_cache_queries_created gauge
vllm:prefix_cache_queries_created{engine="0",model_name="strand"} 1.76e+09
vllm:prefix_cache_hits_total{engine="0",model_name="strand"} 1.1e+04
vllm:num_requests_running{engine="0",model_name="strand"} 3.0
"""


def test_hits_and_queries_are_read() -> None:
    assert prefix_cache(SEEN) == CacheCounts(12345, 11000)


def test_engines_of_one_server_are_summed() -> None:
    assert prefix_cache(SEEN + SEEN.replace('engine="0"', 'engine="1"')) == CacheCounts(24690, 22000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "vllm:prefix_cache_queries_total 5.0\n",
        "vllm:prefix_cache_queries_total 5.0\nvllm:prefix_cache_hits_total 6.0\n",
        "vllm:prefix_cache_queries_total 5.0\nvllm:prefix_cache_hits_total NaN\n",
        "vllm:prefix_cache_queries_total 5..0\nvllm:prefix_cache_hits_total 1.0\n",
        "vllm:prefix_cache_queries_total 1e+999\nvllm:prefix_cache_hits_total 1.0\n",
        "vllm:prefix_cache_queries_total{" + "x" * 100_000,
    ],
)
def test_what_cannot_be_is_not_read(text: str) -> None:
    assert prefix_cache(text) is None
