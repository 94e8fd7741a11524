"""What a key does: data keys, messages, HMACs, imports and listings, as `kes` words them."""

from __future__ import annotations

import base64
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.recordings import kes_vectors
from tests.stub import kes_error, ok

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

pytestmark = pytest.mark.usefixtures("kes_env")

KEY = kes_vectors()["encrypt"]["key_b64"]
CIPHERTEXT = kes_vectors()["encrypt"]["aes256_ciphertext_b64"]
PLAINTEXT = kes_vectors()["encrypt"]["plaintext_b64"]
DATA_KEY = base64.b64encode(bytes(range(32))).decode()
INFO = {"name": "k", "algorithm": "ChaCha20", "created_at": "2026-11-23T12:41:36Z"}


def names(*found: str) -> httpx.Response:
    return httpx.Response(200, json={"names": list(found)})


def asked(server: Server, index: int = 0) -> object:
    return json.loads(server.requests[index].content)


def test_a_data_key_is_json_in_a_pipe_as_in_kes(mcpy: Mcpy, server: Server) -> None:
    made = {"plaintext": DATA_KEY, "ciphertext": CIPHERTEXT}
    server.replies = [httpx.Response(200, json=made)]
    line = f'{{"plaintext":"{DATA_KEY}","ciphertext":"{CIPHERTEXT}"}}\n'
    assert mcpy("kes", "key", "dek", "k", "Y3R4") == (0, line, "")
    assert server.calls == ["PUT /v1/key/generate/k"]
    assert asked(server) == {"context": "Y3R4"}


def test_a_raw_data_key_is_its_bytes_alone(mcpy: Mcpy, server: Server) -> None:
    made = {"plaintext": DATA_KEY, "ciphertext": CIPHERTEXT}
    server.replies = [httpx.Response(200, json=made)]
    assert mcpy("kes", "key", "dek", "k", "--raw") == (0, bytes(range(32)).decode(), "")
    assert asked(server) == {}


def test_a_data_key_of_another_size_is_refused_unseen(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"plaintext": "AAEC", "ciphertext": CIPHERTEXT})]
    result = mcpy("kes", "key", "dek", "k")
    assert result == (1, "", "mcpy: error: KES answered a `plaintext` of 3 bytes\n")


def test_a_message_is_encrypted_with_its_context(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"ciphertext": CIPHERTEXT})]
    result = mcpy("kes", "key", "encrypt", "k", "hello world", "Y3R4")
    assert result == (0, f'{{"ciphertext":"{CIPHERTEXT}"}}\n', "")
    assert server.calls == ["PUT /v1/key/encrypt/k"]
    assert asked(server) == {"plaintext": PLAINTEXT, "context": "Y3R4"}


def test_a_message_comes_from_stdin(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"ciphertext": CIPHERTEXT})]
    assert mcpy("kes", "key", "encrypt", "k", "-", stdin="hello world").exit_code == 0
    assert asked(server) == {"plaintext": PLAINTEXT}


def test_a_message_comes_from_a_file(mcpy: Mcpy, server: Server, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(b"hello world")
    server.replies = [httpx.Response(200, json={"ciphertext": CIPHERTEXT})]
    assert mcpy("kes", "key", "encrypt", "k", f"@{tmp_path}/message").exit_code == 0
    assert asked(server) == {"plaintext": PLAINTEXT}


def test_a_message_file_that_is_not_there_is_named(mcpy: Mcpy) -> None:
    assert mcpy("kes", "key", "encrypt", "k", "@/no/such") == (
        1,
        "",
        "mcpy: error: cannot read /no/such: No such file or directory\n"
        "mcpy: hint: an argument that starts with @ names a file; `-` reads stdin\n",
    )


def test_a_message_too_large_for_kes_is_refused_before_it_is_sent(mcpy: Mcpy) -> None:
    assert mcpy("kes", "key", "encrypt", "k", "-", stdin="x" * 740_001) == (
        2,
        "",
        "mcpy: error: 740001 bytes are more than the 740000 a KES takes\n"
        "mcpy: hint: mcpy kes key dek NAME makes a key to encrypt large data with\n",
    )


def test_a_ciphertext_is_decrypted(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"plaintext": PLAINTEXT})]
    result = mcpy("kes", "key", "decrypt", "k", CIPHERTEXT, "Y3R4")
    assert result == (0, f'{{"plaintext":"{PLAINTEXT}"}}\n', "")
    assert asked(server) == {"ciphertext": CIPHERTEXT, "context": "Y3R4"}


@pytest.mark.parametrize("form", [CIPHERTEXT, f'{{"ciphertext":"{CIPHERTEXT}"}}\n'])
def test_a_ciphertext_is_read_as_it_was_printed(mcpy: Mcpy, server: Server, form: str) -> None:
    server.replies = [httpx.Response(200, json={"plaintext": PLAINTEXT})]
    result = mcpy("kes", "key", "decrypt", "k", "-", "--raw", stdin=form)
    assert result == (0, "hello world", "")
    assert asked(server) == {"ciphertext": CIPHERTEXT}


def test_a_ciphertext_file_may_hold_its_bytes(mcpy: Mcpy, server: Server, tmp_path: Path) -> None:
    (tmp_path / "sealed").write_bytes(base64.b64decode(CIPHERTEXT))
    server.replies = [httpx.Response(200, json={"plaintext": PLAINTEXT})]
    assert mcpy("kes", "key", "decrypt", "k", f"@{tmp_path}/sealed", "--raw").stdout == (
        "hello world"
    )
    assert asked(server) == {"ciphertext": CIPHERTEXT}


def test_a_ciphertext_that_is_no_base64_is_a_usage_error(mcpy: Mcpy) -> None:
    assert mcpy("kes", "key", "decrypt", "k", "***") == (
        2,
        "",
        "mcpy: error: the ciphertext is not base64\n"
        "mcpy: hint: `-` reads it from stdin, `@FILE` from a file\n",
    )


def test_stdin_cannot_be_both_message_and_context(mcpy: Mcpy) -> None:
    result = mcpy("kes", "key", "encrypt", "k", "-", "-", stdin="x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("mcpy: error: stdin can be one argument, not two\n")


def test_a_refused_ciphertext_names_its_key(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(400, "decryption failed: ciphertext is not authentic")]
    assert mcpy("kes", "key", "decrypt", "k", CIPHERTEXT) == (
        1,
        "",
        "mcpy: error: key `k`: decryption failed: ciphertext is not authentic\n",
    )


def test_a_missing_key_is_not_found_whatever_is_done_with_it(mcpy: Mcpy, server: Server) -> None:
    for verb in (
        ["dek", "k"],
        ["encrypt", "k", "x"],
        ["decrypt", "k", "eA=="],
        ["hmac", "k", "x"],
    ):
        server.replies = [kes_error(404, "key does not exist")]
        assert mcpy("kes", "key", *verb) == (
            5,
            "",
            "mcpy: error: key `k`: key does not exist\nmcpy: hint: mcpy kes key ls\n",
        )


def test_an_hmac_is_computed_by_the_server(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"hmac": DATA_KEY})]
    assert mcpy("kes", "key", "hmac", "k", "hello world", "--json") == (
        0,
        f'{{"hmac":"{DATA_KEY}"}}\n',
        "",
    )
    assert server.calls == ["PUT /v1/key/hmac/k"]
    assert asked(server) == {"message": PLAINTEXT}


def test_an_imported_key_is_described_and_never_printed(mcpy: Mcpy, server: Server) -> None:
    mcpy.secrets.add(KEY)
    server.replies = [ok(), httpx.Response(200, json=INFO)]
    result = mcpy("kes", "key", "import", "k", "-", "--cipher", "chacha20", stdin=KEY + "\n")
    assert result == (0, "Imported key `k` for ChaCha20.\n", "")
    assert server.calls == ["PUT /v1/key/import/k", "GET /v1/key/describe/k"]
    assert asked(server) == {"key": KEY, "cipher": "ChaCha20"}


@pytest.mark.parametrize("failure", [kes_error(403, "no"), httpx.ConnectError("refused")])
def test_no_key_and_no_message_shows_in_debug_output_or_errors(
    mcpy: Mcpy, server: Server, failure: httpx.Response | Exception
) -> None:
    mcpy.secrets |= {KEY, "hello world", PLAINTEXT}
    for verb, text in (("import", KEY), ("encrypt", "hello world"), ("hmac", "hello world")):
        server.replies = [failure]
        result = mcpy("kes", "key", verb, "k", "-", "--debug", "--retries", "0", stdin=text)
        assert result.exit_code in {4, 6}
        assert result.stdout == ""


def test_a_key_on_the_command_line_is_taken_with_a_warning(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), httpx.Response(200, json=INFO | {"algorithm": "AES256"})]
    assert mcpy("kes", "key", "import", "k", KEY) == (
        0,
        "Imported key `k` for AES256.\n",
        "mcpy: a key on the command line shows in process lists: `-` reads it from stdin\n",
    )


def test_a_key_file_may_hold_the_32_bytes(mcpy: Mcpy, server: Server, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(base64.b64decode(KEY))
    server.replies = [ok(), kes_error(403, "not authorized: insufficient permissions")]
    assert mcpy("kes", "key", "import", "k", f"@{tmp_path}/key").exit_code == 0
    assert asked(server) == {"key": KEY, "cipher": "AES256"}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("AAEC", "the key has 3 bytes, a KES key has 32"),
        ("?", "the key is not base64 of 32 bytes"),
    ],
)
def test_a_key_of_the_wrong_form_is_not_sent(mcpy: Mcpy, key: str, words: str) -> None:
    assert mcpy("kes", "key", "import", "k", key) == (2, "", f"mcpy: error: {words}\n")


def test_without_a_key_a_random_one_is_imported(mcpy: Mcpy, server: Server) -> None:
    for _ in range(2):
        server.replies = [ok(), kes_error(403, "not authorized: insufficient permissions")]
        result = mcpy("kes", "key", "import", "k", "--json")
        assert result.objects == [
            {"status": "success", "name": "k", "change": "imported", "algorithm": "AES256"}
        ]
    sent = [json.loads(server.requests[i].content)["key"] for i in (0, 2)]
    assert [len(base64.b64decode(key)) for key in sent] == [32, 32]
    assert sent[0] != sent[1]


def test_a_random_key_is_printed_when_secrets_are_asked_for(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), kes_error(403, "not authorized: insufficient permissions")]
    result = mcpy("kes", "key", "import", "k", "--json", "--show-secrets")
    assert result.objects[0]["key"] == json.loads(server.requests[0].content)["key"]


def test_a_key_made_for_another_cipher_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [ok(), httpx.Response(200, json=INFO)]
    result = mcpy("kes", "key", "import", "k", "-", stdin=KEY)
    message = "mcpy: error: the server made `k` for ChaCha20, not for AES256\n"
    assert result == (1, "", message)


def test_importing_over_a_key_is_refused_with_the_way_on(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(400, "key already exists")]
    assert mcpy("kes", "key", "import", "k", "-", stdin=KEY) == (
        1,
        "",
        "mcpy: error: key `k`: key already exists\n"
        "mcpy: hint: mcpy kes key import --if-missing k\n",
    )


def test_importing_over_a_key_can_be_no_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kes_error(400, "key already exists")]
    result = mcpy("kes", "key", "import", "k", "-", "--if-missing", stdin=KEY)
    assert result == (0, "Key `k` was there already: nothing changed.\n", "")


def test_keys_are_listed_as_the_one_array_of_kes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [names("b", "a")]
    assert mcpy("kes", "key", "ls", "--json") == (0, '["a","b"]\n', "")
    assert server.calls == ["GET /v1/key/list/"]


def test_a_pattern_with_a_star_finds_what_it_says(mcpy: Mcpy, server: Server) -> None:
    server.replies = [names("my-key", "my-key1", "my-other")]
    assert mcpy("kes", "key", "ls", "my-key*") == (0, "my-key\nmy-key1\n", "")
    assert server.calls == ["GET /v1/key/list/my-key"]


def test_a_list_of_nothing_is_an_empty_array(mcpy: Mcpy, server: Server) -> None:
    server.replies = [names()]
    assert mcpy("kes", "ls", "--json", "zzz") == (0, "[]\n", "")


def test_a_list_of_nothing_prints_nothing(mcpy: Mcpy, server: Server) -> None:
    server.replies = [names()]
    assert mcpy("kes", "ls", "zzz") == (0, "", "")


def test_ls_takes_the_letters_of_kes(mcpy: Mcpy, server: Server) -> None:
    key = mcpy.env.pop("KES_API_KEY")
    server.replies = [names("my-app")]
    assert mcpy("kes", "ls", "-k", "-a", key, "-s", "other.test", "my-") == (0, "my-app\n", "")
    assert str(server.requests[0].url) == "https://other.test/v1/key/list/my"


def test_ls_lists_policies_and_identities(mcpy: Mcpy, server: Server) -> None:
    server.replies = [names("my-app"), httpx.Response(200, json={"identities": ["b" * 64]})]
    assert mcpy("kes", "ls", "-p", "my-") == (0, "my-app\n", "")
    assert mcpy("kes", "ls", "-i", "bb") == (0, "b" * 64 + "\n", "")
    assert server.calls == ["GET /v1/policy/list/my*", "GET /v1/identity/list/bb*"]


def test_ls_of_two_kinds_at_once_is_refused(mcpy: Mcpy) -> None:
    result = mcpy("kes", "ls", "-i", "-p")
    assert result == (
        2,
        "",
        "mcpy: error: -i lists identities and -p policies: choose one\n",
    )


def test_an_enclave_and_a_colour_are_taken_as_kes_takes_them(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json=INFO | {"created_by": "abc"})]
    result = mcpy("kes", "key", "info", "-e", "any", "--color", "never", "--json", "k")
    assert result.objects == [INFO | {"created_by": "abc"}]


def test_a_colour_nobody_has_is_a_usage_error(mcpy: Mcpy) -> None:
    result = mcpy("kes", "key", "info", "--color", "bad", "k")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--color" in result.stderr


def paging_kes(keys: list[str], page: int, asked: list[str]) -> httpx.MockTransport:
    """Return a KES that stops its lists as a real one does, and refuses what it refuses."""

    def answer(request: httpx.Request) -> httpx.Response:
        prefix = request.url.path.removeprefix("/v1/key/list/")
        asked.append(prefix)
        if prefix.startswith("-") or prefix.endswith("-") or len(prefix) > 80:
            return kes_error(400, f"listing pattern '{prefix}' is empty, too long or is invalid")
        found = sorted(key for key in keys if key.startswith(prefix))
        body: dict[str, object] = {"names": found[:page]}
        if found[page:]:
            body["continue_at"] = found[page]
        return httpx.Response(200, json=body)

    return httpx.MockTransport(answer)


NAMES = [
    *("__", "_a", "A", "Z", "a", "a-", "a-a", "a--b", "a---c", "a-b-c", "a0", "aA", "a_", "aa"),
    *(f"zz-{number}" for number in range(100, 130)),
    "x" * 80,
    "z" + "-" * 70 + "end",
]


@pytest.mark.parametrize("page", [1, 2, 3, 7, 1024])
@pytest.mark.parametrize("pattern", ["", "*", "a", "a-", "zz-", "zz-1*9", "x"])
def test_a_listing_is_complete_however_often_kes_stops(
    mcpy: Mcpy, page: int, pattern: str
) -> None:
    names = [name for name in NAMES if not name.endswith("-")]
    mcpy.transport = paging_kes(names, page, [])
    code, stdout, stderr = mcpy("kes", "key", "ls", pattern, "--json")
    assert (code, stderr) == (0, "")
    wanted = pattern if "*" in pattern else f"{pattern}*"
    assert json.loads(stdout) == [name for name in sorted(names) if fnmatchcase(name, wanted)]


def test_a_listing_of_many_names_asks_no_more_than_it_must(mcpy: Mcpy) -> None:
    asked: list[str] = []
    mcpy.transport = paging_kes([f"zz-{number}" for number in range(1000, 2101)], 1024, asked)
    result = mcpy("kes", "key", "ls")
    assert len(result.stdout.splitlines()) == 1101
    assert len(asked) < 250


def test_a_kes_that_stops_its_list_nowhere_is_not_believed(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"names": ["b"], "continue_at": "a"})]
    result = mcpy("kes", "key", "ls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "stopped its list of keys at `a`" in result.stderr
