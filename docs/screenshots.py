"""Renews the pictures of the dashboard in the documentation, by looking at a real swarm: `make screenshots`.

It starts nodes with scripted engines, asks some questions, and takes each view on a desk's screen and on a phone, light
and dark, into docs/images/dashboard. Where there is a Rust compiler and a sandbox, the nodes test their answers.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import httpx2
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page

from node.cli.parts.certificates import file_name
from tests.support.browser import DESK, LACKS, PATIENCE_MS, PHONE, open_browser, open_context
from tests.support.swarm_beside import ANSWERS, QUESTION, SwarmBeside, scripted, swarm_beside

FOLDER: Final = Path(__file__).parent / "images/dashboard"

BYTES_MAX: Final = 200 * 1024
"""Bytes of a picture: a page that shows one is still quickly there."""

COLOURS: Final = 256
"""Colours of a picture."""

NAMES: Final = ("ada", "grace", "edsger", "barbara", "tony")

LATENCY_MS: Final = 400
"""Time of an engine for an answer or a pair."""

EARLIER: Final = {
    "How do I sum a slice of integers without overflow?": (
        "```rust\nfn total(values: &[i32]) -> i64 {\n    values.iter().map(|&value| value as i64).sum()\n}\n```",
        "```rust\nfn total(values: &[i32]) -> i64 {\n    values.iter().map(|&value| i64::from(value)).sum()\n}\n```",
        "```rust\nfn total(values: &[i32]) -> i32 {\n    values.iter().copied().fold(0, i32::saturating_add)\n}\n```",
        "```rust\nfn total(values: &[i32]) -> Option<i32> {\n"
        "    values.iter().try_fold(0i32, |sum, &value| sum.checked_add(value))\n}\n```",
        "```rust\nfn total(values: &[i32]) -> i64 {\n    let mut sum = 0;\n    for value in values {\n"
        "        sum += i64::from(*value);\n    }\n    sum\n}\n```",
    ),
    "Write fn double(x: i32) -> i32.": (
        "```rust\nfn double(x: i32) -> i32 {\n    x << 1\n}\n```",
        "```rust\nfn double(x: i32) -> i32 {\n    x + x\n}\n```",
        "```rust\nfn double(x: i32) -> i32 {\n    2 * y\n}\n```",
        "```rust\nfn double(x: i32) -> i32 {\n    x.saturating_mul(2)\n}\n```",
        "```rust\nfn double(x: i32) -> i32 {\n    x.wrapping_mul(2)\n}\n```",
    ),
}
"""Questions before the one that is looked at, with each node's answer."""

Scheme = Literal["light", "dark"]

SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")

DEVICES: Final[dict[str, dict[str, Any]]] = {
    "desk": {"viewport": DESK},
    "phone": {"viewport": PHONE, "device_scale_factor": 2, "is_mobile": True, "has_touch": True},
}

HIGH: Final = {"round": 1_500, "node": 1_100}
"""Heights of a desk's pictures that show more than a screen, px."""


def ask(url: str, text: str) -> str:
    """Ask a question, wait for the end of its round, and return the round's id."""
    body = {"turns": [{"role": "user", "text": text}]}
    reply = httpx2.post(f"{url}/api/ask", json=body, timeout=PATIENCE_MS / 1000)
    reply.raise_for_status()
    return str(httpx2.get(f"{url}/api/rounds").json()["rounds"][0]["query_id"])


def wait_tools(url: str) -> None:
    """Wait until a node has found out whether it can test answers."""
    with httpx2.stream("GET", f"{url}/api/events", timeout=None) as events:
        for _ in events.iter_lines():
            if httpx2.get(f"{url}/api/status").json()["tools"]["state"] != "opening":
                return


def views(page: Page, swarm: SwarmBeside, round_id: str) -> Iterator[str]:
    """Open each view, and yield its name once it is whole."""
    page.goto(f"{swarm.url}/#/ask")
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_role("link", name="How it was decided").wait_for()
    page.evaluate("scrollTo(0, 0)")
    yield "ask"
    for name, address, ready in (
        ("rounds", "rounds", ".history-list > li"),
        ("round", f"rounds/{round_id}", ".answers > li"),
        ("network", "network", "table"),
        ("node", f"network/{swarm.swarm.nodes[2].key}", "text=Its latest rounds"),
        ("machine", "machine", ".panel"),
        ("verify", "verify", ".drop"),
    ):
        page.goto(f"{swarm.url}/#/{address}")
        page.locator(ready).first.wait_for()
        if name == "verify":
            raw = httpx2.get(f"{swarm.url}/api/certificates/{round_id}").content
            page.locator("input[type=file]").set_input_files(
                FilePayload(name=file_name(round_id), mimeType="application/octet-stream", buffer=raw)
            )
            page.locator(".verdict").wait_for()
        page.evaluate("scrollTo(0, 0)")
        yield name


def take(page: Page, name: str, device: str, scheme: Scheme) -> None:
    """Take one picture."""
    height = HIGH.get(name, DESK["height"])
    if device == "desk":
        page.set_viewport_size({**DESK, "height": height})
    # Whatever arrives, moves into place or is fetched for the larger page.
    page.mouse.move(0, 0)
    page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished)).then(() => null)")
    path = FOLDER / f"{name}-{device}-{scheme}.png"
    reduced(page.screenshot(animations="disabled")).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {size / 1024:.0f} KiB", file=sys.stderr)
    if size > BYTES_MAX:
        sys.exit(f"{path.name} has {size} bytes, more than {BYTES_MAX}")


def reduced(png: bytes) -> Image.Image:
    """A picture with its COLOURS most frequent colours, and the nearest of them in place of all others.

    Surfaces and the swatches of keys keep their very colours: those of letters' edges are many, and each is rare.
    """
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    colours, places, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    kept = colours[np.argsort(-counts)[:COLOURS]].astype(np.int32)
    nearest = np.array([((kept - colour) ** 2).sum(axis=1).argmin() for colour in colours], dtype=np.uint8)
    image = Image.fromarray(nearest[places.reshape(pixels.shape[:2])], "P")
    image.putpalette(kept.astype(np.uint8).tobytes())
    return image


def take_all(browser: Browser, swarm: SwarmBeside) -> None:
    """Take all pictures of a swarm."""
    for node in swarm.swarm.nodes:
        wait_tools(node.url)
    for text in EARLIER:
        ask(swarm.url, text)
    round_id = ask(swarm.url, QUESTION)
    for device, options in DEVICES.items():
        for scheme in SCHEMES:
            with open_context(browser, color_scheme=scheme, reduced_motion="reduce", **options) as (context, _):
                page = context.new_page()
                for name in views(page, swarm, round_id):
                    take(page, name, device, scheme)


def main() -> None:
    """Renew all pictures."""
    if LACKS:
        sys.exit(LACKS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="strand-screenshots-") as folder, open_browser() as browser:
        answers = {QUESTION: ANSWERS, **EARLIER}
        specs = [
            scripted(Path(folder), node, answers, LATENCY_MS, **{"node.name": name}) for node, name in enumerate(NAMES)
        ]
        with swarm_beside(specs) as swarm:
            take_all(browser, swarm)


if __name__ == "__main__":
    main()
