"""The filters of every log line: a limit for each peer, and the removal of secrets and of forged line breaks."""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import structlog

from node.text import escaped

LINES_PER_PEER_MAX: Final = 30
"""Lines of one event about one peer in a minute: an honest peer causes a handful."""
LINES_PER_EVENT_MAX: Final = 600
"""Lines of one event in a minute, whichever peers they concern: keys are free, so a flood comes from many peers."""
LINES_MAX: Final[Mapping[str, int]] = {"api.connection_failed": 10, "query.refused": 6}
"""Lines in a minute of events that strangers cause without any effort, in place of LINES_PER_EVENT_MAX."""
KIND_FIELDS: Final[Mapping[str, str]] = {"query.refused": "reason"}
"""Fields, with few values, by which an event's lines are counted apart: one reason's flood hides no other reason."""
COUNTED_MAX: Final = 1024
"""Events, and events with peers, that are counted at once; beyond them the longest counted are reported and forgotten.
"""
WINDOW_S: Final = 60.0

CHARACTERS_MAX: Final = 4_096
"""Characters of one value in a line; a traceback may have more."""
TRACEBACK_CHARACTERS_MAX: Final = 65_536
DEPTH_MAX: Final = 8
"""Depth of nested values: the depth of a traceback's frames in a line."""
SECRETS_MAX: Final = 256
"""Secrets of one process: up to 64 API keys, a dozen others of its own, one for each model server that it starts."""
SECRET_CHARACTERS_MIN: Final = 4
"""Characters of a secret: shorter texts are words of ordinary lines, and no secrets."""

HIDDEN: Final = "[secret]"

_PEER_FIELDS: Final = ("peer", "source", "requester", "author", "remote")
"""Fields that name the peer that caused a line."""
_SUPPRESSED: Final = "log.suppressed"

_SECRET_NAMES: Final = re.compile(
    r"(?:.*[_-])?(?:token|api_?key|secret|password|passphrase|passwd|authorization|cookie|seed|salt|private_?key)",
    re.IGNORECASE,
)
_SECRET_PARTS: Final = (
    # The value after a name, as in queries of URLs and in headers; user and password of a URL.
    (re.compile(r"(?i)\b(bearer\s+)[^\s\"',;]+"), r"\1" + HIDDEN),
    (re.compile(r"(?i)\b((?:access_|api_|auth_)?(?:token|key|secret|password|passwd)=)[^\s&\"',;]+"), r"\1" + HIDDEN),
    (re.compile(r"(?i)(://)[^\s/@:\"']*:[^\s/@\"']*@"), r"\1" + HIDDEN + "@"),
)

K = TypeVar("K")
EventDict = MutableMapping[str, Any]


class Secrets:
    """The secrets of this process, which texts for people must not contain."""

    def __init__(self) -> None:
        self._forms: dict[str, None] = {}

    def hide(self, secrets: Iterable[str]) -> None:
        """Remove these secrets from texts from now on, also in their URL-encoded form; the oldest give way."""
        for secret in secrets:
            for form in (secret, quote(secret, safe="")):
                if len(form) >= SECRET_CHARACTERS_MIN:
                    self._forms.pop(form, None)
                    self._forms[form] = None
        while len(self._forms) > 2 * SECRETS_MAX:
            del self._forms[next(iter(self._forms))]

    def clean(self, text: str) -> str:
        """Return `text` without the secrets, and without anything that looks like one."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        for pattern, instead in _SECRET_PARTS:
            text = pattern.sub(instead, text)
        return text


class Cleaner:
    """A processor: removes secrets and control characters that move a cursor or begin a line, and bounds values."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def __call__(self, _logger: Any, _method: str, event_dict: EventDict) -> EventDict:
        """Clean every value of an event."""
        for name, value in event_dict.items():
            if name == "exception":
                event_dict[name] = self._clean(value, TRACEBACK_CHARACTERS_MAX, 0, keeps_lines=True)
            elif not name.startswith("_"):
                event_dict[name] = self._named(name, value, CHARACTERS_MAX, 0)
        return event_dict

    def _named(self, name: object, value: Any, most: int, depth: int) -> Any:
        if isinstance(name, str) and value and _SECRET_NAMES.fullmatch(name):
            return HIDDEN
        return self._clean(value, most, depth)

    def _clean(self, value: Any, most: int, depth: int, *, keeps_lines: bool = False) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth < DEPTH_MAX:
            if isinstance(value, dict):
                return {str(name): self._named(name, each, most, depth + 1) for name, each in value.items()}
            if isinstance(value, list | tuple | set | frozenset):
                return [self._clean(each, most, depth + 1) for each in value]
        text = self._secrets.clean(value if isinstance(value, str) else repr(value))
        if len(text) > most:
            text = f"{text[:most]}... ({len(text)} characters)"
        if not keeps_lines:
            text = text.replace("\n", "\\n")
        return escaped(text, keeps="\n\t")


class _Windows(Generic[K]):
    """Counts lines by subject, in windows of a minute each."""

    def __init__(self) -> None:
        self._counts: OrderedDict[K, tuple[float, int, int]] = OrderedDict()
        """Start of each window, lines since, and their limit; in the order of starts."""

    def passes(self, key: K, most: int, now_s: float) -> bool:
        """Count a line; return False if the window already has `most`."""
        began_s, count, _ = self._counts.get(key, (now_s, 0, most))
        self._counts[key] = (began_s, count + 1, most)
        return count < most

    def close(self, now_s: float) -> list[tuple[K, int]]:
        """Forget windows that are over or too many. Returns the number of lines over the limit for each, if any."""
        over = []
        while self._counts:
            key, (began_s, count, most) = next(iter(self._counts.items()))
            if began_s > now_s - WINDOW_S and len(self._counts) <= COUNTED_MAX:
                break
            del self._counts[key]
            if count > most:
                over.append((key, count - most))
        return over


class Limiter:
    """A processor: at most a fixed number of lines a minute, then one with the number of suppressed lines.

    That one is written when the minute is over and the next line of any kind comes.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._by_peer: _Windows[tuple[str, str]] = _Windows()
        self._by_event: _Windows[str] = _Windows()

    def __call__(self, _logger: Any, _method: str, event_dict: EventDict) -> EventDict:
        """Pass an event, or raise DropEvent."""
        peer = next((str(event_dict[name]) for name in _PEER_FIELDS if event_dict.get(name)), "")
        event = str(event_dict.get("event", ""))
        kind = str(event_dict.get(KIND_FIELDS[event], "")) if event in KIND_FIELDS else ""
        if not self.passes(event, peer, kind):
            raise structlog.DropEvent
        return event_dict

    def passes(self, event: str, peer: str = "", kind: str = "") -> bool:
        """Whether a line of this event may be written now; `peer` is empty if it concerns none."""
        if event == _SUPPRESSED:
            return True
        with self._lock:
            now_s = self._now_s()
            over = [*self._by_peer.close(now_s), *(((of, None), lines) for of, lines in self._by_event.close(now_s))]
            # What one peer is refused must not use up the others' lines.
            passes = not peer or self._by_peer.passes((event, peer), LINES_PER_PEER_MAX, now_s)
            most = LINES_MAX.get(event, LINES_PER_EVENT_MAX)
            passes = passes and self._by_event.passes(f"{event} {kind}" if kind else event, most, now_s)
        for (of, about), lines in over:
            structlog.get_logger().warning(_SUPPRESSED, suppressed=of, peer=about, lines=lines)
        return passes
