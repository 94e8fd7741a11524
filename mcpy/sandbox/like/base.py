"""What a personality can change of the S3 server, and the frame of servers that are not MinIO."""

from __future__ import annotations

import secrets
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import auth
from mcpy.sandbox.s3.call import OWNER_ID
from mcpy.sandbox.s3.canonical import Credential
from mcpy.sandbox.s3.errors import S3Problem, render, server_headers
from mcpy.sandbox.s3.xml import document, element

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.call import Call, Handler, Headers
    from mcpy.sandbox.store import Store

    Handlers = Mapping[Handler, Handler]

_NOBODY = Credential("", "", "", "")
ANYONE = auth.Caller("", "", _NOBODY, "", "", auth.UNSIGNED, declared=False)
"""A caller that was not asked for a signature; the body is taken as it comes."""


class Like:
    """MinIO itself, and the points at which another server may differ.

    Attributes:
        name: as in ``--like``.
        has_admin_api: whether ``/minio/admin``, ``/minio/kms`` and ``/minio/health`` answer.
        kms_key: default key of the KMS the server brings along; empty where one has to be
            configured.
        region: the only one requests may be signed for, empty for any.
        takes_keys_in_clear: whether SSE-C is taken without TLS.
        handlers: who answers in place of a handler of the S3 server.
    """

    name: ClassVar[str] = "minio"
    has_admin_api: ClassVar[bool] = True
    kms_key: ClassVar[str] = ""
    region: ClassVar[str] = ""
    takes_keys_in_clear: ClassVar[bool] = False
    handlers: ClassVar[Handlers] = MappingProxyType({})

    def shortcut(self, request: Request) -> Response | None:  # noqa: ARG002 - for others
        """Return an answer that is given before anything is looked at."""
        return None

    def stranger(self, request: Request, problem: S3Problem, store: Store) -> auth.Caller:  # noqa: ARG002 - for others
        """Return who asks although the signature is missing or wrong.

        Raises:
            S3Problem: nobody may.
        """
        raise problem

    def prepare(self, call: Call) -> None:
        """Change a call before its handler sees it."""

    def headers(self, request_id: str, host_id: str, *, region: str) -> Headers:
        """Return what every answer that is no failure begins with."""
        return server_headers(request_id, host_id, region=region)

    def failure(
        self, problem: S3Problem, request: Request, ids: tuple[str, str], *, region: str
    ) -> Response:
        """Return a failure as the server words it; ``ids`` are those of request and host."""
        return render(problem, request, *ids, region=region)

    def polish(self, request: Request, response: Response) -> None:
        """Change an answer before it is sent; failures are not among them."""


class Own(S3Problem):
    """A failure in the words of the server that is imitated: nothing is to be changed in it."""


def own(code: str, status: int, message: str = "", *, headers: Headers | None = None) -> Own:
    """Return a failure that is worded already."""
    return Own(code, status, message, headers=list(headers or []))


class Foreign(Like):
    """A server that is not MinIO.

    Attributes:
        server: its ``Server`` header, empty for none.
        error_fields: elements of an error after Code and Message, in order.
        messages: its words where they are not MinIO's; ``{bucket}`` and ``{key}`` are filled in.
        owner: id and display name of the owner of buckets.
        md5_etags: whether an encrypted object has its MD5 for an ETag.
    """

    has_admin_api = False
    takes_keys_in_clear = True
    server: ClassVar[str] = ""
    error_fields: ClassVar[tuple[str, ...]] = ()
    messages: ClassVar[Mapping[str, str]] = MappingProxyType({})
    owner: ClassVar[tuple[str, str]] = ("", "")
    md5_etags: ClassVar[bool] = False

    def prepare(self, call: Call) -> None:
        """Forget what only MinIO knows: its headers, and listings with metadata."""
        call.md5_etags = self.md5_etags
        call.lists_below_objects = True
        for name in [name for name in call.headers if name.startswith("x-minio-")]:
            del call.headers[name]
        if call.param("metadata"):
            call.ignore("metadata")

    def ids(self) -> tuple[str, str]:
        """Return new ids of request and host, empty where the server has none."""
        return "", ""

    def id_headers(self, ids: tuple[str, str]) -> Headers:
        """Return the headers that tell the ids."""
        pairs = zip(("x-amz-request-id", "x-amz-id-2"), ids, strict=True)
        return [(name, value) for name, value in pairs if value]

    def more_headers(self) -> Headers:
        """Return further headers of every answer."""
        return []

    def headers(self, request_id: str, host_id: str, *, region: str) -> Headers:  # noqa: ARG002 - MinIO's
        """Return ``Server`` and the ids, as far as the server has them."""
        return self._head(self.ids())

    def failure(
        self,
        problem: S3Problem,
        request: Request,
        ids: tuple[str, str],
        *,
        region: str,  # noqa: ARG002 - as above
    ) -> Response:
        """Return the failure in the server's words and form."""
        ids = self.ids()
        headers = [*self._head(ids), *problem.headers]
        if request.method == "HEAD":
            return Response(problem.status, headers)
        bucket, _, key = request.path.lstrip("/").partition("/")
        values = {
            "BucketName": bucket,
            "Key": key,
            "Resource": request.path,
            "RequestId": ids[0],
            "HostId": self.error_host_id(ids),
            "Region": self.region,
        }
        message = self.message_of(problem, request, bucket, key)
        fields = [
            element("Code", problem.code.removeprefix("XMinio")),
            element("Message", message),
        ]
        fields += [element(name, values[name]) for name in self.error_fields if values[name]]
        headers.append(("Content-Type", "application/xml"))
        return Response(problem.status, headers, document(element("Error", *fields)))

    def message_of(self, problem: S3Problem, request: Request, bucket: str, key: str) -> str:  # noqa: ARG002 - for others
        """Return the words of a failure."""
        if isinstance(problem, Own):
            return problem.message
        words = self.messages.get(problem.code, self.messages.get("", problem.message))
        return words.replace("{bucket}", bucket).replace("{key}", key)

    def error_host_id(self, ids: tuple[str, str]) -> str:
        """Return what an error's HostId says."""
        return ids[1]

    def polish(self, request: Request, response: Response) -> None:
        """Take out what only MinIO says, and tell the server's own owner of buckets."""
        response.headers = [h for h in response.headers if not h[0].lower().startswith("x-minio-")]
        if request.path == "/" and isinstance(response.body, bytes):
            name, shown = self.owner
            response.body = response.body.replace(OWNER_ID.encode(), name.encode()).replace(
                b"<DisplayName>minio<", f"<DisplayName>{shown}<".encode()
            )

    def _head(self, ids: tuple[str, str]) -> Headers:
        server = [("Server", self.server)] if self.server else []
        return [*server, *self.id_headers(ids), *self.more_headers()]


def signed(request: Request) -> bool:
    """Tell whether a request carries a signature, right or wrong."""
    return "authorization" in request.headers or "X-Amz-" in request.raw_query


def has_bucket(request: Request, store: Store) -> bool:
    """Tell whether the bucket of a request is there; the service itself always is."""
    bucket = request.path.lstrip("/").partition("/")[0]
    return not bucket or any(bucket == found.name for found in store.buckets())


def hex_digits(count: int) -> str:
    """Return random hex digits, lower case; ``count`` is even."""
    return secrets.token_hex(count // 2)
