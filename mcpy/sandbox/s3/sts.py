"""The Security Token Service: credentials that last for a while.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import auth
from mcpy.sandbox.s3.canonical import ALGORITHM
from mcpy.sandbox.s3.errors import S3Problem, new_request_id, server_headers
from mcpy.sandbox.s3.xml import document, element

if TYPE_CHECKING:
    from datetime import datetime

    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.identities import Identities

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
VERSION = "2011-06-15"
MAX_BODY_BYTES = 64 * 1024
MIN_S, DEFAULT_S, MAX_S = 900, 3600, 365 * 24 * 3600


class StsProblem(Exception):  # noqa: N818 - named like S3Problem
    """A failure in the words of this service."""

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


def is_asked(request: Request) -> bool:
    """Tell whether a request is for this service."""
    return (
        request.method == "POST"
        and request.path == "/"
        and not request.raw_query
        and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        and request.headers.get("authorization", "").startswith(ALGORITHM)
    )


def assume_role(
    request: Request, identities: Identities, now: datetime, *, region: str, host_id: str
) -> Response:
    """Answer credentials for a session of whoever signed the request."""
    request_id = new_request_id()
    headers = server_headers(request_id, host_id, region=region)
    headers.append(("Content-Type", "application/xml"))
    try:
        body = _session(request, identities, now, region)
        status, name = 200, "AssumeRoleResponse"
    except StsProblem as e:
        status, name = e.status, "ErrorResponse"
        texts = (("Type", ""), ("Code", e.code), ("Message", str(e)))
        body = element("Error", *(element(*text) for text in texts))
    metadata = element("ResponseMetadata", element("RequestId", request_id))
    last = metadata if status == 200 else element("RequestId", request_id)
    return Response(status, headers, document(element(name, body, last, xmlns=NAMESPACE)))


def _session(request: Request, identities: Identities, now: datetime, region: str) -> str:
    raw = request.body.read(MAX_BODY_BYTES)
    # clients of this service sign the body's hash without saying so
    digest = hashlib.sha256(raw).hexdigest()
    request.headers = {"x-amz-content-sha256": digest, **request.headers}
    try:
        caller = auth.authenticate(request, identities, now, region=region, service="sts")
    except S3Problem as e:
        raise StsProblem("AccessDenied", e.message, 403) from e
    if caller.content_sha256 != digest:
        raise StsProblem("AccessDenied", "Access Denied.", 403)
    form = {name: values[0] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}
    if form.get("Version") != VERSION:
        text = f"Invalid STS API version {form.get('Version', '')}, expecting {VERSION}"
        raise StsProblem("MissingParameter", text)
    if form.get("Action") != "AssumeRole":
        raise StsProblem("InvalidParameterValue", f"Unsupported action {form.get('Action', '')}")
    if auth.session_token(request):
        raise StsProblem("AccessDenied", "Access Denied.", 403)
    expires = now + timedelta(seconds=_duration_s(form.get("DurationSeconds", "")))
    policy = _policy(form.get("Policy", ""))
    access_key, secret, token = identities.open_session(caller.access_key, expires, policy)
    user = element("AssumedRoleUser", element("Arn", ""), element("AssumeRoleId", ""))
    credentials = element(
        "Credentials",
        element("AccessKeyId", access_key),
        element("SecretAccessKey", secret),
        element("Expiration", f"{expires:%Y-%m-%dT%H:%M:%SZ}"),
        element("SessionToken", token),
    )
    return element("AssumeRoleResult", user, credentials)


def _duration_s(text: str) -> int:
    if not text:
        return DEFAULT_S
    if not text.isdecimal() or not MIN_S <= int(text) <= MAX_S:
        raise StsProblem("InvalidParameterValue", "Specified duration is invalid")
    return int(text)


def _policy(text: str) -> dict[str, object] | None:
    if not text:
        return None
    try:
        policy = json.loads(text)
    except ValueError as e:
        raise StsProblem("InvalidParameterValue", f"the policy is no JSON: {e}") from e
    if not isinstance(policy, dict) or not isinstance(policy.get("Statement"), list):
        raise StsProblem("InvalidParameterValue", "the policy has no statements")
    return policy
