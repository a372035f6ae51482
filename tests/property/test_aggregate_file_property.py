"""Whatever a judgement file holds, it is read or refused; nothing else comes of it."""

import gzip
import io
import sys
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from node.aggregate.file import NAME_LETTERS_MAX, read_file
from node.aggregate.records import STDIN, AggregateFileError

_CSV = (
    b"model_a,model_b,winner,judge\n",
    b"question,judge,first,second,outcome\n",
    b'"x, a",y,"tie",j\n',
    b"x,y,model_a,\n",
)
_JSON = (
    b'{"question":1,"judge":"j","first":"a","second":"b","outcome":"first"}\n',
    b'{"model_a":"a","model_b":"b","winner":"tie"}\n',
    b'{"question":1,"truth":{"a":true}}\n',
    b'{"question":1,"answer":"a","author":"z","cluster":"k","gold":true}\n',
)
_BITS = (
    b'"',
    b",",
    b"\r",
    b"\n",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"{",
    b"[",
    b"NaN",
    b"\\ud800",
    b"9" * 5_000,
    b"null",
)


@settings(max_examples=150)
@given(
    pieces=st.lists(st.sampled_from((*_CSV, *_JSON, *_BITS)) | st.binary(max_size=4), max_size=12),
    cut=st.integers(0, 40),
    packed=st.booleans(),
)
def test_any_bytes_are_read_or_refused(pieces: list[bytes], cut: int, packed: bool) -> None:
    content = b"".join(pieces)
    content = gzip.compress(content) if packed else content
    content = content[: len(content) - cut]
    with patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(content))):
        try:
            contents = read_file(STDIN)
        except AggregateFileError as error:
            assert len(str(error)) < 1_000
            return
    assert all(0 < len(name) <= NAME_LETTERS_MAX for name in contents.dataset.judges)
    for question in contents.dataset.questions:
        assert all(0 <= each.judge < len(contents.dataset.judges) for each in question.judgements)
