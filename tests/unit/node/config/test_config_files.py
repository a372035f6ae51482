"""What writes configurations, and the profiles that they belong to."""

import socket
import tomllib

import pytest

from node.config import Profile, ProfileError, free_ports
from node.config.profiles import FIRST_PORT, PROFILES_MAX, is_free, profile_names
from node.toml import toml_text, toml_value
from tests.support.home import home as home


@pytest.mark.parametrize(
    "value",
    [True, 7, 0.5, "", 'a "quoted" \\ folder\x7f, \N{SNOWMAN}\n', ["a", 1], {"a b": {"c": 1.0}, '"': []}],
)
def test_what_is_written_is_read(value: object) -> None:
    assert tomllib.loads(f"value = {toml_value(value)}") == {"value": value}


@pytest.mark.parametrize("value", [None, object(), "\udcff"])
def test_what_toml_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"TOML has no|not UTF-8"):
        toml_value(value)


def test_comments_stand_before_what_they_explain() -> None:
    tables = {"node": {"name": "a", "shard": None}, "gold": {"file": None}, "log": {"level": "info"}}
    text = toml_text(tables, {"node.name": "Yours.", "log": "Two\nlines.", "gold": "Nowhere."})
    assert text == '[node]\n# Yours.\nname = "a"\n\n# Two\n# lines.\n[log]\nlevel = "info"\n'


@pytest.mark.parametrize("name", ["", "A", "../x", "a/b", "-a", "a" * 33, "a b"])
def test_a_profile_has_the_name_of_a_plain_folder(name: str) -> None:
    with pytest.raises(ProfileError, match="--profile"):
        Profile(name)


def test_ports_of_other_profiles_and_of_listeners_are_left_alone() -> None:
    for number, text in enumerate(
        (f'[api]\nbind = "127.0.0.1:{FIRST_PORT}"\n', "no TOML", "[api]\nbind = 7\n[overlay]\nlisten = 3\n"), 1
    ):
        file = Profile(f"p{number}").file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert profile_names() == ["p1", "p2", "p3"]
    port, peers_port = free_ports()
    assert FIRST_PORT < port < peers_port
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free("127.0.0.1", port)
        assert not {port, peers_port} & set(free_ports())
    assert is_free("127.0.0.1", port)


def test_too_many_profiles_are_not_looked_at() -> None:
    folder = Profile("p").file.parent
    folder.mkdir(parents=True)
    for number in range(PROFILES_MAX + 5):
        (folder / f"p{number}.toml").touch()
    assert len(profile_names()) == PROFILES_MAX
