"""Code blocks of Markdown."""

from node.findings.reading.fences import BLOCKS_MAX, fenced_blocks, without_blocks


def test_blocks_and_prose() -> None:
    text = "a\n```rust,no_run\nx\n```\nb\n~~~\ny\n```\n~~~\nc"
    first, second = fenced_blocks(text)
    assert (first.label, first.attributes, first.text) == ("rust", ("no_run",), "x\n")
    assert (second.label, second.text) == ("", "y\n```\n")
    assert without_blocks(text) == "a\nb\nc"


def test_a_longer_fence_is_not_closed_by_a_shorter_one() -> None:
    (block,) = fenced_blocks("````rust\n```\nx\n`````\n")
    assert block.text == "```\nx\n"


def test_inline_code_opens_no_block() -> None:
    assert fenced_blocks("```rust fn f() {}```\nmore\n") == ()


def test_indentation_of_the_fence_is_taken_from_its_lines() -> None:
    (block,) = fenced_blocks("  - ```rust\n" + "    ```rust\n      a\n    b\n  c\n    ```\n")
    assert block.text == "  a\nb\nc\n"


def test_a_fence_that_is_never_closed_reaches_to_the_end() -> None:
    assert [block.text for block in fenced_blocks("```\nx\ny")] == ["x\ny\n"]
    assert without_blocks("```\nx\ny") == ""


def test_what_says_rust() -> None:
    labels = ["rust", "Rust", "rs", "rust ignore", "{.rust}", "src/lib.rs", "rust,compile_fail", "text", "", "toml"]
    blocks = fenced_blocks("".join(f"```{label}\nx\n```\n" for label in labels))
    assert [block.says_rust for block in blocks] == [True] * 6 + [False] * 4


def test_blocks_are_bounded() -> None:
    assert len(fenced_blocks("```\n```\n" * (2 * BLOCKS_MAX))) == BLOCKS_MAX
