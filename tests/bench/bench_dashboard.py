"""What the dashboard costs: `python -P -m tests.bench.bench_dashboard`.

Nodes with scripted engines stand on this machine, and a real browser beside them. What a page loads is weighed, and
the time until it paints is taken by visitors without a history. Then questions are asked while nobody, one page and
several pages follow the node's rounds, in turn, so that a busy machine disturbs all alike; CPU time is the node's own.
Last, a round of the simulator is replayed at the greatest speed.
"""

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx2
from playwright.sync_api import Browser, Page

from node.inference import EngineConfig
from node.local.nodes import NodeSpec
from tests.bench.harness import Bench, Figure, cpu_ms
from tests.support.browser import LACKS, open_browser, open_context, play
from tests.support.simulated_certificate import simulated_certificate
from tests.support.swarm_beside import SwarmBeside, swarm_beside

REPLY_S = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured."""

    nodes: int = 3
    loads: int = 5
    """visitors that open the page"""
    blocks: int = 4
    """blocks of rounds with each number of watchers"""
    rounds: int = 10
    """rounds in a block"""
    watchers: tuple[int, ...] = (0, 1, 10)
    """pages that follow the rounds; the first number is what the others are compared with"""
    members: int = 64
    """of the simulated round"""
    replays: int = 5
    """of it"""


def loaded(browser: Browser, url: str, loads: int) -> list[Figure]:
    """Open the page as new visitors, and weigh what they get."""
    paints, sizes = [], set()
    for _ in range(loads):
        with open_context(browser) as (context, _told):
            page = context.new_page()
            bodies: list[int] = []
            page.on(
                "requestfinished", lambda request, bodies=bodies: bodies.append(request.sizes()["responseBodySize"])
            )
            page.goto(f"{url}/#/rounds")
            _wait_live(page)
            page.get_by_text("This node has not asked anything yet.").wait_for()
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            sizes.add((len(bodies), sum(bodies)))
    requests, size = max(sizes)
    print(f"first contentful paint: {', '.join(f'{paint:.0f}' for paint in paints)} ms")
    return [
        Figure(name="requests of a first visit", value=requests),
        Figure(name="served to a first visit", value=size / 1024, unit=" KiB", anchor="not compressed"),
        Figure(
            name=f"first contentful paint on loopback, median of {loads}", value=statistics.median(paints), unit=" ms"
        ),
    ]


def _wait_live(page: Page) -> None:
    page.locator(".bar .badge.good", has_text="live").wait_for()


@contextmanager
def watching(browser: Browser, url: str, watchers: int) -> Iterator[None]:
    """Pages that are open at the list of rounds. A browser keeps six connections to a node, so each is a visitor."""
    with ExitStack() as stack:
        for _ in range(watchers):
            context, _told = stack.enter_context(open_context(browser))
            page = context.new_page()
            page.goto(f"{url}/#/rounds")
            _wait_live(page)
        yield


def cpu_of_rounds(swarm: SwarmBeside, rounds: int, numbers: Iterator[int]) -> float:
    """Milliseconds of CPU of the asked node for a round."""
    pid = swarm.swarm.nodes[0].process.pid
    began_ms = cpu_ms(pid)
    for _ in range(rounds):
        turns = [{"role": "user", "text": f"Write a Rust function that folds a slice, number {next(numbers)}."}]
        httpx2.post(f"{swarm.url}/api/ask", json={"turns": turns}, timeout=REPLY_S).raise_for_status()
    return (cpu_ms(pid) - began_ms) / rounds


def watched(browser: Browser, swarm: SwarmBeside, settings: Settings) -> Iterator[Figure]:
    """CPU of the node, by the number of pages that follow its rounds."""
    numbers, spent = count(), {watchers: list[float]() for watchers in settings.watchers}
    cpu_of_rounds(swarm, settings.rounds, numbers)
    for _ in range(settings.blocks):
        for watchers, told in spent.items():
            with watching(browser, swarm.url, watchers):
                told.append(cpu_of_rounds(swarm, settings.rounds, numbers))
    middle = {watchers: statistics.median(told) for watchers, told in spent.items()}
    for watchers, told in spent.items():
        print(f"{watchers} watchers: {', '.join(f'{each:.1f}' for each in told)} ms of CPU a round")
    nobody = middle[settings.watchers[0]]
    for watchers, told_ms in middle.items():
        anchor = "" if watchers == settings.watchers[0] else f"{told_ms - nobody:+.1f} ms beside {settings.watchers[0]}"
        name = f"CPU of the asking node for a round, {watchers} watchers"
        yield Figure(name=name, value=told_ms, unit=" ms", anchor=anchor)


def replayed(browser: Browser, url: str, members: int, replays: int) -> Iterator[Figure]:
    """A large round, drawn and replayed several times."""
    with open_context(browser) as (context, _told):
        page = context.new_page()
        page.goto(f"{url}/#/verify")
        raw = simulated_certificate(members)
        page.locator("input[type=file]").set_input_files(
            {"name": "large.strand", "mimeType": "application/octet-stream", "buffer": raw}
        )
        page.get_by_role("button", name="Replay the round").click()
        page.get_by_text(f"{members} answers, best first").wait_for()
        every = [play(page) for _ in range(replays)]
    for played in every:
        print(f"{members} members: {played}")
    said = f"{every[0].events} events in {every[0].seconds:.1f} s each"
    frames = sum(played.frames for played in every)
    yield Figure(name=f"frames of more than 50 ms in {replays} replays of {members} members", value=frames, anchor=said)
    yield Figure(name="the longest of them", value=max(played.longest_ms for played in every), unit=" ms")


def measure(settings: Settings) -> list[Figure]:
    """Measure; without a browser nothing."""
    if LACKS:
        return [Figure(name="the dashboard in a browser", value=None, note=LACKS)]
    with tempfile.TemporaryDirectory(prefix="strand-bench-") as folder, open_browser() as browser:
        specs = [
            NodeSpec(Path(folder) / str(number), EngineConfig(kind="scripted"), seed=number)
            for number in range(settings.nodes)
        ]
        with swarm_beside(specs) as swarm:
            figures = loaded(browser, swarm.url, settings.loads)
            figures += watched(browser, swarm, settings)
            figures += replayed(browser, swarm.url, settings.members, settings.replays)
    return figures


BENCH = Bench(
    name="dashboard",
    measure=measure,
    whole=Settings(),
    smallest=Settings(loads=1, blocks=1, rounds=1, watchers=(0, 1), members=5, replays=1),
)

if __name__ == "__main__":
    BENCH.main()
