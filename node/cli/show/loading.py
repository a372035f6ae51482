"""The round that an argument names: its certificate, verified once, and what the node knows of the round."""

from dataclasses import dataclass
from pathlib import Path

from consensus.certificates.certificate import verify_certificate
from consensus.certificates.report import CertificateReading, described_reading
from consensus.certificates.versions import read_any_version, version_of
from node.api.rounds import RoundDetail
from node.cli.parts.certificates import ID_DIGITS, is_id, kept_path, read_certificate, refused
from node.cli.parts.client import open_client
from node.cli.parts.errors import CliError
from node.cli.parts.options import Source
from node.cli.rounds import listed, whole_id
from node.cli.show.explained import ExplainedRound, explained
from node.client import RefusedError, UnreachableError
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
        return str(self.reading.report["query_id"])


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
    return Path(named).exists() or not is_id(named)


async def load(named: str | None, source: Source, url: str | None) -> LoadedRound:
    """Return the round of a file, of an id or the last one asked (None). Raises CliError and ClientError."""
    if named is not None and names_file(named):
        return read_round(read_certificate(Path(named)))
    if named is not None and (kept := kept_path(source, named)).exists():
        return read_round(read_certificate(kept))
    async with open_client(source, url) as client:
        if named is None:
            found, _ = await listed(client, 1, gold=0)
            if not found:
                raise CliError("no round was asked yet: `strand ask` asks one")
            return read_round(await client.certificate(found[0].query_id))
        try:
            whole = named if len(named) == ID_DIGITS else await whole_id(client, named)
            return read_round(await client.certificate(whole))
        except UnreachableError:
            if len(named) == ID_DIGITS:
                raise
            # Neither here nor there: the file's name tells more to whoever meant one.
            return read_round(read_certificate(kept))


async def known_detail(query_id: str, source: Source, url: str | None) -> RoundDetail | None:
    """Return what the node knows of a round; None if it does not run or does not know it."""
    async with open_client(source, url) as client:
        try:
            return await client.round(query_id)
        except (UnreachableError, RefusedError):
            return None
