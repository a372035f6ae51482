"""Texts that look like they hold a secret. All of them are made up here, in parts: scanners read this file, too."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rounds.asking.text_secrets import find_secret

_DRAWN = random.Random(13)
DIGITS = "0123456789abcdef"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def drawn(length: int, letters: str = LETTERS) -> str:
    return "".join(_DRAWN.choice(letters) for _ in range(length))


KEY = "\n".join(("-----BEGIN OPENSSH PRIVATE " + "KEY-----", drawn(70), drawn(70)))

SECRETS = {
    KEY: "a private key",
    KEY.replace("\n", "\\n"): "a private key",
    "-----BEGIN RSA PRIVATE "
    + f"KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{drawn(64)}": "a private key",
    "-----BEGIN PGP PRIVATE " + f"KEY BLOCK-----\nVersion: 1\n\n{drawn(64)}": "a private key",
    "PuTTY-User-Key-" + f"File-3: ssh-ed25519\nEncryption: none\n{drawn(64)}": "a private key",
    "AK" + "IA" + drawn(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"): "an AWS access key",
    f'aws_secret_access_key = "{drawn(40)}"': "a password or token",
    "gh" + f"p_{drawn(36)}": "a GitHub token",
    "github" + f"_pat_{drawn(22)}_{drawn(59)}": "a GitHub token",
    "gl" + f"pat-{drawn(20)}": "a GitLab token",
    "xo" + f"xb-{drawn(12, DIGITS)}-{drawn(12, DIGITS)}-{drawn(24)}": "a Slack token",
    "sk-" + f"ant-api03-{drawn(95)}": "an Anthropic key",
    "sk-" + f"proj-{drawn(64)}": "an OpenAI key",
    "sk-" + drawn(48): "an OpenAI key",
    "sk_" + f"live_{drawn(24)}": "a Stripe key",
    "AI" + f"za{drawn(35)}": "a Google key",
    "hf_" + drawn(34): "a Hugging Face token",
    "npm" + f"_{drawn(36)}": "an npm token",
    "ci" + f"o{drawn(32)}": "a crates.io token",
    "ey" + f"J{drawn(30)}.ey" + f"J{drawn(60)}.{drawn(43)}": "a JSON web token",
    f"API_TOKEN={drawn(32, DIGITS)}7a7": "a password or token",
    f"'password': '{drawn(20)}777!'": "a password or token",
    f'let secret: &str = "{drawn(32)}";': "a password or token",
    f"const client_secret := `{drawn(32)}`": "a password or token",
    f"curl -H 'Authorization: Bearer {drawn(40)}'": "a bearer token",
    f"postgres://app:{drawn(24)}@db/app": "a password",
}

NONE = (
    "Write a Rust function that sums a slice of i32.",
    "How do I parse a line such as `-----BEGIN PRIVATE " + "KEY-----` in Rust?",
    'if line == "-----BEGIN RSA PRIVATE " + "KEY-----" { state = State::Inside; }',
    "-----BEGIN PUBLIC KEY-----\n" + drawn(64),
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + drawn(43),
    "AK" + "IAIOSFODNN7EXAMPLE",
    "let token = lexer.next_token_of_kind2(TokenKind::Identifier16);",
    "let token = self.tokens[position_of_first_token_0 + 12];",
    "struct Parser { current_token: Option<TokenWithSpan>, password: String }",
    'password = "correct horse battery staple"',
    'password = "changeme-changeme-123456"',
    'api_key = "your-api-key-0123456789"',
    "API_KEY=${API_KEY_OF_PRODUCTION_2024}",
    'api_key: "<insert-1234-your-key-5678>"',
    'token: "xxxxxxxxxxxxxxxxxxxx1234"',
    'secret = std::env::var("CLIENT_SECRET_2024_12")?;',
    "postgres://user:password@localhost/app",
    "postgres://user:${POSTGRES_PASSWORD_123}@db/app",
    "https://example.org:8443/path/1234567890@home",
    "sk-loading-animation-with-many-parts sk_test_",
    "The sha256 is 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.",
    "id = 550e8400-e29b-41d4-a716-446655440000",
    "token: Utf8ToUtf16Converter,",
    "Utf8ToUtf16Converter and eyJust.eyJump",
)


@pytest.mark.parametrize(("text", "kind"), SECRETS.items(), ids=lambda value: value.strip()[:24])
@pytest.mark.parametrize("around", ["{}", "Why does this fail?\n\n```\n{}\n```\n", '{{"text": "it is:\\n{} "}}'])
def test_secrets_are_found_wherever_they_stand(text: str, kind: str, around: str) -> None:
    assert find_secret(around.format(text)) == kind


@pytest.mark.parametrize("text", NONE)
def test_code_and_documents_about_secrets_hold_none(text: str) -> None:
    assert find_secret(text) is None


@pytest.mark.parametrize("text", ["", "a" * 16, "0" * 40, "hunter2", "aaaaaaa1aaaaaa2aaaaa3aaa", "with_words_and_a_7"])
def test_what_is_not_random(text: str) -> None:
    assert find_secret(f'token = "{text}"') is None


@given(st.text(max_size=400))
def test_any_text_gives_a_kind_or_none(text: str) -> None:
    kind = find_secret(text)
    assert kind is None or kind.split()[0] in ("a", "an")


PIECES = (
    "eyJ", "eyJaaaaaaaa.", "sk-", "sk-ant-.", "token=", "token: &str ", "secret_", "pwd=1234567890123456a ", "bearer ",
    "://", "://a:", "AKIA", "\\n", '"', " ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN A A ", "PuTTY-User-Key-File-1:",
    "A" * 39 + "-", "a", "0",
)  # fmt: skip


@given(st.lists(st.sampled_from([*PIECES, *SECRETS]), min_size=1, max_size=4).map("".join))
def test_a_secret_is_found_or_not_but_never_told(text: str) -> None:
    kind = find_secret(text)
    assert kind is None or kind in set(SECRETS.values())


@pytest.mark.parametrize("piece", PIECES)
def test_time_is_linear(piece: str) -> None:
    """A scan that is quadratic would take minutes here instead of a tenth of a second."""
    assert find_secret(piece * (200_000 // len(piece))) is None
