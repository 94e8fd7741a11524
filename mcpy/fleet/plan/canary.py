"""Does a server keep to a default encryption, or to a policy about it? Tried in a scratch bucket.

Some servers take a default that they cannot encrypt by, and then refuse every upload, or store it
in the clear. MinIO takes a policy about encryption and asks it only about requests that nobody
signed; some would refuse everything, or break multipart uploads, whose parts name no encryption.
So uploads that the policy must refuse, and uploads that it must let in, are made without it first,
and then with it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.api.multipart import MultipartUpload
from mcpy.api.s3info import sse_headers
from mcpy.errors import ApiError, McpyError, S3Error, UnsupportedError
from mcpy.fleet.plan import uploads
from mcpy.models import BucketEncryption, ObjectEncryption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.api.s3 import S3
    from mcpy.fleet.plan.document import Uploads

PREFIX = "mcpy-canary-"
_NO_SUCH_KEY = "mcpy-canary-no-such-key"
_CONTENT = b"canary"
_KEY = "upload"
_ATTEMPTS, _PAUSE_S = 4, 1.0  # a policy may take a moment to hold everywhere


@dataclass(frozen=True)
class _Upload:
    """An upload that is tried; ``what`` is how messages call it."""

    what: str
    encryption: ObjectEncryption | None
    parts: bool = False


class NoCanaryError(McpyError):
    """No bucket could be made to try anything in."""


@dataclass
class Canary:
    """Proves servers, each default and each mode once.

    Attributes:
        sleep: waits, in seconds.
        say: told what was left behind.
    """

    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = lambda _: None
    _proven: set[tuple[str, str, str, str]] = field(default_factory=set)

    def prove(self, s3: S3, wanted: BucketEncryption, mode: Uploads) -> None:
        """Return when the server was seen to keep to the policy of ``mode``.

        Raises:
            UnsupportedError: it does not; nothing of the user's was touched.
            McpyError: it could not be tried.
        """
        case = (s3.http.where, wanted.algorithm, wanted.key, mode)
        if case in self._proven:
            return
        with self._bucket(s3) as bucket:
            self._compare(s3, bucket, wanted, mode)
        self._proven.add(case)

    def prove_default(self, s3: S3, wanted: BucketEncryption) -> None:
        """Return when an upload that asks for nothing was seen to be encrypted by a default.

        Raises:
            UnsupportedError: it is refused, or not encrypted so.
            NoCanaryError: it could not be tried.
        """
        case = (s3.http.where, wanted.algorithm, wanted.key, "default")
        if case in self._proven:
            return
        with self._bucket(s3) as bucket:
            s3.put_bucket_encryption(bucket, wanted, current=None)
            if error := _try(s3, bucket, _Upload("an upload", None)):
                raise UnsupportedError(
                    f"{s3.http.where} takes such a default and then refuses uploads: {error}"
                )
            found = s3.head_object(bucket, _KEY).encryption
            shown = BucketEncryption(found.algorithm, found.key_id if wanted.key_id else "")
            if not shown.same_as(wanted):
                raise UnsupportedError(
                    f"{s3.http.where} takes such a default and stores uploads as "
                    f"{found.scheme or 'not encrypted'}"
                )
        self._proven.add(case)

    def _compare(self, s3: S3, bucket: str, wanted: BucketEncryption, mode: Uploads) -> None:
        taken = _must_be_taken(wanted, mode)
        refused = _must_be_refused(wanted, mode)
        for upload in taken:
            if error := _try(s3, bucket, upload):
                raise error
        # what is denied without the policy proves nothing with it
        telling = [upload for upload in refused if not _is_denied(_try(s3, bucket, upload))]
        if not telling:
            raise UnsupportedError(f"{s3.http.where} denies what a policy would: nothing to try")
        policy = uploads.merged("", uploads.statements(bucket, wanted, mode))
        s3.put_bucket_policy(bucket, policy)
        for upload in telling:
            if not self._comes_to_be_denied(s3, bucket, upload):
                raise UnsupportedError(
                    f"{s3.http.where} takes such a policy and does not keep to it: "
                    f"{upload.what} was let in. MinIO asks a bucket's policy only about "
                    "requests that nobody signed",
                    hint="mcpy encrypt plan FILE --user-policy: on MinIO a policy of the users "
                    "refuses them",
                )
        for upload in taken:
            if error := _try(s3, bucket, upload):
                raise UnsupportedError(
                    f"under such a policy {s3.http.where} refuses {upload.what} too: {error}",
                    hint='uploads = "same-or-default", or "any"',
                )

    def _comes_to_be_denied(self, s3: S3, bucket: str, upload: _Upload) -> bool:
        for attempt in range(_ATTEMPTS):
            if attempt:
                self.sleep(_PAUSE_S)
            if _is_denied(_try(s3, bucket, upload)):
                return True
        return False

    @contextmanager
    def _bucket(self, s3: S3) -> Iterator[str]:
        """Make a bucket, and remove it with all that came into it."""
        name = f"{PREFIX}{secrets.token_hex(8)}"
        try:
            s3.make_bucket(name)
        except ApiError as e:
            raise NoCanaryError(
                f"no bucket can be made at {s3.http.where} to try it in: {e}",
                hint='uploads = "any" leaves the policy out',
            ) from e
        try:
            yield name
        finally:
            try:
                s3.put_bucket_policy(name, "")
                s3.delete_object(name, _KEY)
                s3.remove_bucket(name)
            except McpyError as e:
                self.say(f"the bucket `{name}` at {s3.http.where} was left behind: {e}")


def _must_be_taken(wanted: BucketEncryption, mode: Uploads) -> list[_Upload]:
    asked = ObjectEncryption(wanted.algorithm, wanted.key)
    found = [
        _Upload("an upload as it should be", asked),
        _Upload("a multipart upload as it should be", asked, parts=True),
    ]
    return found + ([_Upload("an upload that names none", None)] if mode != "same" else [])


def _must_be_refused(wanted: BucketEncryption, mode: Uploads) -> list[_Upload]:
    if wanted.key_id:
        found = [
            _Upload("an upload with AES256", ObjectEncryption("AES256")),
            _Upload("an upload with another key", ObjectEncryption("aws:kms", _NO_SUCH_KEY)),
            _Upload("an upload that names no key", ObjectEncryption("aws:kms")),
        ]
    else:
        found = [_Upload("an upload with aws:kms", ObjectEncryption("aws:kms"))]
    return found + ([_Upload("an upload that names none", None)] if mode == "same" else [])


def _try(s3: S3, bucket: str, upload: _Upload) -> S3Error | None:
    """Upload, and return the refusal."""
    headers = sse_headers(upload.encryption)
    try:
        if upload.parts:
            _in_parts(s3, bucket, headers)
        else:
            s3.put_object(bucket, _KEY, _CONTENT, headers=headers)
    except S3Error as e:
        return e
    return None


def _in_parts(s3: S3, bucket: str, headers: dict[str, str]) -> None:
    upload = MultipartUpload.start(s3, bucket, _KEY, headers=headers, customer={})
    sent = {
        "content-length": str(len(_CONTENT)),
        "x-amz-content-sha256": hashlib.sha256(_CONTENT).hexdigest(),
    }
    try:
        upload.put(1, [_CONTENT], sent)
    finally:
        upload.abort()


def _is_denied(error: S3Error | None) -> bool:
    return error is not None and error.status == 403 and error.api_code == "AccessDenied"
