"""Personalities no recording exists of, from documents: Amazon S3 and RustFS; and keys lost."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import InputError
from mcpy.sandbox.like import NAMES, personality
from mcpy.sandbox.store import ObjectVersion, Part
from tests.s3_calls import CLIENT_KEY, S3, Server, client_key
from tests.sandbox.like_probe import Keys, kms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.s3_calls import Answer

ARN = "arn:aws:kms:us-east-1:000000000000:key/"
BODY = b"some words that are looked for on disk afterwards. " * 900
REPLACE = {"x-amz-metadata-directive": "REPLACE"}
SSE_C_BLOCKED = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType>"


@pytest.fixture
def like(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    made: list[Server] = []

    def start(name: str) -> Server:
        made.append(Server(tmp_path / name, kms=Keys(), like=personality(name)))
        made[-1]("PUT", "bkt")
        return made[-1]

    yield start
    for server in made:
        server.close()


def copy(server: Server, headers: dict[str, str] | None = None, key: str = "k") -> Answer:
    """Copy an object onto itself."""
    return server(
        "PUT", f"bkt/{key}", headers={"x-amz-copy-source": f"/bkt/{key}", **(headers or {})}
    )


def update(server: Server, arn: str, key: str = "k", query: str = "encryption=") -> Answer:
    """Send UpdateObjectEncryption."""
    body = f"<ObjectEncryption><SSE-KMS><KMSKeyArn>{arn}</KMSKeyArn></SSE-KMS></ObjectEncryption>"
    return server("PUT", f"bkt/{key}", query, body=body)


def shown(answer: Answer) -> tuple[str, str]:
    """Return algorithm and key of an answer."""
    name = "x-amz-server-side-encryption-aws-kms-key-id"
    return answer.sse, answer.headers.get(name, "")


def test_every_name_has_its_personality() -> None:
    assert [personality(name).name for name in NAMES] == list(NAMES)
    with pytest.raises(InputError, match="cannot be like `ghost`"):
        personality("ghost")


# Amazon S3


def test_aws_encrypts_what_asks_for_nothing(like: Callable[[str], Server]) -> None:
    aws = like("aws")
    assert shown(aws("PUT", "bkt/k", body=BODY)) == ("AES256", "")
    assert shown(aws("HEAD", "bkt/k")) == ("AES256", "")
    assert aws("GET", "bkt/k").body == BODY
    assert not any(BODY[:99] in f.read_bytes() for f in aws.folder.rglob("*") if f.is_file())


def test_aws_blocks_sse_c_until_a_naive_setting_drops_the_guard(
    like: Callable[[str], Server],
) -> None:
    aws = like("aws")
    assert SSE_C_BLOCKED in aws("GET", "bkt", "encryption=").text
    refused = aws("PUT", "bkt/k", headers=client_key(), body=BODY)
    assert (refused.status, refused.code) == (403, "AccessDenied")
    assert aws.encrypt_by_default("bkt", "AES256").status == 200
    assert "Blocked" not in aws("GET", "bkt", "encryption=").text
    assert aws("PUT", "bkt/k", headers=client_key(), body=BODY).status == 200
    assert aws("GET", "bkt/k", headers=client_key()).body == BODY
    assert aws("GET", "bkt/k").status == 400
    assert aws("GET", "bkt/k", headers=client_key(b"W" * 32)).code == "AccessDenied"


def test_aws_keeps_bucket_keys_and_blocked_types_and_forgets_them_when_cleared(
    like: Callable[[str], Server],
) -> None:
    aws = like("aws")
    rule = (
        f"<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>"
        f"<KMSMasterKeyID>{ARN}key-two</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>"
        f"<BucketKeyEnabled>true</BucketKeyEnabled>{SSE_C_BLOCKED}</BlockedEncryptionTypes></Rule>"
    )
    root = "ServerSideEncryptionConfiguration"
    assert aws("PUT", "bkt", "encryption=", body=f"<{root}>{rule}</{root}>").status == 200
    assert rule in aws("GET", "bkt", "encryption=").text
    put = aws("PUT", "bkt/k", body=BODY)
    assert shown(put) == ("aws:kms", ARN + "key-two")
    head = aws("HEAD", "bkt/k")
    assert head.headers["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
    assert aws("DELETE", "bkt", "encryption=").status == 204
    assert aws("GET", "bkt", "encryption=").all("SSEAlgorithm") == ["AES256"]
    assert "Blocked" not in aws("GET", "bkt", "encryption=").text


def test_aws_names_keys_by_arn_and_knows_only_those_there_are(
    like: Callable[[str], Server],
) -> None:
    aws = like("aws")
    assert shown(aws("PUT", "bkt/k", headers=kms("key-two"), body=BODY))[1] == ARN + "key-two"
    assert (
        shown(aws("PUT", "bkt/k", headers=kms(ARN + "key-two"), body=BODY))[1] == ARN + "key-two"
    )
    refused = aws("PUT", "bkt/k", headers=kms(ARN + "ghost"), body=BODY)
    assert (refused.status, refused.code) == (400, "KMS.NotFoundException")
    twice = {"x-amz-server-side-encryption": "aws:kms:dsse"}
    assert aws("PUT", "bkt/d", headers=twice, body=BODY).status == 200
    assert aws("HEAD", "bkt/d").sse == "aws:kms:dsse"
    bogus = aws("PUT", "bkt/k", headers={"x-amz-server-side-encryption": "ROT13"}, body=BODY)
    assert (bogus.status, bogus.code) == (400, "InvalidArgument")


def test_aws_updates_the_key_of_an_object_and_nothing_else(like: Callable[[str], Server]) -> None:
    aws = like("aws")
    put = aws("PUT", "bkt/k", headers={"x-amz-meta-a": "1", "x-amz-tagging": "t=1"}, body=BODY)
    before = aws("HEAD", "bkt/k")
    for key in ("key-one", "key-two"):
        assert update(aws, ARN + key).status == 200
        after = aws("HEAD", "bkt/k")
        assert shown(after) == ("aws:kms", ARN + key)
        assert after.etag == put.etag == hashlib.md5(BODY).hexdigest()
        for name in ("last-modified", "x-amz-meta-a", "x-amz-tagging-count", "content-length"):
            assert after.headers[name] == before.headers[name]
        assert aws("GET", "bkt/k").body == BODY


def test_aws_updates_no_key_where_it_cannot(like: Callable[[str], Server]) -> None:
    aws = like("aws")
    aws("PUT", "bkt/k", body=BODY)
    assert update(aws, "key-one").code == "InvalidRequest"  # an ARN, says the reference
    assert update(aws, ARN + "ghost").code == "KMS.NotFoundException"
    assert update(aws, ARN + "key-one", key="ghost").code == "NoSuchKey"
    aws("PUT", "bkt/d", headers={"x-amz-server-side-encryption": "aws:kms:dsse"}, body=BODY)
    assert update(aws, ARN + "key-one", key="d").code == "InvalidRequest"
    assert aws("DELETE", "bkt/k", "encryption=").code == "MethodNotAllowed"
    assert aws("GET", "bkt/k").body == BODY


def test_aws_copies_onto_itself_what_changes_and_no_more_than_5_gib(
    like: Callable[[str], Server],
) -> None:
    aws = like("aws")
    aws("PUT", "bkt/k", headers={"expires": "Wed, 21 Oct 2037 07:28:00 GMT"}, body=BODY)
    assert copy(aws).message.startswith("This copy request is illegal")
    assert copy(aws, kms(ARN + "key-two")).status == 200
    head = aws("HEAD", "bkt/k")
    assert shown(head) == ("aws:kms", ARN + "key-two")
    assert head.headers["expires"] == "Wed, 21 Oct 2037 07:28:00 GMT"
    # a copy that names no encryption has the bucket's
    assert copy(aws, REPLACE).status == 200
    assert aws("HEAD", "bkt/k").sse == "AES256"
    part = Part(1, (5 << 30) + 1, 0, 1)
    aws.store.commit("bkt", ObjectVersion("huge", 1, size=(5 << 30) + 1, parts=[part]))
    refused = copy(aws, S3, key="huge")
    assert (refused.status, refused.code) == (400, "InvalidRequest")
    assert "5368709120" in refused.message


def test_aws_looks_like_it(like: Callable[[str], Server]) -> None:
    aws = like("aws")
    answer = aws("GET", "/")
    assert answer.headers["server"] == "AmazonS3"
    assert re.fullmatch("[A-Z0-9]{16}", answer.headers["x-amz-request-id"])
    wrong = aws("GET", "/", region="eu-west-1")
    assert (wrong.status, wrong.code) == (400, "AuthorizationHeaderMalformed")
    assert "expecting 'us-east-1'" in wrong.text.replace("&#39;", "'")
    assert aws("HEAD", "bkt").headers["x-amz-bucket-region"] == "us-east-1"
    aws("PUT", "bkt/k", body=BODY)
    assert "UserMetadata" not in aws("GET", "bkt", "list-type=2&metadata=true").text
    assert aws("GET", "/minio/admin/v3/info").code == "NoSuchBucket"


def put_rule(server: Server, *rules: str) -> Answer:
    """Set rules as the default encryption."""
    inner = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    root = "ServerSideEncryptionConfiguration"
    return server("PUT", "bkt", "encryption=", body=f"<{root}>{inner}</{root}>")


def rule(algorithm: str, key: str = "") -> str:
    """Return what a rule applies."""
    key = f"<KMSMasterKeyID>{key}</KMSMasterKeyID>" if key else ""
    tag = "ApplyServerSideEncryptionByDefault"
    return f"<{tag}><SSEAlgorithm>{algorithm}</SSEAlgorithm>{key}</{tag}>"


def test_aws_refuses_defaults_that_make_no_sense(like: Callable[[str], Server]) -> None:
    aws = like("aws")
    assert put_rule(aws, rule("ROT13")).code == "MalformedXML"
    assert put_rule(aws, rule("AES256"), rule("AES256")).code == "MalformedXML"
    assert put_rule(aws).code == "MalformedXML"
    assert put_rule(aws, rule("AES256", "key-one")).code == "InvalidArgument"
    assert aws("PUT", "bkt", "encryption=", body="nonsense").code == "MalformedXML"
    assert aws("GET", "ghost", "encryption=").code == "NoSuchBucket"
    assert SSE_C_BLOCKED in aws("GET", "bkt", "encryption=").text


def test_aws_blocks_again_without_touching_the_rest(like: Callable[[str], Server]) -> None:
    aws = like("aws")
    assert put_rule(aws, rule("aws:kms:dsse", ARN + "key-two")).status == 200
    assert put_rule(aws, f"{SSE_C_BLOCKED}</BlockedEncryptionTypes>").status == 200
    text = aws("GET", "bkt", "encryption=").text
    assert "<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>" in text
    assert SSE_C_BLOCKED in text
    aws("PUT", "bkt/k", body=BODY)
    assert shown(aws("HEAD", "bkt/k")) == ("aws:kms:dsse", ARN + "key-two")
    # in place to one layer: the mark of two goes with the metadata
    assert copy(aws, S3).status == 200
    assert shown(aws("HEAD", "bkt/k")) == ("AES256", "")
    assert aws("PUT", "bkt").status == 200  # one's own bucket, made again


def test_aws_refuses_headers_that_contradict_each_other(like: Callable[[str], Server]) -> None:
    aws = like("aws")
    both = client_key() | S3
    assert aws("PUT", "bkt/k", headers=both, body=BODY).code == "InvalidArgument"
    keyed = kms("key-one") | S3
    assert aws("PUT", "bkt/k", headers=keyed, body=BODY).code == "InvalidArgument"
    assert aws("GET", "bkt/k").code == "NoSuchKey"


def test_aws_encrypts_uploads_in_parts(like: Callable[[str], Server]) -> None:
    aws = like("aws")
    context = kms(ARN + "key-two", '{"a":"b"}')
    context["x-amz-server-side-encryption-bucket-key-enabled"] = "true"
    created = aws("POST", "bkt/m", "uploads=", headers=context)
    assert shown(created) == ("aws:kms", ARN + "key-two")
    query = f"partNumber=1&uploadId={created.all('UploadId')[0]}"
    part = aws("PUT", "bkt/m", query, body=BODY)
    assert shown(part) == ("aws:kms", ARN + "key-two")
    listed = f"<Part><PartNumber>1</PartNumber><ETag>{part.headers['etag']}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
    done = aws("POST", "bkt/m", f"uploadId={created.all('UploadId')[0]}", body=body)
    assert done.status == 200
    assert update(aws, ARN + "key-one", key="m").status == 200
    head = aws("HEAD", "bkt/m")
    assert shown(head) == ("aws:kms", ARN + "key-one")
    assert head.etag.endswith("-1")
    assert aws("GET", "bkt/m").body == BODY


def test_aws_says_when_its_kms_does_not_answer(like: Callable[[str], Server]) -> None:
    aws = like("aws")
    aws("PUT", "bkt/k", body=BODY)
    assert isinstance(aws.kms, Keys)
    aws.kms.down = True
    assert aws("PUT", "bkt/l", headers=kms("key-one"), body=BODY).code == "KMSInternalException"
    assert update(aws, ARN + "key-one").code == "KMSInternalException"
    aws.kms.down = False
    assert aws("GET", "bkt/k").body == BODY


def test_aws_keeps_a_default_retention_beside_a_lone_legal_hold(
    like: Callable[[str], Server],
) -> None:
    aws = like("aws")
    aws("PUT", "locked", headers={"x-amz-bucket-object-lock-enabled": "true"})
    retention = (
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
        "<DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
        "</ObjectLockConfiguration>"
    )
    aws("PUT", "locked", "object-lock=", body=retention)
    aws("PUT", "locked/k", body=BODY)
    hold = {"x-amz-object-lock-legal-hold": "OFF", "x-amz-copy-source": "/locked/k"}
    assert aws("PUT", "locked/k", headers=hold | REPLACE).status == 200
    assert aws("HEAD", "locked/k").headers["x-amz-object-lock-mode"] == "GOVERNANCE"


# RustFS


def test_rustfs_destroys_an_object_it_encrypts_in_place(like: Callable[[str], Server]) -> None:
    rustfs = like("rustfs")
    rustfs("PUT", "bkt/k", body=BODY)
    refused = copy(rustfs, S3)
    assert (refused.status, refused.message[:27]) == (400, "Cannot copy an object to it")
    assert copy(rustfs, S3 | REPLACE).status == 200
    assert (rustfs("HEAD", "bkt/k").status, rustfs("HEAD", "bkt/k").sse) == (200, "AES256")
    assert rustfs("GET", "bkt/k").status == 500


def test_rustfs_serves_ciphertext_of_an_object_it_decrypts_in_place(
    like: Callable[[str], Server],
) -> None:
    rustfs = like("rustfs")
    rustfs("PUT", "bkt/k", headers=S3, body=BODY)
    assert copy(rustfs, REPLACE).status == 200
    answer = rustfs("GET", "bkt/k")
    assert (answer.status, answer.sse, len(answer.body)) == (200, "", len(BODY))
    assert answer.body != BODY


def test_rustfs_rewrites_rightly_where_there_are_versions(like: Callable[[str], Server]) -> None:
    rustfs = like("rustfs")
    rustfs.enable_versioning("bkt")
    rustfs("PUT", "bkt/k", body=BODY)
    assert copy(rustfs, S3 | REPLACE).status == 200
    assert rustfs("GET", "bkt/k").body == BODY
    assert rustfs("HEAD", "bkt/k").sse == "AES256"


def test_rustfs_takes_a_default_while_its_kms_is_down(like: Callable[[str], Server]) -> None:
    rustfs = like("rustfs")
    assert isinstance(rustfs.kms, Keys)
    rustfs.kms.down = True
    assert rustfs.encrypt_by_default("bkt", "aws:kms", "key-one").status == 200
    assert rustfs("PUT", "bkt/k", body=BODY).status == 500
    rustfs.kms.down = False
    assert shown(rustfs("PUT", "bkt/k", body=BODY)) == ("aws:kms", "key-one")
    assert rustfs("PUT", "bkt/k", headers=S3, body=BODY).status == 400
    assert rustfs("PUT", "bkt/k", headers=client_key(CLIENT_KEY), body=BODY).status == 400


def test_rustfs_has_an_admin_api_of_its_own(like: Callable[[str], Server]) -> None:
    rustfs = like("rustfs")
    answer = rustfs("GET", "/rustfs/admin/v3/info")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert '"version": "1.0.0-beta.8"' in answer.text
    assert rustfs("GET", "/rustfs/admin/v3/info", signed=False).status == 403
    assert rustfs("GET", "/rustfs/admin/v3/pools").status == 501
    assert rustfs("GET", "/minio/admin/v3/info").status == 404
    assert rustfs("GET", "/minio/health/live", signed=False)[0::2] == (200, b"")
    assert rustfs("GET", "/").headers["server"] == "RustFS"


# SeaweedFS without the keys it had


def test_seaweedfs_shows_headers_of_objects_whose_keys_are_gone(
    like: Callable[[str], Server],
) -> None:
    weed = like("seaweedfs")
    assert isinstance(weed.kms, Keys)
    weed("PUT", "bkt/kms", headers=kms("key-two"), body=BODY)
    weed("PUT", "bkt/s3", headers=S3, body=BODY)
    weed.kms.known.clear()
    head = weed("HEAD", "bkt/kms")
    assert (head.status, shown(head)) == (200, ("aws:kms", "key-two"))
    with pytest.raises(ConnectionResetError):
        weed("GET", "bkt/kms")
    assert weed("HEAD", "bkt/s3").status == 200
    assert (weed("GET", "bkt/s3").status, weed("GET", "bkt/s3").code) == (500, "InternalError")


def test_a_context_that_is_none_is_refused(like: Callable[[str], Server]) -> None:
    for name in ("ceph", "ceph-pacific", "seaweedfs"):
        headers = kms("key-one") | {"x-amz-server-side-encryption-context": "%%%"}
        refused = like(name)("PUT", "bkt/k", headers=headers, body=b"x")
        assert (refused.status, refused.code) == (400, "InvalidArgument")
