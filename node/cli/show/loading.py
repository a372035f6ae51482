"""The round that an argument names: its certificate, verified once, and what the node knows of the round."""

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from string import hexdigits

from consensus.certificates.certificate import verify_certificate
from consensus.certificates.reading import CertificateReading, described_reading
from consensus.certificates.versions import read_any_version, version_of
from node.api.rounds import RoundDetail
from node.cli.parts.certificates import FILE_DIGITS, ID_DIGITS, is_id, kept_path, read_certificate, refused
from node.cli.parts.client import open_client
from node.cli.parts.errors import CliError
from node.cli.parts.options import Source
from node.cli.rounds import listed, whole_id
from node.cli.show.explained import ExplainedRound, explained
from node.client import Client, RefusedError, UnreachableError
from node.files import NoFileError
from protocol.errors import Fault
from protocol.versions import CURRENT


@dataclass(frozen=True, slots=True)
class LoadedRound:
    """The content of a certificate that holds."""

    reading: CertificateReading
    why: ExplainedRound | None
    """What explains the outcome; None for a certificate of an earlier version, whose reader tells no more."""

    @property
    def query_id(self) -> str:
        """The round's id."""
        return str(self.reading.description["query_id"])


def read_round(raw: bytes) -> LoadedRound:
    """Verify and read a certificate of any version. Raises CliError for one that does not hold."""
    if version_of(raw) in (None, CURRENT):
        verified = verify_certificate(raw)
        if isinstance(verified, Fault):
            raise refused(verified)
        return LoadedRound(described_reading(verified), explained(verified))
    read = read_any_version(raw)
    if isinstance(read, Fault):
        raise refused(read)
    return LoadedRound(read, None)


def names_file(named: str) -> bool:
    """Whether an argument means a file, and not a query's id."""
    # An id is tried first, and `Path.exists` raises an error for what is too long for a name.
    return not is_id(named) or Path(named).exists()


async def load(named: str | None, source: Source, url: str | None) -> LoadedRound:
    """Return the round of a file, of an id or the last one asked (None). Raises CliError and ClientError."""
    if named is not None and names_file(named):
        return read_round(_file(named))
    if named is not None and (kept := kept_path(source, named)).exists():
        return read_round(read_certificate(kept))
    async with open_client(source, url) as client:
        if named is None:
            found, _ = await listed(client, 1, gold=0)
            if not found:
                raise CliError("no round was asked yet: `strand ask` asks one")
            return read_round(await _certificate(client, found[0].query_id))
        try:
            whole = named if len(named) == ID_DIGITS else await whole_id(client, named)
            return read_round(await _certificate(client, whole))
        except UnreachableError:
            if len(named) == ID_DIGITS:
                raise
            # Neither here nor there: the file's name tells more to whoever meant one.
            return read_round(read_certificate(kept))


def _file(named: str) -> bytes:
    """Return a certificate file's bytes. Raises CliError and FileError."""
    try:
        return read_certificate(Path(named))
    except NoFileError as error:
        if not set(named) <= set(hexdigits):
            raise
        digits = f"{FILE_DIGITS} to {ID_DIGITS} digits, in lower case"
        raise CliError(f"{error}, and a query's id is given by {digits}", error.code) from error


async def _certificate(client: Client, query_id: str) -> bytes:
    """Return a certificate from the node. Raises ClientError, and CliError with the reason if there is none."""
    try:
        return await client.certificate(query_id)
    except RefusedError as error:
        if error.status != HTTPStatus.NOT_FOUND or not (why := await _why_none(client, query_id)):
            raise
        raise CliError(f"round {query_id[:FILE_DIGITS]} {why}") from error


async def _why_none(client: Client, query_id: str) -> str:
    """Return why a round that the node knows has no certificate; empty if the node knows no reason."""
    try:
        told = (await client.round(query_id)).round
    except RefusedError:
        return ""
    if told.ending is None:
        return "is still open: ask for it again once it is decided; `strand rounds` tells when"
    return f"ended without a certificate: {told.why_not}" if told.why_not else ""


async def known_detail(query_id: str, source: Source, url: str | None) -> RoundDetail | None:
    """Return what the node knows of a round; None if it does not run or does not know it."""
    async with open_client(source, url) as client:
        try:
            return await client.round(query_id)
        except (UnreachableError, RefusedError):
            return None
