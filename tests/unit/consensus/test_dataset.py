"""Who must share a weight where there are more judges than weights."""

import pytest

from consensus.learning.dataset import few, pooled


@pytest.mark.parametrize(
    ("rows", "most", "limit", "weight_of"),
    [
        ([], 2, None, ()),
        ([1, 5], 2, None, ()),
        ([1, 5, 9], 2, 5, (1, 1, 0)),
        ([9, 1, 5, 2], 3, 2, (0, 2, 1, 2)),
        # Of equals nobody is preferred, though there would be room for two more weights.
        ([3, 3, 3, 9, 3], 4, 3, (1, 1, 1, 0, 1)),
        ([3, 3, 3], 2, 3, (0, 0, 0)),
    ],
)
def test_judges_with_few_rows_share_the_last_weight(
    rows: list[int], most: int, limit: int | None, weight_of: tuple[int, ...]
) -> None:
    assert few(rows, most) == limit
    assert pooled(rows, most) == weight_of
    assert len(set(weight_of)) <= most
