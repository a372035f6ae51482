"""Reads records, tables by name, from any file: JSON lines or CSV, plain or gzip, of a path, a pipe or stdin."""

import codecs
import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any, cast

from node.errors import UserError

STDIN = Path("-")
"""The path that stands for standard input."""

LINE_BYTES_MAX = 1024 * 1024
"""Bytes of a record: a few names, and other content of the rows; conversations of public arenas take up to some hundred
kilobytes."""

FILE_BYTES_MAX = 32 * 1024**3
LINES_MAX = 64_000_000
"""Bytes and lines of a file when unpacked: some minutes of reading. A small compressed file can unfold to a thousand
times its size, and a pipe may never end."""

CSV_HEADERS = (
    frozenset({"model_a", "model_b", "winner"}),
    frozenset({"question", "judge", "first", "second", "outcome"}),
)
"""Sets of columns; a first line with all columns of one makes the file CSV."""

_GZIP = b"\x1f\x8b"

Record = dict[str, Any]
Line = tuple[int, bytes]
"""Number, from 1, and bytes with the line's end."""


class AggregateFileError(UserError):
    """The file as a whole cannot be used: unreadable, broken compression, too long, or without a usable row."""


class RefusedRecord(Exception):
    """A record breaks the format; the others are used."""


def records(path: Path) -> Iterator[tuple[int, Record | RefusedRecord]]:
    """Yield each record with the number of its first line, from 1, skipping blank lines. Raises AggregateFileError."""
    try:
        with _opened(path) as stream:
            lines = _lines(stream)
            first = next(((number, line) for number, line in lines if line.strip()), None)
            if first is None:
                return
            header = _header(first)
            yield from _csv_records(header, lines) if header else _json_records(first, lines)
    except (OSError, EOFError, zlib.error) as error:
        raise AggregateFileError((isinstance(error, OSError) and error.strerror) or str(error)) from error


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedIOBase]:
    """Provide the file's bytes, unpacked: the only place that reads them.

    A pipe cannot be rewound after its head was read.
    """
    with nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb") as file:
        head = file.read(len(_GZIP))
        stream = io.BufferedReader(_Rejoined(head, cast(io.BufferedIOBase, file)))
        yield cast(io.BufferedIOBase, gzip.GzipFile(fileobj=stream)) if head == _GZIP else stream


class _Rejoined(io.RawIOBase):
    """A head that was read already, followed by the rest of its stream."""

    def __init__(self, head: bytes, rest: io.BufferedIOBase) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a part of the buffer; 0 at the end."""
        if not self._head:
            return self._rest.readinto1(buffer)
        size = min(len(buffer), len(self._head))
        buffer[:size], self._head = self._head[:size], self._head[size:]
        return size


def _lines(stream: io.BufferedIOBase) -> Iterator[Line]:
    """Yield lines of at most LINE_BYTES_MAX bytes; of a longer one a beginning that is one byte too long."""
    number = total = 0
    while line := stream.readline(LINE_BYTES_MAX + 1):
        number, rest = number + 1, line
        total += len(line)
        while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n") and total <= FILE_BYTES_MAX:
            rest = stream.readline(LINE_BYTES_MAX + 1)
            total += len(rest)
        if total > FILE_BYTES_MAX or number > LINES_MAX:
            raise AggregateFileError(f"more than {FILE_BYTES_MAX} bytes or {LINES_MAX} lines")
        yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _json_records(first: Line, lines: Iterator[Line]) -> Iterator[tuple[int, Record | RefusedRecord]]:
    for number, line in chain((first,), lines):
        if line.strip():
            try:
                yield number, _parse(line)
            except RefusedRecord as refused:
                yield number, refused


def _parse(line: bytes) -> Record:
    if len(line) > LINE_BYTES_MAX:
        raise RefusedRecord(f"longer than {LINE_BYTES_MAX} bytes")
    try:
        row = json.loads(line, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        columns = "" if line.lstrip()[:1] in (b"{", b"[") else "; nor a CSV header of ours, its columns apart by commas"
        raise RefusedRecord(f"not JSON: {error}{columns}") from error
    if not isinstance(row, dict):
        raise RefusedRecord("not a JSON object; an array's elements go one to a line (jq -c '.[]')")
    return row


def _without_repetition(pairs: list[tuple[str, Any]]) -> Record:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise RefusedRecord("a key is named twice")
    return table


def _header(line: Line) -> list[str] | None:
    """Return the columns in a CSV file's first line; None if it is no such file. Raises AggregateFileError."""
    text = line[1].decode("utf-8", "replace")
    if text.lstrip().startswith(("{", "[")):
        return None
    # A field may be as long as its record, whose length is bounded before the parser sees it.
    csv.field_size_limit(LINE_BYTES_MAX + 1)
    try:
        columns = [column.strip() for column in next(csv.reader([text.rstrip("\r\n")]))]
    except csv.Error:
        return None
    if not any(header <= set(columns) for header in CSV_HEADERS):
        return None
    if len(set(columns)) < len(columns):
        raise AggregateFileError(f"line {line[0]}: a column is named twice")
    return columns


class _CsvLines:
    """Lines as text for a CSV parser, which reads as many per record as quoted fields span; bounded per record."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._bytes = 0
        self.begin = 0
        """The number of the record's first line; 0 before it is read."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        self.begin = self.begin or number
        self._bytes += len(line)
        if self._bytes > LINE_BYTES_MAX:
            # Where the next record begins is unknown from here on.
            raise AggregateFileError(
                f"line {self.begin}: a record of more than {LINE_BYTES_MAX} bytes; a quotation mark may be missing"
            )
        return line.decode("utf-8", "surrogateescape")

    def next_record(self) -> None:
        """Start the count of a new record."""
        self.begin = self._bytes = 0


def _csv_records(columns: Sequence[str], lines: Iterator[Line]) -> Iterator[tuple[int, Record | RefusedRecord]]:
    """Yield records from CSV lines; empty cells are left out."""
    texts = _CsvLines(lines)
    reader = csv.reader(texts)
    while True:
        texts.next_record()
        try:
            cells = next(reader, None)
            if cells is None:
                return
            if cells:
                yield texts.begin, _row(columns, cells)
        except csv.Error as error:
            yield texts.begin, RefusedRecord(f"not CSV: {error}")
        except RefusedRecord as refused:
            yield texts.begin, refused


def _row(columns: Sequence[str], cells: Sequence[str]) -> Record:
    if len(cells) != len(columns):
        raise RefusedRecord(f"{len(cells)} cells for {len(columns)} columns")
    try:
        "".join(cells).encode()
    except UnicodeEncodeError as error:
        raise RefusedRecord("not UTF-8") from error
    return {column: cell for column, cell in zip(columns, cells, strict=True) if cell}
