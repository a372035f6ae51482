"""Pulling a model from the Hugging Face hub.

`huggingface_hub` chooses the address, the token and the proxy, and interprets refusals. Two things are ours, because
its downloads have names of their own since 2.x, are discarded when they break, and end when the hub says so. Here they
resume, accept no more than was announced, and count when their checksum is right.
"""

import errno
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

import httpx2
import huggingface_hub
import msgspec
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from rich.filesize import decimal

from consensus.rounds.backoff import Backoff
from node.errors import Exit
from node.models.folder import (
    BYTES_MAX,
    FILES_MAX,
    File,
    FileResult,
    ModelError,
    ModelManifest,
    PulledModel,
    Told,
    add_content,
    check_free,
    hasher,
    is_right,
    is_safe,
    partial_name,
    pulling,
    settle,
    shown_digest,
)
from node.text import one_line

LISTING_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of a repository's description: FILES_MAX files of some 400 bytes, and a model card's data and chat template."""

TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
"""Seconds without a byte, and for a connection."""

TRIES_MAX = 64
"""Connections for one file: 50 GB over a line that breaks every GB."""

PAUSES_S = Backoff(1.0, 8.0)
"""Seconds before the next retry."""

BARREN_MAX = 4
"""Consecutive connections without a byte after which the pull ends."""

NAMES_SHOWN = 5
"""Files of a repository that an error names."""

TEXT_SHOWN = 200
"""Characters of a hub's text that an error shows."""

_REPO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")


class HubUnreachableError(ModelError):
    """The hub cannot be reached, or does not continue; the bytes so far are kept."""

    code = Exit.UNREACHABLE


class _Lfs(msgspec.Struct):
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    size: int


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    blobId: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")] | None = None
    lfs: _Lfs | None = None


class _Listing(msgspec.Struct):
    sha: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")]
    siblings: list[_Sibling]


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, and the function that waits between retries."""

    endpoint: str = constants.ENDPOINT
    pause: Callable[[float], None] = time.sleep

    @property
    def host(self) -> str:
        """The host's name for errors."""
        return urlsplit(self.endpoint).netloc or self.endpoint


def is_repo(name: str) -> bool:
    """Whether this can be a repository at the hub: "owner/repo"."""
    return _REPO.fullmatch(name) is not None and "--" not in name and ".." not in name


def pull(
    repo: str, models: Path, *, revision: str = "main", patterns: Sequence[str] = (), told: Told, hub: Hub | None = None
) -> PulledModel:
    """Pull a repository, or its files that match a pattern, into its folder in `models`.

    Existing correct files are kept, and a broken pull is resumed. Blocks. Raises ModelError.
    """
    hub = Hub() if hub is None else hub
    # "--" is in no repository's name.
    folder = models / repo.replace("/", "--")
    # It would show users the text of a hub's headers.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    with _one_line(hub, repo, revision, folder):
        commit, offered = _listing(hub, repo, revision)
        chosen = _choose(hub, repo, offered, patterns)
        record = ModelManifest(repo, hub.endpoint, commit, chosen)
        with pulling(folder, record, offered) as parts:
            check_free(folder, repo, sum(_missing(folder / name, parts, file) for name, file in chosen.items()))
            came = []
            for name, file in chosen.items():
                url = huggingface_hub.hf_hub_url(repo, name, revision=commit, endpoint=hub.endpoint)
                came.append(_bring(hub, url, folder / name, parts / partial_name(file), name, file, told))
    return PulledModel(repo, folder, commit, tuple(came))


def _listing(hub: Hub, repo: str, revision: str) -> tuple[str, dict[str, File]]:
    """Return the commit of a revision, and its files. Raises ModelError, HfHubHTTPError and httpx2.HTTPError."""
    body = bytearray()
    with _get(f"{hub.endpoint}/api/models/{repo}/revision/{quote(revision, safe='')}?blobs=true") as response:
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > LISTING_BYTES_MAX:
                raise ModelError(f"{hub.host} describes {repo} in more than {decimal(LISTING_BYTES_MAX)}")
    try:
        listing = msgspec.json.decode(body, type=_Listing)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"{hub.host} describes {repo} in words that are not a hub's: {error}") from error
    if len(listing.siblings) > FILES_MAX:
        raise ModelError(f"{repo} has {len(listing.siblings)} files; more than {FILES_MAX} are not taken")
    return listing.sha, {each.rfilename: _offered(hub, each) for each in listing.siblings}


def _offered(hub: Hub, sibling: _Sibling) -> File:
    name = one_line(sibling.rfilename, TEXT_SHOWN)
    if not is_safe(sibling.rfilename):
        raise ModelError(f"{hub.host} names a file that cannot be kept under its name: {name}")
    if sibling.lfs is not None:
        size, checksum = sibling.lfs.size, f"sha256:{sibling.lfs.sha256}"
    elif sibling.size is not None and sibling.blobId is not None:
        size, checksum = sibling.size, f"git-sha1:{sibling.blobId}"
    else:
        raise ModelError(f"{hub.host} tells no checksum of {name}")
    if not 0 <= size <= BYTES_MAX:
        raise ModelError(f"{name} has {size} bytes by {hub.host}; more than {decimal(BYTES_MAX)} are not taken")
    return File(size, checksum)


def _choose(hub: Hub, repo: str, offered: Mapping[str, File], patterns: Sequence[str]) -> dict[str, File]:
    """Return the files that match a pattern; without patterns, all. Raises ModelError for none or too many bytes."""
    chosen = {
        name: file
        for name, file in sorted(offered.items())
        if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
    }
    if not chosen:
        some = ", ".join(one_line(name, TEXT_SHOWN) for name in sorted(offered)[:NAMES_SHOWN])
        raise ModelError(f"no file of {repo} is named so; of its {len(offered)} files the first are: {some or 'none'}")
    total = sum(file.bytes for file in chosen.values())
    if total > BYTES_MAX:
        raise ModelError(f"{repo} has {decimal(total)} by {hub.host}; more than {decimal(BYTES_MAX)} are not taken")
    return chosen


def _missing(target: Path, parts: Path, file: File) -> int:
    """Return the missing bytes of a file."""
    if target.is_file() and target.stat().st_size == file.bytes:
        return 0
    partial = parts / partial_name(file)
    return max(0, file.bytes - (partial.stat().st_size if partial.is_file() else 0))


def _bring(hub: Hub, url: str, target: Path, partial: Path, name: str, file: File, told: Told) -> FileResult:
    """Bring one file to its name. Raises ModelError, HfHubHTTPError and OSError."""
    if is_right(target, file, name, told):
        return FileResult(name, file.bytes, file.checksum, "kept")
    coming = _Coming(partial, file, name, told)
    resumed = coming.bytes > 0
    _fetch(hub, url, coming)
    if coming.checksum != file.checksum:
        partial.unlink()
        raise ModelError(
            f"{name} has another checksum than {hub.host} announces; what came was removed: run the command again"
        )
    settle(partial, target)
    return FileResult(name, file.bytes, file.checksum, "resumed" if resumed else "fetched")


class _Coming:
    """An unfinished file: bytes on the disk, and the digest of the same bytes."""

    def __init__(self, path: Path, file: File, name: str, told: Told) -> None:
        self.name = name
        self.file = file
        self._path = path
        self._told = told
        self._digest = hasher(file)
        self.bytes = path.stat().st_size if path.is_file() else 0
        if self.bytes > file.bytes:
            self.restart()
        elif self.bytes:
            add_content(self._digest, path, file, name, told)
        else:
            path.touch()

    @property
    def whole(self) -> bool:
        """Whether all bytes are there."""
        return self.bytes == self.file.bytes

    @property
    def checksum(self) -> str:
        """Checksum of the bytes so far."""
        return shown_digest(self._digest, self.file)

    def restart(self) -> None:
        """Drop the bytes so far."""
        self._path.write_bytes(b"")
        self._digest = hasher(self.file)
        self.bytes = 0

    def add(self, chunks: Iterator[bytes]) -> None:
        """Append received bytes, up to the announced size. Raises ModelError if there are more."""
        # Unbuffered: received bytes are kept however the process ends.
        with self._path.open("ab", buffering=0) as stream:
            for chunk in chunks:
                if self.bytes + len(chunk) > self.file.bytes:
                    self.restart()
                    raise ModelError(f"{self.name} is longer than announced: {self.file.bytes} bytes; it was removed")
                stream.write(chunk)
                self._digest.update(chunk)
                self.bytes += len(chunk)
                self._told(self.name, self.bytes, self.file.bytes)


def _fetch(hub: Hub, url: str, coming: _Coming) -> None:
    """Receive all of a file's bytes, over several connections if necessary."""
    if coming.whole:
        return
    barren = 0
    for _ in range(TRIES_MAX):
        before = coming.bytes
        try:
            _stream(url, coming)
            words = "it ended early"
        except httpx2.TransportError as error:
            words = one_line(str(error), TEXT_SHOWN) or type(error).__name__
        if coming.whole:
            return
        barren = 0 if coming.bytes > before else barren + 1
        if barren == BARREN_MAX:
            break
        hub.pause(PAUSES_S.pause(barren + 1))
    raise HubUnreachableError(
        f"{hub.host} broke off {coming.name} after {decimal(coming.bytes)} of {decimal(coming.file.bytes)}: {words}; "
        "run the command again to go on"
    )


def _stream(url: str, coming: _Coming) -> None:
    """Receive as much of a file as one connection brings."""
    with _get(url, {"range": f"bytes={coming.bytes}-"} if coming.bytes else {}) as response:
        if response.status_code != 206:
            coming.restart()
        elif not response.headers.get("content-range", "").startswith(f"bytes {coming.bytes}-"):
            raise ModelError(f"the hub sent another part of {coming.name} than it was asked for")
        coming.add(response.iter_raw())


@contextmanager
def _get(url: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx2.Response]:
    """Return a reply whose body is not read yet. Raises HfHubHTTPError for a refusal."""
    sent = {"user-agent": f"strand-swarm/{version('strand-swarm')}", "accept-encoding": "identity"} | dict(
        headers or {}
    )
    # The library's own headers would reveal the software here, and ask the hub for a list of possible ones.
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else huggingface_hub.get_token()
    if token:
        sent["authorization"] = f"Bearer {token}"
    with huggingface_hub.get_session().stream("GET", url, headers=sent, timeout=TIMEOUT) as response:
        # The library reads a refusal's body, which may have any length; the headers contain the reason.
        reason = {name: response.headers[name] for name in ("x-error-code",) if name in response.headers}
        bodyless = httpx2.Response(response.status_code, headers=reason, request=response.request)
        huggingface_hub.hf_raise_for_status(bodyless)
        yield response


@contextmanager
def _one_line(hub: Hub, repo: str, revision: str, folder: Path) -> Iterator[None]:
    """Convert the errors of a pull to ModelError."""
    try:
        yield
    except GatedRepoError as error:
        raise ModelError(
            f"{repo} is open only to those who accept its terms: do so at {hub.endpoint}/{repo}, then set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"{hub.host} knows no model {repo}; if it is private, set HF_TOKEN to a token that may read it"
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{repo} has no revision {revision}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        kind = HubUnreachableError if status == 429 or status >= 500 else ModelError
        raise kind(f"{hub.host} does not give {repo}: HTTP status {status}") from error
    except OfflineModeIsEnabled as error:
        raise HubUnreachableError(f"{hub.host} is not asked, for HF_HUB_OFFLINE is set") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        words = one_line(str(error), TEXT_SHOWN) or type(error).__name__
        raise HubUnreachableError(f"cannot reach {hub.host}: {words}") from error
    except UnicodeEncodeError as error:
        raise ModelError("HF_TOKEN has letters that no token has") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ModelError(f"the disk of {folder} is full: make room and run the command again to go on") from error
        raise ModelError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    finally:
        huggingface_hub.close_session()
