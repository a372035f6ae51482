"""A small hub on loopback: one repository with its description and its files, and whatever a hub may do wrong."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio

from tests.support.engine_server import Reply, Server, as_json, http, serving

REPO = "strand/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ELSEWHERE = "/elsewhere/"


def git_sha1(content: bytes) -> str:
    """The name that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def described(**changes: Any) -> Any:
    """A repository with one file, of which something is wrong."""
    return {"sha": COMMIT, "siblings": [{"rfilename": "a", "size": 2, "blobId": git_sha1(b"{}")} | changes]}


class HubServer(Server):
    """Serves `files` as the repository REPO. Those in `large` have a SHA-256 and are sent from elsewhere, as with LFS.

    `description`: told instead of the true one. `sent`: content that is sent instead of a file's. `breaks`: after how
    many bytes the next transfers break off; `hangs`: they wait there first. `parts`: whether parts can be asked for.
    """

    def __init__(self, files: Mapping[str, bytes], large: frozenset[str] = frozenset()) -> None:
        super().__init__({})
        self.url = ""
        self.files = dict(files)
        self.large = large
        self.commit = COMMIT
        self.description: Any = None
        self.sent: dict[str, bytes] = {}
        self.breaks: list[int] = []
        self.hangs = False
        self.parts = True
        self.hanging = trio.Event()
        self.released = trio.Event()
        """hanging: set when a transfer hangs; released: to be set, so that it breaks off."""

    def described(self) -> Any:
        """The repository, as the hub's API describes it."""
        siblings: list[dict[str, Any]] = []
        for name, content in self.files.items():
            each: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": git_sha1(content)}
            if name in self.large:
                lfs = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 7}
                each |= {"blobId": git_sha1(b"pointer"), "lfs": lfs}
            siblings.append(each)
        return {"id": REPO, "sha": self.commit, "siblings": siblings, "tags": ["text-generation"]}

    def transfers(self, name: str) -> list[str]:
        """The parts of a file that were sent, in order: what was asked for, "" for all of it."""
        place = ELSEWHERE if name in self.large else f"/{REPO}/resolve/{self.commit}/"
        asked = [headers for path, headers, _ in self.requests if path == place + name]
        return [next((line[7:] for line in each.split("\n") if line.startswith("range: ")), "") for each in asked]

    def reply_to(self, path: str, headers: str, body: Any) -> Reply:  # noqa: ARG002 - nobody sends one
        """See Server."""
        if path in self.replies:
            return self.replies[path]
        if path.startswith(f"/api/models/{REPO}/revision/"):
            revision = path.rpartition("/")[2].partition("?")[0]
            if revision not in ("main", self.commit):
                return http(b"", "404 Not Found", "X-Error-Code: RevisionNotFound\r\n")
            return as_json(self.described() if self.description is None else self.description)
        for place in (f"/{REPO}/resolve/{self.commit}/", ELSEWHERE):
            name = path.removeprefix(place)
            if name != path and name in self.files:
                if name in self.large and place != ELSEWHERE:
                    # Another origin, as the hub's own storage is.
                    elsewhere = self.url.replace("127.0.0.1", "localhost") + ELSEWHERE + name
                    return http(b"", "302 Found", f"Location: {elsewhere}\r\n")
                return self._send(self.sent.get(name, self.files[name]), headers)
        return http(b"no such thing " * 1_000, "404 Not Found", "X-Error-Code: RepoNotFound\r\n")

    def _send(self, content: bytes, headers: str) -> Reply:
        asked = [int(line[13:].rstrip("-")) for line in headers.split("\n") if line.startswith("range: bytes=")]
        begin = asked[0] if asked and self.parts else 0
        part = content[begin:]
        head = "200 OK"
        if begin:
            head = f"206 Partial Content\r\nContent-Range: bytes {begin}-{len(content) - 1}/{len(content)}"

        async def reply(stream: trio.SocketStream) -> None:
            await stream.send_all(f"HTTP/1.1 {head}\r\nContent-Length: {len(part)}\r\n\r\n".encode())
            if not self.breaks:
                await stream.send_all(part)
                return
            await stream.send_all(part[: self.breaks.pop(0)])
            if self.hangs:
                self.hanging.set()
                await self.released.wait()
            await stream.aclose()

        return reply


@asynccontextmanager
async def hub_of(files: Mapping[str, bytes], *large: str) -> AsyncIterator[HubServer]:
    """A hub with these files, for as long as the block runs."""
    server = HubServer(files, frozenset(large))
    async with serving(server) as url:
        server.url = url.removesuffix("/v1/")
        yield server
