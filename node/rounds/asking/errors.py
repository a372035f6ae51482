"""Why a question begins no round."""

from node.errors import Exit, UserError


class AskError(UserError):
    """The swarm cannot be asked this; the message is one line for the user."""


class TooLongError(AskError):
    """The text is longer than the network takes."""


class NoQuorumError(AskError):
    """No node offers to work on such a query now."""

    code = Exit.NO_QUORUM


class NobodyNamedError(NoQuorumError):
    """Other nodes offer to work, and none of them may read the question: asking again does not help."""


class SecretTextError(AskError):
    """The question looks like it holds a secret, and nobody forced it."""

    def __init__(self, found: str) -> None:
        """Build the error. `found`: what was found where, and to take it out, without the way to force it."""
        super().__init__(f"{found}, or force it with `allow_secrets` (`strand ask --allow-secrets`)")
        self.found = found


class NoDiskError(AskError):
    """The node's disk refuses writes: the node could not keep what it would sign."""


class TooBusyError(AskError):
    """As many of our users wait for a round as the configuration allows."""

    def __init__(self, message: str, retry_after_s: int = 1, waiting: int = 0) -> None:
        """Build the error. `retry_after_s`: when there may be room again; `waiting`: questions that wait."""
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.waiting = waiting


class TooManyFollowedError(AskError):
    """As many rounds are followed here as this node can tell of at once."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        """Build the error. `retry_after_s`: when there may be room again."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoppingError(NoQuorumError):
    """The node is being stopped, and begins no round."""
