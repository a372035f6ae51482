"""NetworkParams: what no network may use is refused by name, and every figure is in the digest."""

from dataclasses import asdict, fields, replace
from typing import Any

import pytest

from protocol import codec
from protocol.params import NetworkParams, ParamsError
from protocol.topics import topic
from tests.support.swarm import params

TABLE: dict[str, Any] = asdict(params("minimal"))
NAMES = [field.name for field in fields(NetworkParams)]
NUMBERS = [name for name in NAMES if isinstance(TABLE[name], int)]


def test_a_table_of_all_keys_makes_params() -> None:
    assert NetworkParams.from_mapping(TABLE) == params("minimal")


@pytest.mark.parametrize("name", NAMES)
def test_missing(name: str) -> None:
    table = {key: value for key, value in TABLE.items() if key != name}
    with pytest.raises(ParamsError, match=f"missing network parameter: {name}$"):
        NetworkParams.from_mapping(table)


def test_unknown() -> None:
    with pytest.raises(ParamsError, match="unknown network parameter: grace_s, zeal"):
        NetworkParams.from_mapping({**TABLE, "zeal": 1, "grace_s": 1})


@pytest.mark.parametrize("value", ["3", 3.0, True, None, [3]], ids=repr)
@pytest.mark.parametrize("name", NUMBERS)
def test_mistyped_numbers(name: str, value: Any) -> None:
    with pytest.raises(ParamsError, match=name):
        NetworkParams.from_mapping({**TABLE, name: value})


@pytest.mark.parametrize("value", ["", "n" * 65, 7, b"network", None], ids=repr)
@pytest.mark.parametrize("name", sorted(set(NAMES) - set(NUMBERS)))
def test_mistyped_names(name: str, value: Any) -> None:
    with pytest.raises(ParamsError, match=name):
        NetworkParams.from_mapping({**TABLE, name: value})


@pytest.mark.parametrize("name", NUMBERS)
def test_unbounded(name: str) -> None:
    for value in (-1, 1 << 40):
        with pytest.raises(ParamsError, match=name):
            NetworkParams.from_mapping({**TABLE, name: value})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"answers_min": 9}, "answers_min and judges_min must not exceed members_max"),
        ({"judges_min": 9}, "answers_min and judges_min must not exceed members_max"),
        ({"patience_ms_max": 10_001}, "patience_ms_max must not exceed phase_ms_max"),
        ({"offer_valid_ms": 1_999}, "offer_valid_ms must be at least twice offer_interval_ms"),
        ({"ride_along_bytes_max": 228 * 1024}, "ride_along_bytes_max must leave 32 KiB"),
    ],
    ids=str,
)
def test_related_bounds(changes: dict[str, int], says: str) -> None:
    with pytest.raises(ParamsError, match=says):
        NetworkParams.from_mapping({**TABLE, **changes})


def test_related_bounds_may_be_met_exactly() -> None:
    changes = {"answers_min": 8, "judges_min": 8, "patience_ms_max": 10_000, "offer_valid_ms": 2_000}
    NetworkParams.from_mapping({**TABLE, **changes, "ride_along_bytes_max": 223 * 1024})


def test_the_digest_changes_with_every_field() -> None:
    minimal = params("minimal")
    digests = {minimal.digest}
    for name in NAMES:
        value = TABLE[name]
        changed = value + "x" if isinstance(value, str) else value + 1
        digests.add(replace(minimal, **{name: changed}).digest)
    assert len(digests) == len(NAMES) + 1


def test_the_digest_is_of_the_values_alone() -> None:
    minimal = params("minimal")
    assert replace(minimal).digest == minimal.digest
    decoded = codec.decode(NetworkParams, codec.encode(minimal))
    assert isinstance(decoded, NetworkParams) and decoded.digest == minimal.digest


def test_a_topic_names_network_parameters_specialty_and_shard() -> None:
    minimal = params("minimal")
    assert topic(minimal, "rust", 3) == f"/strand/minimal/{minimal.digest.hex()[:32]}/rust/3"
    others = [
        topic(minimal, "rust", 4),
        topic(minimal, "go", 3),
        topic(replace(minimal, network="other"), "rust", 3),
        topic(replace(minimal, grace_ms=minimal.grace_ms + 1), "rust", 3),
    ]
    assert len({topic(minimal, "rust", 3), *others}) == 5
