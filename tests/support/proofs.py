"""Certificates of rounds built by hand, as files that commands read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from consensus.certificates.certificate import build_certificate
from protocol import codec
from protocol.messages import AnswerContent
from tests.support.hand import Hand


class SpeakingHand(Hand):
    """A round whose answers have these texts, by the names of their authors."""

    texts: dict[str, str]

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        super().__init__("".join(texts))

    def content(self, name: str) -> AnswerContent:
        return replace(super().content(name), text=self.texts[name])


def certificate(texts: dict[str, str], file: Path) -> Path:
    """Write the certificate of a finished round with these answers, co-signed by all, and return the file."""
    hand = SpeakingHand(texts).to_cosigning()
    built = build_certificate(hand.record, [hand.cosign(name) for name in hand.names])
    file.write_bytes(codec.encode(built))
    return file
