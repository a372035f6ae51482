"""What every log line passes: a limit for each peer, and the removal of secrets and of what could forge lines."""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import structlog

from node.text import escaped

LINES_PER_PEER_MAX: Final = 30
"""Lines of one event about one peer in a minute: an honest peer causes a handful."""
LINES_PER_EVENT_MAX: Final = 600
"""Lines of one event in a minute, whoever they are about: keys are free, so a flood comes from many peers."""
COUNTED_MAX: Final = 1024
"""Events, and events with peers, that are counted at once; beyond them the longest counted are told and forgotten."""
WINDOW_S: Final = 60.0

CHARACTERS_MAX: Final = 4_096
"""Of one value in a line; a traceback may have more."""
TRACEBACK_CHARACTERS_MAX: Final = 65_536
DEPTH_MAX: Final = 8
"""Of values within values: as deep as a traceback's frames lie in a line."""
SECRETS_MAX: Final = 64
"""Secrets of one process: two of the configuration, one for each model server that it starts."""
SECRET_CHARACTERS_MIN: Final = 4
"""Shorter ones are words of ordinary lines, and no secrets."""

HIDDEN: Final = "[secret]"

_PEER_FIELDS: Final = ("peer", "source", "requester", "author", "remote")
"""Fields that name who caused a line."""
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
    """The secrets of this process, to be left out of whatever is written for people."""

    def __init__(self) -> None:
        self._forms: dict[str, None] = {}

    def hide(self, secrets: Iterable[str]) -> None:
        """Leave these out from now on, also as they stand in URLs."""
        for secret in secrets:
            for form in (secret, quote(secret, safe="")):
                if len(form) >= SECRET_CHARACTERS_MIN and len(self._forms) < 2 * SECRETS_MAX:
                    self._forms[form] = None

    def clean(self, text: str) -> str:
        """`text` without them, and without what looks like one."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        for pattern, instead in _SECRET_PARTS:
            text = pattern.sub(instead, text)
        return text


class Cleaner:
    """A processor: no secrets, no control characters that move a cursor or begin a line, no endless values."""

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
    """Lines by what they are about, a minute each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: OrderedDict[K, tuple[float, int]] = OrderedDict()
        """When each window began, and how many lines came since; in the order in which they began."""

    def passes(self, key: K, now_s: float) -> bool:
        """Count a line; False where there were too many."""
        began_s, count = self._counts.get(key, (now_s, 0))
        self._counts[key] = (began_s, count + 1)
        return count < self._most

    def close(self, now_s: float) -> list[tuple[K, int]]:
        """Forget what began a minute ago, or is too much to count: how many lines each had over the limit, if any."""
        over = []
        while self._counts:
            key, (began_s, count) = next(iter(self._counts.items()))
            if began_s > now_s - WINDOW_S and len(self._counts) <= COUNTED_MAX:
                break
            del self._counts[key]
            if count > self._most:
                over.append((key, count - self._most))
        return over


class Limiter:
    """A processor: at most so many lines a minute, then one with the number of those that are left out.

    That one is written when the minute is over and the next line of any kind comes.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._by_peer: _Windows[tuple[str, str]] = _Windows(LINES_PER_PEER_MAX)
        self._by_event: _Windows[str] = _Windows(LINES_PER_EVENT_MAX)

    def __call__(self, _logger: Any, _method: str, event_dict: EventDict) -> EventDict:
        """Pass an event, or raise DropEvent."""
        peer = next((str(event_dict[name]) for name in _PEER_FIELDS if event_dict.get(name)), "")
        if not self.passes(str(event_dict.get("event", "")), peer):
            raise structlog.DropEvent
        return event_dict

    def passes(self, event: str, peer: str = "") -> bool:
        """Whether a line of this event may be written now; `peer` is empty where it is about nobody."""
        if event == _SUPPRESSED:
            return True
        with self._lock:
            now_s = self._now_s()
            over = [*self._by_peer.close(now_s), *(((of, None), lines) for of, lines in self._by_event.close(now_s))]
            # What one peer is refused must not use up the others' lines.
            passes = not peer or self._by_peer.passes((event, peer), now_s)
            passes = passes and self._by_event.passes(event, now_s)
        for (of, about), lines in over:
            structlog.get_logger().warning(_SUPPRESSED, suppressed=of, peer=about, lines=lines)
        return passes
