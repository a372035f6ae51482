"""A swarm in virtual time whose participants are recorded as the daemon's are."""

from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from consensus.rounds import effects as fx
from consensus.rounds.participant import Participant
from consensus.rounds.recording import Recording, read
from node.rounds.recording import recording
from protocol.params import NetworkParams
from tests.support.swarm import Interceptor, Node, Swarm, keypair


class RecordedSwarm(Swarm):
    """Each life of a node is recorded in a file of its own: `b-0`, after a restart `b-1`."""

    def __init__(self, names: str, folder: Path, stack: ExitStack, network: NetworkParams | None = None) -> None:
        self._folder = folder
        self._stack = stack
        self._lives: dict[str, int] = defaultdict(lambda: -1)
        self.did: dict[str, list[fx.Effect]] = {}
        """What each life did, in order."""
        self.misbehaviour: dict[str, Interceptor] = {}
        super().__init__(names, network)
        for name in names:
            self.interceptors[name] = self._watch

    def make_participant(self, name: str) -> Participant:
        self._lives[name] += 1
        life = self._life(name)
        self.did[life] = []
        make = self._stack.enter_context(recording(self._folder / life))
        return make(keypair(name), self.params)

    def recorded(self, life: str) -> Recording:
        """Read back what a life was told."""
        recorded = read((self._folder / life).read_bytes())
        assert isinstance(recorded, Recording), recorded
        return recorded

    def _life(self, name: str) -> str:
        return f"{name}-{self._lives[name]}"

    def _watch(self, swarm: Swarm, node: Node, effect: fx.Effect) -> list[fx.Effect] | None:
        self.did[self._life(node.name)].append(effect)
        misbehave = self.misbehaviour.get(node.name)
        return None if misbehave is None else misbehave(swarm, node, effect)
