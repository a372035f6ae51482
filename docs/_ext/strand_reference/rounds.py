"""Tables about rounds that need more than a docstring."""

from protocol.errors import Fault, FaultReason
from strand_reference.code import assigned, class_of, table


def faults() -> str:
    """Each reason to refuse, its verdict, and its meaning."""
    words = {each.name: each.words for each in assigned(class_of("protocol.errors", "FaultReason").body)}
    rows = [(f"`{reason}`", Fault(reason, "").verdict.name, words[reason.name]) for reason in FaultReason]
    return table(("reason", "verdict", "meaning"), rows)
