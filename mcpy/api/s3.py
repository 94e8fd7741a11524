"""S3: buckets, their default encryption, and objects.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from mcpy.api import s3xml
from mcpy.api.http import Call, HttpClient
from mcpy.api.refusals import s3_refusal
from mcpy.api.sigv4 import SigV4Auth, encode_query, uri_encode
from mcpy.errors import ProtocolError, S3Error
from mcpy.models import ObjectEncryption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mcpy.api.http import Answer, HttpOptions, Stream
    from mcpy.models import Alias, BucketEncryption

DEFAULT_REGION = "us-east-1"
NO_ENCRYPTION = "ServerSideEncryptionConfigurationNotFoundError"
_SSE = "x-amz-server-side-encryption"
_DESCRIBED = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-meta-",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-object-lock-",
    "x-amz-tagging-count",
)


@dataclass(frozen=True)
class ObjectInfo:
    """What HEAD, GET and PUT say of one object.

    Attributes:
        size: bytes of the object, whole.
        etag: without quotes.
        last_modified: RFC 3339, seconds.
        metadata: the headers that describe it, by lower-case name.
    """

    key: str
    size: int
    etag: str
    last_modified: str
    version_id: str
    encryption: ObjectEncryption
    metadata: Mapping[str, str] = field(default_factory=dict)


def object_path(bucket: str, key: str = "") -> str:
    """Return the encoded path; dot segments stay what they are: names."""
    return "/" + uri_encode(bucket) + ("/" + uri_encode(key, safe="/") if key else "")


def sse_headers(encryption: ObjectEncryption | None) -> dict[str, str]:
    """Return the request headers that ask for ``encryption``; none for None or no algorithm."""
    if not encryption or not encryption.algorithm:
        return {}
    headers = {_SSE: encryption.algorithm}
    if encryption.key_id:
        headers[f"{_SSE}-aws-kms-key-id"] = encryption.key_id
    if encryption.context:
        headers[f"{_SSE}-context"] = encryption.context
    return headers


def encryption_of(headers: Mapping[str, str]) -> ObjectEncryption:
    """Read an answer's SSE headers."""
    return ObjectEncryption(
        algorithm=headers.get(_SSE, ""),
        key_id=headers.get(f"{_SSE}-aws-kms-key-id", ""),
        context=headers.get(f"{_SSE}-context", ""),
        customer=f"{_SSE}-customer-algorithm" in headers,
    )


class S3:
    """The S3 API of one alias; every method raises S3Error when the server refuses."""

    def __init__(self, alias: Alias, options: HttpOptions) -> None:
        self._auth = (
            None
            if alias.anonymous
            else SigV4Auth(
                alias.access_key,
                alias.secret_key,
                alias.session_token,
                region=alias.region or DEFAULT_REGION,
            )
        )
        self.http = HttpClient(alias.url, options, refusal=s3_refusal, auth=self._auth)

    def list_buckets(self) -> list[s3xml.Bucket]:
        """Return the buckets these credentials may see."""
        return s3xml.buckets(self._call("GET", "/").body, self.http.where)

    def make_bucket(self, bucket: str, *, region: str = "", with_lock: bool = False) -> None:
        """Create a bucket, with object lock (and so versioning) when asked."""
        body = b""
        if region and region != DEFAULT_REGION:
            body = (
                f'<CreateBucketConfiguration xmlns="{s3xml.NAMESPACE}"><LocationConstraint>'
                f"{region}</LocationConstraint></CreateBucketConfiguration>"
            ).encode()
        headers = {"x-amz-bucket-object-lock-enabled": "true"} if with_lock else {}
        self._call("PUT", object_path(bucket), headers=headers, content=body)

    def remove_bucket(self, bucket: str) -> None:
        """Delete an empty bucket."""
        self._call("DELETE", object_path(bucket))

    def bucket_exists(self, bucket: str) -> bool:
        """Whether the bucket is there; being denied to look counts as a refusal."""
        try:
            self._call("HEAD", object_path(bucket))
        except S3Error as e:
            if e.status == 404:
                return False
            raise
        return True

    def set_versioning(self, bucket: str, *, status: str) -> None:
        """Set a bucket's versioning to ``Enabled`` or ``Suspended``."""
        body = (
            f'<VersioningConfiguration xmlns="{s3xml.NAMESPACE}"><Status>{status}</Status>'
            "</VersioningConfiguration>"
        ).encode()
        query = [("versioning", "")]
        self._call("PUT", object_path(bucket), query=query, content=body, repeatable=True)

    def get_bucket_encryption(self, bucket: str) -> BucketEncryption | None:
        """Return the bucket's default encryption, or None when it has none.

        Raises:
            UnsupportedError: the server does not know the question.
        """
        try:
            answer = self._call("GET", object_path(bucket), query=[("encryption", "")])
        except S3Error as e:
            if e.api_code == NO_ENCRYPTION:
                return None
            raise
        return s3xml.bucket_encryption(answer.body, self.http.where)

    def put_bucket_encryption(
        self, bucket: str, wanted: BucketEncryption, *, current: BucketEncryption | None
    ) -> None:
        """Set the bucket's default encryption, keeping the rest of ``current``."""
        body = s3xml.encryption_document(wanted, current)
        headers = {"content-md5": _md5(body), "content-type": "application/xml"}
        path, query = object_path(bucket), [("encryption", "")]
        self._call("PUT", path, query=query, headers=headers, content=body, repeatable=True)

    def delete_bucket_encryption(self, bucket: str, *, current: BucketEncryption) -> None:
        """Remove the bucket's default encryption.

        ``current`` must come from ``get_bucket_encryption``: a server that does not know
        ``?encryption`` would delete the bucket instead.
        """
        if not current.document:
            raise ProtocolError(f"the encryption of `{bucket}` was not read from the server")
        self._call("DELETE", object_path(bucket), query=[("encryption", "")])

    def list_objects(
        self, bucket: str, prefix: str = "", *, delimiter: str = "", metadata: bool = False
    ) -> Iterator[s3xml.Entry]:
        """Yield objects and common prefixes; with ``metadata``, MinIO adds their encryption."""
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {"metadata": "true"} if metadata else {}
        return self._pages(bucket, query, s3xml.objects_page)

    def list_versions(
        self, bucket: str, prefix: str = "", *, delimiter: str = "", metadata: bool = False
    ) -> Iterator[s3xml.Entry]:
        """Yield every version and delete marker; otherwise as ``list_objects``."""
        query = {"versions": "", "encoding-type": "url", "prefix": prefix}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {"metadata": "true"} if metadata else {}
        return self._pages(bucket, query, s3xml.versions_page)

    def head_object(self, bucket: str, key: str, *, version_id: str = "") -> ObjectInfo:
        """Return what the server says of an object."""
        answer = self._call("HEAD", object_path(bucket, key), query=_version(version_id))
        return _info(key, answer.headers)

    def put_object(
        self,
        bucket: str,
        key: str,
        content: bytes | Iterable[bytes],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Store an object in one request.

        Args:
            bucket: where.
            key: under which name.
            content: the bytes; streamed content needs ``content-length`` and
                ``x-amz-content-sha256`` in ``headers``.
            headers: metadata and encryption.
        """
        call = Call(
            "PUT",
            object_path(bucket, key),
            headers=headers or {},
            content=content,
            repeatable=False,
            transfer=True,
        )
        return _info(key, self._send(call).headers)

    @contextmanager
    def get_object(
        self, bucket: str, key: str, *, version_id: str = ""
    ) -> Iterator[tuple[ObjectInfo, Stream]]:
        """Open an object: what it is, and its bytes as they come."""
        target = _target(object_path(bucket, key), _version(version_id))
        # any content encoding is the object's own: the bytes are wanted as stored
        headers = {"accept-encoding": "identity"}
        call = Call("GET", target, headers=headers, transfer=True, replies=(200,))
        with self.http.stream(call) as stream:
            yield _info(key, stream.headers), stream

    def copy_object(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        *,
        headers: Mapping[str, str],
        source_version_id: str = "",
    ) -> None:
        """Copy ``(bucket, key)`` to ``(bucket, key)`` on the server.

        ``headers`` must name the encryption of the copy: without it some servers store plaintext.
        """
        path = object_path(*source)
        if source_version_id:
            path += "?" + encode_query(_version(source_version_id))
        call = Call(
            "PUT",
            object_path(*target),
            headers={"x-amz-copy-source": path, **headers},
            repeatable=False,
            transfer=True,
        )
        answer = self._send(call)
        # S3 may answer 200 and then fail in the body
        s3xml.parse(answer.body, root="CopyObjectResult", where=self.http.where)

    def delete_object(self, bucket: str, key: str, *, version_id: str = "") -> None:
        """Delete an object, or put a delete marker over it in a versioned bucket."""
        self._call("DELETE", object_path(bucket, key), query=_version(version_id))

    def _pages(
        self, bucket: str, query: dict[str, str], read: Callable[[bytes, str], s3xml.Page]
    ) -> Iterator[s3xml.Entry]:
        markers: dict[str, str] = {}
        while True:
            answer = self._call(
                "GET", object_path(bucket), query=[*query.items(), *markers.items()]
            )
            page = read(answer.body, self.http.where)
            yield from page.entries
            if not page.markers:
                return
            if page.markers == markers:
                raise ProtocolError(f"{self.http.where} gave the same page of a listing twice")
            markers = page.markers

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        repeatable: bool | None = None,
    ) -> Answer:
        """``repeatable``: None lets reads alone be repeated after a lost answer."""
        call = Call(method, _target(path, query), headers or {}, content, repeatable=repeatable)
        return self._send(call)

    def _send(self, call: Call) -> Answer:
        try:
            return self.http.request(call)
        except S3Error as e:
            region = e.fields.get("Region", "")
            wrong = e.api_code in {
                "AuthorizationHeaderMalformed",
                "AuthorizationQueryParametersError",
            }
            if not (wrong and region and self._auth and self._auth.region != region):
                raise
            self._auth.region = region
            return self.http.request(replace(call))


def _target(path: str, query: Iterable[tuple[str, str]]) -> str:
    encoded = encode_query(query)
    return f"{path}?{encoded}" if encoded else path


def _version(version_id: str) -> list[tuple[str, str]]:
    return [("versionId", version_id)] if version_id else []


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _info(key: str, headers: Mapping[str, str]) -> ObjectInfo:
    try:
        size = int(headers.get("content-length", "0"))
        moment = (
            parsedate_to_datetime(headers["last-modified"]) if "last-modified" in headers else None
        )
    except ValueError as e:
        raise ProtocolError("an answer with a malformed Content-Length or Last-Modified") from e
    return ObjectInfo(
        key=key,
        size=size,
        etag=headers.get("etag", "").strip('"'),
        last_modified=moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "",
        version_id=headers.get("x-amz-version-id", ""),
        encryption=encryption_of(headers),
        metadata={k.lower(): v for k, v in headers.items() if k.lower().startswith(_DESCRIBED)},
    )


def prove_s3(client: S3) -> None:
    """Prove that an S3 server is there and takes these credentials.

    Being denied the list of buckets is proof as well, when S3 says so in its own words: the
    signature was checked first.

    Raises:
        McpyError: what is there is not S3, or does not take the credentials.
    """
    try:
        client.list_buckets()
    except S3Error as e:
        if e.api_code != "AccessDenied":
            raise
