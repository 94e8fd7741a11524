"""``alias set``: nothing is stored that was not proven."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.recordings import mc_answer, minio
from tests.running import KES_API_KEY, SECRET_KEY, Terminal
from tests.stub import s3_error, xml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

SET = ("alias", "set", "new", "http://new.test:9000")
KEYS = ("minioadmin", SECRET_KEY)


def buckets() -> httpx.Response:
    return minio("s3-list-buckets-empty")


def stored(mcpy: Mcpy) -> dict[str, Any]:
    return dict(tomllib.loads(mcpy.store.path.read_text())["aliases"])


def test_set_stores_what_a_server_took(mcpy: Mcpy, server: Server) -> None:
    server.replies = [buckets()]
    assert mcpy(*SET, *KEYS) == (0, "Added `new`.\n", "")
    assert str(server.requests[0].url) == "http://new.test:9000/"
    assert "Credential=minioadmin/" in server.requests[0].headers["authorization"]
    assert stored(mcpy)["new"] == {
        "url": "http://new.test:9000",
        "access_key": "minioadmin",
        "secret_key": SECRET_KEY,
        "path": "auto",
        "api": "s3v4",
    }


def test_credentials_that_may_not_list_buckets_are_proven_too(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(403, "AccessDenied")]
    assert mcpy(*SET, *KEYS).exit_code == 0
    assert "new" in stored(mcpy)


HTML = httpx.Response(403, html="<html><h1>Forbidden by the proxy</h1></html>")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (minio("s3-err-bad-secret"), 4),
        (minio("s3-err-bad-access-key"), 4),
        (HTML, 4),
        (httpx.Response(200, html="<html>hello</html>"), 1),
        (httpx.Response(200, text="{}"), 1),
        (httpx.Response(200), 1),
        (xml(200, "<ListBucketResult/>"), 1),
        (httpx.Response(404, text="404 page not found\n"), 5),
        (httpx.ConnectError("refused"), 6),
        (httpx.Response(307, headers={"location": "http://evil.test/"}), 1),
    ],
)
def test_nothing_is_stored_when_no_s3_server_took_the_credentials(
    mcpy: Mcpy, server: Server, reply: httpx.Response | Exception, code: int
) -> None:
    """The real mc stores them for a web page that answered 403."""
    before = mcpy.store.path.read_bytes()
    server.replies = [reply]
    result = mcpy(*SET, *KEYS)
    assert (result.exit_code, result.stdout) == (code, "")
    assert "Forbidden by" not in result.stderr
    assert result.stderr.startswith("mcpy: error: ")
    assert mcpy.store.path.read_bytes() == before


def test_set_without_proof_asks_nobody(mcpy: Mcpy) -> None:
    assert mcpy(*SET, *KEYS, "--no-verify").exit_code == 0
    assert "new" in stored(mcpy)


def test_set_may_be_anonymous(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(403, "AccessDenied")]
    assert mcpy(*SET, "--anonymous").exit_code == 0
    assert "authorization" not in server.requests[0].headers
    assert "access_key" not in stored(mcpy)["new"]


def test_the_keys_may_be_two_lines_of_stdin(mcpy: Mcpy, server: Server) -> None:
    server.replies = [buckets()]
    assert mcpy(*SET, stdin=f"minioadmin\r\n{SECRET_KEY}\r\n").exit_code == 0
    assert stored(mcpy)["new"]["secret_key"] == SECRET_KEY


def test_an_empty_stdin_is_no_anonymous_alias(mcpy: Mcpy) -> None:
    """The real mc stores an anonymous alias for an unset CI variable."""
    assert mcpy(*SET) == (
        2,
        "",
        "mcpy: error: both keys are empty: is a variable unset?\n"
        "mcpy: hint: --anonymous to mean it\n",
    )
    assert "new" not in stored(mcpy)


def test_empty_arguments_are_no_anonymous_alias(mcpy: Mcpy) -> None:
    assert mcpy(*SET, "", "").exit_code == 2
    assert "new" not in stored(mcpy)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("ab", SECRET_KEY), "the access key is shorter than 3 characters"),
        (("minioadmin", "short7c"), "the secret key is shorter than 8 characters"),
    ],
)
def test_a_key_that_is_too_short_is_not_repeated(
    mcpy: Mcpy, keys: tuple[str, str], words: str
) -> None:
    mcpy.secrets.add("short7c")
    assert mcpy(*SET, *keys) == (2, "", f"mcpy: error: {words}\n")


def test_the_secret_may_come_from_a_variable(mcpy: Mcpy, server: Server) -> None:
    server.replies = [buckets()]
    args = (*SET, "minioadmin", "--secret-key-env", "MY_SECRET")
    assert mcpy(*args, env={"MY_SECRET": SECRET_KEY}).exit_code == 0
    assert stored(mcpy)["new"]["secret_key"] == SECRET_KEY


def test_a_variable_that_is_not_set_is_an_error(mcpy: Mcpy) -> None:
    assert mcpy(*SET, "minioadmin", "--secret-key-env", "MY_SECRET") == (
        1,
        "",
        "mcpy: error: the environment variable MY_SECRET is not set\n",
    )


def test_the_secret_may_come_from_a_file(mcpy: Mcpy, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET_KEY + "\n")
    server.replies = [buckets()]
    assert mcpy(*SET, "minioadmin", "--secret-key-file", str(file)).exit_code == 0
    assert stored(mcpy)["new"]["secret_key"] == SECRET_KEY


def test_the_secret_may_be_one_line_of_stdin(mcpy: Mcpy, server: Server) -> None:
    server.replies = [buckets()]
    args = (*SET, "minioadmin", "--secret-key-file", "-")
    assert mcpy(*args, stdin=SECRET_KEY + "\n").exit_code == 0
    assert stored(mcpy)["new"]["secret_key"] == SECRET_KEY


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(
    mcpy: Mcpy, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "secret"
    if content:
        file.write_bytes(content)
    result = mcpy(*SET, "minioadmin", "--secret-key-file", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(file) in result.stderr


def test_the_secret_may_come_from_a_command(mcpy: Mcpy, server: Server) -> None:
    server.replies = [buckets()]
    args = (*SET, "minioadmin", "--secret-key-command", f"echo {SECRET_KEY}")
    assert mcpy(*args).exit_code == 0
    assert stored(mcpy)["new"]["secret_key"] == SECRET_KEY


def test_a_command_that_fails_is_not_repeated(mcpy: Mcpy) -> None:
    args = (*SET, "minioadmin", "--secret-key-command", f"echo {SECRET_KEY}; exit 3")
    assert mcpy(*args) == (1, "", "mcpy: error: the command for the secret key failed\n")


def test_two_ways_for_one_secret_are_refused(mcpy: Mcpy) -> None:
    args = (*SET, *KEYS, "--secret-key-env", "MY_SECRET")
    result = mcpy(*args, env={"MY_SECRET": "another-secret"})
    assert result == (2, "", "mcpy: error: the secret key was given in two ways\n")


def test_a_session_token_is_sent_and_stored(mcpy: Mcpy, server: Server) -> None:
    server.replies = [buckets()]
    mcpy.secrets.add("the-session-token")
    args = (*SET, *KEYS, "--session-token-env", "TOKEN")
    assert mcpy(*args, env={"TOKEN": "the-session-token"}).exit_code == 0
    assert server.requests[0].headers["x-amz-security-token"] == "the-session-token"
    assert stored(mcpy)["new"]["session_token"] == "the-session-token"


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9000",
        "ftp://s3.test",
        "http://",
        "http://s3.test/path",
        "http://s3.test?x=1",
        "http://user:pass@s3.test",
        "http://s3.test:99999",
        "http://s3.test:port",
        "http://[::1",
    ],
)
def test_a_url_that_is_none_is_refused(mcpy: Mcpy, url: str) -> None:
    result = mcpy("alias", "set", "new", url, *KEYS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("mcpy: error: the URL must ")


@pytest.mark.parametrize("name", ["9bad", "-", "a b", "ü", "a.b", "a/b"])
def test_a_name_that_is_none_is_refused(mcpy: Mcpy, name: str) -> None:
    result = mcpy("alias", "set", "--no-verify", "--", name, "http://s3.test", *KEYS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"`{name}` is not an alias name" in result.stderr


def test_a_slash_after_name_and_url_is_passed_over(mcpy: Mcpy) -> None:
    assert mcpy("alias", "set", "new/", "http://new.test/", *KEYS, "--no-verify").exit_code == 0
    assert stored(mcpy)["new"]["url"] == "http://new.test"


def test_an_alias_carries_its_kes(mcpy: Mcpy) -> None:
    kes = ("--kes-server", "https://kes.test:7373", "--kes-api-key-env", "KEY")
    result = mcpy(*SET, *KEYS, "--no-verify", *kes, env={"KEY": KES_API_KEY})
    assert result.exit_code == 0
    assert stored(mcpy)["new"]["kes"] == {
        "server": "https://kes.test:7373",
        "api_key": KES_API_KEY,
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--kes-cert", "c.pem"), "the KES of an alias needs a server"),
        (
            ("--kes-server", "k", "--kes-cert", "c.pem", "--kes-api-key-env", "KEY"),
            "an API key and a client certificate are two identities",
        ),
    ],
)
def test_a_kes_that_cannot_be_is_refused(mcpy: Mcpy, options: tuple[str, ...], words: str) -> None:
    result = mcpy(*SET, *KEYS, "--no-verify", *options, env={"KEY": KES_API_KEY})
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert "new" not in stored(mcpy)


def test_json_of_set_has_the_fields_of_mc_and_no_secret(mcpy: Mcpy, server: Server) -> None:
    server.replies = [buckets()]
    (answer,) = mcpy("--json", *SET, *KEYS).objects
    assert mc_answer("alias-set-limited-user-json").keys() <= answer.keys()
    assert answer["secretKey"] == "*REDACTED*"


def test_a_refused_set_in_json_has_the_error_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("s3-err-bad-access-key")]
    (answer,) = mcpy("--json", *SET, *KEYS).objects
    recorded = mc_answer("alias-set-bad-access-json")
    assert recorded["error"].keys() <= answer["error"].keys()
    cause = answer["error"]["cause"]
    assert cause["error"]["Code"] == recorded["error"]["cause"]["error"]["Code"]
    assert recorded["error"]["cause"]["error"].keys() <= cause["error"].keys()


def test_prompts_are_on_stderr_and_hide_the_secret(
    mcpy: Mcpy, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["minioadmin", SECRET_KEY])
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(answers))
    server.replies = [buckets()]
    assert mcpy(*SET, stdin=Terminal("")).exit_code == 0
    assert stored(mcpy)["new"]["secret_key"] == SECRET_KEY


def test_a_wrong_secret_key_is_named_with_its_alias(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("s3-err-bad-secret")]
    assert mcpy("ls", "play") == (
        4,
        "",
        "mcpy: error: SignatureDoesNotMatch: the secret key of alias `play` is wrong\n"
        "mcpy: hint: mcpy alias set play http://s3.test:9000 minioadmin\n",
    )


def test_a_wrong_secret_key_of_the_environment_is_named_with_its_variable(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [minio("s3-err-bad-secret")]
    result = mcpy("admin", "info", "ci", env={"MC_HOST_ci": f"http://ak12:{SECRET_KEY}@s3.test"})
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == (
        "mcpy: error: SignatureDoesNotMatch: the secret key of alias `ci` is wrong\n"
        "mcpy: hint: correct the variable MC_HOST_ci\n"
    )


def test_an_alias_nested_without_end_is_refused(mcpy: Mcpy) -> None:
    assert mcpy("alias", "import", "new", stdin="[" * 100_000) == (
        1,
        "",
        "mcpy: error: stdin is not an alias as mc writes it\n",
    )


def test_an_address_without_names_before_it_is_not_stored_with_buckets_there(mcpy: Mcpy) -> None:
    result = mcpy("alias", "set", "new", "http://[::1]", "access", "secret-key", "--path", "off")
    assert result == (
        1,
        "",
        "mcpy: error: `new` has the address ::1, and no bucket's name can stand before it\n"
        "mcpy: hint: mcpy alias set --path on new http://[::1]\n",
    )
    assert [alias.name for alias in mcpy.store.all()] == ["play"]


def test_style_and_signature_are_stored_with_an_alias(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("after-unfreeze-list")]
    words = ("access", "secret-key", "--path", "off", "--api", "s3V2")
    assert mcpy("alias", "set", "new", "http://h.test", *words) == (0, "Added `new`.\n", "")
    stored = mcpy.store.get("new")
    assert (stored.path, stored.api) == ("off", "s3v2")
    assert server.requests[0].headers["authorization"].startswith("AWS access:")
