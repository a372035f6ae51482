"""Looking for model servers on this machine."""

from contextlib import AsyncExitStack

from node.inference import EngineConfig
from node.inference.servers import FoundServer, UsualPlace, find_servers, text_models
from tests.support.engine_server import Server, as_json, http, serving
from tests.support.hostile_server import PROTOCOL_MODES


def _listing(*names: str) -> Server:
    return Server({"/v1/models": as_json({"data": [{"id": name} for name in names]})})


async def test_servers_that_list_a_model_of_text_are_found_in_their_order() -> None:
    servers = [_listing("a", "bge-small"), _listing("bge-small"), Server({"/v1/models": http(b"hello")}), _listing("b")]
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(server)) for server in servers]
        places = [_place(url, str(number)) for number, url in enumerate(urls)]
        found = await find_servers(places)
    assert found == [FoundServer("0", places[0].url, ("a",)), FoundServer("3", places[3].url, ("b",))]
    assert await find_servers(places) == []


async def test_a_hostile_port_neither_holds_up_nor_ends_the_search() -> None:
    modes = [mode for mode in PROTOCOL_MODES if mode.name in ("hang", "slow-drip", "endless-body", "wrong-json", "401")]
    assert len(modes) == 5
    async with AsyncExitStack() as stack:
        servers = [*(Server({"/v1/models": mode.reply}) for mode in modes), _listing("a")]
        urls = [await stack.enter_async_context(serving(server)) for server in servers]
        found = await find_servers([_place(url, str(number)) for number, url in enumerate(urls)])
    assert [each.name for each in found] == ["5"]


async def test_the_models_of_a_server_are_those_that_write() -> None:
    async with serving(_listing("a", "text-embedding-3", "whisper-1", "b")) as url:
        assert await text_models(EngineConfig(kind="openai", url=url)) == ("a", "b")


def _place(url: str, name: str) -> UsualPlace:
    return UsualPlace(name, int(url.rstrip("/").removesuffix("/v1").rpartition(":")[2]))
