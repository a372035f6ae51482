"""All targets by name, in the order in which they are run."""

from tests.fuzz.engine_targets import HTTP_JSON, REPLIES_TARGET
from tests.fuzz.http_target import HTTP
from tests.fuzz.overlay_targets import MULTISTREAM, PUBSUB, STREAMS, YAMUX
from tests.fuzz.protocol_targets import CERTIFICATE, ENVELOPE

TARGETS = {
    target.name: target
    for target in (ENVELOPE, CERTIFICATE, PUBSUB, MULTISTREAM, YAMUX, STREAMS, REPLIES_TARGET, HTTP_JSON, HTTP)
}
