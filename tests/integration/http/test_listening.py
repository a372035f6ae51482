"""Where the HTTP interface listens."""

import trio

from node.http.server import bind, listen


async def test_a_free_port_is_used_again_while_a_client_holds_on_to_its_connection() -> None:
    """A browser does so after a node was killed: the node's end of the connection stays half closed for a minute."""
    listener = await listen("127.0.0.1", 0)
    host, port = listener.socket.getsockname()
    async with await trio.open_tcp_stream(host, port):
        connection = await listener.accept()
        await listener.aclose()
        await connection.aclose()
        with await bind(host, port):
            pass


async def test_two_servers_do_not_share_a_port() -> None:
    async with await listen("127.0.0.1", 0) as listener:
        host, port = listener.socket.getsockname()
        try:
            (await listen(host, port)).socket.close()
        except OSError as error:
            assert "in use" in str(error)
        else:
            raise AssertionError("both listen")
