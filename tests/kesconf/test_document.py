"""KES configurations as documents: lines, variables, durations, and what is no document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.errors import ConfigError
from mcpy.kesconf.document import parse, seconds
from mcpy.kesconf.reading import load_keystore
from mcpy.kesconf.stores import VaultStore

if TYPE_CHECKING:
    from pathlib import Path


def test_every_node_knows_its_path_and_line() -> None:
    root = parse("a:\n  b: x\nl:\n  - {n: 1}\n  - {n: 2}\n")
    assert (root.at("a.b").path, root.at("a.b").line, root.at("a.b").text) == ("a.b", 2, "x")
    second = root.at("l").items[1]
    assert (second.at("n").path, second.line) == ("l[1].n", 5)


def test_what_is_absent_or_null_is_false_and_knows_where_it_would_stand() -> None:
    root = parse("a:\n  b: x\nn: null\n")
    assert not root.at("a.c.d")
    assert not root.at("n")
    assert (root.at("a.c").path, root.at("a.c").line) == ("a.c", 1)


def test_a_variable_is_one_only_as_the_whole_value() -> None:
    root = parse('a: ${ X }\nb: x${X}\nc: "${Y}"\n')
    values = [root.at(name).expanded({"X": "found"}) for name in "abc"]
    assert values == ["found", "x${X}", None]


def test_merged_mappings_count_and_what_stands_in_the_file_goes_first() -> None:
    root = parse("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  a: 3\n")
    assert (root.at("y.a").text, root.at("y.b").text) == ("3", "2")


def test_the_first_of_several_documents_counts() -> None:
    assert parse("a: 1\n---\na: 2\n").at("a").text == "1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f is empty"),
        ("- a", "f:1: not a mapping of fields"),
        ("a: 1\nb: [", "f:2: not valid YAML: expected the node content, but found '<stream end>'"),
        ("a: 1\nb: 2\na: 3", "f:3: `a` stands twice, first in line 1"),
        ("a: &a [*a]", "f:1: too deep or too large for a KES config"),
    ],
)
def test_what_is_no_document_is_refused_by_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, name="f")
    assert str(caught.value) == message


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(ConfigError, match="too large"):
        parse("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "found"),
    [("", 0), ("0", 0), ("5m0s", 300), ("1.5h", 5400), ("-1s", -1), ("250ms", 0.25)],
)
def test_durations_are_those_of_go(text: str, found: float) -> None:
    assert seconds(text) == pytest.approx(found)


@pytest.mark.parametrize("text", ["5 m", "m", "1d", "1h30"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("https://me:throw-away@vault.test:8200", "must not hold a user"),
        ("me:throw-away@vault.test", "must not hold a user"),
        ("https://vault.test:99999", "is no URL"),
        ("https://[::1", "is no URL"),
    ],
)
def test_an_address_that_shows_a_password_or_is_none_is_refused(
    tmp_path: Path, address: str, fault: str
) -> None:
    path = tmp_path / "kes.yml"
    path.write_text(f"keystore:\n  vault:\n    endpoint: '{address}'\n")
    with pytest.raises(ConfigError) as caught:
        load_keystore(path, {})
    assert f"kes.yml:3: `keystore.vault.endpoint` {fault}" in str(caught.value)
    assert "throw-away" not in str(caught.value)


def test_a_token_of_the_operator_needs_no_sign_in_of_kes(tmp_path: Path) -> None:
    path = tmp_path / "kes.yml"
    path.write_text(
        "keystore: {vault: {endpoint: 'https://v', engine: /kv/, prefix: /kes/,"
        " approle: {id: '${ID}', secret: '${SECRET}'}}}\n"
    )
    store = load_keystore(path, {"MCPY_VAULT_TOKEN": "hush-hush"}).store
    assert isinstance(store, VaultStore)
    assert (store.login, store.engine, store.prefix) == (None, "kv", "kes")
    with pytest.raises(ConfigError, match="wants the environment variable ID"):
        load_keystore(path, {})
