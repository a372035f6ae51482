"""Commitment copier: signs another member's commitment, and opens it when that member does."""

from collections.abc import Sequence
from dataclasses import replace

from consensus.rounds.effects import Contribute, Effect
from protocol.messages import Answer, Commit, Query
from protocol.signing import VerifiedMessage, seal
from protocol.topics import topic
from protocol.types import Kind
from simnet.adversaries.behaviour import Action, AdversaryContext, Behaviour


class CommitmentCopier(Behaviour):
    """An answer without work, if commitments did not bind their author.

    It sees other members' messages before phases are closed only if a stream fails and gossip takes over.
    """

    KIND = "commitment-copier"
    query: Query
    copied: Commit | None = None

    def perform(self, effect: Effect, context: AdversaryContext) -> Sequence[Action]:
        """Send neither its own commitment nor its own answer."""
        own = isinstance(effect, Contribute) and effect.message.kind in (Kind.COMMIT, Kind.ANSWER)
        return () if own else (effect,)

    def hear(self, message: VerifiedMessage, context: AdversaryContext) -> Sequence[Action]:
        """Copy the first commitment of a round and that member's opening."""
        match message.body:
            case Query() as query:
                self.query, self.copied = query, None
            case Commit() as commit if self.copied is None and commit.author not in self.ring.keys:
                self.copied = commit
                return [self._repeat(commit, context)]
            case Answer(query=query, author=author) as answer if self.copied is not None:
                if (query, author) == (self.copied.query, self.copied.author):
                    return [self._repeat(answer, context)]
        return ()

    def _repeat(self, body: Commit | Answer, context: AdversaryContext) -> Contribute:
        message = seal(context.keypair, context.params.digest, replace(body, author=context.keypair.public))
        return Contribute(self.query.author, topic(context.params, self.query.specialty, self.query.shard), message)
