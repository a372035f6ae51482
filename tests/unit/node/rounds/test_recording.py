"""The recorder: a file for its owner's eyes, bounded, and never in the node's way."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consensus.rounds.pulls import PULL_REQUEST_BYTES_MAX, LeftOut
from consensus.rounds.recording import Beginning, Gossiped, Recording, Ticked, frame, read
from node.rounds.recording import Recorder, RecordingError, RecordingParticipant, recording
from protocol.conversation import single
from protocol.errors import Fault, FaultReason
from protocol.signing import seal
from protocol.topics import topic
from protocol.types import Digest
from tests.support.swarm import START_MS, Swarm, keypair, params

PARAMS = params()
TICK = Ticked(at_ms=START_MS)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    path = tmp_path / "recording"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    yield descriptor, path
    os.close(descriptor)


def beginning() -> Beginning:
    return Beginning(key=keypair("a").public, params=PARAMS, joins_from_ms=0)


def test_only_the_owner_may_read_it_and_no_file_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    with recording(path) as make:
        make(keypair("a"), PARAMS, joins_from_ms=3).tick(START_MS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    recorded = read(path.read_bytes())
    assert isinstance(recorded, Recording)
    assert recorded.beginning.joins_from_ms == 3 and recorded.inputs == (TICK,)
    with pytest.raises(RecordingError, match="exists already"), recording(path):
        pass
    with pytest.raises(RecordingError, match="No such file"), recording(tmp_path / "nowhere" / "recording"):
        pass


def test_a_full_file_ends_the_recording_once_and_for_all(file: tuple[int, Path]) -> None:
    descriptor, path = file
    recorder = Recorder(descriptor, bytes_max=len(frame(beginning()) + frame(TICK)))
    recorder.write(beginning())
    with capture_logs() as logs:
        recorder.write(Gossiped(at_ms=0, topic="t", source=keypair("b").public, envelope=bytes(500)))
        # It would fit, but without what came before it is worth nothing.
        recorder.write(TICK)
    assert logs == [{"event": "recording.stopped", "reason": "the file is full", "log_level": "warning"}]
    recorded = read(path.read_bytes())
    assert isinstance(recorded, Recording) and recorded.inputs == ()


def test_a_disk_that_refuses_ends_the_recording_and_nothing_else() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with capture_logs() as logs:
            node = RecordingParticipant(Recorder(descriptor), keypair("a"), PARAMS)
            assert node.tick(START_MS) == []
    finally:
        os.close(descriptor)
    assert [each["event"] for each in logs] == ["recording.stopped"]


@pytest.fixture
def node(file: tuple[int, Path]) -> RecordingParticipant:
    return RecordingParticipant(Recorder(file[0]), keypair("b"), PARAMS)


def inputs(file: tuple[int, Path]) -> list[str]:
    recorded = read(file[1].read_bytes())
    assert isinstance(recorded, Recording)
    return [type(each).__name__ for each in recorded.inputs]


def test_what_is_refused_unread_is_not_written(node: RecordingParticipant, file: tuple[int, Path]) -> None:
    query = seal(keypair("a"), PARAMS.digest, Swarm("ab").query())
    arrivals = [
        node.validator.admit_gossip(topic(PARAMS, "rust", 0), query.author, bytes(600_000), START_MS),
        node.validator.admit_gossip("elsewhere", query.author, query.envelope, START_MS),
        node.validator.admit_stream(query.author, query.envelope, START_MS),
        node.on_pull_reply(query.id, bytes(PARAMS.pull_bytes_max + 1), START_MS),
        node.serve_pull(query.author, bytes(PULL_REQUEST_BYTES_MAX + 1)),
    ]
    assert [each.reason for each in arrivals if isinstance(each, Fault)] == [
        FaultReason.TOO_LARGE,
        FaultReason.WRONG_TOPIC,
        FaultReason.WRONG_AUTHOR,
        FaultReason.TOO_LARGE,
        FaultReason.TOO_LARGE,
    ]
    assert inputs(file) == []


def test_a_call_within_a_call_is_no_input(node: RecordingParticipant, file: tuple[int, Path]) -> None:
    """A query without us is closed by the participant itself; one from an earlier life by the driver."""
    swarm = Swarm("acd")
    query = seal(keypair("a"), PARAMS.digest, swarm.query())
    admitted = node.validator.admit_gossip(topic(PARAMS, "rust", 0), query.author, query.envelope, START_MS)
    assert not isinstance(admitted, Fault)
    assert node.on_admitted(admitted, START_MS) == []
    assert inputs(file) == ["Gossiped", "TakenUp"]
    node.validator.close(query.id)
    assert inputs(file) == ["Gossiped", "TakenUp", "Closed"]


def test_an_input_that_crashes_us_is_on_file(node: RecordingParticipant, file: tuple[int, Path]) -> None:
    with pytest.raises(ValueError, match="signed by the author"):
        node.ask(Swarm("ab").query(), LeftOut(single("Which?")), START_MS)
    node.validator.close(Digest(bytes(32)))
    assert inputs(file) == ["Asked", "Closed"]


def test_reading_no_mail_is_no_input(file: tuple[int, Path]) -> None:
    node = RecordingParticipant(Recorder(file[0]), keypair("a"), PARAMS)
    assert node.take_local_message(START_MS) is None
    node.ask(Swarm("ab").query(), LeftOut(single("Which?")), START_MS)
    assert node.take_local_message(START_MS) is not None
    assert node.take_local_message(START_MS) is None
    assert inputs(file) == ["Asked", "MailRead"]
