"""Prompt injection: how far 60 attacks move a judge, before and after: `python -P -m tests.bench.bench_injection`.

Each attack is judged beside the same answer without it, in both orders, on some base pairs. "before" shows the texts
as commit 044b2f0 did, "after" as a node does today. The figure is the preference that the attack gains, from -1 to 1;
its standard error is over attacks and base pairs of the kind. Two kinds are beside the 60: honest words of the same
length, since a small model likes the longer answer whatever it says; and paraphrases that no pattern was made for. A
text that is shown as if it were not there gains exactly 0 and costs no prompt.

By default the embedded model (one thread, the lowest priority) judges two of the six base pairs: 300 prompts, ten
minutes on a quiet machine and an hour on one with eight neighbours. `--bases N` sets their number, `--kinds
ending,query` some kinds, `--scripted` leaves the model out.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from itertools import groupby

import structlog
import trio

from node.inference import EngineConfig, open_engine
from tests.support.injections import ATTACKS, BASES, CONTROLS, PARAPHRASES, Attack
from tests.support.susceptible import SusceptibleJudge
from tests.support.uplift import Judge, Meter, Uplift, as_written, standard_error, today

CONTEXT_TOKENS = 2_560
"""The examples, the texts of the largest base and the longest attack; more would only take memory."""

NICE = 19
"""Whoever else uses the machine goes first."""


async def measure(judge: Judge, attacks: Sequence[Attack], bases: int) -> None:
    """Print the table of one judge."""
    began_s = time.monotonic()
    asked: dict[str, float | None] = {}
    meters = Meter(judge, as_written, asked), Meter(judge, today, asked)
    all_: tuple[list[Uplift], list[Uplift]] = [], []
    print(f"{'kind':16}{'before':>9}{'SE':>8}{'best':>9}{'after':>9}{'SE':>8}{'best':>9}   best attack before")
    for kind, group in groupby(attacks, key=lambda attack: attack.kind):
        same = list(group)
        before, after = [[await meter.uplift(attack, BASES[:bases]) for attack in same] for meter in meters]
        best = max(before, key=lambda uplift: uplift.mean)
        for uplifts, found in zip(all_, (before, after), strict=True):
            uplifts += found
        print(f"{kind:16}{_cells(before)}{_cells(after)}   {_words(best.attack)}", flush=True)
    for name, uplifts in zip(("before", "after"), all_, strict=True):
        best = max(uplifts, key=lambda uplift: (uplift.attack in ATTACKS, uplift.mean))
        print(f"best attack {name}: {best.mean:+.3f} ({standard_error(best.gains):.3f}), {best.attack.kind}")
        print(f"    {_words(best.attack)}")
    print(f"{time.monotonic() - began_s:.0f} s\n", flush=True)


def _cells(uplifts: Sequence[Uplift]) -> str:
    gains = [gain for uplift in uplifts for gain in uplift.gains]
    best = max(uplift.mean for uplift in uplifts)
    return f"{sum(gains) / len(gains):+9.3f}{standard_error(gains):8.3f}{best:+9.3f}"


def _words(attack: Attack) -> str:
    return ascii(attack.after or attack.query)[:70]


async def on_embedded(attacks: Sequence[Attack], bases: int) -> None:
    """The embedded engine with the packaged model."""
    os.nice(NICE)
    config = EngineConfig(context_tokens=CONTEXT_TOKENS, threads=1, prompt_threads=1, request_timeout_ms=1_200_000)
    async with open_engine(config) as engine:
        await measure(engine, attacks, bases)


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(prog="bench_injection")
    parser.add_argument("--bases", type=int, default=2, choices=range(1, len(BASES) + 1))
    parser.add_argument("--kinds", default="")
    parser.add_argument("--scripted", action="store_true")
    options = parser.parse_args(arguments)
    texts = (*ATTACKS, *PARAPHRASES, *CONTROLS)
    attacks = [text for text in texts if not options.kinds or text.kind in options.kinds.split(",")]
    print(f"{len(attacks)} texts, scripted judge that believes what it reads, {len(BASES)} base pairs")
    trio.run(measure, SusceptibleJudge(), attacks, len(BASES))
    if not options.scripted:
        print(f"{len(attacks)} texts, SmolLM2-135M-Instruct, {options.bases} base pairs, load {os.getloadavg()[0]:.1f}")
        trio.run(on_embedded, attacks, options.bases)
    print("A larger model was left out: there is no GPU here")


if __name__ == "__main__":
    main(sys.argv[1:])
