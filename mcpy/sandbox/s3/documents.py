"""Bucket sub-resources the server keeps, or only pretends to have: policy, lifecycle, ACL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import entity, policy
from mcpy.sandbox.s3.call import answer_xml, no_content
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.xml import NAMESPACE, Markup, element

if TYPE_CHECKING:
    from mcpy.sandbox.s3.call import Call, Handler

MAX_POLICY_BYTES = 20 * 1024
POLICY_VERSIONS = ("2012-10-17", "2008-10-17")
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_ACL = (
    "<AccessControlPolicy><Owner><ID></ID><DisplayName></DisplayName></Owner>"
    '<AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:type="CanonicalUser"><Type>CanonicalUser</Type></Grantee>'
    "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"
)


# policy


def put_policy(call: Call) -> Response:
    """Keep a bucket policy."""
    call.store.bucket(call.bucket)
    text = call.text()
    if not text:
        raise S3Problem.of("MissingContentLength")
    if len(text) > MAX_POLICY_BYTES:
        raise S3Problem("PolicyTooLarge", 400, "Policy exceeds the maximum allowed document size.")
    try:
        document = json.loads(text)
        _check_policy(document, call.bucket)
    except ValueError as e:
        raise S3Problem("MalformedPolicy", 400, str(e)) from e
    call.store.configure(call.bucket, "policy", json.dumps(document, separators=(",", ":")))
    return no_content()


def get_policy(call: Call) -> Response:
    """Answer the bucket policy."""
    text = call.store.bucket(call.bucket).config.get("policy")
    if text is None:
        raise S3Problem.of("NoSuchBucketPolicy")
    return Response(200, [("Content-Type", "application/json")], text.encode())


def delete_policy(call: Call) -> Response:
    """Remove the bucket policy."""
    call.store.configure(call.bucket, "policy", None)
    return no_content()


def get_policy_status(call: Call) -> Response:
    """Answer whether everybody may list and write."""
    bucket = call.store.bucket(call.bucket)
    public = policy.permits(bucket, "s3:ListBucket") and policy.permits(
        bucket, "s3:PutObject", "*"
    )
    text = "TRUE" if public else "FALSE"
    return answer_xml(element("PolicyStatus", element("IsPublic", text), xmlns=NAMESPACE))


def _check_policy(document: object, bucket: str) -> None:
    if not isinstance(document, dict) or document.get("Version") not in POLICY_VERSIONS:
        raise ValueError("The policy must contain a valid version string")
    statements = document.get("Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict) or statement.get("Effect") not in {"Allow", "Deny"}:
            raise ValueError("invalid Effect")
        if "Principal" not in statement:
            raise ValueError("invalid Principal {}")
        if not statement.get("Action"):
            raise ValueError("Action must not be empty")
        resources = statement.get("Resource", [])
        for resource in [resources] if isinstance(resources, str) else resources:
            name = str(resource).removeprefix("arn:aws:s3:::").split("/")[0]
            if name != bucket and not name.endswith("*"):
                raise ValueError("bucket name does not match")


# documents that are kept as they came, and do nothing here


def keep(part: str) -> Handler:
    """Return a handler that stores the body as ``part`` of the bucket."""

    def put(call: Call) -> Response:
        call.store.bucket(call.bucket)
        call.document()
        body = call.text().decode("utf-8", "replace")
        call.store.configure(call.bucket, part, body)
        return Response(200)

    return put


def show(part: str, missing: str) -> Handler:
    """Return a handler that answers ``part``, or the error ``missing``."""

    def get(call: Call) -> Response:
        text = call.store.bucket(call.bucket).config.get(part)
        if text is None:
            raise S3Problem.of(missing)
        return answer_xml(Markup(text), declaration=False)

    return get


def drop(part: str) -> Handler:
    """Return a handler that removes ``part``."""

    def delete(call: Call) -> Response:
        call.store.configure(call.bucket, part, None)
        return no_content()

    return delete


def get_notification(call: Call) -> Response:
    """Answer the notification configuration, empty if there is none."""
    text = call.store.bucket(call.bucket).config.get("notification")
    root = Markup(text) if text else element("NotificationConfiguration", xmlns=NAMESPACE)
    return answer_xml(root, declaration=False)


# what never changes


def fixed(document: str) -> Handler:
    """Return a handler that answers ``document`` for every bucket there is."""

    def get(call: Call) -> Response:
        call.store.bucket(call.bucket)
        return answer_xml(Markup(document), declaration=False)

    return get


def fails(name: str) -> Handler:
    """Return a handler that answers the error ``name`` for every bucket there is."""

    def handler(call: Call) -> Response:
        call.store.bucket(call.bucket)
        raise S3Problem.of(name)

    return handler


get_accelerate = fixed(f'{_DECLARATION}<AccelerateConfiguration xmlns="{NAMESPACE}"/>')
get_request_payment = fixed(
    f'{_DECLARATION}<RequestPaymentConfiguration xmlns="{NAMESPACE}">'
    "<Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
)
get_logging = fixed(
    f'{_DECLARATION}<BucketLoggingStatus xmlns="{NAMESPACE}">'
    "<!--<LoggingEnabled><TargetBucket>myLogsBucket</TargetBucket>"
    "<TargetPrefix>add/this/prefix/to/my/log/files/access_log-</TargetPrefix>"
    "</LoggingEnabled>--></BucketLoggingStatus>"
)


def reject(_call: Call) -> Response:
    """Refuse a sub-resource the server does not have at all."""
    problem = S3Problem.of("NotImplemented")
    problem.routed = False
    raise problem


def missing_feature(call: Call) -> Response:
    """Refuse what can be asked of an object that is there, but not of this server."""
    entity.find(call, call.bucket, call.key, "")
    raise S3Problem.of("NotImplemented")


def delete_replication(call: Call) -> Response:
    """Answer that there is no target to replicate to."""
    call.store.bucket(call.bucket)
    code, text = "XMinioAdminRemoteTargetNotFoundError", "The remote target does not exist"
    raise S3Problem(code, 404, text)


def delete_website(_call: Call) -> Response:
    """Answer that there is no website any more."""
    return Response(200)


# access control lists: there is one owner, who may everything


def get_acl(call: Call) -> Response:
    """Answer the access control list of a bucket or an object."""
    _exists(call)
    return Response(200, [("Content-Type", "text/plain; charset=utf-8")], _ACL.encode())


def put_acl(call: Call) -> Response:
    """Take the access control list that is there anyway."""
    _exists(call)
    canned = call.header("x-amz-acl")
    if not canned:
        grants = call.document("AccessControlPolicy").first("AccessControlList")
        grant = grants.first("Grant") if grants else None
        if grant is None or grant.value("Permission") != "FULL_CONTROL":
            raise _only_private()
    elif canned != "private":
        raise _only_private()
    return Response(200)


def _only_private() -> S3Problem:
    problem = S3Problem.of("NotImplemented")
    problem.message += " ()"
    return problem


def _exists(call: Call) -> None:
    call.store.bucket(call.bucket)
    if not call.key:
        return
    try:
        entity.find(call, call.bucket, call.key, "")
    except S3Problem as problem:
        problem.about = (call.bucket, "")
        raise
