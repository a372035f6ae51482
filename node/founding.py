"""Makes the folder of a node: its key and its store."""

from pathlib import Path

from node.boot import boot_id
from node.clock import Clock
from node.keys import NodeKey, load_or_create_key
from node.storage.store import open_store


async def found_node(folder: Path) -> NodeKey:
    """Make a node's key and store where there are none, together.

    A key that is older than its store looks as if the store had been lost, and its node joins no round for a while.
    Raises KeyFileError or StoreError.
    """
    key = load_or_create_key(folder)
    async with open_store(
        folder,
        public_key=key.keypair.public,
        fresh_key=key.fresh,
        now_ms=Clock().now_ms(),
        boot_id=boot_id(),
    ):
        pass
    return key
