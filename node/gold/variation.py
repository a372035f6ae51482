"""Makes a fresh exercise of a task: other names, constants, order and layout, so that no text looks like another.

Everything follows from the random generator that is passed in: one seed gives one exercise, on every machine.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from node.findings.reading.grammar import Node, SyntaxTree, descendants, parse
from node.gold.corpus import CodeTask
from node.gold.edits import applied, replacing
from node.gold.renaming import fresh_names, renamed, renamed_words

_OPENINGS: Final = (
    "", "", "", "", "A question about Rust. ", "I am learning Rust. ", "For a small tool of mine: ", "Rust, please. ",
    "We need this in a library without dependencies. ", "I got stuck with this in Rust. ", "Can you help with this? ",
)  # fmt: skip
_CLOSINGS: Final = (
    "", "", "", "", "Please give only the code.", "Explain it in one sentence.", "Use only the standard library.",
    "Keep it simple.", "It has to compile on stable Rust.", "Thank you!", "Readable code matters more than speed.",
)  # fmt: skip
_INDENTS: Final = ("    ", "    ", "    ", "  ", "\t")
_CODE: Final = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
_FENCED: Final = re.compile(r"(```.*?```)", re.DOTALL)
_WRAP: Final = re.compile(r"\n(?!- ) *")


@dataclass(frozen=True, slots=True)
class Exercise:
    """A task as it is asked once."""

    task: str
    """The task's name in the corpus."""
    difficulty: int
    prompt: str
    program: str
    """A right program."""
    driver: str
    """A public function that calls the program, for inputs by generator; empty: the program needs none."""
    tests: str


def plain(task: CodeTask) -> Exercise:
    """Return the task as it stands in its file, with the first value of each constant."""
    values = {name: choices[0] for name, choices in task.constants.items()}
    program = _with_constants(_parsed(task.program), values)
    prompt = _filled(_unwrapped(task.prompt), _parsed(program), values)
    driver, tests = (_with_constants(_parsed(text), values) for text in (task.driver, task.tests))
    return Exercise(task.name, task.difficulty, prompt, program, driver, tests)


def varied(task: CodeTask, random: Random) -> Exercise:
    """Return a fresh exercise of this task."""
    values = {name: random.choice(choices) for name, choices in task.constants.items()}
    public = {name: random.choice((name, *choices)) for name, choices in task.names.items()}
    tree = _parsed(task.program)
    kept = {"signature", *public, *task.constants}
    taken = {*_words_of(task.driver), *_words_of(task.tests), *public.values()}
    local = fresh_names(tree, kept, taken, random)
    program = _with_constants(_parsed(renamed(tree, local, public)), values)
    program = _reordered(_parsed(program), random)
    driver, tests = (
        _with_constants(_parsed(renamed(_parsed(text), {}, public)), values) for text in (task.driver, task.tests)
    )
    tests = _with_shuffled_module(_parsed(tests), random)
    names = {**local, **public}
    prompt = _CODE.sub(lambda code: renamed_words(code.group(), names), task.prompt)
    prompt = _filled(_unwrapped(prompt), _parsed(program), values)
    prompt = _framed(prompt, random)
    indent = random.choice(_INDENTS)
    program, tests = (_indented(text, indent) for text in (program, tests))
    return Exercise(task.name, task.difficulty, prompt, program, driver, tests)


def signature(tree: SyntaxTree) -> str:
    """Return the signature of the first public function, on one line, without its visibility; empty: there is none."""
    for node in tree.root.children:
        if node.type == "function_item" and (body := node.child_by_field_name("body")) is not None:
            head = tree.content[node.start_byte : body.start_byte].decode()
            if head.startswith("pub "):
                line = " ".join(head.removeprefix("pub ").split())
                return line.replace("( ", "(").replace(", )", ")").strip()
    return ""


def _parsed(text: str) -> SyntaxTree:
    tree = parse(text)
    assert tree is not None and not tree.faulty, "the corpus holds Rust alone"
    return tree


def _words_of(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text))


def _with_constants(tree: SyntaxTree, values: Mapping[str, int]) -> str:
    """Return the text with these values of its constants."""
    edits = []
    for node in descendants(tree.root):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if node.type == "const_item" and name is not None and value is not None and tree.text(name) in values:
            edits.append(replacing(value, str(values[tree.text(name)])))
    return applied(tree.content, edits)


def _filled(prompt: str, program: SyntaxTree, values: Mapping[str, int]) -> str:
    """Return the prompt with signature and constants in place."""
    prompt = prompt.replace("{signature}", signature(program))
    for name, value in values.items():
        prompt = prompt.replace(f"{{{name}}}", str(value))
    return prompt


def _framed(prompt: str, random: Random) -> str:
    """Return the prompt with words before and after it, which do not run into a list or a block of code."""
    last = prompt.rpartition("\n\n")[2]
    gap = "\n\n" if "```" in last or last.startswith("- ") else " "
    return f"{random.choice(_OPENINGS)}{prompt}{gap}{random.choice(_CLOSINGS)}".strip()


def _unwrapped(prompt: str) -> str:
    """Return the prompt with each paragraph and list item on one line, as people type it; code stays as it is."""
    parts = _FENCED.split(prompt)
    for place in range(0, len(parts), 2):
        paragraphs = parts[place].split("\n\n")
        parts[place] = "\n\n".join(_WRAP.sub(" ", each) if each.strip() else each for each in paragraphs)
    return "".join(parts)


def _reordered(tree: SyntaxTree, random: Random) -> str:
    """Return the program with its items in another order, imports first."""
    return "\n\n".join(_shuffled(tree, tree.root, random)) + "\n"


def _with_shuffled_module(tree: SyntaxTree, random: Random) -> str:
    """Return the tests with the items of their module in another order, imports first."""
    body = next((node.child_by_field_name("body") for node in tree.root.children if node.type == "mod_item"), None)
    assert body is not None, "tests are one module"
    inside = "\n\n".join("    " + each for each in _shuffled(tree, body, random))
    return applied(tree.content, [replacing(body, "{\n" + inside + "\n}")])


def _shuffled(tree: SyntaxTree, parent: Node, random: Random) -> list[str]:
    """Return the texts of the items in `parent`, each with its attributes: imports first, the others shuffled."""
    imports: list[str] = []
    others: list[str] = []
    start: int | None = None
    for node in parent.named_children:
        start = node.start_byte if start is None else start
        if node.type == "attribute_item":
            continue
        text = tree.content[start : node.end_byte].decode()
        (imports if node.type == "use_declaration" else others).append(text)
        start = None
    random.shuffle(others)
    return imports + others


def _indented(text: str, indent: str) -> str:
    """Return the text with another indentation. No literal of the corpus spans lines."""
    lines = []
    for line in text.split("\n"):
        bare = line.lstrip(" ")
        depth = (len(line) - len(bare)) // 4
        lines.append(indent * depth + bare)
    return "\n".join(lines)
