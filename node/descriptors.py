"""The process's limit on open files, from which the parts that accept connections derive their own limits."""

import resource
from typing import Final

import structlog

DESCRIPTORS_MAX: Final = 65_536
"""Most open files that we request: beyond that memory, not descriptors, runs out."""

DESCRIPTORS_LOW: Final = 1_024
"""Open files below which the user is warned: peers, the store and the HTTP interface then share very few."""

log = structlog.get_logger()


def descriptor_limit() -> int:
    """Return the number of files that this process may have open now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS_MAX if soft == resource.RLIM_INFINITY else min(soft, DESCRIPTORS_MAX)


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one, at most to DESCRIPTORS_MAX; warn if it stays very low.

    Returns the limit in force.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:
            # Some systems allow less than they report; the limit in force then applies.
            log.warning("descriptors.limit_kept", limit=soft, reason=str(error))
    limit = descriptor_limit()
    if limit < DESCRIPTORS_LOW:
        log.warning("descriptors.limit_low", limit=limit, advised=DESCRIPTORS_LOW, reason="raise `ulimit -n`")
    return limit
