"""What servers other than MinIO have in common: building blocks of their handlers."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from mcpy.sandbox import envelope
from mcpy.sandbox.like.base import own
from mcpy.sandbox.s3 import copying, entity, sse
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.store import NoBucketError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcpy.sandbox.message import Request, Response
    from mcpy.sandbox.s3.call import Call, Handler
    from mcpy.sandbox.store import ObjectVersion, Store, Upload
    from mcpy.sandbox.store.content import ContentWriter

CUSTOMER_HEADERS = tuple(sse.CUSTOMER + part for part in ("algorithm", "key", "key-md5"))
SOURCE_CUSTOMER_HEADERS = tuple(sse.COPY_CUSTOMER + p for p in ("algorithm", "key", "key-md5"))
SERVER_HEADERS = (sse.SSE, sse.KMS_KEY_ID, sse.CONTEXT)
CONDITIONS = ("if-match", "if-none-match")


@dataclass(frozen=True)
class Asked:
    """The encryption a request names, whether or not that makes sense."""

    algorithm: str
    key: str
    customer: bool


def asked(call: Call) -> Asked:
    """Return what a request asks for."""
    key = call.header(sse.KMS_KEY_ID)
    return Asked(call.header(sse.SSE), key, sse.customer_requested(call.headers))


def ask(call: Call, algorithm: str, key: str = "") -> None:
    """Make the request ask for ``algorithm``, and for nothing else."""
    forget(call, *SERVER_HEADERS)
    call.headers[sse.SSE] = algorithm
    if key:
        call.headers[sse.KMS_KEY_ID] = key


def bind(call: Call, entries: dict[str, str]) -> None:
    """Add ``entries`` to the context of SSE-KMS that a request brings.

    Raises:
        S3Problem: what it brings is no context.
    """
    text = call.header(sse.CONTEXT)
    try:
        given = json.loads(base64.b64decode(text, validate=True)) if text else {}
        whole = json.dumps({**given, **entries}, separators=(",", ":"), sort_keys=True)
    except (ValueError, TypeError) as e:
        raise own("InvalidArgument", 400, "invalid encryption context") from e
    call.headers[sse.CONTEXT] = base64.b64encode(whole.encode()).decode()


def forget(call: Call, *names: str) -> None:
    """Take headers out of the request."""
    for name in names:
        call.headers.pop(name, None)


def forget_sse(call: Call) -> None:
    """Take out all that asks for SSE-S3 or SSE-KMS."""
    forget(call, *SERVER_HEADERS)


def forget_all_sse(call: Call) -> None:
    """Take out all that asks for any encryption, of the source of a copy too."""
    forget(call, *SERVER_HEADERS, *CUSTOMER_HEADERS, *SOURCE_CUSTOMER_HEADERS)


def replaces(call: Call) -> bool:
    """Tell whether a copy brings metadata of its own."""
    return call.header(copying.METADATA_DIRECTIVE) == "REPLACE"


def source_name(call: Call) -> tuple[str, str, str]:
    """Return bucket, object and version id a copy is made from."""
    return copying.parse_source(call.header(copying.COPY_SOURCE))


def onto_itself(call: Call) -> bool:
    """Tell whether a copy goes onto its own source, no version being named."""
    return source_name(call) == (call.bucket, call.key, "")


def source_version(call: Call) -> ObjectVersion | None:
    """Return the object a copy is made from, None if it is not there or a delete marker."""
    bucket, key, version_id = source_name(call)
    try:
        found = call.store.find(bucket, key, version_id or None)
    except NoBucketError:
        return None
    return None if found is None or found.marker else found


def refuse_idle_copy(call: Call) -> None:
    """Refuse a copy onto itself that replaces no metadata, encryption asked for or not.

    Raises:
        S3Problem: InvalidRequest.
    """
    if onto_itself(call) and not replaces(call) and source_version(call) is not None:
        raise S3Problem.of("InvalidCopyDest")


def check_source_conditions(call: Call) -> None:
    """Check the conditions of a copy before anything else is looked at.

    Raises:
        S3Problem: a condition failed, or the source is not there.
    """
    copying.find_source(call)


def allow_idle_copy(call: Call) -> None:
    """Let a copy onto itself that changes nothing pass; its tags are the source's."""
    source = source_version(call)
    if source is not None and not call.header(copying.TAGGING_DIRECTIVE):
        call.headers[copying.TAGGING_DIRECTIVE] = "REPLACE"
        call.headers["x-amz-tagging"] = source.tags


def keep_expires(call: Call) -> None:
    """Let a copy keep ``Expires``, which MinIO loses."""
    source = source_version(call)
    if source is None or replaces(call) or "expires" not in source.metadata:
        return
    expires = source.metadata["expires"]
    amend(call, lambda version: version.metadata.setdefault("expires", expires))


def amend(
    call: Call, change: Callable[[ObjectVersion], object], *, destroys: bool = False
) -> None:
    """Have ``change`` see every version this call stores, before it is stored.

    With ``destroys`` the content is not what was sent but noise of its length.
    """
    call.store = cast("Store", Amended(call.store, change, destroys=destroys))


class Amended:
    """A store that changes what one call writes to it; everything else it passes on."""

    def __init__(
        self, store: Store, change: Callable[[ObjectVersion], object], *, destroys: bool = False
    ) -> None:
        self._store = store
        self._change = change
        self._destroys = destroys

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        return getattr(self._store, name)

    def writer(self) -> ContentWriter:
        """Return a place for content."""
        writer = self._store.writer()
        return cast("ContentWriter", Noise(writer)) if self._destroys else writer

    def commit(
        self,
        bucket: str,
        version: ObjectVersion,
        contents: Iterable[ContentWriter] = (),
        **options: Any,  # noqa: ANN401 - the store's
    ) -> ObjectVersion:
        """See ``Store.commit``."""
        self._change(version)
        return self._store.commit(bucket, version, contents, **options)

    def start_upload(self, upload: Upload) -> None:
        """See ``Store.start_upload``."""
        self._change(upload.template)
        self._store.start_upload(upload)


class Noise:
    """A writer that keeps the length of what it is given, and nothing else of it."""

    def __init__(self, writer: ContentWriter) -> None:
        self._writer = writer

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the writer has
        return getattr(self._writer, name)

    def write(self, pieces: Iterable[bytes]) -> None:
        """Append as many random bytes."""
        self._writer.write(os.urandom(len(piece)) for piece in pieces)


def without_lock(version: ObjectVersion) -> None:
    """Take retention and legal hold off a version."""
    for name in [n for n in version.metadata if n.startswith("x-amz-object-lock-")]:
        del version.metadata[name]


def wrong_scope(request_header: str) -> str:
    """Return the scope of the credential in an ``Authorization`` header."""
    credential = request_header.partition("Credential=")[2].partition(",")[0]
    return credential.partition("/")[2]


def wrong_region(request: Request, expected: str, *, quote: str) -> str:
    """Return the message for a signature of another region than ``expected``."""
    scope = wrong_scope(request.headers.get("authorization", "")).split("/")
    wrong = scope[1] if len(scope) > 1 else ""
    return (
        f"The authorization header is malformed; the region {quote}{wrong}{quote} is wrong; "
        f"expecting {quote}{expected}{quote}"
    )


def random_id(letters: str, count: int) -> str:
    """Return ``count`` of ``letters``."""
    return "".join(secrets.choice(letters) for _ in range(count))


def ignored(*names: str) -> Callable[[Handler], Handler]:
    """Return what makes a handler that knows nothing of the query parameters ``names``."""

    def wrap(handler: Handler) -> Handler:
        def answer(call: Call) -> Response:
            for name in names:
                call.ignore(name)
            return handler(call)

        return answer

    return wrap


def not_implemented(message: str) -> Handler:
    """Return a handler that answers 501, in a bucket that is there."""

    def answer(call: Call) -> Response:
        call.store.bucket(call.bucket)
        raise own("NotImplemented", 501, message)

    return answer


def kind_of(call: Call) -> tuple[ObjectVersion | None, envelope.Kind | None]:
    """Return the version a GET or HEAD is about and how it is encrypted, None where it is not."""
    try:
        version = entity.requested_version(call)
    except S3Problem:
        return None, None  # the handler will say so
    return version, envelope.kind_of(version.metadata)


def bare_key_id(response: Response) -> Response:
    """Name KMS keys without MinIO's ``arn:aws:kms:`` in an answer."""
    response.headers = [
        (name, value.removeprefix(envelope.ARN) if name.lower() == sse.KMS_KEY_ID else value)
        for name, value in response.headers
    ]
    return response


def without(response: Response, *names: str) -> Response:
    """Take headers out of an answer."""
    gone = {name.lower() for name in names}
    response.headers = [h for h in response.headers if h[0].lower() not in gone]
    return response
