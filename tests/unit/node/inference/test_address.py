"""Addresses of model servers as users paste them, and what of them is shown."""

from pathlib import Path

import pytest

from node.inference.address import parse_address, parse_proxy, trusted_authorities
from node.inference.config import EngineConfig, hide_secrets
from node.inference.ports import EngineError

CHAT = "/v1/chat/completions"

ADDRESSES = [
    # given, where a chat goes, where /metrics is asked for
    ("http://h:8000", "http://h:8000/v1/chat/completions", "http://h:8000/metrics"),
    (" http://h:8000/ ", "http://h:8000/v1/chat/completions", "http://h:8000/metrics"),
    ("http://h:8000/v1", "http://h:8000/v1/chat/completions", "http://h:8000/metrics"),
    ("http://h:8000/v1/", "http://h:8000/v1/chat/completions", "http://h:8000/metrics"),
    ("http://h/v1/chat/completions", "http://h/v1/chat/completions", "http://h/metrics"),
    ("http://h/v1/completions/", "http://h/v1/chat/completions", "http://h/metrics"),
    ("http://h/v1/models", "http://h/v1/chat/completions", "http://h/metrics"),
    ("https://h/v1beta/openai", "https://h/v1beta/openai/chat/completions", "https://h/v1beta/openai/metrics"),
    ("https://h/v1beta/openai/", "https://h/v1beta/openai/chat/completions", "https://h/v1beta/openai/metrics"),
    ("https://h/api/paas/v4", "https://h/api/paas/v4/chat/completions", "https://h/api/paas/v4/metrics"),
    (
        "https://h/api/paas/v4/chat/completions",
        "https://h/api/paas/v4/chat/completions",
        "https://h/api/paas/v4/metrics",
    ),
    ("https://h/openai/v1", "https://h/openai/v1/chat/completions", "https://h/openai/metrics"),
    # It was copied from a server whose API has no /v1.
    ("https://h/chat/completions", "https://h/chat/completions", "https://h/metrics"),
    (
        "https://h/openai/deployments/m/chat/completions?api-version=2024-10-21",
        "https://h/openai/deployments/m/chat/completions?api-version=2024-10-21",
        "https://h/openai/deployments/m/metrics?api-version=2024-10-21",
    ),
    ("https://h?api-version=1&x=%20y", "https://h/v1/chat/completions?api-version=1&x=%20y", "https://h/metrics?api-version=1&x=%20y"),
    ("http://h/v1#part", "http://h/v1/chat/completions", "http://h/metrics"),
    ("http://[::1]:8000", "http://[::1]:8000/v1/chat/completions", "http://[::1]:8000/metrics"),
    ("http://u:p@h/v1", "http://u:p@h/v1/chat/completions", "http://u:p@h/metrics"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "chat", "metrics"), ADDRESSES)
def test_a_base_url_is_used_as_it_is(given: str, chat: str, metrics: str) -> None:
    address = parse_address(given)
    assert (address.of(CHAT), address.of("/metrics")) == (chat, metrics)
    assert "@" not in address.shown and "?" not in address.shown


@pytest.mark.parametrize(
    "given", ["", "h:8000", "ftp://h", "http://", "http://[::", "/v1", "http://u:hush-hush@h:port"]
)
def test_what_is_no_address_is_refused_without_its_password(given: str) -> None:
    with pytest.raises(EngineError, match="is not valid") as refusal:
        parse_address(given)
    assert "hush" not in str(refusal.value)


HIDDEN = [
    ("http://h:8000/v1", "http://h:8000/v1"),
    ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ("http://h/a@b", "http://h/a@b"),
    ("http://user:hush@h/v1", "http://[secret]@h/v1"),
    ("http://hush@h/v1", "http://[secret]@h/v1"),
    ("http://user:hu@sh@h/v1", "http://[secret]@h/v1"),
    # A slash ends the host, so that this is no URL; its password is shown nevertheless by whoever trusts the parser.
    ("http://user:hu/sh@h/v1", "http://[secret]@h/v1"),
    ("https://h/v1beta?key=hush&a=b", "https://h/v1beta?key=[secret]&a=b"),
    ("https://h/v1?api-version=1", "https://h/v1?api-version=1"),
    ("no url", "no url"),
]


@pytest.mark.parametrize(("url", "shown"), HIDDEN)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert hide_secrets(url) == shown


def test_the_passwords_of_urls_are_secrets_as_the_key_is() -> None:
    config = EngineConfig(api_key="key", url="http://u:p%40ss@h", proxy="http://u:word@p:1")
    assert set(config.secrets) == {"key", "p%40ss", "p@ss", "word"}
    assert EngineConfig(url="http://[", proxy="").secrets == ()


@pytest.mark.parametrize("proxy", ["socks5://h:1", "h:1", "http://", "http://u:hush@h:port"])
def test_a_proxy_that_cannot_work_is_refused(proxy: str) -> None:
    with pytest.raises(EngineError, match=r"engine\.proxy .* is not valid: it must") as refusal:
        parse_proxy(proxy)
    assert "hush" not in str(refusal.value)


def test_authorities_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent, empty = tmp_path / "absent.pem", tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(EngineError, match=f"engine.ca_file {absent} cannot be used: No such file"):
        trusted_authorities(str(absent))
    with pytest.raises(EngineError, match=f"engine.ca_file {empty} cannot be used: it holds no certificate"):
        trusted_authorities(str(empty))
    monkeypatch.setenv("SSL_CERT_FILE", str(absent))
    with pytest.raises(EngineError, match="SSL_CERT_FILE"):
        trusted_authorities("")
