"""Chooses the function by which the answers to a query are compared, and finds it in each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from node.findings.reading.abstract_types import abstract_signature, abstract_type
from node.findings.reading.declarations import associated_functions
from node.findings.reading.extraction import Source
from node.findings.reading.prompt_code import declared_in, latest
from node.findings.reading.rust_types import Function, Implementation, Named
from protocol.messages import Turn

CANDIDATES_MAX: Final = 64
"""Functions of one answer that may be the target, in its order: a program of 64 KiB could have thousands."""


@dataclass(frozen=True, slots=True)
class Target:
    """The target of calls that compare answers: a function, or an implementation of a trait of the standard library.

    A function is free, or associated with a type and without receiver.
    """

    name: str
    """Name of the function, as `f` or `Type::f`, or of the type that implements the trait."""
    signature: str
    """Abstract signature, or `impl Trait<...>`."""

    def find(self, source: Source) -> Function | Implementation | None:
        """Return what fits in `source`: of several functions the one with the name, else the first that none calls."""
        if self.signature.startswith("impl "):
            return next((each for each in source.implementations if _implemented(each) == self), None)
        candidates = _associated(source) if "::" in self.name else _free(source)
        fitting = [each for each in candidates if abstract_signature(each) == self.signature]
        named = [each for each in fitting if each.name == self.name]
        uncalled = [each for each in fitting if each.name not in source.helpers]
        return next(iter(named + uncalled + fitting), None)


def choose_target(
    turns: Sequence[Turn], sources: Sequence[Source | None], vote_weights: Sequence[int]
) -> Target | None:
    """Return the target of a round, the same for all that read the same; None: nothing is common.

    What the query declares comes first, if an answer has it; of several that which most weight has, signatures without
    a body before others. Otherwise it is the abstract signature that most weight shares: with ties the one whose name
    the query mentions, then the one that other functions call least, then the least text.

    `vote_weights`: of the authors, in the order of `sources`.
    """
    pairs = [(source, weight) for source, weight in zip(sources, vote_weights, strict=True) if source is not None]
    declared = _declared_target(turns, pairs)
    return declared or _majority_target(turns, pairs)


def _declared_target(turns: Sequence[Turn], pairs: Sequence[tuple[Source, int]]) -> Target | None:
    functions, implementations = declared_in(turns)
    best: tuple[tuple[int, int, int], Target] | None = None
    targets = [(Target(each.name, abstract_signature(each)), bare) for each, bare in functions]
    targets += [(target, False) for each in implementations if (target := _implemented(each)) is not None]
    for position, (target, bare) in enumerate(targets):
        having = [weight for source, weight in pairs if _has(source, target)]
        rank = (sum(having), bare, -position)
        if having and (best is None or rank > best[0]):
            best = (rank, target)
    return None if best is None else best[1]


def _has(source: Source, target: Target) -> bool:
    """Whether a source has the target under its name: its signature alone may be that of a helper."""
    found = target.find(source)
    return isinstance(found, Implementation) or (found is not None and found.name == target.name)


def _majority_target(turns: Sequence[Turn], pairs: Sequence[tuple[Source, int]]) -> Target | None:
    """Associated functions are considered only where no answer has a free one: else each constructor would be."""
    candidates = _free if any(_free(source) for source, _ in pairs) else _associated
    text = "\n".join(turn.text for turn in latest(turns))
    weights: dict[str, int] = {}
    called: dict[str, int] = {}
    names: dict[str, dict[str, int]] = {}
    for source, weight in pairs:
        seen: set[str] = set()
        for function in candidates(source):
            signature = abstract_signature(function)
            by_name = names.setdefault(signature, {})
            by_name[function.name] = by_name.get(function.name, 0) + weight
            if signature not in seen:
                seen.add(signature)
                weights[signature] = weights.get(signature, 0) + weight
                called[signature] = called.get(signature, 0) + (weight if function.name in source.helpers else 0)
    if not weights:
        return None

    def rank(signature: str) -> tuple[int, bool, int, str]:
        mentioned = any(_mentions(text, name.rpartition("::")[2]) for name in names[signature])
        return (-weights[signature], not mentioned, called[signature], signature)

    chosen = min(weights, key=rank)
    by_name = names[chosen]
    return Target(min(by_name, key=lambda name: (-by_name[name], name)), chosen)


def _free(source: Source) -> tuple[Function, ...]:
    return tuple(each for each in source.functions if each.complete and not each.receiver)[:CANDIDATES_MAX]


def _associated(source: Source) -> tuple[Function, ...]:
    blocks = source.implementations[:CANDIDATES_MAX]
    return tuple(each for block in blocks for each in associated_functions(block))[:CANDIDATES_MAX]


def _implemented(block: Implementation) -> Target | None:
    if block.trait is None or not isinstance(block.type, Named):
        return None
    return Target(block.type.name, f"impl {abstract_type(block.trait)}")


def _mentions(text: str, name: str) -> bool:
    """Whether `name` stands in `text` as a word of its own."""
    position = text.find(name)
    while position >= 0:
        end = position + len(name)
        before, after = text[position - 1 : position], text[end : end + 1]
        if not _continues(before) and not _continues(after):
            return True
        position = text.find(name, position + 1)
    return False


def _continues(letter: str) -> bool:
    return letter.isascii() and (letter.isalnum() or letter == "_")
