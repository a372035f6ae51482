"""The messages that a closing names, and those of them that travel inside it (rule R13)."""

from collections.abc import Mapping

from consensus.certificates.record import RoundRecord
from protocol.signing import VerifiedMessage
from protocol.types import Digest, Key, Kind


def riders(record: RoundRecord, *named: Mapping[Key, VerifiedMessage]) -> tuple[bytes, ...]:
    """Return contributions to ride along in the closing, smallest first, within the network's limit.

    Everybody reads a closing. So answers of a private round do not ride along: members pull them.
    """
    riders: list[bytes] = []
    room = record.params.ride_along_bytes_max
    messages = [message for each in named for message in each.values()]
    if record.is_private:
        messages = [message for message in messages if message.kind is not Kind.ANSWER]
    for message in sorted(messages, key=lambda each: (len(each.envelope), each.id)):
        room -= len(message.envelope)
        if room < 0:
            break
        riders.append(message.envelope)
    return tuple(riders)


def ordered(messages: Mapping[Key, VerifiedMessage]) -> list[VerifiedMessage]:
    """Return the messages ascending by id."""
    return sorted(messages.values(), key=lambda message: message.id)


def ids_of(messages: Mapping[Key, VerifiedMessage]) -> tuple[Digest, ...]:
    """Return the ids, ascending, as closings name them."""
    return tuple(message.id for message in ordered(messages))
