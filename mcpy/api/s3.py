"""S3: buckets, their default encryption, and objects.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from mcpy.api import s3listing, s3xml
from mcpy.api.http import Call
from mcpy.api.s3buckets import NO_ENCRYPTION, S3Buckets
from mcpy.api.s3calls import DEFAULT_REGION, request_target
from mcpy.api.s3info import (
    Copied,
    ObjectInfo,
    encryption_of,
    info_of,
    object_path,
    sse_headers,
    version_query,
)
from mcpy.api.sigv4 import encode_query
from mcpy.errors import ProtocolError, S3Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mcpy.api.http import Answer, Stream

__all__ = [
    "DEFAULT_REGION",
    "NO_ENCRYPTION",
    "S3",
    "Copied",
    "ObjectInfo",
    "encryption_of",
    "object_path",
    "prove_s3",
    "sse_headers",
]


class S3(S3Buckets):
    """The S3 API of one alias; every method raises S3Error when the server refuses."""

    def list_objects(
        self, bucket: str, prefix: str = "", *, delimiter: str = "", metadata: bool = False
    ) -> Iterator[s3listing.Entry]:
        """Yield objects and common prefixes; with ``metadata``, MinIO adds their encryption."""
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {"metadata": "true"} if metadata else {}
        return self.pages(bucket, query, s3listing.objects_page)

    def list_versions(
        self,
        bucket: str,
        prefix: str = "",
        *,
        delimiter: str = "",
        metadata: bool = False,
        page_size: int = 0,
    ) -> Iterator[s3listing.Entry]:
        """Yield every version and delete marker; otherwise as ``list_objects``."""
        query = {"versions": "", "encoding-type": "url", "prefix": prefix}
        query |= {"max-keys": str(page_size)} if page_size else {}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {"metadata": "true"} if metadata else {}
        return self.pages(bucket, query, s3listing.versions_page)

    @cached_property
    def is_minio(self) -> bool:
        """Whether the server answers the health check of MinIO as MinIO does: 200, and nothing."""
        try:
            return self._health("live").body == b""
        except (S3Error, ProtocolError):
            return False

    def kms_ready(self) -> bool:
        """Whether MinIO finds its KMS working; True on a server that has no such question."""
        try:
            self._health("ready")
        except S3Error as e:
            return not e.api_code.startswith("kms:")
        return True

    def _health(self, kind: str) -> Answer:
        # below the endpoint itself, wherever buckets have their names
        return self.http.request(Call("GET", f"/minio/health/{kind}", repeatable=False))

    def head_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Return what the server says of an object; ``headers`` may hold an SSE-C key."""
        path, query = object_path(bucket, key), version_query(version_id)
        return info_of(key, self.call("HEAD", path, query=query, headers=headers).headers)

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

        Raises:
            ProtocolError: the answer does not name what was stored.
        """
        call = Call(
            "PUT",
            object_path(bucket, key),
            headers=headers or {},
            content=content,
            repeatable=False,
            transfer=True,
        )
        return info_of(key, self.send(call).headers, sized=False)

    @contextmanager
    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str = "",
        headers: Mapping[str, str] | None = None,
        query: Iterable[tuple[str, str]] = (),
    ) -> Iterator[tuple[ObjectInfo, Stream]]:
        """Open an object: what it is, and its bytes as they come.

        With a ``range`` in ``headers`` the stream's status tells whether the server kept to it.
        """
        target = request_target(object_path(bucket, key), [*version_query(version_id), *query])
        # any content encoding is the object's own: the bytes are wanted as stored
        sent = {"accept-encoding": "identity", **(headers or {})}
        call = Call("GET", target, headers=sent, transfer=True, replies=(200, 206))
        with self.stream(call) as stream:
            yield info_of(key, stream.headers), stream

    def copy_object(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        *,
        headers: Mapping[str, str],
        source_version_id: str = "",
        target_version_id: str = "",
    ) -> Copied:
        """Copy ``(bucket, key)`` to ``(bucket, key)`` on the server.

        ``headers`` must name the encryption of the copy: without it some servers store plaintext.
        With ``target_version_id`` MinIO stores it under that version; others make a new one.
        """
        call = Call(
            "PUT",
            request_target(object_path(*target), version_query(target_version_id)),
            headers={"x-amz-copy-source": copy_source(source, source_version_id), **headers},
            repeatable=False,
            transfer=True,
        )
        answer = self.send(call)
        etag = s3xml.text(self.document(answer, "CopyObjectResult"), "ETag").strip('"')
        return Copied(etag, answer.headers.get("x-amz-version-id", ""))

    def delete_object(
        self, bucket: str, key: str, *, version_id: str = "", bypass: bool = False
    ) -> s3xml.Deletion:
        """Delete an object, or put a delete marker over it in a versioned bucket."""
        headers = {"x-amz-bypass-governance-retention": "true"} if bypass else {}
        path, query = object_path(bucket, key), version_query(version_id)
        answer = self.delete(path, query=query, headers=headers).headers
        marker = answer.get("x-amz-delete-marker", "") == "true"
        return s3xml.Deletion(
            key,
            version_id=version_id,
            marker_id=answer.get("x-amz-version-id", "") if marker else "",
        )

    def object_tags(self, bucket: str, key: str, *, version_id: str = "") -> dict[str, str]:
        """Return an object's tags."""
        query = [("tagging", ""), *version_query(version_id)]
        answer = self.call("GET", object_path(bucket, key), query=query)
        return s3xml.tags(answer.body, self.http.where)


def copy_source(source: tuple[str, str], version_id: str = "") -> str:
    """Return the value of ``x-amz-copy-source``."""
    path = object_path(*source)
    return f"{path}?{encode_query(version_query(version_id))}" if version_id else path


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
