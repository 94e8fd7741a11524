"""Aliases from elsewhere: ``MC_HOST_*``, ``MCPY_HOST_*`` and mc's ``config.json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mcpy.config import AliasStore, parse_host
from mcpy.errors import McpyError
from mcpy.mcconfig import read_mc_config
from mcpy.models import Alias, KesProfile
from tests.running import SECRET_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy

PLAY = Alias("play", "http://s3.test:9000", "access", SECRET_KEY)


@pytest.fixture
def store(tmp_path: Path) -> AliasStore:
    return AliasStore(tmp_path / "config", {})


HOSTS = [
    ("http://ak12:sk345678@s3.test:9000", "http://s3.test:9000", "ak12", "sk345678", ""),
    ("https://ak12:sk345678@s3.test/", "https://s3.test", "ak12", "sk345678", ""),
    ("https://ak12:sk34:tok:en@s3.test", "https://s3.test", "ak12", "sk34", "tok:en"),
    ("https://ak12:s@k/5+6@s3.test", "https://s3.test", "ak12", "s@k/5+6", ""),
    ("HTTPS://ak12:sk345678@s3.test", "https://s3.test", "ak12", "sk345678", ""),
    ("https://ak12:a%3Ab@s3.test", "https://s3.test", "ak12", "a%3Ab", ""),
    ("https://s3.test", "https://s3.test", "", "", ""),
    ("https://ak12:sk345678@[::1]:9000", "https://[::1]:9000", "ak12", "sk345678", ""),
]


@pytest.mark.parametrize(("value", "url", "access", "secret", "token"), HOSTS)
def test_mc_host_is_split_as_mc_does(
    value: str, url: str, access: str, secret: str, token: str
) -> None:
    found = parse_host("h", value, variable="MC_HOST_h")
    assert (found.url, found.access_key) == (url, access)
    assert (found.secret_key, found.session_token) == (secret, token)


def test_mcpy_host_is_percent_decoded_so_that_a_secret_may_hold_a_colon() -> None:
    found = parse_host("h", "https://ak12:a%3Ab%40c@s3.test", variable="MCPY_HOST_h")
    assert found.secret_key == "a:b@c"


@pytest.mark.parametrize(
    "value",
    [
        "s3.test",
        "ftp://a:hush-hush@s3.test",
        "https://a:hush-hush@",
        "https://a:hush-hush@s3.test/path",
        "https://a:hush-hush@s3.test?x",
        "https://only-access@s3.test",
        "https://a:hush-hush@s3.test:port",
        "nonsense:hush-hush",
    ],
)
@pytest.mark.parametrize("prefix", ["MC_HOST_", "MCPY_HOST_"])
def test_a_host_variable_that_is_wrong_is_named_and_not_repeated(
    mcpy: Mcpy, prefix: str, value: str
) -> None:
    mcpy.secrets.add("hush-hush")
    result = mcpy("ls", "h", env={prefix + "h": value})
    assert result.exit_code in {1, 2}
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


def test_the_environment_goes_before_the_file_and_mcpy_before_mc(store: AliasStore) -> None:
    store.put(PLAY)
    environ = {"MC_HOST_play": "http://mc.test", "MCPY_HOST_play": "http://mcpy.test"}
    assert AliasStore(store.folder, environ).get("play").url == "http://mcpy.test"
    del environ["MCPY_HOST_play"]
    assert AliasStore(store.folder, environ).get("play").url == "http://mc.test"
    environ["MC_HOST_play"] = ""
    assert AliasStore(store.folder, environ).get("play").url == PLAY.url


def test_an_alias_of_the_environment_keeps_the_kes_of_the_file(store: AliasStore) -> None:
    kes = KesProfile("https://kes.test:7373")
    store.put(Alias("play", "http://s3.test", kes=kes))
    found = AliasStore(store.folder, {"MC_HOST_play": "http://mc.test"}).get("play")
    assert (found.url, found.kes) == ("http://mc.test", kes)


def mc_file(tmp_path: Path, document: object) -> Path:
    file = tmp_path / "config.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def test_every_alias_of_mc_is_imported(mcpy: Mcpy, tmp_path: Path) -> None:
    aliases = {
        "one": {"url": "http://one.test", "accessKey": "ak12", "secretKey": "hush-hush"},
        "two": {
            "url": "https://two.test/",
            "accessKey": "ak34",
            "secretKey": "hush-hush",
            "sessionToken": "hush-token",
            "path": "on",
        },
    }
    mcpy.secrets |= {"hush-hush", "hush-token"}
    file = mc_file(tmp_path, {"version": "10", "aliases": aliases})
    result = mcpy("alias", "import", "--from-mc", str(file))
    assert result == (0, "Imported `one`.\nImported `two`.\n", "")
    assert mcpy.store.get("one").secret_key == "hush-hush"
    assert (mcpy.store.get("two").session_token, mcpy.store.get("two").path) == (
        "hush-token",
        "on",
    )
    assert mcpy.store.get("play").url == "http://s3.test:9000"


@pytest.mark.parametrize(
    "document",
    [
        "nonsense",
        [],
        {"version": "99", "aliases": {}},
        {"aliases": {}},
        {"version": "10"},
        {"version": "10", "aliases": []},
        {"version": "10", "aliases": {"a": {"url": "s3.test", "secretKey": "hush-hush"}}},
        {"version": "10", "aliases": {"9": {"url": "http://s3.test"}}},
        {"version": "10", "aliases": {"a": "b"}},
    ],
)
def test_a_file_that_is_none_of_mc_is_refused_whole(tmp_path: Path, document: object) -> None:
    with pytest.raises(McpyError) as caught:
        read_mc_config(mc_file(tmp_path, document))
    assert "config.json" in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_a_config_of_mc_that_is_not_there_is_named(mcpy: Mcpy, tmp_path: Path) -> None:
    result = mcpy("alias", "import", "--from-mc", str(tmp_path / "none.json"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "none.json: No such file or directory" in result.stderr


def test_what_mc_made_by_itself_is_left_out_and_named(mcpy: Mcpy, tmp_path: Path) -> None:
    aliases = {
        "gcs": {"url": "https://g.test", "accessKey": "YOUR-ACCESS-KEY-HERE", "secretKey": "YOUR"},
        "local": {"url": "http://localhost:9000", "accessKey": "", "secretKey": ""},
        "mine": {"url": "http://m.test", "accessKey": "ak12", "secretKey": "hush-hush"},
        "public": {"url": "https://play.min.io", "accessKey": "any", "secretKey": "hush-hush"},
    }
    mcpy.secrets.add("hush-hush")
    file = mc_file(tmp_path, {"version": "10", "aliases": aliases})
    assert mcpy("alias", "import", "--from-mc", str(file)) == (
        0,
        "Imported `mine`.\n",
        "mcpy: warning: `gcs` is left out: its keys are placeholders\n"
        "mcpy: warning: `local` is left out: it has no credentials\n"
        "mcpy: warning: `public` is left out: it is the public test server\n",
    )
    assert {alias.name for alias in mcpy.store.all()} == {"mine", "play"}


OTHERS = {
    "one": {"url": "http://one.test", "accessKey": "ak12", "secretKey": "hush-hush"},
    "play": {"url": "http://other.test", "accessKey": "ak12", "secretKey": "hush-hush"},
}


def test_an_alias_of_another_server_is_not_replaced(mcpy: Mcpy, tmp_path: Path) -> None:
    mcpy.secrets.add("hush-hush")
    file = mc_file(tmp_path, {"version": "10", "aliases": OTHERS})
    assert mcpy("alias", "import", "--from-mc", str(file)) == (
        8,
        "Imported `one`.\n",
        "mcpy: error: `play` is http://s3.test:9000 here and http://other.test in mc: "
        "not replaced\n"
        "mcpy: hint: mcpy alias import --from-mc --force to replace it\n"
        "mcpy: error: 1 of 2 failed\n",
    )
    assert mcpy.store.get("play").url == "http://s3.test:9000"


def test_an_alias_of_another_server_is_replaced_by_force(mcpy: Mcpy, tmp_path: Path) -> None:
    mcpy.secrets.add("hush-hush")
    file = mc_file(tmp_path, {"version": "10", "aliases": OTHERS})
    result = mcpy("alias", "import", "--force", "--from-mc", str(file))
    assert result == (0, "Imported `one`.\nImported `play`.\n", "")
    assert mcpy.store.get("play").url == "http://other.test"


@pytest.mark.parametrize("url", ["http://one.test", "http://one.test/"])
@pytest.mark.parametrize("whole", [True, False])
def test_what_mc_has_no_field_for_outlives_an_import(
    mcpy: Mcpy, tmp_path: Path, url: str, *, whole: bool
) -> None:
    kes = KesProfile("https://kes.test:7373", api_key="kes-key")
    mcpy.store.put(Alias("one", "http://one.test", "old", "old", ca="/ca.pem", kes=kes))
    mcpy.secrets |= {"hush-hush", "kes-key"}
    one = {"url": url, "accessKey": "ak12", "secretKey": "hush-hush"}
    document = {"version": "10", "aliases": {"one": one}} if whole else one
    words = ["--from-mc"] if whole else ["one"]
    result = mcpy("alias", "import", *words, str(mc_file(tmp_path, document)))
    assert result == (0, "Imported `one`.\n", "")
    found = mcpy.store.get("one")
    assert (found.secret_key, found.ca, found.kes) == ("hush-hush", "/ca.pem", kes)


def test_whom_mc_trusts_is_trusted_by_its_aliases_over_tls(mcpy: Mcpy, tmp_path: Path) -> None:
    mcpy.secrets.add("hush-hush")
    trusted = tmp_path / "certs" / "CAs"
    trusted.mkdir(parents=True)
    aliases = {"one": OTHERS["one"], "two": {**OTHERS["one"], "url": "https://two.test"}}
    file = mc_file(tmp_path, {"version": "10", "aliases": aliases})
    assert mcpy("alias", "import", "--from-mc", str(file)).exit_code == 0
    assert mcpy.store.get("two").ca == ""
    (trusted / "own.crt").write_text("PEM")
    assert mcpy("alias", "import", "--from-mc", str(file)).exit_code == 0
    assert (mcpy.store.get("one").ca, mcpy.store.get("two").ca) == ("", str(trusted.resolve()))


def test_the_config_of_mc_lies_where_its_variable_says(mcpy: Mcpy, tmp_path: Path) -> None:
    mcpy.secrets.add("hush-hush")
    mc_file(tmp_path, {"version": "10", "aliases": {"one": OTHERS["one"]}})
    result = mcpy("alias", "import", "--from-mc", env={"MC_CONFIG_DIR": str(tmp_path)})
    assert result == (0, "Imported `one`.\n", "")


def test_a_new_server_does_not_get_the_kes_of_the_old(store: AliasStore) -> None:
    kes = KesProfile("https://kes.test:7373", api_key="kes-key")
    store.put(Alias("play", "http://s3.test", kes=kes))
    store.put(Alias("play", "http://s3.test", "ak12", "hush-hush"))
    assert store.get("play").kes == kes
    store.put(Alias("play", "http://new.test", "ak12", "hush-hush"))
    assert store.get("play").kes is None


@pytest.mark.parametrize("prefix", ["MC_HOST_", "MCPY_HOST_"])
@pytest.mark.parametrize("credentials", [":", "", "ak12:", ":hush-hush"])
def test_unset_variables_in_an_alias_of_the_environment_are_no_anonymous_alias(
    mcpy: Mcpy, prefix: str, credentials: str
) -> None:
    mcpy.secrets.add("hush-hush")
    assert mcpy("ls", "ci", env={prefix + "ci": f"http://{credentials}@ci.test"}) == (
        1,
        "",
        f"mcpy: error: {prefix}ci holds an empty access key or secret key: "
        "is a variable unset?\n"
        f"mcpy: hint: http://HOST in {prefix}ci for no credentials\n",
    )
