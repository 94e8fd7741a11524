"""The S3 server's KMS: a real KES over mutual TLS, the static key, and what both count."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import ConfigError
from mcpy.sandbox.kms import KesKms, KmsProblem, StaticKms, canonical_context
from mcpy.sandbox.kms.identity import tls_context
from mcpy.sandbox.kms.link import Link
from mcpy.sandbox.kms.model import Metrics
from mcpy.sandbox.message import Request, Response
from mcpy.sandbox.play import Sandbox
from mcpy.sandbox.server import HttpServer
from mcpy.sandbox.tls import TlsContext

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture
def env(box: Sandbox) -> dict[str, str]:
    return {
        "MINIO_KMS_KES_ENDPOINT": box.kes_url,
        "MINIO_KMS_KES_KEY_NAME": "default",
        "MINIO_KMS_KES_API_KEY": box.minio_api_key,
        "MINIO_KMS_KES_CAPATH": str(box.ca),
    }


@pytest.fixture
def kes(env: dict[str, str]) -> Iterator[KesKms]:
    kms = connected(env)
    with closing(kms):
        yield kms


def connected(env: dict[str, str]) -> KesKms:
    kms = KesKms.from_env(env)
    assert kms is not None
    return kms


def create(kms: KesKms, key: str) -> None:
    if key not in kms.keys("*"):
        kms.create(key)


def test_a_data_key_opens_with_its_context_only(kes: KesKms) -> None:
    create(kes, "default")
    made = kes.generate("default", {"bucket": "bucket/<object>"})
    assert len(made.plaintext) == 32
    assert kes.decrypt("default", made.ciphertext, {"bucket": "bucket/<object>"}) == made.plaintext
    with pytest.raises(KmsProblem) as raised:
        kes.decrypt("default", made.ciphertext, {"bucket": "bucket/other"})
    assert (raised.value.status, raised.value.message) == (
        400,
        "decryption failed: ciphertext is not authentic",
    )


def test_the_plaintext_of_a_data_key_stays_out_of_repr(kes: KesKms) -> None:
    create(kes, "default")
    made = kes.generate("default", {})
    assert repr(made.plaintext) not in repr(made)


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("default", 400, "key already exists"),
        ("a/b", 400, "key name 'a/b' is empty, too long or contains invalid characters"),
        ("", 400, "key name '' is empty, too long or contains invalid characters"),
    ],
)
def test_a_refusal_is_passed_on_as_the_kes_worded_it(
    kes: KesKms, name: str, status: int, message: str
) -> None:
    create(kes, "default")
    with pytest.raises(KmsProblem) as raised:
        kes.create(name)
    assert (raised.value.status, str(raised.value)) == (status, message)


def test_an_unknown_key_is_not_found(kes: KesKms) -> None:
    with pytest.raises(KmsProblem, match="key does not exist"):
        kes.generate("nokey", {})


def test_the_kes_tells_of_itself(kes: KesKms, box: Sandbox) -> None:
    create(kes, "default")
    assert kes.status() == {box.kes_url: True}
    assert "default" in kes.keys("")
    assert kes.keys("defa") == ["default"]
    assert kes.keys("defa*") == []
    assert kes.version()
    assert {"Method": "GET", "Path": "/version", "MaxBody": 0, "Timeout": 10} in kes.apis()
    assert kes.describe("default")["name"] == "default"


def test_certificate_files_serve_as_identity(env: dict[str, str], box: Sandbox) -> None:
    del env["MINIO_KMS_KES_API_KEY"]
    files = {
        "MINIO_KMS_KES_KEY_FILE": str(box.client_key),
        "MINIO_KMS_KES_CERT_FILE": str(box.client_cert),
        "MINIO_KMS_KES_CAPATH": str(box.ca.parent),
    }
    with closing(connected(env | files)) as kms:
        assert kms.version()


def test_many_threads_share_one_kms(kes: KesKms) -> None:
    create(kes, "default")
    made = kes.generate("default", {})
    opened: list[bytes] = []

    def work() -> None:
        opened.extend(kes.decrypt("default", made.ciphertext, {}) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [made.plaintext] * 20


def test_another_endpoint_answers_for_one_that_is_down(env: dict[str, str], box: Sandbox) -> None:
    env["MINIO_KMS_KES_ENDPOINT"] = f"https://127.0.0.1:{closed_port()},{box.kes_url}"
    with closing(connected(env)) as kms:
        assert kms.version()
        assert list(kms.status().values()) == [False, True]


def test_an_idle_connection_the_kes_closed_is_made_anew(kes: KesKms) -> None:
    assert kes.version()
    for connection in kes._link._open:
        connection.sock.shutdown(socket.SHUT_RDWR)
    assert kes.version()


def test_a_kes_that_is_down_is_named_after_three_attempts(env: dict[str, str]) -> None:
    port = closed_port()
    pauses: list[float] = []
    link = Link([f"https://127.0.0.1:{port}"], tls_context(env), pause=pauses.append)
    kms = KesKms(link, "default")
    with pytest.raises(KmsProblem) as raised:
        kms.generate("default", {})
    assert raised.value.status == 0
    assert raised.value.message == (
        f'kes: connection error: Post "https://127.0.0.1:{port}/v1/key/generate/default": '
        f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    )
    assert len(pauses) == 2
    assert kms.status() == {f"https://127.0.0.1:{port}": False}


def test_a_kes_nobody_vouches_for_is_not_trusted(env: dict[str, str]) -> None:
    del env["MINIO_KMS_KES_CAPATH"]
    kes = connected(env)
    link = Link(kes._link.endpoints, tls_context(env), pause=lambda _: None)
    with pytest.raises(KmsProblem, match="tls: failed to verify certificate"):
        link.call("GET", "/version")
    link.close()


def test_an_identity_without_a_policy_is_refused(env: dict[str, str]) -> None:
    env["MINIO_KMS_KES_API_KEY"] = "kes:v1:" + base64.b64encode(b"\0" + b"s" * 32).decode()
    with closing(connected(env)) as kms:
        with pytest.raises(KmsProblem) as raised:
            kms.create("x")
        assert (raised.value.status, raised.value.message) == (
            403,
            "not authorized: insufficient permissions",
        )
        with pytest.raises(KmsProblem):
            kms.status()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"MINIO_KMS_KES_ENDPOINT": "http://x:1"}, "not an https:// address"),
        ({"MINIO_KMS_KES_KEY_NAME": ""}, "MINIO_KMS_KES_KEY_NAME is not set"),
        ({"MINIO_KMS_KES_API_KEY": ""}, "set either"),
        ({"MINIO_KMS_KES_KEY_FILE": "k"}, "set either"),
        ({"MINIO_KMS_KES_API_KEY": "kes:v1:***"}, "is not base64"),
        ({"MINIO_KMS_KES_API_KEY": "kes:v1:AAAA"}, "not an ed25519 API key"),
        ({"MINIO_KMS_KES_CAPATH": "/nowhere/ca.crt"}, "cannot be used"),
        (
            {"MINIO_KMS_KES_API_KEY": "", "MINIO_KMS_KES_KEY_FILE": "k"},
            "cannot use the KES client certificate",
        ),
    ],
)
def test_a_wrong_environment_is_named(
    env: dict[str, str], changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        KesKms.from_env(env | changes)


def test_without_variables_there_is_no_kms() -> None:
    assert KesKms.from_env({}) is None
    assert StaticKms.from_env({}) is None


def test_ellipses_stand_for_several_endpoints(env: dict[str, str]) -> None:
    env["MINIO_KMS_KES_ENDPOINT"] = "https://kes{1...3}:7373"
    assert connected(env)._link.endpoints == (
        "https://kes1:7373",
        "https://kes2:7373",
        "https://kes3:7373",
    )


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ({}, "{}"),
        ({"b": "1", "a": "2"}, '{"a":"2","b":"1"}'),
        ({"k": "<&>\u2028\u2029"}, r'{"k":"\u003c\u0026\u003e\u2028\u2029"}'),
        ({"k": '"\\\n\r\t\b\f\x01\x7fé'}, '{"k":"\\"\\\\\\n\\r\\t\\u0008\\u000c\\u0001\x7fé"}'),
        ({"k": "\\b"}, r'{"k":"\\b"}'),
        ({"k": "\udcff"}, r'{"k":"\ufffd"}'),
        ({"\U0001f511": "", "\uffee": ""}, '{"\uffee":"","\U0001f511":""}'),
    ],
)
def test_a_context_has_one_form(context: dict[str, str], text: str) -> None:
    assert canonical_context(context) == text.encode()


SECRET = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def static() -> StaticKms:
    kms = StaticKms.from_env({"MINIO_KMS_SECRET_KEY": f"static-key:{SECRET}"})
    assert kms is not None
    return kms


def test_the_static_key_makes_data_keys(static: StaticKms) -> None:
    made = static.generate("static-key", {"a": "b"})
    assert len(made.ciphertext) == 76
    assert static.decrypt("static-key", made.ciphertext, {"a": "b"}) == made.plaintext
    for wrong in (made.ciphertext[:-1] + b"x", made.ciphertext[:40], b""):
        with pytest.raises(KmsProblem, match="not authentic"):
            static.decrypt("static-key", wrong, {"a": "b"})
    with pytest.raises(KmsProblem, match="not authentic"):
        static.decrypt("static-key", made.ciphertext, {})


def test_the_static_kms_knows_one_key_only(static: StaticKms) -> None:
    assert (static.keys("*"), static.keys("st"), static.keys("x")) == (
        ["static-key"],
        ["static-key"],
        [],
    )
    assert static.status() == {"127.0.0.1": True}
    assert static.version() == "v1"
    assert static.describe("static-key")["name"] == "static-key"
    static.close()
    with pytest.raises(KmsProblem, match="key does not exist"):
        static.generate("other", {})
    with pytest.raises(KmsProblem, match="key already exists"):
        static.create("static-key")
    with pytest.raises(KmsProblem, match="not supported"):
        static.create("other")
    with pytest.raises(KmsProblem, match="not supported"):
        static.apis()


def test_the_static_key_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"n:{SECRET}\n")
    kms = StaticKms.from_env({"MINIO_KMS_SECRET_KEY_FILE": str(file)})
    assert kms is not None
    assert kms.default_key == "n"


@pytest.mark.parametrize(
    "env",
    [
        {"MINIO_KMS_SECRET_KEY": "name"},
        {"MINIO_KMS_SECRET_KEY": "name:AAAA"},
        {"MINIO_KMS_SECRET_KEY": "name:***"},
        {"MINIO_KMS_SECRET_KEY_FILE": "/nowhere/key"},
    ],
)
def test_a_wrong_static_key_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="MINIO_KMS_SECRET_KEY"):
        StaticKms.from_env(env)


def test_calls_are_counted_by_outcome_and_duration() -> None:
    metrics = Metrics()
    for problem in (None, KmsProblem(404, "key does not exist"), KmsProblem(0, "down")):
        try:
            with metrics.measured():
                if problem:
                    raise problem
        except KmsProblem:
            pass
    counted = metrics.snapshot()
    assert (counted.success, counted.error, counted.failure) == (1, 1, 1)
    assert set(counted.latency.values()) == {3}


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_tls_below_1_2_is_not_spoken(env: dict[str, str]) -> None:
    assert tls_context(env).minimum_version == ssl.TLSVersion.TLSv1_2


class Answers:
    """A KES that answers whatever it is told to, one request for each line."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)

    def __call__(self, _request: Request) -> Response:
        return Response(self.statuses.pop(0), [], self.body)

    body = b"busy"


@pytest.fixture
def told(box: Sandbox) -> Iterator[tuple[Answers, HttpServer]]:
    answers = Answers()
    tls = TlsContext(box.home.certs / "server.key", box.home.certs / "server.crt")
    server = HttpServer(answers, tls=tls, log=lambda _: None)
    server.start()
    yield answers, server
    server.stop()


def linked(server: HttpServer, env: dict[str, str]) -> KesKms:
    return KesKms(Link([server.url], tls_context(env), pause=lambda _: None), "default")


def test_a_busy_kes_is_asked_again(told: tuple[Answers, HttpServer], env: dict[str, str]) -> None:
    answers, server = told
    answers.statuses = [503, 503, 200]
    answers.body = b'{"names":["a"]}'
    with closing(linked(server, env)) as kms:
        assert kms.keys("*") == ["a"]
    assert answers.statuses == []


def test_a_kes_that_stays_busy_is_given_up(
    told: tuple[Answers, HttpServer], env: dict[str, str]
) -> None:
    answers, server = told
    answers.statuses = [503] * 3
    with closing(linked(server, env)) as kms, pytest.raises(KmsProblem) as raised:
        kms.version()
    assert (raised.value.status, raised.value.message) == (503, "busy")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "no data key"),
        (b"not json", "no data key"),
        (b'{"plaintext":"***"}', "invalid plaintext"),
        (b'{"plaintext":7}', "invalid plaintext"),
    ],
)
def test_an_answer_without_a_data_key_is_none(
    told: tuple[Answers, HttpServer], env: dict[str, str], body: bytes, message: str
) -> None:
    answers, server = told
    answers.statuses, answers.body = [200], body
    with (
        closing(linked(server, env)) as kms,
        pytest.raises(KmsProblem, match=message) as raised,
    ):
        kms.generate("default", {})
    assert raised.value.status == 502


def test_an_endless_answer_is_not_read(
    told: tuple[Answers, HttpServer], env: dict[str, str]
) -> None:
    answers, server = told
    answers.statuses, answers.body = [200] * 3, b"x" * (1024 * 1024 + 1)
    with closing(linked(server, env)) as kms, pytest.raises(KmsProblem, match="too large"):
        kms.version()
