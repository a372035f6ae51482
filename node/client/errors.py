"""What can go wrong between a client and a node. Each text is one line for the user."""

from http import HTTPStatus

from node.errors import Exit, UserError


class ClientError(UserError):
    """A node could not be asked, or did not give what was asked for."""


class AddressError(ClientError):
    """Not the URL of a node."""

    code = Exit.USAGE


class UnreachableError(ClientError):
    """Nothing answers at the URL, or the connection broke."""

    code = Exit.UNREACHABLE


class TimedOutError(ClientError):
    """The node, or what it was to wait for, took too long."""

    code = Exit.TIMEOUT


class BadReplyError(ClientError):
    """Whatever answers is no strand node, or one of a version whose bodies differ."""


class RefusedError(ClientError):
    """The node refused a request; `status` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class BadRequestError(RefusedError):
    """The request itself is wrong or too large: asked again, it is refused again."""

    code = Exit.USAGE


class UnavailableError(RefusedError):
    """The node cannot do it now: nobody offers to work, it is too busy, or its disk takes nothing."""

    code = Exit.NO_QUORUM


class NoCertificateError(ClientError):
    """A round ended without a certificate; the text says why."""

    code = Exit.NO_QUORUM


def refused(message: str, status: int) -> RefusedError:
    """The error for a refusal with this status."""
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}:
        return BadRequestError(message, status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return UnavailableError(message, status)
    return RefusedError(message, status)
