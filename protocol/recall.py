"""Results of pure functions, remembered for as long as somebody still holds them."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_FORGETTING: Final = ContextVar("forgetting", default=False)


class Recall(Generic[K, V]):
    """A memo of a pure function: immutable results, held weakly, by the content that they follow from.

    A result is remembered exactly as long as someone in the process holds it: the memo keeps nothing alive, so it needs
    no limit and nobody outside can fill it. It is sound where the key is that content or a collision-resistant digest
    of it: whoever computes anew finds an equal result. So a thousand simulated nodes verify a message once, and in the
    daemon a round's requester, its member and the verifier of its certificate share their work.

    Results need `__weakref__` (`weakref_slot=True`). Several threads may use one memo: the worst is a result twice.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: WeakValueDictionary[K, V] = WeakValueDictionary()

    def recall(self, key: K) -> V | None:
        """The result for this key, if it is still held."""
        return None if _FORGETTING.get() else self._held.get(key)

    def remember(self, key: K, result: V) -> V:
        """Share a result with whoever asks for this key next. The one that is shared: an earlier one if it is held."""
        return result if _FORGETTING.get() else self._held.setdefault(key, result)


@contextmanager
def forgetting() -> Iterator[None]:
    """Within it every Recall is empty and stays as it is: for the tests, and measurements, of what it changes."""
    token = _FORGETTING.set(True)
    try:
        yield
    finally:
        _FORGETTING.reset(token)
