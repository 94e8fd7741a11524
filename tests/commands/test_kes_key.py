"""``kes key create, info, ls, rm`` over a scripted KES."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.running import KES_API_KEY, Terminal
from tests.stub import kes_error, ok

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

pytestmark = pytest.mark.usefixtures("kes_env")

INFO = {
    "name": "k",
    "algorithm": "AES256",
    "created_at": "2026-11-23T12:41:36.5Z",
    "created_by": "3ecfcdf3",
}
EXISTS = "key already exists"
MISSING = "key does not exist"


def described(name: str = "k") -> httpx.Response:
    return httpx.Response(200, json=INFO | {"name": name})


def names(*found: str, more: str = "") -> httpx.Response:
    return httpx.Response(
        200, json={"names": list(found)} | ({"continue_at": more} if more else {})
    )


def test_create_makes_a_key_and_looks_at_it(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), described()]
    assert mcpy("kes", "key", "create", "k") == (0, "Created key `k`.\n", "")
    assert server.calls == ["PUT /v1/key/create/k", "GET /v1/key/describe/k"]
    assert str(server.requests[0].url) == "https://kes.test:7373/v1/key/create/k"


def test_create_makes_many_keys(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), described("a"), ok(), described("b")]
    result = mcpy("kes", "key", "create", "a", "b")
    assert result == (0, "Created key `a`.\nCreated key `b`.\n", "")


def test_a_key_that_exists_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(400, EXISTS)]
    assert mcpy("kes", "key", "create", "k") == (
        1,
        "",
        "mcpy: error: key `k`: key already exists\n"
        "mcpy: hint: mcpy kes key create --if-missing k\n",
    )


def test_a_key_that_exists_is_none_with_if_missing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(400, EXISTS)]
    assert mcpy("kes", "key", "create", "--if-missing", "k") == (
        0,
        "Key `k` was there already: nothing changed.\n",
        "",
    )


def test_a_create_that_was_cut_off_is_not_sent_again(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.ReadError("reset")]
    result = mcpy("kes", "key", "create", "k")
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr == "mcpy: error: the connection to kes.test:7373 broke: reset\n"


def test_who_may_create_need_not_be_allowed_to_look(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), kes_error(403, "not authorized: insufficient permissions")]
    assert mcpy("kes", "key", "create", "k").exit_code == 0


def test_a_key_that_is_not_there_after_creation_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), kes_error(404, MISSING)]
    assert mcpy("kes", "key", "create", "k").exit_code == 5


def test_being_refused_is_denied(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(403, "not authorized: insufficient permissions")]
    result = mcpy("kes", "key", "create", "k")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "not authorized: insufficient permissions" in result.stderr


@pytest.mark.parametrize("name", ["-k", "k-", "_", "a.b", "a/b", "k" * 81, "ü", ""])
@pytest.mark.parametrize("command", ["create", "rm", "info"])
def test_a_name_kes_would_refuse_is_refused_before_any_request(
    mcpy: Mcpy, command: str, name: str
) -> None:
    result = mcpy("kes", "key", command, "--", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"`{name}` is not a key name" in result.stderr


def test_json_of_create_names_the_key_and_the_change(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), described()]
    assert mcpy("kes", "key", "create", "k", "--json").objects == [
        {"status": "success", "name": "k", "change": "created"}
    ]


def test_info_shows_what_kes_tells(mcpy: Mcpy, server: Server) -> None:
    server.replies = [described()]
    assert mcpy("kes", "key", "info", "k") == (
        0,
        "Name      k\nAlgorithm AES256\nDate      2026-11-23T12:41:36.5Z\nOwner     3ecfcdf3\n",
        "",
    )


def test_json_of_info_is_that_of_kes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [described()]
    assert mcpy("--json", "kes", "key", "info", "k").objects == [INFO]


def test_info_of_a_missing_key_is_not_found(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(404, MISSING)]
    assert mcpy("kes", "key", "info", "k") == (
        5,
        "",
        "mcpy: error: key `k`: key does not exist\nmcpy: hint: mcpy kes key ls\n",
    )


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"name":1}', "<html>"])
def test_an_answer_that_is_not_kes_is_an_error(mcpy: Mcpy, server: Server, body: str) -> None:
    server.replies = [httpx.Response(200, text=body)]
    result = mcpy("kes", "key", "info", "k")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1


def test_ls_lists_all_names_sorted(mcpy: Mcpy, server: Server) -> None:
    server.replies = [names("b", "a")]
    assert mcpy("kes", "key", "ls") == (0, "a\nb\n", "")
    assert server.calls == ["GET /v1/key/list/"]


@pytest.mark.parametrize(
    ("pattern", "asked", "shown"),
    [
        ("my", "my", "my\nmy-a\nmy_b\n"),
        ("my*b", "my", "my_b\n"),
        ("m?", "m", "my\n"),
        ("my-", "my", "my-a\n"),
        ("my-*", "my", "my-a\n"),
    ],
)
def test_ls_shows_what_matches_the_pattern(
    mcpy: Mcpy, server: Server, pattern: str, asked: str, shown: str
) -> None:
    server.replies = [names("my", "my-a", "my_b")]
    assert mcpy("kes", "key", "ls", pattern) == (0, shown, "")
    assert server.calls == [f"GET /v1/key/list/{asked}"]


def test_a_listing_beyond_one_page_is_complete(mcpy: Mcpy, server: Server) -> None:
    """KES stops after 1,024 names and cannot go on from there."""
    keys = [f"key{i:04}" for i in range(1100)] + ["key-x", "zz"]

    def answer(request: httpx.Request) -> httpx.Response:
        prefix = request.url.path.removeprefix("/v1/key/list/")
        assert not prefix.endswith("-")
        found = sorted(name for name in keys if name.startswith(prefix))
        server.replies.append(answer)
        return names(*found[:1024], more=found[1024] if len(found) > 1024 else "")

    server.replies = [answer]
    result = mcpy("kes", "key", "ls")
    server.replies.clear()
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(result.stdout.split()) == sorted(keys)
    assert len(result.stdout.split()) == len(keys)


def test_a_listing_without_names_is_not_an_empty_one(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={})]
    result = mcpy("kes", "key", "ls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a list without `names`" in result.stderr


def test_a_kes_without_keys_lists_nothing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"names": None})]
    assert mcpy("kes", "key", "ls") == (0, "", "")


def test_rm_asks_before_it_deletes(mcpy: Mcpy) -> None:
    assert mcpy("kes", "key", "rm", "k") == (
        2,
        "",
        "mcpy: error: there is no terminal to ask on: Delete `k` for ever? "
        "What it encrypted becomes unreadable.\n"
        "mcpy: hint: mcpy kes key rm --yes k\n",
    )


@pytest.mark.parametrize(
    "looked", [kes_error(404, MISSING), kes_error(403, "not authorized: insufficient permissions")]
)
def test_rm_deletes_with_yes_and_looks_again(
    mcpy: Mcpy, server: Server, looked: httpx.Response
) -> None:
    server.replies = [ok(), looked]
    assert mcpy("kes", "key", "rm", "--yes", "--without-impact", "k") == (
        0,
        "Deleted key `k`.\n",
        "",
    )
    assert server.calls == ["DELETE /v1/key/delete/k", "GET /v1/key/describe/k"]


def test_a_key_that_is_still_there_was_not_deleted(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), httpx.Response(200, json={"name": "k"})]
    assert mcpy("kes", "key", "rm", "--yes", "--without-impact", "k") == (
        1,
        "",
        "mcpy: error: KES took the deletion of `k`, and still has the key\n",
    )


def test_rm_of_a_missing_key_is_not_found(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(404, MISSING)]
    assert mcpy("kes", "key", "rm", "-y", "--without-impact", "k").exit_code == 5


def test_rm_passes_over_a_missing_key_with_if_exists(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(404, MISSING)]
    result = mcpy("kes", "key", "rm", "-y", "--without-impact", "--if-exists", "k")
    assert result == (0, "Key `k` was not there: nothing changed.\n", "")


def test_a_second_server_is_asked_when_the_first_is_down(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.ConnectError("refused"), names("a")]
    env = {"KES_SERVER": "one.test:7373,two.test:7373"}
    assert mcpy("kes", "key", "ls", env=env) == (0, "a\n", "")
    assert {request.url.host for request in server.requests} == {"one.test", "two.test"}


def test_options_go_before_the_environment(mcpy: Mcpy, server: Server) -> None:
    server.replies = [names("a")]
    assert mcpy("kes", "key", "ls", "--server", "other.test:1").exit_code == 0
    assert server.requests[0].url.host == "other.test"


@pytest.mark.parametrize("name", ["MINIO_KES_SERVER", "KES_SERVER", "MINIO_KMS_KES_ENDPOINT"])
def test_every_name_of_the_server_is_read(mcpy: Mcpy, server: Server, name: str) -> None:
    server.replies = [names("a")]
    mcpy.env = {"HOME": mcpy.env["HOME"], "KES_API_KEY": KES_API_KEY}
    assert mcpy("kes", "key", "ls", env={name: "https://named.test:7373"}).exit_code == 0
    assert server.requests[0].url.host == "named.test"


def test_plain_http_is_refused(mcpy: Mcpy) -> None:
    assert mcpy("kes", "key", "ls", "--server", "http://kes.test") == (
        1,
        "",
        "mcpy: error: KES speaks TLS only, `http://kes.test` says http\n"
        "mcpy: hint: use https://\n",
    )


def test_no_identity_is_an_error_that_names_the_variables(mcpy: Mcpy) -> None:
    mcpy.env.pop("KES_API_KEY")
    result = mcpy("kes", "key", "ls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no client certificate and no API key is set" in result.stderr
    assert "export KES_CLIENT_KEY=FILE KES_CLIENT_CERT=FILE, or KES_API_KEY=" in result.stderr


def test_two_identities_are_refused(mcpy: Mcpy) -> None:
    env = {"KES_CLIENT_KEY": "root.key", "KES_CLIENT_CERT": "root.cert"}
    result = mcpy("kes", "key", "ls", env=env)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "an API key and a client certificate are two identities" in result.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("KES_CLIENT_KEY", "no client certificate is set"),
        ("KES_CLIENT_CERT", "no client private key is set"),
    ],
)
def test_half_an_identity_is_refused(mcpy: Mcpy, name: str, words: str) -> None:
    mcpy.env.pop("KES_API_KEY")
    result = mcpy("kes", "key", "ls", env={name: "file.pem"})
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


def test_a_certificate_file_that_is_not_there_is_named(mcpy: Mcpy) -> None:
    mcpy.env.pop("KES_API_KEY")
    mcpy.transport = None
    env = {"KES_CLIENT_KEY": "nowhere.key", "KES_CLIENT_CERT": "nowhere.cert"}
    assert mcpy("kes", "key", "ls", env=env) == (
        1,
        "",
        "mcpy: error: cannot read the client certificate nowhere.cert: "
        "No such file or directory\n",
    )


def test_rm_asks_a_person_and_does_nothing_at_no(
    mcpy: Mcpy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    result = mcpy(
        "kes", "key", "rm", "--without-impact", "k", stdin=Terminal("n\n"), stderr=Terminal()
    )
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing was done" in result.stderr
