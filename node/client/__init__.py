"""A node's HTTP interface as a library: for the command line, tests, evaluation and notebooks.

    async with connect("http://127.0.0.1:4210") as client:
        print((await client.status()).peers_connected)
        followed = await follow(client, Question.single("Sum a slice."))
        print(followed.answer)

All errors are kinds of ClientError. Nothing here prints, or knows exit codes.
"""

from node.api.asking import Question
from node.client.client import Client, connect
from node.client.errors import (
    AddressError,
    BadReplyError,
    BadRequestError,
    BrokenOffError,
    ClientError,
    NoCertificateError,
    RefusedError,
    TimedOutError,
    UnavailableError,
    UnreachableError,
)
from node.client.rounds import FollowedRound, follow

__all__ = [
    "AddressError",
    "BadReplyError",
    "BadRequestError",
    "BrokenOffError",
    "Client",
    "ClientError",
    "FollowedRound",
    "NoCertificateError",
    "Question",
    "RefusedError",
    "TimedOutError",
    "UnavailableError",
    "UnreachableError",
    "connect",
    "follow",
]
