"""A memo for results of pure functions, which keeps a result for as long as other code references it."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_FORGETTING: Final = ContextVar("forgetting", default=False)


class Recall(Generic[K, V]):
    """A memo of a pure function: immutable results, weakly referenced, keyed by the content from which they follow.

    The memo keeps nothing alive, so it needs no limit and nobody outside can fill it. It is sound if the key is that
    content or a collision-resistant digest of it, because computing again gives an equal result. So a thousand
    simulated nodes verify a message once, and in the daemon a round's requester, its member and its certificate's
    verifier share their work.

    Results need `__weakref__` (`weakref_slot=True`). Several threads may share a memo; at worst one result exists
    twice.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: WeakValueDictionary[K, V] = WeakValueDictionary()

    def recall(self, key: K) -> V | None:
        """Return the result for this key, or None if nothing references it any more."""
        return None if _FORGETTING.get() else self._held.get(key)

    def remember(self, key: K, result: V) -> V:
        """Share a result with later callers.

        Returns the shared one: an earlier result for this key if one is still referenced.
        """
        return result if _FORGETTING.get() else self._held.setdefault(key, result)


@contextmanager
def forgetting() -> Iterator[None]:
    """Make every Recall empty and read-only inside this context: for tests and measurements of its effect."""
    token = _FORGETTING.set(True)
    try:
        yield
    finally:
        _FORGETTING.reset(token)
