"""The API keys of a node: who a token belongs to."""

import hashlib
import hmac
from dataclasses import dataclass

from node.api.conversation import Audience
from node.config import ApiTable


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The API key that a request was served with: `scope["state"]["api_key"]`, which a node without any leaves out."""

    name: str
    """Its name in the configuration; `api.token` is `token`."""
    audience: Audience | None
    """Nodes that may read what its holder asks; None: as the face decides that is asked."""


class Keys:
    """All API keys of a node by digests of their tokens; false if there are none."""

    def __init__(self, config: ApiTable) -> None:
        self._keys = [
            (digest(key.token.encode()), ApiKey(name, key.audience)) for name, key in config.named_keys.items()
        ]

    def find(self, token: bytes) -> ApiKey | None:
        """Return the key with this token; the time that it takes tells nothing about the tokens."""
        given = digest(token)
        right = [key for known, key in self._keys if hmac.compare_digest(given, known)]
        return right[0] if right else None

    def __len__(self) -> int:
        return len(self._keys)


def digest(secret: bytes) -> bytes:
    """Return a digest of equal length for all secrets, so that a comparison does not reveal the right one's length."""
    return hashlib.sha256(secret).digest()
