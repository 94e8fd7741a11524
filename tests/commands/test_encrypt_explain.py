"""``encrypt explain``: the chain of keys as the server, the object and its key say it is."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mcpy.api.s3info import customer_headers
from mcpy.fleet.explain import Facts, stages
from mcpy.models import Alias, BucketEncryption, CustomerKey, Target
from mcpy.sandbox.kms import StaticKms
from tests.in_process import ACCESS, SECRET, Server
from tests.s3_calls import S3 as SSE_S3
from tests.s3_calls import kms_with
from tests.stub import s3_error, xml

if TYPE_CHECKING:
    from mcpy.api.s3 import S3
    from mcpy.fleet.explain.chain import Kind, Scheme
    from tests.running import Mcpy


@pytest.fixture(autouse=True)
def _bucket(s3: S3) -> None:
    s3.make_bucket("b-1")


def explained(run: Mcpy, target: str, *more: str) -> dict[str, Any]:
    result = run("--json", "encrypt", "explain", target, *more)
    assert (result.exit_code, result.stderr) == (0, "")
    (found,) = result.objects
    return found


def test_an_sse_kms_object_is_drawn_from_its_key_to_its_content(run: Mcpy, s3: S3) -> None:
    s3.put_object("b-1", "dir/k", b"content", headers=kms_with("tenant-a", '{"team":"a"}'))
    result = run("encrypt", "explain", "play/b-1/dir/k")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        'play/b-1/dir/k: SSE-KMS with key `tenant-a`, context {"team":"a"}, 7 B, opened just now\n'
        "\n"
        "  EK      `tenant-a`\n"
        "  |       lives in the keystore behind KES, and never outside KES\n"
        '  |       seals the DEK, bound to {"b-1":"b-1/dir/k"} and {"team":"a"}\n'
        "  v\n"
        "  DEK     a data key of this object alone, 32 random bytes\n"
        "  |       lives sealed, in the object's metadata; in the clear only in the server's"
        " memory\n"
        "  |       makes the KEK\n"
        "  v\n"
        "  KEK     made anew from the key above, a random IV and `b-1/dir/k`\n"
        "  |       lives nowhere: made when it is needed\n"
        "  |       seals the OEK\n"
        "  v\n"
        "  OEK     the object's own key, 32 random bytes\n"
        "  |       lives sealed, in the object's metadata\n"
        "  |       encrypts it, 64 KiB at a time (DARE 2.0), and its ETag\n"
        "  v\n"
        "  object  the content\n"
        "          lives on the server's drives, as ciphertext\n"
        "\n"
        "Now `tenant-a` works.\n"
        "If `tenant-a` is locked:\n"
        "  - reading it fails; HEAD still answers, with all its headers (KES may use the key for"
        " a while yet, from its cache)\n"
        "  - unlocking brings all of it back\n"
        "If `tenant-a` is deleted:\n"
        "  - the object is unreadable for ever; a new key of the same name does not help\n"
        "To know:\n"
        "  - this is what the server says; what is on its drives nobody outside can see\n"
    )


def test_an_sse_s3_object_does_not_tell_its_key(run: Mcpy, s3: S3) -> None:
    s3.put_object("b-1", "k", b"content", headers=SSE_S3)
    found = explained(run, "play/b-1/k")
    assert (found["scheme"], found["keyId"], found["defaultKeyId"]) == ("sse-s3", "", "my-key")
    assert (found["opens"], found["works"], found["size"]) == (True, True, 7)
    assert found["stages"][0]["what"] == "the key that was the server's default then"
    assert "every listing that such an object is on fails as a whole" in found["onLock"]
    assert "the server's health check fails, and it does not start" in found["onLock"]
    assert found["onDelete"][1].startswith("when it starts, the server makes a new default key")
    assert any("no server tells which key" in note for note in found["notes"])


def test_an_object_whose_key_is_lost_says_that_it_does_not_open(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.put_object("b-1", "k", b"content", headers=kms_with("tenant-a"))
    world.lose("tenant-a")
    result = run("encrypt", "explain", "play/b-1/k")
    assert "7 B, DOES NOT OPEN: kms:KeyNotFound" in result.stdout
    assert "Now `tenant-a` does not work: key does not exist." in result.stdout
    assert (result.exit_code, result.stderr) == (
        3,
        "mcpy: error: `play/b-1/k` does not open\nmcpy: hint: mcpy doctor play/b-1/k\n",
    )
    found, _ = run("--json", "encrypt", "explain", "play/b-1/k").objects
    assert (found["opens"], found["works"]) == (False, False)
    assert found["keyProblem"] == "key does not exist"
    s3.put_object("b-1", "open", b"content", headers=kms_with("tenant-b"))
    both = run("encrypt", "explain", "play/b-1/open", "play/b-1/k")
    assert (both.exit_code, both.stderr.splitlines()[0]) == (3, "mcpy: error: 1 do not open")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (
            kms_with("tenant-a"),
            "`tenant-a` works, and does not open this: the object's was an",
        ),
        (
            kms_with("tenant-a", '{"a":"b"}'),
            "or the context stored with the object is not its",
        ),
        (
            SSE_S3,
            "`my-key` works, and does not open this: the object's key is",
        ),
    ],
)
def test_a_key_that_works_and_does_not_open_is_said_to_be_another(
    run: Mcpy, s3: S3, world: Server, headers: dict[str, str], words: str
) -> None:
    s3.put_object("b-1", "k", b"content", headers=headers)
    secret = hashlib.sha256(b"anew").digest()
    for name in ("tenant-a", "my-key"):
        world.kms.known[name] = StaticKms(name, secret)
    sealed = {"ETag": "0" * 32, "Content-Length": "7"} | {
        name.title(): value.removeprefix("arn:aws:kms:") for name, value in headers.items()
    }
    world.hook = lambda request: (
        httpx.Response(200, headers=sealed) if request.method == "HEAD" else None
    )
    result = run("encrypt", "explain", "play/b-1/k")
    assert result.exit_code == 3
    assert words in result.stdout


@pytest.mark.parametrize(
    ("status", "code", "target", "hint"),
    [
        (404, "NoSuchKey", "play/b-1/k", "mcpy ls --versions play/b-1/k"),
        (404, "NoSuchBucket", "play/b-1", "mcpy ls play"),
    ],
)
def test_a_refusal_has_a_next_step(
    run: Mcpy, world: Server, *, status: int, code: str, target: str, hint: str
) -> None:
    head = {"x-minio-error-code": code}
    world.hook = lambda request: (
        httpx.Response(status, headers=head)
        if request.method == "HEAD"
        else s3_error(status, code)
    )
    result = run("encrypt", "explain", target)
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.splitlines()[1] == f"mcpy: hint: {hint}"


def test_a_context_that_is_nested_too_deeply_is_shown_as_it_stands(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.put_object("b-1", "k", b"content", headers=kms_with("tenant-a"))
    deep = base64.b64encode(b"[" * 200_000).decode()
    headers = {
        "content-length": "7",
        "etag": '"e"',
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-context": deep,
    }
    world.hook = lambda request: (
        httpx.Response(200, headers=headers) if request.method == "HEAD" else None
    )
    assert explained(run, "play/b-1/k")["context"] == deep


def test_a_plain_object_has_no_chain(run: Mcpy, s3: S3) -> None:
    s3.put_object("b-1", "k", b"content")
    assert run("encrypt", "explain", "play/b-1/k").stdout == (
        "play/b-1/k: not encrypted, 7 B, opened just now\n"
        "To know:\n"
        "  - nothing encrypts it: whoever has the drives reads it\n"
    )


def test_an_object_under_a_clients_key_needs_no_kms(run: Mcpy, s3: S3) -> None:
    s3.put_object("b-1", "k", b"x", headers=customer_headers(CustomerKey(b"K" * 32)))
    found = explained(run, "play/b-1/k")
    assert (found["scheme"], found["opens"], found["size"]) == ("sse-c", None, None)
    assert [stage["name"] for stage in found["stages"]] == ["client key", "KEK", "OEK", "object"]
    assert found["onLock"] == []
    assert "no KMS can help" in found["onDelete"][0]


def test_a_version_is_explained_by_its_own_key(run: Mcpy, s3: S3) -> None:
    s3.set_versioning("b-1", status="Enabled")
    first = s3.put_object("b-1", "k", b"1", headers=kms_with("tenant-a"))
    s3.put_object("b-1", "k", b"2", headers=kms_with("tenant-b"))
    assert explained(run, "play/b-1/k")["keyId"] == "tenant-b"
    old = explained(run, "play/b-1/k", "--version-id", first.version_id)
    assert (old["keyId"], old["versionId"]) == ("tenant-a", first.version_id)


@pytest.mark.parametrize(
    ("default", "scheme", "key"),
    [
        (BucketEncryption("AES256"), "sse-s3", "my-key"),
        (BucketEncryption("aws:kms", "tenant-a"), "sse-kms", "tenant-a"),
    ],
)
def test_a_bucket_is_explained_by_its_default(
    run: Mcpy, s3: S3, default: BucketEncryption, scheme: str, key: str
) -> None:
    s3.put_bucket_encryption("b-1", default, current=None)
    found = explained(run, "play/b-1")
    assert (found["kind"], found["scheme"], found["keyId"]) == ("bucket", scheme, key)
    assert '"b-1":"b-1/..."' in found["stages"][0]["does"]
    assert found["onLock"][0].startswith("uploads fail")
    assert "those that are there say themselves" in found["notes"][0]
    assert "opens" not in found


def test_a_bucket_without_a_default_encrypts_nothing(run: Mcpy) -> None:
    found = explained(run, "play/b-1")
    assert (found["scheme"], found["stages"], found["works"]) == ("plain", [], None)
    assert any("MINIO_KMS_AUTO_ENCRYPTION" in note for note in found["notes"])


def test_what_is_not_there_is_exit_5(run: Mcpy) -> None:
    for target in ("play/b-1/none", "play/no-such"):
        result = run("encrypt", "explain", target)
        assert (result.exit_code, result.stdout) == (5, "")


def test_of_several_targets_an_error_names_its_own(run: Mcpy, s3: S3) -> None:
    s3.put_object("b-1", "k", b"x")
    result = run("encrypt", "explain", "play/b-1/k", "play/b-1/none")
    assert result.exit_code == 8
    assert "error: play/b-1/none: NoSuchKey" in result.stderr
    assert result.stdout.startswith("play/b-1/k: ")


def test_without_an_administrators_keys_the_chain_is_told_and_the_key_not_tried(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.put_object("b-1", "k", b"x", headers=kms_with("tenant-a"))
    world.admin = False
    world.hook = lambda request: (
        httpx.Response(200) if request.url.path == "/minio/health/live" else None
    )
    found = explained(run, "play/b-1/k")
    assert (found["server"], found["keyId"], found["works"]) == ("minio", "tenant-a", None)
    assert found["stages"][0]["name"] == "EK"
    lacks = "whether the key works was not told: kms:Status and kms:KeyStatus needed"
    assert lacks in found["notes"]


def test_of_another_server_only_what_it_says_is_told(run: Mcpy, s3: S3, world: Server) -> None:
    s3.put_object("b-1", "k", b"x", headers=kms_with("tenant-a"))
    world.hook = lambda request: (
        s3_error(404, "NoSuchBucket") if request.url.path.startswith("/minio/") else None
    )
    world.admin = False
    found = explained(run, "play/b-1/k")
    assert found["server"] == "other"
    assert [stage["name"] for stage in found["stages"]] == ["server key", "object"]
    assert found["stages"][0]["what"] == "`tenant-a`"
    assert (found["onLock"], found["onDelete"]) == ([], [])
    assert any("not known as MinIO" in note for note in found["notes"])


def test_aws_is_known_by_its_name_and_asked_for_nothing_of_minios(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.put_object("b-1", "k", b"x", headers=SSE_S3)
    aws = Alias("aws", "https://s3.eu-west-1.amazonaws.com", ACCESS, SECRET, path="on")
    run.store.put(aws)
    world.calls.clear()
    found = explained(run, "aws/b-1/k")
    assert (found["server"], found["works"]) == ("aws", None)
    assert found["stages"][0]["lives"] == "with Amazon S3, out of anybody's reach"
    assert (found["onLock"], found["onDelete"]) == ([], [])  # nobody can do either
    assert not [call for call in world.calls if "/minio/" in call]


def test_a_server_without_a_kms_is_minio_all_the_same(run: Mcpy, s3: S3, world: Server) -> None:
    s3.put_object("b-1", "k", b"x")
    world.hook = lambda request: (
        s3_error(501, "NotImplemented") if "/minio/kms/" in request.url.path else None
    )
    found = explained(run, "play/b-1/k")
    assert (found["server"], found["defaultKeyId"], found["scheme"]) == ("minio", "", "plain")


def test_a_key_that_may_not_be_tried_is_not_judged(run: Mcpy, s3: S3, world: Server) -> None:
    s3.put_object("b-1", "k", b"x", headers=kms_with("tenant-a"))
    world.hook = lambda request: (
        s3_error(403, "AccessDenied") if "/key/status" in request.url.path else None
    )
    found = explained(run, "play/b-1/k")
    assert (found["server"], found["works"]) == ("minio", None)
    assert "whether the key works was not told: kms:KeyStatus needed" in found["notes"]


def test_a_refused_head_that_is_not_about_a_clients_key_is_an_error(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.put_object("b-1", "k", b"x")
    world.hook = lambda request: httpx.Response(400) if request.method == "HEAD" else None
    result = run("encrypt", "explain", "play/b-1/k")
    assert (result.exit_code, result.stdout) == (1, "")


def test_an_algorithm_nobody_knows_is_named_and_not_explained(run: Mcpy, world: Server) -> None:
    rule = (
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
        "<SSEAlgorithm>ROT13</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
        "</ServerSideEncryptionConfiguration>"
    )
    world.hook = lambda request: xml(200, rule) if b"encryption" in request.url.query else None
    found = explained(run, "play/b-1")
    assert (found["scheme"], found["stages"]) == ("ROT13", [])
    assert run("encrypt", "explain", "play/b-1").stdout.startswith("play/b-1: `ROT13`\n")


def test_the_parts_of_a_multipart_object_have_keys_of_their_own() -> None:
    facts = Facts("minio", "my-key", "my-key")
    chain = stages("sse-s3", facts, Target("play", "b-1", "k"), parts=True)
    assert "its parts, each with a key made from it" in chain[3].does


def test_a_key_in_the_servers_settings_lives_beside_what_it_protects() -> None:
    facts = Facts("minio", "my-key", "my-key", built_in=True)
    chain = stages("sse-s3", facts, Target("play", "b-1", "k"))
    assert chain[0].lives.startswith("in the server's own settings (MINIO_KMS_SECRET_KEY)")


@pytest.mark.parametrize("kind", ["aws", "other"])
@pytest.mark.parametrize("scheme", ["sse-s3", "sse-kms", "sse-c"])
def test_no_link_of_minios_chain_is_told_of_another_server(kind: Kind, scheme: Scheme) -> None:
    chain = stages(scheme, Facts(kind), Target("play", "b-1", "k"))
    assert not {"EK", "DEK", "KEK", "OEK"} & {stage.name for stage in chain}
    assert chain[-1].name == "object"


def test_a_bucket_that_encrypts_twice_is_sse_kms(run: Mcpy, world: Server) -> None:
    rule = (
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
        "<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm><KMSMasterKeyID>tenant-a</KMSMasterKeyID>"
        "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
    )
    world.hook = lambda request: xml(200, rule) if request.url.query == b"encryption=" else None
    found = explained(run, "play/b-1")
    assert (found["scheme"], found["keyId"]) == ("sse-kms", "tenant-a")


def test_a_plain_address_that_only_looks_like_aws_is_asked_as_any_server(
    run: Mcpy, s3: S3
) -> None:
    s3.put_object("b-1", "k", b"x", headers=SSE_S3)
    run.store.put(Alias("near", "http://s3.eu-west-1.amazonaws.com", ACCESS, SECRET, path="on"))
    assert explained(run, "near/b-1/k")["server"] == "minio"
