"""What a server says of an object or a bucket, put beside the chain it makes."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mcpy.api.s3aws import is_aws
from mcpy.errors import McpyError, S3Error, UnreachableError, UnsupportedError
from mcpy.fleet.explain.chain import Facts, Scheme, Stage, notes, on_delete, on_lock, stages
from mcpy.fleet.inventory.head import is_customers, unreadable
from mcpy.jsontext import loads
from mcpy.models import bare_key_id, scheme_of

if TYPE_CHECKING:
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3 import S3
    from mcpy.models import ObjectEncryption, Target


@dataclass(frozen=True)
class Explanation:
    """The chain of one object, or of the objects a bucket will get.

    Attributes:
        scheme: how it is encrypted.
        size: bytes of an object; None for a bucket.
        opens: whether a byte of it could be read just now; None where it was not tried.
        problem: why not.
        context: what a client bound the key to, decoded.
    """

    target: Target
    scheme: Scheme
    facts: Facts
    stages: tuple[Stage, ...]
    version_id: str = ""
    size: int | None = None
    opens: bool | None = None
    problem: str = ""
    context: str = ""
    notes: tuple[str, ...] = ()
    lock: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    unknown_scheme: str = field(default="", repr=False)


def explain_object(s3: S3, admin: MinioAdmin, target: Target, version_id: str = "") -> Explanation:
    """Explain one object by its HEAD, a byte of it, and the server's keys.

    Raises:
        S3Error: there is no such object, or it may not be asked for.
    """
    try:
        info = s3.head_object(target.bucket, target.key, version_id=version_id)
    except S3Error as e:
        if e.status == 400:
            return _customers(s3, admin, target, version_id, e)
        e.hint = e.hint or _next_step(e, target)
        raise
    scheme = _scheme(info.encryption)
    parts, context = "-" in info.etag, _decoded(info.encryption.context)
    facts = _facts(s3, admin, scheme, info.encryption.key_id)
    problem = ""
    if scheme != "sse-c":
        problem = unreadable(s3, target.bucket, target.key, version_id=version_id)
    return Explanation(
        target,
        scheme,
        facts,
        stages(scheme, facts, target, parts=parts, context=context),
        version_id=version_id or info.version_id,
        size=info.size,
        opens=None if scheme == "sse-c" else not problem,
        problem=problem,
        context=context,
        notes=notes(scheme, facts),
        lock=on_lock(scheme, facts, parts=parts),
        delete=on_delete(scheme, facts),
        unknown_scheme=info.encryption.algorithm if scheme == "unknown" else "",
    )


def explain_bucket(s3: S3, admin: MinioAdmin, target: Target) -> Explanation:
    """Explain how a bucket's new objects are encrypted by its default.

    Raises:
        S3Error: there is no such bucket, or its default may not be read.
    """
    try:
        default = s3.get_bucket_encryption(target.bucket)
    except S3Error as e:
        e.hint = e.hint or _next_step(e, target)
        raise
    algorithm = default.algorithm if default else ""
    scheme = scheme_of(algorithm)
    facts = _facts(s3, admin, scheme, default.key_id if default else "", new=True)
    return Explanation(
        target,
        scheme,
        facts,
        stages(scheme, facts, target),
        notes=notes(scheme, facts, new=True),
        lock=on_lock(scheme, facts, new=True),
        delete=on_delete(scheme, facts, new=True),
        unknown_scheme=algorithm if scheme == "unknown" else "",
    )


def _next_step(error: S3Error, target: Target) -> str | None:
    if error.api_code == "NoSuchBucket":
        return f"mcpy ls {target.alias}"
    if error.status in {404, 405}:
        return f"mcpy ls --versions {target}"
    return None


def _customers(
    s3: S3, admin: MinioAdmin, target: Target, version_id: str, error: S3Error
) -> Explanation:
    """Explain an object whose HEAD wants a client's key; raise ``error`` when it does not."""
    reason = f"{error.message} {unreadable(s3, target.bucket, target.key, version_id=version_id)}"
    if not is_customers(reason):
        raise error
    facts = _facts(s3, admin, "sse-c", "")
    return Explanation(
        target,
        "sse-c",
        facts,
        stages("sse-c", facts, target),
        version_id=version_id,
        notes=notes("sse-c", facts),
        lock=on_lock("sse-c", facts),
        delete=on_delete("sse-c", facts),
    )


def _scheme(encryption: ObjectEncryption) -> Scheme:
    return "sse-c" if encryption.customer else scheme_of(encryption.algorithm)


def _facts(s3: S3, admin: MinioAdmin, scheme: Scheme, key_id: str, *, new: bool = False) -> Facts:
    if is_aws(s3):
        return Facts("aws", key=key_id)
    try:
        status = admin.kms_status()
    except UnreachableError:
        raise
    except UnsupportedError:  # MinIO's own word for a server without a KMS
        return Facts("minio", key=bare_key_id(key_id))
    except McpyError as e:
        if isinstance(e, S3Error) and e.status == 403 and s3.is_minio:
            return Facts("minio", key=bare_key_id(key_id), lacks="kms:Status and kms:KeyStatus")
        return Facts("other", key=bare_key_id(key_id))
    default = bare_key_id(status.default_key)
    named = bare_key_id(key_id)
    if not named and (scheme == "sse-kms" or (new and scheme == "sse-s3")):
        named = default  # what asks for no key gets this one
    facts = Facts("minio", default, named, built_in="builtin" in status.name)
    tried = named or (default if scheme == "sse-s3" else "")
    return _tried(admin, facts, tried) if tried else facts


def _tried(admin: MinioAdmin, facts: Facts, key: str) -> Facts:
    try:
        problem = admin.key_status(key).problem
    except UnreachableError:
        raise
    except McpyError as e:
        denied = isinstance(e, S3Error) and e.status == 403
        return replace(facts, lacks="kms:KeyStatus") if denied else facts
    return replace(facts, key_problem=problem, key_tried=True)


def _decoded(context: str) -> str:
    """Return a KMS context as JSON text; as it stands where it is none."""
    if not context:
        return ""
    try:
        found = loads(base64.b64decode(context, validate=True))
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except (binascii.Error, ValueError, RecursionError):  # it may be too deep to write, too
        return context
