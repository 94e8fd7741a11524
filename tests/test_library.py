"""The library as its page shows it: each example of ``docs/library.md``, on a sandbox."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import mcpy
from mcpy import api
from mcpy.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    NoAliasError,
    NotFoundError,
    S3Error,
)
from mcpy.models import Alias, KesProfile
from mcpy.sandbox.play import Sandbox
from tests.running import ACCESS_KEY, SECRET_KEY, Mcpy
from tests.stub import ETAG, Server, ok, s3_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.models import Scheme

PAGE = Path(__file__).parents[1] / "docs" / "library.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.sandbox
def test_every_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox() as sandbox:
        for name, value in sandbox.env().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MCPY_CONFIG_DIR", str(tmp_path / "config"))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "README.md").write_text("# mcpy\n")
        _as_the_page_begins(sandbox, tmp_path / "config")
        secret = sandbox.secret_key
        known: dict[str, Any] = {}
        for example in EXAMPLES:
            exec(compile(example, str(PAGE), "exec"), known)
    assert len(EXAMPLES) == 10
    assert (tmp_path / "copy.md").read_text() == "# mcpy\n"
    assert secret not in capsys.readouterr().out


def _as_the_page_begins(sandbox: Sandbox, config: Path) -> None:
    command = Mcpy(config, None, env=sandbox.env())
    command.store.put(Alias("play", sandbox.s3_url, sandbox.access_key, sandbox.secret_key))
    for line in (
        "kes key create default-key",
        f"admin kms env play --key default-key --write {sandbox.home.env_file}",
        "admin service restart play",
    ):
        assert command(*line.split()).exit_code == 0


@pytest.fixture
def client(server: Server) -> Iterator[mcpy.Client]:
    with mcpy.connect("http://s3.test", ACCESS_KEY, SECRET_KEY, transport=server) as made:
        yield made


def test_the_stable_names_are_there_and_no_others() -> None:
    for module in (mcpy, api):
        for name in module.__all__:
            assert getattr(module, name) is not None
        with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
            _ = module.nonsense
    assert set(api.__all__) == set(api._HOMES)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, mcpy, mcpy.api; "
        "print(sorted({'httpx', 'ssl', 'click', 'cryptography', 'rich'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_alias_brings_its_keys_and_its_kes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Mcpy(tmp_path, None)
    kes = KesProfile("https://kes.test", api_key="kes:v1:x")
    command.store.put(Alias("play", "http://s3.test", ACCESS_KEY, SECRET_KEY, kes=kes))
    assert mcpy.connect("play", config_dir=tmp_path).alias.kes == kes
    monkeypatch.setenv("MC_HOST_other", "http://access:secret-key@other.test")
    assert mcpy.connect("other", config_dir=tmp_path).alias.url == "http://other.test"
    with pytest.raises(NoAliasError):
        mcpy.connect("nobody", config_dir=tmp_path)


def test_neither_client_nor_profile_shows_a_secret(client: mcpy.Client) -> None:
    assert repr(client) == "Client('http://s3.test')"
    assert SECRET_KEY not in repr(client.alias)


def test_a_client_without_a_kes_says_so(client: mcpy.Client) -> None:
    with pytest.raises(ConfigError, match="`server` has no KES"):
        _ = client.kes


@pytest.mark.parametrize(("scheme", "key"), [("sse-kms", ""), ("sse-s3", "k"), ("aes", "")])
def test_an_encryption_that_cannot_be_is_refused_unsent(
    client: mcpy.Client, scheme: Scheme, key: str
) -> None:
    with pytest.raises(InputError):
        client.set_encryption("bucket", scheme, key)


def test_wrong_keys_are_those_of_the_call_and_of_no_alias(
    client: mcpy.Client, server: Server
) -> None:
    for code, told in (
        (
            "SignatureDoesNotMatch",
            "SignatureDoesNotMatch: the secret key of http://s3.test is wrong",
        ),
        ("InvalidAccessKeyId", "InvalidAccessKeyId: no"),
    ):
        server.replies = [s3_error(403, code)]
        with pytest.raises(S3Error) as caught:
            client.buckets()
        assert (str(caught.value), caught.value.hint) == (told, "give mcpy.connect other keys")


def test_what_is_not_stored_as_asked_is_an_error(client: mcpy.Client, server: Server) -> None:
    server.replies = [ok(), ok(content_length="5", etag='"e"')]
    with pytest.raises(IntegrityError, match="stored it with no encryption"):
        client.upload(b"hello", "bucket", "o", encryption=mcpy.sse_s3())
    assert server.requests[0].headers["x-amz-server-side-encryption"] == "AES256"


def test_a_key_of_ones_own_goes_with_every_call_and_never_in_the_clear(server: Server) -> None:
    key = mcpy.sse_c(b"k" * 32)
    with pytest.raises(InputError, match="32 bytes"):
        mcpy.sse_c(b"short")
    plain = mcpy.connect("http://s3.test", ACCESS_KEY, SECRET_KEY, transport=server)
    with pytest.raises(InputError, match="not sent over plain http"):
        plain.stat("bucket", "o", encryption=key)
    answer = {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "content-length": "5",
    } | ETAG
    server.replies = [ok(), *[httpx.Response(200, headers=answer, content=b"hello")] * 2]
    tls = mcpy.connect("https://s3.test", ACCESS_KEY, SECRET_KEY, transport=server)
    tls.upload(b"hello", "bucket", "o", encryption=key)
    assert tls.read("bucket", "o", encryption=key) == b"hello"
    for request in server.requests:
        assert request.headers["x-amz-server-side-encryption-customer-key"]
        assert "x-amz-server-side-encryption" not in request.headers


def test_buckets_are_made_with_versions_or_a_lock(client: mcpy.Client, server: Server) -> None:
    server.replies = [ok(), ok(), ok()]
    client.make_bucket("one", versioning=True)
    client.make_bucket("two", versioning=True, lock=True)
    assert [call.split("?")[0] for call in server.calls] == ["PUT /one", "PUT /one", "PUT /two"]


def test_a_default_is_cleared_and_a_missing_object_is_not_found(
    client: mcpy.Client, server: Server
) -> None:
    server.replies = [
        s3_error(404, "ServerSideEncryptionConfigurationNotFoundError"),
        s3_error(404, "NoSuchKey"),
    ]
    assert client.clear_encryption("bucket") is False
    with pytest.raises(NotFoundError):
        client.stat("bucket", "o")


def test_a_file_that_speaks_of_another_server_is_refused() -> None:
    with mcpy.connect("http://s3.test", ACCESS_KEY, SECRET_KEY) as client:
        with pytest.raises(InputError, match="speaks of `prod`, and the client is that of"):
            client.plan('[keys."prod/k"]\n')
        with pytest.raises(ConfigError, match="the file, line 1: nothing is called `key` here"):
            client.apply("key = 1\n")


def test_examining_raises_nothing_for_what_it_finds() -> None:
    server = Server()
    server.afterwards = httpx.ConnectError("refused")
    kes = KesProfile("https://kes.test", client_cert="/nowhere", client_key="/nowhere")
    with mcpy.connect(
        "http://s3.test", ACCESS_KEY, SECRET_KEY, kes=kes, transport=server
    ) as client:
        failed = {step.link for step in client.examine() if step.level == "failed"}
        assert failed == {"server", "kes"}
        assert client.examine("bucket")[-1].level == "unchecked"


def test_objects_that_cannot_be_looked_at_are_an_item_that_failed() -> None:
    server = Server()
    server.replies = [
        s3_error(404, "ServerSideEncryptionConfigurationNotFoundError"),
        s3_error(403, "AccessDenied"),
    ]
    with mcpy.connect("http://s3.test", ACCESS_KEY, SECRET_KEY, transport=server) as client:
        (item,) = client.plan('[buckets."server/bucket"]\nrequire = "any"\n')
    assert item.state == "failed"
    assert isinstance(item.error, S3Error)
