"""Signature Version 2, against the examples of AWS's documentation."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mcpy.api.call import Outgoing, origin_of
from mcpy.api.sigv2 import SigV2Auth, canonical_resource, string_to_sign
from mcpy.models import Alias
from tests.recordings import minio
from tests.running import ACCESS_KEY, SECRET_KEY
from tests.stub import ok

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

SECRET = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
PUPPY = "/awsexamplebucket1/photos/puppy.jpg"


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
@pytest.mark.parametrize(
    ("method", "resource", "headers", "mark"),
    [
        (
            "GET",
            PUPPY,
            {"date": "Tue, 27 Mar 2007 19:36:42 +0000"},
            "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
        ),
        (
            "PUT",
            PUPPY,
            {
                "content-type": "image/jpeg",
                "content-length": "94328",
                "date": "Tue, 27 Mar 2007 21:15:45 +0000",
            },
            "iqRzw+ileNPu1fhspnRs8nOjjIA=",
        ),
        (
            "GET",
            "/awsexamplebucket1/?prefix=photos&max-keys=50&marker=puppy",
            {"date": "Tue, 27 Mar 2007 19:42:41 +0000"},
            "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
        ),
        (
            "GET",
            "/awsexamplebucket1/?acl=",
            {"date": "Tue, 27 Mar 2007 19:44:46 +0000"},
            "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
        ),
    ],
    ids=["object", "upload", "listing", "sub-resource"],
)
def test_documented_requests_have_the_documented_signatures(
    method: str, resource: str, headers: dict[str, str], mark: str
) -> None:
    found = hmac.digest(SECRET, string_to_sign(method, resource, headers).encode(), "sha1")
    assert base64.b64encode(found).decode() == mark


def test_a_bucket_with_a_host_of_its_own_is_signed_with_a_slash() -> None:
    request = Outgoing(
        "GET", origin_of("https://h.test"), "/?acl=", {}, resource="/awsexamplebucket1?acl="
    )
    moment = datetime(2007, 3, 27, 19, 44, 46, tzinfo=UTC)
    SigV2Auth("AKIAIOSFODNN7EXAMPLE", SECRET.decode(), now=lambda: moment).sign(request)
    text = "GET\n\n\nTue, 27 Mar 2007 19:44:46 GMT\n/awsexamplebucket1/?acl"
    mark = base64.b64encode(hmac.digest(SECRET, text.encode(), "sha1")).decode()
    assert request.headers["authorization"] == f"AWS AKIAIOSFODNN7EXAMPLE:{mark}"


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("/b/k%20k", "/b/k%20k"),
        ("/b?uploads=&prefix=x", "/b?uploads"),
        ("/b/k?versionId=a%2Fb&partNumber=1", "/b/k?partNumber=1&versionId=a/b"),
        ("/b?encryption=", "/b?encryption"),
    ],
)
def test_only_sub_resources_are_signed_sorted_and_decoded(sent: str, canonical: str) -> None:
    assert canonical_resource(sent) == canonical


def test_an_alias_of_version_2_signs_s3_by_it_and_the_admin_api_by_version_4(
    mcpy: Mcpy, server: Server
) -> None:
    mcpy.store.put(Alias("old", "http://old.test", ACCESS_KEY, SECRET_KEY, api="s3v2"))
    server.replies = [ok(content_length="5", etag='"e"'), minio("kms-key-status-default")]
    assert mcpy("stat", "old/bucket/o").exit_code == 0
    assert mcpy("admin", "kms", "key", "status", "old").exit_code == 0
    first, second = (request.headers["authorization"] for request in server.requests)
    assert first.startswith(f"AWS {ACCESS_KEY}:")
    assert second.startswith("AWS4-HMAC-SHA256 ")


def test_a_token_is_sent_and_not_shown() -> None:
    request = Outgoing("GET", origin_of("http://h.test"), "/b", {})
    SigV2Auth("access", "secret-key", "token-of-a-day").sign(request)
    assert request.headers["x-amz-security-token"] == "token-of-a-day"
    assert "token-of-a-day" not in repr(SigV2Auth("access", "secret-key", "token-of-a-day"))
