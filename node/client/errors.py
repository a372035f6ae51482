"""Errors between a client and a node. Each text is one line for the user."""

from http import HTTPStatus

from node.errors import Exit, UserError


class ClientError(UserError):
    """A node cannot be reached, or its reply is not the requested one."""


class AddressError(ClientError):
    """The text is not the URL of a node."""

    code = Exit.USAGE


class UnreachableError(ClientError):
    """No server replies at the URL, or the connection broke."""

    code = Exit.UNREACHABLE


class BrokenOffError(UnreachableError):
    """The node had begun its reply, and ended or could not be reached any more before it was whole."""


class TimedOutError(ClientError):
    """The node, or the event to wait for, took too long."""

    code = Exit.TIMEOUT


class BadReplyError(ClientError):
    """The server is no strand node, or one of a version whose bodies differ."""


class RefusedError(ClientError):
    """The node refused a request; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class BadRequestError(RefusedError):
    """The request itself is wrong or too large: a retry is refused again."""

    code = Exit.USAGE


class UnavailableError(RefusedError):
    """The node cannot do it now: no node offers to work, it is too busy, or its disk refuses writes."""

    code = Exit.NO_QUORUM


class NoCertificateError(ClientError):
    """A round ended without a certificate; the text gives the reason."""

    code = Exit.NO_QUORUM


def refused(message: str, status: int) -> RefusedError:
    """Return the error for a refusal with this status."""
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}:
        return BadRequestError(message, status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return UnavailableError(message, status)
    return RefusedError(message, status)
