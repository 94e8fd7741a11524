"""The S3 server: checks who asks, hands the call to its handler, and words what went wrong."""

from __future__ import annotations

import hashlib
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mcpy.sandbox.like.base import Like
from mcpy.sandbox.message import Response
from mcpy.sandbox.packing import pack
from mcpy.sandbox.s3 import (
    auth,
    auth2,
    entity,
    forms,
    names,
    policy,
    postpolicy,
    sse,
    sts,
    watching,
)
from mcpy.sandbox.s3.call import Call
from mcpy.sandbox.s3.canonical import Credential
from mcpy.sandbox.s3.errors import S3Problem, new_request_id
from mcpy.sandbox.s3.identities import Identities
from mcpy.sandbox.s3.routes import EVENTS, STORED, find_handler
from mcpy.sandbox.s3.watchers import Watchers
from mcpy.sandbox.store import NoBucketError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.call import Handler
    from mcpy.sandbox.store import Store

BYPASS = "x-amz-bypass-governance-retention"
MAX_HEADER_BYTES = 8 * 1024
MAX_METADATA_BYTES = 2 * 1024
EXPOSED_HEADERS = (
    "Date, Etag, Server, Connection, Accept-Ranges, Content-Range, Content-Encoding,"
    " Content-Length, Content-Type, Content-Disposition, Last-Modified, Content-Language,"
    " Cache-Control, Retry-After, X-Amz-Bucket-Region, Expires, X-Amz*, X-Amz*, *"
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class S3App:
    """The S3 API over a store.

    Attributes:
        kms: may be exchanged at any time, None for a server without KMS.
        identities: who may sign requests.
        auto_encrypt: ``MINIO_KMS_AUTO_ENCRYPTION``: SSE-KMS where neither client nor bucket
            says anything.
        domains: ``MINIO_DOMAIN``: ``bucket.domain`` as host names a bucket.
        wait: called before each request; holds it while the service is frozen.
        like: the server this one is to be like.
    """

    def __init__(
        self,
        store: Store,
        *,
        kms: Kms | None,
        credentials: Mapping[str, str],
        region: str = "",
        now: Callable[[], datetime] | None = None,
        like: Like | None = None,
    ) -> None:
        self.like = like or Like()
        self.store = store
        self.kms = kms
        self.identities = (
            credentials if isinstance(credentials, Identities) else Identities(credentials)
        )
        self.region = region
        self.auto_encrypt = False
        self.domains: tuple[str, ...] = ()
        self.wait: Callable[[], None] = lambda: None
        self.host_id = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
        self.watchers = Watchers()
        self._now = now

    def __call__(self, request: Request) -> Response:
        """Answer one request; failures of the protocol are answers too."""
        self.wait()
        if request.method == "OPTIONS":
            return _preflight(request)
        if sts.is_asked(request):
            now = self._now() if self._now else _utc_now()
            return sts.assume_role(
                request, self.identities, now, region=self.region, host_id=self.host_id
            )
        try:
            response = self.like.shortcut(request) or self._answer(request)
        except (S3Problem, NoBucketError) as e:
            problem = e if isinstance(e, S3Problem) else S3Problem.of("NoSuchBucket")
            return self.refuse(request, problem)
        request_id = new_request_id()
        response.headers[:0] = self.like.headers(request_id, self.host_id, region=self.region)
        self.like.polish(request, response)
        if "origin" in request.headers:
            response.headers += _cross_origin(request)
        return response

    def refuse(self, request: Request, problem: S3Problem) -> Response:
        """Answer ``request`` with a failure."""
        ids = (new_request_id(), self.host_id)
        return self.like.failure(problem, request, ids, region=self.region)

    def _answer(self, request: Request) -> Response:
        named = names.virtual_bucket(request.headers.get("host", ""), self.domains)
        if named:
            request.in_bucket(named)
        bucket, _, key = request.path.removeprefix("/").partition("/")
        _check(request, bucket, keys_in_clear=self.like.takes_keys_in_clear)
        now = self._now() if self._now else _utc_now()
        region = self.like.region or (self.region if bucket else "")
        if bucket and not key and postpolicy.is_form(request):
            form = postpolicy.read_form(request, self.identities, now, region=region)
            call = self._call(request, form.caller, bucket, form.key, now)
            call.demand("s3:PutObject", f"{bucket}/{form.key}")
            return self._told(call, "s3:ObjectCreated:Post", forms.store_form(call, form))
        handler = find_handler(request, bucket, key)
        handler = self.like.handlers.get(handler, handler)
        nobody = self._anyone(request, bucket, key)
        caller = nobody or self._signer(request, now, region)
        call = self._call(request, caller, bucket, key, now)
        if nobody is None:
            self._authorize(call)
        self.like.prepare(call)
        response = self._told(call, EVENTS.get(handler, ""), handler(call))
        return pack(request, response) if self._packs(handler) else response

    def _packs(self, handler: Handler) -> bool:
        """Tell whether answers of a handler may be packed: never what was stored."""
        return self.like.has_admin_api and handler not in STORED

    def _told(self, call: Call, event: str, response: Response) -> Response:
        """Tell listeners that a call succeeded, if there are any."""
        if self.watchers and event and response.status < 300:
            watching.tell(call, event, call.key, response)
        return response

    def _authorize(self, call: Call) -> None:
        """Refuse what the caller's policies do not allow.

        What has many resources is looked at one by one by its handler.
        """
        name = call.caller.access_key
        if not name:
            call.identities = None  # the server it is like lets everybody in
        if not name or name in self.identities.root or not call.bucket:
            return
        if call.key or call.request.method != "POST":
            action = policy.action_of(call.request, call.bucket, call.key)
            call.demand(action, call.path if call.key else call.bucket)
        if call.header(BYPASS) and not call.allows("s3:BypassGovernanceRetention", call.path):
            del call.headers[BYPASS]

    def _signer(self, request: Request, now: datetime, region: str) -> auth.Caller:
        try:
            if auth2.is_signed(request):
                return auth2.authenticate(request, self.identities, now)
            return auth.authenticate(request, self.identities, now, region=region)
        except S3Problem as e:
            return self.like.stranger(request, e, self.store)

    def _anyone(self, request: Request, bucket: str, key: str) -> auth.Caller | None:
        """Return a caller without a name if nothing is signed and the bucket lets everybody in."""
        signed = "authorization" in request.headers or "X-Amz-" in request.raw_query
        if signed or not bucket or auth2.is_signed(request):
            return None
        try:
            if not policy.allows_anyone(self.store.bucket(bucket), key, request):
                return None
        except NoBucketError:
            return None
        nobody = Credential("", "", "", "")
        return auth.Caller("", "", nobody, "", "", auth.UNSIGNED, declared=False)

    def _call(
        self, request: Request, caller: auth.Caller, bucket: str, key: str, now: datetime
    ) -> Call:
        key = entity.clean_key(key)
        if key:
            _check_key(key, new=request.method != "GET")
        return Call(
            request,
            caller,
            bucket,
            key,
            self.store,
            self.kms,
            self.auto_encrypt,
            int(now.timestamp() * 1e6) * 1000 if self._now else time.time_ns(),
            self.identities,
            self.watchers,
        )


def _check(request: Request, bucket: str, *, keys_in_clear: bool) -> None:
    """Refuse what the server refuses before it looks at who asks for what."""
    _check_headers(request)
    values = (value for name, value in request.query if name != "delimiter")
    if names.has_bad_component(request.path) or any(map(names.has_bad_component, values)):
        raise _unrouted("XMinioInvalidResourceName")
    # the real server has more to be read below /minio/, and looks for a bucket at last
    read = request.method == "GET" and request.path.startswith("/minio/")
    if bucket in names.RESERVED and not read:
        raise S3Problem.of("AllAccessDisabled")
    if bucket and not names.valid_bucket(bucket):
        raise S3Problem.of("InvalidBucketName")
    if not (request.secure or keys_in_clear) and (
        sse.customer_requested(request.headers)
        or sse.customer_requested(request.headers, sse.COPY_CUSTOMER)
    ):
        raise S3Problem.of("InsecureSseCustomer")


def _preflight(request: Request) -> Response:
    """Allow a browser whatever it asks for; the real server does so by default."""
    wanted = request.headers.get("access-control-request-method")
    if not wanted or "origin" not in request.headers:
        return Response()
    headers = [("Access-Control-Allow-Methods", wanted)]
    names = request.headers.get("access-control-request-headers")
    if names:
        headers.append(("Access-Control-Allow-Headers", names))
    return Response(204, headers + _cross_origin(request)[:2])


def _cross_origin(request: Request) -> list[tuple[str, str]]:
    return [
        ("Access-Control-Allow-Origin", request.headers["origin"]),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", EXPOSED_HEADERS),
    ]


def _unrouted(name: str) -> S3Problem:
    problem = S3Problem.of(name)
    problem.routed = False
    return problem


def _check_headers(request: Request) -> None:
    size = user_size = 0
    for name, value in request.headers.items():
        size += len(name) + len(value)
        if name.startswith(entity.INTERNAL):
            raise _unrouted("UnsupportedMetadata")
        if name.startswith(entity.USER_PREFIXES):
            user_size += len(name) + len(value)
    if size > MAX_HEADER_BYTES or user_size > MAX_METADATA_BYTES:
        raise _unrouted("MetadataTooLarge")


def _check_key(key: str, *, new: bool) -> None:
    raw = key.encode("utf-8", "surrogateescape")
    if new and len(raw) > names.MAX_KEY_BYTES:
        raise S3Problem.of("KeyTooLongError")
    longest = max(map(len, raw.split(b"/")))
    if longest > names.MAX_COMPONENT_BYTES or not names.valid_prefix(key):
        raise S3Problem.of("XMinioInvalidObjectName")
