"""Browser uploads: a form whose signed policy says what may be uploaded where.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import auth2
from mcpy.sandbox.s3.auth import UNSIGNED, Caller, secret_for
from mcpy.sandbox.s3.canonical import parse_credential, signature_of
from mcpy.sandbox.s3.chunked import require_equal
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.multiform import Form, malformed
from mcpy.sandbox.s3.xml import document, element

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mcpy.sandbox.message import Request

FAILED = "Invalid according to Policy: Policy Condition failed"
# whether a condition on the field may ask for a prefix
PREFIX_ALLOWED = {
    "acl": True,
    "bucket": False,
    "cache-control": True,
    "content-type": True,
    "content-disposition": True,
    "content-encoding": True,
    "expires": True,
    "key": True,
    "success_action_redirect": True,
    "redirect": True,
    "success_action_status": True,
    "x-amz-algorithm": False,
    "x-amz-credential": False,
    "x-amz-date": False,
    "tagging": False,
}
# fields that need no condition
FREE_FIELDS = frozenset(
    {
        "x-amz-signature",
        "file",
        "policy",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-context",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-md5",
    }
)
NOT_HEADERS = frozenset({"bucket", "key", "policy", "file", "tagging", "acl"})


class Condition(NamedTuple):
    """One condition of a policy: ``operator`` is ``eq`` or ``starts-with``."""

    operator: str
    field: str
    value: str

    def holds(self, actual: str) -> bool:
        """Tell whether a field of this value satisfies it."""
        return actual.startswith(self.value) if self.operator != "eq" else actual == self.value


@dataclass(frozen=True)
class Policy:
    """What an upload may look like; ``sizes`` in bytes, both ends included."""

    expires: datetime
    conditions: tuple[Condition, ...]
    sizes: tuple[int, int] | None


@dataclass
class FormUpload:
    """A form that may be stored.

    Attributes:
        caller: who signed the policy.
        key: object name, ``${filename}`` put in.
        headers: what an upload by PUT would have said in headers.
        payload: the file; reading it to the end checks its size against the policy.
    """

    caller: Caller
    key: str
    headers: dict[str, str]
    payload: SizedForm
    fields: Mapping[str, str] = field(repr=False)

    def answer(self, bucket: str, etag: str, location: str) -> Response:
        """Return what the form asked for: a redirect, 201 with XML, 200, or 204.

        ``etag`` is in quotes; ``location`` is the URL of the object.
        """
        headers = [("ETag", etag), ("Location", location)]
        redirect = self.fields.get("success_action_redirect") or self.fields.get("redirect")
        if redirect:
            parts = urlsplit(redirect)
            added = {"bucket": bucket, "etag": etag, "key": self.key}
            query = urlencode(sorted({**dict(parse_qsl(parts.query)), **added}.items()))
            location = urlunsplit(parts._replace(query=query))
            return Response(303, [("ETag", etag), ("Location", location)])
        status = self.fields.get("success_action_status")
        if status == "201":
            named = (("Bucket", bucket), ("Key", self.key), ("ETag", etag), ("Location", location))
            root = element("PostResponse", *(element(name, value) for name, value in named))
            return Response(201, [*headers, ("Content-Type", "application/xml")], document(root))
        return Response(200 if status == "200" else 204, headers)


class SizedForm:
    """The file of a form as a ``Payload``; its end is refused when it came too soon or late."""

    def __init__(self, form: Form, sizes: tuple[int, int] | None) -> None:
        self.length: int | None = None
        self.trailers: dict[str, str] = {}
        self._form = form
        self._sizes = sizes
        self._taken = 0

    def read(self, size: int = -1, /) -> bytes:
        """See ``Payload``; EntityTooSmall or EntityTooLarge where the policy bounds it."""
        data = self._form.read(size)
        self._taken += len(data)
        if self._sizes is not None:
            if self._taken > self._sizes[1]:
                raise S3Problem.of("EntityTooLarge")
            if (size < 0 or len(data) < size) and self._taken < self._sizes[0]:
                raise S3Problem.of("EntityTooSmall")
        return data


def is_form(request: Request) -> bool:
    """Tell whether ``request`` is an upload by form."""
    kind = request.headers.get("content-type", "")
    return request.method == "POST" and kind.lower().startswith("multipart/form-data")


def read_form(
    request: Request, credentials: Mapping[str, str], now: datetime, *, region: str = ""
) -> FormUpload:
    """Read the fields of a form, check signature and policy, and stop before the file.

    Raises:
        S3Problem: not such a form, not rightly signed, or not what its policy allows.
    """
    form = Form(request.headers.get("content-type", ""), request.body)
    fields = form.fields
    if not fields.get("key"):
        raise malformed("The name of the uploaded key is missing")
    bucket = request.path.strip("/")
    fields |= {
        "bucket": bucket,
        "key": fields["key"].replace("${filename}", form.filename or fields["key"]),
    }
    caller = _signer(request, fields, credentials, region=region)
    sizes = None
    if fields.get("policy"):  # whoever signs none allows everything
        policy = parse_policy(fields["policy"])
        check_policy(policy, fields, now, repeated=form.repeated)
        sizes = policy.sizes
    headers = {name: value for name, value in fields.items() if name not in NOT_HEADERS}
    return FormUpload(caller, fields["key"].lstrip("/"), headers, SizedForm(form, sizes), fields)


def _signer(
    request: Request, fields: Mapping[str, str], credentials: Mapping[str, str], *, region: str
) -> Caller:
    if "signature" in fields:
        return auth2.form_caller(fields, request, credentials)
    named = fields.get("x-amz-credential", "")
    credential = parse_credential(named, region=region, service="s3")
    secret = secret_for(credential.access_key, request, credentials)
    signature = fields.get("x-amz-signature", "")
    require_equal(signature, signature_of(fields.get("policy", ""), secret, credential))
    return Caller(
        credential.access_key,
        secret,
        credential,
        fields.get("x-amz-date", ""),
        signature,
        UNSIGNED,
    )


def parse_policy(encoded: str) -> Policy:
    """Read a policy: base64 of JSON with ``expiration`` and ``conditions``.

    Raises:
        S3Problem: it cannot be read; every unknown thing in it is refused.
    """
    try:
        raw = json.loads(base64.b64decode(encoded, validate=True))
    except binascii.Error as e:
        raise S3Problem.of("MalformedPOSTRequest") from e
    except ValueError as e:
        raise _unreadable(str(e)) from e
    if not isinstance(raw, dict) or raw.keys() != {"expiration", "conditions"}:
        raise _unreadable("a policy has expiration and conditions")
    try:
        expires = datetime.fromisoformat(raw["expiration"])
    except (TypeError, ValueError) as e:
        raise _unreadable("the expiration is no time") from e
    if not isinstance(raw["conditions"], list):
        raise _unreadable("the conditions are no list")
    conditions: list[Condition] = []
    sizes = None
    for item in raw["conditions"]:
        if isinstance(item, list) and len(item) == 3 and item[0] == "content-length-range":
            sizes = (_number(item[1]), _number(item[2]))
        else:
            conditions += _conditions(item)
    return Policy(expires.replace(tzinfo=expires.tzinfo or UTC), tuple(conditions), sizes)


def _conditions(item: Any) -> Iterable[Condition]:  # noqa: ANN401 - parsed JSON
    if isinstance(item, dict) and all(isinstance(value, str) for value in item.values()):
        return [Condition("eq", name.lower(), value) for name, value in item.items()]
    if isinstance(item, list) and len(item) == 3 and all(isinstance(x, str) for x in item):
        operator, name, value = item[0].lower(), item[1].lower(), item[2]
        if operator in {"eq", "starts-with"} and name.startswith("$"):
            return [Condition(operator, name[1:], value)]
    raise _unreadable(f"malformed condition {json.dumps(item)}")


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdigit():
        raise _unreadable("a content-length-range has two numbers")
    return int(value)


def check_policy(
    policy: Policy, fields: Mapping[str, str], now: datetime, *, repeated: Iterable[str] = ()
) -> None:
    """Refuse fields the policy does not allow, and fields it does not mention.

    Raises:
        S3Problem: AccessDenied with the reason.
    """
    if policy.expires <= now:
        raise _denied("Invalid according to Policy: Policy expired")
    unmentioned = {
        name for name in fields if name not in FREE_FIELDS and not name.startswith("x-ignore-")
    }
    for condition in policy.conditions:
        prefix = PREFIX_ALLOWED.get(condition.field)
        refused = prefix is False and condition.operator == "starts-with"
        checked = prefix is not None or condition.field.startswith("x-amz-")
        if refused or condition.field in repeated:
            raise _denied(FAILED)
        if checked and not condition.holds(fields.get(condition.field, "")):
            where = f": [{condition.operator}, ${condition.field}, {condition.value}]"
            raise _denied(FAILED if prefix is not None else FAILED + where)
        unmentioned.discard(condition.field)
    if "signature" in fields:
        unmentioned -= {"signature", "awsaccesskeyid"}
    if unmentioned:
        names = ", ".join(_canonical(name) for name in sorted(unmentioned))
        raise _denied(
            "Each form field that you specify in a form must appear in the list of policy"
            f' conditions. "{names}" not specified in the policy.'
        )


def _canonical(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _denied(reason: str) -> S3Problem:
    return S3Problem.of("AccessDenied", reason)


def _unreadable(reason: str) -> S3Problem:
    problem = S3Problem.of("PostPolicyConditionFailed")
    problem.message += f" '({reason})'"
    return problem
