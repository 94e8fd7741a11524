"""AWS Signature Version 2, for servers too old for Version 4; AWS itself takes it no more.

It signs the verb, a few headers and the resource, with HMAC-SHA1, and not the body.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mcpy.api.sigv4 import check_credentials, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.api.call import Outgoing

# the parameters of a query that name what is asked for, as MinIO has them
_SUBRESOURCES = frozenset(
    {
        *("acl", "cors", "delete", "encryption", "legal-hold", "lifecycle", "location"),
        *("logging", "notification", "partNumber", "policy", "requestPayment"),
        *("response-cache-control", "response-content-disposition"),
        *("response-content-encoding", "response-content-language", "response-content-type"),
        *("response-expires", "retention", "select", "select-type", "tagging", "torrent"),
        *("uploadId", "uploads", "versionId", "versioning", "versions", "website"),
    }
)


def string_to_sign(method: str, resource: str, headers: Mapping[str, str]) -> str:
    """Return what is signed.

    Args:
        method: the HTTP verb.
        resource: ``/bucket/key?query`` as encoded, the bucket included whatever the address.
        headers: those of the request, by lower-case name.
    """
    names = sorted(name for name in headers if name.startswith("x-amz-"))
    amz = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    plain = [headers.get(name, "") for name in ("content-md5", "content-type", "date")]
    return "\n".join([method, *plain, amz + canonical_resource(resource)])


def canonical_resource(resource: str) -> str:
    """Return the path and, sorted and decoded, the parameters that name a sub-resource."""
    path, _, query = resource.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    named = sorted((name, unquote(value)) for name, _, value in pairs if name in _SUBRESOURCES)
    found = "&".join(f"{name}={value}" if value else name for name, value in named)
    return f"{path}?{found}" if found else path


@dataclass
class SigV2Auth:
    """Signs each request, redoing it for every attempt."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    now: Callable[[], datetime] = utc_now

    def __post_init__(self) -> None:
        check_credentials(self.access_key, self.session_token)

    def sign(self, request: Outgoing) -> None:
        """Put date, token and ``Authorization`` on ``request``."""
        headers = request.headers
        headers["date"] = format_datetime(self.now().astimezone(UTC), usegmt=True)
        if self.session_token:
            headers["x-amz-security-token"] = self.session_token
        text = string_to_sign(request.method, _resource(request), headers)
        mark = hmac.digest(self.secret_key.encode(), text.encode(), "sha1")
        headers["authorization"] = f"AWS {self.access_key}:{base64.b64encode(mark).decode()}"


def _resource(request: Outgoing) -> str:
    """Return what is asked for, its bucket included; behind a host of its own it has a slash."""
    sent = request.target
    resource = request.resource or sent
    path, mark, query = resource.partition("?")
    if resource != sent and path.count("/") == 1:
        path += "/"
    return f"{path}{mark}{query}"
