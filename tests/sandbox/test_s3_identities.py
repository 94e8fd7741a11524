"""Users, their policies, and sessions: who may do what over S3."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from mcpy.sandbox.message import Request
from mcpy.sandbox.s3.canonical import (
    Credential,
    canonical_request,
    signature_of,
    string_to_sign,
)
from mcpy.sandbox.s3.identities import Identities, UnknownPolicyError, UnknownUserError, names_of
from mcpy.sandbox.s3.policy import action_of
from mcpy.sandbox.s3.statements import allowed
from tests.s3_calls import ACCESS, SECRET, Answer, Server, md5_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "reader", "throw-away-too"


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data", time=datetime.now(UTC))
    server("PUT", "/bkt")
    server("PUT", "/bkt/key", body=b"content")
    server("PUT", "/other")
    yield server
    server.close()


def act_as(s3: Server, *policies: str, **documents: dict[str, Any]) -> None:
    """Make a user with these policies, and sign as it from now on."""
    people = s3.app.identities
    for name, statement in documents.items():
        people.put_policy(name, {"Version": "2012-10-17", "Statement": [statement]})
    people.put_user(USER, PASSWORD, enabled=True)
    people.change_user(USER, policies=(*policies, *documents))
    s3.access, s3.secret = USER, PASSWORD


def allow(*actions: str, on: str = "*", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:s3:::{on}"}
    return {**statement, **more}


def test_a_user_without_policies_may_nothing(s3: Server) -> None:
    act_as(s3)
    for method, path in (("GET", "/bkt/key"), ("GET", "/bkt"), ("GET", "/"), ("PUT", "/new")):
        assert s3(method, path).code == "AccessDenied"


def test_the_canned_policies_do_what_they_say(s3: Server) -> None:
    act_as(s3, "readonly")
    assert s3("GET", "/bkt/key").body == b"content"
    assert s3("GET", "/bkt", "location=").status == 200
    assert s3("PUT", "/bkt/new").code == "AccessDenied"
    assert s3("DELETE", "/bkt/key").code == "AccessDenied"
    act_as(s3, "writeonly")
    assert s3("PUT", "/bkt/new").status == 200
    assert s3("GET", "/bkt/new").code == "AccessDenied"
    act_as(s3, "readwrite")
    assert s3("DELETE", "/bkt/new").status == 204
    assert s3("GET", "/").all("Name") == ["bkt", "other"]


def test_what_has_many_resources_is_looked_at_one_by_one(s3: Server) -> None:
    s3("PUT", "/other/secret")
    act_as(s3, mine=allow("s3:*", on="bkt*"))
    assert s3("GET", "/").all("Name") == ["bkt"]
    copy = {"x-amz-copy-source": "/other/secret"}
    assert s3("PUT", "/bkt/stolen", headers=copy).code == "AccessDenied"
    assert s3("PUT", "/bkt/copied", headers={"x-amz-copy-source": "/bkt/key"}).status == 200
    act_as(s3, some=allow("s3:DeleteObject", on="bkt/k*"))
    inner = "<Object><Key>key</Key></Object><Object><Key>copied</Key></Object>"
    answer = s3.delete_many("/bkt", inner)
    assert answer.all("Code") == ["AccessDenied"]
    assert answer.all("Key") == ["key", "copied"]


def test_a_denial_wins_and_conditions_count(s3: Server) -> None:
    deny = {
        "Effect": "Deny",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::bkt/${aws:username}*",
    }
    act_as(s3, "readwrite", no=deny)
    s3("PUT", "/bkt/reader-1")
    assert s3("GET", "/bkt/reader-1").code == "AccessDenied"
    assert s3("GET", "/bkt/key").status == 200
    under = {"StringLike": {"s3:prefix": ["home/*"]}}
    act_as(s3, listing=allow("s3:ListBucket", on="bkt", Condition=under))
    assert s3("GET", "/bkt", "prefix=home/me").status == 200
    assert s3("GET", "/bkt").code == "AccessDenied"


def test_governance_is_passed_by_those_who_may(s3: Server) -> None:
    s3("PUT", "/locked", headers={"x-amz-bucket-object-lock-enabled": "true"})
    until = f"{s3.time + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
    lock = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": until}
    bypass = {"x-amz-bypass-governance-retention": "true"}
    act_as(s3, some=allow("s3:PutObject*", "s3:DeleteObject*"))
    version = s3("PUT", "/locked/key", headers=lock | md5_header(b"")).headers["x-amz-version-id"]
    query = f"versionId={version}"
    assert s3("DELETE", "/locked/key", query, bypass).code == "InvalidRequest"
    act_as(s3, "readwrite")
    assert s3("DELETE", "/locked/key", query, bypass).status == 204


def test_a_disabled_user_is_no_user_until_enabled(s3: Server) -> None:
    act_as(s3, "readonly")
    people = s3.app.identities
    people.change_user(USER, enabled=False)
    assert s3("GET", "/bkt/key").code == "InvalidAccessKeyId"
    with pytest.raises(KeyError):
        people[USER]
    people.change_user(USER, enabled=True)
    assert s3("GET", "/bkt/key").status == 200
    people.remove_user(USER)
    assert s3("GET", "/bkt/key").code == "InvalidAccessKeyId"


def test_users_are_kept_in_a_file_of_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "iam.json"
    people = Identities({ACCESS: SECRET}, path)
    people.put_user(USER, PASSWORD, enabled=True)
    people.put_policy("mine", {"Statement": []})
    people.change_user(USER, policies=("mine",))
    assert path.stat().st_mode & 0o777 == 0o600
    again = Identities({ACCESS: SECRET}, path)
    assert (again[USER], again.users[USER].policies) == (PASSWORD, ("mine",))
    assert set(again) == {ACCESS, USER}
    assert len(again) == 2
    assert PASSWORD not in repr(again.users)
    with pytest.raises(UnknownPolicyError):
        again.change_user(USER, policies=("nope",))
    with pytest.raises(UnknownUserError):
        again.change_user("nobody", enabled=True)
    with pytest.raises(UnknownUserError):
        again.remove_user("nobody")
    with pytest.raises(UnknownPolicyError):
        again.remove_policy("nope")
    assert names_of(" a, b,a,") == ("a", "b")


# sessions


def assume(s3: Server, secret: str = SECRET, access: str = ACCESS, **form: str) -> Answer:
    body = urlencode({"Action": "AssumeRole", "Version": "2011-06-15", **form}).encode()
    stamp = f"{s3.time:%Y%m%dT%H%M%SZ}"
    kind = "application/x-www-form-urlencoded"
    headers = {"host": "s3.test", "x-amz-date": stamp, "content-type": kind}
    request = Request("POST", "/", "", headers, io.BytesIO(body), len(body))
    credential = Credential(access, stamp[:8], "us-east-1", "sts")
    names = sorted(headers)
    canonical = canonical_request(request, names, hashlib.sha256(body).hexdigest())
    message = string_to_sign(canonical, stamp, credential.scope)
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access}/{credential.scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature_of(message, secret, credential)}"
    )
    response = s3.app(request)
    assert isinstance(response.body, bytes)
    return Answer(response.status, dict(response.headers), response.body)


def open_session(s3: Server, **form: str) -> dict[str, str]:
    """Sign with a session from now on; return the header with its token."""
    answer = assume(s3, **form)
    assert answer.status == 200, answer.text
    s3.access, s3.secret = answer.all("AccessKeyId")[0], answer.all("SecretAccessKey")[0]
    return {"x-amz-security-token": answer.all("SessionToken")[0]}


def test_a_session_may_what_its_user_may_until_it_ends(s3: Server) -> None:
    token = open_session(s3, DurationSeconds="900")
    assert s3("GET", "/bkt/key", headers=token).body == b"content"
    assert s3("GET", "/", headers=token).status == 200
    assert s3("GET", "/bkt/key").code == "InvalidTokenId"
    broken = {"x-amz-security-token": token["x-amz-security-token"][:-4] + "AAAA"}
    assert s3("GET", "/bkt/key", headers=broken).code == "InvalidTokenId"
    s3.app.identities.root[ACCESS] = "another-secret"
    assert s3("GET", "/bkt/key", headers=token).code == "InvalidAccessKeyId"


def test_a_session_may_be_bounded_by_a_policy(s3: Server) -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow("s3:GetObject", on="bkt/*")]}
    token = open_session(s3, Policy=json.dumps(policy))
    assert s3("GET", "/bkt/key", headers=token).status == 200
    assert s3("PUT", "/bkt/new", headers=token).code == "AccessDenied"
    assert s3("GET", "/", headers=token).code == "AccessDenied"


def test_a_session_of_a_user_ends_with_the_user(s3: Server) -> None:
    act_as(s3, "readonly")
    answer = assume(s3, PASSWORD, USER)
    s3.access, s3.secret = answer.all("AccessKeyId")[0], answer.all("SecretAccessKey")[0]
    token = {"x-amz-security-token": answer.all("SessionToken")[0]}
    assert s3("GET", "/bkt/key", headers=token).status == 200
    assert s3("PUT", "/bkt/key", headers=token).code == "AccessDenied"
    s3.app.identities.remove_user(USER)
    assert s3("GET", "/bkt/key", headers=token).code == "InvalidTokenId"


def test_a_session_that_is_over_is_none() -> None:
    people = Identities({ACCESS: SECRET})
    access, secret, token = people.open_session(ACCESS, datetime.now(UTC), None)
    assert people.session_secret(access, token) is None
    later = datetime.now(UTC) + timedelta(minutes=1)
    access, secret, token = people.open_session(ACCESS, later, None)
    assert people.session_secret(access, token) == secret
    assert people.session_secret(ACCESS, token) is None
    assert people.session_secret(access, "") is None


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Version": "2010-01-01"}, "MissingParameter"),
        ({"Action": "GetCallerIdentity"}, "InvalidParameterValue"),
        ({"DurationSeconds": "10"}, "InvalidParameterValue"),
        ({"Policy": "{"}, "InvalidParameterValue"),
        ({"Policy": "[]"}, "InvalidParameterValue"),
    ],
)
def test_a_session_is_refused(s3: Server, form: dict[str, str], code: str) -> None:
    answer = assume(s3, **form)
    assert answer.status == 400
    assert f"<Code>{code}</Code>" in answer.text


def test_a_session_needs_a_signature(s3: Server) -> None:
    answer = assume(s3, "wrong-secret")
    assert answer.status == 403
    assert "<Code>AccessDenied</Code>" in answer.text


# statements


@pytest.mark.parametrize(
    ("method", "path", "query", "action"),
    [
        ("GET", "", "", "ListAllMyBuckets"),
        ("GET", "b", "list-type=2", "ListBucket"),
        ("HEAD", "b", "", "ListBucket"),
        ("GET", "b", "versions", "ListBucketVersions"),
        ("PUT", "b", "", "CreateBucket"),
        ("DELETE", "b", "", "DeleteBucket"),
        ("PUT", "b", "encryption", "PutEncryptionConfiguration"),
        ("DELETE", "b", "encryption", "PutEncryptionConfiguration"),
        ("DELETE", "b", "policy", "DeleteBucketPolicy"),
        ("GET", "b", "acl", "GetBucketPolicy"),
        ("GET", "b/k", "", "GetObject"),
        ("HEAD", "b/k", "versionId=x", "GetObject"),
        ("POST", "b/k", "select&select-type=2", "GetObject"),
        ("POST", "b/k", "uploads", "PutObject"),
        ("GET", "b/k", "uploadId=x", "ListMultipartUploadParts"),
        ("DELETE", "b/k", "uploadId=x", "AbortMultipartUpload"),
        ("DELETE", "b/k", "", "DeleteObject"),
        ("DELETE", "b/k", "versionId=x", "DeleteObjectVersion"),
        ("PUT", "b/k", "tagging", "PutObjectTagging"),
        ("DELETE", "b/k", "tagging", "DeleteObjectTagging"),
        ("GET", "b/k", "retention", "GetObjectRetention"),
        ("GET", "b/k", "attributes", "GetObjectAttributes"),
        ("PUT", "b/k", "acl", "PutBucketPolicy"),
    ],
)
def test_policies_call_it(method: str, path: str, query: str, action: str) -> None:
    request = Request(method, f"/{path}", query, {}, io.BytesIO(), 0)
    bucket, _, key = path.partition("/")
    assert action_of(request, bucket, key) == f"s3:{action}"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"s3:prefix": "a"}}, True),
        ({"StringNotEquals": {"s3:prefix": "a"}}, False),
        ({"StringEqualsIgnoreCase": {"s3:prefix": "A"}}, True),
        ({"StringNotLike": {"s3:prefix": "b*"}}, True),
        ({"StringEquals": {"s3:delimiter": "/"}}, False),
        ({"StringEqualsIfExists": {"s3:delimiter": "/"}}, True),
        ({"StringNotEquals": {"s3:delimiter": "/"}}, True),
        ({"Null": {"s3:delimiter": "true"}}, True),
        ({"Null": {"s3:prefix": "true"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}, False),
        ({"IpAddress": {"aws:SourceIp": "nonsense"}}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, True),
        ({"NumericGreaterThan": {"s3:max-keys": 10}}, False),
        ({"NumericEquals": {"s3:prefix": "x"}}, False),
        ({"ForAnyValue:StringLike": {"s3:prefix": "?"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}, False),
        ({"StringLike": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": "false"}}, False),
    ],
)
def test_a_condition_holds_or_not(condition: dict[str, Any], *, holds: bool) -> None:
    context = {
        "s3:prefix": "a",
        "s3:max-keys": "10",
        "aws:securetransport": "true",
        "aws:sourceip": "10.1.2.3",
    }
    statement = allow("s3:ListBucket", Condition=condition)
    assert allowed([statement], "s3:ListBucket", "arn:aws:s3:::b", context) == holds


def test_what_is_not_named_can_be_meant() -> None:
    statement = {
        "Effect": "Allow",
        "NotAction": "s3:Delete*",
        "NotResource": ["arn:aws:s3:::secret/*"],
    }
    assert allowed([statement], "s3:GetObject", "arn:aws:s3:::open/a", {})
    assert not allowed([statement], "s3:GetObject", "arn:aws:s3:::secret/a", {})
    assert not allowed([statement], "s3:DeleteObject", "arn:aws:s3:::open/a", {})
    unknown = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"X": {"y": "z"}}}
    assert not allowed([statement, unknown], "s3:GetObject", "arn:aws:s3:::open/a", {})
