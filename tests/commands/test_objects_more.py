"""``cp``, ``cat`` and ``stat`` over a scripted server: what goes over the wire."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.models import Alias
from tests.running import ACCESS_KEY, SECRET_KEY, Terminal
from tests.stub import ETAG, ok, s3_error, xml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

KEY = b"32byteslongsecretkeymustbegiven1"
RAW = base64.b64encode(KEY).decode().rstrip("=")
HELLO_MD5 = '"5d41402abc4b2a76b9719d911017c592"'
COPIED = "<CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>"


def head(**headers: str) -> httpx.Response:
    return ok(content_length="5", etag='"e"', **headers)


def listing(*keys: str) -> httpx.Response:
    entries = "".join(
        f"<Contents><Key>{key}</Key><Size>5</Size>"
        "<LastModified>2026-11-23T12:00:00.000Z</LastModified></Contents>"
        for key in keys
    )
    return xml(200, f"<ListBucketResult>{entries}</ListBucketResult>")


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    path = tmp_path / "hello"
    path.write_text("hello")
    return path


@pytest.mark.parametrize("form", [RAW, RAW + "=", KEY.hex(), "env:SSEC", "@{folder}/key"])
def test_an_sse_c_key_is_read_in_every_form_and_sent_with_put_and_head(
    mcpy: Mcpy, server: Server, hello: Path, tmp_path: Path, form: str
) -> None:
    mcpy.env |= {"MCPY_HOST_tls": "https://minioadmin:minioadmin@s3.test", "SSEC": RAW}
    (tmp_path / "key").write_text(RAW + "\n")
    mcpy.secrets |= {RAW, KEY.hex()}
    customer = {"x_amz_server_side_encryption_customer_algorithm": "AES256"}
    server.replies = [ok(), head(**customer)]
    rule = f"tls/enc-1={form.format(folder=tmp_path)}"
    result = mcpy("--debug", "cp", "--enc-c", rule, str(hello), "tls/enc-1/o")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"`{hello}` -> `tls/enc-1/o` (5 B, SSE-C)\n"
    for request in server.requests:
        sent = request.headers
        assert sent["x-amz-server-side-encryption-customer-key"] == RAW + "="
        assert "x-amz-server-side-encryption" not in sent


def test_an_sse_c_key_of_32_bytes_may_lie_in_a_file_as_it_is(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    mcpy.env["MCPY_HOST_tls"] = "https://minioadmin:minioadmin@s3.test"
    (tmp_path / "key").write_bytes(KEY)
    server.replies = [head(content_type="text/plain")]
    assert mcpy("stat", "--enc-c", f"tls/b12={'@'}{tmp_path}/key", "tls/b12/o").exit_code == 0
    assert server.requests[0].headers["x-amz-server-side-encryption-customer-key"] == RAW + "="


@pytest.mark.parametrize("form", ["c2hvcnQ", RAW[:-1], "", KEY.hex()[:-1], RAW + "=="])
def test_a_malformed_sse_c_key_is_refused_and_not_repeated(
    mcpy: Mcpy, hello: Path, form: str
) -> None:
    result = mcpy("cp", "--enc-c", f"play/enc-1={form}", str(hello), "play/enc-1/o")
    assert (result.exit_code, result.stdout) == (2, "")
    assert not form or form not in result.stderr
    assert "--enc-c is not PREFIX=KEY" in result.stderr


def test_a_key_file_that_is_missing_or_too_short_is_named(
    mcpy: Mcpy, hello: Path, tmp_path: Path
) -> None:
    missing = mcpy("cp", "--enc-c", f"play/enc-1=@{tmp_path}/none", str(hello), "play/enc-1/o")
    (tmp_path / "short").write_text("too-short-a-key")
    short = mcpy("cp", "--enc-c", f"play/enc-1=@{tmp_path}/short", str(hello), "play/enc-1/o")
    unset = mcpy("cp", "--enc-c", "play/enc-1=env:NONE", str(hello), "play/enc-1/o")
    assert (missing.exit_code, short.exit_code, unset.exit_code) == (1, 2, 1)
    assert f"cannot read the key file {tmp_path}/none" in missing.stderr
    assert "does not hold an SSE-C key of 32 bytes" in short.stderr
    assert "too-short-a-key" not in short.stderr
    assert "the environment has no NONE" in unset.stderr


@pytest.mark.parametrize(
    "host", ["s3.test", "localhost.evil.example", "127.evil.example", "127.0.0.1.evil.example"]
)
def test_no_command_sends_an_sse_c_key_over_plain_http_to_another_host(
    mcpy: Mcpy, server: Server, host: str
) -> None:
    mcpy.store.put(Alias("far", f"http://{host}:9000", ACCESS_KEY, SECRET_KEY))
    for line in (["stat"], ["stat", "-r"], ["cat"]):
        server.afterwards = listing("o")
        result = mcpy(*line, "--enc-c", f"far/enc-1={RAW}", "far/enc-1/o")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "not sent over plain http to `far`" in result.stderr
    assert not [call for call in server.calls if "list-type" not in call]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_an_sse_c_key_may_go_to_this_machine(mcpy: Mcpy, server: Server, host: str) -> None:
    mcpy.store.put(Alias("near", f"http://{host}:9000", ACCESS_KEY, SECRET_KEY))
    server.replies = [ok()]
    assert mcpy("stat", "--enc-c", f"near/enc-1={RAW}", "near/enc-1/o").exit_code == 0
    assert server.requests[0].headers["x-amz-server-side-encryption-customer-algorithm"]


def test_an_sse_c_key_is_not_sent_in_the_clear(mcpy: Mcpy, server: Server, hello: Path) -> None:
    assert mcpy("cp", "--enc-c", f"play/enc-1={RAW}", str(hello), "play/enc-1/o") == (
        2,
        "",
        "mcpy: error: an SSE-C key is not sent over plain http to `play`\n"
        "mcpy: hint: set the alias to an https URL\n",
    )
    assert server.calls == []


def test_mc_s_environment_names_encryptions_too(mcpy: Mcpy, server: Server, hello: Path) -> None:
    server.replies = [ok(), head(x_amz_server_side_encryption="AES256")]
    env = {"MC_ENC_S3": "play/other,play/enc-1"}
    result = mcpy("cp", str(hello), "play/enc-1/o", env=env)
    warning = "mcpy: warning: `play/other` of the environment covers none of the targets\n"
    assert (result.exit_code, result.stderr) == (0, warning)
    assert server.requests[0].headers["x-amz-server-side-encryption"] == "AES256"


def test_what_the_environment_does_not_cover_is_stored_with_a_warning(
    mcpy: Mcpy, server: Server, hello: Path
) -> None:
    """A script exports it once, and copies to other places too."""
    server.replies = [ok(), head()]
    result = mcpy("cp", str(hello), "play/enc-1/o", env={"MC_ENC_S3": "play/other"})
    assert result.exit_code == 0
    assert "warning: `play/other` of the environment covers none" in result.stderr
    assert "x-amz-server-side-encryption" not in server.requests[0].headers


def test_an_upload_that_fails_prints_no_success(mcpy: Mcpy, server: Server, hello: Path) -> None:
    server.replies = [s3_error(404, "kms:KeyNotFound", "key with given key ID does not exist")]
    result = mcpy("--json", "cp", "--enc-kms", "play/enc-1=k", str(hello), "play/enc-1/o")
    assert result.exit_code == 5
    (answer,) = result.objects
    assert (answer["status"], answer["error"]["cause"]["error"]["Code"]) == (
        "error",
        "kms:KeyNotFound",
    )


def test_an_upload_sends_its_checksum(mcpy: Mcpy, server: Server, hello: Path) -> None:
    server.replies = [ok(), head()]
    assert mcpy("cp", str(hello), "play/enc-1/o").exit_code == 0
    digest = hashlib.sha256(b"hello").digest()
    assert server.requests[0].headers["x-amz-content-sha256"] == digest.hex()
    assert server.requests[0].headers["x-amz-checksum-sha256"] == base64.b64encode(digest).decode()


def test_attributes_tags_class_and_lock_go_with_an_upload(
    mcpy: Mcpy, server: Server, hello: Path
) -> None:
    server.replies = [ok(), head()]
    options = ["--attr", "Cache-Control=max-age=9;owner=me", "--tags", "a=b&c=d"]
    options += ["--storage-class", "STANDARD", "--legal-hold", "on", "--md5"]
    options += ["--retention-mode", "governance", "--retention-duration", "1d"]
    assert mcpy("cp", *options, str(hello), "play/enc-1/o").exit_code == 0
    sent = server.requests[0].headers
    assert (sent["cache-control"], sent["x-amz-meta-owner"]) == ("max-age=9", "me")
    assert (sent["x-amz-tagging"], sent["x-amz-storage-class"]) == ("a=b&c=d", "STANDARD")
    assert (sent["x-amz-object-lock-mode"], sent["x-amz-object-lock-legal-hold"]) == (
        "GOVERNANCE",
        "ON",
    )


def test_a_folder_is_copied_below_its_name_and_its_contents_without(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "one").write_text("hello")
    server.replies = [ok(), head(), ok(), head()]
    for source in (f"{tmp_path}/tree", f"{tmp_path}/tree/"):
        assert mcpy("cp", "--jobs", "1", "-r", source, "play/enc-1/p").exit_code == 0
    assert server.calls[::2] == ["PUT /enc-1/p/tree/sub/one", "PUT /enc-1/p/sub/one"]


def test_a_prefix_is_a_folder_and_its_namesakes_are_not_copied(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    body = httpx.Response(200, headers={"content-length": "5", "etag": HELLO_MD5}, text="hello")
    server.replies = [listing("logs-of-others", "logs/1"), body]
    assert mcpy("cp", "-r", "play/enc-1/logs", f"{tmp_path}/out").exit_code == 0
    assert (tmp_path / "out" / "logs" / "1").read_text() == "hello"
    assert server.calls[1:] == ["GET /enc-1/logs/1"]


def test_a_folder_that_is_not_there_is_not_found(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    server.replies = [listing("logs-of-others")]
    assert mcpy("cp", "-r", "play/enc-1/logs", str(tmp_path)) == (
        5,
        "",
        "mcpy: error: `play/enc-1/logs` is neither an object nor a folder\n"
        "mcpy: hint: mcpy ls play/enc-1\n",
    )


@pytest.mark.parametrize("key", ["../escape", "a/../../escape"])
def test_an_object_s_name_does_not_lead_out_of_the_folder(
    mcpy: Mcpy, server: Server, tmp_path: Path, key: str
) -> None:
    server.replies = [listing(key)]
    result = mcpy("cp", "-r", "play/enc-1/", f"{tmp_path}/in/side")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"the object `{key}` has no place below" in result.stderr
    assert not (tmp_path / "escape").exists()


def test_of_several_objects_each_failure_is_named_and_the_rest_is_copied(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("hello")
    server.replies = [s3_error(403, "AccessDenied", "Access Denied."), ok(), head()]
    result = mcpy("cp", "--jobs", "1", f"{tmp_path}/a", f"{tmp_path}/b", "play/enc-1/p/")
    assert result == (
        8,
        f"`{tmp_path}/b` -> `play/enc-1/p/b` (5 B)\n",
        f"mcpy: error: {tmp_path}/a: AccessDenied: Access Denied (s3:PutObject is needed)\n"
        "mcpy: error: 1 of 2 failed\n",
    )


def test_the_prefix_of_an_encryption_covers_folders_and_no_namesakes(
    mcpy: Mcpy, server: Server, hello: Path
) -> None:
    result = mcpy("cp", "--enc-s3", "play/enc", str(hello), "play/enc-1/o")
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])
    assert "`play/enc` covers none of the targets" in result.stderr


@pytest.mark.parametrize("options", [["-r"], []])
def test_a_target_below_no_alias_is_an_error_and_never_a_folder(
    mcpy: Mcpy, hello: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = mcpy("cp", *options, str(hello), "ghost/enc-1/o")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr.startswith("mcpy: error: no alias `ghost`\n")
    assert not (tmp_path / "ghost").exists()


def test_a_copy_names_its_source_s_encryption_and_context_and_reads_a_byte(
    mcpy: Mcpy, server: Server
) -> None:
    context = base64.b64encode(b'{"a":"b"}').decode()
    kms = {
        "x_amz_server_side_encryption": "aws:kms",
        "x_amz_server_side_encryption_aws_kms_key_id": "arn:aws:kms:k",
        "x_amz_server_side_encryption_context": context,
    }
    byte = httpx.Response(206, headers={"content-range": "bytes 0-0/5", **ETAG}, text="h")
    server.replies = [head(**kms), xml(200, COPIED), head(**kms), byte]
    assert mcpy("cp", "play/enc-1/a", "play/enc-1/b").exit_code == 0
    sent = server.requests[1].headers
    assert sent["x-amz-server-side-encryption"] == "aws:kms"
    assert sent["x-amz-server-side-encryption-context"] == context
    assert sent["x-amz-copy-source-if-match"] == "e"
    assert server.requests[3].headers["range"] == "bytes=0-0"


def test_another_key_does_not_cost_a_copy_its_context(mcpy: Mcpy, server: Server) -> None:
    context = base64.b64encode(b'{"a":"b"}').decode()
    kms = {
        "x_amz_server_side_encryption": "aws:kms",
        "x_amz_server_side_encryption_context": context,
    }
    stored = kms | {"x_amz_server_side_encryption_aws_kms_key_id": "arn:aws:kms:new"}
    byte = httpx.Response(206, headers={"content-range": "bytes 0-0/5", **ETAG}, text="h")
    server.replies = [head(**kms), xml(200, COPIED), head(**stored), byte]
    rule = "play/enc-1/b=new"
    assert mcpy("cp", "--enc-kms", rule, "play/enc-1/a", "play/enc-1/b").exit_code == 0
    assert server.requests[1].headers["x-amz-server-side-encryption-context"] == context


def test_a_copy_that_cannot_be_read_is_an_error(mcpy: Mcpy, server: Server) -> None:
    kms = {"x_amz_server_side_encryption": "aws:kms"}
    lost = s3_error(400, "kms:InvalidCiphertextException", "cannot be decrypted")
    server.replies = [head(**kms), xml(200, COPIED), head(**kms), lost]
    result = mcpy("cp", "play/enc-1/a", "play/enc-1/b")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "`play/enc-1/b` was stored and cannot be read" in result.stderr


def test_a_copy_is_plaintext_only_when_that_was_asked_for(mcpy: Mcpy, server: Server) -> None:
    server.replies = [head(x_amz_server_side_encryption="AES256"), xml(200, COPIED), head()]
    assert mcpy("cp", "--decrypt", "play/enc-1/a", "play/enc-1/b").exit_code == 0
    assert "x-amz-server-side-encryption" not in server.requests[1].headers


def test_a_copy_of_an_sse_c_object_does_not_become_plaintext(mcpy: Mcpy, server: Server) -> None:
    mcpy.env["MCPY_HOST_tls"] = "https://minioadmin:minioadmin@s3.test"
    server.replies = [head(x_amz_server_side_encryption_customer_algorithm="AES256")]
    result = mcpy("cp", "--enc-c", f"tls/enc-1/a={RAW}", "tls/enc-1/a", "tls/enc-1/b")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "would be stored without the key of `tls/enc-1/a` (SSE-C)" in result.stderr
    assert server.calls == ["HEAD /enc-1/a"]


def test_an_answer_of_200_with_an_error_in_it_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [head(), s3_error(200, "InternalError", "We encountered an error")]
    result = mcpy("cp", "play/enc-1/a", "play/enc-1/b")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "InternalError: We encountered an error" in result.stderr


def test_stdin_becomes_an_object_and_an_object_goes_to_stdout(mcpy: Mcpy, server: Server) -> None:
    body = httpx.Response(200, headers={"content-length": "5", "etag": HELLO_MD5}, text="hello")
    server.replies = [ok(), head(), body]
    assert mcpy("cp", "-", "play/enc-1/o", stdin="hello") == (
        0,
        "`-` -> `play/enc-1/o` (5 B)\n",
        "",
    )
    assert server.requests[0].content == b"hello"
    assert mcpy("cp", "play/enc-1/o", "-") == (0, "hello", "")


@pytest.mark.parametrize(
    ("options", "asked"), [(["--offset", "2"], "bytes=2-"), (["--tail", "3"], "bytes=2-")]
)
def test_cat_asks_for_the_part_that_is_wanted(
    mcpy: Mcpy, server: Server, options: list[str], asked: str
) -> None:
    answer = {"content-range": "bytes 2-4/5", "content-length": "3", "etag": '"e"'}
    server.replies = [head()] if "--tail" in options else []
    server.replies += [httpx.Response(206, headers=answer, text="llo")]
    assert mcpy("cat", *options, "play/enc-1/o") == (0, "llo", "")
    assert server.requests[-1].headers["range"] == asked


def test_a_server_that_ignores_a_range_is_not_believed(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, headers={"content-length": "5", **ETAG}, text="hello")]
    assert mcpy("cat", "--offset", "2", "play/enc-1/o") == (
        1,
        "",
        "mcpy: error: the server gave all of `o` where a range was asked for\n",
    )


def test_cat_of_the_past_finds_the_version_of_then(mcpy: Mcpy, server: Server) -> None:
    versions = xml(
        200,
        "<ListVersionsResult>"
        "<DeleteMarker><Key>o</Key><VersionId>v3</VersionId>"
        "<LastModified>2026-03-01T00:00:00Z</LastModified></DeleteMarker>"
        "<Version><Key>o</Key><VersionId>v2</VersionId>"
        "<LastModified>2026-02-01T00:00:00Z</LastModified></Version>"
        "<Version><Key>o</Key><VersionId>v1</VersionId>"
        "<LastModified>2026-01-01T00:00:00Z</LastModified></Version></ListVersionsResult>",
    )
    body = httpx.Response(200, headers={"content-length": "1", **ETAG}, text="1")
    server.replies = [versions, body, versions]
    assert mcpy("cat", "--rewind", "2026.01.15T00:00", "play/enc-1/o").stdout == "1"
    assert server.calls[1] == "GET /enc-1/o?versionId=v1"
    assert mcpy("cat", "--rewind", "2026.03.15", "play/enc-1/o").exit_code == 5


def test_stat_of_a_folder_says_so(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(404, "NoSuchKey"), listing("logs/1")]
    (answer,) = mcpy("--json", "stat", "play/enc-1/logs").objects
    assert (answer["name"], answer["type"], answer["size"]) == ("logs/", "folder", 0)


def test_stat_without_listings_asks_for_the_object_alone(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(404, "NoSuchKey")]
    assert mcpy("stat", "--no-list", "play/enc-1/logs").exit_code == 5
    assert server.calls == ["HEAD /enc-1/logs"]


def test_stat_of_versions_goes_on_past_a_delete_marker(mcpy: Mcpy, server: Server) -> None:
    versions = xml(
        200,
        "<ListVersionsResult><DeleteMarker><Key>x</Key><VersionId>v2</VersionId>"
        "<LastModified>2026-02-01T00:00:00Z</LastModified></DeleteMarker>"
        "<Version><Key>x</Key><VersionId>v1</VersionId></Version></ListVersionsResult>",
    )
    server.replies = [versions, head(x_amz_version_id="v1")]
    result = mcpy("--json", "stat", "--jobs", "1", "--versions", "play/enc-1/x")
    assert result.exit_code == 0
    marker, version = result.objects
    assert (marker["isDeleteMarker"], marker["versionID"]) == (True, "v2")
    assert version["versionID"] == "v1"
    assert server.calls[1:] == ["HEAD /enc-1/x?versionId=v1"]


def test_stat_of_a_bucket_names_what_it_may_not_know(mcpy: Mcpy, server: Server) -> None:
    denied = s3_error(403, "AccessDenied")
    encryption = s3_error(404, "ServerSideEncryptionConfigurationNotFoundError")
    server.replies = [encryption, *[denied] * 6]
    result = mcpy("--json", "stat", "play/enc-1")
    assert result.exit_code == 0
    (answer,) = result.objects
    assert answer["unknown"] == [
        "Versioning",
        "ObjectLock",
        "Policy",
        "location",
        "Replication",
        "Usage",
    ]


def test_an_object_that_another_server_gives_is_carried_over(mcpy: Mcpy, server: Server) -> None:
    mcpy.env["MCPY_HOST_there"] = "http://minioadmin:minioadmin@there.test"
    body = httpx.Response(200, headers={"content-length": "5", **ETAG}, text="hello")
    stored = {"x_amz_server_side_encryption": "AES256"}
    source = head(x_amz_meta_owner="me", x_amz_tagging_count="1", **stored)
    tags = xml(200, "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")
    byte = httpx.Response(206, headers={"content-range": "bytes 0-0/5", **ETAG}, text="h")
    server.replies = [source, tags, body, ok(), head(**stored), byte]
    assert mcpy("cp", "play/enc-1/a", "there/enc-2/").exit_code == 0
    put = server.requests[3]
    assert (put.content, put.headers["host"]) == (b"hello", "there.test")
    assert put.headers["x-amz-server-side-encryption"] == "AES256"
    assert (put.headers["x-amz-meta-owner"], put.headers["x-amz-tagging"]) == ("me", "a=b")


def test_several_sources_go_into_a_folder_that_is_there(
    mcpy: Mcpy, server: Server, hello: Path, tmp_path: Path
) -> None:
    (tmp_path / "b").write_text("hello")
    server.replies = [listing("logs/1"), ok(), head(), ok(), head()]
    result = mcpy("cp", "--jobs", "1", str(hello), f"{tmp_path}/b", "play/enc-1/logs")
    assert result.exit_code == 0
    assert server.calls[1::2] == ["PUT /enc-1/logs/hello", "PUT /enc-1/logs/b"]


def test_several_sources_do_not_fit_into_what_is_no_folder(
    mcpy: Mcpy, server: Server, hello: Path
) -> None:
    server.replies = [listing()]
    assert mcpy("cp", str(hello), str(hello), "play/enc-1/one") == (
        2,
        "",
        "mcpy: error: several sources do not fit into `play/enc-1/one`\n"
        "mcpy: hint: mcpy cp SOURCE... play/enc-1/one/\n",
    )


def test_stat_of_a_bucket_with_a_slash_asks_for_what_is_in_it(mcpy: Mcpy, server: Server) -> None:
    found = "<Contents><Key>a</Key></Contents><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>"
    server.replies = [xml(200, f"<ListBucketResult>{found}</ListBucketResult>"), head()]
    result = mcpy("--json", "stat", "play/enc-1/")
    assert result.exit_code == 0
    assert [(one["name"], one["type"]) for one in result.objects] == [
        ("a", "file"),
        ("d/", "folder"),
    ]
    assert server.calls[1] == "HEAD /enc-1/a"


def test_stat_with_a_slash_asks_for_what_is_in_the_folder(mcpy: Mcpy, server: Server) -> None:
    page = xml(
        200,
        "<ListBucketResult><Contents><Key>logs/1</Key></Contents>"
        "<CommonPrefixes><Prefix>logs/old/</Prefix></CommonPrefixes></ListBucketResult>",
    )
    server.replies = [page, head()]
    found = mcpy("--json", "stat", "--jobs", "1", "play/enc-1/logs/").objects
    assert [(one["name"], one["type"]) for one in found] == [("1", "file"), ("old/", "folder")]


@pytest.mark.parametrize("line", [["cat", "play/enc-1/a.zip"], ["cp", "play/enc-1/a.zip", "-"]])
def test_nothing_looks_into_zip_archives(mcpy: Mcpy, server: Server, line: list[str]) -> None:
    result = mcpy(*line, "--zip")
    assert (result.exit_code, result.stdout, server.calls) == (7, "", [])


def test_on_a_terminal_the_news_waits_for_the_bar_to_go(
    mcpy: Mcpy, server: Server, hello: Path
) -> None:
    server.replies = [ok(), head()]
    stderr = Terminal()
    result = mcpy("cp", str(hello), "play/enc-1/o", stderr=stderr)
    assert (result.exit_code, result.stdout) == (0, f"`{hello}` -> `play/enc-1/o` (5 B)\n")
    assert "hello" in stderr.getvalue()


def test_on_a_terminal_many_copies_are_summed_up_and_failures_named(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    for name in ("a", "b"):
        (tmp_path / "tree" / name).write_text("hello")
    server.replies = [ok(), head(), s3_error(403, "AccessDenied", "no")]
    stderr = Terminal()
    result = mcpy("cp", "--jobs", "1", "-r", f"{tmp_path}/tree/", "play/enc-1", stderr=stderr)
    assert (result.exit_code, result.stdout) == (8, "")
    assert f"{tmp_path}/tree/b: AccessDenied: no" in stderr.getvalue()


def test_metadata_may_be_of_any_language(mcpy: Mcpy, server: Server, hello: Path) -> None:
    server.replies = [ok(), head()]
    assert mcpy("cp", "--attr", "k=grüße", str(hello), "play/enc-1/o").exit_code == 0
    sent = dict(server.requests[0].headers.raw)
    assert sent[b"x-amz-meta-k"] == "grüße".encode()


@pytest.mark.parametrize(("text", "sent"), [("a=b c&d=", "a=b+c&d="), ("a=ü", "a=%C3%BC")])
def test_tags_are_encoded(mcpy: Mcpy, server: Server, hello: Path, text: str, sent: str) -> None:
    server.replies = [ok(), head()]
    assert mcpy("cp", "--tags", text, str(hello), "play/enc-1/o").exit_code == 0
    assert server.requests[0].headers["x-amz-tagging"] == sent


def test_tags_of_another_form_are_refused(mcpy: Mcpy, server: Server, hello: Path) -> None:
    assert mcpy("cp", "--tags", "bad", str(hello), "play/enc-1/o") == (
        2,
        "",
        "mcpy: error: `bad` is not NAME=VALUE&NAME=VALUE\n",
    )
    assert server.calls == []


def test_an_encryption_that_covers_only_the_source_does_not_hinder_a_download(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    server.replies = [
        httpx.Response(200, headers={"content-length": "5", "etag": HELLO_MD5}, text="hello")
    ]
    env = {"MC_ENC_S3": "play/enc-1"}
    assert mcpy("cp", "play/enc-1/o", f"{tmp_path}/o", env=env).exit_code == 0
    assert (tmp_path / "o").read_text() == "hello"
    # SSE-S3 headers on a GET would be refused
    assert "x-amz-server-side-encryption" not in server.requests[0].headers


def test_a_file_is_not_encrypted_by_a_rule_for_another_place(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    result = mcpy("cp", "--enc-s3", "play/other", "play/enc-1/o", f"{tmp_path}/o")
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])
    assert "`play/other` covers none of the targets" in result.stderr
