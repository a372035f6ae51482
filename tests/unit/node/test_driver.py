"""What whoever asked gets to hear, and when."""

import trio

from consensus.certificates.record import Phase
from consensus.rounds import effects as fx
from node.rounds.driver import PROGRESS_MS, _Watcher
from node.rounds.inbound import WATCHED_MAX, Watched
from protocol.types import Digest, Key

QUERY = Digest(b"q" * 32)
BEGAN_MS = 1_000


def progress(received: int, phase: Phase = Phase.ANSWERING) -> fx.Progress:
    """Told by the number of members that are in."""
    return fx.Progress(QUERY, phase, 0, frozenset(Key(bytes([n]) * 32) for n in range(received)), frozenset())


def watcher() -> tuple[_Watcher, trio.MemoryReceiveChannel[Watched]]:
    watch, events = trio.open_memory_channel[Watched](WATCHED_MAX)
    return _Watcher(BEGAN_MS, watch, trio.Semaphore(0)), events


def heard(events: trio.MemoryReceiveChannel[Watched]) -> list[Watched]:
    return [events.receive_nowait() for _ in range(events.statistics().current_buffer_used)]


async def test_a_phase_is_told_at_once_and_its_progress_now_and_then() -> None:
    watching, events = watcher()
    watching.tell(progress(0), BEGAN_MS)
    assert heard(events) == [Watched(0, progress(0))]
    watching.tell(progress(1), BEGAN_MS + 1)
    watching.tell(progress(2), BEGAN_MS + 2)
    watching.tell_due(BEGAN_MS + PROGRESS_MS - 1)
    assert heard(events) == []
    watching.tell_due(BEGAN_MS + PROGRESS_MS)
    assert heard(events) == [Watched(2, progress(2))]
    watching.tell_due(BEGAN_MS + 2 * PROGRESS_MS)
    assert heard(events) == []


async def test_what_was_held_comes_before_the_next_phase_and_before_a_result() -> None:
    watching, events = watcher()
    finish = fx.RoundEnded(QUERY, "requester", fx.Ending.FINISHED)
    watching.tell(progress(0), BEGAN_MS)
    watching.tell(progress(7), BEGAN_MS + 1)
    watching.tell(progress(0, Phase.OPENING), BEGAN_MS + 2)
    watching.tell(progress(3, Phase.OPENING), BEGAN_MS + 3)
    watching.tell(finish, BEGAN_MS + 4)
    assert heard(events) == [
        Watched(0, progress(0)),
        Watched(1, progress(7)),
        Watched(2, progress(0, Phase.OPENING)),
        Watched(3, progress(3, Phase.OPENING)),
        Watched(4, finish),
    ]


async def test_results_find_room_and_a_listener_may_go() -> None:
    watching, events = watcher()
    finish = fx.RoundEnded(QUERY, "requester", fx.Ending.FINISHED)
    for number in range(WATCHED_MAX):
        watching.tell(progress(0, list(Phase)[number % 2]), BEGAN_MS)
    watching.tell(finish, BEGAN_MS)
    assert heard(events)[-1] == Watched(0, finish)
    events.close()
    watching.tell(finish, BEGAN_MS)
