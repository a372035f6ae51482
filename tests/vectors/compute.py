"""What the golden vectors hold, computed afresh. As a script it prints them, for a child process to compare."""

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from protocol import codec
from protocol.conversation import digest_of
from protocol.hashing import answer_digest, beacon, certificate_digest, commitment
from protocol.signing import seal
from protocol.topics import topic
from tests.support.samples import CONTENT, CONVERSATION, KEYPAIR, NETWORK, SEED, digest, samples
from tests.support.swarm import Swarm, params


def messages() -> dict[str, Any]:
    """Every kind of message: fields, body, envelope, id."""
    vectors = []
    for kind, body in samples().items():
        sealed = seal(KEYPAIR, NETWORK, body)
        vectors.append(
            {
                "kind": kind.name,
                "byte": int(kind),
                "fields": readable(body),
                "body": codec.encode(body).hex(),
                "envelope": sealed.envelope.hex(),
                "id": sealed.id.hex(),
            }
        )
    return {"seed": SEED.hex(), "public": KEYPAIR.public.hex(), "network": NETWORK.hex(), "messages": vectors}


def digests() -> dict[str, Any]:
    """Every other digest that nodes must agree on, and a whole round's certificate."""
    content = answer_digest(codec.encode(CONTENT))
    salts = [b"\x01" * 32, b"\x02" * 32]
    sets = {name: params(name) for name in ("minimal", "devnet")}
    return {
        "params": {name: each.digest.hex() for name, each in sets.items()},
        "topic": {name: topic(each, "rust", 7) for name, each in sets.items()},
        "content": {
            "turns": [[str(turn.role), turn.text] for turn in CONVERSATION],
            "digest": digest_of(CONVERSATION).hex(),
        },
        "answer": {"fields": readable(CONTENT), "digest": content.hex()},
        "commitment": commitment(NETWORK, digest("q"), KEYPAIR.public, salts[0], content).hex(),
        "beacon": beacon(digest("q"), digest("k"), salts).hex(),
        "round": _round(),
    }


def _round() -> dict[str, Any]:
    """A fixed round of four nodes and two waves, as the transcripts drive them."""
    swarm = Swarm("abcd")
    query = swarm.ask(waves=(1, 2))
    swarm.run()
    assert swarm.certificate is not None
    verified = swarm.verified()
    return {
        "query": query.hex(),
        "beacon": verified.record.beacon.hex(),
        "ranking": [
            {"author": swarm.name(each.author), "strength": each.strength, "p_best": each.p_best}
            for each in verified.ranking.ranked
        ],
        "ranking_digest": verified.ranking.digest.hex(),
        "certificate_bytes": len(swarm.certificate),
        "certificate_digest": certificate_digest(swarm.certificate).hex(),
    }


def readable(value: Any) -> Any:
    """A body's fields for a reader: byte strings in hex, enumerations by value."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [readable(each) for each in value]
    if is_dataclass(value):
        return {field.name: readable(getattr(value, field.name)) for field in fields(value)}
    return value


def dump(vectors: dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(dump({"messages": messages(), "digests": digests()}), end="")
