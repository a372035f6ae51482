"""R17: the reports of the largest round ride along in one closing."""

from consensus.ranking.testers import assign_testers
from protocol.limits import MEMBERS_MAX
from protocol.messages import Report
from protocol.signing import Keypair, seal
from tests.support.findings import found
from tests.support.samples import NETWORK, digest

RIDE_ALONG_BYTES = 64 * 1024
"""What all reports of a round may take together."""


def test_all_reports_of_64_answers_stay_below_64_kib() -> None:
    pairs = [Keypair(number.to_bytes(32, "big")) for number in range(MEMBERS_MAX)]
    keys = [pair.public for pair in pairs]
    assigned = assign_testers(
        beacon=b"b" * 32, stage=0, testers=keys, authors=keys, answers=range(MEMBERS_MAX), tested={}
    )
    total = 0
    for pair in pairs:
        told = tuple(
            found(index, f"behaviour {index}", error=9_999, unsafe=255, panics=255, tests=(255, 255, 255))
            for index in assigned[pair.public]
        )
        body = Report(author=pair.public, query=digest("q"), on=digest("s"), stage=0, findings=told)
        total += len(seal(pair, NETWORK, body).envelope)
    assert total < RIDE_ALONG_BYTES, total
