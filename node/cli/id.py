"""`strand id`."""

from node.cli.parts.options import JsonFlag, Source, print_json, print_line
from node.keys import require_key
from node.local.council import pointing_to_council
from node.overlay.identity import peer_id_text


def id(*, json: JsonFlag = False, source: Source = Source()) -> int:  # noqa: B008 - frozen
    """Show who this node is: its key, its peer id, its folder, and the addresses of its configuration.

    Addresses such as 0.0.0.0 stand for all of the machine's; `strand status` shows those of a running node.
    """
    config = source.load().config
    with pointing_to_council(config.node.data_dir):
        key = require_key(config.node.data_dir).keypair.public
    peer_id = peer_id_text(key)
    addresses = [f"{each}/p2p/{peer_id}" for each in config.overlay.announce or config.overlay.listen]
    if json:
        folder = str(config.node.data_dir)
        print_json({"key": key.hex(), "peer_id": peer_id, "addresses": addresses, "data_dir": folder})
        return 0
    print_line(f"key {key.hex()}")
    print_line(f"peer id {peer_id}")
    for each in addresses:
        print_line(f"{'announces' if config.overlay.announce else 'listens at'} {each}")
    print_line(f"folder {config.node.data_dir}")
    return 0
