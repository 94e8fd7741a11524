"""Why an object cannot be read: the server's refusal, decoded by what else can be seen of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.errors import DeadlineError, ExitCode, McpyError, S3Error, UnsupportedError
from mcpy.fleet.doctor.buckets import judge
from mcpy.fleet.doctor.kms import judged
from mcpy.fleet.doctor.server import PATIENCE_S
from mcpy.fleet.doctor.step import Patient, Step, failed
from mcpy.models import bare_key_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.s3 import ObjectInfo
    from mcpy.models import Target

# what servers said in the past, and in other places
_NOT_AUTHENTIC = re.compile(r"not authentic|key ID mismatch|sio: authentication failed")
_NEEDS_KEY = "stored using a form of server side encryption"


@dataclass(frozen=True)
class Look:
    """A look at one bucket, and at one object in it."""

    target: Target
    version_id: str = ""

    def bucket(self, patient: Patient) -> Iterator[Step]:
        """Whether the bucket is there, and whether its default encryption works."""
        name = self.target.bucket
        try:
            with patient.s3.http.patience(PATIENCE_S):
                exists = patient.s3.bucket_exists(name)
        except DeadlineError as e:
            text = f"S3 gives no answer within {PATIENCE_S:g} s, and the server is alive"
            yield failed("bucket", e, text=text, hint=f"mcpy doctor {patient.name}")
            return
        if not exists:
            hint = f"mcpy ls {patient.name}"
            yield Step("bucket", "failed", f"no bucket `{name}`", hint, ExitCode.NOT_FOUND)
            return
        yield Step("bucket", "ok", f"the bucket `{name}` is there")
        try:
            default = patient.s3.get_bucket_encryption(name)
        except McpyError as e:
            yield Step("default", "unchecked", f"its default encryption cannot be read: {e}")
            return
        if default is None:
            yield Step(
                "default", "ok", "no default encryption: an upload that asks for none is plain"
            )
        else:
            yield from judge(patient, {name: default})

    def object(self, patient: Patient) -> Iterator[Step]:
        """Whether the object is there, how it is encrypted, and whether a byte of it comes."""
        info, refusal = self._head(patient)
        if refusal:
            yield self._not_headed(patient, refusal)
            return
        assert info is not None  # noqa: S101 - one of the two is there
        scheme, key = info.encryption.scheme or "not encrypted", info.encryption.key_id
        by = f" by the key `{bare_key_id(key)}`" if key else ""
        bound = ", bound to a context" if info.encryption.context else ""
        yield Step("object", "ok", f"{info.size} bytes, {scheme}{by}{bound}")
        yield self._read(patient, info)

    def _head(self, patient: Patient) -> tuple[ObjectInfo | None, S3Error | None]:
        target = self.target
        try:
            with patient.s3.http.patience(PATIENCE_S):
                info = patient.s3.head_object(
                    target.bucket, target.key, version_id=self.version_id
                )
        except S3Error as e:
            return None, e
        return info, None

    def _not_headed(self, patient: Patient, error: S3Error) -> Step:
        target = self.target
        if error.status == 403:
            text = "these credentials may not read it (s3:GetObject), or its bucket's list"
            hint = "s3:GetObject on the object, in the policy of the user"
            return Step("object", "failed", text, hint, ExitCode.DENIED)
        if error.status in {404, 405}:
            text = "no such object, or it was deleted"
            hint = f"mcpy ls --versions {target}"
            return Step("object", "failed", text, hint, ExitCode.NOT_FOUND)
        if error.status == 400:
            refusal = self._first_byte(patient)
            if isinstance(refusal, S3Error) and _NEEDS_KEY in refusal.server_message.lower():
                return self._customer_key("object")
        return failed("object", error)

    def _customer_key(self, link: str) -> Step:
        target = self.target
        text = "SSE-C: only who uploaded it has the key, and no KMS can help"
        hint = f"mcpy cp --enc-c {target}=KEY {target} FILE"
        return Step(link, "failed", text, hint, ExitCode.DENIED)

    def _read(self, patient: Patient, info: ObjectInfo) -> Step:
        if info.encryption.customer:
            return self._customer_key("content")
        error = self._first_byte(patient)
        if error is None:
            return Step("content", "ok", "its first byte can be read")
        if not isinstance(error, S3Error):
            return failed("content", error)
        return self._decoded(patient, info, error)

    def _first_byte(self, patient: Patient) -> McpyError | None:
        target = self.target
        headers = {"range": "bytes=0-0"}
        try:
            with patient.s3.get_object(
                target.bucket, target.key, version_id=self.version_id, headers=headers
            ) as (info, stream):
                content = stream.read(1, cut=True).body
        except S3Error as e:
            return None if e.status == 416 else e  # an empty object has no first byte
        except McpyError as e:
            return e
        if content or not info.size:
            return None
        return McpyError("the server answered 200 and sent no content")

    def _decoded(self, patient: Patient, info: ObjectInfo, error: S3Error) -> Step:
        code = error.api_code
        if code == "AccessDenied":
            hint = "s3:GetObject on the object, in the policy of the user"
            return failed("content", error, text="these credentials may not read it", hint=hint)
        if not (code.startswith("kms:") or _NOT_AUTHENTIC.search(error.server_message)):
            return failed("content", error)
        key = bare_key_id(info.encryption.key_id)
        known = self._key(patient, key)
        if known and known.level == "failed":
            return known
        if code == "kms:KeyNotFound":
            text = "the key that encrypted it is gone, and is no longer the default key"
            hint = "mcpy kes key import KEY @BACKUP: a new key of its name reads nothing old"
            return failed("content", error, text=text, hint=hint)
        if code == "kms:InvalidCiphertextException" or _NOT_AUTHENTIC.search(error.server_message):
            return _not_opened(info, key)
        return failed("content", error, hint=f"mcpy doctor {patient.name}")

    def _key(self, patient: Patient, key: str) -> Step | None:
        """Return what the trial of the object's key shows; None where nobody can be asked."""
        try:
            with patient.admin.http.patience(PATIENCE_S):
                return judged(patient.admin.key_status(key), "content", patient)
        except UnsupportedError as e:
            return failed("content", e)
        except McpyError:
            return None


def _not_opened(info: ObjectInfo, key: str) -> Step:
    name = f"the key `{key}`" if key else "the default key"
    text = f"{name} works, and does not open it: it is another key of the same name"
    if info.encryption.context:
        text += ", or the context stored with it is not the one it was encrypted with"
    hint = f"mcpy kes key import {key or 'KEY'} @BACKUP, after the present one was kept elsewhere"
    return Step("content", "failed", text, hint)
