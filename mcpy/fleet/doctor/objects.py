"""Why an object cannot be read: the server's refusal, decoded by what else can be seen of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcpy.errors import (
    DeadlineError,
    ExitCode,
    McpyError,
    S3Error,
    UnreachableError,
    UnsupportedError,
)
from mcpy.fleet.doctor.buckets import judge
from mcpy.fleet.doctor.kms import judged
from mcpy.fleet.doctor.server import PATIENCE_S
from mcpy.fleet.doctor.step import Patient, Step, failed
from mcpy.fleet.inventory.head import is_customers, refusal
from mcpy.models import bare_key_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.s3 import ObjectInfo
    from mcpy.models import Target

# what servers said in the past, and in other places
_NOT_AUTHENTIC = re.compile(r"not authentic|key ID mismatch|sio: authentication failed")
_OBJECT_RIGHT = "s3:GetObject on the object, in the policy of the user"


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
            for step in judge(patient, {name: default}):
                # whether new objects can be stored says nothing of one that is there
                mild = self.target.key and step.level == "failed"
                yield replace(step, level="warning") if mild else step

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
            return Step("object", "failed", text, _OBJECT_RIGHT, ExitCode.DENIED)
        if error.status in {404, 405}:
            text = "no such object, or it was deleted"
            hint = f"mcpy ls --versions {target}"
            return Step("object", "failed", text, hint, ExitCode.NOT_FOUND)
        if error.status == 400:
            found = self._first_byte(patient)
            if isinstance(found, S3Error) and is_customers(found.server_message):
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
        try:
            return refusal(patient.s3, target.bucket, target.key, version_id=self.version_id)
        except UnreachableError as e:
            return e

    def _decoded(self, patient: Patient, info: ObjectInfo, error: S3Error) -> Step:
        code = error.api_code
        if code == "AccessDenied":
            text = "these credentials may not read it"
            return failed("content", error, text=text, hint=_OBJECT_RIGHT)
        if not (code.startswith("kms:") or _NOT_AUTHENTIC.search(error.server_message)):
            return failed("content", error)
        key = bare_key_id(info.encryption.key_id)
        known, tried = self._key(patient, key)
        if known and known.level == "failed":
            return known
        if code == "kms:KeyNotFound":
            text = "the key that encrypted it is gone, and is no longer the default key"
            hint = f"mcpy kes key import {key or 'ITS-NAME'} @BACKUP"
            hint += ": a new key of its name reads nothing old"
            return failed("content", error, text=text, hint=hint)
        if code == "kms:InvalidCiphertextException" or _NOT_AUTHENTIC.search(error.server_message):
            return _not_opened(info, key, tried)
        return failed("content", error, hint=f"mcpy doctor {patient.name}")

    def _key(self, patient: Patient, key: str) -> tuple[Step | None, str]:
        """Return what the trial of the object's key shows, and its name; None if untold."""
        try:
            with patient.admin.http.patience(PATIENCE_S):
                status = patient.admin.key_status(key)
        except UnsupportedError as e:
            return failed("content", e), key
        except McpyError:
            return None, key
        return judged(status, "content", patient), bare_key_id(status.key_id)


def _not_opened(info: ObjectInfo, key: str, tried: str) -> Step:
    """Return what it means that a key works, and not for this object.

    ``key`` is what the object names, ``tried`` the default key where it names none.
    """
    name = f"the key `{key}`" if key else f"the default key `{tried}`" if tried else "the key"
    text = f"{name} works, and does not open it: it is another key of the same name"
    if info.encryption.context:
        text += ", or the context stored with it is not the one it was encrypted with"
    elif not key:
        text += ", or another key was the default when the object was written"
    hint = f"mcpy kes key import {key or tried or 'ITS-NAME'} @BACKUP"
    return Step("content", "failed", text, f"{hint}, after the present one was kept elsewhere")
