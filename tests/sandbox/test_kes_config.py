"""KES configurations: what is read, and what is wrong in a real server's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcpy.kesconf.stores import FsStore, VaultStore
from mcpy.sandbox.kes.config import ApiOption, load, log_level, parse
from mcpy.sandbox.kes.document import ConfigProblem
from mcpy.sandbox.kes.policy import Policy, valid_name, valid_pattern

BASE = """
admin: {identity: root}
tls: {key: k.pem, cert: c.pem}
keystore: {fs: {path: keys}}
"""


def with_(text: str) -> str:
    """Return the smallest good configuration with a section replaced or added."""
    name = text.split(":", 1)[0]
    kept = [line for line in BASE.strip().splitlines() if not line.startswith(name + ":")]
    return "\n".join([*kept, text])


def test_everything_that_counts_is_read() -> None:
    config = parse(
        """
version: v1
address: 127.0.0.1:7373
admin: {identity: "${ADMIN}"}
tls: {key: k.pem, cert: c.pem, password: "${ PASS }", auth: on, ca: ca.pem}
policy:
  app:
    allow: [/v1/key/create/*, "${NOT_EXPANDED}"]
    deny: [/v1/key/create/x]
    identities: ["${APP}", bb]
cache: {expiry: {any: 5m0s, unused: 20s}}
log: {error: WARN+2, audit: off}
api:
  /v1/ready: {skip_auth: true, timeout: 1m30s}
  /v1/status: {skip_auth: false}
keys: [{name: a}, {name: b}]
keystore: {fs: {path: "${KEYS}"}}
unknown: {is: ignored}
""",
        {"ADMIN": "root", "PASS": "p", "APP": "aa", "KEYS": "/keys"},
    )
    assert (config.address, config.admin, config.store) == (
        "127.0.0.1:7373",
        "root",
        FsStore("/keys"),
    )
    assert (config.tls.password, config.tls.verify, config.tls.ca) == ("p", True, Path("ca.pem"))
    assert config.policies["app"].allow == {"/v1/key/create/*", "${NOT_EXPANDED}"}
    assert set(config.identities()) == {"aa", "bb"}
    assert config.api == {"/v1/ready": ApiOption(True, 90), "/v1/status": ApiOption()}
    assert (config.keys, config.error_level, config.audit_level) == (("a", "b"), 6, 9)
    assert not config.needs_certificate
    assert "password" not in repr(config)


def test_little_is_needed() -> None:
    config = parse(BASE, {})
    assert (config.needs_certificate, config.tls.verify, config.error_level) == (True, False, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "yaml: config is empty"),
        ("version: v2", "edge: invalid server config version 'v2'"),
        ("version: {a: b}", "kesconf: invalid config version at line '4'"),
        ("admin: {}", "kesconf: invalid admin identity: no admin identity"),
        ("tls: {cert: c}", "kesconf: invalid tls config: no private key"),
        ("tls: {key: k}", "kesconf: invalid tls config: no certificate"),
        ("tls: {key: k, cert: c, auth: maybe}",
         "kesconf: invalid tls config: invalid auth '{ maybe}'"),
        ("tls: {key: k, cert: c, proxy: {identities: [root]}}",
         "kesconf: invalid tls proxy: identity 'root' is already admin"),
        ("policy: {p: {identities: [root]}}",
         "kesconf: invalid policy 'p': identity 'root' is already admin"),
        ("policy: {p: {identities: [a]}, q: {identities: [a]}}",
         "kes: cannot assign policy 'q' to 'a': identity already has a policy"),
        ("policy: {a.b: {}}",
         "kes: policy name 'a.b' is empty, too long or contains invalid characters"),
        ("cache: {expiry: {any: -1s}}", "kesconf: invalid cache expiry '-1s'"),
        ("cache: {expiry: {unused: -1s}}", "kesconf: invalid cache unused expiry '-1s'"),
        ("cache: {expiry: {offline: -1s}}", "kesconf: invalid offline cache expiry '-1s'"),
        ("api: {/v1/ready: {timeout: -1ms}}",
         "kesconf: invalid timeout '-1000000' for API '/v1/ready'"),
        ("keys: [{name: k}, {name: k}]",
         "kesconf: invalid key config: key 'k' is defined multiple times"),
        ("keystore: {}", "kesconf: no keystore specified"),
        ("keystore: {fortanix: {}, fs: {path: a}, vault: {endpoint: b}}",
         "kesconf: invalid keystore config: more than once keystore specified"),
        ("keystore: {fs: {a: b}}",
         "kesconf: invalid fs keystore: config:3: `keystore.fs.path` is missing"),
        ("keystore: {vault: {endpoint: e}}",
         "kesconf: invalid vault keystore: no authentication method specified"),
        ("keystore: {fortanix: {sdkms: {endpoint: e}}}",
         "kesconf: invalid fortanix keystore: config: the keystore `fortanix` is not supported by "
         "mcpy"),
        ("address: '${NOPE}'",
         "kesconf: referenced env. variable 'NOPE' in line '4' not found"),
        ("log: {error: BOGUS}", 'strconv.Atoi: parsing "BOGUS": invalid syntax'),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_refused_in_the_servers_words(text: str, message: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        parse(with_(text) if text else "", {})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text", ["admin: [", "- a", "a: 1\na: 2", "tls: 3", "policy: {p: {allow: 3}}"]
)
def test_what_is_not_such_a_document_is_refused(text: str) -> None:
    with pytest.raises(ConfigProblem, match="yaml"):
        parse(with_(text), {})


@pytest.mark.parametrize(
    ("text", "level"),
    [("", 0), ("on", 0), ("off", 9), ("debug", -4), ("Warn", 4), ("ERROR+1", 9), ("-7", -7)],
)
def test_log_levels_have_names_and_numbers(text: str, level: int) -> None:
    assert log_level(text) == level


@pytest.mark.parametrize("text", ["WARNING", "INFO+x", "INFO+", "INFO-1"])
def test_other_log_levels_are_refused(text: str) -> None:
    with pytest.raises(ConfigProblem, match="kesconf: invalid log level"):
        log_level(text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem):
        load(tmp_path / "kes.yml", {})


def test_a_keystore_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    config = parse(with_(f"keystore: {{fs: {{path: {tmp_path / 'keys'}}}}}"), {})
    with pytest.raises(ConfigProblem, match="is not a directory"):
        config.open_keystore()


@pytest.mark.parametrize("name", ["a", "A-1_b", "__", "_a", "x" * 80])
def test_names(name: str) -> None:
    assert valid_name(name)
    assert valid_pattern(name)


@pytest.mark.parametrize("name", ["", "_", "-a", "a-", "a.b", "a/b", "ü", "x" * 81, "a*", "a\n"])
def test_names_that_are_none(name: str) -> None:
    assert not valid_name(name)


def test_a_kes_signs_in_by_its_file_whatever_token_an_operator_has_around() -> None:
    vault = "{endpoint: 'http://v', approle: {id: role, secret: throw-away}}"
    env = {"MCPY_VAULT_TOKEN": "throw-away-token"}
    store = parse(with_(f"keystore: {{vault: {vault}}}"), env).store
    assert isinstance(store, VaultStore)
    assert store.login is not None
    assert store.login.name == "role"


@pytest.mark.parametrize(
    ("pattern", "good"),
    [
        ("", True), ("*", True), ("a*", True), ("a-*", True), ("_*", True), ("x" * 79 + "*", True),
        ("a-", False), ("_", False), ("-*", False), ("a*b", False), ("**", False),
        ("x" * 80 + "*", False),
    ],
)  # fmt: skip
def test_patterns_end_in_a_star_or_in_no_hyphen(pattern: str, good: bool) -> None:
    assert valid_pattern(pattern) is good


def test_a_denial_beats_whatever_allows() -> None:
    policy = Policy("p", frozenset({"/v1/key/*", "/v1/status"}), frozenset({"/v1/key/delete/*"}))
    assert policy.permits("/v1/key/create/a")
    assert policy.permits("/v1/status")
    assert not policy.permits("/v1/key/delete/a")
    assert not policy.permits("/v1/status/")
    assert not Policy("empty").permits("/v1/status")
