"""What a refusal says is missing: for every call the name that a policy has for it."""

from __future__ import annotations

import pytest

from mcpy.api.permissions import needed
from tests.running import ACCESS_KEY, Mcpy
from tests.stub import Server, s3_error


@pytest.mark.parametrize(
    ("method", "target", "wanted"),
    [
        ("GET", "/", "s3:ListAllMyBuckets"),
        ("HEAD", "/b", "s3:ListBucket"),
        ("GET", "/b?list-type=2&prefix=versions", "s3:ListBucket"),
        ("GET", "/b?versions=&prefix=x", "s3:ListBucketVersions"),
        ("PUT", "/b", "s3:CreateBucket"),
        ("DELETE", "/b", "s3:DeleteBucket"),
        ("POST", "/b?delete=", "s3:DeleteObject"),
        ("GET", "/b?encryption=", "s3:GetEncryptionConfiguration"),
        ("PUT", "/b?encryption=", "s3:PutEncryptionConfiguration"),
        ("DELETE", "/b?encryption=", "s3:PutEncryptionConfiguration"),
        ("DELETE", "/b?policy=", "s3:DeleteBucketPolicy"),
        ("GET", "/b?object-lock=", "s3:GetBucketObjectLockConfiguration"),
        ("GET", "/b?uploads=", "s3:ListBucketMultipartUploads"),
        ("HEAD", "/b/a/encryption", "s3:GetObject"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "s3:PutObject"),
        ("POST", "/b/k?uploads=", "s3:PutObject"),
        ("DELETE", "/b/k?uploadId=u", "s3:AbortMultipartUpload"),
        ("GET", "/b/k?uploadId=u", "s3:ListMultipartUploadParts"),
        ("GET", "/b/k?tagging=&versionId=v", "s3:GetObjectVersionTagging"),
        ("PUT", "/b/k?retention=", "s3:PutObjectRetention"),
        ("GET", "/b/k?versionId=v", "s3:GetObjectVersion"),
        ("GET", "/minio/kms/v1/key/status?key-id=k", "kms:KeyStatus"),
        ("GET", "/minio/admin/v3/list-jobs", "admin:ListBatchJobs"),
        ("GET", "/minio/admin/v3/nothing-known", ""),
        ("PATCH", "/b", ""),
    ],
)
def test_each_call_has_its_permission(method: str, target: str, wanted: str) -> None:
    assert needed(method, target, minio=False) == wanted


def test_minio_asks_the_same_for_a_version_as_for_an_object() -> None:
    assert needed("GET", "/b/k?versionId=v", minio=True) == "s3:GetObject"


def test_a_refusal_names_what_it_takes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(403, "AccessDenied", "Access Denied.")]
    assert mcpy("ls", "play/box") == (
        4,
        "",
        "mcpy: error: AccessDenied: Access Denied (s3:ListBucket is needed)\n",
    )


def test_wrong_credentials_are_no_want_of_a_permission(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(403, "InvalidAccessKeyId", "unknown")]
    result = mcpy("ls", "play")
    assert (result.exit_code, "is needed" in result.stderr) == (4, False)


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_an_alias_of_the_environment_is_corrected_there(
    mcpy: Mcpy, server: Server, code: str
) -> None:
    server.replies = [s3_error(403, code, "unknown")]
    env = {"MC_HOST_ci": f"http://{ACCESS_KEY}:something@s3.test"}
    result = mcpy("ls", "ci", env=env)
    assert result.exit_code == 4
    assert result.stderr.endswith("mcpy: hint: correct the variable MC_HOST_ci\n")
